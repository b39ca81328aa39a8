//! The items of lists and bills on their way from the cells of `main` to sheets of their own: while
//! `main` is written they are kept, deflated and in a file unless they are few, and their keys and
//! number are counted; afterwards they are read in parts, each of which becomes a block of rows on any
//! core.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::domain::limits::{MAX_SHEET_COLUMNS, MAX_SHEET_ROWS};
use crate::domain::{self, Id, ValueRef, json};
use crate::kit::scratch::nameless;

use super::block::{Block, Encoder, Shared};
use super::cell::of_json;
use super::deflate::{Deflater, END};
use super::widths::cell_width;
use super::{Error, Row};

/// Bytes that are gathered before they are deflated.
const GATHER: usize = 128 * 1024;
/// Bytes of a block's items below which deflating them costs more than it saves.
const SHORT: usize = 32 * 1024;
/// Bytes of the items of a list that stay in memory.
const IN_MEMORY: usize = 64 * 1024;
/// Rows of a sheet that are encoded as one.
const PART_ITEMS: u64 = 8_192;
/// Items of a block that are looked at for the widths of columns.
const SAMPLE_ITEMS: u64 = 50;
/// What an item's value is called that has no key.
const VALUE: &str = "value";

/// The items of a list.
pub(super) fn items(raw: &str) -> Vec<&RawValue> {
    // What is stored has passed the door, so that every list can be read.
    serde_json::from_str(raw).unwrap_or_default()
}

/// The keys of items in the order in which they were first seen, each with the width of its values.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) widths: Vec<(String, usize)>,
    places: HashMap<String, usize>,
}

impl Keys {
    fn add(&mut self, key: &str, width: usize) {
        match self.places.get(key) {
            Some(place) => {
                let (_, widest) = &mut self.widths[*place];
                *widest = width.max(*widest);
            }
            // More than a sheet has columns is an error in the end, whatever else comes.
            None if self.widths.len() >= MAX_SHEET_COLUMNS => {}
            None => {
                self.places.insert(key.to_owned(), self.widths.len());
                self.widths.push((key.to_owned(), width));
            }
        }
    }

    fn append(&mut self, later: Self) {
        later.widths.iter().for_each(|(key, width)| self.add(key, *width));
    }
}

/// The items of one list in one block.
#[derive(Default)]
pub(super) struct Gathered {
    keys: Keys,
    items: u64,
    waiting: Vec<u8>,
    deflater: Option<Deflater>,
}

/// The same, finished.
pub(super) struct Batch {
    keys: Keys,
    items: u64,
    bytes: Vec<u8>,
    deflated: bool,
}

impl Gathered {
    /// Takes in the items of one row.
    pub(super) fn add(&mut self, row: u64, task: Option<Id>, raw: &str, items: &[&RawValue]) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        for item in items {
            let sampled = self.items < SAMPLE_ITEMS;
            self.items += 1;
            let width = |value: &str| if sampled { cell_width(&of_json(value)) } else { 0 };
            match json::pairs(item.get()) {
                Ok(pairs) => pairs.iter().for_each(|(key, value)| self.keys.add(key, width(value))),
                Err(_) => self.keys.add(VALUE, width(item.get())),
            }
        }
        self.waiting.extend_from_slice(&row.to_le_bytes());
        self.waiting.extend_from_slice(&task.unwrap_or(Id::MIN).0);
        self.waiting.extend_from_slice(&(raw.len() as u64).to_le_bytes());
        self.waiting.extend_from_slice(raw.as_bytes());
        if self.waiting.len() >= GATHER { self.deflate() } else { Ok(()) }
    }

    fn deflate(&mut self) -> Result<(), Error> {
        self.deflater.get_or_insert_with(Deflater::new).push(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Batch, Error> {
        let deflated = self.deflater.is_some() || self.waiting.len() > SHORT;
        if deflated {
            self.deflate()?;
        }
        let bytes = match self.deflater {
            Some(deflater) => deflater.finish()?.bytes,
            None => self.waiting,
        };
        Ok(Batch { keys: self.keys, items: self.items, bytes, deflated })
    }
}

/// All items of one list.
pub(super) struct Spool {
    pub(super) keys: Keys,
    scratch: PathBuf,
    kept: Kept,
    end: u64,
    batches: Vec<Stretch>,
}

/// Where the items of one block lie among those that are kept.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: u64,
    length: usize,
    items: u64,
    deflated: bool,
}

impl Spool {
    pub(super) fn new(scratch: &Path) -> Self {
        let (keys, kept) = (Keys::default(), Kept::Memory(Arc::default()));
        Self { keys, scratch: scratch.to_owned(), kept, end: 0, batches: Vec::new() }
    }

