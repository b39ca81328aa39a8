//! One call to the bucket: within its deadline, tried again while it may pass, its answer read up to
//! a limit.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use minio::s3::client::Response;
use minio::s3::creds::StaticProvider;
use minio::s3::error::ValidationErr;
use minio::s3::http::BaseUrl;
use minio::s3::types::{BucketName, Region, S3Request};
use minio::s3::{MinioClient, MinioClientBuilder};
use tokio::runtime::Runtime;

use super::super::error::{Error, Refusal};
use super::gate::{self, Gate, moment};
use super::meaning::{meaning, unfit};
use super::patience::{LOOK, Patience};
use crate::domain::Moment;
use crate::kit::meter::Meter;
use crate::kit::secret::Secret;
use crate::settings;

/// Bytes of an answer that is a list: 1,000 names of a kilobyte at most, with what is told of each.
const LIST_BYTES: usize = 4 << 20;
/// The threads that speak to the bucket. One is enough: it waits for the network most of the time.
const THREADS: usize = 1;
/// Seconds from which on the bucket refuses requests because of their time.
const SKEWED_SECONDS: u64 = 15 * 60;

/// Who asks the bucket. The calls run on a thread of their own, and whoever asks waits, be it a thread
/// of another runtime.
#[derive(Debug)]
pub(super) struct Calls {
    /// Nothing while it is dropped.
    runtime: Option<Runtime>,
    client: MinioClient,
    gate: Gate,
    brief: Duration,
    part: Duration,
}

/// What a call may take and give.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    sends_part: bool,
    /// Bytes of the answer at most.
    limit: usize,
    /// Bytes of the answer, where they are known.
    expected: Option<usize>,
}

impl Call {
    /// One that is answered with little.
    pub fn brief() -> Self {
        Self { sends_part: false, limit: LIST_BYTES, expected: None }
    }

    /// One that sends a part of a file.
    pub fn of_part() -> Self {
        Self { sends_part: true, ..Self::brief() }
    }

    /// One that is answered with so many bytes of a file.
    pub fn for_bytes(count: usize) -> Self {
        Self { limit: count, expected: Some(count), sends_part: true }
    }
}

/// What of an answer matters.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub etag: Option<String>,
    /// `Content-Length`, that of the file where the answer tells of one.
    pub size: Option<u64>,
    /// What was given with the file when it was put.
    pub sha256: Option<String>,
    pub modified: Option<Moment>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text, of which nothing that is no text matters.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// An answer of 200 may still carry an error.
    ///
    /// # Errors
    /// The error in it.
    pub fn good(self) -> Result<Self, Error> {
        let text = self.text();
        if text.contains("<Error>") {
            return Err(Error::Away(format!("an error where all seemed well: {}", super::xml::first(&text, "Code"))));
        }
        Ok(self)
    }
}

/// The client of an endpoint.
pub(super) fn client(settings: &settings::Storage, endpoint: &str, gate: &Gate) -> Result<MinioClient, Error> {
    let mut base: BaseUrl = endpoint.parse().map_err(unfit)?;
    // Without it the client would ask the bucket for its region, also to sign a link.
    base.region = Region::new(settings.region.as_str()).map_err(unfit)?;
    BucketName::new(settings.bucket.as_str()).map_err(unfit)?;
    let access = settings.access_key.as_deref().unwrap_or_default();
    let secret = settings.secret_key.as_ref().map(Secret::reveal).unwrap_or_default();
    let keys = StaticProvider::new(access, secret, None);
    let client = MinioClientBuilder::new(base)
        .provider(Some(keys))
        .hook(Arc::new(gate.clone()))
        .app_info(Some(("waybill".to_owned(), env!("CARGO_PKG_VERSION").to_owned())))
        .ssl_cert_file(settings.ca_file.as_deref())
        .build();
    let ca = settings.ca_file.as_deref().map(|file| format!(" (storage.ca_file is {})", file.display()));
    client.map_err(|error| {
        Error::Setting(format!("The bucket's client cannot be made{}: {}", ca.unwrap_or_default(), meaning(error)))
    })
}

impl Calls {
    pub fn open(settings: &settings::Storage, endpoint: &str) -> Result<Self, Error> {
        let gate = Gate::default();
        let client = client(settings, endpoint, &gate)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("bucket")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::Setting(format!("The thread that speaks to the bucket cannot be started: {error}"))
            })?;
        let [brief, part] = [settings.call_seconds, settings.part_seconds].map(Duration::from_secs);
        Ok(Self { runtime: Some(runtime), client, gate, brief, part })
    }

    /// Asks, again while the failure may pass. The request is made anew for each try, since it is
    /// signed with its moment.
    pub fn ask(
        &self,
        call: Call,
        patience: &Patience<'_>,
        request: impl Fn(&MinioClient) -> Result<S3Request, ValidationErr>,
    ) -> Result<Answer, Error> {
        patience.retry(|| self.once(call, patience.meter, request(&self.client).map_err(unfit)?))
    }

    /// See [`Gate::ahead_seconds`].
    pub fn ahead_seconds(&self) -> Option<i64> {
        self.gate.ahead_seconds()
    }

    fn once(&self, call: Call, meter: Option<&Meter>, request: S3Request) -> Result<Answer, Error> {
        let runtime = self.runtime.as_ref().ok_or(Error::Stopped)?;
        let deadline = if call.sends_part { self.part } else { self.brief };
        let (limit, meter) = (call.limit, meter.cloned());
        let (send, answered) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            let answer = tokio::select! {
                answer = tokio::time::timeout(deadline, answer(request, limit)) => {
                    answer.unwrap_or_else(|_| Err(Error::Away(format!("no answer in {} s", deadline.as_secs()))))
                }
                () = stopped(meter) => Err(Error::Stopped),
            };
            // Who asked waits for it, whatever happens.
            let _ = send.send(answer);
        });
        let answer = answered.recv().unwrap_or(Err(Error::Stopped)).map_err(|error| self.explained(error))?;
        match call.expected {
            Some(expected) if answer.body.len() != expected => Err(Error::Away("a part of a file was cut".to_owned())),
            _ => Ok(answer),
        }
    }

    /// Why access is refused is not always told: an answer to `HEAD` has no words, only the time.
    fn explained(&self, error: Error) -> Error {
        let is_skewed = self.ahead_seconds().is_some_and(|ahead| ahead.unsigned_abs() >= SKEWED_SECONDS);
        match error {
            Error::Refused { refusal: Refusal::Denied, said } if is_skewed => {
                Error::Refused { refusal: Refusal::Clock, said }
            }
            error => error,
        }
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        // Waits for nothing: who drops it may be part of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(request: S3Request, limit: usize) -> Result<Answer, Error> {
    let response = gate::pass(request).await?;
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let mut answer = Answer {
        etag: header("etag").map(|tag| tag.trim_matches('"').to_owned()),
        size: header("content-length").and_then(|text| text.parse().ok()),
        sha256: header("x-amz-meta-sha256"),
        modified: header("last-modified").and_then(|text| moment(&text)),
        body: Vec::new(),
    };
    answer.body = body(response, limit).await?;
    Ok(answer)
}

async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Error::Away(error.to_string()))? {
        if body.len() + chunk.len() > limit {
            return Err(Error::Away("more was answered than was asked for".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn stopped(meter: Option<Meter>) {
    let Some(meter) = meter else { return std::future::pending().await };
    while meter.stopped().is_none() {
        tokio::time::sleep(LOOK).await;
    }
}
