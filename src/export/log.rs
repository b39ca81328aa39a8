//! The export log as a caller may see and change it (contract 3).

use serde_json::Value;

use crate::app::App;
use crate::app::queue::Found;
use crate::domain::export_log::State;
use crate::domain::{Caller, Error, ExportLog, Id, Kind, LogFilter, LogOrder, Permission, Result};

use super::attempt::{forget, is_at_work};
use super::submit;

/// An entry with what is known in memory alone.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is on disk.
    pub log: ExportLog,
    /// Its place in the queue, or the meter of its run; nothing once it has ended.
    pub found: Option<Found>,
    /// Whether the caller may have the file as of now, whatever was true when it was made.
    pub may_fetch: bool,
}

/// How many entries of the caller's organisation are meant, and those of one page. Whose entries a
/// caller may name is for [`may_see_others`] to say.
///
/// # Errors
/// When the store cannot be read.
pub fn list(
    app: &App,
    caller: &Caller,
    filter: &LogFilter,
    order: &LogOrder,
    from: u64,
    size: u64,
) -> Result<(u64, Vec<Entry>)> {
    let (total, logs) = app.store.view()?.exports(caller.organization, filter, order, from, size)?;
    Ok((total, logs.into_iter().map(|log| seen(app, caller, log)).collect()))
}

/// Whether the caller may see entries of others.
///
/// # Errors
/// `Forbidden` if not.
pub fn may_see_others(caller: &Caller) -> Result<()> {
    caller.demand(Permission::ViewExportLog)
}

/// One entry.
///
/// # Errors
/// `NotFound` when there is none that the caller may see.
pub fn entry(app: &App, caller: &Caller, id: Id) -> Result<Entry> {
    let log = app.store.view()?.export(caller.organization, id)?;
    log.filter(|log| is_visible(caller, log)).map(|log| seen(app, caller, log)).ok_or_else(unknown)
}

/// Cancels an export: on disk first, so that it stays canceled whatever happens; then in memory.
///
/// # Errors
/// `NotFound`, `Forbidden` for an entry of somebody else, or `Conflict` when it has ended.
pub fn cancel(app: &App, caller: &Caller, id: Id) -> Result<Entry> {
    let log = app.store.edit(|edit| {
        let log = edit.export(caller.organization, id)?.filter(|log| is_visible(caller, log));
        let mut log = log.ok_or_else(unknown)?;
        may_change(caller, &log)?;
        if log.state.has_ended() {
            return Err(Error::new(Kind::Conflict, "This export has ended already."));
        }
        log.end(State::Canceled, app.clock.now());
        log.error = Some("The export was canceled.".to_owned());
        edit.put_export(&log)?;
        Ok(log)
    })?;
    forget(app, &log);
    app.queue.cancel(log.organization(), log.id);
    Ok(seen(app, caller, log))
}

/// Asks again for what an export was asked for, in the background, as a new entry. The caller's
/// rights of now count.
///
/// # Errors
/// `NotFound`, `Conflict` while it has not ended, and those of [`submit()`](submit::submit).
pub fn retry(app: &App, caller: &Caller, id: Id) -> Result<ExportLog> {
    let log = entry(app, caller, id)?.log;
    if !log.state.has_ended() {
        return Err(Error::new(Kind::Conflict, "This export has not ended yet."));
    }
    submit::submit(app, caller, &in_background(app, &log)?, None)
}

/// Removes an entry and its file: the file first, so that an interruption leaves an entry to delete
/// again and never a file that nobody knows.
///
/// # Errors
/// `NotFound`, `Forbidden` for an entry of somebody else, or `Conflict` while it has not ended.
pub fn delete(app: &App, caller: &Caller, id: Id) -> Result<()> {
    let log = entry(app, caller, id)?.log;
    may_change(caller, &log)?;
    if !log.state.has_ended() {
        return Err(Error::new(Kind::Conflict, "This export has not ended yet. Cancel it first."));
    }
    // One that was settled by its own run has nothing more to come.
    if log.state == State::Canceled && is_at_work(app, log.organization(), id) {
        return Err(Error::new(Kind::Conflict, "This export is being stopped. Try again in a moment."));
    }
    if let Some(file) = &log.file {
        app.storage.delete(&file.key, &file.place)?;
    }
    app.store.edit(|edit| edit.delete_export(log.organization(), id))?;
    Ok(())
}

