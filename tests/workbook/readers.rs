//! Files for foreign readers, each with what is in it: `.ci/readers` hands them to other programs.

use std::fs;
use std::path::PathBuf;

use calamine::{Data, Reader};
use serde_json::{Value, json};

use crate::files::File;
use crate::layouts;

/// Where they go.
const FOLDER: &str = "WAYBILL_READERS";
const LARGE: u64 = 100_000;

#[test]
#[ignore = "writes files for .ci/readers"]
fn files_for_other_readers() {
    let folder = PathBuf::from(std::env::var(FOLDER).expect("WAYBILL_READERS names a folder"));
    for (name, file) in layouts::all() {
        fs::write(folder.join(format!("{name}.xlsx")), &file.bytes).unwrap();
        fs::write(folder.join(format!("{name}.json")), told(&file).to_string()).unwrap();
    }
    fs::write(folder.join("large.xlsx"), layouts::large(LARGE).bytes).unwrap();
    fs::write(folder.join("large.rows"), (LARGE + 1).to_string()).unwrap();
}

/// For each sheet its name and its rows, cells as JSON; dates as their serial numbers.
fn told(file: &File) -> Value {
    let mut book = file.book();
    let sheets = book.sheet_names().clone().into_iter().map(|name| {
        let range = book.worksheet_range(&name).unwrap();
        let rows: Vec<Vec<Value>> = range.rows().map(|row| row.iter().map(cell).collect()).collect();
        json!({ "name": name, "rows": rows })
    });
    sheets.collect()
}

fn cell(cell: &Data) -> Value {
    match cell {
        Data::Float(number) => json!(number),
        Data::Int(number) => json!(number),
        Data::Bool(value) => json!(value),
        Data::DateTime(at) => json!(at.as_f64()),
        Data::Empty => Value::Null,
        other => json!(other.to_string()),
    }
}
