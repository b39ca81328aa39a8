//! `match(text, regex)`.

use std::cell::RefCell;

use regex::{Regex, RegexBuilder};
use rhai::{Dynamic, Module};

use super::argument::{Outcome, fault, quoted, text};
use super::{FunctionDoc, add};

pub(super) const MATCH: &str = "match";

pub(super) const DOCS: &[FunctionDoc] = &[FunctionDoc {
    signature: "match(text, regex)",
    about: "Whether a regular expression is found in a text; ^ and $ stand for its start and end, (?i) makes letters of either case equal. False for (). At most 4,096 bytes of text.",
    example: r#"match("0812 555", "^08\\d+") → true"#,
}];

/// Bytes of a text: a search cannot be ended, and the worst takes as long as text and pattern multiplied.
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// Bytes of a pattern.
const MAX_PATTERN_BYTES: usize = 500;
/// Bytes of what a pattern is compiled to: enough for a word of any script with its end, twice.
const MAX_PROGRAM_BYTES: usize = 128 * 1024;
/// Bytes of what a search may remember to be faster.
const MAX_SEARCH_BYTES: usize = 512 * 1024;
/// Compiled patterns that a thread keeps.
const MAX_KEPT: usize = 16;

thread_local! {
    /// Those used last on this thread, the last of them at the end.
    static KEPT: RefCell<Vec<(String, Regex)>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn register(module: &mut Module) {
    add(module, MATCH, is_match);
}

pub(in super::super) fn is_match(value: Dynamic, pattern: Dynamic) -> Outcome<bool> {
    let pattern = text(MATCH, &pattern)?.unwrap_or_default();
    let regex = compiled(&pattern)?;
    match text(MATCH, &value)? {
        Some(text) if text.len() > MAX_TEXT_BYTES => {
            fault(format!("match takes a text of at most {MAX_TEXT_BYTES} bytes, not {}.", quoted(&text)))
        }
        text => Ok(text.is_some_and(|text| regex.is_match(&text))),
    }
}

fn compiled(pattern: &str) -> Outcome<Regex> {
    KEPT.with_borrow_mut(|kept| {
        let found = kept.iter().position(|(known, _)| known == pattern).map(|place| kept.remove(place));
        let (pattern, regex) = match found {
            Some(found) => found,
            None => (pattern.to_owned(), compile(pattern)?),
        };
        if kept.len() == MAX_KEPT {
            kept.remove(0);
        }
        kept.push((pattern, regex.clone()));
        Ok(regex)
    })
}

fn compile(pattern: &str) -> Outcome<Regex> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return fault(format!("match takes a regular expression of at most {MAX_PATTERN_BYTES} bytes."));
    }
    let built = RegexBuilder::new(pattern).size_limit(MAX_PROGRAM_BYTES).dfa_size_limit(MAX_SEARCH_BYTES).build();
    built.or_else(|error| {
        let why = match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The first lines draw the pattern with a mark below; the last says what is wrong.
            error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        };
        fault(format!("{} is no regular expression that match can use: {why}.", quoted(pattern)))
    })
}
