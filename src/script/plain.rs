//! Values without Rhai, as formulas compute with them: texts are lent by the task where they can be.

use std::borrow::Cow;
use std::sync::Arc;

use rhai::{Dynamic, FloatWrapper, ImmutableString};

use crate::domain::json;
use crate::domain::{self, Value};

use super::convert;
use super::decode::decode;
use super::types::{Link, Time};

/// A value of a task, of a config's arguments, or made of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain<'a> {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Time(domain::Time),
    Link(Box<domain::Link>),
    /// A list or map, as it stands in the task or the arguments.
    Json(&'a str),
    /// A list that was made.
    List(Arc<Vec<Plain<'a>>>),
    /// A map that was made, by the order of its keys.
    Map(Arc<Vec<(&'a str, Plain<'a>)>>),
    /// The task itself.
    Task,
}

impl<'a> Plain<'a> {
    /// What scripts see of this JSON; nothing for what is none.
    pub fn of_json(raw: &'a str) -> Option<Self> {
        match raw.as_bytes().first()? {
            b'"' => json::text(raw).map(Self::Text),
            b'{' | b'[' => Some(Self::Json(raw)),
            _ => Self::of_scalar(raw),
        }
    }

    /// The same for what is neither a text nor a list nor a map. A whole number that an integer of 64 bits
    /// cannot hold comes as its digits.
    pub fn of_scalar(raw: &'a str) -> Option<Self> {
        match raw {
            "null" => Some(Self::Unit),
            "true" => Some(Self::Bool(true)),
            "false" => Some(Self::Bool(false)),
            whole if !whole.contains(['.', 'e', 'E']) => match whole.parse() {
                Ok(number) => Some(Self::Int(number)),
                Err(_) => whole.parse::<f64>().is_ok().then_some(Self::Text(Cow::Borrowed(whole))),
            },
            number => number.parse().ok().map(Self::Float),
        }
    }

    /// What Rhai gives; nothing for what only Rhai has.
    pub fn of_dynamic(given: Dynamic) -> Option<Self> {
        if given.is_unit() {
            return Some(Self::Unit);
        }
        if let Some(time) = given.read_lock::<Time>() {
            return Some(Self::Time(time.0));
        }
        if let Some(link) = given.read_lock::<Link>() {
            return Some(Self::Link(Box::new(link.0.clone())));
        }
        let number = given.as_int().map(Self::Int).or_else(|_| given.as_float().map(Self::Float));
        let scalar = number.or_else(|_| given.as_bool().map(Self::Bool));
        scalar.or_else(|_| given.into_string().map(|text| Self::Text(text.into()))).ok()
    }

    /// The same to Rhai; nothing for the task.
    pub fn dynamic(&self) -> Option<Dynamic> {
        Some(match self {
            Self::Unit => Dynamic::UNIT,
            Self::Bool(truth) => (*truth).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) => (*number).into(),
            Self::Text(text) => ImmutableString::from(&**text).into(),
            Self::Time(time) => Dynamic::from(Time(*time)),
            Self::Link(link) => Dynamic::from(Link((**link).clone())),
            Self::Json(raw) => decode(raw),
            Self::List(items) => items.iter().map(Self::dynamic).collect::<Option<Vec<_>>>()?.into(),
            Self::Map(pairs) => {
                let pair = |(key, value): &(&str, Plain)| Some(((*key).into(), value.dynamic()?));
                pairs.iter().map(pair).collect::<Option<rhai::Map>>()?.into()
            }
            Self::Task => return None,
        })
    }

    /// The same, lent.
    pub fn lent(&'a self) -> Self {
        match self {
            Self::Text(text) => Self::Text(Cow::Borrowed(text)),
            other => other.clone(),
        }
    }

    /// The cell that it is, of at most so many bytes; nothing for what no cell can hold.
    pub fn cell(&self, most_bytes: usize) -> Option<Value> {
        let json = match self {
            Self::Unit => return Some(Value::Empty),
            Self::Time(time) => return Some(Value::Time(*time)),
            Self::Link(link) => return Some(Value::Link(link.clone())),
            Self::Text(text) => json::quote(text),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => convert::number(*number)?,
            Self::Json(_) | Self::List(_) => return convert::cell(&self.dynamic()?, most_bytes).ok(),
            Self::Map(_) | Self::Task => return None,
        };
        (json.len() <= most_bytes).then(|| Value::Json(json.into()))
    }

    /// The rows that it is, all of at most so many bytes; nothing for what is no map or list of maps.
    pub fn rows(&self, most_bytes: usize) -> Option<Vec<Vec<(String, Value)>>> {
        let mut left = most_bytes;
        match self {
            Self::Unit => Some(Vec::new()),
            Self::Map(_) => Some(vec![self.row(&mut left)?]),
            Self::List(rows) => rows.iter().map(|row| row.row(&mut left)).collect(),
            _ => None,
        }
    }

    fn row(&self, left: &mut usize) -> Option<Vec<(String, Value)>> {
        let Self::Map(pairs) = self else { return None };
        let pair = |(key, value): &(&str, Plain)| {
            let cell = value.cell(*left)?;
            if let Value::Json(json) = &cell {
                *left -= json.len();
            }
            Some(((*key).to_owned(), cell))
        };
        pairs.iter().map(pair).collect()
    }

    /// As it is written within a text; nothing for what Rhai must write.
    pub fn shown(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Unit => Cow::Borrowed(""),
            Self::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(FloatWrapper::new(*number).to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Link(link) => Cow::Borrowed(link.words()),
            Self::Time(_) | Self::Json(_) | Self::List(_) | Self::Map(_) | Self::Task => return None,
        })
    }
}
