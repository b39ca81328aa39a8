//! The record of exports, kept as JSON; which of them are owed; and which idempotency keys were used.

use redb::ReadableTable;
use serde::Serialize;

use super::error::Error;
use super::schema::{self, AnswerKey, TaskKey, answer_key, id_of, key, organization_of, owed_key, owed_of};
use super::{Edit, View};
use crate::domain::export_log::{LogKey, State};
use crate::domain::{self, Answered, ExportLog, Id, LogFilter, LogOrder, Moment};

impl View {
    /// One export.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn export(&self, organization: Id, id: Id) -> domain::Result<Option<ExportLog>> {
        let rows = self.transaction.open_table(schema::EXPORTS).map_err(Error::from)?;
        Ok(get(&rows, organization, id)?)
    }

    /// How many of the organisation's exports are meant, and in order those after the first `from`,
    /// `size` of them at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn exports(
        &self,
        organization: Id,
        filter: &LogFilter,
        order: &LogOrder,
        from: u64,
        size: u64,
    ) -> domain::Result<(u64, Vec<ExportLog>)> {
        Ok(self.list_exports(organization, filter, order, from, size)?)
    }

    /// The queued exports of all organisations, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn owed(&self) -> domain::Result<Vec<ExportLog>> {
        Ok(self.list_owed()?)
    }

    /// Shows every export of all organisations to `each`, one organisation after the other.
    ///
    /// # Errors
    /// Those of `each`, which stop it, or when the store cannot be read.
    pub fn each_export(&self, each: &mut dyn FnMut(&ExportLog) -> domain::Result<()>) -> domain::Result<()> {
        let rows = self.transaction.open_table(schema::EXPORTS).map_err(Error::from)?;
        for row in rows.iter().map_err(Error::from)? {
            let (key, json) = row.map_err(Error::from)?;
            each(&read(key.value(), json.value())?)?;
        }
        Ok(())
    }

    /// What the user's idempotency key was answered with, also when it does not hold any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answered(&self, organization: Id, user: &str, once: &str) -> domain::Result<Option<Answered>> {
        let rows = self.transaction.open_table(schema::ANSWERED).map_err(Error::from)?;
        Ok(answer(&rows, organization, user, once)?)
    }

    /// How many idempotency keys of all organisations were answered before that moment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answered_before(&self, before: Moment) -> domain::Result<u64> {
        let rows = self.transaction.open_table(schema::ANSWERED).map_err(Error::from)?;
        Ok(old_answers(&rows, before)?.len() as u64)
    }

    fn list_exports(
        &self,
        organization: Id,
        filter: &LogFilter,
        order: &LogOrder,
        from: u64,
        size: u64,
    ) -> Result<(u64, Vec<ExportLog>), Error> {
        let rows = self.transaction.open_table(schema::EXPORTS)?;
        // Requests can be long, so that only what is sorted by is kept of those on other pages.
        let mut found: Vec<(LogKey, Id)> = Vec::new();
        for row in rows.range::<&TaskKey>(&key(organization, Id::MIN)..=&key(organization, Id::MAX))? {
            let (key, json) = row?;
            let log = read(key.value(), json.value())?;
            if filter.accepts(&log) {
                found.push((order.key(&log), log.id));
            }
        }
        found.sort_unstable_by(|a, b| if order.descending { b.cmp(a) } else { a.cmp(b) });
        let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
        let page = found.iter().skip(count(from)).take(count(size));
        let page: Result<Vec<_>, _> = page.map(|(_, id)| known(&rows, organization, *id)).collect();
        Ok((found.len() as u64, page?))
    }

    fn list_owed(&self) -> Result<Vec<ExportLog>, Error> {
        let rows = self.transaction.open_table(schema::EXPORTS)?;
        let mut all = Vec::new();
        for owed in self.transaction.open_table(schema::OWED)?.iter()? {
            let (organization, id) = owed_of(owed?.0.value());
            let log = known(&rows, organization, id)?;
            // One that has ended must not be run again, nor may the disagreement go unseen.
            if log.state != State::Queued {
                return Err(Error::Record(id));
            }
            all.push(log);
        }
        Ok(all)
    }
}

