//! The door's fast way through a task's JSON: one pass that checks an object and takes it apart.
//!
//! What it accepts is what [`super::check`] accepts. It refuses more than that: keys with escapes,
//! numbers with an exponent and the like are rare, and go the long way.

use std::borrow::Cow;

use super::compact;
use super::keys::Keys;
use crate::domain::fingerprint::fingerprint;
use crate::domain::limits::MAX_JSON_DEPTH;

/// Keys of one object; comparing each with all others gets dear beyond.
const MOST_KEYS: usize = 256;
/// Bytes of a number; a longer one may be beyond a double's range.
const MOST_DIGITS: usize = 300;

/// A pair of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair<'a, M> {
    /// What it says.
    pub key: Cow<'a, str>,
    /// Without white space between its tokens.
    pub value: Cow<'a, str>,
    /// What the key means.
    pub meaning: M,
}

/// The pairs of an object in their order; nothing when the text is no object, or one that only the long
/// way can judge.
pub fn scan<'a, M: Copy>(text: &'a str, keys: &mut Keys<M>) -> Option<Vec<Pair<'a, M>>> {
    let mut pairs = Vec::with_capacity(48);
    let mut scanner = Scanner { text, at: 0, spaced: false, keys: Vec::with_capacity(64) };
    scanner.space();
    keys.begin();
    let mut count = 0;
    let key = |scanner: &mut Scanner<'a>| {
        count += 1;
        if count > MOST_KEYS { None } else { scanner.known_key(keys) }
    };
    scanner.object(1, key, |(key, meaning), value| {
        pairs.push(Pair { key: Cow::Borrowed(key), value: Cow::Borrowed(value), meaning });
    })?;
    scanner.space();
    if scanner.at < text.len() {
        return None;
    }
    if scanner.spaced {
        pairs.iter_mut().for_each(|pair| {
            if let Cow::Borrowed(raw) = pair.value {
                pair.value = compact(raw);
            }
        });
    }
    Some(pairs)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Whether white space stood between tokens.
    spaced: bool,
    /// Fingerprints of the keys of the inner objects around this place, the innermost last.
    keys: Vec<u64>,
}

impl<'a> Scanner<'a> {
    fn object<K>(
        &mut self,
        depth: usize,
        mut key: impl FnMut(&mut Self) -> Option<K>,
        mut each: impl FnMut(K, &'a str),
    ) -> Option<()> {
        self.eat(b'{')?;
        self.space();
        if self.eat(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = key(self)?;
            self.space();
            self.eat(b':')?;
            self.space();
            let start = self.at;
            self.value(depth)?;
            each(key, self.text.get(start..self.at)?);
            self.space();
            if self.eat(b'}').is_some() {
                return Some(());
            }
            self.eat(b',')?;
            self.space();
        }
    }

    fn inner_object(&mut self, depth: usize) -> Option<()> {
        let (outer, mut parts) = (self.keys.len(), Parts::default());
        let key = |scanner: &mut Self| {
            let key = scanner.plain_text()?;
            scanner.add_key(outer, &mut parts, key)
        };
        self.object(depth, key, |(), _| {})?;
        self.keys.truncate(outer);
        Some(())
    }

    /// The next key of the outermost object, and what it means.
    fn known_key<M: Copy>(&mut self, keys: &mut Keys<M>) -> Option<(&'a str, M)> {
        if let Some((number, length)) = keys.guess(self.rest()) {
            let key = self.text.get(self.at + 1..self.at + length - 1)?;
            self.at += length;
            return Some((key, keys.take(number)?));
        }
        let key = self.plain_text()?;
        let number = keys.number(key)?;
        Some((key, keys.take(number)?))
    }

    /// Two keys of one fingerprint may be the same.
    fn add_key(&mut self, outer: usize, parts: &mut Parts, key: &str) -> Option<()> {
        let (print, siblings) = (fingerprint(key.as_bytes()), self.keys.get(outer..)?);
        if siblings.len() == MOST_KEYS || !parts.add(print) && siblings.contains(&print) {
            return None;
        }
        self.keys.push(print);
        Some(())
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        self.eat(b'[')?;
        self.space();
        if self.eat(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            self.space();
            if self.eat(b']').is_some() {
                return Some(());
            }
            self.eat(b',')?;
            self.space();
        }
    }

    /// A value inside so many objects and lists.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.text(),
            b'{' | b'[' if depth == MAX_JSON_DEPTH => None,
            b'{' => self.inner_object(depth + 1),
            b'[' => self.list(depth + 1),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    /// A text without escapes, and what it says.
    fn plain_text(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let start = self.at;
        self.run();
        let text = self.text.get(start..self.at)?;
        self.eat(b'"').map(|()| text)
    }

    fn text(&mut self) -> Option<()> {
        self.eat(b'"')?;
        loop {
            self.run();
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4)?;
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                // Surrogates come in pairs or not at all.
                let unit = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
                self.at += 4;
                char::from_u32(unit).map(|_| ())
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let _ = self.eat(b'-');
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.eat(b'.').is_some() {
            let fraction = self.at;
            self.digits();
            (self.at > fraction).then_some(())?;
        }
        (self.at - start <= MOST_DIGITS && !matches!(self.peek(), Some(b'e' | b'E'))).then_some(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest().starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Goes to the next byte that ends a run of plain characters: a quote, a backslash or a control.
    fn run(&mut self) {
        while let Some(eight) = self.rest().first_chunk() {
            match ends_of_run(u64::from_le_bytes(*eight)) {
                0 => self.at += 8,
                ends => {
                    self.at += ends.trailing_zeros() as usize / 8;
                    return;
                }
            }
        }
        while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')) {
            self.at += 1;
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
            self.spaced = true;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// The high bit of each byte that ends a run, of eight at once. Above the lowest one there may be bits
/// of bytes that do not: subtracting borrows.
fn ends_of_run(eight: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES * u64::from(limit)) & !bytes;
    let is = |byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    (below(eight, b' ') | is(b'"') | is(b'\\')) & (ONES << 7)
}

/// Which parts of the range of all fingerprints some fingerprints fall into. Where one is the first of its
/// part, none of the others is the same.
#[derive(Default)]
struct Parts([u64; 4]);

impl Parts {
    /// Adds a fingerprint; whether it is the first of its part.
    fn add(&mut self, print: u64) -> bool {
        let (word, bit) = (&mut self.0[(print >> 62) as usize], 1 << (print >> 56 & 63));
        let is_first = *word & bit == 0;
        *word |= bit;
        is_first
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
