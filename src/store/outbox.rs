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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::{Channel, Moment, Told};
    use crate::store::Store;

    const OURS: Id = Id([1; 12]);
    const THEIRS: Id = Id([2; 12]);

    fn notice(number: u8, organization: Id) -> Notice {
        Notice {
            id: Id([number; 12]),
            organization,
            export: Id([9; 12]),
            channel: Channel::Mail("ana@example.org".to_owned()),
            told: Told::Done,
            attempts: 0,
            next: Moment(0),
            last_error: None,
        }
    }

    /// What is owed, as the numbers of the notices and how often they were tried.
    fn owed(store: &Store) -> Vec<(u8, u32)> {
        let mut owed = Vec::new();
        let each = &mut |notice: Notice| {
            owed.push((notice.id.0[0], notice.attempts));
            Ok(())
        };
        store.view().unwrap().each_notice(each).unwrap();
        owed
    }

    #[test]
    fn notices_are_owed_the_oldest_first_until_they_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(&folder.path().join("waybill.redb"), 1 << 20).unwrap();
        let store = open();
        let mixed = [notice(3, OURS), notice(1, THEIRS), notice(2, OURS)];
        store.edit(|edit| mixed.iter().try_for_each(|notice| edit.put_notice(notice))).unwrap();
        assert_eq!(owed(&store), [(1, 0), (2, 0), (3, 0)]);
        store.edit(|edit| edit.put_notice(&Notice { attempts: 1, ..notice(2, OURS) })).unwrap();
        assert!(!store.edit(|edit| edit.delete_notice(THEIRS, Id([3; 12]))).unwrap(), "it is another's");
        assert!(store.edit(|edit| edit.delete_notice(OURS, Id([3; 12]))).unwrap());
        drop(store);
        assert_eq!(owed(&open()), [(1, 0), (2, 1)]);
    }
}
