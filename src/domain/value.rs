//! What a row has in one column, before a format gives it its form.

use serde::{Deserialize, Serialize};

use super::{Error, Moment, Result};

/// A JSON value as it lies in the store. Whether its bytes are text is asked by whoever needs them as one:
/// asking it of every cell of an export would be a large part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    /// The value that lies in these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Its bytes, which nobody has looked at.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its text.
    ///
    /// # Errors
    /// `Internal` when the bytes are none.
    pub fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.0).map_err(|why| Error::internal("store", why))
    }
}

impl<'a> From<&'a str> for Raw<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

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
    Json(Raw<'a>),
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
            Self::Json(json) => ValueRef::Json((&**json).into()),
            Self::Time(time) => ValueRef::Time(*time),
            Self::Link(link) => ValueRef::Link(link),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// The text of raw JSON; nothing for all else.
    ///
    /// # Errors
    /// `Internal` when the bytes are none.
    pub fn json(&self) -> Result<Option<&'a str>> {
        match self {
            Self::Json(raw) => raw.text().map(Some),
            Self::Empty | Self::Time(_) | Self::Link(_) => Ok(None),
        }
    }

    /// The same, outliving the row.
    ///
    /// # Errors
    /// `Internal` when raw JSON is no text.
    pub fn owned(self) -> Result<Value> {
        Ok(match self {
            Self::Empty => Value::Empty,
            Self::Json(json) => Value::Json(json.text()?.into()),
            Self::Time(time) => Value::Time(time),
            Self::Link(link) => Value::Link(Box::new(link.clone())),
        })
    }
}
