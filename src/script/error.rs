//! Why the folder of scripts cannot be used.

use std::path::PathBuf;

use crate::domain;

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
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        Self::internal("script", error)
    }
}
