//! What scripts can hold beside Rhai's own types: moments and links.

use crate::domain;

/// A moment with the clock it is to be read from, as scripts hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub domain::Time);

/// Where something lies and the words for it, as scripts hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link(pub domain::Link);
