//! The whole way from the store to the last byte: a workbook against a `rust_xlsxwriter` loop over
//! the same store, a zip of JSON against one thread that copies and deflates the stored bytes.
//!
//! `cargo bench --bench export -- workbook` makes only the workbook, for a profiler to look at; `zip`
//! and `everything` are the others.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;

use common::{COLUMNS, ORGANIZATION, Sink, Took, baseline, caller, filled, line, median, peak_memory, sizes};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use waybill::app::App;
use waybill::domain::{Filter, Id, Order, json};
use waybill::export;
use waybill::kit::meter::Meter;
use waybill::store::Selection;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    for rows in sizes() {
        let (data, app) = filled(rows);
        println!("peak memory after loading: {} MB", peak_memory());
        let chosen = format!(r#"{{"download":"xlsx","limit":1000000,"fields":"{}"}}"#, COLUMNS.join(","));
        let workbook = wanted("workbook").then(|| ours(&app, "xlsx of 12 columns", &chosen));
        let zip = wanted("zip").then(|| ours(&app, "json zip", r#"{"download":"json","limit":1000000}"#));
        if wanted("everything") {
            ours(&app, "xlsx of every column", r#"{"download":"xlsx","limit":1000000}"#);
        }
        let (Some(workbook), Some(zip)) = (workbook, zip) else { continue };

        let ids = everything(&app);
        let mut size = 0;
        let theirs = baseline(rows, || size = by_library(&app, &ids, data.path()));
        against(&format!("xlsx {rows} x {}", COLUMNS.len()), workbook, (theirs, size), 8.0);
        let theirs = baseline(rows, || size = by_one_thread(&app, &ids));
        against(&format!("json zip {rows}"), zip, (theirs, size), 1.5);
    }
}

/// A file's time and its size in bytes.
type Made = (Took, u64);

fn ours(app: &App, what: &str, body: &str) -> Made {
    let mut size = 0;
    let took = median(|| size = exported(app, body));
    println!("{what}: {took}, {size} bytes, peak memory so far {} MB", peak_memory());
    (took, size)
}

fn against(what: &str, (ours, size): Made, (theirs, their_size): Made, must: f64) {
    line(what, ours, theirs, must);
    println!("size {size} bytes, {:.2} of the baseline's {their_size}", size as f64 / their_size as f64);
}

fn exported(app: &App, body: &str) -> u64 {
    let plan = export::plan(app, &caller(), body.as_bytes(), &Meter::new()).unwrap();
    let mut sink = Sink::default();
    export::stream(app, plan, &mut sink, &Meter::new()).unwrap();
    sink.0
}

fn everything(app: &App) -> Vec<Id> {
    let selection = Selection {
        organization: ORGANIZATION,
        filter: Filter::default(),
        order: Order::default(),
        skip: 0,
        take: Some(1_000_000),
    };
    app.pool.install(|| app.store.view().unwrap().select(&selection)).unwrap().ids
}

/// What one would write without this program: a row after another into a constant-memory sheet.
fn by_library(app: &App, ids: &[Id], scratch: &std::path::Path) -> u64 {
    let fields: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    let mut book = Workbook::new();
    book.set_tempdir(scratch).unwrap();
    let date = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    let sheet = book.add_worksheet_with_constant_memory().unwrap();
    for (place, name) in (0..).zip(COLUMNS) {
        sheet.write_string(0, place, name).unwrap();
    }
    let mut row = 0;
    app.store
        .view()
        .unwrap()
        .read(ORGANIZATION, ids, &fields, &mut |record| {
            row += 1;
            for (place, raw) in (0..).zip(record.cells) {
                let Some(raw) = raw else { continue };
                match (json::text(raw), (6..9).contains(&place)) {
                    (Some(text), true) => {
                        let time = ExcelDateTime::parse_from_str(&text[..19]).unwrap();
                        sheet.write_datetime_with_format(row, place, &time, &date).unwrap();
                    }
                    (Some(text), false) => {
                        sheet.write_string(row, place, &*text).unwrap();
                    }
                    (None, _) => {
                        sheet.write_number(row, place, raw.parse::<f64>().unwrap()).unwrap();
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let path = scratch.join("theirs.xlsx");
    book.save(&path).unwrap();
    std::fs::metadata(&path).unwrap().len()
}

fn by_one_thread(app: &App, ids: &[Id]) -> u64 {
    let mut deflater = DeflateEncoder::new(Sink::default(), Compression::new(1));
    app.store
        .view()
        .unwrap()
        .read(ORGANIZATION, ids, &[], &mut |record| {
            deflater.write_all(record.json().unwrap().as_bytes()).unwrap();
            deflater.write_all(b",\n").unwrap();
            Ok(())
        })
        .unwrap();
    deflater.finish().unwrap().0
}
