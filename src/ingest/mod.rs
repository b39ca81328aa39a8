//! Tables and lists of other programs as tasks, one JSON object a line.

mod csv;
mod error;
mod json;
mod workbook;

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor};
use std::path::Path;

pub use error::Error;

/// The tasks of a file, by its extension: `.ndjson` and `.jsonl` as they are, `.json` (a list),
/// `.csv` (a header row of keys), `.xlsx` (the first sheet, a header row of keys).
///
/// # Errors
/// When the file cannot be read, or is not what its extension says.
pub fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, Error> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    let file = || File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source });
    match extension.as_str() {
        "ndjson" | "jsonl" => Ok(Box::new(BufReader::with_capacity(256 * 1024, file()?))),
        "json" => Ok(Box::new(Cursor::new(json::lines(path, file()?)?))),
        "csv" => Ok(Box::new(Cursor::new(csv::lines(path, file()?)?))),
        "xlsx" => Ok(Box::new(Cursor::new(workbook::lines(path)?))),
        _ => Err(Error::Kind(path.to_owned())),
    }
}

/// A task of the cells that are not empty; values are raw JSON.
fn line<'a>(cells: impl Iterator<Item = (&'a str, String)>, out: &mut String) {
    out.push('{');
    let start = out.len();
    for (key, value) in cells {
        if out.len() > start {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(key).to_string());
        out.push(':');
        out.push_str(&value);
    }
    out.push_str("}\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Result<String, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut text = String::new();
        open(&path)?.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    #[test]
    fn the_cells_of_a_csv_are_texts_and_empty_ones_are_left_out() {
        let text = read("a.csv", "\u{feff}_id,title,note\r\n007,\"a, \"\"b\"\"\",\r\n8,,x\r\n".as_bytes()).unwrap();
        assert_eq!(text, "{\"_id\":\"007\",\"title\":\"a, \\\"b\\\"\"}\n{\"_id\":\"8\",\"note\":\"x\"}\n");
        assert!(matches!(read("a.csv", b"a,a\n1,2\n"), Err(Error::Header { .. })));
        assert!(matches!(read("a.csv", b"a,b\n1\n"), Err(Error::Row { .. })));
    }

    #[test]
    fn a_list_of_json_is_a_task_a_line_with_its_digits() {
        assert_eq!(
            read("a.json", b"[{\"a\": 1.0},\n {\"b\":18446744073709551616}]").unwrap(),
            "{\"a\": 1.0}\n{\"b\":18446744073709551616}\n"
        );
        assert!(matches!(read("a.json", b"{}"), Err(Error::Json { .. })));
    }

    #[test]
    fn the_cells_of_a_workbook_keep_their_types() {
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet();
        for (column, name) in ["a", "b", "c", "d"].iter().enumerate() {
            sheet.write_string(0, column as u16, *name).unwrap();
        }
        let date = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd hh:mm");
        sheet.write_string(1, 0, "007").unwrap();
        sheet.write_number(1, 1, 12.5).unwrap();
        sheet.write_boolean(1, 2, true).unwrap();
        sheet.write_number_with_format(1, 3, 45_823.5, &date).unwrap();
        sheet.write_number(2, 1, 3.0).unwrap();
        let text = read("a.xlsx", &book.save_to_buffer().unwrap()).unwrap();
        assert_eq!(text, "{\"a\":\"007\",\"b\":12.5,\"c\":true,\"d\":\"2025-06-15T12:00:00Z\"}\n{\"b\":3}\n");
    }

    #[test]
    fn other_files_are_refused_by_name() {
        assert!(read("a.pdf", b"").err().unwrap().to_string().contains("ndjson, jsonl, json, csv or xlsx"));
    }
}
