//! What can be wrong with the places of finished files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{self, Kind};

/// Why a file could not be made, put, read or deleted.
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
    /// The settings of the bucket lead nowhere.
    #[error("{0}")]
    Setting(String),
    /// The file lies in a bucket, and the settings name none.
    #[error("The file lies in a bucket, and the settings name none. Set the keys of [storage] as they were.")]
    NoBucket,
    /// The bucket did not answer, or not as it should, which may pass.
    #[error("the bucket does not answer as it should: {0}")]
    Away(String),
    /// The bucket said no, and will say so again.
    #[error("{refusal} (the bucket said: {said})")]
    Refused {
        /// What it means.
        refusal: Refusal,
        /// The bucket's own words.
        said: String,
    },
    /// What lies in the bucket is not what was put there.
    #[error("the bucket does not keep the file as it was put: {0}")]
    NotWhole(String),
    /// The bucket's clock is ahead by so many seconds, or behind where they are less than none.
    #[error("This server's clock is {} seconds {} the bucket's. Set it right: from 15 minutes on the bucket refuses everything.", .0.unsigned_abs(), if *.0 > 0 { "behind" } else { "ahead of" })]
    Clock(i64),
    /// There is no such file.
    #[error("the bucket has no such file")]
    Missing,
    /// Nobody waits for it any more.
    #[error("it was stopped")]
    Stopped,
}

/// What a bucket's refusal means, and the cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key is unknown, or its secret is another.
    #[error("The bucket does not know the access key or its secret. Check storage.access_key and storage.secret_key.")]
    Credentials,
    /// The key may not do this.
    #[error("The bucket refuses access. Give the access key the rights to read, write, list and delete there.")]
    Denied,
    /// There is no such bucket.
    #[error("The bucket does not exist. Make it, or set storage.create_bucket.")]
    NoBucket,
    /// Its certificate is not trusted.
    #[error(
        "The bucket's certificate is not trusted. Let storage.ca_file name the authority that signed it, and \
         storage.endpoint the name in it."
    )]
    Certificate,
    /// The clocks differ.
    #[error("The server's clock differs from the bucket's by more than 15 minutes. Set it right.")]
    Clock,
    /// It lies elsewhere.
    #[error("The bucket lies in another region or at another address. Check storage.region and storage.endpoint.")]
    Elsewhere,
    /// Anything else.
    #[error("The bucket refuses the request. The log has the cause.")]
    Other,
}

impl Error {
    pub(super) fn at(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    /// Whether the same may work a little later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match told(&error) {
            Some((kind, message)) => Self::new(kind, message).from_part("storage").with_source(error),
            None => Self::internal("storage", error),
        }
    }
}

impl From<Arc<Error>> for domain::Error {
    fn from(error: Arc<Error>) -> Self {
        match told(&error) {
            Some((kind, message)) => Self::new(kind, message).from_part("storage").with_source(error),
            None => Self::internal("storage", error),
        }
    }
}

/// What is told of it, where that is more than that the fault is ours.
fn told(error: &Error) -> Option<(Kind, String)> {
    let away = "The bucket of files cannot be reached. Try again in a while.";
    let told = match error {
        Error::Full(_) => "The disk is full. Try again when the operator has made space.".to_owned(),
        Error::Away(_) => away.to_owned(),
        Error::NotWhole(_) => "The bucket of files does not keep them whole.".to_owned(),
        Error::Refused { refusal, .. } => refusal.to_string(),
        Error::NoBucket | Error::Clock(_) => error.to_string(),
        Error::Stopped => return Some((Kind::Canceled, "The export was canceled.".to_owned())),
        Error::Io { .. } | Error::Key(_) | Error::Setting(_) | Error::Missing => return None,
    };
    Some((Kind::Unavailable, told))
}
