//! What can go wrong with the store, each with what to do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::{self, Id};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the store open.
    #[error("The data folder is in use: {} is held by {}. Stop that server first, or give this one another data folder.", path.display(), holder.as_ref().map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")))]
    InUse {
        /// The store.
        path: PathBuf,
        /// The process id of whoever holds it, as far as it is known.
        holder: Option<String>,
    },
    /// The file is there and has no bytes.
    #[error("The store {} is empty, as after a full disk or a failed copy. Restore it from a backup, or delete the file to start with no tasks.", .0.display())]
    Empty(PathBuf),
    /// The file ends too early.
    #[error("The store {} is cut short: {why}. Restore it from a backup; a copy must be made while no server runs.", path.display())]
    Truncated {
        /// The store.
        path: PathBuf,
        /// What redb says about it.
        why: String,
    },
    /// The file is a store whose bytes have been changed from outside.
    #[error("The store {} is damaged: {why}. Restore it from a backup, and check the disk.", path.display())]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What redb says about it.
        why: String,
    },
    /// The file is something else.
    #[error("The file {} is not a Waybill store: {why}. Move it away, or set data.dir to another folder.", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        why: String,
    },
    /// The store was written by a newer program.
    #[error("The store {} has schema {found}, and this program knows no higher than {known}. Install the newer Waybill that wrote it, or restore a backup from before the upgrade.", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// The schema number in it.
        found: u32,
        /// The highest that this program knows.
        known: u32,
    },
    /// The file cannot be reached.
    #[error("The store {} cannot be opened: {source}. Check that the folder exists, its owner and permissions, and the space left.", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// redb failed while the store was open.
    #[error("The store failed: {0}")]
    Redb(Arc<redb::Error>),
    /// Putting more tasks in order than fit in memory needs a file, which cannot be used.
    #[error("Tasks cannot be put in order on disk: {0}")]
    Scratch(io::Error),
    /// A write failed a moment ago, and the store is not open for another yet.
    #[error("The store failed a moment ago and is not back yet.")]
    Closed,
    /// A record cannot be read, though its page is whole.
    #[error("The record of {0} cannot be read.")]
    Record(Id),
    /// A task that was selected is not there.
    #[error("Task {0} is not in the store any more.")]
    Missing(Id),
    /// The number of different task keys of one organisation has a limit.
    #[error("An organisation cannot have more than {} different task keys.", u32::MAX)]
    TooManyFields,
}

/// What a failed opening means to whoever started the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another process has it open.
    InUse,
    /// What lies there cannot be used: damaged, foreign, empty or newer.
    Unusable,
    /// Anything else.
    Failed,
}

impl Error {
    /// What the failure means to whoever started the program.
    pub fn fault(&self) -> Fault {
        match self {
            Self::InUse { .. } => Fault::InUse,
            Self::Empty(_)
            | Self::Truncated { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. } => Fault::Unusable,
            Self::Io { .. }
            | Self::Redb(_)
            | Self::Scratch(_)
            | Self::Closed
            | Self::Record(_)
            | Self::Missing(_)
            | Self::TooManyFields => Fault::Failed,
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        let full = match &error {
            Error::Redb(why) => matches!(&**why, redb::Error::Io(why) if is_full(why)),
            Error::Scratch(why) => is_full(why),
            _ => false,
        };
        let message = match &error {
            _ if full => "The disk is full. Try again when the operator has made space.",
            Error::Closed => "The store cannot be written at the moment. Try again shortly.",
            Error::Redb(why) if is_io(why) => "The store cannot be used at the moment. Try again shortly.",
            _ => return Self::internal("store", error),
        };
        Self::new(domain::Kind::Unavailable, message).from_part("store").with_source(error)
    }
}

fn is_full(error: &io::Error) -> bool {
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge].contains(&error.kind())
}

/// Whether opening the file anew may help.
fn is_io(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed)
}

/// redb has an error type for each of its calls; to us they are one.
macro_rules! from_redb {
    ($($name:ident)*) => {$(
        impl From<redb::$name> for Error {
            fn from(error: redb::$name) -> Self {
                Self::Redb(Arc::new(error.into()))
            }
        }
    )*};
}

from_redb! { StorageError TableError TransactionError CommitError }
