//! JSON as it came: checked once at the door, then carried as text so that no digit is lost.

mod keys;
mod scan;

pub use keys::Keys;
pub use scan::{Pair, scan};

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::limits::MAX_JSON_DEPTH;

/// Checks a whole JSON value: well formed, no key twice in one object, no number beyond a double's
/// range, no deeper than [`MAX_JSON_DEPTH`].
///
/// # Errors
/// A sentence with what is wrong and at which line and column.
pub fn check(text: &str) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Check { depth: 0 }.deserialize(&mut reader).and_then(|()| reader.end()).map_err(|error| error.to_string())
}

/// The pairs of an object in their order, each value as the text it came in.
/// The text must have passed [`check`].
///
/// # Errors
/// A sentence, when the text is not an object.
pub fn pairs(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, String> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(Cow<'de, str>, &'de str)>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::with_capacity(32);
            while let Some(Key(key)) = map.next_key()? {
                let value: &'de RawValue = map.next_value()?;
                pairs.push((key, value.get()));
            }
            Ok(pairs)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(Pairs).map_err(|error| error.to_string())
}

/// The same JSON without white space between its tokens.
pub fn compact(text: &str) -> Cow<'_, str> {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    if !text.contains(is_space) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((between, quoted)) = rest.find('"').and_then(|place| rest.split_at_checked(place)) {
        let (quoted, after) = quoted.split_at_checked(quoted_length(quoted)).unwrap_or((quoted, ""));
        out.extend(between.split(is_space));
        out.push_str(quoted);
        rest = after;
    }
    out.extend(rest.split(is_space));
    Cow::Owned(out)
}

/// Bytes of the JSON string that the text starts with, with its quotes.
fn quoted_length(text: &str) -> usize {
    let mut length = 1;
    while let Some(place) = text.get(length..).and_then(|rest| rest.find(['"', '\\'])) {
        length += place + 1;
        match text.as_bytes().get(length - 1) {
            Some(b'\\') => length += 1,
            _ => return length,
        }
    }
    text.len()
}

/// The text of a JSON string; nothing for any other value.
pub fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

/// The JSON string that holds this text.
pub fn quote(text: &str) -> String {
    // Most texts hold nothing that JSON has another sign for.
    if text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\')) {
        return ["\"", text, "\""].concat();
    }
    // A text is always a JSON string.
    serde_json::to_string(text).unwrap_or_default()
}

/// Whether the value is `null`.
pub fn is_null(raw: &str) -> bool {
    raw == "null"
}

struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[derive(Clone, Copy)]
struct Check {
    depth: usize,
}

impl Check {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(E::custom(format!("more than {MAX_JSON_DEPTH} objects and lists inside each other")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Check {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = HashSet::new();
        while let Some(Key(key)) = map.next_key()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice in one object")));
            }
            seen.insert(key);
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A value's place in the order of contract 2: missing and null, booleans, numbers, texts by code
/// point, lists, objects. Lists and objects compare by their text.
#[derive(Debug, Clone)]
pub enum SortKey {
    /// No value, or null.
    Missing,
    /// false before true.
    Bool(bool),
    /// A whole number, exact.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Box<str>),
    /// A list, as its JSON.
    List(Box<str>),
    /// An object, as its JSON.
    Object(Box<str>),
}

impl SortKey {
    /// The key of a raw JSON value.
    pub fn of(raw: Option<&str>) -> Self {
        let Some(raw) = raw else { return Self::Missing };
        match raw.as_bytes().first() {
            None | Some(b'n') => Self::Missing,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(text(raw).unwrap_or_default().into()),
            Some(b'[') => Self::List(raw.into()),
            Some(b'{') => Self::Object(raw.into()),
            Some(_) => match raw.parse() {
                Ok(whole) => Self::Integer(whole),
                // Adding nothing makes of the zero below zero the only one, which is as high as the whole 0.
                Err(_) => Self::Float(raw.parse().unwrap_or(f64::MAX) + 0.0),
            },
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Bool(_) => 1,
            Self::Integer(_) | Self::Float(_) => 2,
            Self::Text(_) => 3,
            Self::List(_) => 4,
            Self::Object(_) => 5,
        }
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Integer(a), Self::Float(b)) => compare_mixed(*a, *b),
            (Self::Float(a), Self::Integer(b)) => compare_mixed(*b, *a).reverse(),
            (Self::Text(a), Self::Text(b)) | (Self::List(a), Self::List(b)) | (Self::Object(a), Self::Object(b)) => {
                a.cmp(b)
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// Exact, so that the order stays transitive where a double cannot hold the whole number.
fn compare_mixed(whole: i128, float: f64) -> Ordering {
    const BEYOND: f64 = 1.7e38;
    if float.abs() >= BEYOND {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let floor = float.floor();
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    let below = floor as i128;
    whole.cmp(&below).then(if float > floor { Ordering::Less } else { Ordering::Equal })
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for SortKey {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert!(check(r#"{"a":1,"b":[{"c":1,"c":2}]}"#).unwrap_err().contains("`c` stands twice"));
        assert!(check(r#"{"a":1,"\u0061":2}"#).unwrap_err().contains("`a` stands twice"));
    }

    #[test]
    fn numbers_beyond_a_double_are_refused_and_long_ones_are_not() {
        assert!(check("[1e400]").unwrap_err().contains("out of range"));
        assert_eq!(check("[18446744073709551616, 123456789012345678901234567890, 1.0]"), Ok(()));
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(&nested(MAX_JSON_DEPTH)), Ok(()));
        assert!(check(&nested(MAX_JSON_DEPTH + 1)).is_err());
    }

    #[test]
    fn compacting_keeps_the_space_inside_texts() {
        assert_eq!(compact("{ \"a b\" : [ 1 ,\n\"\\\" x\\\\\" ] }"), "{\"a b\":[1,\"\\\" x\\\\\"]}");
    }

    #[test]
    fn values_sort_as_the_contract_says() {
        let sorted = ["null", "false", "true", "-3", "2", "2.5", "9007199254740993", "\"10\"", "\"9\"", "[1]", "{}"];
        for (place, raw) in sorted.iter().enumerate() {
            for later in &sorted[place + 1..] {
                assert!(SortKey::of(Some(raw)) < SortKey::of(Some(later)), "{raw} < {later}");
            }
        }
        for zero in ["-0", "0.0", "-0.0", "-0e5"] {
            assert_eq!(SortKey::of(Some(zero)), SortKey::of(Some("0")), "{zero}");
            assert_eq!(SortKey::of(Some(zero)), SortKey::of(Some("-0.0")), "{zero}");
        }
    }
}
