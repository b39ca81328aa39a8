//! Rows of a worksheet as XML (ECMA-376, 18.3.1.73): strings stand in their cells, so that a block
//! needs to know of no other.

use std::borrow::Cow;

use crate::domain::limits::MAX_CELL_UNITS;
use crate::domain::{Column, ColumnKind, Time, ValueRef, Zone};

use super::Repairs;
use super::block::Shared;
use super::cell::{Cell, cell, is_risky, time_text};
use super::escape;
use super::layout::Mark;
use super::moments::{Serial, Serials};

/// The styles of cells, in the order of the template row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    /// A text that is shown as it is and never run.
    Quoted,
    /// A text with line feeds.
    Wrapped,
    /// Both.
    QuotedWrapped,
    /// A date with a time.
    Time,
    /// A date.
    Date,
}

impl Style {
    pub(super) const ALL: [Self; 5] = [Self::Quoted, Self::Wrapped, Self::QuotedWrapped, Self::Time, Self::Date];
}

/// A column as the rows need it.
#[derive(Debug)]
pub(super) struct SheetColumn {
    /// `<c r="AB`
    start: String,
    kind: ColumnKind,
}

impl SheetColumn {
    pub(super) fn new(number: usize, column: &Column) -> Self {
        Self { start: format!("<c r=\"{}", letters(number)), kind: column.kind }
    }
}

/// The letters of a column, from 0: `A`, `Z`, `AA`.
pub(super) fn letters(number: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = number + 1;
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().map(|letter| char::from(*letter)).collect()
}

/// What the rows of one block leave behind for each other.
pub(super) struct Rows {
    serials: Serials,
    pub(super) repairs: Repairs,
    /// Where the cells begin, each with the end of the cell before it.
    pub(super) marks: Vec<Mark>,
    /// Where the last value ends.
    pub(super) value_end: usize,
}

impl Rows {
    pub(super) fn new(zone: Zone) -> Self {
        Self { serials: Serials::new(zone), repairs: Repairs::default(), marks: Vec::new(), value_end: 0 }
    }
}

/// One row; `number` counts from 0 and the header is above it.
pub(super) fn row(shared: &Shared, number: u64, cells: &[ValueRef<'_>], rows: &mut Rows, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let number = digits.format(number + 2);
    let mut row = Row { shared, number, rows, out };
    row.put(&["<row r=\"", number, "\">"]);
    for (kind, (column, value)) in shared.sheet.iter().zip(cells).enumerate() {
        row.cell(kind, column, *value);
    }
    row.put(&["</row>"]);
}

struct Row<'a> {
    shared: &'a Shared,
    number: &'a str,
    rows: &'a mut Rows,
    out: &'a mut Vec<u8>,
}

impl Row<'_> {
    fn cell(&mut self, kind: usize, column: &SheetColumn, value: ValueRef<'_>) {
        let cell = cell(value);
        if cell != Cell::Empty {
            self.rows.marks.push(Mark { at: self.rows.value_end, kind });
        }
        match cell {
            Cell::Empty => {}
            Cell::Boolean(value) => {
                self.put(&[&column.start, self.number, "\" t=\"b\"><v>", if value { "1" } else { "0" }]);
                self.end("</v></c>");
            }
            Cell::Number(number) if fits(number) => {
                let number = if number.bytes().all(|byte| matches!(byte, b'-' | b'0')) { "0" } else { number };
                self.put(&[&column.start, self.number, "\"><v>", number]);
                self.end("</v></c>");
            }
            Cell::Number(number) => {
                self.rows.repairs.numbers_as_text += 1;
                self.text(column, number);
            }
            Cell::Text(text) if column.kind == ColumnKind::Auto || text.is_empty() => self.text(column, &text),
            Cell::Text(text) => self.time(column, &text),
            Cell::Time(time) => self.moment(column, time),
        }
    }

    /// A moment of a script's making.
    fn moment(&mut self, column: &SheetColumn, time: Time) {
        let serial = if self.shared.dates_as_text { None } else { self.rows.serials.of(time) };
        match serial {
            Some(serial) => self.serial(column, Style::Time, serial),
            None => self.text(column, &time_text(time)),
        }
    }

    fn time(&mut self, column: &SheetColumn, text: &str) {
        let (serial, style) = match column.kind {
            _ if self.shared.dates_as_text => return self.text(column, text),
            ColumnKind::Date => (self.rows.serials.of_date(text), Style::Date),
            _ => (self.rows.serials.of_time(text), Style::Time),
        };
        let Some(serial) = serial else {
            self.rows.repairs.times_as_text += 1;
            return self.text(column, text);
        };
        self.serial(column, style, serial);
    }

    fn serial(&mut self, column: &SheetColumn, style: Style, serial: Serial) {
        self.styled(column, style);
        self.put(&["\"><v>"]);
        serial.put(self.out);
        self.end("</v></c>");
    }

    fn text(&mut self, column: &SheetColumn, text: &str) {
        let text = self.cut(text);
        let wrapped = memchr::memchr(b'\n', text.as_bytes()).is_some();
        match (is_risky(&text), wrapped) {
            (false, false) => self.put(&[&column.start, self.number]),
            (true, false) => self.styled(column, Style::Quoted),
            (false, true) => self.styled(column, Style::Wrapped),
            (true, true) => self.styled(column, Style::QuotedWrapped),
        }
        let ends = [text.bytes().next(), text.bytes().next_back()];
        let spaced = wrapped || ends.iter().flatten().any(u8::is_ascii_whitespace);
        self.put(&[if spaced {
            "\" t=\"inlineStr\"><is><t xml:space=\"preserve\">"
        } else {
            "\" t=\"inlineStr\"><is><t>"
        }]);
        escape::text(&text, self.out);
        self.end("</t></is></c>");
    }

    /// Up to the quote that ends the style.
    fn styled(&mut self, column: &SheetColumn, style: Style) {
        let number = self.shared.styles.get(style as usize).copied().unwrap_or_default();
        let mut digits = itoa::Buffer::new();
        self.put(&[&column.start, self.number, "\" s=\"", digits.format(number)]);
    }

    /// A text that a cell can hold: a longer one is cut and says so at its end.
    fn cut<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        // A byte is at least as much as a UTF-16 unit of it.
        if text.len() <= MAX_CELL_UNITS {
            return Cow::Borrowed(text);
        }
        let units = text.encode_utf16().count();
        if units <= MAX_CELL_UNITS {
            return Cow::Borrowed(text);
        }
        self.rows.repairs.cut += 1;
        let mark = format!("…[cut, {} characters]", text.chars().count());
        let most = MAX_CELL_UNITS - mark.encode_utf16().count();
        let mut length = 0;
        let kept: String = text
            .chars()
            .take_while(|c| {
                length += c.len_utf16();
                length <= most
            })
            .collect();
        Cow::Owned(kept + mark.as_str())
    }

    /// What follows the value that was just written.
    fn end(&mut self, frame: &str) {
        self.rows.value_end = self.out.len();
        self.out.extend_from_slice(frame.as_bytes());
    }

    fn put(&mut self, texts: &[&str]) {
        for text in texts {
            self.out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Whether a number cell keeps every digit before the point, and Excel's range holds it.
fn fits(number: &str) -> bool {
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
    fn columns_have_the_letters_of_a_sheet() {
        assert_eq!([0, 25, 26, 701, 702, 16_383].map(letters), ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
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
