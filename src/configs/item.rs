//! An object inside a body: what is wrong with it is told under its place, as `fields.0.id`.

use serde_json::{Map, Value};

use crate::domain::Faults;
use crate::domain::limits::MAX_CONFIG_ENTRIES;
use crate::domain::request::closest;

/// An object and where it stands.
pub(super) struct Item<'a> {
    values: &'a Map<String, Value>,
    place: String,
    faults: &'a mut Faults,
}

impl<'a> Item<'a> {
    /// What stands at `place`, if it is an object; if not, that is a fault.
    pub(super) fn at(place: String, value: &'a Value, faults: &'a mut Faults) -> Option<Self> {
        match value {
            Value::Object(values) => Some(Self { values, place, faults }),
            _ => {
                faults.add(&place, format!("The {place} field must be an object."));
                None
            }
        }
    }

    /// The value of a key; null means absent.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.value(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.fault(key, "must be a string.");
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &str) -> Option<&'a str> {
        let blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
        if self.value(key).is_none_or(blank) {
            self.fault(key, "is required.");
            return None;
        }
        self.text(key)
    }

    /// The texts of a list, each with its own key: `additionalField.0`.
    pub(super) fn texts(&mut self, key: &str) -> Vec<(String, &'a str)> {
        let entries = match self.value(key) {
            None => return Vec::new(),
            Some(Value::Array(entries)) if entries.len() <= MAX_CONFIG_ENTRIES => entries,
            Some(Value::Array(_)) => {
                self.fault(key, &format!("must not have more than {MAX_CONFIG_ENTRIES} entries."));
                return Vec::new();
            }
            Some(_) => {
                self.fault(key, "must be a list.");
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            let key = format!("{key}.{place}");
            match entry {
                Value::String(text) => texts.push((key, text.as_str())),
                _ => self.fault(&key, "must be a string."),
            }
        }
        texts
    }

    /// Checks that a key, if it is there, holds an object.
    pub(super) fn object(&mut self, key: &str) {
        if self.value(key).is_some_and(|value| !value.is_object()) {
            self.fault(key, "must be an object.");
        }
    }

    /// Notes that keys other than these are not known.
    pub(super) fn only(&mut self, known: &[&str]) {
        for (key, value) in self.values {
            if !known.contains(&key.as_str()) && !value.is_null() {
                let hint = closest(key, known.iter().copied()).map(|known| format!(" Did you mean {known}?"));
                self.fault(key, &format!("is not known.{}", hint.unwrap_or_default()));
            }
        }
    }

    /// Notes what is wrong with a key: `The fields.0.id field <what>`.
    pub(super) fn fault(&mut self, key: &str, what: &str) {
        let field = format!("{}.{key}", self.place);
        self.faults.add(&field, format!("The {field} field {what}"));
    }

    /// Notes that the value of a key is not one of those there are.
    pub(super) fn invalid(&mut self, key: &str, hint: &str) {
        let field = format!("{}.{key}", self.place);
        self.faults.add(&field, format!("The selected {field} is invalid. {hint}"));
    }
}
