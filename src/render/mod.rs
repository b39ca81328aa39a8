//! From rows to the bytes of a file. Blocks of rows are encoded on any core and placed in order, so
//! that the bytes are the same whatever the number of threads, and memory does not grow with rows.
//!
//! In reading order: `block` (rows of any format to one block), `sheet`, `json` and `csv` (a row in
//! each format), `form` (what stands around a value in a sheet), `cell` (what a JSON value is for
//! people), `escape` (a text in XML), `moments`, `links` and `items` (what is special about times,
//! addresses and lists), `repairs`, `deflate`, `layout` with `tokens`, `huffman` and `bits` (deflate for
//! rows of one layout), `archive` (the zip container), `skeleton` (the parts of a workbook around the
//! rows, with `styles`, `names` and `widths`, kept by `mold`), `about` (its last sheet), `book` (a workbook
//! on its way out); `shown` (a value for those who look before there is a file).

mod about;
mod archive;
mod bits;
mod block;
mod book;
mod cell;
mod csv;
mod deflate;
mod error;
mod escape;
mod form;
mod huffman;
mod items;
mod json;
mod layout;
mod links;
mod mold;
mod moments;
mod names;
mod repairs;
mod sheet;
mod short;
mod shown;
mod skeleton;
mod styles;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod tokens;
#[cfg(any(test, fuzzing))]
pub mod trial;
mod widths;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

pub use about::About;
pub use block::{Block, BlockBuilder, Encoder};
pub use error::Error;
pub use items::Part;
pub use repairs::{Place, Repair, Repairs};
pub use shown::shown;

use crate::domain::limits::JSON_PART_TASKS;
use crate::domain::{self, Column, Download, Id, Moment, Value, ValueRef, Zone};
use archive::Archive;
use block::{Body, Shared};
use book::Book;
use styles::Styles;

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
    /// Whether the rows of a sheet are deflated by what is known of their layout; else by the library.
    pub by_layout: bool,
    /// Whether texts that a spreadsheet might run get an apostrophe in CSV.
    pub csv_neutralise: bool,
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
    /// The same of a task, which the items of its lists refer to on sheets of their own.
    Of(Id, &'a [ValueRef<'a>]),
}

impl<'a> Row<'a> {
    fn cells(&self) -> &'a [ValueRef<'a>] {
        match *self {
            Self::Task(_) => &[],
            Self::Cells(cells) | Self::Of(_, cells) => cells,
        }
    }

    fn task(&self) -> Option<Id> {
        match *self {
            Self::Of(id, _) => Some(id),
            Self::Task(_) | Self::Cells(_) => None,
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
        Download::Json | Download::Csv | Download::Ndjson => 512,
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

/// One file on its way out: begin, place every block in order, place the parts that come of them in
/// order, finish.
pub struct Renderer {
    shared: Arc<Shared>,
    spec: Spec,
    container: Container,
    /// The sheet and the row that are next.
    next: (usize, u64),
    repairs: Repairs,
}

enum Container {
    Workbook(Box<Book>),
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
            "xlsx" => Container::Workbook(Box::new(Book::new(&spec, sample)?)),
            "zip" => Container::Zip { archive: Archive::new(spec.created), parts: 0 },
            _ => Container::Plain,
        };
        let shared = match &container {
            Container::Workbook(book) => book.shared(&spec, sample)?,
            _ => Shared::new(&spec, &[], Styles::default()),
        };
        Ok(Self { shared: Arc::new(shared), spec, container, next: (0, 0), repairs: Repairs::default() })
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
        let (sheet, due) = self.next;
        let is_due = (block.sheet, block.first_row) == (sheet, due) || (block.sheet > sheet && block.first_row == 0);
        if !is_due {
            return Err(Error::OutOfOrder { expected: due, found: block.first_row }.into());
        }
        self.next = (block.sheet, block.first_row + block.rows);
        Ok(self.write_block(block, out)?)
    }

    /// What is left to encode and to place, in this order, once every row is placed: the items of
    /// lists, which have sheets of their own in a workbook.
    ///
    /// # Errors
    /// `Internal` when rows are missing, `Invalid` when items have more keys than a sheet columns.
    pub fn parts(&mut self) -> domain::Result<Vec<Part>> {
        let (_, found) = self.next;
        if found != self.spec.rows {
            return Err(Error::Rows { expected: self.spec.rows, found }.into());
        }
        match &mut self.container {
            Container::Workbook(book) => book.parts(&self.spec),
            Container::Zip { .. } | Container::Plain => Ok(Vec::new()),
        }
    }

    /// Writes what stands behind the rows, and tells what was changed in them.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self, about: &About, out: &mut dyn Write) -> domain::Result<Repairs> {
        self.write_tail(about, out)?;
        Ok(self.repairs)
    }

    fn write_head(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        match &mut self.container {
            Container::Workbook(book) => book.begin(out)?,
            Container::Zip { .. } => {}
            Container::Plain => match self.spec.download {
                Download::Json => out.write_all(b"[")?,
                Download::Csv => out.write_all(&csv::head(&self.spec.columns, self.spec.csv_neutralise))?,
                Download::Xlsx | Download::Ndjson => {}
            },
        }
        Ok(())
    }

    fn write_block(&mut self, block: Block, out: &mut dyn Write) -> Result<(), Error> {
        match (&mut self.container, block.body) {
            (Container::Workbook(book), body) => book.place(Block { body, ..block }, &mut self.repairs, out)?,
            (Container::Zip { archive, parts }, Body::Piece(piece)) => {
                *parts += 1;
                archive.whole(&format!("{}_{parts:04}.json", self.spec.part_stem), &piece, out)?;
            }
            (_, Body::Plain(bytes)) => out.write_all(&bytes)?,
            (Container::Plain, Body::Piece(_)) => return Err(Error::Form),
        }
        Ok(())
    }

    fn write_tail(&mut self, about: &About, out: &mut dyn Write) -> Result<(), Error> {
        match &mut self.container {
            Container::Workbook(book) => book.finish(about, &self.repairs, out)?,
            Container::Zip { archive, .. } => archive.finish(out)?,
            Container::Plain if self.spec.download == Download::Json => out.write_all(b"]\n")?,
            Container::Plain => {}
        }
        Ok(())
    }
}
