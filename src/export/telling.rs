//! One notice on its way: what it says, and what comes of it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::domain::{Channel, ExportLog, Moment, Notice, Result, Zone};
use crate::notice::Error;

use super::link::own_link;

/// What came of a try.
#[derive(Debug)]
pub enum Tried {
    /// It has got through.
    Sent,
    /// There is nothing to tell any more: the export has been deleted.
    Moot,
    /// Nobody is asked to carry it any more: the settings have changed.
    NoWay,
    /// It did not get through.
    Failed(Error),
}

/// Tries a notice once.
///
/// # Errors
/// When the store cannot be read.
pub fn tell(app: &App, notice: &Notice) -> Result<Tried> {
    let Some(log) = app.store.view()?.export(notice.organization, notice.export)? else { return Ok(Tried::Moot) };
    let link = log.file_at(app.clock.now()).map(|file| own_link(app, log.id, file));
    let sent = match &notice.channel {
        Channel::Mail(to) => {
            let Some(mailer) = &app.mailer else { return Ok(Tried::NoWay) };
            mailer.send(&app.words.letter(notice, to, &log, link, &zone(app, &log)))
        }
        Channel::Webhook(url) => {
            let hooks = app.hooks.as_ref().filter(|hooks| hooks.urls().contains(url));
            let Some(hooks) = hooks else { return Ok(Tried::NoWay) };
            hooks.post(url, notice.id, &event(notice, &log, link).to_string(), app.clock.now())
        }
    };
    Ok(sent.map_or_else(Tried::Failed, |()| Tried::Sent))
}

/// Writes what came of a try, and says when the notice is tried again; nothing when that was its end.
///
/// # Errors
/// When the store cannot be written.
pub fn tried(app: &App, notice: &Notice, tried: &Tried) -> Result<Option<Moment>> {
    app.store.edit_together(|edit| {
        // Told again or deleted meanwhile: what came of this try is of no more interest.
        if !edit.delete_notice(notice.organization, notice.id)? {
            return Ok(None);
        }
        let error = match tried {
            Tried::Moot => return Ok(None),
            Tried::Sent => None,
            Tried::NoWay => Some("it is not set up any more".to_owned()),
            Tried::Failed(error) => {
                let later = notice.clone().later(app.clock.now(), error.to_string());
                if let Some(later) = later.filter(|_| !error.is_permanent()) {
                    edit.put_notice(&later)?;
                    return Ok(Some(later.next));
                }
                Some(error.brief())
            }
        };
        let Some(mut log) = edit.export(notice.organization, notice.export)? else { return Ok(None) };
        log.notification.ended(error.map(|why| given_up(&notice.channel, &why)));
        edit.put_export(&log)?;
        Ok(None)
    })
}

/// A sentence for whoever asked. Where webhooks go is the operator's business.
fn given_up(channel: &Channel, why: &str) -> String {
    match channel {
        Channel::Mail(to) => format!("The mail to {to} was given up: {why}."),
        Channel::Webhook(_) => format!("A webhook was given up: {why}."),
    }
}

/// The zone in which the export shows times.
fn zone(app: &App, log: &ExportLog) -> Zone {
    #[derive(Deserialize)]
    struct Wish {
        timezone: Option<String>,
    }
    let wish: Option<Wish> = serde_json::from_str(&log.body).ok();
    let zone = wish.and_then(|wish| Zone::named(&wish.timezone?));
    zone.unwrap_or_else(|| app.settings.timezone.clone())
}

/// What a webhook is told; the keys of the export are those of the log (contract 3).
fn event(notice: &Notice, log: &ExportLog, link: Option<String>) -> Value {
    let time = |moment: Option<Moment>| moment.map(Moment::text);
    let file = log.file.as_ref();
    json!({
        "event": format!("export.{}", notice.told.name()),
        "delivery": notice.id,
        "export": {
            "_id": log.id,
            "organizationId": log.organization(),
            "dataType": log.data_type,
            "dataName": log.data_name,
            "email": log.caller.email,
            "exportBy": log.caller.name,
            "status": log.state.status().name(),
            "requestAt": log.asked.text(),
            "completedAt": time(log.completed),
            "totalRecords": log.rows,
            "truncated": log.truncated(),
            "fileName": file.map(|file| &file.name),
            "fileType": file.map(|file| &file.kind),
            "fileSize": file.map(|file| file.size),
            "sha256": file.map(|file| &file.sha256),
            "link": link,
            "expiresAt": time(file.map(|file| file.expires)),
            "warnings": log.warnings,
            "errorMessage": log.error,
        },
    })
}
