//! Which records a list shows, and in which order: [`LogFilter::accepts`] and [`LogOrder::compare`] are
//! the definition; whatever is faster must agree.

use std::cmp::Ordering;

use super::{ExportLog, Status};
use crate::domain::Moment;

/// Which records are meant; an absent part accepts everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// Asked for by the user of this id.
    pub user: Option<String>,
    /// Asked for by whoever has this e-mail, without regard to case.
    pub email: Option<String>,
    /// With this text in their name, without regard to case.
    pub data_name: Option<String>,
    /// Of this type of data.
    pub data_type: Option<String>,
    /// Read as this status.
    pub status: Option<Status>,
    /// Asked for then or later.
    pub since: Moment,
}

impl LogFilter {
    /// Whether the record is meant.
    pub fn accepts(&self, log: &ExportLog) -> bool {
        let lower = |text: &String| text.to_lowercase();
        log.asked >= self.since
            && self.user.as_ref().is_none_or(|user| *user == log.caller.user)
            && self.status.is_none_or(|status| log.state.status() == status)
            && self.data_type.as_ref().is_none_or(|data_type| *data_type == log.data_type)
            && self.email.as_ref().map(lower).is_none_or(|email| log.caller.email.to_lowercase() == email)
            && self.data_name.as_ref().map(lower).is_none_or(|part| log.data_name.to_lowercase().contains(&part))
    }
}

/// What records can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogField {
    /// `requestAt`
    RequestAt,
    /// `status`: the word, by the alphabet.
    Status,
    /// `dataType`
    DataType,
    /// `dataName`: by code point.
    DataName,
    /// `completedAt`: those that have not ended come below all others.
    CompletedAt,
}

impl LogField {
    /// Every one, in the contract's order.
    pub const ALL: [Self; 5] = [Self::RequestAt, Self::Status, Self::DataType, Self::DataName, Self::CompletedAt];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestAt => "requestAt",
            Self::Status => "status",
            Self::DataType => "dataType",
            Self::DataName => "dataName",
            Self::CompletedAt => "completedAt",
        }
    }

    /// The field of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// How records are sorted. Ties are broken by the id in the same direction, so the order is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOrder {
    /// What is compared first.
    pub by: LogField,
    /// True for the highest value first.
    pub descending: bool,
}

impl Default for LogOrder {
    fn default() -> Self {
        Self { by: LogField::RequestAt, descending: true }
    }
}

/// What a record is sorted by; only keys of one order are ever compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogKey {
    /// A time, or none yet, which is below every other.
    Time(Option<Moment>),
    /// One of a closed set of words.
    Word(&'static str),
    /// A text.
    Text(String),
}

impl LogOrder {
    /// The sort key of a record.
    pub fn key(&self, log: &ExportLog) -> LogKey {
        match self.by {
            LogField::RequestAt => LogKey::Time(Some(log.asked)),
            LogField::CompletedAt => LogKey::Time(log.completed),
            LogField::Status => LogKey::Word(log.state.status().name()),
            LogField::DataType => LogKey::Text(log.data_type.clone()),
            LogField::DataName => LogKey::Text(log.data_name.clone()),
        }
    }

    /// Which of two records comes first in a list sorted this way.
    pub fn compare(&self, a: &ExportLog, b: &ExportLog) -> Ordering {
        let ascending = self.key(a).cmp(&self.key(b)).then_with(|| a.id.cmp(&b.id));
        if self.descending { ascending.reverse() } else { ascending }
    }
}
