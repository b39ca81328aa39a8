//! Which tasks are meant and in which order. [`Filter::accepts`] and [`Order::compare`] say what is
//! right; this only does it on every core and without decoding what is not looked at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::{Scope, ThreadPool};

use super::codec::{HeaderOnly, Lookup, Named, header};
use super::error::Error;
use super::group::{FULL, Group};
use super::schema::{TaskKey, id_of, key};
use super::sort::{Key, Sorter};
use super::tasks::Walk;
use super::{Rows, View};
use crate::domain::{self, Filter, Id, Order, TaskRead, TimeField};

/// Groups that one job scans before it hands the rest on as two; each has some ten or twenty tasks.
const GROUPS_PER_JOB: usize = 128;

/// Bytes of sort keys and ids that are sorted together; beyond, they go to disk. Each thread of the
/// pool may hold as many, and one more. A million tasks by a time fit where there are two.
const RUN_BYTES: usize = 16 << 20;

/// Which tasks, in which order, and which page of them.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Whose tasks.
    pub organization: Id,
    /// Which of them.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// How many of the first ones are left out.
    pub skip: u64,
    /// How many are wanted at most.
    pub take: Option<u64>,
}

/// What a selection found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// How many match, on all pages.
    pub matched: u64,
    /// Those of the page, in order.
    pub ids: Vec<Id>,
}

impl View {
    /// The tasks that are meant, on the threads of the current rayon pool.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn select(&self, selection: &Selection) -> domain::Result<Selected> {
        self.select_within(selection, RUN_BYTES)
    }

    /// The same on the threads of this pool, unless the calling thread finds all of them itself in the
    /// time that it would take to hand the work over.
    ///
    /// # Errors
    /// As [`View::select`].
    pub fn select_on(&self, pool: &ThreadPool, selection: &Selection) -> domain::Result<Selected> {
        self.select_with(Some(pool), selection, RUN_BYTES)
    }

    /// As [`View::select`], and sorts no more bytes of keys and ids together than these.
    ///
    /// # Errors
    /// When the store cannot be read, or what does not fit cannot be put on disk.
    pub fn select_within(&self, selection: &Selection, run_bytes: usize) -> domain::Result<Selected> {
        self.select_with(None, selection, run_bytes)
    }

    fn select_with(
        &self,
        pool: Option<&ThreadPool>,
        selection: &Selection,
        run_bytes: usize,
    ) -> domain::Result<Selected> {
        let Selection { organization, order, .. } = selection;
        let catalog = self.field_names(*organization)?;
        let looked_at = ["flow", "assignee", "doneBy", "title", "content", "refId", "_id", order.by.as_str()];
        let lookup = Lookup::new(&catalog, looked_at);
        let by = By { pool, selection, lookup: &lookup, run_bytes };
        let selected = match TimeField::named(&order.by) {
            // No moment is as low as the one that stands for none.
            Some(field) => self.select_by(by, true, |task| task.header().time(field).map_or(i64::MIN, |at| at.0)),
            // The id breaks the ties, and here there is nothing but ties.
            // Nor does a count ask for any order.
            None if order.by == "_id" || selection.take == Some(0) || !catalog.contains(&order.by) => {
                self.select_by(by, true, |_| ())
            }
            // Texts lie in allocations of their own. What a heap keeps of them is about what was there at a time.
            None => self.select_by(By { run_bytes: run_bytes / 8, ..by }, false, |task| order.key(task)),
        };
        Ok(selected?)
    }

    fn select_by<K: Key>(
        &self,
        By { pool, selection, lookup, run_bytes }: By<'_>,
        by_header: bool,
        sort_key: impl Fn(&dyn TaskRead) -> K + Send + Sync,
    ) -> Result<Selected, Error> {
        let header_only = by_header && !selection.filter.needs_fields();
        let scan = Scan {
            table: if header_only { &self.headers } else { &self.groups },
            header_only,
            organization: selection.organization,
            filter: &selection.filter,
            lookup,
            sort_key,
            found: Sorter::new(selection, &self.scratch, run_bytes),
            failed: Mutex::default(),
        };
        let rest = match &selection.filter.ids {
            Some(ids) => scan.these(ids).map(|()| None)?,
            None => scan.first_rows(Id::MIN, Id::MAX)?,
        };
        match pool.filter(|_| rest.is_some() || !scan.found.has_few()) {
            Some(pool) => pool.install(|| scan.finish(rest)),
            None => scan.finish(rest),
        }
    }
}

