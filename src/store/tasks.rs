//! Writing tasks and reading them again.

use std::ops::Bound;
use std::sync::Arc;

use redb::{AccessGuard, Range, ReadableTable};

use super::codec::{self, encode};
use super::error::Error;
use super::schema::{self, TaskKey, field_key, id_of, key};
use super::{Catalog, Edit, View};
use crate::domain::{self, Id, Task};

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
    id: Id,
    record: &'a codec::Record<'a>,
    /// The raw JSON of each field that was asked for, in that order.
    pub cells: &'a [Option<&'a str>],
}

impl<'a> Record<'a> {
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
        Ok(self.put(organization, tasks)?)
    }

    fn put(&mut self, organization: Id, tasks: &[Task]) -> Result<Vec<Put>, Error> {
        let mut catalog = self.field_names(organization)?;
        let known = catalog.names().count();
        let puts = self.write(organization, tasks, &mut catalog);
        // Also after a failure: whatever record was written, its numbers must have names.
        let mut table = self.transaction.open_table(schema::FIELDS)?;
        for (number, name) in (0..).zip(catalog.names()).skip(known) {
            table.insert(&field_key(organization, number), name.as_bytes())?;
        }
        drop(table);
        self.grown.insert(organization, catalog);
        puts
    }

    fn write(&self, organization: Id, tasks: &[Task], catalog: &mut Arc<Catalog>) -> Result<Vec<Put>, Error> {
        let mut table = self.transaction.open_table(schema::TASKS)?;
        let mut headers = self.transaction.open_table(schema::HEADERS)?;
        let (mut numbers, mut bytes) = (Vec::new(), Vec::new());
        let mut puts = Vec::with_capacity(tasks.len());
        for task in tasks {
            numbers.clear();
            for (name, _) in task.fields() {
                numbers.push(match catalog.number(name) {
                    Some(number) => number,
                    None => Arc::make_mut(catalog).add(name).ok_or(Error::TooManyFields)?,
                });
            }
            encode(task, &numbers, &mut bytes);
            let key = key(organization, task.id());
            headers.insert(&key, codec::front(&bytes))?;
            let before = table.insert(&key, bytes.as_slice())?;
            puts.push(if before.is_some() { Put::Replaced } else { Put::Added });
        }
        Ok(puts)
    }

    /// The JSON of a task as this edit has it so far; nothing if it is deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn task(&self, organization: Id, id: Id) -> domain::Result<Option<String>> {
        let table = self.transaction.open_table(schema::TASKS).map_err(Error::from)?;
        Ok(task(&table, organization, id)?)
    }
}

impl View {
    /// The JSON of a task; nothing if it is deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn task(&self, organization: Id, id: Id) -> domain::Result<Option<String>> {
        Ok(task(&self.tasks, organization, id)?)
    }

    /// Shows these tasks to `each`, in the order of `ids`, with the raw values of `fields`.
    ///
    /// # Errors
    /// Those of `each`, which stop it; `Internal` when one of the tasks is not there.
    pub fn read(
        &self,
        organization: Id,
        ids: &[Id],
        fields: &[String],
        each: &mut dyn FnMut(&Record<'_>) -> domain::Result<()>,
    ) -> domain::Result<()> {
        let catalog = self.field_names(organization)?;
        let mut columns: Vec<_> = fields.iter().map(|name| (catalog.number(name), 0)).collect();
        let mut walk = Walk::new(&self.tasks, organization, ids);
        let mut unused = Vec::with_capacity(fields.len());
        for id in ids {
            let bytes = walk.get(*id)?.ok_or(Error::Missing(*id))?;
            let record = codec::Record::read(*id, bytes.value()).ok_or(Error::Record(*id))?;
            if record.header.deleted {
                return Err(Error::Missing(*id).into());
            }
            let mut cells = emptied(unused);
            for (number, hint) in &mut columns {
                let place = number.and_then(|number| record.find(number, hint));
                cells.push(match place {
                    Some(place) => Some(record.value(place).ok_or(Error::Record(*id))?),
                    None => None,
                });
            }
            each(&Record { id: *id, record: &record, cells: &cells })?;
            unused = emptied(cells);
        }
        Ok(())
    }
}

