//! Which flows and which keys occur among some tasks.

use std::collections::HashSet;

use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;

use super::View;
use super::codec::{Numbers, Record};
use super::error::Error;
use super::reordered::{is_scattered, places_by_id};
use super::tasks::Walk;
use crate::domain::{self, Id};

/// Tasks that one job looks at.
const TASKS_PER_JOB: usize = 8_192;

/// What occurs among some tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The flows they are in.
    pub flows: HashSet<Id>,
    /// The keys that any of them has, as first seen in the organisation.
    pub keys: Vec<String>,
}

impl View {
    /// What occurs among these tasks, found on the threads of the current rayon pool where there are many.
    ///
    /// # Errors
    /// When the store cannot be read, or one of the tasks is not there.
    pub fn seen(&self, organization: Id, ids: &[Id]) -> domain::Result<Seen> {
        let all = match ids.len() {
            0..=TASKS_PER_JOB => self.part(organization, ids.iter())?,
            _ => self.parts(organization, ids)?,
        };
        let numbers: HashSet<u32> = all.directories.iter().flat_map(Numbers::iter).collect();
        let catalog = self.field_names(organization)?;
        let named = (0..).zip(catalog.names()).filter(|(number, _)| numbers.contains(number));
        Ok(Seen { flows: all.flows, keys: named.map(|(_, name)| name.to_owned()).collect() })
    }

    fn parts(&self, organization: Id, ids: &[Id]) -> Result<Part, Error> {
        let parts: Result<Vec<Part>, Error> = if is_scattered(ids) {
            let id = |place: &u32| ids.get(*place as usize);
            let places = places_by_id(ids);
            places
                .par_chunks(TASKS_PER_JOB)
                .map(|places| self.part(organization, places.iter().filter_map(id)))
                .collect()
        } else {
            ids.par_chunks(TASKS_PER_JOB).map(|ids| self.part(organization, ids.iter())).collect()
        };
        Ok(parts?.into_iter().reduce(Part::join).unwrap_or_default())
    }

    fn part<'a>(&self, organization: Id, ids: impl Iterator<Item = &'a Id>) -> Result<Part, Error> {
        let mut walk = Walk::new(&self.groups, organization);
        let mut part = Part::default();
        for id in ids {
            let bytes = walk.get(*id)?.ok_or(Error::Missing(*id))?;
            let record = Record::read(bytes).ok_or(Error::Record(*id))?;
            part.flows.extend(record.flow());
            // Tasks of one flow mostly have the same keys, so there are few different directories.
            let numbers = record.numbers();
            if !part.directories.contains(&numbers) {
                part.directories.insert(numbers.to_owned());
            }
        }
        Ok(part)
    }
}

#[derive(Debug, Default)]
struct Part {
    flows: HashSet<Id>,
    directories: HashSet<Numbers<'static>>,
}

impl Part {
    fn join(mut self, other: Self) -> Self {
        self.flows.extend(other.flows);
        self.directories.extend(other.directories);
        self
    }
}
