//! A workbook from the store against libxlsxwriter in C, which is fed the same rows through a pipe. Without a C
//! compiler and that library (Debian: libxlsxwriter-dev) it says so and measures nothing.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{ORGANIZATION, Sink, caller, filled, line, median, once, sizes};
use waybill::app::App;
use waybill::baseline::{COLUMNS, everything};
use waybill::domain::{Id, json};
use waybill::export;
use waybill::kit::meter::Meter;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = compiled(folder.path()) else {
        println!("SKIPPED: no C compiler here, or no libxlsxwriter for it");
        return;
    };
    for rows in sizes() {
        let (_data, app) = filled(rows);
        let body = format!(r#"{{"download":"xlsx","limit":1000000,"fields":"{}"}}"#, COLUMNS.join(","));
        let ours = median(|| {
            let plan = export::plan(&app, &caller(), body.as_bytes(), &Meter::new()).unwrap();
            export::stream(&app, plan, &mut Sink::default(), &Meter::new()).unwrap();
        });
        let ids = everything(&app, ORGANIZATION).unwrap();
        let theirs = once(|| in_c(&program, &folder.path().join("theirs.xlsx"), &app, &ids));
        line(&format!("xlsx {rows} x {} against C", COLUMNS.len()), ours, theirs, 12.0);
    }
}

fn compiled(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/libxlsxwriter.c");
    let program = folder.join("theirs");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-o"]).arg(&program).arg(source).arg("-lxlsxwriter").stderr(Stdio::null());
    compiler.status().is_ok_and(|status| status.success()).then_some(program)
}

/// Reading the store is ours and beside it, which is in its favour.
fn in_c(program: &Path, path: &Path, app: &App, ids: &[Id]) {
    let mut child = Command::new(program).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    let mut rows = BufWriter::with_capacity(1 << 20, child.stdin.take().unwrap());
    let header: Vec<String> = COLUMNS.iter().map(|name| format!("t{name}")).collect();
    writeln!(rows, "{}", header.join("\t")).unwrap();
    let fields: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    let view = app.store.view().unwrap();
    view.read(ORGANIZATION, ids, &fields, &mut |record| {
        for (place, raw) in record.cells.iter().enumerate() {
            if place > 0 {
                rows.write_all(b"\t").unwrap();
            }
            let Some(raw) = raw.json().unwrap() else { continue };
            match json::text(raw) {
                Some(text) => {
                    let kind = if COLUMNS[place].ends_with("Time") { 'd' } else { 't' };
                    write!(rows, "{kind}{}", text.replace(['\t', '\n'], " ")).unwrap();
                }
                None => write!(rows, "n{raw}").unwrap(),
            }
        }
        rows.write_all(b"\n").unwrap();
        Ok(())
    })
    .unwrap();
    drop(rows.into_inner().unwrap());
    assert!(child.wait().unwrap().success());
}
