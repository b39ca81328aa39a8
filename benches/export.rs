//! The whole way from the store to the last byte: a workbook against a `rust_xlsxwriter` loop over
//! the same store, a zip of JSON against one thread that copies and deflates the stored bytes.
//!
//! `cargo bench --bench export -- workbook` makes only the workbook, for a profiler to look at; `zip`
//! and `everything` are the others.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ORGANIZATION, Sink, Took, baseline, caller, filled, line, median, peak_memory, sizes};
use waybill::app::App;
use waybill::baseline::{COLUMNS, deflated_json, everything, workbook};
use waybill::export;
use waybill::kit::meter::Meter;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    for rows in sizes() {
        let (data, app) = filled(rows);
        println!("peak memory after loading: {} MB", peak_memory());
        let chosen = format!(r#"{{"download":"xlsx","limit":1000000,"fields":"{}"}}"#, COLUMNS.join(","));
        let book = wanted("workbook").then(|| ours(&app, "xlsx of 12 columns", &chosen));
        let zip = wanted("zip").then(|| ours(&app, "json zip", r#"{"download":"json","limit":1000000}"#));
        if wanted("everything") {
            ours(&app, "xlsx of every column", r#"{"download":"xlsx","limit":1000000}"#);
        }
        let (Some(book), Some(zip)) = (book, zip) else { continue };

        let ids = everything(&app, ORGANIZATION).unwrap();
        let mut size = 0;
        let path = data.path().join("theirs");
        let theirs = baseline(rows, || size = workbook(&app, ORGANIZATION, &ids, &COLUMNS, &path).unwrap());
        against(&format!("xlsx {rows} x {}", COLUMNS.len()), book, (theirs, size), 8.0);
        let theirs = baseline(rows, || size = deflated_json(&app, ORGANIZATION, &ids, &path).unwrap());
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
