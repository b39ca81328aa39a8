//! Writing tasks and reading them again.

use std::sync::Arc;

use redb::{AccessGuard, ReadableTable, Table};

use super::batch::Batch;
use super::codec;
use super::error::Error;
use super::group::{self, Entry, Group, Spread};
use super::schema::{self, TaskKey, field_key, id_of, key};
use super::wanted::Wanted;
use super::{Catalog, Edit, Rows, View};
use crate::domain::{self, Id, Task, ValueRef};

/// What putting a task did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There was none of this id.
    Added,
    /// There was one, which is gone.
    Replaced,
}

/// A task as [`View::read`] shows it.
#[derive(Debug)]
pub struct Record<'a> {
    /// The task.
    pub id: Id,
    record: &'a codec::Record<'a>,
    /// The value of each field that was asked for, in that order.
    pub cells: &'a [ValueRef<'a>],
}

impl<'a> Record<'a> {
    /// The flow it is in.
    pub fn flow(&self) -> Option<Id> {
        self.record.flow()
    }

    /// The whole task as compact JSON.
    ///
    /// # Errors
    /// `Internal` when the bytes in the store are none.
    pub fn json(&self) -> domain::Result<&'a str> {
        Ok(self.record.json().ok_or(Error::Record(self.id))?)
    }
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
        let mut groups = self.transaction.open_table(schema::TASK_GROUPS)?;
        let mut headers = self.transaction.open_table(schema::HEADERS)?;
        let sorted = batch.sorted();
        let mut puts = vec![Put::Replaced; sorted.len()];
        let mut rest = sorted.as_slice();
        while let Some((id, _)) = rest.first() {
            let stored = Stored::of(&groups, organization, *id)?;
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
            for (id, record) in &fresh {
                headers.insert(&key(organization, *id), codec::front(record))?;
            }
            insert(&mut groups, organization, stored.bound, &old, &fresh)?;
        }
        Ok(puts)
    }

    /// The JSON of a task as this edit has it so far; nothing if it is deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn task(&self, organization: Id, id: Id) -> domain::Result<Option<String>> {
        let groups = self.transaction.open_table(schema::TASK_GROUPS).map_err(Error::from)?;
        Ok(task(&groups, organization, id)?)
    }
}

impl View {
    /// The JSON of a task; nothing if it is deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn task(&self, organization: Id, id: Id) -> domain::Result<Option<String>> {
        Ok(task(&self.groups, organization, id)?)
    }

    /// Shows these tasks to `each`, in the order of `ids`, with the raw values of `fields`.
    ///
    /// # Errors
    /// Those of `each`, which stop it; `Internal` when one of the tasks is not there or no text.
    pub fn read(
        &self,
        organization: Id,
        ids: &[Id],
        fields: &[String],
        each: &mut dyn FnMut(&Record<'_>) -> domain::Result<()>,
    ) -> domain::Result<()> {
        let mut reader = Reader::new(&*self.field_names(organization)?, fields);
        let mut walk = Walk::new(&self.groups, organization);
        for id in ids {
            let bytes = walk.get(*id)?.ok_or(Error::Missing(*id))?;
            reader.show(*id, bytes, each)?;
        }
        Ok(())
    }
}

/// Shows records one after another, with the values of some fields.
pub(super) struct Reader {
    wanted: Wanted,
    /// Memory for the values of the next record.
    unused: Vec<ValueRef<'static>>,
}

impl Reader {
    pub(super) fn new(catalog: &Catalog, fields: &[String]) -> Self {
        Self { wanted: Wanted::new(catalog, fields), unused: Vec::with_capacity(fields.len()) }
    }

    /// # Errors
    /// Those of `each`; `Internal` when the task was deleted or its bytes are none.
    pub(super) fn show(
        &mut self,
        id: Id,
        bytes: &[u8],
        each: &mut dyn FnMut(&Record<'_>) -> domain::Result<()>,
    ) -> domain::Result<()> {
        let record = codec::Record::read(bytes).ok_or(Error::Record(id))?;
        if record.is_deleted() {
            return Err(Error::Missing(id).into());
        }
        let mut cells = emptied(std::mem::take(&mut self.unused));
        self.wanted.take(&record, &mut cells).ok_or(Error::Record(id))?;
        // Whoever stumbles over bytes that are no text does not know of which task they are.
        let with_id = |error| if record.json().is_some() { error } else { Error::Record(id).into() };
        each(&Record { id, record: &record, cells: &cells }).map_err(with_id)?;
        self.unused = emptied(cells);
        Ok(())
    }
}

/// The same memory for values of another life: collecting a vector from itself allocates nothing.
fn emptied<'b>(mut cells: Vec<ValueRef<'_>>) -> Vec<ValueRef<'b>> {
    cells.clear();
    cells.into_iter().map(|_| ValueRef::Empty).collect()
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

