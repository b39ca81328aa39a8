//! The tables, all on this page. The organisation is the first part of every key, so that a range
//! over one organisation never meets another's rows; [`OWED`] alone is for no organisation's eyes.
//!
//! Keys are fixed bytes or `&[u8]`, values `&[u8]` of our own encoding: redb's encodings of
//! compound types may change between its major versions, bytes do not.

use redb::TableDefinition;
use sha2::{Digest, Sha256};

use crate::domain::Id;

/// The number of this schema; a store with a higher one was written by a newer program.
/// 1 had tasks, each alone, flows and hubs; 2 has tasks in groups, and exports too; 3 has export
/// configs and what is owed to recipients; 4 has headers in groups, and tasks without their keys.
pub(super) const SCHEMA: u32 = 4;
/// What [`META`] holds under [`MAGIC_KEY`] in every store of ours.
pub(super) const MAGIC: &[u8] = b"waybill store";
/// Where the magic stands.
pub(super) const MAGIC_KEY: &str = "magic";
/// Where the schema number stands, four bytes, highest first.
pub(super) const SCHEMA_KEY: &str = "schema";

/// Facts about the store itself.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// organisation, highest id that may be in it → a group of tasks. The last one of an organisation goes
/// up to [`Id::MAX`], so that every id has its group: the first at or above it. By its highest id and
/// not by its lowest, because redb parts two pages at the last key of the left one, and a search
/// between that and the first key of the right one would read both. Since schema 2.
pub(super) const TASK_GROUPS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("task_groups");
/// organisation, task → the record of `codec`. In schema 1 only.
pub(super) const TASKS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("tasks");
/// organisation, highest id that may be in it → the fronts of the records of a group, themselves a
/// group, derived from it in the same edit. A selection that looks at nothing else reads a tenth of the
/// bytes here. Since schema 4.
pub(super) const HEADER_GROUPS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("header_groups");
/// organisation, task → the front of its record. Up to schema 3.
pub(super) const HEADERS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("headers");
/// organisation, number → the name of a task key that some task had, numbered from 0 as first seen.
pub(super) const FIELDS: TableDefinition<&FieldKey, &[u8]> = TableDefinition::new("fields");
/// organisation, flow → its JSON.
pub(super) const FLOWS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("flows");
/// organisation, name in lower case → the flow's id.
pub(super) const FLOW_NAMES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("flow_names");
/// organisation, hub → its JSON.
pub(super) const HUBS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("hubs");
/// organisation, name in lower case → the hub's id.
pub(super) const HUB_NAMES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("hub_names");
/// organisation, export → its JSON. Since schema 2.
pub(super) const EXPORTS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("exports");
/// export, organisation → nothing: those that are queued, derived from their records in the same
/// edit. Ids start with the time of their making, so the oldest of all organisations comes first.
/// Since schema 2.
pub(super) const OWED: TableDefinition<&OwedKey, &[u8]> = TableDefinition::new("owed");
/// organisation, digest of a user and an idempotency key → the JSON of what it was answered with.
/// Since schema 2.
pub(super) const ANSWERED: TableDefinition<&AnswerKey, &[u8]> = TableDefinition::new("answered");
/// organisation, export config → its JSON. Since schema 3.
pub(super) const CONFIGS: TableDefinition<&TaskKey, &[u8]> = TableDefinition::new("configs");
/// organisation, name in lower case → the export config's id. Since schema 3.
pub(super) const CONFIG_NAMES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("config_names");
/// notice, organisation → its JSON: those that have not reached their recipient yet. Since schema 3.
pub(super) const OUTBOX: TableDefinition<&OwedKey, &[u8]> = TableDefinition::new("outbox");

/// An organisation and an id in it.
pub(super) type TaskKey = [u8; 24];
/// An organisation and the number of a field.
pub(super) type FieldKey = [u8; 16];
/// An export or a notice, and its organisation.
pub(super) type OwedKey = [u8; 24];
/// An organisation and a SHA-256.
pub(super) type AnswerKey = [u8; 44];

/// The key of an id in an organisation.
pub(super) fn key(organization: Id, id: Id) -> TaskKey {
    let mut key = [0; 24];
    key[..12].copy_from_slice(&organization.0);
    key[12..].copy_from_slice(&id.0);
    key
}

/// The id in a key.
pub(super) fn id_of(key: &TaskKey) -> Id {
    let mut id = [0; 12];
    id.copy_from_slice(&key[12..]);
    Id(id)
}

/// The organisation that a key starts with.
pub(super) fn organization_of<const N: usize>(key: &[u8; N]) -> Id {
    let mut organization = [0; 12];
    organization.copy_from_slice(&key[..12]);
    Id(organization)
}

/// The key under which an export is owed.
pub(super) fn owed_key(organization: Id, id: Id) -> OwedKey {
    key(id, organization)
}

/// The organisation and the export that are owed under a key.
pub(super) fn owed_of(owed: &OwedKey) -> (Id, Id) {
    // The two stand the other way round than in other keys.
    (id_of(owed), organization_of(owed))
}

/// The key of what a user's idempotency key was answered with. Clients choose these keys and may
/// make them long; their digest is not.
pub(super) fn answer_key(organization: Id, user: &str, once: &str) -> AnswerKey {
    let mut digest = Sha256::new();
    for part in [user, "\0", once] {
        digest.update(part);
    }
    let mut key = [0; 44];
    key[..12].copy_from_slice(&organization.0);
    key[12..].copy_from_slice(&digest.finalize());
    key
}

/// The key of a field's name.
pub(super) fn field_key(organization: Id, number: u32) -> FieldKey {
    let mut key = [0; 16];
    key[..12].copy_from_slice(&organization.0);
    key[12..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The number in a field's key.
pub(super) fn number_of(key: &FieldKey) -> u32 {
    u32::from_be_bytes([key[12], key[13], key[14], key[15]])
}

/// The key under which a name is kept unique; an empty name is the lowest of its organisation.
pub(super) fn name_key(organization: Id, name: &str) -> Vec<u8> {
    [organization.0.as_slice(), name.to_lowercase().as_bytes()].concat()
}
