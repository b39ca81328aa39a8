//! Who is told that an export has ended: owed in the edit in which it ends, so that neither is ever
//! without the other.

use serde::Deserialize;

use crate::app::App;
use crate::domain::export_log::State;
use crate::domain::notice::is_address;
use crate::domain::{Caller, Channel, Error, ExportLog, Id, Kind, Notice, Notification, Result, Told};
use crate::store::Edit;

use super::log::{Entry, entry, may_change};

/// Writes how a background export ended, and to whom that is owed.
///
/// # Errors
/// When the store cannot be written.
pub(super) fn settle(app: &App, edit: &mut Edit<'_>, ended: ExportLog) -> Result<()> {
    let notices = if ended.background && is_wanted(&ended) { owed(app, &ended) } else { Vec::new() };
    owe(edit, ended, &notices)
}

/// Tells once more how an export ended. What was still on its way is replaced.
///
/// # Errors
/// `NotFound`, `Forbidden` for an entry of somebody else, or `Conflict` when there is nothing to tell
/// or nobody to tell it to.
pub fn again(app: &App, caller: &Caller, id: Id) -> Result<Entry> {
    let before = entry(app, caller, id)?;
    may_change(caller, &before.log)?;
    let stale = owed_still(app, &before.log)?;
    app.store.edit(|edit| {
        let log = edit.export(caller.organization, id)?.ok_or_else(Error::not_found)?;
        let notices = to_tell(app, &log)?;
        for id in &stale {
            edit.delete_notice(log.organization(), *id)?;
        }
        owe(edit, log, &notices)
    })?;
    app.outbox.ring();
    entry(app, caller, id)
}

fn owe(edit: &mut Edit<'_>, mut log: ExportLog, notices: &[Notice]) -> Result<()> {
    notices.iter().try_for_each(|notice| edit.put_notice(notice))?;
    log.notification = Notification::of(u32::try_from(notices.len()).unwrap_or(u32::MAX));
    edit.put_export(&log)
}

/// What whoever asked said about notices.
fn is_wanted(log: &ExportLog) -> bool {
    #[derive(Deserialize)]
    struct Wish {
        notify: Option<bool>,
    }
    let wish: Option<Wish> = serde_json::from_str(&log.body).ok();
    wish.and_then(|wish| wish.notify).unwrap_or(true)
}

/// A notice for everybody who is to be told: the mail goes to whoever asked, the webhooks stand in the
/// settings, and neither is ever taken from a request.
fn owed(app: &App, log: &ExportLog) -> Vec<Notice> {
    let told = match log.state {
        State::Done => Told::Done,
        State::Failed => Told::Failed,
        State::Queued | State::Canceled | State::Expired => return Vec::new(),
    };
    let mail = app.mailer.as_ref().filter(|_| is_address(&log.caller.email));
    let mail = mail.map(|_| Channel::Mail(log.caller.email.clone()));
    let hooks = app.hooks.iter().flat_map(|hooks| hooks.urls()).cloned().map(Channel::Webhook);
    let now = app.clock.now();
    let notice = |channel| Notice {
        id: app.ids.id(now),
        organization: log.organization(),
        export: log.id,
        channel,
        told,
        attempts: 0,
        next: now,
        last_error: None,
    };
    mail.into_iter().chain(hooks).map(notice).collect()
}

/// As [`owed()`], and why it is nothing.
fn to_tell(app: &App, log: &ExportLog) -> Result<Vec<Notice>> {
    let conflict = |message: &str| Err(Error::new(Kind::Conflict, message));
    if !log.state.has_ended() {
        return conflict("This export has not ended yet. A notice goes out by itself when it has.");
    }
    if log.state == State::Canceled {
        return conflict("This export was canceled, so that there is nothing to tell.");
    }
    if log.state != State::Failed && log.file_at(app.clock.now()).is_none() {
        return conflict("The file of this export is not there any more. Run it again.");
    }
    let notices = owed(app, log);
    if !notices.is_empty() {
        return Ok(notices);
    }
    match app.mailer {
        Some(_) => conflict("The e-mail address of whoever asked for this export is not one that a mail can go to."),
        None => conflict("Neither mails nor webhooks are set up. Ask the operator to set mail.host or webhook.urls."),
    }
}

/// The notices of this export that are still on their way.
fn owed_still(app: &App, log: &ExportLog) -> Result<Vec<Id>> {
    let mut still = Vec::new();
    if log.notification.owed > 0 {
        app.store.view()?.each_notice(&mut |notice| {
            if (notice.organization, notice.export) == (log.organization(), log.id) {
                still.push(notice.id);
            }
            Ok(())
        })?;
    }
    Ok(still)
}