impl Edit<'_> {
    /// Stores an export in place of one with its id; it is owed for as long as it is queued.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_export(&mut self, log: &ExportLog) -> domain::Result<()> {
        let json = json(log)?;
        Ok(self.insert_export(log, &json)?)
    }

    /// One export as this edit has it so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn export(&self, organization: Id, id: Id) -> domain::Result<Option<ExportLog>> {
        let rows = self.transaction.open_table(schema::EXPORTS).map_err(Error::from)?;
        Ok(get(&rows, organization, id)?)
    }

    /// Removes an export and gives it back.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn delete_export(&mut self, organization: Id, id: Id) -> domain::Result<Option<ExportLog>> {
        Ok(self.remove_export(organization, id)?)
    }

    /// What the user's idempotency key was answered with, also when it does not hold any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answered(&self, organization: Id, user: &str, once: &str) -> domain::Result<Option<Answered>> {
        let rows = self.transaction.open_table(schema::ANSWERED).map_err(Error::from)?;
        Ok(answer(&rows, organization, user, once)?)
    }

    /// Remembers what the user's idempotency key is answered with from now on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_answered(
        &mut self,
        organization: Id,
        user: &str,
        once: &str,
        answered: &Answered,
    ) -> domain::Result<()> {
        let json = json(answered)?;
        Ok(self.insert_answered(organization, user, once, &json)?)
    }

    /// Forgets the idempotency keys of all organisations that were answered before that moment, and
    /// says how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget_answered(&mut self, before: Moment) -> domain::Result<u64> {
        Ok(self.remove_answered(before)?)
    }

    fn insert_export(&mut self, log: &ExportLog, json: &[u8]) -> Result<(), Error> {
        let organization = log.organization();
        self.transaction.open_table(schema::EXPORTS)?.insert(&key(organization, log.id), json)?;
        let owed = owed_key(organization, log.id);
        let mut table = self.transaction.open_table(schema::OWED)?;
        match log.state {
            State::Queued => table.insert(&owed, [].as_slice())?,
            State::Done | State::Failed | State::Canceled | State::Expired => table.remove(&owed)?,
        };
        Ok(())
    }

    fn remove_export(&mut self, organization: Id, id: Id) -> Result<Option<ExportLog>, Error> {
        let mut rows = self.transaction.open_table(schema::EXPORTS)?;
        let Some(log) = get(&rows, organization, id)? else { return Ok(None) };
        rows.remove(&key(organization, id))?;
        self.transaction.open_table(schema::OWED)?.remove(&owed_key(organization, id))?;
        Ok(Some(log))
    }

    fn insert_answered(&mut self, organization: Id, user: &str, once: &str, json: &[u8]) -> Result<(), Error> {
        self.transaction.open_table(schema::ANSWERED)?.insert(&answer_key(organization, user, once), json)?;
        Ok(())
    }

    fn remove_answered(&mut self, before: Moment) -> Result<u64, Error> {
        let mut table = self.transaction.open_table(schema::ANSWERED)?;
        let old = old_answers(&table, before)?;
        for key in &old {
            table.remove(key)?;
        }
        Ok(old.len() as u64)
    }
}

fn json(thing: &impl Serialize) -> domain::Result<Vec<u8>> {
    serde_json::to_vec(thing).map_err(|error| domain::Error::internal("store", error))
}

fn get(
    rows: &impl ReadableTable<&'static TaskKey, &'static [u8]>,
    organization: Id,
    id: Id,
) -> Result<Option<ExportLog>, Error> {
    let key = key(organization, id);
    rows.get(&key)?.map(|json| read(&key, json.value())).transpose()
}

/// An export that another row says is there.
fn known(
    rows: &impl ReadableTable<&'static TaskKey, &'static [u8]>,
    organization: Id,
    id: Id,
) -> Result<ExportLog, Error> {
    get(rows, organization, id)?.ok_or(Error::Record(id))
}

/// A record that stands under another's key is damaged too: it would be shown to strangers.
fn read(key: &TaskKey, json: &[u8]) -> Result<ExportLog, Error> {
    let (organization, id) = (organization_of(key), id_of(key));
    let log: ExportLog = serde_json::from_slice(json).map_err(|_| Error::Record(id))?;
    if (log.organization(), log.id) == (organization, id) { Ok(log) } else { Err(Error::Record(id)) }
}

fn answer(
    rows: &impl ReadableTable<&'static AnswerKey, &'static [u8]>,
    organization: Id,
    user: &str,
    once: &str,
) -> Result<Option<Answered>, Error> {
    let key = answer_key(organization, user, once);
    rows.get(&key)?.map(|json| read_answer(&key, json.value())).transpose()
}

fn old_answers(
    rows: &impl ReadableTable<&'static AnswerKey, &'static [u8]>,
    before: Moment,
) -> Result<Vec<AnswerKey>, Error> {
    let mut old = Vec::new();
    for row in rows.iter()? {
        let (key, json) = row?;
        if read_answer(key.value(), json.value())?.at < before {
            old.push(*key.value());
        }
    }
    Ok(old)
}

fn read_answer(key: &AnswerKey, json: &[u8]) -> Result<Answered, Error> {
    serde_json::from_slice(json).map_err(|_| Error::Record(organization_of(key)))
}
