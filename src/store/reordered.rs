//! Tasks copied to disk in the order in which an export reads them. Neighbours in the order of a text lie
//! far from each other in the store: to read them there would fetch a group of some ten for each of them.
//! So the store is read once, from its first task to its last, and what is wanted of each task is laid into
//! runs, each of which is in the order of the export. A stretch of that order is then read from every run.
//!
//! In reading order: `laying` (how runs are written), `shelf` (how they are read).

mod laying;
mod shelf;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::View;
use super::error::Error;
use super::tasks::Walk;
use crate::domain::{self, Id};
use crate::kit::scratch::nameless;
use laying::{Gathered, Laying};

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

/// Whether tasks that are neighbours in this order lie so far from each other in the store, and are so many,
/// that to read them there takes longer than to copy them in this order first.
pub fn is_scattered(ids: &[Id]) -> bool {
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

/// The places of these ids in the order of the ids. Four bytes hold those of as many as an export may have;
/// they take a third of what ids do.
pub(super) fn places_by_id(ids: &[Id]) -> Vec<u32> {
    let mut places: Vec<u32> = (0..ids.len() as u32).collect();
    places.par_sort_unstable_by_key(|place| ids.get(*place as usize));
    places
}

impl View {
    /// Copies what is wanted of these tasks, in this order: `fields`, or all of it. It runs on the threads of
    /// the current rayon pool and asks `go_on` now and then.
    ///
    /// # Errors
    /// Those of `go_on`; `Internal` when the store cannot be read, one of the tasks is not there, or the copies
    /// cannot be written.
    pub fn reordered(
        &self,
        organization: Id,
        ids: &[Id],
        fields: Option<&[String]>,
        go_on: &(dyn Fn() -> domain::Result<()> + Sync),
    ) -> domain::Result<Reordered> {
        self.reordered_in_runs(organization, ids, fields, RUN_BYTES, go_on)
    }

    fn reordered_in_runs(
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
        let by_id = places_by_id(ids);
        let laying = Laying::new(nameless(&self.scratch).map_err(Error::Scratch)?, ids.len());
        let jobs: Vec<&[u32]> = by_id.chunks(TASKS_PER_JOB).collect();
        jobs.par_iter().with_max_len(1).try_for_each(|places| -> domain::Result<()> {
            go_on()?;
            let mut walk = Walk::new(&self.groups, organization);
            let mut gathered = Gathered::new(numbers.as_deref(), run_bytes);
            for place in *places {
                let id = *ids.get(*place as usize).ok_or_else(broken)?;
                let bytes = walk.get(id)?.ok_or(Error::Missing(id))?;
                gathered.add(id, *place, bytes)?;
                if gathered.bytes() >= run_bytes {
                    laying.lay(&mut gathered)?;
                }
            }
            Ok(laying.lay(&mut gathered)?)
        })?;
        Ok(laying.finish())
    }
}

fn broken() -> Error {
    Error::Scratch(io::Error::other("copies of tasks are not as they were written"))
}
