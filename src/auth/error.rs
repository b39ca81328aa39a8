//! What can be wrong with the server's key.

use std::io;
use std::path::PathBuf;

/// Why the server's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("The signing key {} cannot be used: {source}. Make the data folder readable and writable for this user.", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Other users of this machine can read it.
    #[error("The signing key {} can be read by others. Run: chmod 600 {}", .0.display(), .0.display())]
    Open(PathBuf),
    /// It is too short or too regular to be safe.
    #[error(
        "The signing key {} is weak: {why}. Move the file away and start again, and a good key is made; \
         tokens and links of the old key then no longer work.",
        path.display()
    )]
    Weak {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The token library refused.
    #[error("The token cannot be signed: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
}
