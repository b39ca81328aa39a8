//! Reading what a client asks for: every fault is collected, each with the contract's sentence.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::limits::MAX_NAME_CHARS;
use super::{Error, Result};

/// The faults of one input, in the order they were found.
#[derive(Debug, Default)]
pub struct Faults(Vec<(String, String)>);

impl Faults {
    /// One more fault of `field`.
    pub fn add(&mut self, field: &str, sentence: impl Into<String>) {
        self.0.push((field.to_owned(), sentence.into()));
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Leaves out those after the first `kept` that say again what one before them said.
    pub fn drop_repeats(&mut self, kept: usize) {
        let before = self.0[..kept.min(self.0.len())].to_vec();
        self.0.retain({
            let mut place = 0;
            move |fault| {
                place += 1;
                place <= before.len() || !before.contains(fault)
            }
        });
    }

    /// # Errors
    /// `Invalid` with the first sentence as its message and all of them beside it.
    pub fn into_result(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some((_, first)) => {
                let mut error = Error::invalid(first.clone());
                error.faults = self.0;
                Err(error)
            }
        }
    }
}

/// The named values of a JSON body or a query string, read one by one; what nobody reads is a fault.
#[derive(Debug)]
pub struct Params {
    values: Map<String, Value>,
    read: BTreeSet<&'static str>,
    from_query: bool,
    /// What was found wrong so far.
    pub faults: Faults,
}

impl Params {
    /// The values of a JSON body.
    ///
    /// # Errors
    /// `Invalid` when it is not an object, has a key twice, is too deep or is no JSON at all.
    pub fn from_body(body: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(body).map_err(|_| Error::invalid("The body must be UTF-8."))?;
        super::json::check(text).map_err(|why| Error::invalid(format!("The body is not valid JSON: {why}.")))?;
        match serde_json::from_str(text) {
            Ok(Value::Object(values)) => Ok(Self::new(values, false)),
            _ => Err(Error::invalid("The body must be a JSON object.")),
        }
    }

    /// The values of a query string, already percent-decoded. Of a name that stands twice the last counts.
    pub fn from_query(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::new(pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect(), true)
    }

    fn new(values: Map<String, Value>, from_query: bool) -> Self {
        Self { values, read: BTreeSet::new(), from_query, faults: Faults::default() }
    }

    /// The value of a key; null and, in a query, the empty text mean absent.
    pub fn value(&mut self, key: &'static str) -> Option<&Value> {
        self.read.insert(key);
        self.values.get(key).filter(|value| match value {
            Value::Null => false,
            Value::String(text) => !(self.from_query && text.is_empty()),
            _ => true,
        })
    }

    /// A text.
    pub fn string(&mut self, key: &'static str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text.clone()),
            _ => self.fault(key, "must be a string."),
        }
    }

    /// A text that must be there.
    pub fn required(&mut self, key: &'static str) -> Option<String> {
        match self.value(key) {
            None => self.fault(key, "is required."),
            Some(Value::String(text)) if text.trim().is_empty() => self.fault(key, "is required."),
            Some(_) => self.string(key),
        }
    }

    /// The `name`, which must be there, trimmed.
    pub fn name(&mut self) -> Option<String> {
        let name = self.required("name")?;
        let name = name.trim();
        if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            let most = format!("must be at most {MAX_NAME_CHARS} characters without control characters.");
            return self.fault("name", &most);
        }
        Some(name.to_owned())
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let number = match self.value(key)? {
            Value::Number(number) => number.as_i64().map(i128::from).or(number.as_u64().map(i128::from)),
            Value::String(text) => text.trim().parse::<i128>().ok(),
            _ => None,
        };
        let Some(number) = number else { return self.fault(key, "must be an integer.") };
        match u64::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ if most == u64::MAX => self.fault(key, &format!("must be at least {least}.")),
            _ => self.fault(key, &format!("must be between {least} and {most}.")),
        }
    }

    /// true or false; in a query also 1 and 0.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let from_query = self.from_query;
        match self.value(key)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if from_query && matches!(text.as_str(), "true" | "1") => Some(true),
            Value::String(text) if from_query && matches!(text.as_str(), "false" | "0") => Some(false),
            _ => self.fault(key, "must be a boolean."),
        }
    }

    /// A text out of a closed set, as `pick` knows it by name.
    pub fn one_of<T>(&mut self, key: &'static str, allowed: &[&str], pick: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.string(key)?;
        pick(&text).or_else(|| self.invalid(key, &format!(" Allowed: {}.", allowed.join(", "))))
    }

    /// A comma list of texts, trimmed; empty entries are left out, an empty list means absent.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let entries = match self.value(key)? {
            Value::Array(entries) if entries.iter().all(Value::is_string) => {
                entries.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
            }
            Value::String(text) => text.split(',').map(str::to_owned).collect(),
            _ => return self.fault(key, "must be a string."),
        };
        let entries: Vec<_> =
            entries.iter().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect();
        (!entries.is_empty()).then_some(entries)
    }

    /// Notes that the value of `key` is not one of those allowed.
    pub fn invalid<T>(&mut self, key: &'static str, hint: &str) -> Option<T> {
        self.faults.add(key, format!("The selected {key} is invalid.{hint}"));
        None
    }

    /// Notes what is wrong with `key`: `The <key> field <what>`.
    pub fn fault<T>(&mut self, key: &'static str, what: &str) -> Option<T> {
        self.faults.add(key, format!("The {key} field {what}"));
        None
    }

    /// Marks a key as known, whatever its value.
    pub fn ignore(&mut self, key: &'static str) {
        self.read.insert(key);
    }

    /// The end of reading: unknown keys with a value are faults too.
    ///
    /// # Errors
    /// `Invalid` with every fault.
    pub fn finish(mut self) -> Result<()> {
        for (key, value) in &self.values {
            if !self.read.contains(key.as_str()) && !value.is_null() {
                let hint = closest(key, self.read.iter().copied());
                let hint = hint.map(|known| format!(" Did you mean {known}?")).unwrap_or_default();
                self.faults.add(key, format!("The {key} field is not known.{hint}"));
            }
        }
        self.faults.into_result()
    }
}

/// The known name that is closest to `name`, when it is close enough to be meant.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (distance(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 2.min(known.len() / 2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Levenshtein's distance; names longer than 64 characters are never close.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_at_once_the_first_as_the_message() {
        let mut params =
            Params::from_body(br#"{"limit":"many","background":"yes","statsu":"DONE","page":null}"#).unwrap();
        assert_eq!(params.required("download"), None);
        assert_eq!(params.integer("limit", 1, 10), None);
        assert_eq!(params.boolean("background"), None);
        params.integer("page", 1, 10);
        params.string("status");
        let error = params.finish().unwrap_err();
        assert_eq!(error.message, "The download field is required.");
        let sentences: Vec<_> = error.faults.iter().map(|(_, sentence)| sentence.as_str()).collect();
        assert_eq!(
            sentences,
            [
                "The download field is required.",
                "The limit field must be an integer.",
                "The background field must be a boolean.",
                "The statsu field is not known. Did you mean status?",
            ]
        );
    }

    #[test]
    fn a_key_that_stands_twice_in_a_body_is_refused() {
        assert!(Params::from_body(br#"{"status":"DONE","status":"ONGOING"}"#).is_err());
    }
}
