//! What lies in the bucket under this server's own name, and how it goes away.

use minio::s3::builders::ObjectToDelete;
use minio::s3::client::Method;
use minio::s3::multimap_ext::{Multimap, MultimapExt};
use minio::s3::types::{BucketName, S3Request, ToS3Request};

use super::super::error::Error;
use super::super::{Listed, is_day, is_key};
use super::calls::Call;
use super::{Bucket, Patience, name, xml};
use crate::domain::export_log::Place;
use crate::domain::{Moment, Zone};

/// Files that one call deletes: the most that S3 allows.
const AT_ONCE: usize = 1000;
/// Pages of 1,000 names at most.
const PAGES: usize = 1000;

impl Bucket {
    /// The days of which there are files, the first one first.
    pub fn days(&self) -> Result<Vec<String>, Error> {
        let mut days = Vec::new();
        self.pages(&format!("{}/", self.own), Some("/"), &mut |page| {
            let prefixes = xml::all(page, "CommonPrefixes").map(|entry| xml::first(entry, "Prefix"));
            let names = prefixes.filter_map(|prefix| prefix.trim_end_matches('/').rsplit('/').next());
            days.extend(names.filter(|name| is_day(name)).map(str::to_owned));
        })?;
        days.sort_unstable();
        Ok(days)
    }

    /// The files of one day that were written before that moment.
    pub fn list(&self, day: &str, before: Moment) -> Result<Vec<Listed>, Error> {
        let mut all = Vec::new();
        if !is_day(day) {
            return Ok(all);
        }
        self.pages(&format!("{}/{day}/", self.own), None, &mut |page| {
            all.extend(xml::all(page, "Contents").filter_map(|entry| self.listed(entry)));
        })?;
        all.retain(|listed| listed.modified < before);
        Ok(all)
    }

    fn listed(&self, entry: &str) -> Option<Listed> {
        let key = xml::first(entry, "Key").strip_prefix(&self.own)?.strip_prefix('/').filter(|key| is_key(key))?;
        let modified = Moment::parse(xml::first(entry, "LastModified"), &Zone::utc())?;
        let size = xml::first(entry, "Size").parse().ok()?;
        Some(Listed { key: key.to_owned(), place: self.place(key), size, modified })
    }

    fn pages(&self, prefix: &str, delimiter: Option<&str>, tell: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let mut token = String::new();
        for _ in 0..PAGES {
            let mut query = Multimap::new();
            query.add("list-type", "2");
            query.add("prefix", prefix);
            if let Some(delimiter) = delimiter {
                query.add("delimiter", delimiter);
            }
            if !token.is_empty() {
                query.add("continuation-token", token.as_str());
            }
            let page = self.listing(&query)?;
            tell(&page);
            token = xml::first(&page, "NextContinuationToken").to_owned();
            if xml::first(&page, "IsTruncated") != "true" || token.is_empty() {
                return Ok(());
            }
        }
        tracing::warn!(prefix, "there are more files in the bucket than are looked at in one go");
        Ok(())
    }

    fn listing(&self, query: &Multimap) -> Result<String, Error> {
        let answer = self.calls.ask(Call::brief(), &Patience::brief(), |client| {
            let bucket = BucketName::new(self.name.as_str())?;
            let request = S3Request::builder().client(client.clone()).method(Method::GET);
            Ok(request.bucket(Some(bucket)).query_params(query.clone()).build())
        });
        Ok(answer?.good()?.text().into_owned())
    }

    /// Deletes a file, if it is there.
    pub fn delete(&self, bucket: &str, object: &str) -> Result<(), Error> {
        let key = name(object)?;
        let deleted = self.calls.ask(Call::brief(), &Patience::brief(), |client| {
            client.delete_object(bucket, key.clone())?.build().to_s3request()
        });
        match deleted {
            Ok(_) | Err(Error::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes files of buckets, many with one call; says for each whether it is gone.
    pub fn delete_all(&self, files: &[Place], patience: &Patience<'_>) -> Vec<bool> {
        let mut gone = Vec::with_capacity(files.len());
        for files in files.chunks(AT_ONCE) {
            match self.delete_at_once(files, patience) {
                Ok(()) => gone.resize(gone.len() + files.len(), true),
                // Some of them may be gone: one by one it turns out which.
                Err(Error::NotWhole(_)) => gone.extend(files.iter().map(|file| self.is_deleted(file))),
                Err(error) => {
                    tracing::warn!(%error, files = files.len(), "files of the bucket cannot be deleted");
                    gone.resize(gone.len() + files.len(), false);
                }
            }
        }
        gone
    }

    /// Files of the bucket of the settings alone go together; others have to wait their turn.
    fn delete_at_once(&self, files: &[Place], patience: &Patience<'_>) -> Result<(), Error> {
        let apart = || Error::NotWhole("not all files lie in the same bucket".to_owned());
        let ours = files.iter().map(|file| match file {
            Place::Bucket { bucket, object } if *bucket == self.name => Ok(ObjectToDelete::from(name(object)?)),
            _ => Err(apart()),
        });
        let ours = ours.collect::<Result<Vec<_>, _>>()?;
        let answer = self.calls.ask(Call::brief(), patience, |client| {
            client.delete_objects(self.name.as_str(), ours.clone())?.build().to_s3request()
        })?;
        // What could not be deleted is told in an answer of 200.
        let text = answer.text();
        if text.contains("<Error>") { Err(Error::NotWhole(xml::first(&text, "Code").to_owned())) } else { Ok(()) }
    }

    fn is_deleted(&self, file: &Place) -> bool {
        let Place::Bucket { bucket, object } = file else { return false };
        self.delete(bucket, object)
            .inspect_err(|error| tracing::warn!(object, %error, "a file of the bucket cannot be deleted"))
            .is_ok()
    }

    /// Lets go of the parts of uploads that were begun before that moment, and that this process does
    /// not go on with. A bucket that cannot list uploads needs a rule of its own for them.
    pub fn abort_uploads(&self, before: Moment) -> Result<u64, Error> {
        let mut query = Multimap::new();
        query.add("uploads", "");
        query.add("prefix", format!("{}/", self.own));
        let page = match self.listing(&query) {
            Err(Error::Refused { said, .. }) => {
                tracing::debug!(said, "the bucket does not list uploads");
                return Ok(0);
            }
            page => page?,
        };
        let mut count = 0;
        for entry in xml::all(&page, "Upload") {
            let [object, id, begun] = ["Key", "UploadId", "Initiated"].map(|tag| xml::first(entry, tag));
            let is_old = Moment::parse(begun, &Zone::utc()).is_some_and(|begun| begun < before);
            let is_ours = object.strip_prefix(&self.own).is_some_and(|key| key.starts_with('/'));
            if is_old && is_ours && !self.is_under_way(id) {
                self.abort(object, id)?;
                count += 1;
            }
        }
        Ok(count)
    }
}
