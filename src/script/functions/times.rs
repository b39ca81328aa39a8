//! Times: read, compared, moved, written. Whatever takes a time takes its text too.

use rhai::{Dynamic, ImmutableString, Module};

use crate::domain::{self, Moment, Zone};

use super::super::call;
use super::super::types::Time;
use super::argument::{Number, Outcome, as_text, fault, is_missing, number, quoted, text as text_of, wrong};
use super::{FunctionDoc, add};

pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        signature: "time(text)",
        about: "The moment in a text such as 2025-06-15 08:00:00, 2025-06-15T08:00:00Z or 2025-06-15T08:00:00+07:00; a date alone is its first moment. Without an offset it is read in the export's time zone. () and blank texts give ().",
        example: r#"time("2025-06-15T08:00:00+07:00").to_string() → "2025-06-15T01:00:00+00:00""#,
    },
    FunctionDoc {
        signature: "now()",
        about: "The moment of the snapshot that the export shows, the same in every row.",
        example: "now() == now() → true",
    },
    FunctionDoc {
        signature: "minutes_between(a, b)",
        about: "Minutes from a to b with their fraction, below zero where b is earlier. () where one is missing.",
        example: r#"minutes_between("2025-06-15 08:00:00", "2025-06-15 09:30:00") → 90.0"#,
    },
    FunctionDoc {
        signature: "hours_between(a, b)",
        about: "Hours from a to b with their fraction, below zero where b is earlier. () where one is missing.",
        example: r#"hours_between("2025-06-15 08:00:00", "2025-06-15 09:30:00") → 1.5"#,
    },
    FunctionDoc {
        signature: "add_minutes(t, minutes)",
        about: "The time so many minutes after t, before it where they are below zero. () where one is missing.",
        example: r#"add_minutes("2025-06-15 08:00:00", 30) == time("2025-06-15 08:30:00") → true"#,
    },
    FunctionDoc {
        signature: "format_time(t, format)",
        about: "t as a text, with the directives of strftime: %Y-%m-%d %H:%M, %d %b %Y, %A. () stays ().",
        example: r#"format_time("2025-06-15 08:00:00", "%d %b %Y") → "15 Jun 2025""#,
    },
    FunctionDoc {
        signature: "in_zone(t, zone)",
        about: "The same moment by the clock of another time zone, for cells and format_time. () stays ().",
        example: r#"format_time(in_zone("2025-06-15T08:00:00Z", "Asia/Jakarta"), "%H:%M") → "15:00""#,
    },
    FunctionDoc {
        signature: "weekday(t)",
        about: "1 for Monday to 7 for Sunday. () stays ().",
        example: r#"weekday("2025-06-15 08:00:00") → 7"#,
    },
];

pub(in super::super) const MINUTE_MILLIS: f64 = 60_000.0;
pub(in super::super) const HOUR_MILLIS: f64 = 60.0 * MINUTE_MILLIS;
/// The most that lies between two times, in minutes; more is far beyond any time there is.
const MAX_MINUTES: f64 = 20_000.0 * 366.0 * 24.0 * 60.0;
/// Bytes of a format, so that what it gives has its limit too.
const MAX_FORMAT_BYTES: usize = 200;

pub(super) fn register(module: &mut Module) {
    add(module, "time", |value: Dynamic| give(read("time", &value)?));
    add(module, "now", now);
    add(module, "minutes_between", |a: Dynamic, b: Dynamic| between("minutes_between", &a, &b, MINUTE_MILLIS));
    add(module, "hours_between", |a: Dynamic, b: Dynamic| between("hours_between", &a, &b, HOUR_MILLIS));
    add(module, "add_minutes", add_minutes);
    add(module, "format_time", format);
    add(module, "in_zone", in_zone);
    add(module, "weekday", weekday);
    add(module, "to_string", |time: &mut Time| text(*time));
    compare(module, "==", |a, b| a == b);
    compare(module, "!=", |a, b| a != b);
    compare(module, "<", |a, b| a < b);
    compare(module, "<=", |a, b| a <= b);
    compare(module, ">", |a, b| a > b);
    compare(module, ">=", |a, b| a >= b);
    module.set_custom_type::<Time>("time");
}

/// A time as ISO 8601 by the clock it is to be read from.
pub(super) fn text(Time(time): Time) -> Outcome<String> {
    match clock(time)?.format(time.at, "%Y-%m-%dT%H:%M:%S%:z") {
        Some(text) => Ok(text),
        None => fault("The time lies in no year that can be written.".to_owned()),
    }
}

/// Between two times, and between a time and the text of one, which Rhai alone would find unequal.
fn compare(module: &mut Module, operator: &'static str, holds: fn(Moment, Moment) -> bool) {
    let parse = |text: ImmutableString| match parse(&text) {
        Some(time) => Ok(time.at),
        None => wrong("A comparison with a time", WANTED, &text.into()),
    };
    add(module, operator, move |Time(a): Time, Time(b): Time| Ok(holds(a.at, b.at)));
    add(module, operator, move |Time(a): Time, b: ImmutableString| Ok(holds(a.at, parse(b)?)));
    add(module, operator, move |a: ImmutableString, Time(b): Time| Ok(holds(parse(a)?, b.at)));
}

