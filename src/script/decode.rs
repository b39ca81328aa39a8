//! JSON as scripts see it: lists, maps, texts, numbers, and `()` for `null`.
//!
//! A whole number that an integer of 64 bits cannot hold comes as its digits in a text, so that none is
//! lost.

use rhai::{Array, Dynamic, Map};

use crate::domain::json::text;
use crate::domain::limits::MAX_JSON_DEPTH;

use super::plain::Plain;

/// A value that has passed [`crate::domain::json::check`]; `()` for what has not.
pub(super) fn decode(json: &str) -> Dynamic {
    let mut reader = Reader { rest: json };
    reader.value(0).unwrap_or(Dynamic::UNIT)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Dynamic> {
        self.space();
        match self.rest.as_bytes().first()? {
            b'{' if depth < MAX_JSON_DEPTH => self.map(depth + 1),
            b'[' if depth < MAX_JSON_DEPTH => self.list(depth + 1),
            b'"' => Some(text(self.string()?)?.as_ref().into()),
            _ => Plain::of_scalar(self.scalar())?.dynamic(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Dynamic> {
        self.take("[");
        let mut list = Array::new();
        while !self.take("]") {
            list.push(self.value(depth)?);
            self.take(",");
        }
        Some(list.into())
    }

    fn map(&mut self, depth: usize) -> Option<Dynamic> {
        self.take("{");
        let mut map = Map::new();
        while !self.take("}") {
            let key = text(self.string()?)?;
            self.take(":").then_some(())?;
            map.insert(key.as_ref().into(), self.value(depth)?);
            self.take(",");
        }
        Some(map.into())
    }

    /// A text with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.space();
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        loop {
            end += memchr::memchr2(b'"', b'\\', bytes.get(end..)?)?;
            match bytes.get(end)? {
                b'"' => break,
                _ => end += 2,
            }
        }
        let (string, rest) = self.rest.split_at_checked(end + 1)?;
        self.rest = rest;
        Some(string)
    }

    /// Whatever stands before the next sign of punctuation.
    fn scalar(&mut self) -> &'a str {
        let ends = |c: char| matches!(c, ',' | ']' | '}' | ' ' | '\t' | '\n' | '\r');
        let (scalar, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        scalar
    }

    /// Whether this sign comes next; it is then behind us.
    fn take(&mut self, sign: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}
