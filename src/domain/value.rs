//! What a row has in one column, before a format gives it its form.

use serde::{Deserialize, Serialize};

use super::Moment;

/// What a row has in one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    #[default]
    Empty,
    /// Raw JSON: as a task holds it, or of a script's making.
    Json(Box<str>),
    /// A moment of a script's making.
    Time(Time),
    /// A link of a script's making.
    Link(Box<Link>),
}

/// The same, borrowed: what the formats are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// Nothing.
    #[default]
    Empty,
    /// Raw JSON.
    Json(&'a str),
    /// A moment.
    Time(Time),
    /// A link.
    Link(&'a Link),
}

/// A moment with the clock it is to be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// When.
    pub at: Moment,
    /// Seconds that the clock it is shown by is ahead of UTC; none for the zone of the export.
    pub offset_seconds: Option<i32>,
}

/// Where something lies, and the words that stand for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The address.
    pub url: String,
    /// What people read; empty for the address itself.
    pub text: String,
}

impl Link {
    /// What people read: the text, or else the address.
    pub fn words(&self) -> &str {
        if self.text.is_empty() { &self.url } else { &self.text }
    }
}

impl Value {
    /// The same, borrowed.
    pub fn borrowed(&self) -> ValueRef<'_> {
        match self {
            Self::Empty => ValueRef::Empty,
            Self::Json(json) => ValueRef::Json(json),
            Self::Time(time) => ValueRef::Time(*time),
            Self::Link(link) => ValueRef::Link(link),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// The value of a key that a task may have.
    pub fn of_raw(raw: Option<&'a str>) -> Self {
        raw.map_or(Self::Empty, Self::Json)
    }

    /// The same, outliving the row.
    pub fn owned(self) -> Value {
        match self {
            Self::Empty => Value::Empty,
            Self::Json(json) => Value::Json(json.into()),
            Self::Time(time) => Value::Time(time),
            Self::Link(link) => Value::Link(Box::new(link.clone())),
        }
    }
}
