//! Rows of a worksheet as XML (ECMA-376, 18.3.1.73): strings stand in their cells, so that a block
//! needs to know of no other.

use std::borrow::Cow;

use crate::domain::limits::MAX_CELL_UNITS;
use crate::domain::{self, Column, ColumnKind, Id, Link, Raw, Time, ValueRef, Zone};

use super::Error;
use super::block::Shared;
use super::cell::{Cell, begins_formula, cell, fits, is_risky, time_text};
use super::escape::{self, Look};
use super::form::{Form, Frames, Opened};
use super::items::{Gathered, items};
use super::layout::Mark;
use super::links::{Links, target};
use super::moments::{Serial, Serials, Shown};
use super::repairs::{Repair, Repairs};
use super::short::Short;
use super::styles::{Style, Styles, WRAPPED_CHARACTERS};
use super::widths::{height, lines};

/// A column as the rows need it.
#[derive(Debug)]
pub(super) struct SheetColumn {
    /// `<c r="AB`
    start: Short<16>,
    number: usize,
    kind: ColumnKind,
    /// In characters.
    width: usize,
    /// The style of its numbers and times, if it has one of its own.
    format: Option<u32>,
    /// The place of its items among those of all lists.
    list: Option<usize>,
}

impl SheetColumn {
    /// The columns of a sheet.
    pub(super) fn all(columns: &[Column], widths: &[usize], styles: &Styles) -> Vec<Self> {
        let mut lists = 0..;
        let column = |(number, column): (usize, &Column)| Self {
            start: Short::new(format!("<c r=\"{}", letters(number)).as_bytes()),
            number,
            kind: column.kind,
            width: widths.get(number).copied().unwrap_or_default(),
            format: column.format.as_deref().and_then(|format| styles.of_format(format)),
            list: if column.kind == ColumnKind::List { lists.next() } else { None },
        };
        columns.iter().enumerate().map(column).collect()
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

/// What the rows of one block leave behind for each other, and for the end of the file.
pub(super) struct Rows {
    serials: Serials,
    frames: Frames,
    pub(super) repairs: Repairs,
    pub(super) links: Links,
    /// The items of each list.
    pub(super) lists: Vec<Gathered>,
    /// Where the cells begin, each with the end of the cell before it.
    pub(super) marks: Vec<Mark>,
    /// Where the last value ends.
    pub(super) value_end: usize,
}

impl Rows {
    pub(super) fn new(zone: Zone, columns: &[SheetColumn]) -> Self {
        Self {
            serials: Serials::new(zone),
            frames: Frames::new(columns.iter().map(|column| column.start)),
            repairs: Repairs::default(),
            links: Links::default(),
            lists: columns.iter().filter(|column| column.list.is_some()).map(|_| Gathered::default()).collect(),
            marks: Vec::new(),
            value_end: 0,
        }
    }

    /// The bytes that places were counted in are gone.
    pub(super) fn forget_places(&mut self) {
        self.marks.clear();
        self.value_end = 0;
    }
}

/// One row; `number` counts from 0 and the header is above it. Items of lists belong to `task`.
///
/// # Errors
/// `Internal` when raw JSON is no text, or the items cannot be compressed.
pub(super) fn row(
    shared: &Shared,
    number: u64,
    task: Option<Id>,
    cells: &[ValueRef<'_>],
    rows: &mut Rows,
    out: &mut Vec<u8>,
) -> domain::Result<()> {
    let place = number + 2;
    let number = rows.frames.row(place);
    let (start, first_mark) = (out.len(), rows.marks.len());
    out.extend_from_slice(b"<row r=\"");
    number.put(out);
    out.extend_from_slice(b"\">");
    let mut row = Row { shared, place, number, task, lines: 1, rows, out };
    for (column, value) in shared.sheet.iter().zip(cells) {
        row.value(column, *value)?;
    }
    row.out.extend_from_slice(b"</row>");
    if row.lines > 1 {
        row.heighten(start, first_mark);
    }
    Ok(())
}

struct Row<'a> {
    shared: &'a Shared,
    /// As the sheet counts, from 1.
    place: u64,
    /// The same in digits.
    number: Short<24>,
    task: Option<Id>,
    /// Of text, in the highest cell.
    lines: usize,
    rows: &'a mut Rows,
    out: &'a mut Vec<u8>,
}

impl Row<'_> {
    fn value(&mut self, column: &SheetColumn, value: ValueRef<'_>) -> domain::Result<()> {
        match value {
            ValueRef::Empty => {}
            ValueRef::Link(link) => self.link(column, link),
            ValueRef::Json(raw) => match (column.kind, raw.bytes()) {
                (ColumnKind::Auto, [b'"', ..]) => match plain_text(raw)? {
                    Some(text) => self.plain(column, None, Form::Text, text),
                    None => self.cell(column, cell(value)?),
                },
                (ColumnKind::Time, [b'"', text @ .., b'"']) if !self.shared.dates_as_text => {
                    match self.rows.serials.of_plain(text) {
                        Some(serial) => self.serial(column, Style::Time, serial),
                        None => self.cell(column, cell(value)?),
                    }
                }
                (ColumnKind::List, [b'[', ..]) => self.list(column, raw.text()?)?,
                (_, digits) if is_plain_number(digits) => self.plain(column, column.format, Form::Number, digits),
                _ => self.cell(column, cell(value)?),
            },
            value => self.cell(column, cell(value)?),
        }
        Ok(())
    }

    fn cell(&mut self, column: &SheetColumn, cell: Cell<'_>) {
        match cell {
            Cell::Empty => {}
            Cell::Text(text) if column.kind == ColumnKind::Auto || text.is_empty() => self.text(column, &text),
            Cell::Text(text) => self.typed_text(column, &text),
            Cell::Number(number) if fits(number) => self.number(column, number),
            Cell::Number(number) => {
                self.repaired(Repair::NumberAsText, column);
                self.text(column, number);
            }
            Cell::Boolean(value) => {
                self.plain(column, None, Form::Boolean, if value { b"1" } else { b"0" });
            }
            Cell::Time(time) => self.moment(column, time),
            Cell::NotANumber => self.repaired(Repair::NotANumber, column),
        }
    }

    fn number(&mut self, column: &SheetColumn, number: &str) {
        let number = if number.bytes().all(|byte| matches!(byte, b'-' | b'0')) { "0" } else { number };
        self.plain(column, column.format, Form::Number, number.as_bytes());
    }

    /// The number of items, which go to a sheet of their own.
    fn list(&mut self, column: &SheetColumn, raw: &str) -> Result<(), Error> {
        let items = items(raw);
        self.number(column, itoa::Buffer::new().format(items.len()));
        match column.list.and_then(|list| self.rows.lists.get_mut(list)) {
            Some(gathered) => gathered.add(self.place, self.task, raw, &items),
            None => Ok(()),
        }
    }

    fn link(&mut self, column: &SheetColumn, link: &Link) {
        let words = if link.text.is_empty() { &link.url } else { &link.text };
        self.address(column, &link.url, words);
    }

    fn address(&mut self, column: &SheetColumn, url: &str, words: &str) {
        match target(url) {
            Some(target) => {
                self.rows.links.add(self.place, column.number, &target);
                let style = match (is_risky(words), self.place - 1 <= self.shared.blue_rows) {
                    (true, _) => Some(Style::Quoted),
                    (false, true) => Some(Style::Link),
                    (false, false) => None,
                };
                self.styled_text(column, style, words);
            }
            None => {
                self.repaired(Repair::LinkAsText, column);
                self.text(column, words);
            }
        }
    }

    /// A moment of a script's making.
    fn moment(&mut self, column: &SheetColumn, time: Time) {
        if self.shared.dates_as_text {
            return self.text(column, &time_text(time));
        }
        let shown = self.rows.serials.of(time);
        self.shown(column, Style::Time, shown, &time_text(time));
    }

    fn typed_text(&mut self, column: &SheetColumn, text: &str) {
        match column.kind {
            ColumnKind::Url => self.address(column, text, text),
            ColumnKind::Time if !self.shared.dates_as_text => {
                let shown = self.rows.serials.of_time(text);
                self.shown(column, Style::Time, shown, text);
            }
            ColumnKind::Date if !self.shared.dates_as_text => {
                let shown = self.rows.serials.of_date(text);
                self.shown(column, Style::Date, shown, text);
            }
            _ => self.text(column, text),
        }
    }

    fn shown(&mut self, column: &SheetColumn, style: Style, shown: Shown, text: &str) {
        match shown {
            Shown::Cell(serial) => self.serial(column, style, serial),
            Shown::Twice(time) => {
                self.repaired(Repair::TimeTwice, column);
                self.text(column, &time_text(time));
            }
            Shown::Never => {
                self.repaired(Repair::TimeAsText, column);
                self.text(column, text);
            }
        }
    }

    fn serial(&mut self, column: &SheetColumn, style: Style, serial: Serial) {
        let style = column.format.unwrap_or_else(|| self.shared.styles.of(style));
        self.open(column, Some(style), Form::Number);
        serial.put(self.out);
        self.close(Form::Number);
    }

    /// A value that is written as it is.
    fn plain(&mut self, column: &SheetColumn, style: Option<u32>, form: Form, value: &[u8]) {
        self.open(column, style, form);
        self.out.extend_from_slice(value);
        self.close(form);
    }

    fn text(&mut self, column: &SheetColumn, text: &str) {
        let has_lines = memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some();
        let wrapped = has_lines || WRAPPED_CHARACTERS.contains(&text.len());
        if wrapped {
            self.lines = self.lines.max(lines(text, column.width));
        }
        let style = match (is_risky(text), wrapped) {
            (false, false) => None,
            (true, false) => Some(Style::Quoted),
            (false, true) => Some(Style::Wrapped),
            (true, true) => Some(Style::QuotedWrapped),
        };
        self.styled_text(column, style, text);
    }

    fn styled_text(&mut self, column: &SheetColumn, style: Option<Style>, text: &str) {
        let text = self.cut(column, text);
        let (first, last) = (text.bytes().next(), text.bytes().next_back());
        let is_spaced = [first, last].iter().flatten().any(u8::is_ascii_whitespace);
        let form = if is_spaced { Form::Spaced } else { Form::Text };
        self.open(column, style.map(|style| self.shared.styles.of(style)), form);
        let changes = escape::text(&text, self.out);
        if changes.line_ends {
            self.repaired(Repair::LineEnds, column);
        }
        if changes.controls {
            self.repaired(Repair::Controls, column);
        }
        self.close(form);
    }

    /// Says in the row's tag, which starts here, how high the row is: some readers do not find out. The row's
    /// marks, which begin with this one, move with what they mark.
    fn heighten(&mut self, start: usize, first_mark: usize) {
        let place = start + "<row r=\"\"".len() + self.number.len();
        let height = format!(" ht=\"{}\"", height(self.lines));
        self.out.splice(place..place, height.bytes());
        let marks =
            self.rows.marks[first_mark..].iter_mut().flat_map(|mark| [&mut mark.at, &mut mark.number, &mut mark.value]);
        let moved = marks.chain([&mut self.rows.value_end]).filter(|moved| **moved > place);
        moved.for_each(|moved| *moved += height.len());
    }

    /// A cell up to its value; it begins with the end of the one before.
    fn open(&mut self, column: &SheetColumn, style: Option<u32>, form: Form) {
        let Opened { number, form: form_number } = self.rows.frames.open(column.number, style, form, self.out);
        self.rows.marks.push(Mark {
            at: self.rows.value_end,
            column: column.number,
            number,
            form: form_number,
            value: self.out.len(),
            is_text: form.is_text(),
        });
    }

    /// What follows the value that was just written.
    fn close(&mut self, form: Form) {
        self.rows.value_end = self.out.len();
        form.tail().put(self.out);
    }

    fn repaired(&mut self, repair: Repair, column: &SheetColumn) {
        self.rows.repairs.add(repair, self.place, column.number);
    }

    /// A text that a cell can hold: a longer one is cut and says so at its end.
    fn cut<'t>(&mut self, column: &SheetColumn, text: &'t str) -> Cow<'t, str> {
        // A byte is at least as much as a UTF-16 unit of it.
        if text.len() <= MAX_CELL_UNITS {
            return Cow::Borrowed(text);
        }
        let units = text.encode_utf16().count();
        if units <= MAX_CELL_UNITS {
            return Cow::Borrowed(text);
        }
        self.repaired(Repair::Cut, column);
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
}

