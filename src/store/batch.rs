//! Tasks in the form in which they are stored, made on any thread before an edit puts them.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use super::Catalog;
use super::catalog::Trail;
use super::codec::encode;
use super::error::Error;
use super::group::Entry;
use crate::domain::{Id, Task};

/// Tasks of one organisation, each in place of those of its id that stand before it.
#[derive(Debug)]
pub struct Batch {
    pub(super) organization: Id,
    catalog: Arc<Catalog>,
    rows: Vec<Row>,
    bytes: Vec<u8>,
    numbers: Vec<u32>,
    trail: Trail,
}

#[derive(Debug)]
struct Row {
    id: Id,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Where its record lies among the bytes.
    Record(Range<usize>),
    /// It has a key that no task had before, which only an edit can number.
    Unnumbered(Box<Task>),
}

impl Batch {
    /// None yet. The more keys the catalogue has, the less is left to the edit; it is one of this
    /// organisation as a view shows it.
    pub fn new(organization: Id, catalog: Arc<Catalog>) -> Self {
        let (rows, bytes, numbers) = (Vec::new(), Vec::new(), Vec::new());
        Self { organization, catalog, rows, bytes, numbers, trail: Trail::default() }
    }

    /// Adds a task.
    pub fn add(&mut self, task: Task) {
        self.numbers.clear();
        for name in task.names() {
            let before = self.numbers.last().copied();
            let Some(number) = self.trail.number(&self.catalog, before, &name) else { break };
            self.numbers.push(number);
        }
        let id = task.id();
        let is_known = self.numbers.len() == task.names().len();
        let form = match is_known {
            true => Form::Record(encoded(&task, &self.numbers, &self.catalog, &mut self.bytes)),
            false => Form::Unnumbered(Box::new(task)),
        };
        self.rows.push(Row { id, form });
    }

    /// The ids of the tasks, in the order in which they were added.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = Id> {
        self.rows.iter().map(|row| row.id)
    }

    /// Leaves out the tasks in these places, which ascend.
    pub fn leave_out(&mut self, places: &[usize]) {
        let mut place = 0;
        self.rows.retain(|_| {
            place += 1;
            places.binary_search(&(place - 1)).is_err()
        });
    }

    /// Adds a task and numbers its keys as first seen, so that the order of tasks makes that of columns.
    pub(super) fn add_to(&mut self, catalog: &mut Arc<Catalog>, task: &Task) -> Result<(), Error> {
        let record = self.encode_to(catalog, task)?;
        self.rows.push(Row { id: task.id(), form: Form::Record(record) });
        Ok(())
    }

    /// Numbers what is left to be numbered, in the same order.
    pub(super) fn number(&mut self, catalog: &mut Arc<Catalog>) -> Result<(), Error> {
        for place in 0..self.rows.len() {
            let Some(Row { form: form @ Form::Unnumbered(_), .. }) = self.rows.get_mut(place) else { continue };
            let Form::Unnumbered(task) = std::mem::replace(form, Form::Record(0..0)) else { continue };
            let record = self.encode_to(catalog, &task)?;
            if let Some(row) = self.rows.get_mut(place) {
                row.form = Form::Record(record);
            }
        }
        Ok(())
    }

    /// The places of the tasks by id; of several with one id the last comes first.
    pub(super) fn sorted(&self) -> Vec<(Id, Reverse<usize>)> {
        let mut sorted: Vec<_> = self.ids().enumerate().map(|(place, id)| (id, Reverse(place))).collect();
        sorted.sort_unstable();
        sorted
    }

    /// The tasks in these places. All are numbered.
    pub(super) fn entries(&self, places: &[(Id, Reverse<usize>)]) -> Vec<Entry<'_>> {
        let entry = |(id, Reverse(place)): &(Id, Reverse<usize>)| match &self.rows.get(*place)?.form {
            Form::Record(record) => Some((*id, self.bytes.get(record.clone())?)),
            Form::Unnumbered(_) => None,
        };
        places.iter().filter_map(entry).collect()
    }

    fn encode_to(&mut self, catalog: &mut Arc<Catalog>, task: &Task) -> Result<Range<usize>, Error> {
        self.numbers.clear();
        for name in task.names() {
            self.numbers.push(match catalog.number(&name) {
                Some(number) => number,
                None => Arc::make_mut(catalog).add(&name).ok_or(Error::TooManyFields)?,
            });
        }
        Ok(encoded(task, &self.numbers, catalog, &mut self.bytes))
    }
}

/// Writes the record of a task behind those that `bytes` has, and tells where it lies.
fn encoded(task: &Task, numbers: &[u32], catalog: &Catalog, bytes: &mut Vec<u8>) -> Range<usize> {
    let start = bytes.len();
    encode(task, numbers, catalog, bytes);
    start..bytes.len()
}
