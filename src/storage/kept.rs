//! A finished file that is read, wherever it lies.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::bucket::Object;
use super::folder::Opened;
use crate::domain::Moment;

/// A finished file, opened.
#[derive(Debug)]
pub struct Kept {
    /// Bytes.
    pub size: u64,
    /// When it was put there.
    pub modified: Moment,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Can be read to its end even if it is deleted meanwhile.
    File(File),
    Object(Object),
}

/// The bytes of a file, from where one wants to begin.
#[derive(Debug)]
pub struct Reader(Source);

impl Kept {
    pub(super) fn of_object(object: Object, modified: Moment) -> Self {
        Self { size: object.size(), modified, source: Source::Object(object) }
    }

    /// Reads from this byte on.
    ///
    /// # Errors
    /// What the system says.
    pub fn reader(self, start: u64) -> io::Result<Reader> {
        let mut source = self.source;
        match &mut source {
            Source::File(file) => drop(file.seek(SeekFrom::Start(start))?),
            Source::Object(object) => object.begin_at(start),
        }
        Ok(Reader(source))
    }
}

impl From<Opened> for Kept {
    fn from(opened: Opened) -> Self {
        Self { size: opened.size, modified: opened.modified, source: Source::File(opened.file) }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::File(file) => file.read(buffer),
            Source::Object(object) => object.read(buffer),
        }
    }
}
