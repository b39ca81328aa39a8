//! What one would write without this program, over the same store: what its exports are compared with.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::app::App;
use crate::domain::{Error, Filter, Id, Order, Result, json};
use crate::store::{Record, Selection};

/// The letters of a time that a date cell is made of: `2026-01-31T12:00:00`.
const SECONDS_OF_TIME: usize = 19;

/// Six texts, three times, three numbers, which the tasks of `demo` have.
pub const COLUMNS: [&str; 12] = [
    "_id",
    "title",
    "flow",
    "status",
    "refId",
    "address",
    "createdTime",
    "startTime",
    "doneTime",
    "duration",
    "travelDistance",
    "weight",
];

/// All tasks of an organisation, in the usual order.
///
/// # Errors
/// When the store cannot be read.
pub fn everything(app: &App, organization: Id) -> Result<Vec<Id>> {
    let (filter, order) = (Filter::default(), Order::default());
    let selection = Selection { organization, filter, order, skip: 0, take: None };
    let view = app.store.view()?;
    Ok(app.pool.install(|| view.select(&selection))?.ids)
}

/// A workbook by `rust_xlsxwriter` in its mode of constant memory: one thread, a row after another.
/// Gives its size in bytes.
///
/// # Errors
/// When the store cannot be read or the file not written.
pub fn workbook(app: &App, organization: Id, ids: &[Id], columns: &[&str], path: &Path) -> Result<u64> {
    let mut book = Workbook::new();
    let scratch = path.parent().unwrap_or(Path::new(""));
    book.set_tempdir(scratch).map_err(failed)?;
    let sheet = book.add_worksheet_with_constant_memory().map_err(failed)?;
    let names = columns.iter().copied();
    (0..).zip(names).try_for_each(|(place, name)| sheet.write(0, place, name).map(drop)).map_err(failed)?;
    let date = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    let fields: Vec<String> = columns.iter().copied().map(str::to_owned).collect();
    let mut row = 0;
    app.store.view()?.read(organization, ids, &fields, &mut |record| {
        row += 1;
        cells(sheet, row, columns, record, &date)
    })?;
    book.save(path).map_err(failed)?;
    path.metadata().map(|facts| facts.len()).map_err(failed)
}

fn cells(sheet: &mut Worksheet, row: u32, columns: &[&str], record: &Record<'_>, date: &Format) -> Result<()> {
    for ((place, name), raw) in (0..).zip(columns).zip(record.cells) {
        let Some(raw) = raw.json()? else { continue };
        cell(sheet, (row, place), name, raw, date).map_err(failed)?;
    }
    Ok(())
}

fn cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    name: &str,
    raw: &str,
    date: &Format,
) -> std::result::Result<(), XlsxError> {
    match (json::text(raw), raw.parse::<f64>()) {
        (Some(text), _) => match text.get(..SECONDS_OF_TIME).filter(|_| name.ends_with("Time")) {
            Some(time) => sheet.write_with_format(row, column, &ExcelDateTime::parse_from_str(time)?, date)?,
            None => sheet.write_string(row, column, text)?,
        },
        (None, Ok(number)) => sheet.write_number(row, column, number)?,
        (None, Err(_)) => sheet.write_string(row, column, raw)?,
    };
    Ok(())
}

/// The stored JSON of the tasks, copied and deflated by one thread into a file. Gives its size in bytes.
///
/// # Errors
/// When the store cannot be read or the file not written.
pub fn deflated_json(app: &App, organization: Id, ids: &[Id], path: &Path) -> Result<u64> {
    let file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    let mut deflater = DeflateEncoder::new(file, Compression::fast());
    app.store.view()?.read(organization, ids, &[], &mut |record| {
        let write = |deflater: &mut dyn Write, json: &str| -> io::Result<()> {
            deflater.write_all(json.as_bytes())?;
            deflater.write_all(b",\n")
        };
        write(&mut deflater, record.json()?).map_err(failed)
    })?;
    deflater.finish().and_then(|mut file| file.flush()).map_err(failed)?;
    path.metadata().map(|facts| facts.len()).map_err(failed)
}

fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("baseline", why)
}
