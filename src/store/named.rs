//! Flows, hubs and export configs: few, kept as JSON, each with a name that is unique in its
//! organisation without regard to case.

use redb::{ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::schema::{self, TaskKey, key, name_key};
use super::{Edit, View};
use crate::domain::{self, ConfigHead, ExportConfig, Flow, Hub, Id, Kind};

pub(super) trait Named: Serialize + DeserializeOwned {
    const ROWS: TableDefinition<'static, &'static TaskKey, &'static [u8]>;
    /// Derived from the rows in the same edit; also the order in which they are listed.
    const NAMES: TableDefinition<'static, &'static [u8], &'static [u8]>;
    fn id(&self) -> Id;
    fn name(&self) -> &str;
}

impl Named for Flow {
    const ROWS: TableDefinition<'static, &'static TaskKey, &'static [u8]> = schema::FLOWS;
    const NAMES: TableDefinition<'static, &'static [u8], &'static [u8]> = schema::FLOW_NAMES;
    fn id(&self) -> Id {
        self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Hub {
    const ROWS: TableDefinition<'static, &'static TaskKey, &'static [u8]> = schema::HUBS;
    const NAMES: TableDefinition<'static, &'static [u8], &'static [u8]> = schema::HUB_NAMES;
    fn id(&self) -> Id {
        self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for ExportConfig {
    const ROWS: TableDefinition<'static, &'static TaskKey, &'static [u8]> = schema::CONFIGS;
    const NAMES: TableDefinition<'static, &'static [u8], &'static [u8]> = schema::CONFIG_NAMES;
    fn id(&self) -> Id {
        self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl View {
    /// One flow.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn flow(&self, organization: Id, id: Id) -> domain::Result<Option<Flow>> {
        Ok(self.one(organization, id)?)
    }

    /// The organisation's hubs, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hubs(&self, organization: Id) -> domain::Result<Vec<Hub>> {
        Ok(self.list::<Hub, _>(organization)?)
    }

    /// One hub.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hub(&self, organization: Id, id: Id) -> domain::Result<Option<Hub>> {
        Ok(self.one(organization, id)?)
    }

    /// The heads of the organisation's export configs, by name; a config itself may be large.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn config_heads(&self, organization: Id) -> domain::Result<Vec<ConfigHead>> {
        Ok(self.list::<ExportConfig, _>(organization)?)
    }

    /// One export config.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn config(&self, organization: Id, id: Id) -> domain::Result<Option<ExportConfig>> {
        Ok(self.one(organization, id)?)
    }

    fn one<T: Named>(&self, organization: Id, id: Id) -> Result<Option<T>, Error> {
        get(&self.transaction.open_table(T::ROWS)?, organization, id)
    }

    /// All of them, or as much of each as `P` reads.
    pub(super) fn list<T: Named, P: DeserializeOwned>(&self, organization: Id) -> Result<Vec<P>, Error> {
        let rows = self.transaction.open_table(T::ROWS)?;
        let mut all = Vec::new();
        for name in self.transaction.open_table(T::NAMES)?.range(organization.0.as_slice()..)? {
            let (name, id) = name?;
            if !name.value().starts_with(&organization.0) {
                break;
            }
            let id = id_of(organization, id.value())?;
            all.push(get(&rows, organization, id)?.ok_or(Error::Missing(id))?);
        }
        Ok(all)
    }
}

impl Edit<'_> {
    /// Stores a flow in place of one with its id.
    ///
    /// # Errors
    /// `Conflict` when another flow has the name.
    pub fn put_flow(&mut self, organization: Id, flow: &Flow) -> domain::Result<()> {
        self.put_named(organization, flow)
    }

    /// Removes a flow and gives it back.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn delete_flow(&mut self, organization: Id, id: Id) -> domain::Result<Option<Flow>> {
        Ok(self.delete_named(organization, id)?)
    }

    /// The flow of this name, without regard to case.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn flow_named(&self, organization: Id, name: &str) -> domain::Result<Option<Flow>> {
        Ok(self.named(organization, name)?)
    }

    /// One flow as this edit has it so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn flow(&self, organization: Id, id: Id) -> domain::Result<Option<Flow>> {
        Ok(self.one_named(organization, id)?)
    }

    /// Stores a hub in place of one with its id.
    ///
    /// # Errors
    /// `Conflict` when another hub has the name.
    pub fn put_hub(&mut self, organization: Id, hub: &Hub) -> domain::Result<()> {
        self.put_named(organization, hub)
    }

    /// Removes a hub and gives it back.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn delete_hub(&mut self, organization: Id, id: Id) -> domain::Result<Option<Hub>> {
        Ok(self.delete_named(organization, id)?)
    }

    /// The hub of this name, without regard to case.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hub_named(&self, organization: Id, name: &str) -> domain::Result<Option<Hub>> {
        Ok(self.named(organization, name)?)
    }

    /// One hub as this edit has it so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hub(&self, organization: Id, id: Id) -> domain::Result<Option<Hub>> {
        Ok(self.one_named(organization, id)?)
    }

    /// Stores an export config in place of one with its id.
    ///
    /// # Errors
    /// `Conflict` when another config has the name.
    pub fn put_config(&mut self, organization: Id, config: &ExportConfig) -> domain::Result<()> {
        self.put_named(organization, config)
    }

    /// Removes an export config and gives it back.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn delete_config(&mut self, organization: Id, id: Id) -> domain::Result<Option<ExportConfig>> {
        Ok(self.delete_named(organization, id)?)
    }

    /// One export config as this edit has it so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn config(&self, organization: Id, id: Id) -> domain::Result<Option<ExportConfig>> {
        Ok(self.one_named(organization, id)?)
    }

    /// How many export configs the organisation has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn count_configs(&self, organization: Id) -> domain::Result<usize> {
        Ok(self.count_named::<ExportConfig>(organization)?)
    }

    fn count_named<T: Named>(&self, organization: Id) -> Result<usize, Error> {
        let rows = self.transaction.open_table(T::ROWS)?;
        Ok(rows.range::<&TaskKey>(&key(organization, Id::MIN)..=&key(organization, Id::MAX))?.count())
    }

    fn put_named<T: Named>(&mut self, organization: Id, thing: &T) -> domain::Result<()> {
        let other = self.named::<T>(organization, thing.name())?.filter(|other| other.id() != thing.id());
        if other.is_some() {
            return Err(domain::Error::new(Kind::Conflict, "The name has already been taken."));
        }
        self.delete_named::<T>(organization, thing.id())?;
        let json = serde_json::to_vec(thing).map_err(|error| domain::Error::internal("store", error))?;
        Ok(self.insert_named(organization, thing, &json)?)
    }

    fn insert_named<T: Named>(&mut self, organization: Id, thing: &T, json: &[u8]) -> Result<(), Error> {
        self.transaction.open_table(T::ROWS)?.insert(&key(organization, thing.id()), json)?;
        let name = name_key(organization, thing.name());
        self.transaction.open_table(T::NAMES)?.insert(name.as_slice(), thing.id().0.as_slice())?;
        Ok(())
    }

    fn delete_named<T: Named>(&mut self, organization: Id, id: Id) -> Result<Option<T>, Error> {
        let Some(thing) = self.one_named::<T>(organization, id)? else { return Ok(None) };
        self.transaction.open_table(T::ROWS)?.remove(&key(organization, id))?;
        self.transaction.open_table(T::NAMES)?.remove(name_key(organization, thing.name()).as_slice())?;
        Ok(Some(thing))
    }

    fn one_named<T: Named>(&self, organization: Id, id: Id) -> Result<Option<T>, Error> {
        get(&self.transaction.open_table(T::ROWS)?, organization, id)
    }

    fn named<T: Named>(&self, organization: Id, name: &str) -> Result<Option<T>, Error> {
        let id = match self.transaction.open_table(T::NAMES)?.get(name_key(organization, name).as_slice())? {
            Some(id) => id_of(organization, id.value())?,
            None => return Ok(None),
        };
        self.one_named(organization, id)
    }
}

fn get<P: DeserializeOwned>(
    rows: &impl ReadableTable<&'static TaskKey, &'static [u8]>,
    organization: Id,
    id: Id,
) -> Result<Option<P>, Error> {
    match rows.get(&key(organization, id))? {
        Some(json) => serde_json::from_slice(json.value()).map(Some).map_err(|_| Error::Record(id)),
        None => Ok(None),
    }
}

fn id_of(organization: Id, bytes: &[u8]) -> Result<Id, Error> {
    bytes.try_into().map(Id).map_err(|_| Error::Record(organization))
}
