//! This server's own links to finished files (contract 4).

use super::App;
use crate::domain::{Id, export_log};
use crate::kit::percent::encoded;

impl App {
    /// The link to the file of an export, good until then, in seconds since 1970, and for as long as
    /// the file is there.
    pub fn file_link(&self, export: Id, file: &export_log::File, until: i64) -> String {
        let (key, name) = (&file.key, &file.name);
        let expires = until.min(file.expires.seconds());
        let signature = self.keys.sign_link(&signed(key, export, name), expires);
        let name = encoded(name);
        format!("{}/files/{key}?export={export}&name={name}&expires={expires}&signature={signature}", self.public_url())
    }

    /// Whether this server signed that link.
    pub fn file_link_is_genuine(&self, key: &str, export: Id, name: &str, expires: i64, signature: &str) -> bool {
        self.keys.link_is_genuine(&signed(key, export, name), expires, signature)
    }
}

/// What the signature covers beside the time: the file, whose it is, and what a browser saves it as.
/// A key has no slash in the place of the second one here.
fn signed(key: &str, export: Id, name: &str) -> String {
    format!("{key}/{export}/{name}")
}
