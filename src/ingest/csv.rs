//! Comma-separated values with a header row.

use std::fs::File;
use std::path::Path;

use super::{Error, line};

pub(super) fn lines(path: &Path, file: File) -> Result<String, Error> {
    let broken = |error: csv::Error| match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => Error::Row {
            path: path.to_owned(),
            row: pos.as_ref().map_or(0, |pos| pos.record() + 1),
            found: *len,
            expected: *expected_len,
        },
        _ => Error::Table { path: path.to_owned(), why: error.to_string() },
    };
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(broken)?;
    let keys: Vec<String> = header.iter().map(|key| key.trim_start_matches('\u{feff}').trim().to_owned()).collect();
    super::workbook::check_header(path, &keys)?;
    let mut out = String::new();
    for row in reader.records() {
        let row = row.map_err(broken)?;
        let cells = keys.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
        line(cells.map(|(key, cell)| (key.as_str(), serde_json::Value::from(cell).to_string())), &mut out);
    }
    Ok(out)
}
