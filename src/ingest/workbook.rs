//! The first sheet of an Excel workbook with a header row.

use std::collections::HashSet;
use std::path::Path;

use calamine::{Data, Reader, Xlsx, open_workbook};

use super::{Error, line};

pub(super) fn lines(path: &Path) -> Result<String, Error> {
    let broken = |error: calamine::XlsxError| Error::Table { path: path.to_owned(), why: error.to_string() };
    let mut book: Xlsx<_> = open_workbook(path).map_err(broken)?;
    let Some(sheet) = book.worksheet_range_at(0) else { return Ok(String::new()) };
    let sheet = sheet.map_err(broken)?;
    let mut rows = sheet.rows();
    let keys: Vec<String> =
        rows.next().unwrap_or_default().iter().map(|key| key.to_string().trim().to_owned()).collect();
    check_header(path, &keys)?;
    let mut out = String::new();
    for row in rows.filter(|row| row.iter().any(|cell| *cell != Data::Empty)) {
        let cells = keys.iter().zip(row).filter_map(|(key, cell)| Some((key.as_str(), raw(cell)?)));
        line(cells, &mut out);
    }
    Ok(out)
}

/// Each column must have a key of its own.
pub(super) fn check_header(path: &Path, keys: &[String]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    let fault = |why: String| Err(Error::Header { path: path.to_owned(), why });
    for (place, key) in keys.iter().enumerate() {
        if key.is_empty() {
            return fault(format!("has no key in column {}", place + 1));
        }
        if !seen.insert(key) {
            return fault(format!("has the key {key} twice"));
        }
    }
    Ok(())
}

/// A cell as JSON; nothing for an empty one and for one that holds an error.
fn raw(cell: &Data) -> Option<String> {
    match cell {
        Data::Empty | Data::Error(_) => None,
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => {
            Some(serde_json::Value::from(text.as_str()).to_string()).filter(|_| !text.is_empty())
        }
        Data::Bool(value) => Some(value.to_string()),
        Data::Int(number) => Some(number.to_string()),
        // Excel has no whole numbers of its own.
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(format!("{number:.0}")),
        Data::Float(number) => Some(number.to_string()),
        Data::DateTime(time) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            Some(format!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z\""))
        }
    }
}