    /// Takes in the items of the next block.
    pub(super) fn append(&mut self, batch: Batch) -> Result<(), Error> {
        self.keys.append(batch.keys);
        let Batch { items, bytes, deflated, .. } = batch;
        if items == 0 {
            return Ok(());
        }
        self.kept.append(&bytes, &self.scratch)?;
        self.batches.push(Stretch { start: self.end, length: bytes.len(), items, deflated });
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// How many rows each sheet has that these items need; none for no items.
    pub(super) fn sheets(&self) -> Vec<u64> {
        let items: u64 = self.batches.iter().map(|stretch| stretch.items).sum();
        let most = MAX_SHEET_ROWS - 1;
        (0..items.div_ceil(most)).map(|sheet| (items - sheet * most).min(most)).collect()
    }

    /// The parts of sheets that are encoded the same way, the first of which has this number.
    pub(super) fn parts(&self, first_sheet: usize, shared: &Arc<Shared>) -> Vec<Part> {
        let part = |(stretch, cut): (Stretch, Cut)| Part {
            shared: Arc::clone(shared),
            kept: self.kept.clone(),
            stretch,
            cut: Cut { sheet: first_sheet + cut.sheet, ..cut },
        };
        cuts(&self.batches, MAX_SHEET_ROWS - 1, PART_ITEMS).into_iter().map(part).collect()
    }
}

/// The bytes of items: in memory while they are few, else in a file that has no name any more.
#[derive(Debug, Clone)]
enum Kept {
    Memory(Arc<Vec<u8>>),
    File(Arc<File>),
}

impl Kept {
    fn append(&mut self, bytes: &[u8], scratch: &Path) -> io::Result<()> {
        match self {
            Self::Memory(kept) if kept.len() + bytes.len() <= IN_MEMORY => {
                Arc::make_mut(kept).extend_from_slice(bytes);
            }
            Self::Memory(kept) => {
                let mut file = nameless(scratch)?;
                file.write_all(kept)?;
                file.write_all(bytes)?;
                *self = Self::File(Arc::new(file));
            }
            Self::File(file) => (&**file).write_all(bytes)?,
        }
        Ok(())
    }

    fn read(&self, stretch: &Stretch) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; stretch.length];
        match self {
            Self::Memory(kept) => {
                let start = usize::try_from(stretch.start).unwrap_or(usize::MAX);
                kept.get(start..).unwrap_or_default().read_exact(&mut bytes)?;
            }
            Self::File(file) => file.read_exact_at(&mut bytes, stretch.start)?,
        }
        Ok(bytes)
    }
}

/// Some of the items of a stretch, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    sheet: usize,
    first_row: u64,
    skip: u64,
    take: u64,
}

/// Cuts stretches where a sheet or a part is full.
fn cuts(stretches: &[Stretch], sheet_rows: u64, part_rows: u64) -> Vec<(Stretch, Cut)> {
    let (mut cuts, mut sheet, mut first_row) = (Vec::new(), 0, 0);
    for stretch in stretches {
        let mut skip = 0;
        while skip < stretch.items {
            if first_row == sheet_rows {
                (sheet, first_row) = (sheet + 1, 0);
            }
            let take = (stretch.items - skip).min(part_rows).min(sheet_rows - first_row);
            cuts.push((*stretch, Cut { sheet, first_row, skip, take }));
            (skip, first_row) = (skip + take, first_row + take);
        }
    }
    cuts
}

/// Rows of a sheet of items, not yet encoded.
pub struct Part {
    shared: Arc<Shared>,
    kept: Kept,
    stretch: Stretch,
    cut: Cut,
}

impl Part {
    /// Encodes the rows, on any thread.
    ///
    /// # Errors
    /// When what was kept cannot be read, or the bytes cannot be compressed.
    pub fn encode(self) -> domain::Result<Block> {
        let bytes = self.kept.read(&self.stretch).map_err(Error::from)?;
        let mut kept: Box<dyn Read> = match self.stretch.deflated {
            true => Box::new(flate2::read::DeflateDecoder::new(bytes.chain(END.as_slice()))),
            false => Box::new(bytes.as_slice()),
        };
        let places: HashMap<&str, usize> = self.shared.item_keys.iter().map(String::as_str).zip(2..).collect();
        let mut block = Encoder(Arc::clone(&self.shared)).block(self.cut.first_row);
        block.sheet = self.cut.sheet;
        let (mut skip, mut take) = (self.cut.skip, self.cut.take);
        while take > 0 {
            let (row, task, raw) = record(&mut kept).map_err(Error::from)?;
            let (row, id, is_known) = (row.to_string(), format!("\"{task}\""), task != Id::MIN);
            for item in items(&raw) {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if take == 0 {
                    break;
                }
                take -= 1;
                let pairs = json::pairs(item.get()).unwrap_or_else(|_| vec![(VALUE.into(), item.get())]);
                let mut cells = vec![ValueRef::Empty; places.len() + 2];
                cells[0] = if is_known { ValueRef::Json(id.as_str().into()) } else { ValueRef::Empty };
                cells[1] = ValueRef::Json(row.as_str().into());
                for (key, value) in &pairs {
                    if let Some(place) = places.get(&**key) {
                        cells[*place] = ValueRef::Json((*value).into());
                    }
                }
                block.row(&Row::Cells(&cells))?;
            }
        }
        block.finish()
    }
}

/// The next row with items: its place, its task, its list.
fn record(kept: &mut impl Read) -> io::Result<(u64, Id, String)> {
    let (mut number, mut task) = ([0; 8], [0; 12]);
    kept.read_exact(&mut number)?;
    let row = u64::from_le_bytes(number);
    kept.read_exact(&mut task)?;
    kept.read_exact(&mut number)?;
    let mut raw = String::new();
    kept.take(u64::from_le_bytes(number)).read_to_string(&mut raw)?;
    Ok((row, Id(task), raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_sheet_goes_on_in_the_next_and_no_item_is_lost() {
        let stretches = [3, 0, 10, 1].map(|items| Stretch { start: 0, length: 0, items, deflated: true });
        let cuts: Vec<_> = cuts(&stretches, 5, 4).into_iter().map(|(_, cut)| cut).collect();
        let cut = |sheet, first_row, skip, take| Cut { sheet, first_row, skip, take };
        assert_eq!(
            cuts,
            [cut(0, 0, 0, 3), cut(0, 3, 0, 2), cut(1, 0, 2, 4), cut(1, 4, 6, 1), cut(2, 0, 7, 3), cut(2, 3, 0, 1)]
        );
    }
}
