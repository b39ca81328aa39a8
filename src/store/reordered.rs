//! Tasks copied to disk in the order in which an export reads them. Neighbours in the order of a text lie
//! far from each other in the store: to read them there would fetch a group of some ten for each of them.
//! So the store is read once, from its first task to its last, and what is wanted of each task is laid into
//! runs, each of which is in the order of the export. A stretch of that order is then read from every run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::View;
use super::error::Error;
use super::projection::Projection;
use super::tasks::{Reader, Record, Walk};
use crate::domain::{self, Id};
use crate::kit::scratch::nameless;

/// Fewer tasks are read where they lie: most of their groups fit in the cache of the store.
const FEW_TASKS: usize = 20_000;
/// Neighbours in the order of an export.
const NEIGHBOURS: usize = 32;
/// How many times as far from each other as in the order of their ids they lie that are far.
const FAR: usize = 8;
/// Ids by which it is told how many others lie below one, at least half as many and no more than these.
const SAMPLE: usize = 16_384;
/// Bytes of a run. Each thread of the pool gathers one at a time.
const RUN_BYTES: usize = 4 << 20;
/// Tasks that one job looks for.
const TASKS_PER_JOB: usize = 32 << 10;
/// Bytes of a record beyond which it has a group nearly of its own, and stays where it is.
const MOST_BYTES: usize = 8 << 10;
/// Bytes of the buffer in front of the file.
const BUFFER_BYTES: usize = 64 << 10;
/// Before each record: its place in the order in four bytes, its length in four.
const HEAD: usize = 8;

/// Copies of what an export wants of its tasks. They are gone with this.
#[derive(Debug)]
pub struct Reordered {
    file: File,
    runs: Vec<Run>,
}

impl Reordered {
    /// Places that are read together: to read fewer takes as long.
    pub const SHELF: usize = 512;
}

#[derive(Debug)]
struct Run {
    start: u64,
    /// Where each shelf begins, counted from the start, and where the last one ends.
    shelves: Vec<u32>,
}

/// Whether tasks that are neighbours in this order lie far from each other in the store.
pub(super) fn is_scattered(ids: &[Id]) -> bool {
    if ids.len() < FEW_TASKS {
        return false;
    }
    let step = ids.len().div_ceil(SAMPLE);
    let mut sample: Vec<Id> = ids.iter().step_by(step).copied().collect();
    sample.sort_unstable();
    let rank = |id: &Id| sample.partition_point(|known| known < id) * step;
    let is_far = |neighbours: &&[Id]| match (neighbours.iter().min(), neighbours.iter().max()) {
        (Some(first), Some(last)) => rank(last) - rank(first) > FAR * NEIGHBOURS,
        _ => false,
    };
    // Some may be far from the rest: what counts is what most of them do.
    let neighbours = ids.chunks(NEIGHBOURS);
    neighbours.clone().filter(is_far).count() * 2 > neighbours.len()
}

impl View {
    /// Copies what is wanted of these tasks, in this order: `fields`, or all of it. Nothing where that would
    /// not pay. It runs on the threads of the current rayon pool and asks `go_on` now and then.
    ///
    /// # Errors
    /// Those of `go_on`; `Internal` when the store cannot be read, or one of the tasks is not there.
    pub fn reordered(
        &self,
        organization: Id,
        ids: &[Id],
        fields: Option<&[String]>,
        go_on: &(dyn Fn() -> domain::Result<()> + Sync),
    ) -> domain::Result<Option<Reordered>> {
        // A place takes four bytes.
        if !is_scattered(ids) || u32::try_from(ids.len()).is_err() {
            return Ok(None);
        }
        self.copied(organization, ids, fields, RUN_BYTES, go_on).map(Some)
    }

    fn copied(
        &self,
        organization: Id,
        ids: &[Id],
        fields: Option<&[String]>,
        run_bytes: usize,
        go_on: &(dyn Fn() -> domain::Result<()> + Sync),
    ) -> domain::Result<Reordered> {
        let catalog = self.field_names(organization)?;
        let numbers: Option<Vec<u32>> =
            fields.map(|fields| fields.iter().filter_map(|name| catalog.number(name)).collect());
        // All of it is there once for each export: places take a third of what ids do.
        let mut by_id: Vec<u32> = (0..ids.len() as u32).collect();
        by_id.par_sort_unstable_by_key(|place| ids.get(*place as usize));
        let file = nameless(&self.scratch).map_err(Error::Scratch)?;
        let laying = Laying { file: &file, shelves: ids.len().div_ceil(Reordered::SHELF), laid: Mutex::default() };
        let jobs: Vec<&[u32]> = by_id.chunks(TASKS_PER_JOB).collect();
        jobs.par_iter().with_max_len(1).try_for_each(|places| -> domain::Result<()> {
            go_on()?;
            let mut walk = Walk::new(&self.groups, organization);
            let mut gathered = Gathered::new(numbers.as_deref(), run_bytes);
            for place in *places {
                let id = *ids.get(*place as usize).ok_or_else(broken)?;
                let bytes = walk.get(id)?.ok_or(Error::Missing(id))?;
                gathered.add(id, *place, bytes)?;
                if gathered.bytes.len() >= run_bytes {
                    laying.lay(&mut gathered)?;
                }
            }
            Ok(laying.lay(&mut gathered)?)
        })?;
        let runs = laying.laid.into_inner().unwrap_or_else(PoisonError::into_inner).runs;
        Ok(Reordered { file, runs })
    }
}

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
        let mut reader = Reader::new(&*self.field_names(organization)?, fields);
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

