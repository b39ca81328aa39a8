//! One file on its way into the bucket: at once, or in parts of which one is in memory; then looked
//! at whether it is what was sent.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use minio::s3::MinioClient;
use minio::s3::builders::UploadPart;
use minio::s3::error::ValidationErr;
use minio::s3::multimap_ext::{Multimap, MultimapExt};
use minio::s3::segmented_bytes::SegmentedBytes;
use minio::s3::types::{BucketName, ETag, ObjectKey, PartInfo, S3Request, ToS3Request};

use super::super::draft::Whole;
use super::super::error::{Error, Refusal};
use super::calls::{Answer, Call};
use super::{Bucket, Patience, xml};
use crate::kit::fail;

/// How often a file is sent when what arrives is not what was sent.
const UPLOADS: usize = 3;

/// A file and where it goes.
pub(super) struct Upload<'a> {
    pub bucket: &'a Bucket,
    pub object: &'a str,
    pub file: &'a Path,
    pub whole: &'a Whole,
    pub media: &'a str,
    pub patience: &'a Patience<'a>,
}

impl Upload<'_> {
    /// Sends the file until it is there as it is here. A second time it takes the place of the first.
    pub fn put(&self) -> Result<(), Error> {
        let mut outcome = self.send();
        for _ in 1..UPLOADS {
            match &outcome {
                Err(Error::NotWhole(why)) => tracing::warn!(object = self.object, why, "a file is sent again"),
                _ => break,
            }
            outcome = self.send();
        }
        match outcome {
            // Where there is nothing to put into, that is the bucket.
            Err(Error::Missing) => Err(Error::Refused { refusal: Refusal::NoBucket, said: "not found".to_owned() }),
            outcome => outcome,
        }
    }

    fn send(&self) -> Result<(), Error> {
        if self.whole.size <= self.bucket.part_bytes as u64 { self.at_once() } else { self.in_parts() }
    }

    /// Whether the bucket has it: of the same size and, where the sending was answered with a tag,
    /// of the same tag, put with the digest of these bytes. Each body that was sent is signed with its
    /// digest, so that the bucket does not take other bytes for them.
    fn verify(&self, tag: Option<&str>) -> Result<(), Error> {
        let facts = match self.bucket.stat(&self.bucket.name, self.object, self.patience) {
            Err(Error::Missing) => return Err(Error::NotWhole("it is not there".to_owned())),
            facts => facts?,
        };
        let differs = |what: &str| Err(Error::NotWhole(format!("its {what} differs")));
        if facts.size != Some(self.whole.size) {
            return differs("size");
        }
        if facts.sha256.as_deref() != Some(self.whole.sha256.as_str()) {
            return differs("digest");
        }
        match tag {
            Some(tag) if facts.etag.as_deref() != Some(tag) => differs("tag"),
            _ => Ok(()),
        }
    }

    fn metadata(&self) -> Option<Multimap> {
        let mut metadata = Multimap::new();
        metadata.add("x-amz-meta-sha256", self.whole.sha256.as_str());
        Some(metadata)
    }

    fn at_once(&self) -> Result<(), Error> {
        let bytes = self.part(&mut self.open()?)?;
        let answer = self.ask(Call::of_part(), |client| {
            let request = UploadPart::builder().client(client.clone());
            let request = request.bucket(BucketName::new(self.bucket.name.as_str())?);
            let request = request.object(ObjectKey::new(self.object)?).user_metadata(self.metadata());
            let request = request.content_type(Some(self.media.to_owned()));
            request.data(Arc::new(SegmentedBytes::from(bytes.clone()))).build().to_s3request()
        });
        self.verify(answer?.etag.as_deref())
    }

    /// An answer of 200 that carries an error is none, and is asked for again.
    fn ask(
        &self,
        call: Call,
        request: impl Fn(&MinioClient) -> Result<S3Request, ValidationErr>,
    ) -> Result<Answer, Error> {
        self.patience.retry(|| self.bucket.calls.ask(call, &self.patience.once(), &request)?.good())
    }

    fn in_parts(&self) -> Result<(), Error> {
        let id = self.begin()?;
        self.bucket.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        let outcome = self.parts(&id).and_then(|parts| self.complete(&id, &parts));
        if outcome.is_err()
            && let Err(error) = self.bucket.abort(self.object, &id)
        {
            tracing::warn!(object = self.object, %error, "parts of an upload are left to the sweeper");
        }
        self.bucket.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        outcome
    }

    fn begin(&self) -> Result<String, Error> {
        let answer = self.ask(Call::brief(), |client| {
            let request = client.create_multipart_upload(self.bucket.name.as_str(), self.object)?;
            request.user_metadata(self.metadata()).content_type(Some(self.media.to_owned())).build().to_s3request()
        })?;
        match xml::first(&answer.text(), "UploadId") {
            "" => Err(Error::NotWhole("no upload was begun".to_owned())),
            id => Ok(id.to_owned()),
        }
    }

    fn parts(&self, id: &str) -> Result<Vec<PartInfo>, Error> {
        let mut file = self.open()?;
        let mut parts = Vec::new();
        for number in 1..=u16::MAX {
            self.patience.go_on()?;
            let bytes = self.part(&mut file)?;
            if bytes.is_empty() {
                break;
            }
            let answer = self.ask(Call::of_part(), |client| {
                let data = SegmentedBytes::from(bytes.clone());
                client.upload_part(self.bucket.name.as_str(), self.object, id, number, data)?.build().to_s3request()
            })?;
            let tag = ETag::new(answer.etag.unwrap_or_default()).map_err(|_| no_tag())?;
            parts.push(PartInfo::new(number, tag, bytes.len() as u64, None));
            fail::place("part-put");
        }
        Ok(parts)
    }

    /// The answer may be lost after the work was done: then the file is there, and the upload is not.
    /// Or it is said to be done, and nothing is there: then the upload still is. The tag of a file in
    /// parts is no digest, and not every answer has it.
    fn complete(&self, id: &str, parts: &[PartInfo]) -> Result<(), Error> {
        let completed = self.ask(Call::of_part(), |client| {
            let bucket = self.bucket.name.as_str();
            client.complete_multipart_upload(bucket, self.object, id, parts.to_vec())?.build().to_s3request()
        });
        let verified = self.verify(None);
        match completed {
            Err(error) if verified.is_err() => Err(error),
            _ => verified,
        }
    }

    fn open(&self) -> Result<File, Error> {
        File::open(self.file).map_err(|error| Error::at(self.file, error))
    }

    /// The next part of the file, empty at its end.
    fn part(&self, file: &mut File) -> Result<Bytes, Error> {
        let mut bytes = Vec::new();
        let mut part = file.take(self.bucket.part_bytes as u64);
        part.read_to_end(&mut bytes).map_err(|error| Error::at(self.file, error))?;
        Ok(bytes.into())
    }
}

fn no_tag() -> Error {
    Error::NotWhole("a part was answered without a tag".to_owned())
}

impl Bucket {
    /// Lets go of what was sent of an upload. One that is not there any more is let go of.
    pub(super) fn abort(&self, object: &str, id: &str) -> Result<(), Error> {
        let aborted = self.calls.ask(Call::brief(), &Patience::none(), |client| {
            client.abort_multipart_upload(self.name.as_str(), object, id)?.build().to_s3request()
        });
        match aborted {
            Ok(_) | Err(Error::Missing | Error::NotWhole(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_under_way(&self, id: &str) -> bool {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}
