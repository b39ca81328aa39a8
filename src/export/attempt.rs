//! One run of an export that is owed: counted on disk before the work, settled in one edit after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::app::App;
use crate::app::queue::{Job, Running};
use crate::domain::export_log::State;
use crate::domain::limits::MAX_ATTEMPTS;
use crate::domain::{Column, ColumnKind, Download, Error, ExportLog, Id, Kind, Result};
use crate::kit::fail;
use crate::kit::meter::{Meter, Stop};

use super::ask::Wish;
use super::plan::resolve;
use super::run::{draft, put};
use super::submit::{done, job, leave_nothing};
use super::{Finished, Plan, once, owing};

/// How long a store that cannot be written is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs an export and settles it, whatever comes of it. A server that leaves hands it back.
pub fn attempt(app: &App, running: &Running) {
    let meter = &running.meter;
    let Some(Some(log)) = patiently(meter, || count(app, &running.job)) else { return app.outbox.ring() };
    fail::place("counted");
    let made = catch_unwind(AssertUnwindSafe(|| make(app, &log, meter)));
    let made = made.unwrap_or_else(|_| Err(Error::internal("export", "the run panicked")));
    if made.is_err() && meter.stopped() == Some(Stop::Leaving) {
        if patiently(&Meter::new(), || hand_back(app, &log)).is_some() {
            tracing::info!(export = %log.id, "an export is handed back to the queue");
        }
        return;
    }
    if made.as_ref().is_err_and(|error| error.kind == Kind::Unavailable && error.part == "store") {
        // The store was opened anew below the run, which is no fault of the export.
        patiently(meter, || hand_back(app, &log));
        app.queue.push_owed(running.job.clone());
        return;
    }
    let file = made.as_ref().ok().map(|finished| finished.key.clone());
    let ended = ended(app, &log, made);
    fail::place("before-settle");
    let settled = patiently(meter, || settle(app, &ended));
    fail::place("after-settle");
    if settled == Some(true) {
        app.metrics.ended(&ended, ended.state, meter);
    }
    // Somebody canceled or deleted it meanwhile: nobody will ask for the file.
    if settled == Some(false)
        && let Some(key) = file
    {
        leave_nothing(app, &[key]);
    }
    forget(app, &log);
    meter.finish();
    app.outbox.ring();
}

/// What is owed from before goes into the queue; what was interrupted too often fails here.
///
/// # Errors
/// When the store cannot be read or written.
pub fn rescue(app: &App) -> Result<()> {
    let owed = app.store.view()?.owed()?;
    let (given_up, owed): (Vec<_>, Vec<_>) = owed.into_iter().partition(|log| log.attempts >= MAX_ATTEMPTS);
    discard(app, &given_up);
    if !given_up.is_empty() {
        app.store
            .edit(|edit| given_up.into_iter().try_for_each(|log| owing::settle(app, edit, interrupted(app, log))))?;
    }
    for log in owed {
        app.asked.of(&log.caller).insert(once::twin(&log.caller, log.body.as_bytes()), log.id);
        app.queue.push_owed(job(&log));
    }
    Ok(())
}

/// Does it until the store can be written; nothing when the run was told to leave meanwhile, or when
/// it failed for another reason, which the log tells.
fn patiently<T>(meter: &Meter, mut change: impl FnMut() -> Result<T>) -> Option<T> {
    loop {
        match change() {
            Ok(value) => return Some(value),
            Err(error) if error.kind == Kind::Unavailable && meter.stopped() != Some(Stop::Leaving) => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => {
                tracing::error!(cause = error.chain(), "the state of an export could not be written");
                return None;
            }
        }
    }
}

/// Counts the attempt on disk before any work; nothing when there is nothing to do any more.
fn count(app: &App, job: &Job) -> Result<Option<ExportLog>> {
    let counted = app.store.edit_together(|edit| {
        let Some(mut log) = edit.export(job.organization, job.id)?.filter(|log| !log.state.has_ended()) else {
            return Ok(None);
        };
        if log.attempts >= MAX_ATTEMPTS {
            log = interrupted(app, log);
            owing::settle(app, edit, log.clone())?;
            return Ok(Some(log));
        }
        log.attempts += 1;
        log.started = Some(app.clock.now());
        edit.put_export(&log)?;
        Ok(Some(log))
    })?;
    // Not within the edit, since a bucket may take its time.
    match counted {
        Some(log) if log.state.has_ended() => {
            discard(app, &[log]);
            Ok(None)
        }
        counted => Ok(counted),
    }
}

fn make(app: &App, log: &ExportLog, meter: &Meter) -> Result<Finished> {
    let wish = Wish { caller: &log.caller, body: log.body.as_bytes(), pinned: log.pinned.as_deref() };
    let plan = resolve(app, wish, log.id, log.asked, meter)?;
    fail::place("selected");
    check_space(app, &plan)?;
    put(app, draft(app, plan, meter)?, meter, true)
}

