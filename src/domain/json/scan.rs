//! The door's fast way through a task's JSON: one pass that checks an object and takes it apart.
//!
//! What it accepts is what [`super::check`] accepts. It refuses more than that: keys with escapes,
//! numbers with an exponent and the like are rare, and go the long way.

use std::borrow::Cow;

use super::compact;
use crate::domain::fingerprint::fingerprint;
use crate::domain::limits::MAX_JSON_DEPTH;

/// Keys of one object; comparing each with all others gets dear beyond.
const MOST_KEYS: usize = 256;
/// Bytes of a number; a longer one may be beyond a double's range.
const MOST_DIGITS: usize = 300;

/// The pairs of an object in their order, each value without white space between its tokens;
/// nothing when the text is no object, or one that only the long way can judge.
pub fn scan(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let mut pairs = Vec::with_capacity(48);
    let mut scanner = Scanner { text, at: 0, spaced: false, keys: Vec::with_capacity(64) };
    scanner.space();
    scanner.object(1, |key, value| pairs.push((Cow::Borrowed(key), Cow::Borrowed(value))))?;
    scanner.space();
    if scanner.at < text.len() {
        return None;
    }
    if scanner.spaced {
        pairs.iter_mut().for_each(|(_, value)| {
            if let Cow::Borrowed(raw) = *value {
                *value = compact(raw);
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
    /// Fingerprints of the keys of the objects around this place, the innermost last.
    keys: Vec<u64>,
}

impl<'a> Scanner<'a> {
    fn object(&mut self, depth: usize, mut each: impl FnMut(&'a str, &'a str)) -> Option<()> {
        self.eat(b'{')?;
        let (outer, mut parts) = (self.keys.len(), Parts::default());
        self.space();
        if self.eat(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.plain_text()?;
            self.add_key(outer, &mut parts, key)?;
            self.space();
            self.eat(b':')?;
            self.space();
            let start = self.at;
            self.value(depth)?;
            each(key, self.text.get(start..self.at)?);
            self.space();
            if self.eat(b'}').is_some() {
                break;
            }
            self.eat(b',')?;
            self.space();
        }
        self.keys.truncate(outer);
        Some(())
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
            b'{' => self.object(depth + 1, |_, _| {}),
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
mod tests {
    use proptest::prelude::*;

    use super::super::{check, pairs};
    use super::*;

    /// What the long way says of a text.
    fn by_the_long_way(text: &str) -> Option<Vec<(String, String)>> {
        check(text).ok()?;
        let pairs = pairs(text).ok()?;
        Some(pairs.into_iter().map(|(key, value)| (key.into_owned(), compact(value).into_owned())).collect())
    }

    fn by_the_fast_way(text: &str) -> Option<Vec<(String, String)>> {
        let pairs = scan(text)?;
        Some(pairs.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    #[test]
    fn what_tasks_are_made_of_goes_the_fast_way() {
        for text in [
            "{}",
            r#"{"a":1,"b":-0.5,"c":[],"d":{},"e":[true,false,null],"f":"\" \\ \u00e9 \/","ünï":"ŝ"}"#,
            " { \"a b\" : [ 1 ,\n{ \"c\" : \"d  e\" } ] , \"f\":\t\"g h\" }\r\n",
            r#"{"checklist_1_comment":0,"checklist_2_comment":0,"a":{"a":{"a":0}},"":"","b":""}"#,
        ] {
            assert_eq!(by_the_fast_way(text).unwrap(), by_the_long_way(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_no_task_is_left_to_the_long_way() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(MAX_JSON_DEPTH), "]".repeat(MAX_JSON_DEPTH));
        let long = format!("{{\"a\":{}}}", "9".repeat(310));
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{}}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":-}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":tru}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\u+123\"}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":[{\"b\":1,\"b\":2}]}",
            "{\"a\":1e400}",
            "{\"a\":\"",
            "{\"a\":[1 2]}",
            &deep,
            &long,
        ] {
            assert_eq!(scan(text), None, "{text}");
        }
    }

    /// JSON and what nearly is.
    fn nearly_json() -> impl Strategy<Value = String> {
        let tokens = [
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"a\"",
            "\"b\"",
            "\"a\\u0062\"",
            "\"\\ud83d\\ude00\"",
            "\"é\\n\"",
            "1",
            "-2.50",
            "0",
            "1e3",
            "-",
            ".",
            "true",
            "null",
            " ",
            "\n",
            "\"",
            "\\",
            "\"long enough for a word\"",
        ];
        let soup = prop::collection::vec(prop::sample::select(tokens.to_vec()), 0..24).prop_map(|soup| soup.concat());
        let leaf = prop_oneof![
            prop::sample::select(vec!["1", "-0.25", "true", "null", "\"\"", "\"a \\\" b\"", "18446744073709551616"])
                .prop_map(str::to_owned),
            "[ -~é]{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            let space = || prop::sample::select(vec!["", "", " ", "\n\t"]);
            prop_oneof![
                (prop::collection::vec(inner.clone(), 0..4), space())
                    .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!(",{space}")))),
                (prop::collection::vec(("[a-c]{1,2}|[a-z]{6,20}", inner), 0..4), space()).prop_map(|(pairs, space)| {
                    let pairs: Vec<String> =
                        pairs.into_iter().map(|(key, value)| format!("\"{key}\"{space}:{value}")).collect();
                    format!("{{{}{space}}}", pairs.join(","))
                }),
            ]
        });
        prop_oneof![1 => soup, 3 => value]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_the_fast_way_accepts_the_long_way_reads_alike(text in nearly_json()) {
            if let Some(pairs) = by_the_fast_way(&text) {
                prop_assert_eq!(Some(pairs), by_the_long_way(&text));
            }
        }

        #[test]
        fn a_run_ends_where_a_plain_search_says(bytes in any::<[u8; 8]>(), place in 0_usize..8, end in prop::sample::select(b"\"\\\x00\x1f".to_vec())) {
            let mut bytes = bytes;
            for bytes in [bytes, { bytes[place] = end; bytes }] {
                let plain = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '));
                let found = ends_of_run(u64::from_le_bytes(bytes));
                prop_assert_eq!(plain, (found != 0).then(|| found.trailing_zeros() as usize / 8));
            }
        }
    }
}
