//! The total order of an export: a field, a direction, and the id to break ties.

use std::cmp::Ordering;

use super::json::SortKey;
use super::task::{TaskRead, TimeField};

/// How tasks are sorted. Ties are broken by `_id` in the same direction, so the order is total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// A reserved key or any other field of a task.
    pub by: String,
    /// True for the highest value first.
    pub descending: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self { by: "createdTime".into(), descending: true }
    }
}

impl Order {
    /// The sort key of a task: an instant for the times of the header, else the value itself.
    pub fn key(&self, task: &(impl TaskRead + ?Sized)) -> SortKey {
        match TimeField::named(&self.by) {
            Some(field) => match task.header().time(field) {
                Some(moment) => SortKey::Integer(i128::from(moment.0)),
                None => SortKey::Missing,
            },
            None => SortKey::of(task.raw(&self.by)),
        }
    }

    /// Which of two tasks comes first in a list sorted this way.
    pub fn compare(&self, a: &impl TaskRead, b: &impl TaskRead) -> Ordering {
        let ascending = self.key(a).cmp(&self.key(b)).then_with(|| a.header().id.cmp(&b.header().id));
        if self.descending { ascending.reverse() } else { ascending }
    }
}
