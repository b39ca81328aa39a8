//! Finished files in a bucket of a server that speaks S3, through the minio crate: under
//! `<prefix>/<id of this server>/<key>`, so that servers that share a bucket never meet.
//!
//! In reading order: `calls` (one call: its deadline, its tries, its answer), `gate` (which answers are
//! not even read), `meaning` (what a failure means), `upload`, `object` (reading), `list` (and
//! deleting), `xml`.

mod calls;
mod gate;
mod list;
mod meaning;
mod object;
mod patience;
mod upload;
mod xml;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use minio::s3::MinioClient;
use minio::s3::client::Method;
use minio::s3::multimap_ext::{Multimap, MultimapExt};
use minio::s3::types::{ObjectKey, ToS3Request};
use minio::s3::utils::from_iso8601utc;
use ureq::tls::{PemItem, RootCerts, parse_pem};

pub use object::Object;
pub use patience::Patience;

use super::draft::Whole;
use super::error::{Error, Refusal};
use super::kept::Kept;
use crate::domain::Moment;
use crate::domain::export_log::Place;
use crate::settings;
use calls::{Call, Calls};
use gate::Gate;
use meaning::{meaning, unfit};

/// How long it is known whether the bucket can be used, so that asking for readiness costs it little.
const KNOWN: Duration = Duration::from_secs(5);
/// The most seconds that S3 lets a link hold.
const LONGEST_LINK: u32 = 604_800;

/// Since when it is known, and what.
type Known = (Instant, Result<(), Arc<Error>>);

/// The bucket of the settings.
#[derive(Debug)]
pub(super) struct Bucket {
    calls: Arc<Calls>,
    /// Signs for the address that people reach.
    public: MinioClient,
    /// Those that are trusted beside the ones that browsers trust.
    pub authorities: Option<RootCerts>,
    name: String,
    /// What every name of this server's begins with, without a slash at the end.
    own: String,
    create: bool,
    part_bytes: usize,
    /// Whether it could be used, and since when that is known.
    known: Mutex<Option<Known>>,
    /// Uploads of this process that are not complete.
    under_way: Mutex<HashSet<String>>,
}

impl Bucket {
    /// Makes the clients; asks nobody anything.
    pub fn open(settings: &settings::Storage, instance: &str) -> Result<Self, Error> {
        let endpoint = settings.endpoint.as_deref().unwrap_or_default();
        let public = settings.public_endpoint.as_deref().unwrap_or(endpoint);
        let own = match settings.prefix.as_str() {
            "" => instance.to_owned(),
            prefix => format!("{prefix}/{instance}"),
        };
        Ok(Self {
            calls: Arc::new(Calls::open(settings, endpoint)?),
            public: calls::client(settings, public, &Gate::default())?,
            authorities: settings.ca_file.as_deref().map(authorities).transpose()?,
            name: settings.bucket.clone(),
            own,
            create: settings.create_bucket,
            part_bytes: settings.part_bytes,
            known: Mutex::default(),
            under_way: Mutex::default(),
        })
    }

    /// Looks for the bucket, and makes it if it is missing and may be made.
    pub fn prepare(&self) -> Result<(), Error> {
        self.find(&Patience::none())
    }

    /// Seconds by which its clock was ahead of this machine's in its latest answer, if there was one.
    pub fn ahead_seconds(&self) -> Option<i64> {
        self.calls.ahead_seconds()
    }

