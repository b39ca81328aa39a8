//! What a JSON value is for people, in any table: contract 2, "Cells have types".

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::domain::{Moment, Result, Time, ValueRef, Zone, json};

/// A JSON value as a cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// Null, or not there.
    Empty,
    /// A text, or what stands for a list or an object.
    Text(Cow<'a, str>),
    /// A number as it was written.
    Number(&'a str),
    /// true or false.
    Boolean(bool),
    /// A moment of a script's making.
    Time(Time),
    /// What a script made in place of a number: NaN, or an infinity.
    NotANumber,
}

/// The cell of a value. Lists are joined with `;`, objects show their `name`, else their `title`,
/// else their JSON.
///
/// # Errors
/// `Internal` when raw JSON is no text.
pub(super) fn cell(value: ValueRef<'_>) -> Result<Cell<'_>> {
    Ok(match value {
        ValueRef::Empty => Cell::Empty,
        ValueRef::Json(raw) => of_json(raw.text()?),
        ValueRef::Time(time) => Cell::Time(time),
        ValueRef::Link(link) => Cell::Text(link.url.as_str().into()),
    })
}

/// `2025-06-15T15:00:00+07:00`, by the clock that the moment is shown by.
pub(super) fn time_text(time: Time) -> String {
    let offset = time.offset_seconds.unwrap_or_default();
    let local = Moment(time.at.0.saturating_add(i64::from(offset) * 1000));
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    let clock = Zone::utc().civil(local).map(|civil| civil.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    format!("{}{sign}{:02}:{:02}", clock.unwrap_or_default(), minutes / 60, minutes % 60)
}

/// The cell of raw JSON.
pub(super) fn of_json(raw: &str) -> Cell<'_> {
    match raw.as_bytes().first() {
        Some(b'"') => Cell::Text(text(raw)),
        Some(b't') => Cell::Boolean(true),
        Some(b'f') => Cell::Boolean(false),
        None => Cell::Empty,
        Some(b'n') if raw == "null" => Cell::Empty,
        Some(b'[') => Cell::Text(list(raw).into()),
        Some(b'{') => Cell::Text(object(raw)),
        Some(b'0'..=b'9') => Cell::Number(raw),
        Some(b'-') if raw.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => Cell::Number(raw),
        Some(_) => Cell::NotANumber,
    }
}

fn text(raw: &str) -> Cow<'_, str> {
    // What is stored has passed the door, so that every text can be read.
    json::text(raw).unwrap_or_default()
}

fn list(raw: &str) -> String {
    let items: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
    let items = items.iter().map(|item| match of_json(item.get()) {
        Cell::Empty | Cell::NotANumber => Cow::Borrowed(""),
        // A list in a list keeps its brackets, or its ends could not be seen.
        Cell::Text(_) if item.get().starts_with('[') => Cow::Borrowed(item.get()),
        Cell::Text(text) => text,
        Cell::Number(number) => Cow::Borrowed(number),
        Cell::Boolean(value) => Cow::Borrowed(if value { "true" } else { "false" }),
        Cell::Time(time) => Cow::Owned(time_text(time)),
    });
    items.collect::<Vec<_>>().join(";")
}

fn object(raw: &str) -> Cow<'_, str> {
    let pairs = json::pairs(raw).unwrap_or_default();
    let named = |name: &str| {
        let (_, value) = pairs.iter().find(|(key, value)| key == name && value.starts_with('"'))?;
        Some(text(value)).filter(|text| !text.is_empty())
    };
    named("name").or_else(|| named("title")).unwrap_or(Cow::Borrowed(raw))
}

/// Whether a spreadsheet takes a text that begins so for a formula.
pub(super) fn begins_formula(first: u8) -> bool {
    matches!(first, b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n')
}

/// Whether a spreadsheet might take a text for a formula, also behind what it passes over.
pub(super) fn is_risky(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(first) if begins_formula(*first) => true,
        // The first byte of a byte order mark and of the full-width signs.
        Some(b' ' | 0xEF) => {
            let rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            rest.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        }
        _ => false,
    }
}

/// Whether a number cell keeps every digit before the point, and Excel's range holds it.
pub(super) fn fits(number: &str) -> bool {
    /// Digits that Excel keeps.
    const DIGITS: usize = 15;
    let digits = number.strip_prefix('-').unwrap_or(number);
    let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
    if whole == digits.len() {
        return whole <= DIGITS;
    }
    if whole > DIGITS {
        return false;
    }
    match digits.bytes().any(|byte| matches!(byte, b'e' | b'E')) {
        false => true,
        true => {
            let value = number.parse::<f64>().map_or(f64::INFINITY, f64::abs);
            value == 0.0 || (2.2251e-308..=9.999_999_999_999_99e307).contains(&value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value_has_its_cell() {
        let text = |text: &'static str| Cell::Text(text.into());
        assert_eq!(cell(ValueRef::Empty).ok(), Some(Cell::Empty));
        assert_eq!(of_json("null"), Cell::Empty);
        assert_eq!(of_json("false"), Cell::Boolean(false));
        assert_eq!(of_json("1.50"), Cell::Number("1.50"));
        assert_eq!(of_json(r#""007""#), text("007"));
        assert_eq!(of_json(r#""a\nb""#), text("a\nb"));
        assert_eq!(of_json(r#"["a",1,null,true]"#), text("a;1;;true"));
        assert_eq!(of_json(r#"[{"title":"x"},{"name":"y","title":"z"},[1,2]]"#), text("x;y;[1,2]"));
        assert_eq!(of_json(r#"{"id":1}"#), text(r#"{"id":1}"#));
        assert_eq!(of_json(r#"{"name":"","title":"T"}"#), text("T"));
        assert_eq!(of_json("[]"), text(""));
        for odd in ["NaN", "nan", "inf", "-inf", "Infinity"] {
            assert_eq!(of_json(odd), Cell::NotANumber);
        }
    }

    #[test]
    fn a_formula_is_seen_behind_spaces_and_in_full_width() {
        for text in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "  =1", "\u{feff}=1", "＝1", " ＠x"] {
            assert!(is_risky(text), "{text:?}");
        }
        for text in ["", "a=1", " a", "\u{feff}a", "ﬁ", "1-1"] {
            assert!(!is_risky(text), "{text:?}");
        }
    }

    #[test]
    fn numbers_fit_as_long_as_no_digit_is_lost() {
        for number in
            ["0", "-0", "999999999999999", "-999999999999999", "1.0", "0.1234567890123456789", "1e20", "1E-300"]
        {
            assert!(fits(number), "{number}");
        }
        for number in ["1000000000000000", "18446744073709551616", "9007199254740993.5", "1e308", "1e-309"] {
            assert!(!fits(number), "{number}");
        }
    }
}
