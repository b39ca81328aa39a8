//! Stores of older schemas are made ones of today when they are opened.

use redb::{Database, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::catalog::Catalog;
use super::codec::without_keys;
use super::error::Error;
use super::group::Group;
use super::put::Tables;
use super::schema::{self, FieldKey, TaskKey, id_of, organization_of};
use crate::domain::Id;

/// The groups of an older schema while they are read.
const OLD_GROUPS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("old_task_groups");
/// Bytes of tasks that are held in memory, and those of one group more.
const BYTES_AT_A_TIME: usize = 1 << 20;

/// Makes a store of an older schema one of today: whatever cuts this off, it is the one or the other.
pub(super) fn upgrade(database: &Database, found: u32) -> Result<(), Error> {
    let transaction = database.begin_write()?;
    rewrite(&transaction, found)?;
    Ok(transaction.commit()?)
}

/// The same, as far as the commit.
pub(super) fn rewrite(transaction: &WriteTransaction, found: u32) -> Result<(), Error> {
    if found == 1 {
        copy_single_tasks(transaction)?;
        transaction.delete_table(schema::TASKS)?;
    } else {
        transaction.rename_table(schema::TASK_GROUPS, OLD_GROUPS)?;
        copy_groups(transaction)?;
        transaction.delete_table(OLD_GROUPS)?;
    }
    transaction.delete_table(schema::HEADERS)?;
    make_tables(transaction)
}

/// Makes the tables that are not there, and says that these are all.
pub(super) fn make_tables(transaction: &WriteTransaction) -> Result<(), Error> {
    transaction.open_table(schema::TASK_GROUPS)?;
    transaction.open_table(schema::HEADER_GROUPS)?;
    transaction.open_table(schema::FIELDS)?;
    transaction.open_table(schema::FLOWS)?;
    transaction.open_table(schema::FLOW_NAMES)?;
    transaction.open_table(schema::HUBS)?;
    transaction.open_table(schema::HUB_NAMES)?;
    transaction.open_table(schema::EXPORTS)?;
    transaction.open_table(schema::OWED)?;
    transaction.open_table(schema::ANSWERED)?;
    transaction.open_table(schema::CONFIGS)?;
    transaction.open_table(schema::CONFIG_NAMES)?;
    transaction.open_table(schema::OUTBOX)?;
    transaction.open_table(schema::META)?.insert(schema::SCHEMA_KEY, schema::SCHEMA.to_be_bytes().as_slice())?;
    Ok(())
}

/// The tasks of schema 1.
fn copy_single_tasks(transaction: &WriteTransaction) -> Result<(), Error> {
    let mut copies = Copies::new(transaction)?;
    for row in transaction.open_table(schema::TASKS)?.iter()? {
        let (key, record) = row?;
        copies.add(organization_of(key.value()), id_of(key.value()), record.value())?;
    }
    copies.flush()
}

/// The tasks of schemas 2 and 3.
fn copy_groups(transaction: &WriteTransaction) -> Result<(), Error> {
    let mut copies = Copies::new(transaction)?;
    for row in transaction.open_table(OLD_GROUPS)?.iter()? {
        let (key, group) = row?;
        for (id, record) in Group::read(id_of(key.value()), group.value())?.entries() {
            copies.add(organization_of(key.value()), id, record)?;
        }
    }
    copies.flush()
}

/// Tasks on their way into groups, some at a time, since all may be more than fits memory.
struct Copies<'a> {
    tables: Tables<'a>,
    fields: Table<'a, &'static FieldKey, &'static [u8]>,
    organization: Id,
    catalog: Catalog,
    records: Vec<(Id, Vec<u8>)>,
    bytes: usize,
}

impl<'a> Copies<'a> {
    fn new(transaction: &'a WriteTransaction) -> Result<Self, Error> {
        let (tables, fields) = (Tables::open(transaction)?, transaction.open_table(schema::FIELDS)?);
        let catalog = Catalog::load(Id::MIN, &fields)?;
        Ok(Self { tables, fields, organization: Id::MIN, catalog, records: Vec::new(), bytes: 0 })
    }

    /// Adds a task, above all that its organisation has.
    fn add(&mut self, organization: Id, id: Id, record: &[u8]) -> Result<(), Error> {
        if organization != self.organization || self.bytes > BYTES_AT_A_TIME {
            self.flush()?;
        }
        if organization != self.organization {
            self.catalog = Catalog::load(organization, &self.fields)?;
            self.organization = organization;
        }
        let mut copy = Vec::with_capacity(record.len());
        without_keys(record, &self.catalog, &mut copy);
        self.bytes += copy.len();
        self.records.push((id, copy));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.tables.append(self.organization, &self.records)?;
        self.records.clear();
        self.bytes = 0;
        Ok(())
    }
}
