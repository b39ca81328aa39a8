//! Places on Earth.

use rhai::{Dynamic, Map, Module};

use super::argument::{Outcome, as_text, is_missing, wrong};
use super::{FunctionDoc, add};

pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        signature: "coordinate(text)",
        about: "The latitude and longitude in \"lat,lng\", or in a map that has both, in degrees. () stays ().",
        example: r#"coordinate("-6.1826,106.8307") → #{lat: -6.1826, lng: 106.8307}"#,
    },
    FunctionDoc {
        signature: "distance_metres(a, b)",
        about: "Metres from one coordinate to another as the crow flies. () where one is missing.",
        example: r#"round(distance_metres("-6.1826,106.8307", "-6.1830,106.8307"), 0) → 44.0"#,
    },
];

/// The mean radius of the Earth (IUGG), in metres.
const EARTH_METRES: f64 = 6_371_008.8;

pub(super) fn register(module: &mut Module) {
    add(module, "coordinate", coordinate);
    add(module, "distance_metres", distance);
}

/// Degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub lat: f64,
    pub lng: f64,
}

fn coordinate(value: Dynamic) -> Outcome {
    let Some(place) = read("coordinate", &value)? else { return Ok(Dynamic::UNIT) };
    let map = Map::from([("lat".into(), place.lat.into()), ("lng".into(), place.lng.into())]);
    Ok(map.into())
}

pub(in super::super) fn distance(from: Dynamic, to: Dynamic) -> Outcome {
    let (from, to) = (read("distance_metres", &from)?, read("distance_metres", &to)?);
    Ok(from.zip(to).map_or(Dynamic::UNIT, |(from, to)| metres(from, to).into()))
}

/// The haversine formula, which is exact to a few thousandths, since the Earth is not quite a ball.
pub(super) fn metres(from: Place, to: Place) -> f64 {
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let (from_lat, to_lat) = (from.lat.to_radians(), to.lat.to_radians());
    let haversine = half(from.lat, to.lat) + from_lat.cos() * to_lat.cos() * half(from.lng, to.lng);
    // Rounding can take it a little beyond one at the other end of the world.
    2.0 * EARTH_METRES * haversine.min(1.0).sqrt().asin()
}

fn read(function: &str, value: &Dynamic) -> Outcome<Option<Place>> {
    if is_missing(value) {
        return Ok(None);
    }
    let place = match (as_text(value), value.read_lock::<Map>()) {
        (Some(text), _) => text.split_once(',').and_then(|(lat, lng)| Some((degrees(lat)?, degrees(lng)?))),
        (None, Some(map)) => map.get("lat").and_then(number).zip(map.get("lng").and_then(number)),
        (None, None) => None,
    };
    let is_on_earth = |(lat, lng): &(f64, f64)| lat.abs() <= 90.0 && lng.abs() <= 180.0;
    match place.filter(is_on_earth) {
        Some((lat, lng)) => Ok(Some(Place { lat, lng })),
        None => wrong(function, "a coordinate such as \"-6.1826,106.8307\"", value),
    }
}

fn number(value: &Dynamic) -> Option<f64> {
    let whole = || value.as_int().ok().map(|whole| whole as f64);
    let text = || as_text(value).and_then(|text| degrees(&text));
    value.as_float().ok().or_else(whole).or_else(text)
}

fn degrees(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}
