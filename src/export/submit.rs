//! From a request to a promise: a background export that is on disk before it is answered, and a
//! direct one that is in the log once its file is there.

use crate::app::App;
use crate::app::queue::Job;
use crate::domain::export_log::{File, State};
use crate::domain::{Caller, Error, ExportLog, Id, Kind, Moment, Result};
use crate::kit::fail;
use crate::kit::meter::Meter;
use crate::store::{Edit, Selection};

use super::ask::{Configured, Wish, ask};
use super::run::put;
use super::{Finished, Outcome, Plan, once, run};

/// Bytes of a file that may be in memory for each request that is being answered.
const LITTLE_BYTES: u64 = 64 * 1024;

/// Takes in a background export: its record and its place in the queue are on disk when this
/// returns. What the caller asks for already, or asked for under the same key, is given back instead.
///
/// # Errors
/// Those of [`super::plan`] for the request, `Conflict` for a key that was used otherwise, `Busy`
/// when as many exports of the caller wait as may.
pub fn submit(app: &App, caller: &Caller, body: &[u8], once: Option<&str>) -> Result<ExportLog> {
    let log = record(app, caller, body, once)?;
    let twin = once::twin(caller, body);
    // Held to the end, so that of two equal requests at once the second sees the first.
    let mut asked = app.asked.of(caller);
    let on_its_way = asked.get(&twin).copied();
    fail::place("before-submit");
    let before = app.store.edit_together(|edit| accept(app, edit, &log, on_its_way))?;
    if let Some(before) = before {
        return Ok(before);
    }
    asked.insert(twin, log.id);
    // There was room a moment ago, and all who push for this user hold the same lock.
    if app.queue.push(job(&log)).is_err() {
        app.queue.push_owed(job(&log));
    }
    drop(asked);
    fail::place("submitted");
    Ok(log)
}

/// What waits in memory for an export that is owed.
pub(super) fn job(log: &ExportLog) -> Job {
    Job { organization: log.organization(), id: log.id, user: log.caller.user.clone(), rows: log.rows }
}

/// The direct export: keeps the file and writes it into the log. Another request under the same key
/// may have come first; then its export is given back and nothing is left of this one. The turn ends
/// once a small file is made: while it waits for the disk others can be made.
///
/// # Errors
/// `Canceled` when told to stop, else what store, render or storage answer; nothing is left behind.
pub fn direct(
    app: &App,
    caller: &Caller,
    body: &[u8],
    plan: Plan,
    meter: &Meter,
    once: Option<&str>,
    turn: impl Sized,
) -> Result<ExportLog> {
    let log = direct_record(caller, body, &plan, once)?;
    let made = kept(app, &log, plan, meter, turn);
    match &made {
        Ok(made) if made.id != log.id => {}
        Ok(made) => app.metrics.ended(made, State::Done, meter),
        Err(error) => broken_off(app, &log, error, meter),
    }
    made
}

/// A direct export has come to nothing, which no entry will tell.
pub fn broken_off(app: &App, log: &ExportLog, error: &Error, meter: &Meter) {
    let state = if error.kind == Kind::Canceled { State::Canceled } else { State::Failed };
    app.metrics.ended(log, state, meter);
}

fn kept(app: &App, log: &ExportLog, plan: Plan, meter: &Meter, turn: impl Sized) -> Result<ExportLog> {
    let drafted = run::draft(app, plan, meter)?;
    let _turn = Some(turn).filter(|_| drafted.draft.size() > LITTLE_BYTES);
    let finished = put(app, drafted, meter, false)?;
    let key = finished.key.clone();
    let log = done(app, log.clone(), finished);
    let written = run::go_on(meter).and_then(|()| {
        app.store.edit_together(|edit| {
            let now = app.clock.now();
            let before = once::before(edit, &log, now)?;
            if before.is_none() {
                once::remember(edit, &log, log.id, now)?;
                edit.put_export(&log)?;
            }
            Ok(before)
        })
    });
    match written {
        Ok(None) => Ok(log),
        Ok(Some(before)) => {
            leave_nothing(app, &[key]);
            Ok(before)
        }
        Err(error) => {
            // Whoever asked has left or cannot be answered, and nobody else will know of the file.
            leave_nothing(app, &[key]);
            Err(error)
        }
    }
}

