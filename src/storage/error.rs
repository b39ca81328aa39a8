//! What can be wrong with the folder of finished files.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain;

/// Why a file could not be made, read or deleted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system said no.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no space left.
    #[error("There is no space left for {}", .0.display())]
    Full(PathBuf),
    /// The text is no key of a file.
    #[error("{0} is no key of a file")]
    Key(String),
}

impl Error {
    pub(super) fn at(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Full(_) => {
                let message = "The disk is full. Try again when the operator has made space.";
                Self::new(domain::Kind::Unavailable, message).from_part("storage").with_source(error)
            }
            other => Self::internal("storage", other),
        }
    }
}
