//! How runs are written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::error::Error;
use super::super::projection::Projection;
use super::{HEAD, Reordered, Run};
use crate::domain::Id;

/// Bytes of a record beyond which it has a group nearly of its own, and stays where it is.
pub(super) const MOST_BYTES: usize = 8 << 10;
/// Bytes of the buffer in front of the file.
const BUFFER_BYTES: usize = 64 << 10;

/// Where runs are written to, by several threads at a time.
pub(super) struct Laying {
    file: File,
    shelves: usize,
    laid: Mutex<Laid>,
}

/// What is in the file so far, or will be when those have written who write.
#[derive(Default)]
struct Laid {
    end: u64,
    runs: Vec<Run>,
}

/// Records that become a run.
pub(super) struct Gathered {
    projection: Option<Projection>,
    bytes: Vec<u8>,
    /// The place of each record and where it lies; it has no bytes if it stays in the store.
    records: Vec<(u32, Range<u32>)>,
}

impl Gathered {
    /// With room for a run, so that it grows no further.
    pub(super) fn new(numbers: Option<&[u32]>, run_bytes: usize) -> Self {
        let bytes = Vec::with_capacity(run_bytes + 2 * MOST_BYTES);
        Self { projection: numbers.map(Projection::new), bytes, records: Vec::new() }
    }

    /// Bytes of the records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds what is wanted of a record.
    pub(super) fn add(&mut self, id: Id, place: u32, bytes: &[u8]) -> Result<(), Error> {
        let start = self.bytes.len();
        match &mut self.projection {
            None if bytes.len() <= MOST_BYTES => self.bytes.extend_from_slice(bytes),
            None => {}
            Some(projection) => {
                projection.write(bytes, &mut self.bytes).ok_or(Error::Record(id))?;
                if self.bytes.len() - start > MOST_BYTES {
                    self.bytes.truncate(start);
                }
            }
        }
        // They are far fewer than four bytes can tell.
        self.records.push((place, start as u32..self.bytes.len() as u32));
        Ok(())
    }
}

impl Laying {
    /// Into this file, for so many tasks.
    pub(super) fn new(file: File, tasks: usize) -> Self {
        Self { file, shelves: tasks.div_ceil(Reordered::SHELF), laid: Mutex::default() }
    }

    /// What was laid.
    pub(super) fn finish(self) -> Reordered {
        let Laid { runs, .. } = self.laid.into_inner().unwrap_or_else(PoisonError::into_inner);
        Reordered { file: self.file, runs }
    }

    /// Writes the records in the order of their places, and empties them.
    pub(super) fn lay(&self, gathered: &mut Gathered) -> Result<(), Error> {
        let Gathered { bytes, records, .. } = gathered;
        if records.is_empty() {
            return Ok(());
        }
        records.sort_unstable_by_key(|(place, _)| *place);
        let start = self.reserve((bytes.len() + records.len() * HEAD) as u64);
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, At { file: &self.file, place: start });
        let (mut shelves, mut at) = (Vec::with_capacity(self.shelves + 1), 0);
        for (place, record) in records.drain(..) {
            shelves.resize(shelves.len().max(place as usize / Reordered::SHELF + 1), at);
            let length = record.len() as u32;
            let copy = bytes.get(record.start as usize..record.end as usize).unwrap_or_default();
            let parts = [&place.to_le_bytes()[..], &length.to_le_bytes(), copy];
            parts.iter().try_for_each(|part| out.write_all(part)).map_err(Error::Scratch)?;
            at += HEAD as u32 + length;
        }
        out.flush().map_err(Error::Scratch)?;
        shelves.resize(self.shelves + 1, at);
        bytes.clear();
        self.laid().runs.push(Run { start, shelves });
        Ok(())
    }

    /// Where so many bytes may be written.
    fn reserve(&self, bytes: u64) -> u64 {
        let mut laid = self.laid();
        laid.end += bytes;
        laid.end - bytes
    }

    fn laid(&self) -> MutexGuard<'_, Laid> {
        self.laid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is written from a place on, while others write elsewhere.
struct At<'a> {
    file: &'a File,
    place: u64,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.place)?;
        self.place += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
