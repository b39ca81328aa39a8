//! What lies in lists and maps that are still JSON.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::domain::json;

/// The items of a list; nothing for what is none.
pub(super) fn items(raw: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = raw.starts_with('[').then(|| serde_json::from_str(raw).ok())??;
    Some(items.into_iter().map(RawValue::get).collect())
}

/// The pairs of a map; nothing for what is none.
pub(super) fn pairs(raw: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    raw.starts_with('{').then(|| json::pairs(raw).ok())?
}

/// What a map has under a key: a key that stands there twice means its last value.
pub(super) fn under<'a>(raw: &'a str, key: &str) -> Option<Option<&'a str>> {
    Some(pairs(raw)?.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value))
}