/// Stores records that ascend, all of them above what the organisation has.
pub(super) fn append(
    groups: &mut Table<'_, &'static TaskKey, &'static [u8]>,
    organization: Id,
    records: &[(Id, Vec<u8>)],
) -> Result<(), Error> {
    let Some((lowest, _)) = records.first() else { return Ok(()) };
    let stored = Stored::of(groups, organization, *lowest)?;
    let fresh: Vec<Entry<'_>> = records.iter().map(|(id, record)| (*id, record.as_slice())).collect();
    insert(groups, organization, stored.bound, &stored.entries()?, &fresh)
}

/// Writes a group anew with what is fresh in it, as several where it grew too large. Both ascend; of
/// several with one id the first of the fresh ones stays.
fn insert(
    groups: &mut Table<'_, &'static TaskKey, &'static [u8]>,
    organization: Id,
    bound: Id,
    old: &[Entry<'_>],
    fresh: &[Entry<'_>],
) -> Result<(), Error> {
    let lowest = fresh.first().map(|(id, _)| *id);
    let is_load = bound == Id::MAX && old.last().map(|(id, _)| *id) < lowest;
    let spread = if is_load { Spread::Full } else { Spread::Even };
    let mut all = [fresh, old].concat();
    // What is fresh stays before what it replaces.
    all.sort_by_key(|(id, _)| *id);
    all.dedup_by_key(|(id, _)| *id);
    let mut bytes = Vec::new();
    let mut parts = group::cut(&all, spread).into_iter().peekable();
    while let Some(part) = parts.next() {
        let last = part.last().filter(|_| parts.peek().is_some());
        group::encode(part, &mut bytes);
        groups.insert(&key(organization, last.map_or(bound, |(id, _)| *id)), bytes.as_slice())?;
    }
    Ok(())
}

/// The group that a task is in or would be in, and the highest id that may be.
type Found<'a> = (Id, AccessGuard<'a, &'static [u8]>);

fn group_of(
    groups: &impl ReadableTable<&'static TaskKey, &'static [u8]>,
    organization: Id,
    id: Id,
) -> Result<Option<Found<'_>>, Error> {
    let (low, high) = (key(organization, id), key(organization, Id::MAX));
    let row = groups.range::<&TaskKey>(&low..=&high)?.next().transpose()?;
    Ok(row.map(|(bound, value)| (id_of(bound.value()), value)))
}

fn task(
    groups: &impl ReadableTable<&'static TaskKey, &'static [u8]>,
    organization: Id,
    id: Id,
) -> Result<Option<String>, Error> {
    let Some((bound, value)) = group_of(groups, organization, id)? else { return Ok(None) };
    let Some(bytes) = Group::read(bound, value.value())?.get(id) else { return Ok(None) };
    let record = codec::Record::read(bytes).ok_or(Error::Record(id))?;
    if record.is_deleted() {
        return Ok(None);
    }
    record.json().map(|json| Some(json.to_owned())).ok_or(Error::Record(id))
}

/// Gets of many ids. Neighbours lie in one group, which is kept at hand until another is wanted.
pub(super) struct Walk<'a> {
    groups: &'a Rows,
    organization: Id,
    at_hand: Option<AtHand>,
}

struct AtHand {
    first: Id,
    bound: Id,
    value: AccessGuard<'static, &'static [u8]>,
    /// The place of the task that was got last.
    last: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(groups: &'a Rows, organization: Id) -> Self {
        Self { groups, organization, at_hand: None }
    }

    /// The record of a task.
    pub(super) fn get(&mut self, id: Id) -> Result<Option<&[u8]>, Error> {
        if self.at_hand.as_ref().is_none_or(|at_hand| id < at_hand.first || at_hand.bound < id) {
            self.at_hand = self.descend(id)?;
        }
        let Some(AtHand { value, last, .. }) = &mut self.at_hand else { return Ok(None) };
        Ok(Group::again(value.value()).and_then(|group| group.get_near(last, id)))
    }

    fn descend(&self, id: Id) -> Result<Option<AtHand>, Error> {
        let (low, high) = (key(self.organization, id), key(self.organization, Id::MAX));
        let Some(row) = self.groups.range::<&TaskKey>(&low..=&high)?.next() else { return Ok(None) };
        let (key, value) = row?;
        let bound = id_of(key.value());
        let first = Group::read(bound, value.value())?.first().unwrap_or(Id::MAX);
        Ok(Some(AtHand { first, bound, value, last: 0 }))
    }
}
