//! Notices that have not reached their recipient yet, kept as JSON.

use redb::ReadableTable;

use super::error::Error;
use super::schema::{self, OwedKey, owed_key, owed_of};
use super::{Edit, View};
use crate::domain::{self, Id, Notice};

impl View {
    /// Shows every notice of all organisations to `each`, the oldest first.
    ///
    /// # Errors
    /// Those of `each`, which stop it, or when the store cannot be read.
    pub fn each_notice(&self, each: &mut dyn FnMut(Notice) -> domain::Result<()>) -> domain::Result<()> {
        let rows = self.transaction.open_table(schema::OUTBOX).map_err(Error::from)?;
        for row in rows.iter().map_err(Error::from)? {
            let (key, json) = row.map_err(Error::from)?;
            each(read(key.value(), json.value())?)?;
        }
        Ok(())
    }
}

impl Edit<'_> {
    /// Stores a notice in place of one with its id; it is owed until it is deleted.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_notice(&mut self, notice: &Notice) -> domain::Result<()> {
        let json = serde_json::to_vec(notice).map_err(|error| domain::Error::internal("store", error))?;
        Ok(self.insert_notice(notice, &json)?)
    }

    /// Removes a notice, and says whether it was there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn delete_notice(&mut self, organization: Id, id: Id) -> domain::Result<bool> {
        Ok(self.remove_notice(organization, id)?)
    }

    fn insert_notice(&mut self, notice: &Notice, json: &[u8]) -> Result<(), Error> {
        let key = owed_key(notice.organization, notice.id);
        self.transaction.open_table(schema::OUTBOX)?.insert(&key, json)?;
        Ok(())
    }

    fn remove_notice(&mut self, organization: Id, id: Id) -> Result<bool, Error> {
        let mut rows = self.transaction.open_table(schema::OUTBOX)?;
        let removed = rows.remove(&owed_key(organization, id))?;
        Ok(removed.is_some())
    }
}

/// A record that stands under another's key is damaged too: it would tell strangers.
fn read(key: &OwedKey, json: &[u8]) -> Result<Notice, Error> {
    let (organization, id) = owed_of(key);
    let notice: Notice = serde_json::from_slice(json).map_err(|_| Error::Record(id))?;
    if (notice.organization, notice.id) == (organization, id) { Ok(notice) } else { Err(Error::Record(id)) }
}