    /// As [`prepare`](Self::prepare), unless it is known.
    pub fn check(&self) -> Result<(), Arc<Error>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, outcome)) = known.as_ref().filter(|(since, _)| since.elapsed() < KNOWN) {
            return outcome.clone();
        }
        let outcome = self.prepare().map_err(Arc::new);
        *known = Some((Instant::now(), outcome.clone()));
        outcome
    }

    fn find(&self, patience: &Patience<'_>) -> Result<(), Error> {
        let call = Call::brief();
        let found =
            self.calls.ask(call, patience, |client| client.bucket_exists(self.name.as_str())?.build().to_s3request());
        match found {
            Err(Error::Missing | Error::Refused { refusal: Refusal::NoBucket, .. }) if self.create => {
                let made = self
                    .calls
                    .ask(call, patience, |client| client.create_bucket(self.name.as_str())?.build().to_s3request());
                match made {
                    // Somebody else who shares it came first.
                    Err(Error::Refused { said, .. }) if said.to_lowercase().contains("bucketalreadyownedbyyou") => {
                        Ok(())
                    }
                    made => made.map(|_| tracing::info!(bucket = self.name, "the bucket was made")),
                }
            }
            Err(Error::Missing) => Err(Error::Refused { refusal: Refusal::NoBucket, said: "not found".to_owned() }),
            found => found.map(drop),
        }
    }

    /// Where a new file of this key goes.
    pub fn place(&self, key: &str) -> Place {
        Place::Bucket { bucket: self.name.clone(), object: format!("{}/{key}", self.own) }
    }

    /// Puts a file. When this fails it may be there all the same, for nobody could say.
    pub fn put(
        &self,
        file: &Path,
        key: &str,
        whole: &Whole,
        media: &str,
        patience: &Patience<'_>,
    ) -> Result<Place, Error> {
        if !super::is_key(key) {
            return Err(Error::Key(key.to_owned()));
        }
        let object = format!("{}/{key}", self.own);
        let put = || upload::Upload { bucket: self, object: &object, file, whole, media, patience }.put();
        let outcome = match put() {
            Err(Error::Refused { refusal: Refusal::NoBucket, .. }) if self.create => {
                self.find(patience).and_then(|()| put())
            }
            outcome => outcome,
        };
        outcome.inspect_err(|error| tracing::warn!(object, %error, "a file could not be put into the bucket"))?;
        Ok(self.place(key))
    }

    /// Opens a file; nothing when there is none.
    pub fn read(&self, bucket: &str, object: &str) -> Result<Option<Kept>, Error> {
        match self.stat(bucket, object, &Patience::brief()) {
            Ok(facts) => {
                let (size, modified) = (facts.size.unwrap_or_default(), facts.modified.unwrap_or(Moment(0)));
                Ok(Some(Kept::of_object(Object::new(&self.calls, bucket, object, size), modified)))
            }
            Err(Error::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn stat(&self, bucket: &str, object: &str, patience: &Patience<'_>) -> Result<calls::Answer, Error> {
        let key = name(object)?;
        self.calls
            .ask(Call::brief(), patience, |client| client.stat_object(bucket, key.clone())?.build().to_s3request())
    }

    /// A link that holds for so many seconds from now, signed for the public address; asks nobody.
    /// The headers are those that the file comes with: `Content-Disposition` and `Content-Type`.
    pub fn link(
        &self,
        bucket: &str,
        object: &str,
        [disposition, media]: [&str; 2],
        seconds: u32,
        now: Moment,
    ) -> Result<String, Error> {
        let mut query = Multimap::new();
        query.add("response-content-disposition", disposition);
        query.add("response-content-type", media);
        self.sign(bucket, object, query, seconds, now)
    }

    fn sign(&self, bucket: &str, object: &str, query: Multimap, seconds: u32, now: Moment) -> Result<String, Error> {
        let signed = self
            .public
            .get_presigned_object_url(bucket, name(object)?, Method::GET)
            .map_err(unfit)?
            .extra_query_params(Some(query))
            .expiry_seconds(Some(seconds.clamp(1, LONGEST_LINK)))
            .request_time(Some(from_iso8601utc(&now.text().replace("+00:00", "Z")).map_err(unfit)?))
            .build()
            .send()
            .now_or_never();
        match signed {
            Some(signed) => Ok(signed.map_err(meaning)?.url),
            // The region is known, so that nothing has to be asked for.
            None => Err(Error::Setting("a link could not be signed without asking the bucket".to_owned())),
        }
    }
}

fn name(object: &str) -> Result<ObjectKey, Error> {
    ObjectKey::new(object).map_err(unfit)
}

/// The client takes a file without certificates for one with none to trust.
fn authorities(file: &Path) -> Result<RootCerts, Error> {
    let pem = std::fs::read(file).map_err(|error| Error::at(file, error))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        let cure = "Let storage.ca_file name a file of certificates in PEM form, or leave it empty.";
        return Err(Error::Setting(format!("There is no certificate in {}. {cure}", file.display())));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
