//! Rendering alone, from cells that lie in memory: the pipeline against `rust_xlsxwriter` in its
//! constant-memory mode, fed with the same cells.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NOW, ORGANIZATION, Sink, baseline, filled, line, median, sizes};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use waybill::app::App;
use waybill::baseline::COLUMNS;
use waybill::domain::{Column, ColumnKind, Download, Error, Filter, Order, Value, ValueRef, Zone, json};
use waybill::kit::ordered::ordered;
use waybill::render::{About, Renderer, Row, Spec, rows_per_block};
use waybill::store::Selection;

type Cells = Vec<Value>;

fn main() {
    for rows in sizes() {
        let (data, app) = filled(rows);
        let cells = cells(&app);
        let spec = spec(rows, data.path());
        let ours = median(|| {
            rendered(&app, &spec, &cells);
        });
        let theirs = baseline(rows, || by_library(&cells, data.path()));
        line(&format!("render {rows} x {}", COLUMNS.len()), ours, theirs, 8.0);
    }
}

fn spec(rows: u64, scratch: &std::path::Path) -> Spec {
    let kind = |name: &str| if name.ends_with("Time") { ColumnKind::Time } else { ColumnKind::Auto };
    let column = |name: &str| Column {
        id: name.to_owned(),
        header: name.to_owned(),
        kind: kind(name),
        format: None,
        width: None,
    };
    Spec {
        download: Download::Xlsx,
        columns: COLUMNS.iter().map(|name| column(name)).collect(),
        rows,
        zone: Zone::utc(),
        dates_as_text: false,
        by_layout: true,
        csv_neutralise: true,
        created: NOW,
        title: "Bench".to_owned(),
        part_stem: "bench".to_owned(),
        scratch: scratch.to_owned(),
    }
}

fn cells(app: &App) -> Vec<Cells> {
    let selection = Selection {
        organization: ORGANIZATION,
        filter: Filter::default(),
        order: Order::default(),
        skip: 0,
        take: None,
    };
    let view = app.store.view().unwrap();
    let ids = app.pool.install(|| view.select(&selection)).unwrap().ids;
    let fields: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    let mut all = Vec::with_capacity(ids.len());
    view.read(ORGANIZATION, &ids, &fields, &mut |record| {
        all.push(record.cells.iter().map(|value| value.owned().unwrap()).collect());
        Ok(())
    })
    .unwrap();
    all
}

fn rendered(app: &App, spec: &Spec, cells: &[Cells]) -> u64 {
    let mut renderer = Renderer::new(spec.clone(), &cells[..cells.len().min(200)]).unwrap();
    let mut out = Sink::default();
    renderer.begin(&mut out).unwrap();
    let encoder = renderer.encoder();
    let size = rows_per_block(spec.download, spec.columns.len(), spec.rows);
    let encode = |(place, rows): (usize, &[Cells])| -> Result<_, Error> {
        let mut block = encoder.block((place * size) as u64);
        for cells in rows {
            let cells: Vec<ValueRef<'_>> = cells.iter().map(Value::borrowed).collect();
            block.row(&Row::Cells(&cells))?;
        }
        block.finish()
    };
    ordered(&app.pool, cells.chunks(size).enumerate(), encode, |block| renderer.place(block, &mut out)).unwrap();
    renderer.parts().unwrap();
    renderer.finish(&About::default(), &mut out).unwrap();
    out.0
}

fn by_library(rows: &[Cells], scratch: &std::path::Path) {
    let mut book = Workbook::new();
    book.set_tempdir(scratch).unwrap();
    let date = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    let sheet = book.add_worksheet_with_constant_memory().unwrap();
    for (row, cells) in (1..).zip(rows) {
        for (place, raw) in (0..).zip(cells) {
            let Value::Json(raw) = raw else { continue };
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
    }
    book.save(scratch.join("theirs.xlsx")).unwrap();
}
