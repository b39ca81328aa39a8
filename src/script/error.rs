//! Why the folder of scripts cannot be used.

use std::path::{Path, PathBuf};

use crate::domain;
use crate::domain::limits::MAX_SCRIPTS;

/// Why the folder of scripts cannot be used. What is wrong with one script is a
/// [`ScriptFault`](crate::domain::ScriptFault), not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is there and cannot be read.
    #[error("The scripts folder {} cannot be read: {source}. Make it readable for this user, or name another with scripts.dir.", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Everybody may put scripts there.
    #[error("The scripts folder {} may be written by everybody. Run chmod o-w on it.", .0.display())]
    Open(PathBuf),
    /// There are more scripts than are looked at.
    #[error("The scripts folder {} holds more than {MAX_SCRIPTS} scripts. Take some out.", .0.display())]
    TooMany(PathBuf),
    /// The system gives no thread to compile on.
    #[error("The scripts cannot be compiled: {0}")]
    Thread(#[source] std::io::Error),
}

impl Error {
    pub(super) fn at(path: &Path, source: std::io::Error) -> Self {
        Self::Folder { path: path.to_owned(), source }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        Self::internal("script", error)
    }
}
