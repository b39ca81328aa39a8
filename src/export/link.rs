//! The links to a finished file (contract 4).

use crate::app::App;
use crate::domain::{Id, export_log::File};
use crate::kit::percent::{attachment, encoded};
use crate::render::media_type;

/// The link that answers tell: to the bucket itself when the file lies in one, made for now and good
/// for as long as the settings say and the file is there; else this server's own.
pub fn link(app: &App, export: Id, file: &File) -> String {
    let held = i64::from(app.settings.storage.link_hours) * 3600;
    match bucket_link(app, file, held) {
        Ok(Some(link)) => link,
        Ok(None) => signed_link(app, export, file, app.clock.now().seconds().saturating_add(held)),
        Err(error) => {
            // Its own link says what is wrong to whoever follows it.
            tracing::warn!(%export, cause = error.chain(), "a link to the bucket cannot be made");
            own_link(app, export, file)
        }
    }
}

/// This server's own link, good for as long as the file is kept, wherever it lies: for what is read
/// later, like a mail.
pub fn own_link(app: &App, export: Id, file: &File) -> String {
    signed_link(app, export, file, file.expires.seconds())
}

/// A link to the bucket for so many seconds at most; nothing for a file of the data folder.
///
/// # Errors
/// `Unavailable` when the file lies in a bucket that the settings do not name any more.
pub fn bucket_link(app: &App, file: &File, seconds: i64) -> crate::domain::Result<Option<String>> {
    let now = app.clock.now();
    let left = file.expires.seconds().saturating_sub(now.seconds());
    let seconds = u32::try_from(seconds.min(left)).unwrap_or_default();
    app.storage.link(&file.place, [&attachment(&file.name), media_type(&file.kind)], seconds, now)
}

/// Whether a link with this signature came from here.
pub fn is_genuine(app: &App, key: &str, export: Id, name: &str, expires: i64, signature: &str) -> bool {
    app.keys.link_is_genuine(&signed(key, export, name), expires, signature)
}

fn signed_link(app: &App, export: Id, file: &File, expires: i64) -> String {
    let (key, name) = (&file.key, &file.name);
    let expires = expires.min(file.expires.seconds());
    let signature = app.keys.sign_link(&signed(key, export, name), expires);
    let name = encoded(name);
    format!("{}/files/{key}?export={export}&name={name}&expires={expires}&signature={signature}", app.public_url())
}

/// What the signature covers beside the time: the file, whose it is, and what a browser saves it as.
/// A key has no slash in the place of the second one here.
fn signed(key: &str, export: Id, name: &str) -> String {
    format!("{key}/{export}/{name}")
}