/// # Errors
/// `Unavailable` when the file of a large export would not fit on the disk.
fn check_space(app: &App, plan: &Plan) -> Result<()> {
    /// Rows below which a file is too small to matter.
    const LARGE: u64 = 10_000;
    /// Left to the store and to everybody else.
    const RESERVE: u64 = 64 << 20;
    if plan.rows() < LARGE {
        return Ok(());
    }
    let row = bytes_of_row(plan.download, &plan.columns);
    let (needed, free) = (plan.rows() * row + RESERVE, app.storage.folder().free_bytes()?);
    if free >= needed {
        return Ok(());
    }
    let mb = |bytes: u64| bytes >> 20;
    Err(Error::new(
        Kind::Unavailable,
        format!(
            "The disk has too little space for this export: about {} MB are needed and {} MB are free. Run it again when the operator has made space.",
            mb(needed),
            mb(free)
        ),
    ))
}

/// Bytes on disk of a row and of all that is made for it, once deflated; rather too many.
fn bytes_of_row(download: Download, columns: &[Column]) -> u64 {
    const CELL: u64 = 16;
    const TASK: u64 = 600;
    /// The items of a list have a sheet of their own, and lie beside the file until it is written.
    const LIST: u64 = 2 * 100;
    let lists = columns.iter().filter(|column| column.kind == ColumnKind::List).count() as u64;
    match (download, columns.len() as u64) {
        (_, 0) => TASK,
        (Download::Xlsx, columns) => columns * CELL + lists * LIST,
        (_, columns) => columns * CELL * 4,
    }
}

/// The record of an export whose run has come to an end.
fn ended(app: &App, log: &ExportLog, made: Result<Finished>) -> ExportLog {
    let mut log = log.clone();
    let error = match made {
        Ok(finished) => return done(app, log, finished),
        Err(error) => error,
    };
    let state = if error.kind == Kind::Canceled { State::Canceled } else { State::Failed };
    log.end(state, app.clock.now());
    log.error = Some(match error.kind {
        Kind::Internal => {
            tracing::error!(export = %log.id, part = error.part, cause = error.chain(), "an export failed");
            format!("The export failed inside the server. Run it again; the log has the cause under {}.", log.id)
        }
        _ => error.message,
    });
    log
}

/// Writes how it ended and who is to know, unless it was canceled or deleted meanwhile; says whether it did.
fn settle(app: &App, ended: &ExportLog) -> Result<bool> {
    app.store.edit_together(|edit| {
        let current = edit.export(ended.organization(), ended.id)?;
        let is_owed = current.is_some_and(|current| !current.state.has_ended());
        if is_owed {
            owing::settle(app, edit, ended.clone())?;
        }
        Ok(is_owed)
    })
}

/// Takes back the attempt that the server's leaving cut short.
fn hand_back(app: &App, log: &ExportLog) -> Result<()> {
    app.store.edit_together(|edit| {
        let Some(mut log) = edit.export(log.organization(), log.id)?.filter(|log| !log.state.has_ended()) else {
            return Ok(());
        };
        log.attempts = log.attempts.saturating_sub(1);
        log.started = None;
        edit.put_export(&log)
    })
}

/// Deletes the files that interrupted runs may have put where they stay, but did not live to name.
fn discard(app: &App, given_up: &[ExportLog]) {
    const KINDS: [&str; 5] = ["xlsx", "json", "zip", "csv", "ndjson"];
    let stems = given_up.iter().map(|log| app.key_stem(log.organization(), log.id, log.asked));
    let keys: Vec<String> = stems.flat_map(|stem| KINDS.map(|kind| format!("{stem}.{kind}"))).collect();
    leave_nothing(app, &keys);
}

fn interrupted(app: &App, mut log: ExportLog) -> ExportLog {
    log.end(State::Failed, app.clock.now());
    log.error = Some(format!("The export was interrupted {MAX_ATTEMPTS} times. Run it again, or export less at once."));
    log
}

/// From now on the same wish is a new one.
pub(super) fn forget(app: &App, log: &ExportLog) {
    let twin = once::twin(&log.caller, log.body.as_bytes());
    let mut asked = app.asked.of(&log.caller);
    if asked.get(&twin) == Some(&log.id) {
        asked.remove(&twin);
    }
}

/// Whether this export is in the queue's hands.
pub(super) fn is_at_work(app: &App, organization: Id, id: Id) -> bool {
    app.queue.find(organization, id).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_space_for_its_items_beside_the_file_and_in_it() {
        let column = |kind| Column { id: "c".into(), header: "c".into(), kind, format: None, width: None };
        let [plain, list] = [ColumnKind::Auto, ColumnKind::List].map(column);
        let row = |columns: &[Column]| bytes_of_row(Download::Xlsx, columns);
        assert_eq!(row(&[plain.clone(), list.clone()]) - row(&[plain.clone(), plain.clone()]), 200);
        assert_eq!(bytes_of_row(Download::Csv, &[list]), bytes_of_row(Download::Csv, &[plain]));
    }
}
