//! Which tasks make which rows: counted before the first of them is written where scripts decide, and
//! cut into the spans that become blocks.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::app::App;
use crate::domain::limits::MAX_TOLD_FAULTS;
use crate::domain::{Error, Id, Result, ScriptFault};
use crate::kit::meter::Meter;
use crate::kit::ordered::ordered;
use crate::render::Row;
use crate::store::Reordered;

use super::Plan;
use super::run::go_on;
use super::scripted::Scripted;
use super::shape::{Fate, Told};
use super::source::Source;

/// Tasks whose rows are counted at once.
const TASKS_PER_COUNT: usize = Reordered::SHELF;

/// How many rows each task becomes, by its place among the ids of the plan.
pub(super) struct Counts {
    rows: Vec<u32>,
    /// The faults of flow scripts. Those that nobody will be told one by one have no text.
    failed: HashMap<usize, Arc<ScriptFault>>,
}

impl Counts {
    /// Asks the scripts of flows about every task.
    ///
    /// # Errors
    /// `Canceled` when told to stop; `Invalid` at the first fault if it is to end the export.
    pub(super) fn take(app: &App, tasks: Source<'_>, scripted: &Scripted, fails: bool, meter: &Meter) -> Result<Self> {
        let count = |mut places: Range<usize>| -> Result<Vec<Result<u32, ScriptFault>>> {
            go_on(meter)?;
            let mut counted = Vec::with_capacity(places.len());
            tasks.read(&mut places, scripted.looked_at(), &mut |record| {
                let count = scripted.count(record)?;
                if let (true, Err(fault)) = (fails, &count) {
                    return Err(stopped(record.id, fault));
                }
                counted.push(count);
                Ok(())
            })?;
            Ok(counted)
        };
        let all = tasks.ids.len();
        let chunks = (0..all).step_by(TASKS_PER_COUNT).map(|first| first..all.min(first + TASKS_PER_COUNT));
        let mut counts = Self { rows: Vec::with_capacity(all), failed: HashMap::new() };
        let mut untold = BTreeMap::new();
        ordered(app.pool_for(Some(all as u64)), chunks, count, |counted| {
            go_on(meter)?;
            counted.into_iter().for_each(|count| counts.push(count, &mut untold));
            Ok::<_, Error>(())
        })?;
        Ok(counts)
    }

    fn push(&mut self, count: Result<u32, ScriptFault>, untold: &mut BTreeMap<String, Arc<ScriptFault>>) {
        if let Err(fault) = &count {
            let fault = if self.failed.len() < MAX_TOLD_FAULTS {
                Arc::new(fault.clone())
            } else {
                let without_text = || ScriptFault { line: None, column: None, text: String::new(), ..fault.clone() };
                Arc::clone(untold.entry(fault.script.clone()).or_insert_with(|| Arc::new(without_text())))
            };
            self.failed.insert(self.rows.len(), fault);
        }
        // What fails keeps its plain values, which are one row.
        self.rows.push(count.unwrap_or(1));
    }

    /// All rows together.
    pub(super) fn total(&self) -> u64 {
        self.rows.iter().map(|rows| u64::from(*rows)).sum()
    }

    /// The tasks that have rows, by their places.
    pub(super) fn tasks(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.rows.iter().enumerate().filter(|(_, rows)| **rows > 0).map(|(place, _)| place)
    }

    fn of(&self, place: usize) -> u32 {
        self.rows.get(place).copied().unwrap_or_default()
    }

    fn fate(&self, place: usize) -> Fate<'_> {
        match self.failed.get(&place) {
            Some(fault) => Fate::Failed(fault),
            None => Fate::Counted(self.of(place)),
        }
    }
}

/// An export that is to end at its first fault.
pub(super) fn stopped(task: Id, fault: &ScriptFault) -> Error {
    Error::invalid(format!("The export was stopped by a fault at task {task}: {fault}"))
}

/// Neighbouring rows and the tasks that they are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// The first row, from 0.
    pub first_row: u64,
    /// How many rows there are.
    pub rows: u64,
    /// The tasks, by their places.
    tasks: Range<usize>,
    /// How many rows of the first task belong to the span before.
    skip: u32,
}

/// The spans of so many tasks. Each but the last has at least `rows` rows, or exactly so many where
/// the rows of one task may be in two spans.
pub(super) struct Spans<'a> {
    counts: Option<&'a Counts>,
    tasks: usize,
    rows: u64,
    exact: bool,
    next: Span,
}

