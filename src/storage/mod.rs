//! Finished files: in the data folder, or in a bucket of a server that speaks S3. Where new ones go
//! is the operator's choice; those of before stay where they lie, and are reached there.
//!
//! In reading order: `draft` (a file that is being made, always in the data folder), `moves` (when it is
//! there to stay), `folder`, `bucket`, `probe` (whether the way to a file works, step by step).

mod bucket;
mod draft;
mod error;
mod folder;
mod instance;
mod kept;
mod moves;
mod probe;

use std::path::Path;

pub use bucket::Patience;
pub use draft::Draft;
pub use error::{Error, Refusal};
pub use folder::Folder;
pub use kept::{Kept, Reader};
pub use probe::Step;

use crate::domain::export_log::Place;
use crate::domain::{self, Moment};
use crate::settings::{self, StorageKind};
use bucket::Bucket;

/// How far the clocks of this machine and the bucket may part before it is told.
const CLOCK_SECONDS: u64 = 60;

/// Every place where finished files lie.
#[derive(Debug)]
pub struct Storage {
    folder: Folder,
    bucket: Option<Bucket>,
    kind: StorageKind,
}

/// What was put, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it lies.
    pub place: Place,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
}

/// A finished file in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Where it lies.
    pub place: Place,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Moment,
}

/// A place that can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// The data folder.
    Folder,
    /// What this server put into the bucket of the settings.
    Bucket,
}

impl Storage {
    /// Opens the folders, makes what is missing and empties the one for unfinished files. The bucket
    /// is not asked for anything yet.
    ///
    /// # Errors
    /// When the data folder cannot be written, or the settings of the bucket lead nowhere.
    pub fn open(settings: &settings::Storage, data: &Path) -> Result<Self, Error> {
        Self::with(Folder::open(data)?, settings, data)
    }

