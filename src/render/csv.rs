//! Comma-separated values: RFC 4180, UTF-8 with a byte order mark.

use crate::domain::{Column, Result, ValueRef};

use super::cell::{Cell, cell, is_risky, time_text};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The mark and the header row.
pub(super) fn head(columns: &[Column], neutralise: bool) -> Vec<u8> {
    let mut out = BYTE_ORDER_MARK.to_vec();
    for (place, column) in columns.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        text(&column.header, neutralise, &mut out);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// # Errors
/// `Internal` when raw JSON is no text.
pub(super) fn row(cells: &[ValueRef<'_>], neutralise: bool, out: &mut Vec<u8>) -> Result<()> {
    for (place, value) in cells.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match cell(*value)? {
            Cell::Empty | Cell::NotANumber => {}
            Cell::Number(number) => out.extend_from_slice(number.as_bytes()),
            Cell::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            Cell::Text(value) => text(&value, neutralise, out),
            Cell::Time(time) => out.extend_from_slice(time_text(time).as_bytes()),
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// A text, with an apostrophe before it if a spreadsheet might run it and that is to be prevented.
fn text(text: &str, neutralise: bool, out: &mut Vec<u8>) {
    let neutralised = neutralise && is_risky(text) && !is_numbers(text);
    let quoted = text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'));
    if quoted {
        out.push(b'"');
    }
    if neutralised {
        out.push(b'\'');
    }
    match quoted {
        true => text.bytes().for_each(|byte| match byte {
            b'"' => out.extend_from_slice(b"\"\""),
            byte => out.push(byte),
        }),
        false => out.extend_from_slice(text.as_bytes()),
    }
    if quoted {
        out.push(b'"');
    }
}

/// Numbers, phone numbers and coordinates start with signs and are not formulas.
fn is_numbers(text: &str) -> bool {
    let is_number = |part: &str| {
        let part = part.trim_matches(' ');
        let digits = part.strip_prefix(['+', '-']).unwrap_or(part);
        digits.bytes().any(|byte| byte.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    text.split(',').all(is_number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> String {
        let cells: Vec<_> = cells.iter().map(|cell| ValueRef::Json((*cell).into())).collect();
        let mut out = Vec::new();
        row(&cells, true, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn what_needs_quotes_has_them() {
        assert_eq!(
            line(&[r#""a""#, r#""b,c""#, r#""d\"e""#, r#""f\r\ng""#, "1.0", "true", "null"]),
            "a,\"b,c\",\"d\"\"e\",\"f\r\ng\",1.0,true,\r\n"
        );
    }

    #[test]
    fn formulas_are_neutralised_and_numbers_are_not() {
        assert_eq!(line(&[r#""=1+1""#, r#""@x""#, r#""\tx""#, r#""-2+3""#]), "'=1+1,'@x,'\tx,'-2+3\r\n");
        assert_eq!(line(&["-5", r#""-5""#, r#""+62812""#, r#""-6.2,106.8""#]), "-5,-5,+62812,\"-6.2,106.8\"\r\n");
        let mut out = Vec::new();
        row(&[ValueRef::Json(r#""=1+1""#.into())], false, &mut out).unwrap();
        assert_eq!(out, b"=1+1\r\n");
    }
}
