//! Why a notice did not get through, and what to do about it.

use std::io;
use std::path::PathBuf;

/// A notice that did not get through, or a way for notices that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of certificates cannot be used.
    #[error("The certificates in {} cannot be used: {why}. Let mail.ca_file name a file of certificates in PEM form.", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
    /// The folder for `.eml` files cannot be written.
    #[error("The folder for mails {} cannot be written: {source}", path.display())]
    Spool {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The message could not be put together.
    #[error("the mail could not be written: {0}")]
    Message(io::Error),
    /// Nobody is there, or nobody who speaks the right language.
    #[error("{place} cannot be reached: {why}")]
    Unreachable {
        /// Whom it was tried to reach.
        place: String,
        /// What came back.
        why: String,
    },
    /// The server offers no STARTTLS, without which nothing is sent.
    #[error("{place} offers no STARTTLS")]
    NoStartTls {
        /// The server.
        place: String,
    },
    /// The server is not who it should be, or speaks no TLS.
    #[error("TLS with {place} failed: {why}")]
    Tls {
        /// The server.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// The server does not let us in.
    #[error("{place} refused the login: {why}")]
    Login {
        /// The server.
        place: String,
        /// Its reply.
        why: String,
    },
    /// It will not be taken, however often it is tried.
    #[error("{place} refused it: {why}")]
    Refused {
        /// Who refused.
        place: String,
        /// The number of the reply.
        code: u16,
        /// The reply.
        why: String,
    },
    /// It was not taken this time.
    #[error("{place} did not take it: {why}")]
    NotNow {
        /// Who did not.
        place: String,
        /// What came back.
        why: String,
    },
}

impl Error {
    /// Whether another try would end the same way.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Message(_))
    }

    /// Whether it would happen to every notice that goes the same way now.
    pub fn is_of_the_way(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Message(_) | Self::NotNow { .. })
    }

    /// The reason in a few words, for whoever asked for the export; nothing of the inside.
    pub fn brief(&self) -> String {
        match self {
            Self::Refused { code, .. } => format!("it was refused with {code}"),
            Self::NotNow { .. } => "it was not accepted".to_owned(),
            Self::Login { .. } => "the login was refused".to_owned(),
            Self::Unreachable { .. } => "the server cannot be reached".to_owned(),
            Self::NoStartTls { .. } | Self::Tls { .. } => "no safe connection can be had".to_owned(),
            Self::Certificates { .. } | Self::Setup(_) | Self::Spool { .. } | Self::Message(_) => {
                "it could not be written".to_owned()
            }
        }
    }

    /// What an operator can do about it.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Certificates { .. } | Self::Setup(_) => "Correct mail.ca_file, or leave it empty.",
            Self::Spool { .. } => "Make the folder writable for this user, or correct mail.spool_dir.",
            Self::Message(_) => "Correct mail.from.",
            Self::Unreachable { .. } => {
                "Start it, or correct its address; a firewall may be between. For mail these are mail.host, mail.port and \
                 mail.security (587 with starttls, 465 with tls)."
            }
            Self::NoStartTls { .. } => {
                "Set mail.security to \"tls\" and mail.port to 465, or to \"none\" for a relay on this machine."
            }
            Self::Tls { .. } => {
                "Let mail.host be the name in the server's certificate, and mail.ca_file the authority that signed it; \
                 port 465 wants mail.security = \"tls\", port 587 \"starttls\"."
            }
            Self::Login { .. } => {
                "Correct mail.username and mail.password, or leave both empty where no login is wanted."
            }
            Self::Refused { .. } | Self::NotNow { .. } => "Ask whoever runs that server; the reply says why.",
        }
    }
}

/// A reply as one line of limited length, without what could upset a terminal.
pub(super) fn tame(text: &str) -> String {
    /// Characters.
    const MOST: usize = 200;
    let line: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}