    /// The same beside a server that may be at work: what is unfinished is left alone.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub fn beside(settings: &settings::Storage, data: &Path) -> Result<Self, Error> {
        Self::with(Folder::beside(data)?, settings, data)
    }

    fn with(folder: Folder, settings: &settings::Storage, data: &Path) -> Result<Self, Error> {
        let bucket = match settings.has_bucket() {
            true => Some(Bucket::open(settings, &instance::id(data)?)?),
            false => None,
        };
        Ok(Self { folder, bucket, kind: settings.kind })
    }

    /// The folder of finished files, where every file is made.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Looks for the bucket, and makes it if it is missing and may be made.
    ///
    /// # Errors
    /// Why no file can be put there.
    pub fn prepare(&self) -> domain::Result<()> {
        match self.target() {
            Some(bucket) => Ok(bucket.prepare()?),
            None => Ok(()),
        }
    }

    /// # Errors
    /// Why no file can be made and put at the moment.
    pub fn check(&self) -> domain::Result<()> {
        self.folder.check()?;
        match self.target() {
            Some(bucket) => Ok(bucket.check()?),
            None => Ok(()),
        }
    }

    /// Seconds by which the bucket's clock was ahead of this machine's in its latest answer; nothing
    /// before the first one, and without a bucket.
    ///
    /// # Errors
    /// When they part so far that somebody should see to it, with the cure.
    pub fn check_clock(&self) -> domain::Result<Option<i64>> {
        let ahead = self.bucket.as_ref().and_then(Bucket::ahead_seconds);
        match ahead {
            Some(ahead) if ahead.unsigned_abs() > CLOCK_SECONDS => Err(Error::Clock(ahead).into()),
            ahead => Ok(ahead),
        }
    }

    /// Puts a file where new ones go, in place of one of the same key. When this returns it is whole
    /// and there to stay.
    ///
    /// # Errors
    /// When it cannot be put; a part of it is never taken for the whole.
    pub fn put(&self, mut draft: Draft, key: &str, media: &str, patience: &Patience<'_>) -> domain::Result<Stored> {
        let Some(bucket) = self.target() else {
            let whole = draft.keep(key)?;
            return Ok(Stored { place: Place::Folder, size: whole.size, sha256: whole.sha256 });
        };
        let whole = draft.close()?;
        let place = bucket.put(draft.path(), key, &whole, media, patience)?;
        Ok(Stored { place, size: whole.size, sha256: whole.sha256 })
    }

    /// Opens a finished file; nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be found out, or its bucket is not that of the settings any more.
    pub fn read(&self, key: &str, place: &Place) -> domain::Result<Option<Kept>> {
        match place {
            Place::Folder => Ok(self.folder.read(key)?.map(Kept::from)),
            Place::Bucket { bucket: name, object } => Ok(self.bucket()?.read(name, object)?),
        }
    }

    /// A link to a file of a bucket that needs nothing of this server, for so many seconds; nothing
    /// for one of the folder.
    ///
    /// # Errors
    /// When its bucket is not that of the settings any more.
    pub fn link(&self, place: &Place, headers: [&str; 2], seconds: u32, now: Moment) -> domain::Result<Option<String>> {
        match place {
            Place::Folder => Ok(None),
            Place::Bucket { bucket: name, object } => {
                Ok(Some(self.bucket()?.link(name, object, headers, seconds, now)?))
            }
        }
    }

    /// Deletes a file, if it is there.
    ///
    /// # Errors
    /// When it is there and cannot be deleted.
    pub fn delete(&self, key: &str, place: &Place) -> domain::Result<()> {
        match place {
            Place::Folder => self.folder.delete(key).map(drop),
            Place::Bucket { bucket: name, object } => Ok(self.bucket()?.delete(name, object)?),
        }
    }

    /// Deletes files of buckets, many with one call; says for each whether it is gone.
    pub fn delete_all(&self, files: &[Place]) -> Vec<bool> {
        let gone = self.bucket.as_ref().map(|bucket| bucket.delete_all(files, &Patience::brief()));
        gone.unwrap_or_else(|| vec![false; files.len()])
    }

    /// Deletes whatever was put under these keys, wherever new files went at the time. A bucket is
    /// asked once and no more.
    ///
    /// # Errors
    /// When something is there and cannot be deleted.
    pub fn discard(&self, keys: &[String]) -> domain::Result<()> {
        keys.iter().try_for_each(|key| self.folder.delete(key).map(drop))?;
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let places: Vec<Place> = keys.iter().map(|key| bucket.place(key)).collect();
        match bucket.delete_all(&places, &Patience::none()).iter().all(|is_gone| *is_gone) {
            true => Ok(()),
            false => Err(Error::Away("files could not be deleted".to_owned()).into()),
        }
    }

    /// The places that can be listed.
    pub fn shelves(&self) -> Vec<Shelf> {
        let bucket = self.bucket.as_ref().map(|_| Shelf::Bucket);
        std::iter::once(Shelf::Folder).chain(bucket).collect()
    }

    /// The days that have files, the first one first.
    ///
    /// # Errors
    /// When the place cannot be listed.
    pub fn days(&self, shelf: Shelf) -> domain::Result<Vec<String>> {
        match shelf {
            Shelf::Folder => self.folder.days(),
            Shelf::Bucket => Ok(self.bucket()?.days()?),
        }
    }

    /// The finished files of one day that were written before that moment, in no order. What has no
    /// key, like a file that somebody else put there, is not among them.
    ///
    /// # Errors
    /// When the place cannot be listed.
    pub fn list(&self, shelf: Shelf, day: &str, before: Moment) -> domain::Result<Vec<Listed>> {
        match shelf {
            Shelf::Folder => self.folder.list(day, before),
            Shelf::Bucket => Ok(self.bucket()?.list(day, before)?),
        }
    }

    /// Removes what keeps a day that has no files any more. Nobody may be about to put one there.
    ///
    /// # Errors
    /// When it is empty and cannot be removed.
    pub fn remove_day(&self, shelf: Shelf, day: &str) -> domain::Result<()> {
        match shelf {
            Shelf::Folder => self.folder.remove_day(day).map(drop),
            // A bucket has no folders.
            Shelf::Bucket => Ok(()),
        }
    }

    /// Lets go of the parts of uploads that were begun before that moment and that nobody goes on
    /// with; says how many uploads.
    ///
    /// # Errors
    /// When the bucket cannot be asked.
    pub fn abort_uploads(&self, before: Moment) -> domain::Result<u64> {
        match &self.bucket {
            Some(bucket) => Ok(bucket.abort_uploads(before)?),
            None => Ok(0),
        }
    }

    fn target(&self) -> Option<&Bucket> {
        self.bucket.as_ref().filter(|_| self.kind == StorageKind::Bucket)
    }

    fn bucket(&self) -> Result<&Bucket, Error> {
        self.bucket.as_ref().ok_or(Error::NoBucket)
    }
}

fn is_day(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is the key of a file: `<day>/<name>`, of letters that mean nothing to anybody.
fn is_key(key: &str) -> bool {
    let Some((day, name)) = key.split_once('/') else { return false };
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    is_day(day) && (1..=200).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(in_name)
}
