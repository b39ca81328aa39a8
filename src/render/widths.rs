//! How wide columns are, in characters: from what stands in them.

use std::ops::RangeInclusive;

use crate::domain::{Column, ColumnKind, Value};

use super::cell::{Cell, of_json};

const WIDTHS: RangeInclusive<usize> = 8..=60;
/// Addresses are looked at by their start only.
const WIDEST_URL: usize = 40;
/// Characters of a date with its time, and of a date.
const TIME_WIDTH: usize = 19;
const DATE_WIDTH: usize = 10;
/// What the button of a filter takes.
const BUTTON: usize = 3;
const MARGIN: usize = 2;
/// The height of a line, in points.
const LINE_POINTS: usize = 15;
/// Lines that a row shows at most; Excel takes no row above 409 points.
const MOST_LINES: usize = 27;

/// The width of a column with this title, of which these are the first cells.
pub(super) fn width<'a>(column: &Column, title: &str, cells: impl Iterator<Item = &'a Value>) -> usize {
    if let Some(width) = column.width {
        return usize::from(width);
    }
    let longest = cells.map(|value| match (column.kind, &shown(value)) {
        (ColumnKind::Time, Cell::Text(_)) => TIME_WIDTH,
        (ColumnKind::Date, Cell::Text(_)) => DATE_WIDTH,
        (ColumnKind::Url, cell) => cell_width(cell).min(WIDEST_URL),
        // A number of items.
        (ColumnKind::List, _) => 0,
        (_, cell) => cell_width(cell),
    });
    fitting(longest.max().unwrap_or(0), title)
}

/// The cell of a value, with the words of a link in place of its address.
fn shown(value: &Value) -> Cell<'_> {
    match value {
        Value::Empty => Cell::Empty,
        Value::Json(raw) => of_json(raw),
        Value::Time(time) => Cell::Time(*time),
        Value::Link(link) => Cell::Text(link.words().into()),
    }
}

/// The width of a column with this title and this widest cell.
pub(super) fn fitting(widest: usize, title: &str) -> usize {
    (widest + MARGIN).max(text_width(title) + BUTTON).clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// The width of a cell.
pub(super) fn cell_width(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Time(_) => TIME_WIDTH,
        Cell::Text(text) => text_width(text),
        Cell::Number(number) => number.len(),
        Cell::Boolean(_) => "FALSE".len(),
        Cell::Empty | Cell::NotANumber => 0,
    }
}

/// The lines that a text takes in a column of this width.
pub(super) fn lines(text: &str, width: usize) -> usize {
    // A last line feed shows as an empty line.
    text.split('\n').map(|line| text_width(line).div_ceil(width.max(1)).max(1)).sum()
}

/// The height of a row with so many lines, in points.
pub(super) fn height(lines: usize) -> usize {
    LINE_POINTS * lines.clamp(1, MOST_LINES)
}

fn text_width(text: &str) -> usize {
    text.lines().map(|line| line.chars().map(columns).sum()).max().unwrap_or(0)
}

/// Characters of East Asia and pictures are twice as wide; combining marks take no room.
fn columns(c: char) -> usize {
    match c {
        // Nearly all: one comparison.
        ..'\u{300}' => 1,
        '\u{300}'..='\u{36f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{200b}'..='\u{200f}' => {
            0
        }
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// The cells of one column among the first rows.
pub(super) fn of_column(sample: &[Vec<Value>], number: usize) -> impl Iterator<Item = &Value> {
    sample.iter().filter_map(move |row| row.get(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_the_column_ends() {
        assert_eq!([lines("", 5), lines("abcde", 5), lines("abcdef", 5), lines("a\nb\n", 5)], [1, 1, 2, 3]);
        assert_eq!([height(1), height(2), height(1_000)], [15, 30, 405]);
    }

    #[test]
    fn wide_characters_take_two_places_and_marks_none() {
        assert_eq!(["abc", "東京", "สี่", "e\u{301}", "a\nlonger", ""].map(text_width), [3, 4, 1, 1, 6, 0]);
    }
}
