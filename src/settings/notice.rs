//! How people and programs are told that an export has ended: `[mail]` and `[webhook]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::{Id, Language, Mailbox};
use crate::kit::secret::Secret;

/// How mails are sent. Without a host and without a folder for them there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// The SMTP server.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the connection is kept secret.
    pub security: MailSecurity,
    /// The name to log in with; none for a server that wants no login.
    pub username: Option<String>,
    /// The password to log in with.
    pub password: Option<Secret>,
    /// Who the mails are from.
    pub from: Option<Mailbox>,
    /// What this machine calls itself; none for the domain that mails are from.
    pub helo: Option<String>,
    /// Where mails are written as `.eml` files instead of being sent.
    pub spool_dir: Option<PathBuf>,
    /// Templates that take the place of the shipped ones.
    pub templates_dir: Option<PathBuf>,
    /// The language of mails.
    pub language: Language,
    /// That of organisations whose mails are in another.
    pub languages: BTreeMap<Id, Language>,
    /// Certificates (PEM) that are trusted beside the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Seconds of a delivery from its first byte to its last.
    pub timeout_seconds: u64,
}

/// How the connection to the SMTP server is kept secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// STARTTLS, without which nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

/// Where the end of an export is posted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Addresses.
    pub urls: Vec<String>,
    /// What the posts are signed with.
    pub secret: Option<Secret>,
    /// Seconds of a post and its answer.
    pub timeout_seconds: u64,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: None,
            port: 587,
            security: MailSecurity::StartTls,
            username: None,
            password: None,
            from: None,
            helo: None,
            spool_dir: None,
            templates_dir: None,
            language: Language::English,
            languages: BTreeMap::new(),
            ca_file: None,
            timeout_seconds: 30,
        }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Self { urls: Vec::new(), secret: None, timeout_seconds: 10 }
    }
}

impl Mail {
    /// Whether mails are sent, or written.
    pub fn is_configured(&self) -> bool {
        self.host.is_some() || self.spool_dir.is_some()
    }

    /// Keys that only make sense together.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.is_configured() && self.from.is_none() {
            faults.push("mail.from must be set, for example to \"exports@example.org\"".to_owned());
        }
        if self.username.is_some() != self.password.is_some() {
            faults.push("mail.username and mail.password must be set together".to_owned());
        }
        faults
    }
}

impl Webhook {
    /// Keys that only make sense together.
    pub(super) fn faults(&self) -> Vec<String> {
        let is_unsigned = !self.urls.is_empty() && self.secret.is_none();
        let cure = "webhook.secret must be set: receivers know our posts by it";
        is_unsigned.then(|| cure.to_owned()).into_iter().collect()
    }
}