/// Deletes files that no entry will name. What cannot be deleted now is left to the sweeper.
pub(super) fn leave_nothing(app: &App, keys: &[String]) {
    if let Err(error) = app.storage.discard(keys) {
        tracing::warn!(?keys, cause = error.chain(), "files that nobody will ask for are left to the sweeper");
    }
}

/// The record of a direct export that will be streamed, for [`streamed`].
///
/// # Errors
/// `Invalid` when the body is no text.
pub fn direct_record(caller: &Caller, body: &[u8], plan: &Plan, once: Option<&str>) -> Result<ExportLog> {
    let name = plan.name.clone().unwrap_or_else(|| plan.stem());
    let mut log = ExportLog::queued(plan.id, caller.clone(), plan.asked, name, text(body)?);
    log.background = false;
    log.attempts = 1;
    log.started = Some(plan.asked);
    log.once = once.map(str::to_owned);
    Ok(log)
}

/// Writes into the log that an export was streamed to its caller; there is no file to fetch again.
///
/// # Errors
/// When the store cannot be written.
pub fn streamed(app: &App, log: ExportLog, outcome: Outcome, meter: &Meter) -> Result<()> {
    let mut log = filled(log, outcome);
    log.end(State::Done, app.clock.now());
    app.store.edit_together(|edit| edit.put_export(&log))?;
    app.metrics.ended(&log, State::Done, meter);
    Ok(())
}

fn record(app: &App, caller: &Caller, body: &[u8], once: Option<&str>) -> Result<ExportLog> {
    let ask = ask(app, Wish { caller, body, pinned: None })?;
    let counted = Selection { skip: 0, take: Some(0), ..ask.selection.clone() };
    let matched = ask.view.select_on(&app.small_pool, &counted)?.matched;
    let rows = ask.rows(matched);
    ask.check_rows(app, rows, matched)?;
    let asked = app.clock.now();
    let name = ask.request.name.unwrap_or_else(|| stem(caller.organization, asked));
    let mut log = ExportLog::queued(app.ids.id(asked), caller.clone(), asked, name, text(body)?);
    (log.rows, log.matched, log.warnings) = (rows, matched, ask.warnings);
    log.once = once.map(str::to_owned).or(ask.request.once);
    if let Some(Configured { config, .. }) = ask.config {
        log.used.config = Some((&config).into());
        log.pinned = Some(Box::new(config));
    }
    Ok(log)
}

fn accept(app: &App, edit: &mut Edit<'_>, log: &ExportLog, on_its_way: Option<Id>) -> Result<Option<ExportLog>> {
    let (organization, now) = (log.organization(), app.clock.now());
    if let Some(before) = once::before(edit, log, now)? {
        return Ok(Some(before));
    }
    if let Some(id) = on_its_way
        && let Some(before) = edit.export(organization, id)?.filter(|before| !before.state.has_ended())
    {
        once::remember(edit, log, before.id, now)?;
        return Ok(Some(before));
    }
    if !app.queue.has_room(organization, &log.caller.user) {
        let most = app.settings.export.queue_per_user;
        let message = format!("{most} of your exports are waiting already. Try again when some of them are done.");
        return Err(Error::new(Kind::Busy, message));
    }
    once::remember(edit, log, log.id, now)?;
    edit.put_export(log)?;
    Ok(None)
}

fn stem(organization: Id, asked: Moment) -> String {
    format!("task_{organization}_{}", asked.seconds())
}

fn text(body: &[u8]) -> Result<String> {
    String::from_utf8(body.to_vec()).map_err(|_| Error::invalid("The body must be UTF-8."))
}

/// The record of an export that is done, with this file.
pub(super) fn done(app: &App, mut log: ExportLog, finished: Finished) -> ExportLog {
    let now = app.clock.now();
    let kept = i64::from(app.settings.retention.days) * 86_400_000;
    log.file = Some(File {
        key: finished.key,
        place: finished.stored.place,
        name: finished.name,
        kind: finished.kind.to_owned(),
        size: finished.stored.size,
        sha256: finished.stored.sha256,
        expires: Moment(now.0.saturating_add(kept)),
    });
    log.end(State::Done, now);
    filled(log, finished.outcome)
}

fn filled(mut log: ExportLog, outcome: Outcome) -> ExportLog {
    (log.rows, log.matched) = (outcome.rows, outcome.matched);
    (log.tasks, log.left_out, log.used) = (Some(outcome.total), outcome.left_out, outcome.used);
    (log.last_id, log.last_field) = (outcome.last_id, outcome.last_field);
    log.warnings = outcome.warnings;
    log
}