/// What a selection goes by, whatever its keys are.
#[derive(Clone, Copy)]
struct By<'a> {
    pool: Option<&'a ThreadPool>,
    selection: &'a Selection,
    lookup: &'a Lookup<'a>,
    run_bytes: usize,
}

struct Scan<'a, K, F> {
    /// Groups of fronts if nothing else is looked at, of whole records otherwise.
    table: &'a Rows,
    header_only: bool,
    organization: Id,
    filter: &'a Filter,
    lookup: &'a Lookup<'a>,
    sort_key: F,
    found: Sorter<'a, K>,
    failed: Mutex<Option<Error>>,
}

impl<K: Key, F: Fn(&dyn TaskRead) -> K + Sync> Scan<'_, K, F> {
    /// Looks at the rows from the first to the last of those that are left, and puts in order what was found.
    fn finish(self, rest: Option<(Id, Id)>) -> Result<Selected, Error> {
        if let Some((first, last)) = rest {
            rayon::scope(|scope| self.halves(scope, first, last));
        }
        if let Some(error) = self.failed().take() {
            return Err(error);
        }
        let (matched, ids) = self.found.finish()?;
        Ok(Selected { matched, ids })
    }

    /// Scans the first rows between two ids and hands the rest on in two halves. Ids may lie in
    /// clusters, so the halves are measured from the outermost ids that are really there. A group is
    /// a row under its highest id, so that it belongs to one job alone.
    fn range<'s>(&'s self, scope: &Scope<'s>, first: Id, last: Id) {
        if self.failed().is_some() {
            return;
        }
        match self.first_rows(first, last) {
            Ok(None) => {}
            Ok(Some((first, last))) => self.halves(scope, first, last),
            Err(error) => *self.failed() = Some(error),
        }
    }

    fn halves<'s>(&'s self, scope: &Scope<'s>, first: Id, last: Id) {
        let (low, high) = (number(first), number(last));
        let middle = low + (high - low) / 2;
        scope.spawn(move |scope| self.range(scope, id(middle + 1), last));
        scope.spawn(move |scope| self.range(scope, first, id(middle)));
    }

    /// Gives back the first and the last of the rows that are left.
    fn first_rows(&self, first: Id, last: Id) -> Result<Option<(Id, Id)>, Error> {
        if first > last {
            return Ok(None);
        }
        let (low, high) = (key(self.organization, first), key(self.organization, last));
        let mut rows = self.table.range::<&TaskKey>(&low..=&high)?;
        let mut found = Vec::new();
        for row in rows.by_ref().take(GROUPS_PER_JOB) {
            let (key, bytes) = row?;
            self.look_at(id_of(key.value()), bytes.value(), &mut found)?;
        }
        self.found.add(&mut found)?;
        let Some(next) = rows.next() else { return Ok(None) };
        let next = id_of(next?.0.value());
        match rows.next_back() {
            Some(last) => Ok(Some((next, id_of(last?.0.value())))),
            None => Ok(Some((next, next))),
        }
    }

    /// Looks at these tasks only.
    fn these(&self, ids: &[Id]) -> Result<(), Error> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let mut found = Vec::new();
        let mut walk = Walk::new(self.table, self.organization);
        for id in ids {
            if let Some(bytes) = walk.get(id)? {
                found.extend(self.task(id, bytes)?);
            }
            self.found.add(&mut found)?;
        }
        Ok(())
    }

    fn look_at(&self, bound: Id, bytes: &[u8], found: &mut Vec<(K, Id)>) -> Result<(), Error> {
        for (id, bytes) in Group::read(bound, bytes)?.entries() {
            found.extend(self.task(id, bytes)?);
        }
        // A task that is larger than a group may have as large a key.
        if bytes.len() > FULL { self.found.add(found) } else { Ok(()) }
    }

    fn task(&self, id: Id, bytes: &[u8]) -> Result<Option<(K, Id)>, Error> {
        let none = || Error::Record(id);
        Ok(match self.header_only {
            true => self.meant(id, &HeaderOnly(header(id, bytes).ok_or_else(none)?)),
            false => self.meant(id, &Named::read(id, bytes, self.lookup).ok_or_else(none)?),
        })
    }

    fn meant(&self, id: Id, task: &impl TaskRead) -> Option<(K, Id)> {
        self.filter.accepts(task).then(|| ((self.sort_key)(task), id))
    }

    fn failed(&self) -> MutexGuard<'_, Option<Error>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(id: Id) -> u128 {
    let mut bytes = [0; 16];
    bytes[4..].copy_from_slice(&id.0);
    u128::from_be_bytes(bytes)
}

fn id(number: u128) -> Id {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&number.to_be_bytes()[4..]);
    Id(bytes)
}
