//! Lists: joined, summed, counted, each value once.

use std::collections::HashSet;

use rhai::{Array, Dynamic, ImmutableString, Map, Module, NativeCallContext};

use super::super::types::{Link, Time};
use super::argument::{Outcome, as_text, check_length, fault, is_missing, list, named, text, written};
use super::{FunctionDoc, add, numbers};

pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        signature: "join(list, sep)",
        about: "The items as one text with sep between them; items that are () or blank are left out. () stays ().",
        example: r#"join(["Main Street 1", (), "Oxford"], ", ") → "Main Street 1, Oxford""#,
    },
    FunctionDoc {
        signature: "sum(list, key)",
        about: "The sum of what the maps of a list have under key, numbers or texts that are numbers; what is missing counts nothing. () stays ().",
        example: r#"sum([#{qty: 2}, #{qty: "3"}, #{}], "qty") → 5"#,
    },
    FunctionDoc {
        signature: "count(list)",
        about: "How many items a list has; 0 for ().",
        example: r#"count(["a", "b"]) → 2"#,
    },
    FunctionDoc {
        signature: "unique(list)",
        about: "The items of a list, texts, numbers, truth values, times or (), each of them once, where it is first. () stays ().",
        example: r#"unique(["b", "a", "b"]) → ["b", "a"]"#,
    },
];

pub(super) fn register(module: &mut Module) {
    add(module, "join", join);
    add(module, "sum", sum);
    add(module, "count", count);
    add(module, "unique", unique);
}

fn join(context: NativeCallContext, items: Dynamic, separator: Dynamic) -> Outcome {
    if items.is_unit() {
        return Ok(items);
    }
    let items = list("join", &items)?;
    let separator = text("join", &separator)?.unwrap_or_default();
    let mut joined = String::new();
    for (place, item) in items.iter().enumerate().filter(|(_, item)| !is_missing(item)) {
        let Some(text) = written(item) else {
            return fault(format!("join takes a list of single values, and item {place} is {}.", named(item)));
        };
        let separator = if joined.is_empty() { "" } else { &separator };
        // Checked before it is made: a list can hold one long text ten thousand times.
        check_length("join", &context, joined.len() + separator.len() + text.len())?;
        joined.push_str(separator);
        joined.push_str(&text);
    }
    Ok(joined.into())
}

pub(in super::super) fn sum(items: Dynamic, key: Dynamic) -> Outcome {
    if items.is_unit() {
        return Ok(items);
    }
    let items = list("sum", &items)?;
    let key = text("sum", &key)?.unwrap_or_default();
    let mut total = Total::Whole(0);
    for (place, item) in items.iter().enumerate().filter(|(_, item)| !item.is_unit()) {
        let Some(item) = item.read_lock::<Map>() else {
            return fault(format!("sum takes a list of maps, and item {place} is {}.", named(item)));
        };
        let Some(value) = item.get(key.as_str()).filter(|value| !is_missing(value)) else { continue };
        let number = as_text(value).and_then(|text| numbers::parse(&text));
        total = match total.plus(number.as_ref().unwrap_or(value)) {
            Some(total) => total,
            None => return fault(format!("sum takes numbers, and the {key} of item {place} is {}.", named(value))),
        };
    }
    Ok(total.into())
}

/// Whole as long as everything is, so that pieces are counted in pieces.
#[derive(Clone, Copy)]
enum Total {
    Whole(i64),
    Float(f64),
}

impl Total {
    fn plus(self, number: &Dynamic) -> Option<Self> {
        let float = |total: f64, number: f64| Self::Float(total + number);
        match (self, number.as_int(), number.as_float()) {
            (Self::Whole(total), Ok(whole), _) => match total.checked_add(whole) {
                Some(total) => Some(Self::Whole(total)),
                None => Some(float(total as f64, whole as f64)),
            },
            (Self::Whole(total), _, Ok(number)) => Some(float(total as f64, number)),
            (Self::Float(total), Ok(whole), _) => Some(float(total, whole as f64)),
            (Self::Float(total), _, Ok(number)) => Some(float(total, number)),
            _ => None,
        }
    }
}

impl From<Total> for Dynamic {
    fn from(total: Total) -> Self {
        match total {
            Total::Whole(whole) => whole.into(),
            Total::Float(float) => float.into(),
        }
    }
}

fn count(items: Dynamic) -> Outcome {
    if items.is_unit() {
        return Ok(0_i64.into());
    }
    let length = list("count", &items)?.len();
    Ok(i64::try_from(length).unwrap_or(i64::MAX).into())
}

fn unique(items: Dynamic) -> Outcome {
    if items.is_unit() {
        return Ok(items);
    }
    let items = list("unique", &items)?;
    let mut seen = HashSet::with_capacity(items.len());
    let mut first = Array::new();
    for (place, item) in items.iter().enumerate() {
        let Some(same) = Same::of(item) else {
            return fault(format!("unique takes a list of single values, and item {place} is {}.", named(item)));
        };
        if seen.insert(same) {
            first.push(item.clone());
        }
    }
    Ok(first.into())
}

/// What makes two values equal, as `==` has it.
#[derive(PartialEq, Eq, Hash)]
enum Same {
    Nothing,
    Flag(bool),
    Text(ImmutableString),
    Whole(i64),
    Float(u64),
    Time(i64),
    Link(String, String),
}

impl Same {
    fn of(value: &Dynamic) -> Option<Self> {
        if let Some(text) = as_text(value) {
            return Some(Self::Text(text));
        }
        if let Some(Time(time)) = value.read_lock::<Time>().as_deref() {
            return Some(Self::Time(time.at.0));
        }
        if let Some(Link(link)) = value.read_lock::<Link>().as_deref() {
            return Some(Self::Link(link.url.clone(), link.text.clone()));
        }
        let flag = value.as_bool().map(Self::Flag);
        let number = value.as_int().map(Self::Whole).or_else(|_| value.as_float().map(Self::of_float));
        let nothing = value.is_unit().then_some(Self::Nothing);
        flag.or(number).ok().or(nothing)
    }

    /// 1.0 is the same as 1.
    fn of_float(float: f64) -> Self {
        let whole = float as i64;
        if whole as f64 == float { Self::Whole(whole) } else { Self::Float(float.to_bits()) }
    }
}
