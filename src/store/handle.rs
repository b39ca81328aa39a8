//! The open database. After a write that failed redb answers every later call with that failure, also
//! when the disk has space again: the handle is then dropped and opened anew, at once for those who
//! read, and with growing pauses for those who write.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::error::Error;
use super::open;
use crate::domain::{self, Kind};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The database of one file.
#[derive(Debug)]
pub(super) struct Handle {
    path: PathBuf,
    cache_bytes: usize,
    /// None when it could not be opened anew.
    database: RwLock<Option<Database>>,
    failed: Mutex<Option<Failed>>,
}

/// Since the last write failed.
#[derive(Debug, Clone, Copy)]
struct Failed {
    /// When a write may be tried again.
    next: Instant,
    pause: Duration,
}

impl Handle {
    pub(super) fn new(path: &Path, cache_bytes: usize, database: Database) -> Self {
        let (database, failed) = (RwLock::new(Some(database)), Mutex::default());
        Self { path: path.to_owned(), cache_bytes, database, failed }
    }

    /// Where the file lies.
    pub(super) fn folder(&self) -> &Path {
        open::folder_of(&self.path)
    }

    /// What is stored as of now.
    pub(super) fn read(&self) -> Result<ReadTransaction, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(Error::Closed)?.begin_read()?)
    }

    /// Begins a write, unless one failed a moment ago; how it ends is for [`Handle::ended`] to hear.
    pub(super) fn begin(&self) -> domain::Result<WriteTransaction> {
        let failed = *self.failed();
        if failed.is_some_and(|failed| Instant::now() < failed.next) {
            return Err(Error::Closed.into());
        }
        let begun = match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
            Some(database) => database.begin_write().map_err(Error::from),
            None => Err(Error::Closed),
        };
        match begun {
            Ok(transaction) => Ok(transaction),
            Err(error) => self.ended(Err(error.into())),
        }
    }

    /// Hears how a write ended, of which nothing is left open, and passes it on.
    pub(super) fn ended<T>(&self, written: domain::Result<T>) -> domain::Result<T> {
        match &written {
            Ok(_) => *self.failed() = None,
            Err(error) if error.kind == Kind::Unavailable && error.part == "store" => self.recover(&error.chain()),
            Err(_) => {}
        }
        written
    }

    /// # Errors
    /// While writes fail.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.failed().is_some() { Err(Error::Closed) } else { Ok(()) }
    }

    fn recover(&self, cause: &str) {
        self.open_anew();
        let mut failed = self.failed();
        let pause = failed.map_or(FIRST_PAUSE, |failed| (failed.pause * 2).min(LONGEST_PAUSE));
        tracing::error!(cause, pause_ms = pause.as_millis() as u64, "the store could not be written");
        *failed = Some(Failed { next: Instant::now() + pause, pause });
    }

    /// Views of the old handle end with it, so that one that can still be used is kept.
    fn open_anew(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // Nobody else writes while this lock is held.
        if database.as_ref().is_some_and(|database| database.try_begin_write().is_ok()) {
            return;
        }
        // Dropped first: redb lets nobody else open the file while it has it.
        drop(database.take());
        match open::reopen(&self.path, self.cache_bytes) {
            Ok(opened) => *database = Some(opened),
            Err(error) => tracing::error!(%error, "the store could not be opened anew"),
        }
    }

    fn failed(&self) -> MutexGuard<'_, Option<Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