/// The text of a JSON string that is written as it is, as most are: nothing in it to escape, no spaces
/// at its ends, no formula, and so short that it stands in one line.
///
/// # Errors
/// `Internal` when it is no text. What is plain ASCII is one.
fn plain_text(raw: Raw<'_>) -> domain::Result<Option<&[u8]>> {
    let [b'"', text @ .., b'"'] = raw.bytes() else { return Ok(None) };
    let (Some(first), Some(last)) = (text.first(), text.last()) else { return Ok(None) };
    let is_short = text.len() < *WRAPPED_CHARACTERS.start();
    if !is_short || *first == b' ' || *last == b' ' || begins_formula(*first) {
        return Ok(None);
    }
    match escape::look(text) {
        Look::Plain => Ok(Some(text)),
        Look::PlainText => raw.text().map(|_| Some(text)),
        Look::Other => Ok(None),
    }
}

/// Whether a number is written as it is, as most are: positive, and no longer than Excel keeps.
fn is_plain_number(digits: &[u8]) -> bool {
    const LONGEST: usize = 15;
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    digits.len() <= LONGEST && digits.first().is_some_and(u8::is_ascii_digit) && digits.iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_letters_of_a_sheet() {
        assert_eq!([0, 25, 26, 701, 702, 16_383].map(letters), ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
    }
}
