//! Numbers: out of texts, rounded, and written for people.

use rhai::{Dynamic, Module};

use super::argument::{Number, Outcome, as_text, number, wrong};
use super::{FunctionDoc, add};

pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        signature: "number(text)",
        about: "The number that a text is, with commas between thousands or without; () for what is no number.",
        example: r#"number("1,234.5") → 1234.5"#,
    },
    FunctionDoc {
        signature: "round(x, digits)",
        about: "x with so many decimals, 0 to 15, halves away from zero as a spreadsheet does it. () stays ().",
        example: "round(2.675, 2) → 2.68",
    },
    FunctionDoc {
        signature: "format_number(x, digits)",
        about: "x as a text with exactly so many decimals and commas between thousands. () stays ().",
        example: r#"format_number(1234567.5, 2) → "1,234,567.50""#,
    },
];

/// More decimals than a float tells apart.
const MAX_DIGITS: i64 = 15;
/// Below this, what is lost when a number is multiplied is far smaller than the next.
const MAX_PLAIN: f64 = 1e9;
/// How near a half is too near to be told from it without the digits.
const NEAR_HALF: f64 = 1e-6;

pub(super) fn register(module: &mut Module) {
    add(module, "number", read);
    add(module, "round", round);
    add(module, "format_number", format);
}

pub(in super::super) fn read(value: Dynamic) -> Outcome {
    if value.is_int() || value.is_float() {
        return Ok(value);
    }
    Ok(as_text(&value).and_then(|text| parse(&text)).unwrap_or(Dynamic::UNIT))
}

/// Reads `-1,234.5`: no exponent, since `12e3` is an order number more often than twelve thousand,
/// and commas only where thousands end, since `1,5` is one and a half in half of the world.
pub(super) fn parse(text: &str) -> Option<Dynamic> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let is_grouped = whole.contains(',');
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(first) || !are_digits(decimals) || (is_grouped && first.len() > 3) {
        return None;
    }
    if !groups.all(|group| group.len() == 3 && are_digits(group)) {
        return None;
    }
    let plain = text.replace(',', "");
    let float = || plain.parse::<f64>().ok().filter(|number| number.is_finite()).map(Dynamic::from_float);
    plain.parse().ok().map(Dynamic::from_int).or_else(float)
}

fn round(x: Dynamic, digits: Dynamic) -> Outcome {
    if x.is_unit() {
        return Ok(x);
    }
    let digits = checked_digits("round", &digits)?;
    match number("round", &x)? {
        Number::Whole(_) => Ok(x),
        Number::Float(float) => Ok(rounded(float, digits).into()),
    }
}

pub(in super::super) fn format(x: Dynamic, digits: Dynamic) -> Outcome {
    if x.is_unit() {
        return Ok(x);
    }
    let digits = checked_digits("format_number", &digits)?;
    let (is_negative, decimal) = match number("format_number", &x)? {
        Number::Whole(whole) => (whole < 0, pad(&whole.unsigned_abs().to_string(), "", digits)),
        Number::Float(float) => (rounded(float, digits) < 0.0, decimal(float, digits)),
    };
    let sign = if is_negative { "-" } else { "" };
    Ok(format!("{sign}{}", grouped(&decimal)).into())
}

fn checked_digits(function: &str, digits: &Dynamic) -> Outcome<usize> {
    let wanted = || format!("0 to {MAX_DIGITS} decimals");
    match digits.as_int().ok().and_then(self::digits) {
        Some(digits) => Ok(digits),
        None => wrong(function, &wanted(), digits),
    }
}

/// So many decimals, if there can be so many.
pub(in super::super) fn digits(digits: i64) -> Option<usize> {
    (0..=MAX_DIGITS).contains(&digits).then_some(digits.unsigned_abs() as usize)
}

/// A finite number with so many decimals.
pub(in super::super) fn rounded(x: f64, digits: usize) -> f64 {
    let by_digits = || decimal(x, digits).parse().unwrap_or(x.abs());
    let size = plainly_rounded(x.abs(), digits).unwrap_or_else(by_digits);
    // Nothing is below zero and nothing at once.
    if size == 0.0 { 0.0 } else { x.signum() * size }
}

/// The same without a look at the digits, where the number lies so far from a half that they cannot say
/// otherwise. A whole number divided by a power of ten is the float that is read from the digits of both.
fn plainly_rounded(size: f64, digits: usize) -> Option<f64> {
    let power = 10_f64.powi(i32::try_from(digits).ok()?);
    let scaled = size * power;
    let is_plain = scaled < MAX_PLAIN && (scaled.fract() - 0.5).abs() > NEAR_HALF;
    is_plain.then(|| scaled.round() / power)
}

/// The size of a finite number with exactly so many decimals. What is rounded are the digits that
/// people see, the shortest that tell the number apart: 2.675 is a little less than it says.
pub(super) fn decimal(x: f64, digits: usize) -> String {
    let shown = x.abs().to_string();
    let (whole, decimals) = shown.split_once('.').unwrap_or((&shown, ""));
    let Some((kept, rest)) = decimals.split_at_checked(digits) else { return pad(whole, decimals, digits) };
    let mut all = format!("0{whole}{kept}").into_bytes();
    if rest.as_bytes().first().is_some_and(|digit| *digit >= b'5') {
        carry(&mut all);
    }
    let all: String = all.into_iter().map(char::from).collect();
    let (whole, kept) = all.split_at(all.len() - digits);
    // The zero in front has taken what was carried out of the first digit, or it goes.
    let whole = whole.strip_prefix('0').filter(|whole| !whole.is_empty()).unwrap_or(whole);
    pad(whole, kept, digits)
}

/// Adds one to the last of the digits, the first of which is zero.
fn carry(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

fn pad(whole: &str, decimals: &str, digits: usize) -> String {
    if digits == 0 { whole.to_owned() } else { format!("{whole}.{decimals:0<digits$}") }
}

/// Commas between the thousands of a decimal without sign.
fn grouped(decimal: &str) -> String {
    let end = decimal.find('.').unwrap_or(decimal.len());
    let mut text = String::with_capacity(decimal.len() + end / 3);
    for (place, digit) in decimal.char_indices() {
        if place > 0 && place < end && (end - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
