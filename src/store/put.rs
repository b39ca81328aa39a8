//! Writing tasks.

use std::sync::Arc;

use redb::{ReadableTable, Table, WriteTransaction};

use super::batch::Batch;
use super::codec;
use super::error::Error;
use super::group::{self, Entry, Group, Spread};
use super::schema::{self, TaskKey, field_key, key};
use super::tasks::group_of;
use super::{Catalog, Edit};
use crate::domain::{self, Id, Task};

/// What putting a task did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There was none of this id.
    Added,
    /// There was one, which is gone.
    Replaced,
}

impl Edit<'_> {
    /// Stores the tasks, each in place of one with its id.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_tasks(&mut self, organization: Id, tasks: &[Task]) -> domain::Result<Vec<Put>> {
        let mut catalog = self.field_names(organization)?;
        let mut batch = Batch::new(organization, catalog.clone());
        let added = tasks.iter().try_for_each(|task| batch.add_to(&mut catalog, task));
        self.grow(organization, catalog)?;
        added?;
        Ok(self.write(&batch)?)
    }

    /// Stores the tasks of a batch, each in place of one with its id.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_batch(&mut self, mut batch: Batch) -> domain::Result<Vec<Put>> {
        let mut catalog = self.field_names(batch.organization)?;
        let numbered = batch.number(&mut catalog);
        self.grow(batch.organization, catalog)?;
        numbered?;
        Ok(self.write(&batch)?)
    }

    /// Keeps the names that a catalogue has gained.
    fn grow(&mut self, organization: Id, catalog: Arc<Catalog>) -> Result<(), Error> {
        let known = self.field_names(organization)?.names().count();
        let mut table = self.transaction.open_table(schema::FIELDS)?;
        for (number, name) in (0..).zip(catalog.names()).skip(known) {
            table.insert(&field_key(organization, number), name.as_bytes())?;
        }
        drop(table);
        self.grown.insert(organization, catalog);
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<Vec<Put>, Error> {
        let organization = batch.organization;
        let mut tables = Tables::open(self.transaction)?;
        let sorted = batch.sorted();
        let mut puts = vec![Put::Replaced; sorted.len()];
        let mut rest = sorted.as_slice();
        while let Some((id, _)) = rest.first() {
            let stored = Stored::of(&tables.groups, organization, *id)?;
            let (here, above) = rest.split_at(rest.partition_point(|(id, _)| *id <= stored.bound));
            rest = above;
            let old = stored.entries()?;
            for same in here.chunk_by(|a, b| a.0 == b.0) {
                let [.., (id, first)] = same else { continue };
                if old.binary_search_by_key(id, |(id, _)| *id).is_err() {
                    puts[first.0] = Put::Added;
                }
            }
            let mut fresh = batch.entries(here);
            // Of several with one id the last that was given comes first, and stays.
            fresh.dedup_by_key(|(id, _)| *id);
            tables.insert(organization, stored.bound, &old, &fresh)?;
        }
        Ok(puts)
    }
}

/// The tables that hold tasks.
pub(super) struct Tables<'a> {
    groups: Groups<'a>,
    headers: Groups<'a>,
}

type Groups<'a> = Table<'a, &'static TaskKey, &'static [u8]>;

impl<'a> Tables<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, Error> {
        let groups = transaction.open_table(schema::TASK_GROUPS)?;
        Ok(Self { groups, headers: transaction.open_table(schema::HEADER_GROUPS)? })
    }

    /// Stores records that ascend, all of them above what the organisation has.
    pub(super) fn append(&mut self, organization: Id, records: &[(Id, Vec<u8>)]) -> Result<(), Error> {
        let Some((lowest, _)) = records.first() else { return Ok(()) };
        let stored = Stored::of(&self.groups, organization, *lowest)?;
        let fresh: Vec<Entry<'_>> = records.iter().map(|(id, record)| (*id, record.as_slice())).collect();
        self.insert(organization, stored.bound, &stored.entries()?, &fresh)
    }

    /// Writes a group anew with what is fresh in it, as several where it grew too large. Both ascend; of
    /// several with one id the first of the fresh ones stays.
    fn insert(&mut self, organization: Id, bound: Id, old: &[Entry<'_>], fresh: &[Entry<'_>]) -> Result<(), Error> {
        let lowest = fresh.first().map(|(id, _)| *id);
        let is_load = bound == Id::MAX && old.last().map(|(id, _)| *id) < lowest;
        let spread = if is_load { Spread::Full } else { Spread::Even };
        let mut all = [fresh, old].concat();
        // What is fresh stays before what it replaces.
        all.sort_by_key(|(id, _)| *id);
        all.dedup_by_key(|(id, _)| *id);
        let mut parts = group::cut(&all, spread).into_iter().peekable();
        let (mut bytes, mut fronts) = (Vec::new(), Vec::new());
        while let Some(part) = parts.next() {
            let last = part.last().filter(|_| parts.peek().is_some());
            let key = key(organization, last.map_or(bound, |(id, _)| *id));
            group::encode(part, &mut bytes);
            self.groups.insert(&key, bytes.as_slice())?;
            fronts.clear();
            fronts.extend(part.iter().map(|(id, record)| (*id, codec::front(record))));
            group::encode(&fronts, &mut bytes);
            self.headers.insert(&key, bytes.as_slice())?;
        }
        Ok(())
    }
}

/// A group as it was before tasks are put into it.
struct Stored {
    bound: Id,
    /// None where the organisation has no group yet.
    bytes: Option<Vec<u8>>,
}

impl Stored {
    fn of(
        groups: &impl ReadableTable<&'static TaskKey, &'static [u8]>,
        organization: Id,
        id: Id,
    ) -> Result<Self, Error> {
        Ok(match group_of(groups, organization, id)? {
            Some((bound, value)) => Self { bound, bytes: Some(value.value().to_vec()) },
            None => Self { bound: Id::MAX, bytes: None },
        })
    }

    fn entries(&self) -> Result<Vec<Entry<'_>>, Error> {
        match &self.bytes {
            Some(bytes) => Ok(Group::read(self.bound, bytes)?.entries().collect()),
            None => Ok(Vec::new()),
        }
    }
}