impl<'a> Spans<'a> {
    pub(super) fn new(plan: &'a Plan, rows: usize, exact: bool) -> Self {
        Self::of(plan.ids.len(), plan.counts.as_ref(), rows as u64, exact)
    }

    fn of(tasks: usize, counts: Option<&'a Counts>, rows: u64, exact: bool) -> Self {
        Self { counts, tasks, rows, exact, next: Span { first_row: 0, rows: 0, tasks: 0..0, skip: 0 } }
    }
}

impl Iterator for Spans<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let mut span = self.next.clone();
        let mut skip = span.skip;
        let mut place = span.tasks.start;
        while place < self.tasks && span.rows < self.rows {
            let left = u64::from(self.counts.map_or(1, |counts| counts.of(place)) - skip);
            let room = self.rows - span.rows;
            if self.exact && left > room {
                skip += room as u32;
                span.rows += room;
            } else {
                span.rows += left;
                (place, skip) = (place + 1, 0);
            }
        }
        span.tasks.end = if skip > 0 { place + 1 } else { place };
        self.next = Span { first_row: span.first_row + span.rows, rows: 0, tasks: place..place, skip };
        (span.rows > 0).then_some(span)
    }
}

impl Plan {
    /// Shows the rows of a span to `each`.
    ///
    /// # Errors
    /// Those of `each`, which stop it; `Invalid` at the first fault if it is to end the export.
    pub(super) fn each_row(
        &self,
        span: &Span,
        told: &mut Told,
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let has_rows = |place: &usize| self.counts.as_ref().is_none_or(|counts| counts.of(*place) > 0);
        let mut places = span.tasks.clone().filter(has_rows);
        let (mut skip, mut left) = (span.skip, span.rows);
        self.source().read(&mut places.clone(), self.shape.keys(), &mut |record| {
            let fate = match (&self.counts, places.next()) {
                (Some(counts), Some(place)) => counts.fate(place),
                _ => Fate::Open,
            };
            // The faults of a task are told where its rows begin.
            let mut told_before = Told::default();
            let told = if skip > 0 { &mut told_before } else { &mut *told };
            self.shape.rows(record, fate, told, &mut |row| {
                if skip > 0 {
                    skip -= 1;
                    return Ok(());
                }
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                each(row)
            })?;
            match told.faults.first().first().filter(|_| self.fails) {
                Some(fault) => Err(stopped(fault.task, &fault.fault)),
                None => Ok(()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(rows: &[u32], per_span: u64, exact: bool) -> Vec<(u64, u64, Range<usize>, u32)> {
        let counts = Counts { rows: rows.to_vec(), failed: HashMap::new() };
        let spans = Spans::of(rows.len(), Some(&counts), per_span, exact);
        spans.map(|span| (span.first_row, span.rows, span.tasks, span.skip)).collect()
    }

    #[test]
    fn every_row_is_in_one_span_and_tasks_without_rows_in_none_of_their_own() {
        let rows = [1, 0, 3, 0, 0, 7, 1, 0];
        assert_eq!(spans(&rows, 3, false), [(0, 4, 0..3, 0), (4, 7, 3..6, 0), (11, 1, 6..8, 0)]);
        assert_eq!(spans(&rows, 3, true), [(0, 3, 0..3, 0), (3, 3, 2..6, 2), (6, 3, 5..6, 2), (9, 3, 5..7, 5)]);
        assert_eq!(spans(&[0, 0], 3, true), []);
        assert_eq!(Spans::of(7, None, 3, true).map(|span| span.tasks).collect::<Vec<_>>(), [0..3, 3..6, 6..7]);
    }

    #[test]
    fn faults_that_nobody_is_told_of_share_one_without_a_text() {
        let mut counts = Counts { rows: Vec::new(), failed: HashMap::new() };
        let mut untold = BTreeMap::new();
        let fault = |text: String| ScriptFault { script: "flows/a".to_owned(), line: Some(1), column: None, text };
        (0..MAX_TOLD_FAULTS + 2).for_each(|n| counts.push(Err(fault(n.to_string())), &mut untold));
        let of = |place: usize| &counts.failed[&place];
        assert_eq!((of(0).text.as_str(), of(MAX_TOLD_FAULTS - 1).line), ("0", Some(1)));
        assert!(Arc::ptr_eq(of(MAX_TOLD_FAULTS), of(MAX_TOLD_FAULTS + 1)) && of(MAX_TOLD_FAULTS).text.is_empty());
        assert_eq!(counts.total(), MAX_TOLD_FAULTS as u64 + 2);
    }
}
