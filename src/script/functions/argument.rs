//! What a function is given, how a fault speaks of it, and what a function gives back.

use rhai::{Array, Dynamic, DynamicReadLock, EvalAltResult, ImmutableString, NativeCallContext, Position};

use super::super::convert::kind;
use super::super::types::{Link, Time};
use super::times;

/// What a function gives back, or its fault; Rhai knows the place of the call.
pub(in super::super) type Outcome<T = Dynamic> = Result<T, Box<EvalAltResult>>;

/// Characters of a text that a fault quotes.
const MAX_QUOTED_CHARS: usize = 60;

/// A fault with this text.
pub(super) fn fault<T>(text: String) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(text.into(), Position::NONE)))
}

/// The fault of a value that is not what a function takes: `round takes a number, not the text "abc".`
pub(super) fn wrong<T>(function: &str, wanted: &str, value: &Dynamic) -> Outcome<T> {
    fault(format!("{function} takes {wanted}, not {}.", named(value)))
}

/// How a fault speaks of a value.
pub(super) fn named(value: &Dynamic) -> String {
    if let Some(text) = as_text(value) {
        return format!("the text {}", quoted(&text));
    }
    match (value.as_bool(), value.as_int(), value.as_float()) {
        (Ok(flag), ..) => flag.to_string(),
        (_, Ok(whole), _) => format!("the number {whole}"),
        (_, _, Ok(float)) => format!("the number {float}"),
        _ => kind(value).to_owned(),
    }
}

/// A text in quotes, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

/// Whether a value is missing: `()`, or a text of blanks as forms send it for an empty field.
pub(super) fn is_missing(value: &Dynamic) -> bool {
    value.is_unit() || as_text(value).is_some_and(|text| text.trim().is_empty())
}

/// The text that a value is, if it is one.
pub(super) fn as_text(value: &Dynamic) -> Option<ImmutableString> {
    match value.as_char() {
        Ok(letter) => Some(String::from(letter).into()),
        Err(_) => value.read_lock::<ImmutableString>().map(|text| text.clone()),
    }
}

/// A single value as people read it; nothing for `()`, lists, maps and what no cell can hold.
pub(super) fn written(value: &Dynamic) -> Option<ImmutableString> {
    if let Some(text) = as_text(value) {
        return Some(text);
    }
    if let Some(time) = value.read_lock::<Time>() {
        return times::text(*time).ok().map(Into::into);
    }
    if let Some(Link(link)) = value.read_lock::<Link>().as_deref() {
        return Some(link.words().into());
    }
    let flag = value.as_bool().map(|flag| flag.to_string());
    let number = value.as_int().map(|whole| whole.to_string()).or_else(|_| value.as_float().map(|x| x.to_string()));
    flag.or(number).ok().map(Into::into)
}

/// What a function takes as a text: a text, a number, a truth value or a time. Nothing for `()`.
pub(super) fn text(function: &str, value: &Dynamic) -> Outcome<Option<ImmutableString>> {
    match written(value) {
        None if !value.is_unit() => wrong(function, "a text", value),
        written => Ok(written),
    }
}

/// What a function takes as a list.
pub(super) fn list<'a>(function: &str, value: &'a Dynamic) -> Outcome<DynamicReadLock<'a, Array>> {
    match value.read_lock::<Array>() {
        Some(list) => Ok(list),
        None => wrong(function, "a list", value),
    }
}

/// A number, in the kind that it came in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Float(f64),
}

/// What a function takes as a number, which is never infinite or none at all.
pub(super) fn number(function: &str, value: &Dynamic) -> Outcome<Number> {
    match (value.as_int(), value.as_float()) {
        (Ok(whole), _) => Ok(Number::Whole(whole)),
        (_, Ok(float)) if float.is_finite() => Ok(Number::Float(float)),
        _ => wrong(function, "a number", value),
    }
}

/// The fault of a text that would be larger than a text may be.
pub(super) fn check_length(function: &str, context: &NativeCallContext, bytes: usize) -> Outcome<()> {
    let most = context.engine().max_string_size();
    if most > 0 && bytes > most {
        return fault(format!("{function} would make a text of more than {most} bytes."));
    }
    Ok(())
}
