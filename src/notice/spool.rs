//! A letter's way into a folder, as an `.eml` file for whatever picks it up there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::Error;

/// The folder.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
}

impl Spool {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let spool = Self { dir: dir.to_owned() };
        fs::create_dir_all(dir).map_err(|source| spool.error(source))?;
        Ok(spool)
    }

    pub(super) fn place(&self) -> String {
        self.dir.display().to_string()
    }

    /// Writes a letter whole or not at all; the same letter again takes the place of the first.
    pub(super) fn write(&self, id: &str, message: &[u8]) -> Result<(), Error> {
        let write = || -> io::Result<()> {
            let draft = self.dir.join(format!(".{id}.part"));
            let mut file = File::create(&draft)?;
            file.write_all(message)?;
            file.sync_all()?;
            fs::rename(&draft, self.dir.join(format!("{id}.eml")))?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|source| self.error(source))
    }

    /// Writes something and takes it away again.
    pub(super) fn probe(&self) -> Result<(), Error> {
        let draft = self.dir.join(".probe.part");
        let probe = || {
            File::create(&draft)?.sync_all()?;
            fs::remove_file(&draft)
        };
        probe().map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> Error {
        Error::Spool { path: self.dir.clone(), source }
    }
}
