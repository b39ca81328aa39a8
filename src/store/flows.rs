//! The flows of an organisation, read once for as long as they stay as they are: every request asks
//! for them, and to read their JSON takes longer than to see that it is the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::View;
use super::error::Error;
use super::schema::{self, TaskKey, key};
use crate::domain::{self, Flow, Id};

/// Organisations whose flows are kept; beyond, all are read anew.
const MOST_ORGANIZATIONS: usize = 64;
/// Bytes of an organisation's flows that are worth their memory.
const MOST_BYTES: usize = 256 * 1024;

/// The flows that were read last.
#[derive(Debug, Default)]
pub(super) struct Flows(Mutex<HashMap<Id, Read>>);

#[derive(Debug, Clone)]
struct Read {
    /// The JSON of them all, by id.
    json: Arc<[u8]>,
    flows: Arc<[Flow]>,
}

impl View {
    /// The organisation's flows, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn flows(&self, organization: Id) -> domain::Result<Arc<[Flow]>> {
        Ok(self.known_flows(organization)?)
    }

    fn known_flows(&self, organization: Id) -> Result<Arc<[Flow]>, Error> {
        let json = self.json_of_flows(organization)?;
        let known = self.flows.lock().get(&organization).cloned();
        if let Some(known) = known.filter(|known| *known.json == *json) {
            return Ok(known.flows);
        }
        let flows: Arc<[Flow]> = self.list::<Flow, _>(organization)?.into();
        if json.len() <= MOST_BYTES {
            self.flows.keep(organization, Read { json: json.into(), flows: Arc::clone(&flows) });
        }
        Ok(flows)
    }

    /// Their names are in it, by which they are listed.
    fn json_of_flows(&self, organization: Id) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        let rows = self.transaction.open_table(schema::FLOWS)?;
        for row in rows.range::<&TaskKey>(&key(organization, Id::MIN)..=&key(organization, Id::MAX))? {
            all.extend_from_slice(row?.1.value());
        }
        Ok(all)
    }
}

impl Flows {
    fn keep(&self, organization: Id, read: Read) {
        let mut known = self.lock();
        if known.len() >= MOST_ORGANIZATIONS {
            known.clear();
        }
        known.insert(organization, read);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