/// Counts that a file was fetched.
///
/// # Errors
/// When the store cannot be written.
pub fn downloaded(app: &App, organization: Id, id: Id) -> Result<()> {
    app.store.edit(|edit| {
        let Some(mut log) = edit.export(organization, id)? else { return Ok(()) };
        log.downloads += 1;
        edit.put_export(&log)
    })
}

fn is_visible(caller: &Caller, log: &ExportLog) -> bool {
    log.is_mine(caller) || caller.may(Permission::ViewExportLog)
}

/// Who may see the entries of others may not change them; who administers the server may.
pub(super) fn may_change(caller: &Caller, log: &ExportLog) -> Result<()> {
    if log.is_mine(caller) || caller.may(Permission::AdminServer) {
        return Ok(());
    }
    Err(Error::new(Kind::Forbidden, "You do not have permission to change the exports of others"))
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, "Data not found")
}

fn seen(app: &App, caller: &Caller, mut log: ExportLog) -> Entry {
    let found = if log.state.has_ended() { None } else { app.queue.find(log.organization(), log.id) };
    if found.is_none() && !log.state.has_ended() {
        // It has ended between the two looks, unless it waits for a start.
        let again = app.store.view().and_then(|view| view.export(log.organization(), log.id));
        log = again.ok().flatten().unwrap_or(log);
    }
    let may_fetch = may_fetch(caller, &log.caller);
    Entry { log, found, may_fetch }
}

/// Whether a caller may see all that `made` could see when the file was made.
fn may_fetch(caller: &Caller, made: &Caller) -> bool {
    let within_hubs = match (&caller.hubs, &made.hubs) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(may), Some(shown)) => shown.iter().all(|hub| may.contains(hub)),
    };
    let own = !caller.own || (made.own && made.email.eq_ignore_ascii_case(&caller.email));
    caller.may(Permission::ExportTask) && within_hubs && own
}

/// The same request for the background: what a direct export took for granted is said.
fn in_background(app: &App, log: &ExportLog) -> Result<Vec<u8>> {
    let mut body: serde_json::Map<String, Value> =
        serde_json::from_str(&log.body).map_err(|why| Error::internal("export", why))?;
    let named = |key: &str| body.get(key).is_some_and(|value| !value.is_null());
    let limit = app.settings.export.direct_default_limit;
    if !log.background && !named("page") && !named("limit") && limit > 0 {
        body.insert("limit".to_owned(), limit.into());
    }
    body.insert("background".to_owned(), true.into());
    body.remove("idempotencyKey");
    Ok(Value::Object(body).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_for_those_who_may_see_all_of_it_now() {
        let (a, b) = (Id([1; 12]), Id([2; 12]));
        let caller = |perms: &[&str], hubs: Option<Vec<Id>>, own: bool| Caller {
            user: "ana".to_owned(),
            email: "Ana@example.com".to_owned(),
            name: String::new(),
            organization: a,
            permissions: perms.iter().map(|name| (*name).to_owned()).collect(),
            hubs,
            own,
        };
        let all = caller(&["export/task"], None, false);
        let one = caller(&["export/task"], Some(vec![a]), false);
        let both = caller(&["*"], Some(vec![a, b]), false);
        let own = caller(&["*"], None, true);
        assert!(may_fetch(&all, &all) && may_fetch(&all, &one) && may_fetch(&all, &own));
        assert!(may_fetch(&both, &one) && !may_fetch(&one, &both) && !may_fetch(&both, &all));
        assert!(may_fetch(&own, &own) && !may_fetch(&own, &all));
        assert!(!may_fetch(&caller(&["view/export-log"], None, false), &all));
    }
}
