//! Which keys the tasks of an organisation have ever had, each with its number.
//!
//! A catalogue only grows and a number never changes its meaning, so the longer of two catalogues
//! of one organisation is always the newer and serves every snapshot the shorter one served.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Range, ReadableTable};

use super::error::Error;
use super::schema::{FieldKey, field_key, number_of};
use super::{Edit, View, schema};
use crate::domain::{self, Id, json};

/// The top-level keys of an organisation's tasks.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    names: Vec<Arc<str>>,
    /// What stands before the value of each in JSON: `,"name":`.
    pieces: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Catalog {
    /// Every key that some task ever had, as first seen.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shared_names().map(|name| &**name)
    }

    /// The same, to be kept.
    pub fn shared_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.iter()
    }

    /// Whether some task ever had this key.
    pub fn contains(&self, name: &str) -> bool {
        self.numbers.contains_key(name)
    }

    /// The number of a key.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The key of a number.
    fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(|name| &**name)
    }

    /// What stands before the value of a key in the JSON of a task: a comma, the key and a colon.
    pub(super) fn piece(&self, number: u32) -> Option<&str> {
        self.pieces.get(number as usize).map(|piece| &**piece)
    }

    /// Adds a key that is not there yet and gives its number; nothing when there are no numbers left.
    pub(super) fn add(&mut self, name: &str) -> Option<u32> {
        let number = u32::try_from(self.names.len()).ok()?;
        self.pieces.push([",", &json::quote(name), ":"].concat().into());
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        Some(number)
    }

    pub(super) fn load(
        organization: Id,
        table: &impl ReadableTable<&'static FieldKey, &'static [u8]>,
    ) -> Result<Self, Error> {
        let mut catalog = Self::default();
        for row in fields_of(organization, table)? {
            let (key, name) = row?;
            let name = std::str::from_utf8(name.value()).map_err(|_| Error::Record(organization))?;
            // A gap would give every later key the wrong number.
            if catalog.add(name) != Some(number_of(key.value())) {
                return Err(Error::Record(organization));
            }
        }
        Ok(catalog)
    }
}

/// Which key came after which. Most come in the order of records before, and are then found without being
/// hashed.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The number that came last after none, after number 0, after number 1, ...
    after: Vec<u32>,
}

impl Trail {
    /// The number of a key that comes after the one with the number `before`.
    pub(super) fn number(&mut self, catalog: &Catalog, before: Option<u32>, name: &str) -> Option<u32> {
        let place = before.map_or(0, |before| before as usize + 1);
        let guess = self.after.get(place).copied();
        if let Some(guess) = guess.filter(|guess| catalog.name(*guess) == Some(name)) {
            return Some(guess);
        }
        let number = catalog.number(name)?;
        if self.after.len() <= place {
            self.after.resize(place + 1, 0);
        }
        self.after[place] = number;
        Some(number)
    }
}

fn fields_of<'a>(
    organization: Id,
    table: &'a impl ReadableTable<&'static FieldKey, &'static [u8]>,
) -> Result<Range<'a, &'static FieldKey, &'static [u8]>, Error> {
    Ok(table.range::<&FieldKey>(&field_key(organization, 0)..=&field_key(organization, u32::MAX))?)
}

/// The catalogues in memory.
#[derive(Debug, Default)]
pub(super) struct Catalogs(RwLock<HashMap<Id, Arc<Catalog>>>);

impl Catalogs {
    /// A catalogue that knows at least every key in `table`.
    fn at_least(
        &self,
        organization: Id,
        table: &impl ReadableTable<&'static FieldKey, &'static [u8]>,
    ) -> Result<Arc<Catalog>, Error> {
        let needed = match fields_of(organization, table)?.next_back() {
            Some(row) => number_of(row?.0.value()) as usize + 1,
            None => return Ok(Arc::default()),
        };
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&organization).cloned();
        match cached {
            Some(cached) if cached.names.len() >= needed => Ok(cached),
            _ => {
                let loaded = Arc::new(Catalog::load(organization, table)?);
                self.publish(organization, Arc::clone(&loaded));
                Ok(loaded)
            }
        }
    }

    /// Makes a committed catalogue known, unless a newer one is.
    pub(super) fn publish(&self, organization: Id, catalog: Arc<Catalog>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(organization).or_default();
        if entry.names.len() < catalog.names.len() {
            *entry = catalog;
        }
    }
}

impl View {
    /// The keys of the organisation's tasks: all of this snapshot, perhaps newer ones too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn catalog(&self, organization: Id) -> domain::Result<Arc<Catalog>> {
        Ok(self.field_names(organization)?)
    }

    pub(super) fn field_names(&self, organization: Id) -> Result<Arc<Catalog>, Error> {
        self.catalogs.at_least(organization, &self.transaction.open_table(schema::FIELDS)?)
    }
}

impl Edit<'_> {
    /// The catalogue as this edit has it so far.
    pub(super) fn field_names(&self, organization: Id) -> Result<Arc<Catalog>, Error> {
        match self.grown.get(&organization) {
            Some(grown) => Ok(Arc::clone(grown)),
            None => self.catalogs.at_least(organization, &self.transaction.open_table(schema::FIELDS)?),
        }
    }
}
