//! Names that spreadsheets accept, made from data: of sheets, and what stands above columns.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::domain::Column;
use crate::domain::limits::{MAX_CELL_UNITS, MAX_SHEET_NAME_UNITS};

/// The names of a workbook's sheets, unique without regard to case. Excel keeps `History` for itself.
pub(super) struct SheetNames(HashSet<String>);

impl SheetNames {
    /// With the names of the sheets that are always there.
    pub(super) fn new(fixed: &[&str]) -> Self {
        Self(fixed.iter().chain(&["History"]).map(|name| name.to_lowercase()).collect())
    }

    /// A name like this one that is free, and is so no more.
    pub(super) fn take(&mut self, title: &str) -> String {
        let clean = cleaned(title);
        let clean = if clean.is_empty() { "list" } else { clean.as_str() };
        let numbered = |number: usize| match number {
            1 => start(clean, MAX_SHEET_NAME_UNITS).to_owned(),
            number => {
                let end = format!(" ({number})");
                format!("{}{end}", start(clean, MAX_SHEET_NAME_UNITS - end.len()).trim_end())
            }
        };
        let mut number = 1;
        loop {
            let name = numbered(number);
            if self.0.insert(name.to_lowercase()) {
                return name;
            }
            number += 1;
        }
    }
}

/// Without the characters that no sheet's name may have, and not quoted.
fn cleaned(title: &str) -> String {
    let is_odd =
        |c: char| c.is_control() || matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\u{fffe}' | '\u{ffff}');
    let spaced: String = title.chars().map(|c| if is_odd(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let words = words.join(" ");
    // Cut first, so that no quote stands at the end of what is left.
    start(&words, MAX_SHEET_NAME_UNITS).trim_matches(|c: char| c == '\'' || c.is_whitespace()).to_owned()
}

/// As much of a text as so many UTF-16 units hold.
pub(super) fn start(text: &str, units: usize) -> &str {
    // No character has more units than bytes.
    if text.len() <= units {
        return text;
    }
    let mut length = 0;
    let end = text.char_indices().find(|(_, c)| {
        length += c.len_utf16();
        length > units
    });
    &text[..end.map_or(text.len(), |(place, _)| place)]
}

/// What stands above each column: never empty, never longer than a cell, on lines as cells have
/// them, and no two the same.
pub(super) fn titles(columns: &[Column]) -> Vec<String> {
    let mut taken = HashSet::new();
    columns.iter().map(|column| title(column, &mut taken)).collect()
}

fn title(column: &Column, taken: &mut HashSet<String>) -> String {
    /// Left free, so that a number fits behind a title that is not the only one.
    const ROOM: usize = 30;
    let named = [column.header.as_str(), column.id.as_str(), "column"];
    let named = named.into_iter().find(|name| !name.trim().is_empty()).unwrap_or_default();
    let lines = match named.contains('\r') {
        true => Cow::from(named.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::from(named),
    };
    let title = start(&lines, MAX_CELL_UNITS - ROOM);
    let mut free = title.to_owned();
    if taken.contains(title) {
        let with_id = Some(format!("{title} ({})", column.id))
            .filter(|with_id| with_id.encode_utf16().count() <= MAX_CELL_UNITS && title != column.id);
        let numbered = (2..).map(|number: usize| format!("{title} ({number})"));
        free = with_id.into_iter().chain(numbered).find(|name| !taken.contains(name)).unwrap_or(free);
    }
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ColumnKind;

    #[test]
    fn names_of_sheets_are_clean_short_and_unique() {
        let mut names = SheetNames::new(&["main", "About"]);
        let taken =
            ["Items", "ITEMS", "Main", "history", "", "'a/b:[c]*?\\'", "\u{0}\n", "about"].map(|t| names.take(t));
        assert_eq!(taken, ["Items", "ITEMS (2)", "Main (2)", "history (2)", "list", "a b c", "list (2)", "about (2)"]);
        let long = "😀".repeat(20);
        assert_eq!(names.take(&long).encode_utf16().count(), 30);
        assert_eq!(names.take(&long).encode_utf16().count(), 30);
        assert_eq!(names.take(&format!("{}' b", "x".repeat(30))), "x".repeat(30));
    }

    #[test]
    fn titles_of_columns_are_there_and_differ() {
        let column = |id: &str, header: &str| Column {
            id: id.to_owned(),
            header: header.to_owned(),
            kind: ColumnKind::Auto,
            format: None,
            width: None,
        };
        let columns =
            [("a", "Size"), ("b", "Size"), ("b", "Size"), ("c", " "), ("", ""), ("d", "x\r\ny"), ("Size", "Size")];
        let columns = columns.map(|(id, header)| column(id, header));
        assert_eq!(titles(&columns), ["Size", "Size (b)", "Size (2)", "c", "column", "x\ny", "Size (3)"]);
        let long = "é".repeat(40_000);
        assert!(titles(&[column("a", &long), column("b", &long)]).iter().all(|t| t.chars().count() <= MAX_CELL_UNITS));
    }
}
