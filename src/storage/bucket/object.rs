//! A file of the bucket that is read part by part, each with a call of its own: a client that takes
//! its time holds no call open, and a part that is cut off is asked for again.

use std::fmt;
use std::io;
use std::sync::Arc;

use minio::s3::types::ToS3Request;

use super::super::error::Error;
use super::calls::{Call, Calls};
use super::{Patience, name};

/// Bytes that are asked for at once.
const PART: u64 = 1 << 20;

/// A file of the bucket, to be read.
pub struct Object {
    calls: Arc<Calls>,
    bucket: String,
    object: String,
    size: u64,
    /// Where the next part begins.
    at: u64,
    part: Vec<u8>,
    /// Bytes of the part that were read.
    taken: usize,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("object", &self.object).field("at", &self.at).finish_non_exhaustive()
    }
}

impl Object {
    pub(super) fn new(calls: &Arc<Calls>, bucket: &str, object: &str, size: u64) -> Self {
        let (bucket, object) = (bucket.to_owned(), object.to_owned());
        Self { calls: Arc::clone(calls), bucket, object, size, at: 0, part: Vec::new(), taken: 0 }
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads from this byte on.
    pub fn begin_at(&mut self, start: u64) {
        self.at = start;
    }

    fn next(&self) -> Result<Vec<u8>, Error> {
        let length = PART.min(self.size.saturating_sub(self.at));
        let Ok(count) = usize::try_from(length) else { return Ok(Vec::new()) };
        if count == 0 {
            return Ok(Vec::new());
        }
        let key = name(&self.object)?;
        let answer = self.calls.ask(Call::for_bytes(count), &Patience::brief(), |client| {
            let request = client.get_object(self.bucket.as_str(), key.clone())?;
            request.offset(Some(self.at)).length(Some(length)).build().to_s3request()
        });
        Ok(answer?.body)
    }
}

impl io::Read for Object {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.part.len() {
            self.part = self.next().map_err(io::Error::other)?;
            self.at += self.part.len() as u64;
            self.taken = 0;
        }
        let left = self.part.get(self.taken..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(into), Some(from)) = (buffer.get_mut(..count), left.get(..count)) {
            into.copy_from_slice(from);
        }
        self.taken += count;
        Ok(count)
    }
}