const WANTED: &str = "a time such as 2025-06-15 08:00:00 or 2025-06-15T08:00:00+07:00";

/// What a function takes as a time; nothing for what is missing.
fn read(function: &str, value: &Dynamic) -> Outcome<Option<domain::Time>> {
    if is_missing(value) {
        return Ok(None);
    }
    let own = value.read_lock::<Time>().map(|time| time.0);
    match own.or_else(|| as_text(value).and_then(|text| parse(&text))) {
        Some(time) => Ok(Some(time)),
        None => wrong(function, WANTED, value),
    }
}

fn parse(text: &str) -> Option<domain::Time> {
    parse_in(text, &zone())
}

/// The time that a text means in a zone.
pub(in super::super) fn parse_in(text: &str, zone: &Zone) -> Option<domain::Time> {
    let at = Moment::parse_from(text.trim(), zone)?;
    Some(domain::Time { at, offset_seconds: None })
}

fn give(time: Option<domain::Time>) -> Outcome {
    Ok(time.map_or(Dynamic::UNIT, |time| Dynamic::from(Time(time))))
}

fn now() -> Outcome {
    match call::session(|session| session.now) {
        Some(at) => give(Some(domain::Time { at, offset_seconds: None })),
        None => fault("now has its moment only while an export runs.".to_owned()),
    }
}

fn between(function: &str, a: &Dynamic, b: &Dynamic, unit_millis: f64) -> Outcome {
    let (a, b) = (read(function, a)?, read(function, b)?);
    Ok(a.zip(b).map_or(Dynamic::UNIT, |(a, b)| units_between(a, b, unit_millis).into()))
}

/// How often a unit fits between two times.
pub(in super::super) fn units_between(a: domain::Time, b: domain::Time, unit_millis: f64) -> f64 {
    (b.at.0 - a.at.0) as f64 / unit_millis
}

pub(in super::super) fn add_minutes(time: Dynamic, minutes: Dynamic) -> Outcome {
    let Some(time) = read("add_minutes", &time)? else { return Ok(Dynamic::UNIT) };
    if minutes.is_unit() {
        return Ok(minutes);
    }
    let size = match number("add_minutes", &minutes)? {
        Number::Whole(whole) => whole as f64,
        Number::Float(float) => float,
    };
    let moved = Moment(time.at.0 + (size.clamp(-MAX_MINUTES, MAX_MINUTES) * MINUTE_MILLIS).round() as i64);
    if Zone::utc().civil(moved).is_none() {
        return fault(format!("add_minutes would leave the years that there are by {size} minutes."));
    }
    give(Some(domain::Time { at: moved, ..time }))
}

fn format(time: Dynamic, form: Dynamic) -> Outcome {
    let Some(time) = read("format_time", &time)? else { return Ok(Dynamic::UNIT) };
    let form = text_of("format_time", &form)?.unwrap_or_default();
    match formatted(time, &zone(), &form) {
        Some(text) => Ok(text.into()),
        None => fault(format!(
            "format_time takes a format such as \"%d %b %Y %H:%M\", of at most {MAX_FORMAT_BYTES} bytes, not {}.",
            quoted(&form)
        )),
    }
}

/// A time as a text, by its own clock or else by that of the zone; nothing where the format cannot be used.
pub(in super::super) fn formatted(time: domain::Time, zone: &Zone, form: &str) -> Option<String> {
    let own = time.offset_seconds.and_then(Zone::fixed);
    (form.len() <= MAX_FORMAT_BYTES).then(|| own.as_ref().unwrap_or(zone).format(time.at, form))?
}

pub(in super::super) fn in_zone(time: Dynamic, zone: Dynamic) -> Outcome {
    let Some(time) = read("in_zone", &time)? else { return Ok(Dynamic::UNIT) };
    let named = as_text(&zone).and_then(|name| Zone::named(&name));
    match named.and_then(|zone| zone.offset_seconds(time.at)) {
        Some(offset) => give(Some(domain::Time { offset_seconds: Some(offset), ..time })),
        None => wrong("in_zone", "the name of a time zone such as Asia/Jakarta", &zone),
    }
}

pub(in super::super) fn weekday(time: Dynamic) -> Outcome {
    let Some(time) = read("weekday", &time)? else { return Ok(Dynamic::UNIT) };
    let day = clock(time)?.civil(time.at).map(|civil| civil.weekday().to_monday_one_offset());
    Ok(day.map_or(Dynamic::UNIT, |day| i64::from(day).into()))
}

/// The clock that a time is to be read from.
fn clock(time: domain::Time) -> Outcome<Zone> {
    let own = time.offset_seconds.and_then(Zone::fixed);
    Ok(own.unwrap_or_else(zone))
}

/// The zone of the export.
fn zone() -> Zone {
    call::session(|session| session.zone.clone()).unwrap_or_else(Zone::utc)
}