/// The same memory for texts of another life: collecting a vector from itself allocates nothing.
fn emptied<'b>(mut cells: Vec<Option<&str>>) -> Vec<Option<&'b str>> {
    cells.clear();
    cells.into_iter().map(|_| None).collect()
}

fn task(
    table: &impl ReadableTable<&'static TaskKey, &'static [u8]>,
    organization: Id,
    id: Id,
) -> Result<Option<String>, Error> {
    let Some(bytes) = table.get(&key(organization, id))? else { return Ok(None) };
    let record = codec::Record::read(id, bytes.value()).ok_or(Error::Record(id))?;
    if record.header.deleted {
        return Ok(None);
    }
    record.json().map(|json| Some(json.to_owned())).ok_or(Error::Record(id))
}

pub(super) type Tasks = redb::ReadOnlyTable<&'static TaskKey, &'static [u8]>;
pub(super) type Value = AccessGuard<'static, &'static [u8]>;

/// Rows to pass over before a fresh descent from the root is cheaper.
const PATIENCE: u32 = 16;

/// Gets of many ids. A step to the next row costs a tenth of a descent from the root, so where the
/// wanted ids lie close together in one direction it walks along, and elsewhere it descends.
pub(super) struct Walk<'a> {
    table: &'a Tasks,
    organization: Id,
    way: Option<Way>,
    range: Option<Range<'static, &'static TaskKey, &'static [u8]>>,
    /// The row that was stepped onto and not yet wanted.
    ahead: Option<(Id, Value)>,
    patience: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Up,
    Down,
}

impl<'a> Walk<'a> {
    pub(super) fn new(table: &'a Tasks, organization: Id, ids: &[Id]) -> Self {
        let up = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        let down = ids.len().saturating_sub(1) - up;
        // A few out of order are fetched apart; many would make the walk start over and over.
        let way = match (up, down) {
            _ if up >= 8 * down.max(1) => Some(Way::Up),
            _ if down >= 8 * up.max(1) => Some(Way::Down),
            _ => None,
        };
        Self { table, organization, way, range: None, ahead: None, patience: PATIENCE }
    }

    pub(super) fn get(&mut self, id: Id) -> Result<Option<Value>, Error> {
        let Some(way) = self.way.filter(|_| self.patience > 0) else { return self.descend(id) };
        let passed = |at: Id| match way {
            Way::Up => at > id,
            Way::Down => at < id,
        };
        for _ in 0..self.patience {
            let Some((at, value)) = self.next(way)? else { break };
            if at == id {
                self.patience = PATIENCE;
                return Ok(Some(value));
            }
            if passed(at) {
                self.ahead = Some((at, value));
                return self.descend(id);
            }
        }
        let started = self.range.is_some();
        self.start(way, id)?;
        if started {
            self.patience /= 2;
        }
        match self.next(way)? {
            Some((at, value)) if at == id => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    fn descend(&self, id: Id) -> Result<Option<Value>, Error> {
        Ok(self.table.get(&key(self.organization, id))?)
    }

    fn start(&mut self, way: Way, id: Id) -> Result<(), Error> {
        let (here, low, high) =
            (key(self.organization, id), key(self.organization, Id::MIN), key(self.organization, Id::MAX));
        let bounds = match way {
            Way::Up => (Bound::Included(&here), Bound::Included(&high)),
            Way::Down => (Bound::Included(&low), Bound::Included(&here)),
        };
        self.ahead = None;
        self.range = Some(self.table.range::<&TaskKey>(bounds)?);
        Ok(())
    }

    fn next(&mut self, way: Way) -> Result<Option<(Id, Value)>, Error> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let row = self.range.as_mut().and_then(|range| match way {
            Way::Up => range.next(),
            Way::Down => range.next_back(),
        });
        match row {
            Some(row) => {
                let (key, value) = row?;
                Ok(Some((id_of(key.value()), value)))
            }
            None => Ok(None),
        }
    }
}
