//! Reading tasks.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use redb::{AccessGuard, ReadableTable};

use super::codec;
use super::error::Error;
use super::group::Group;
use super::schema::{self, TaskKey, id_of, key};
use super::wanted::Wanted;
use super::{Catalog, Edit, Rows, View};
use crate::domain::{self, Id, ValueRef};

/// A task as [`View::read`] shows it.
#[derive(Debug)]
pub struct Record<'a> {
    /// The task.
    pub id: Id,
    record: &'a codec::Record<'a>,
    catalog: &'a Catalog,
    /// Its JSON once somebody has asked for it.
    json: OnceCell<String>,
    /// Memory for that.
    unused: RefCell<String>,
    /// The value of each field that was asked for, in that order.
    pub cells: &'a [ValueRef<'a>],
}

impl Record<'_> {
    /// The flow it is in.
    pub fn flow(&self) -> Option<Id> {
        self.record.flow()
    }

    /// The whole task as compact JSON.
    ///
    /// # Errors
    /// `Internal` when the bytes in the store are none.
    pub fn json(&self) -> domain::Result<&str> {
        if let Some(json) = self.json.get() {
            return Ok(json);
        }
        let mut json = self.unused.take();
        self.record.write_json(self.catalog, &mut json).ok_or(Error::Record(self.id))?;
        Ok(self.json.get_or_init(|| json))
    }
}

impl Edit<'_> {
    /// The JSON of a task as this edit has it so far; nothing if it is deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn task(&self, organization: Id, id: Id) -> domain::Result<Option<String>> {
        let groups = self.transaction.open_table(schema::TASK_GROUPS).map_err(Error::from)?;
        Ok(task(&groups, &*self.field_names(organization)?, organization, id)?)
    }
}

impl View {
    /// The JSON of a task; nothing if it is deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn task(&self, organization: Id, id: Id) -> domain::Result<Option<String>> {
        Ok(task(&self.groups, &*self.field_names(organization)?, organization, id)?)
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
        let mut reader = Reader::new(self.field_names(organization)?, fields);
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
    catalog: Arc<Catalog>,
    wanted: Wanted,
    /// Memory for the values of the next record.
    cells: Vec<ValueRef<'static>>,
    /// Memory for its JSON.
    json: String,
}

impl Reader {
    pub(super) fn new(catalog: Arc<Catalog>, fields: &[String]) -> Self {
        let (wanted, cells) = (Wanted::new(&catalog, fields), Vec::with_capacity(fields.len()));
        Self { catalog, wanted, cells, json: String::new() }
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
        let mut cells = emptied(std::mem::take(&mut self.cells));
        self.wanted.take(&record, &mut cells).ok_or(Error::Record(id))?;
        let (catalog, unused) = (&*self.catalog, RefCell::new(std::mem::take(&mut self.json)));
        let shown = Record { id, record: &record, catalog, json: OnceCell::new(), unused, cells: &cells };
        // Whoever stumbles over bytes that are no text does not know of which task they are.
        let with_id = |error| if shown.json().is_ok() { error } else { Error::Record(id).into() };
        each(&shown).map_err(with_id)?;
        let Record { json, unused, .. } = shown;
        self.json = json.into_inner().unwrap_or_else(|| unused.into_inner());
        self.json.clear();
        self.cells = emptied(cells);
        Ok(())
    }
}

/// The same memory for values of another life: collecting a vector from itself allocates nothing.
fn emptied<'b>(mut cells: Vec<ValueRef<'_>>) -> Vec<ValueRef<'b>> {
    cells.clear();
    cells.into_iter().map(|_| ValueRef::Empty).collect()
}

/// The group that a task is in or would be in, and the highest id that may be.
pub(super) type Found<'a> = (Id, AccessGuard<'a, &'static [u8]>);

pub(super) fn group_of(
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
    catalog: &Catalog,
    organization: Id,
    id: Id,
) -> Result<Option<String>, Error> {
    let Some((bound, value)) = group_of(groups, organization, id)? else { return Ok(None) };
    let Some(bytes) = Group::read(bound, value.value())?.get(id) else { return Ok(None) };
    let record = codec::Record::read(bytes).ok_or(Error::Record(id))?;
    if record.is_deleted() {
        return Ok(None);
    }
    let mut json = String::new();
    record.write_json(catalog, &mut json).ok_or(Error::Record(id))?;
    Ok(Some(json))
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
