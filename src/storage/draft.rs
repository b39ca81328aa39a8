//! A file that is being made.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::Error;
use super::folder::path;
use super::moves::Moves;
use crate::kit::{fail, secret};

/// Bytes that are gathered before they are written and hashed.
const BUFFER: usize = 256 * 1024;

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
}

/// A file that is being made. Dropped before it is kept, it is removed.
#[derive(Debug)]
pub struct Draft {
    file: File,
    temp: PathBuf,
    files: PathBuf,
    moves: Arc<Moves>,
    buffer: Vec<u8>,
    hash: Sha256,
    size: u64,
    kept: bool,
}

impl Draft {
    pub(super) fn new(temp: &Path, files: &Path, moves: &Arc<Moves>) -> Result<Self, Error> {
        let path = temp.join(secret::random_text(22));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        Ok(Self {
            file: file.map_err(|error| Error::at(&path, error))?,
            temp: path,
            files: files.to_owned(),
            moves: Arc::clone(moves),
            buffer: Vec::new(),
            hash: Sha256::new(),
            size: 0,
            kept: false,
        })
    }

    /// Puts the file under its key into the folder, in place of one that is there: whole, and on disk
    /// before this returns.
    ///
    /// # Errors
    /// When it cannot be written; then nothing of it remains.
    pub(super) fn keep(mut self, key: &str) -> Result<Whole, Error> {
        let target = path(&self.files, key).ok_or_else(|| Error::Key(key.to_owned()))?;
        self.settle(&target).map_err(|error| Error::at(&target, error))?;
        self.kept = true;
        Ok(self.facts())
    }

    /// Writes what is still in memory, so that the file can be read from [`path`](Self::path).
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn close(&mut self) -> Result<Whole, Error> {
        self.empty().map_err(|error| Error::at(&self.temp, error))?;
        Ok(self.facts())
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the file is being made.
    pub(super) fn path(&self) -> &Path {
        &self.temp
    }

    fn facts(&self) -> Whole {
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.clone().finalize() {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Whole { size: self.size, sha256 }
    }

    fn settle(&mut self, target: &Path) -> io::Result<()> {
        self.empty()?;
        self.file.sync_all()?;
        let day = target.parent().unwrap_or(&self.files);
        match fs::rename(&self.temp, target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(day)?;
                self.moves.settle(&self.files)?;
                fs::rename(&self.temp, target)?;
            }
            moved => moved?,
        }
        self.moves.settle(day)
    }

    fn empty(&mut self) -> io::Result<()> {
        if let Some(error) = fail::error("draft-write") {
            return Err(error);
        }
        self.file.write_all(&self.buffer)?;
        self.hash.update(&self.buffer);
        self.buffer.clear();
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.empty()?;
        }
        if bytes.len() >= BUFFER {
            self.file.write_all(bytes)?;
            self.hash.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // If it cannot be removed now, the next start does it.
            let _ = fs::remove_file(&self.temp);
        }
    }
}
