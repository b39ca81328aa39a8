//! Files of given rows, and what is in them.

use std::io::{Cursor, Read};

use calamine::{Data, Range, Reader, Xlsx};
use waybill::domain::{Column, ColumnKind, Download, Id, Moment, Value, Zone};
use waybill::render::{About, Renderer, Repair, Repairs, Row, Spec, rows_per_block};

/// 2025-06-15T15:06:40Z
pub const NOW: Moment = Moment(1_750_000_000_000);

pub fn column(id: &str, header: &str, kind: ColumnKind) -> Column {
    Column { id: id.to_owned(), header: header.to_owned(), kind, format: None, width: None }
}

pub fn auto(id: &str) -> Column {
    column(id, id, ColumnKind::Auto)
}

pub fn spec(columns: Vec<Column>, rows: usize) -> Spec {
    Spec {
        download: Download::Xlsx,
        columns,
        rows: rows as u64,
        zone: Zone::utc(),
        dates_as_text: false,
        by_layout: true,
        csv_neutralise: true,
        created: NOW,
        title: "A title".to_owned(),
        part_stem: "task".to_owned(),
        scratch: std::env::temp_dir(),
    }
}

/// The id of the task of a row.
pub fn task(number: usize) -> Id {
    Id::from_parts(number as u32 + 1, [0; 5], 0)
}

pub fn text(text: &str) -> Value {
    Value::Json(serde_json::to_string(text).unwrap().into())
}

pub fn json(raw: &str) -> Value {
    Value::Json(raw.into())
}

/// A workbook, and what was repaired in it.
pub struct File {
    pub bytes: Vec<u8>,
    pub repairs: Repairs,
}

impl File {
    pub fn of(columns: Vec<Column>, rows: &[Vec<Value>]) -> Self {
        Self::with(spec(columns, rows.len()), rows, &About::default())
    }

    pub fn with(spec: Spec, rows: &[Vec<Value>], about: &About) -> Self {
        let mut renderer = Renderer::new(spec.clone(), &rows[..rows.len().min(200)]).unwrap();
        let mut bytes = Vec::new();
        renderer.begin(&mut bytes).unwrap();
        let encoder = renderer.encoder();
        let size = rows_per_block(spec.download, spec.columns.len(), spec.rows);
        let blocks: Vec<_> = rows.chunks(size).enumerate().collect();
        // In the wrong order, as on several threads.
        let blocks: Vec<_> = blocks
            .into_iter()
            .rev()
            .map(|(place, rows)| {
                let mut block = encoder.block((place * size) as u64);
                for (number, row) in rows.iter().enumerate() {
                    let cells: Vec<_> = row.iter().map(Value::borrowed).collect();
                    block.row(&Row::Of(task(place * size + number), &cells)).unwrap();
                }
                block.finish().unwrap()
            })
            .collect();
        blocks.into_iter().rev().for_each(|block| renderer.place(block, &mut bytes).unwrap());
        let parts = renderer.parts().unwrap();
        let parts: Vec<_> = parts.into_iter().rev().map(|part| part.encode().unwrap()).collect();
        parts.into_iter().rev().for_each(|part| renderer.place(part, &mut bytes).unwrap());
        let repairs = renderer.finish(about, &mut bytes).unwrap();
        Self { bytes, repairs }
    }

    pub fn book(&self) -> Xlsx<Cursor<&[u8]>> {
        Xlsx::new(Cursor::new(self.bytes.as_slice())).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        self.book().sheet_names().clone()
    }

    pub fn sheet(&self, name: &str) -> Range<Data> {
        self.book().worksheet_range(name).unwrap()
    }

    pub fn main(&self) -> Range<Data> {
        self.sheet("main")
    }

    /// A cell of `main`, counted from the header's first.
    pub fn at(&self, row: u32, column: u32) -> Data {
        self.main().get_value((row, column)).cloned().unwrap_or(Data::Empty)
    }

    /// The text of a part of the archive; nothing if there is none.
    pub fn part(&self, name: &str) -> Option<String> {
        let mut archive = zip::ZipArchive::new(Cursor::new(&self.bytes)).unwrap();
        let mut text = String::new();
        archive.by_name(name).ok()?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    /// Every part, in the order of the archive.
    pub fn parts(&self) -> Vec<(String, String)> {
        let mut archive = zip::ZipArchive::new(Cursor::new(&self.bytes)).unwrap();
        (0..archive.len())
            .map(|place| {
                let mut part = archive.by_index(place).unwrap();
                let mut text = String::new();
                part.read_to_string(&mut text).unwrap();
                (part.name().unwrap().to_string(), text)
            })
            .collect()
    }

    pub fn repaired(&self, repair: Repair) -> u64 {
        self.repairs.count(repair)
    }
}
