//! The functions that formulas know: those that scripts have of ours, and some of Rhai's own.

use std::borrow::Cow;
use std::sync::Arc;

use rhai::Dynamic;

use crate::domain::Time;

use super::super::call;
use super::super::functions::Outcome;
use super::super::functions::{lists, numbers, patterns, places, texts, times};
use super::super::plain::Plain;
use super::compute::Computing;
use super::within;

/// What a function gives; nothing where Rhai has to say what it is.
pub(super) type Work = for<'a> fn(&Computing<'a>, &[Plain<'a>]) -> Option<Plain<'a>>;

/// The most that one of them is given.
pub(super) const MOST_GIVEN: usize = 3;

/// Name, how many values it is given, and what it does.
const KNOWN: &[(&str, usize, Work)] = &[
    ("get", 3, get),
    ("time", 1, |computing, given| moment(computing, given.first()?).map(of_time)),
    ("now", 0, |computing, _| Some(of_time(Some(Time { at: computing.session.now, offset_seconds: None })))),
    ("minutes_between", 2, |computing, given| between(computing, given, times::MINUTE_MILLIS)),
    ("hours_between", 2, |computing, given| between(computing, given, times::HOUR_MILLIS)),
    ("add_minutes", 2, |computing, given| two(computing, given, times::add_minutes)),
    ("format_time", 2, format_time),
    ("in_zone", 2, |computing, given| two(computing, given, times::in_zone)),
    ("weekday", 1, |computing, given| one(computing, given, times::weekday)),
    ("number", 1, |computing, given| one(computing, given, numbers::read)),
    ("round", 2, round),
    ("format_number", 2, |computing, given| two(computing, given, numbers::format)),
    ("join", 2, join),
    ("sum", 2, |computing, given| two(computing, given, lists::sum)),
    ("count", 1, count),
    ("distance_metres", 2, |computing, given| two(computing, given, places::distance)),
    ("link", 2, |computing, given| two(computing, given, texts::link)),
    ("mask", 1, |computing, given| one(computing, given, texts::mask)),
    ("digest", 1, |computing, given| one(computing, given, texts::digest)),
    ("match", 2, |computing, given| two(computing, given, |text, regex| Ok(patterns::is_match(text, regex)?.into()))),
    ("to_string", 1, |_, given| Some(Plain::Text(Cow::Owned(given.first()?.shown()?.into_owned())))),
    ("len", 1, length),
    ("is_empty", 1, |computing, given| Some(Plain::Bool(length(computing, given)? == Plain::Int(0)))),
    ("contains", 2, contains),
    ("starts_with", 2, |_, given| in_text(given, |text, part| text.starts_with(part))),
    ("ends_with", 2, |_, given| in_text(given, |text, part| text.ends_with(part))),
    ("to_upper", 1, |_, given| made_of(given, str::to_uppercase)),
    ("to_lower", 1, |_, given| made_of(given, str::to_lowercase)),
    ("split", 2, split),
];

/// The function of this name for so many values.
pub(super) fn known(name: &str, given: usize) -> Option<Work> {
    let same = |known: &&(&str, usize, Work)| known.0 == name && known.1 == given && given <= MOST_GIVEN;
    KNOWN.iter().find(same).map(|(.., work)| *work)
}

fn one<'a>(computing: &Computing, given: &[Plain], own: fn(Dynamic) -> Outcome) -> Option<Plain<'a>> {
    let [a] = given else { return None };
    let a = a.dynamic()?;
    Plain::of_dynamic(call::within(computing.session, || own(a)).ok()?)
}

fn two<'a>(computing: &Computing, given: &[Plain], own: fn(Dynamic, Dynamic) -> Outcome) -> Option<Plain<'a>> {
    let [a, b] = given else { return None };
    let (a, b) = (a.dynamic()?, b.dynamic()?);
    Plain::of_dynamic(call::within(computing.session, || own(a, b)).ok()?)
}

fn get<'a>(computing: &Computing<'a>, given: &[Plain<'a>]) -> Option<Plain<'a>> {
    let [of, Plain::Text(path), default] = given else { return None };
    let mut found = of.clone();
    for step in path.split('.') {
        found = match &found {
            Plain::Task => computing.under(&found, step).ok()?,
            Plain::Json(raw) if raw.starts_with('[') => {
                let item = step.parse::<usize>().ok().and_then(|place| within::items(raw)?.get(place).copied());
                computing.of_json(item).ok()?
            }
            Plain::Json(_) => computing.under(&found, step).ok()?,
            Plain::List(_) | Plain::Map(_) | Plain::Time(_) | Plain::Link(_) => return None,
            _ => return Some(default.clone()),
        };
    }
    Some(if found == Plain::Unit { default.clone() } else { found })
}

/// What a function takes as a time: nothing for what is missing.
fn moment(computing: &Computing, value: &Plain) -> Option<Option<Time>> {
    match value {
        Plain::Unit => Some(None),
        Plain::Time(time) => Some(Some(*time)),
        Plain::Text(text) if text.trim().is_empty() => Some(None),
        Plain::Text(text) => times::parse_in(text, &computing.session.zone).map(Some),
        _ => None,
    }
}

fn of_time<'a>(time: Option<Time>) -> Plain<'a> {
    time.map_or(Plain::Unit, Plain::Time)
}

fn between<'a>(computing: &Computing, given: &[Plain], unit_millis: f64) -> Option<Plain<'a>> {
    let [a, b] = given else { return None };
    let pair = moment(computing, a)?.zip(moment(computing, b)?);
    Some(pair.map_or(Plain::Unit, |(a, b)| Plain::Float(times::units_between(a, b, unit_millis))))
}

fn format_time<'a>(computing: &Computing, given: &[Plain]) -> Option<Plain<'a>> {
    let [time, Plain::Text(form)] = given else { return None };
    let Some(time) = moment(computing, time)? else { return Some(Plain::Unit) };
    times::formatted(time, &computing.session.zone, form).map(|text| Plain::Text(Cow::Owned(text)))
}

fn round<'a>(_: &Computing, given: &[Plain]) -> Option<Plain<'a>> {
    match given {
        [Plain::Unit, _] => Some(Plain::Unit),
        [x, Plain::Int(digits)] => {
            let digits = numbers::digits(*digits)?;
            match x {
                Plain::Int(whole) => Some(Plain::Int(*whole)),
                Plain::Float(float) if float.is_finite() => Some(Plain::Float(numbers::rounded(*float, digits))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn join<'a>(computing: &Computing<'a>, given: &[Plain<'a>]) -> Option<Plain<'a>> {
    let [items, Plain::Text(separator)] = given else { return None };
    if *items == Plain::Unit {
        return Some(Plain::Unit);
    }
    let mut joined = String::new();
    for item in computing.items(items)? {
        let shown = match &item {
            // A float is joined as it is shown in a cell, not as it is written in a text.
            Plain::Float(number) => number.to_string(),
            Plain::Int(_) | Plain::Bool(_) => item.shown()?.into_owned(),
            Plain::Text(text) if text.trim().is_empty() => continue,
            Plain::Text(text) => text.clone().into_owned(),
            Plain::Unit => continue,
            _ => return None,
        };
        let separator = if joined.is_empty() { "" } else { separator };
        if joined.len() + separator.len() + shown.len() > computing.most_text_bytes() {
            return None;
        }
        joined.push_str(separator);
        joined.push_str(&shown);
    }
    Some(Plain::Text(Cow::Owned(joined)))
}

fn count<'a>(computing: &Computing, given: &[Plain]) -> Option<Plain<'a>> {
    match given {
        [Plain::Unit] => Some(Plain::Int(0)),
        [Plain::Text(_) | Plain::Map(_)] => None,
        _ => length(computing, given),
    }
}

/// Letters of a text, items of a list.
fn length<'a>(_: &Computing, given: &[Plain]) -> Option<Plain<'a>> {
    let length = match given {
        [Plain::Text(text)] => text.chars().count(),
        [Plain::Json(raw)] => within::items(raw)?.len(),
        [Plain::List(items)] => items.len(),
        [Plain::Map(pairs)] => pairs.len(),
        _ => return None,
    };
    Some(Plain::Int(length as i64))
}

fn contains<'a>(computing: &Computing<'a>, given: &[Plain<'a>]) -> Option<Plain<'a>> {
    let [list @ (Plain::Json(_) | Plain::List(_)), Plain::Text(text)] = given else {
        return in_text(given, |text, part| text.contains(part));
    };
    for item in computing.items(list)? {
        match item {
            Plain::Text(item) if item == *text => return Some(Plain::Bool(true)),
            Plain::Unit | Plain::Bool(_) | Plain::Int(_) | Plain::Float(_) | Plain::Text(_) => {}
            // What Rhai compares by other functions.
            _ => return None,
        }
    }
    Some(Plain::Bool(false))
}

fn in_text<'a>(given: &[Plain], holds: fn(&str, &str) -> bool) -> Option<Plain<'a>> {
    let [Plain::Text(text), Plain::Text(part)] = given else { return None };
    Some(Plain::Bool(holds(text, part)))
}

fn made_of<'a>(given: &[Plain], make: fn(&str) -> String) -> Option<Plain<'a>> {
    let [Plain::Text(text)] = given else { return None };
    Some(Plain::Text(Cow::Owned(make(text))))
}

fn split<'a>(computing: &Computing, given: &[Plain<'a>]) -> Option<Plain<'a>> {
    let [Plain::Text(text), Plain::Text(separator)] = given else { return None };
    if text.len() > computing.most_items() {
        return None;
    }
    let parts: Vec<Plain> = match text {
        Cow::Borrowed(text) => text.split(&**separator).map(|part| Plain::Text(Cow::Borrowed(part))).collect(),
        Cow::Owned(text) => text.split(&**separator).map(|part| Plain::Text(Cow::Owned(part.to_owned()))).collect(),
    };
    Some(Plain::List(Arc::new(parts)))
}
