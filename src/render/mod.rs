//! From rows to the bytes of a file. Blocks of rows are encoded on any core and placed in order, so
//! that the bytes are the same whatever the number of threads, and memory does not grow with rows.
//!
//! In reading order: `block` (rows of any format to one block), `sheet`, `json` and `csv` (a row in
//! each format), `cell` (what a JSON value is for people), `escape` (a text in XML), `deflate`,
//! `archive` (the zip container), `xlsx` (the parts of a workbook around the rows), `repairs`, `shown`
//! (a value for those who look before there is a file).

mod archive;
mod block;
mod cell;
mod csv;
mod deflate;
mod error;
mod escape;
mod huffman;
mod json;
mod layout;
mod moments;
mod repairs;
mod sheet;
mod shown;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod xlsx;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

pub use block::{Block, BlockBuilder, Encoder};
pub use error::Error;
pub use repairs::Repairs;
pub use shown::shown;

use crate::domain::limits::{JSON_PART_TASKS, MAX_SHEET_COLUMNS};
use crate::domain::{self, Column, Download, Moment, Value, ValueRef, Zone};
use archive::Archive;
use block::{Body, Shared};
use xlsx::Skeleton;

/// What a file is made of.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The format.
    pub download: Download,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// Exactly how many rows will come.
    pub rows: u64,
    /// The zone that date cells are shown in.
    pub zone: Zone,
    /// Whether date-times are written as texts.
    pub dates_as_text: bool,
    /// The moment that the file gives as that of its making.
    pub created: Moment,
    /// The title in the file's properties.
    pub title: String,
    /// What the parts of a zip are called before their numbers.
    pub part_stem: String,
    /// Where a format may keep temporary files.
    pub scratch: PathBuf,
}

/// A row as it lies in the store.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// The whole task as JSON, to be copied; for JSON and NDJSON without columns.
    Task(&'a str),
    /// The value of each column.
    Cells(&'a [ValueRef<'a>]),
}

impl<'a> Row<'a> {
    fn cells(&self) -> &'a [ValueRef<'a>] {
        match *self {
            Self::Task(_) => &[],
            Self::Cells(cells) => cells,
        }
    }
}

/// How many rows a block has; the last has the rest.
pub fn rows_per_block(download: Download, columns: usize, rows: u64) -> usize {
    /// Bytes of rows that make a block worth its own deflate stream.
    const SHEET_BLOCK_BYTES: usize = 2 << 20;
    const CELL_BYTES: usize = 64;
    match download {
        Download::Xlsx => (SHEET_BLOCK_BYTES / (CELL_BYTES * columns.max(1))).clamp(64, 8_192),
        Download::Json if rows > JSON_PART_TASKS => JSON_PART_TASKS as usize,
        Download::Json | Download::Csv | Download::Ndjson => 500,
    }
}

/// The extension of a file with so many rows.
pub fn extension(download: Download, rows: u64) -> &'static str {
    match download {
        Download::Json if rows > JSON_PART_TASKS => "zip",
        other => other.name(),
    }
}

/// The media type of a file with this extension.
pub fn media_type(extension: &str) -> &'static str {
    match extension {
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "json" => "application/json",
        "zip" => "application/zip",
        "csv" => "text/csv; charset=utf-8",
        "ndjson" => "application/x-ndjson",
        _ => "application/octet-stream",
    }
}

/// One file on its way out: begin, place every block in order, finish.
pub struct Renderer {
    shared: Arc<Shared>,
    spec: Spec,
    container: Container,
    placed: u64,
    repairs: Repairs,
}

enum Container {
    Workbook { archive: Archive, skeleton: Skeleton },
    Zip { archive: Archive, parts: u32 },
    Plain,
}

impl Renderer {
    /// Prepares a file; `sample` are the cells of its first rows, for the widths of columns.
    ///
    /// # Errors
    /// `Invalid` when there are more columns than a sheet can have.
    pub fn new(spec: Spec, sample: &[Vec<Value>]) -> domain::Result<Self> {
        let container = match extension(spec.download, spec.rows) {
            "xlsx" => {
                if spec.columns.len() > MAX_SHEET_COLUMNS {
                    return Err(domain::Error::invalid(format!(
                        "This export has {} columns; a sheet has at most {MAX_SHEET_COLUMNS}. Choose some with fields.",
                        spec.columns.len()
                    )));
                }
                let skeleton = Skeleton::new(&spec, sample)?;
                Container::Workbook { archive: Archive::new(spec.created), skeleton }
            }
            "zip" => Container::Zip { archive: Archive::new(spec.created), parts: 0 },
            _ => Container::Plain,
        };
        let styles = match &container {
            Container::Workbook { skeleton, .. } => skeleton.styles.clone(),
            _ => Vec::new(),
        };
        let shared = Arc::new(Shared::new(&spec, styles));
        Ok(Self { shared, spec, container, placed: 0, repairs: Repairs::default() })
    }

    /// What encodes the rows, on any thread.
    pub fn encoder(&self) -> Encoder {
        Encoder(Arc::clone(&self.shared))
    }

    /// Writes what stands before the rows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(&mut self, out: &mut dyn Write) -> domain::Result<()> {
        Ok(self.write_head(out)?)
    }

    /// Writes a block after those that are there.
    ///
    /// # Errors
    /// Those of the writer; `Internal` when it is not this block's turn.
    pub fn place(&mut self, block: Block, out: &mut dyn Write) -> domain::Result<()> {
        if block.first_row != self.placed {
            return Err(Error::OutOfOrder { expected: self.placed, found: block.first_row }.into());
        }
        self.placed += block.rows;
        self.repairs.add(&block.repairs);
        Ok(self.write_block(block, out)?)
    }

    /// Writes what stands behind the rows, and tells what was changed in them.
    ///
    /// # Errors
    /// Those of the writer; `Internal` when rows are missing.
    pub fn finish(mut self, out: &mut dyn Write) -> domain::Result<Repairs> {
        if self.placed != self.spec.rows {
            return Err(Error::Rows { expected: self.spec.rows, found: self.placed }.into());
        }
        self.write_tail(out)?;
        Ok(self.repairs)
    }

    fn write_head(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        match &mut self.container {
            Container::Workbook { archive, skeleton } => skeleton.begin(archive, out)?,
            Container::Zip { .. } => {}
            Container::Plain => match self.spec.download {
                Download::Json => out.write_all(b"[")?,
                Download::Csv => out.write_all(&csv::head(&self.spec.columns))?,
                Download::Xlsx | Download::Ndjson => {}
            },
        }
        Ok(())
    }

    fn write_block(&mut self, block: Block, out: &mut dyn Write) -> Result<(), Error> {
        match (&mut self.container, block.body) {
            (Container::Workbook { archive, .. }, Body::Piece(piece)) => archive.append(&piece, out)?,
            (Container::Zip { archive, parts }, Body::Piece(piece)) => {
                *parts += 1;
                archive.whole(&format!("{}_{parts:04}.json", self.spec.part_stem), &piece, out)?;
            }
            (_, Body::Plain(bytes)) => out.write_all(&bytes)?,
            (Container::Plain, Body::Piece(_)) => return Err(Error::Form),
        }
        Ok(())
    }

    fn write_tail(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        match &mut self.container {
            Container::Workbook { archive, skeleton } => {
                skeleton.end(archive, out)?;
                archive.finish(out)?;
            }
            Container::Zip { archive, .. } => archive.finish(out)?,
            Container::Plain if self.spec.download == Download::Json => out.write_all(b"]\n")?,
            Container::Plain => {}
        }
        Ok(())
    }
}
