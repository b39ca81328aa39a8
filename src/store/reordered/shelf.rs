//! How runs are read: the copies of neighbouring places together.

use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::super::View;
use super::super::error::Error;
use super::super::tasks::{Reader, Record, Walk};
use super::{HEAD, Reordered, broken};
use crate::domain::{self, Id};

impl View {
    /// Shows the tasks of these places, which ascend, to `each`, with the raw values of `fields`. The copies
    /// are of `ids`, and have these fields.
    ///
    /// # Errors
    /// Those of `each`, which stop it; `Internal` when one of the tasks is not there or no text.
    pub fn read_reordered(
        &self,
        (copies, organization, ids): (&Reordered, Id, &[Id]),
        places: &mut dyn Iterator<Item = usize>,
        fields: &[String],
        each: &mut dyn FnMut(&Record<'_>) -> domain::Result<()>,
    ) -> domain::Result<()> {
        let mut reader = Reader::new(self.field_names(organization)?, fields);
        let mut walk = Walk::new(&self.groups, organization);
        let mut shelf = Shelf::default();
        for place in places {
            let id = *ids.get(place).ok_or_else(broken)?;
            if shelf.number != Some(place / Reordered::SHELF) {
                shelf.fill(copies, place / Reordered::SHELF)?;
            }
            let copy = shelf.record(place)?;
            let bytes = if copy.is_empty() { walk.get(id)?.ok_or(Error::Missing(id))? } else { copy };
            reader.show(id, bytes, each)?;
        }
        Ok(())
    }
}

/// The copies of neighbouring places.
#[derive(Default)]
struct Shelf {
    number: Option<usize>,
    bytes: Vec<u8>,
    /// Where the record of each place lies.
    records: Vec<Range<usize>>,
}

impl Shelf {
    fn fill(&mut self, copies: &Reordered, number: usize) -> Result<(), Error> {
        self.bytes.clear();
        for run in &copies.runs {
            let (Some(start), Some(end)) = (run.shelves.get(number), run.shelves.get(number + 1)) else { continue };
            let filled = self.bytes.len();
            self.bytes.resize(filled + (end - start) as usize, 0);
            let part = self.bytes.get_mut(filled..).unwrap_or_default();
            copies.file.read_exact_at(part, run.start + u64::from(*start)).map_err(Error::Scratch)?;
        }
        self.records.clear();
        self.records.resize(Reordered::SHELF, 0..0);
        let mut at = 0;
        while let Some(head) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<HEAD>()) {
            let [a, b, c, d, length @ ..] = *head;
            let place = u32::from_le_bytes([a, b, c, d]) as usize;
            let start = at + HEAD;
            at = start + u32::from_le_bytes(length) as usize;
            *self.records.get_mut(place % Reordered::SHELF).ok_or_else(broken)? = start..at;
        }
        self.number = Some(number);
        Ok(())
    }

    fn record(&self, place: usize) -> Result<&[u8], Error> {
        let record = self.records.get(place % Reordered::SHELF).ok_or_else(broken)?;
        self.bytes.get(record.clone()).ok_or_else(broken)
    }
}
