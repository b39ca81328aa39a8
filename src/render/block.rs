//! Rows of any format to one block of bytes.

use std::sync::Arc;

use crate::domain::{self, Download, Zone};

use super::deflate::{Deflater, Piece};
use super::items::{Batch, Gathered};
use super::layout::LayoutDeflater;
use super::links::Links;
use super::sheet::{Rows, SheetColumn};
use super::skeleton::Sheet;
use super::styles::Styles;
use super::{Error, Repairs, Row, Spec, csv, json, sheet};

/// Bytes that are gathered before they are deflated: few enough to stay in a core's cache.
const GATHER: usize = 128 * 1024;

/// What every block of a file needs, on whatever thread.
#[derive(Debug)]
pub(super) struct Shared {
    pub download: Download,
    pub deflated: bool,
    pub zone: Zone,
    pub dates_as_text: bool,
    pub by_layout: bool,
    /// For each column the JSON key with its colon.
    pub keys: Vec<String>,
    pub csv_neutralise: bool,
    pub sheet: Vec<SheetColumn>,
    pub styles: Styles,
    /// The first rows of the sheet, whose links look like links.
    pub blue_rows: u64,
    /// In a sheet of items, the keys behind the first two columns.
    pub item_keys: Vec<String>,
}

impl Shared {
    /// For the rows themselves.
    pub(super) fn new(spec: &Spec, widths: &[usize], styles: Styles) -> Self {
        let sheet = match spec.download {
            Download::Xlsx => SheetColumn::all(&spec.columns, widths, &styles),
            _ => Vec::new(),
        };
        Self {
            download: spec.download,
            deflated: matches!(super::extension(spec.download, spec.rows), "xlsx" | "zip"),
            zone: spec.zone.clone(),
            dates_as_text: spec.dates_as_text,
            by_layout: spec.by_layout,
            keys: spec.columns.iter().map(|column| format!("{}:", domain::json::quote(&column.id))).collect(),
            csv_neutralise: spec.csv_neutralise,
            sheet,
            styles,
            blue_rows: 0,
            item_keys: Vec::new(),
        }
    }

    /// For a sheet of items.
    pub(super) fn of_items(spec: &Spec, sheet: &Sheet, item_keys: Vec<String>, styles: Styles) -> Self {
        let columns = SheetColumn::all(&sheet.columns, &sheet.widths, &styles);
        let items = Spec { columns: Vec::new(), ..spec.clone() };
        Self { sheet: columns, item_keys, ..Self::new(&items, &[], styles) }
    }
}

/// Encodes rows; clones encode for the same file.
#[derive(Debug, Clone)]
pub struct Encoder(pub(super) Arc<Shared>);

impl Encoder {
    /// Starts a block whose first row is this one, counted from 0.
    pub fn block(&self, first_row: u64) -> BlockBuilder {
        let mut rows_of_sheet = Rows::new(self.0.zone.clone(), &self.0.sheet);
        let mut bytes = Vec::new();
        let packer = match self.0.download {
            Download::Xlsx if self.0.by_layout => {
                let mut deflater = LayoutDeflater::new();
                (bytes, rows_of_sheet.marks) = deflater.room();
                Packer::Layout(deflater)
            }
            _ if self.0.deflated => Packer::Plain(Deflater::new()),
            _ => Packer::None,
        };
        BlockBuilder { shared: Arc::clone(&self.0), sheet: 0, first_row, rows: 0, bytes, packer, rows_of_sheet }
    }
}

/// A block that is being made.
pub struct BlockBuilder {
    shared: Arc<Shared>,
    pub(super) sheet: usize,
    first_row: u64,
    rows: u64,
    bytes: Vec<u8>,
    packer: Packer,
    rows_of_sheet: Rows,
}

/// Who deflates the bytes.
enum Packer {
    None,
    Plain(Deflater),
    /// Keeps some of the bytes, for later ones to refer to.
    Layout(Box<LayoutDeflater>),
}

/// Rows in the bytes of a format, ready to be placed.
pub struct Block {
    /// The number of its sheet, from 0.
    pub(super) sheet: usize,
    pub(super) first_row: u64,
    pub(super) rows: u64,
    pub(super) body: Body,
    pub(super) repairs: Repairs,
    pub(super) links: Links,
    /// The items of each list.
    pub(super) batches: Vec<Batch>,
}

pub(super) enum Body {
    Piece(Piece),
    Plain(Vec<u8>),
}

impl BlockBuilder {
    /// Adds the next row.
    ///
    /// # Errors
    /// `Internal` when raw JSON is no text, or the bytes cannot be compressed.
    pub fn row(&mut self, row: &Row<'_>) -> domain::Result<()> {
        let (shared, out) = (&*self.shared, &mut self.bytes);
        match shared.download {
            Download::Xlsx => {
                let number = self.first_row + self.rows;
                sheet::row(shared, number, row.task(), row.cells(), &mut self.rows_of_sheet, out)?;
            }
            Download::Json => {
                let is_first = if shared.deflated { self.rows == 0 } else { self.first_row + self.rows == 0 };
                out.extend_from_slice(match (is_first, shared.deflated) {
                    (true, true) => b"[",
                    (true, false) => b"",
                    (false, _) => b",\n",
                });
                json::row(shared, row, out)?;
            }
            Download::Ndjson => {
                json::row(shared, row, out)?;
                out.push(b'\n');
            }
            Download::Csv => csv::row(row.cells(), shared.csv_neutralise, out)?,
        }
        self.rows += 1;
        let is_due = match &self.packer {
            Packer::None => false,
            Packer::Plain(_) => self.bytes.len() >= GATHER,
            Packer::Layout(deflater) => deflater.is_due(&self.bytes),
        };
        if is_due {
            self.deflate()?;
        }
        Ok(())
    }

    /// Ends the block.
    ///
    /// # Errors
    /// `Internal` when the bytes cannot be compressed.
    pub fn finish(mut self) -> domain::Result<Block> {
        if self.shared.deflated && self.shared.download == Download::Json {
            self.bytes.extend_from_slice(b"]\n");
        }
        let Rows { repairs, links, lists, marks, .. } = self.rows_of_sheet;
        let body = match self.packer {
            Packer::None => Body::Plain(self.bytes),
            Packer::Plain(mut deflater) => {
                deflater.push(&self.bytes)?;
                Body::Piece(deflater.finish()?)
            }
            Packer::Layout(deflater) => Body::Piece(deflater.finish(self.bytes, marks)),
        };
        let batches = lists.into_iter().map(Gathered::finish).collect::<Result<_, _>>()?;
        Ok(Block { sheet: self.sheet, first_row: self.first_row, rows: self.rows, body, repairs, links, batches })
    }

    fn deflate(&mut self) -> Result<(), Error> {
        match &mut self.packer {
            Packer::None => {}
            Packer::Plain(deflater) => {
                deflater.push(&self.bytes)?;
                self.bytes.clear();
                self.rows_of_sheet.forget_places();
            }
            Packer::Layout(deflater) => {
                deflater.push(&mut self.bytes, &mut self.rows_of_sheet.marks);
                self.rows_of_sheet.value_end = self.bytes.len();
            }
        }
        Ok(())
    }
}