fn broken() -> Error {
    Error::Scratch(io::Error::other("copies of tasks are not as they were written"))
}

/// Where runs are written to.
struct Laying<'a> {
    file: &'a File,
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
struct Gathered {
    projection: Option<Projection>,
    bytes: Vec<u8>,
    /// The place of each record and where it lies; it has no bytes if it stays in the store.
    records: Vec<(u32, Range<u32>)>,
}

impl Gathered {
    /// With room for a run, so that it grows no further.
    fn new(numbers: Option<&[u32]>, run_bytes: usize) -> Self {
        let bytes = Vec::with_capacity(run_bytes + 2 * MOST_BYTES);
        Self { projection: numbers.map(Projection::new), bytes, records: Vec::new() }
    }

    fn add(&mut self, id: Id, place: u32, bytes: &[u8]) -> Result<(), Error> {
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

impl Laying<'_> {
    /// Writes the records in the order of their places, and empties them.
    fn lay(&self, gathered: &mut Gathered) -> Result<(), Error> {
        let Gathered { bytes, records, .. } = gathered;
        if records.is_empty() {
            return Ok(());
        }
        records.sort_unstable_by_key(|(place, _)| *place);
        let length = (bytes.len() + records.len() * HEAD) as u64;
        let start = self.reserve(length);
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, At { file: self.file, place: start });
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Task;
    use crate::store::Store;

    const OURS: Id = Id([1; 12]);

    fn id(number: u64) -> Id {
        let mut bytes = [7; 12];
        bytes[4..].copy_from_slice(&number.to_be_bytes());
        Id(bytes)
    }

    /// Another order of the numbers below, each time the same.
    fn shuffled(count: u64) -> Vec<Id> {
        let mut ids: Vec<Id> = (0..count).map(id).collect();
        ids.sort_by_key(|id| {
            id.0[8..].iter().fold(0_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x9E37_79B1))
        });
        ids
    }

    /// A store with so many tasks, some of them too large to be copied.
    fn store(count: u64) -> (tempfile::TempDir, Store) {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&data.path().join("waybill.redb"), 8 << 20).unwrap();
        let task = |number: u64| {
            let long = "x".repeat(if number.is_multiple_of(97) { MOST_BYTES } else { number as usize % 50 });
            let json = format!(r#"{{"_id":"{}","k":{number},"long":"{long}","{}":"own"}}"#, id(number), number % 7);
            Task::stored(&json).unwrap()
        };
        let tasks: Vec<Task> = (0..count).map(task).collect();
        store.edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
        (data, store)
    }

    type Told = (Id, Vec<Option<Vec<u8>>>, Option<String>);

    fn told(record: &Record<'_>, whole: bool) -> Told {
        let cells = record.cells.iter().map(|cell| cell.json().unwrap().map(|json| json.as_bytes().to_vec())).collect();
        (record.id, cells, whole.then(|| record.json().unwrap().to_owned()))
    }

    #[test]
    fn few_tasks_and_those_that_lie_nearly_in_order_are_read_where_they_lie() {
        let ascending: Vec<Id> = (0..30_000).map(id).collect();
        let jumping: Vec<Id> = (0..30_000).map(|number| id(number ^ 63)).collect();
        let descending: Vec<Id> = ascending.iter().rev().copied().collect();
        for near in [&ascending, &jumping, &descending, &shuffled(FEW_TASKS as u64 - 1), &vec![id(1); 30_000]] {
            assert!(!is_scattered(near));
        }
        let in_passes = |passes: u64| -> Vec<Id> {
            (0..passes).flat_map(|pass| (0..30_000 / passes).map(move |number| id(number * passes + pass))).collect()
        };
        let with_some_far: Vec<Id> =
            (0..30_000).map(|number| id(if number % 100 == 0 { number * 7_919 % 30_000 } else { number })).collect();
        assert!(!is_scattered(&in_passes(3)) && !is_scattered(&with_some_far));
        assert!(is_scattered(&in_passes(100)) && is_scattered(&shuffled(30_000)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn copies_tell_what_the_tasks_tell(
            count in 1_u64..2_500,
            whole in any::<bool>(),
            run_bytes in prop_oneof![Just(1_usize), 1_000_usize..200_000],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            step in 1_usize..700,
        ) {
            let (_data, store) = store(count);
            let (view, ids) = (store.view().unwrap(), shuffled(count));
            let fields = ["3", "k", "nowhere", "long", "_id"].map(str::to_owned);
            let wanted = (!whole).then_some(&fields[..]);
            let copies = view.copied(OURS, &ids, wanted, run_bytes, &|| Ok(())).unwrap();
            let mut there = Vec::new();
            view.read(OURS, &ids, &fields, &mut |record| { there.push(told(record, whole)); Ok(()) }).unwrap();
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(ids.len())).collect();
            ends.sort_unstable();
            ends.push(ids.len());
            let mut start = 0;
            for end in ends {
                let places = || (start..end).step_by(step);
                let mut here = Vec::new();
                view.read_reordered((&copies, OURS, &ids), &mut places(), &fields, &mut |record| {
                    here.push(told(record, whole));
                    Ok(())
                }).unwrap();
                let wanted: Vec<Told> = places().map(|place| there[place].clone()).collect();
                prop_assert_eq!(here, wanted);
                start = end;
            }
        }
    }

    #[test]
    fn whoever_is_told_to_stop_does() {
        let (_data, store) = store(100);
        let stop = || Err(domain::Error::invalid("enough"));
        let stopped = store.view().unwrap().copied(OURS, &shuffled(100), None, RUN_BYTES, &stop).unwrap_err();
        assert_eq!(stopped.message, "enough");
    }
}
