//! The links to a finished file (contract 4).

use crate::app::App;
use crate::domain::export_log::File;
use crate::domain::{Id, Result};
use crate::kit::percent::attachment;
use crate::render::media_type;

/// The link that answers tell: to the bucket itself when the file lies in one, made for now and good
/// for as long as the settings say and the file is there; else this server's own.
pub fn link(app: &App, export: Id, file: &File) -> String {
    let held = i64::from(app.settings.storage.link_hours) * 3600;
    match bucket_link(app, file, held) {
        Ok(Some(link)) => link,
        Ok(None) => app.file_link(export, file, app.clock.now().seconds().saturating_add(held)),
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
    app.file_link(export, file, file.expires.seconds())
}

/// A link to the bucket for so many seconds at most; nothing for a file of the data folder.
///
/// # Errors
/// `Unavailable` when the file lies in a bucket and the settings name none any more.
pub fn bucket_link(app: &App, file: &File, seconds: i64) -> Result<Option<String>> {
    let now = app.clock.now();
    let left = file.expires.seconds().saturating_sub(now.seconds());
    let seconds = u32::try_from(seconds.min(left)).unwrap_or_default();
    app.storage.link(&file.place, [&attachment(&file.name), media_type(&file.kind)], seconds, now)
}
