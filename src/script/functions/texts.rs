//! Links, and texts that hide what they are made of.

use std::fmt::Write;

use rhai::{Dynamic, Module};

use crate::domain;
use crate::kit::secret::keyed_digest;

use super::super::call;
use super::super::types::Link;
use super::argument::{Outcome, fault, is_missing, text, wrong};
use super::{FunctionDoc, add};

pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        signature: "link(url, text)",
        about: "A cell that shows text and opens url, which starts with http:// or https://; () for the text shows the address. () stays ().",
        example: r#"link("https://example.com/7", "Photo").to_string() → "Photo""#,
    },
    FunctionDoc {
        signature: "mask(text)",
        about: "A text with its middle hidden: an e-mail keeps its first letter and its domain, any other text its first and last letter. () stays ().",
        example: r#"mask("anna@example.com") → "a***@example.com""#,
    },
    FunctionDoc {
        signature: "digest(text)",
        about: "16 letters and figures that stand for a text without telling it: the same for the same text in every export of this server, and nobody without its key can find the text by trying. () stays ().",
        example: r#"digest("anna@example.com") == digest("anna@example.com") → true"#,
    },
];

/// Half of them would do to tell a million people apart.
const DIGEST_BYTES: usize = 8;
const HIDDEN: &str = "***";
/// Texts up to this many letters would be told by their first and last.
const MAX_HIDDEN_WHOLE: usize = 3;

pub(super) fn register(module: &mut Module) {
    add(module, "link", link);
    add(module, "to_string", |Link(link): &mut Link| Ok(link.words().to_owned()));
    add(module, "mask", mask);
    add(module, "digest", digest);
    module.set_custom_type::<Link>("link");
}

pub(in super::super) fn link(url: Dynamic, words: Dynamic) -> Outcome {
    if is_missing(&url) {
        return Ok(Dynamic::UNIT);
    }
    let address = text("link", &url)?.unwrap_or_default();
    if !is_web_address(address.trim()) {
        return wrong("link", "an address that starts with http:// or https://", &url);
    }
    let words = text("link", &words)?.unwrap_or_default();
    let link = domain::Link { url: address.trim().to_owned(), text: words.to_string() };
    Ok(Dynamic::from(Link(link)))
}

fn is_web_address(text: &str) -> bool {
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    rest.is_some_and(|rest| !rest.is_empty()) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

pub(in super::super) fn mask(value: Dynamic) -> Outcome {
    Ok(text("mask", &value)?.map_or(Dynamic::UNIT, |text| masked(&text).into()))
}

fn masked(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next();
    let start = first.map(String::from).unwrap_or_default();
    match text.rsplit_once('@') {
        Some((name, domain)) if name.chars().nth(1).is_some() => format!("{start}{HIDDEN}@{domain}"),
        Some((_, domain)) => format!("{HIDDEN}@{domain}"),
        None if text.is_empty() => String::new(),
        None if text.chars().nth(MAX_HIDDEN_WHOLE).is_none() => HIDDEN.to_owned(),
        None => format!("{start}{HIDDEN}{}", chars.next_back().map(String::from).unwrap_or_default()),
    }
}

pub(in super::super) fn digest(value: Dynamic) -> Outcome {
    let Some(text) = text("digest", &value)? else { return Ok(value) };
    let Some(key) = call::session(|session| session.digest_key) else {
        return fault("digest has its key only while an export runs.".to_owned());
    };
    let digest = keyed_digest(&key, &[text.as_bytes()]);
    let hex = digest.iter().take(DIGEST_BYTES).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(hex.into())
}
