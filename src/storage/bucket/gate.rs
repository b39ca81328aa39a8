//! What comes back is looked at before any of it is read. The client follows redirects by itself, to
//! other hosts without credentials, and reads the body of an error whole, however long it is. So each
//! answer passes here first: one from elsewhere ends the call, whatever it says, and so does an error
//! that tells more than errors have to tell.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use jiff::fmt::rfc2822;
use minio::s3::client::{Method, RequestHooks, Response};
use minio::s3::http::Url;
use minio::s3::multimap_ext::Multimap;
use minio::s3::types::{BucketName, ObjectKey, S3Request};
use ureq::http::Extensions;

use super::super::error::{Error, Refusal};
use super::meaning::{meaning, of_status};
use crate::domain::Moment;
use crate::kit::clock::Clock;

/// Bytes of an error's body.
const ERROR_BYTES: u64 = 64 << 10;
/// How often the body of an error may wake its call, where its length is not told. Between two of
/// them the thread that all calls share reads a connection's buffer full: 400 KiB at most, mostly far less.
const ERROR_PIECES: usize = 64;

tokio::task_local! {
    /// Of the call that this task is about.
    static SEEN: Arc<Mutex<Seen>>;
}

/// What is known of an answer before its body is read.
#[derive(Debug, Default)]
struct Seen {
    /// Of an error.
    status: Option<u16>,
    /// Why nobody wants the rest.
    fault: Option<Error>,
}

/// Stands where answers come in.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    ahead: Arc<Mutex<Option<i64>>>,
}

impl Gate {
    /// Seconds by which the bucket's clock was ahead of this machine's in its latest answer. It tells
    /// whole seconds, and an answer takes its time.
    pub fn ahead_seconds(&self) -> Option<i64> {
        *lock(&self.ahead)
    }

    fn look(&self, asked: &Url, response: &Response) -> Seen {
        let fault = |fault| Seen { fault: Some(fault), ..Seen::default() };
        if let Err(host) = must_come_from(asked, response) {
            return fault(Error::Refused { refusal: Refusal::Elsewhere, said: format!("look at {host}") });
        }
        self.hear(response);
        let status = response.status();
        match response.content_length() {
            _ if status.is_success() => Seen::default(),
            Some(length) if length > ERROR_BYTES => fault(of_status(status.as_u16())),
            _ => Seen { status: Some(status.as_u16()), fault: None },
        }
    }

    fn hear(&self, response: &Response) {
        let date = response.headers().get("date").and_then(|date| moment(date.to_str().ok()?));
        if let Some(date) = date {
            // That of the app may be another; requests are signed by this one.
            let ahead = date.seconds() - Clock::system().now().seconds();
            *lock(&self.ahead) = Some(ahead);
        }
    }
}

/// Asks, and gives up as soon as nobody can want the answer.
pub(super) async fn pass(mut request: S3Request) -> Result<Response, Error> {
    let seen = Arc::default();
    let mut asking = pin!(SEEN.scope(Arc::clone(&seen), request.execute()));
    let mut pieces = 0;
    poll_fn(move |context| {
        if let Poll::Ready(answer) = asking.as_mut().poll(context) {
            return Poll::Ready(answer.map_err(meaning));
        }
        let mut seen = lock(&seen);
        if let Some(status) = seen.status {
            pieces += 1;
            if pieces > ERROR_PIECES {
                return Poll::Ready(Err(of_status(status)));
            }
        }
        seen.fault.take().map_or(Poll::Pending, |fault| Poll::Ready(Err(fault)))
    })
    .await
}

#[async_trait::async_trait]
impl RequestHooks for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    async fn after_execute(
        &self,
        _: &Method,
        asked: &Url,
        _: &str,
        _: &Multimap,
        _: &Multimap,
        _: Option<&BucketName>,
        _: Option<&ObjectKey>,
        answer: &Result<Response, reqwest::Error>,
        _: &mut Extensions,
    ) {
        let Ok(response) = answer else { return };
        let found = self.look(asked, response);
        let is_over = found.fault.is_some();
        // Every request is one of a call's.
        let _ = SEEN.try_with(|seen| *lock(seen) = found);
        if is_over {
            // The body is read when this returns.
            std::future::pending::<()>().await;
        }
    }
}

/// # Errors
/// The host that answered instead of the one that was asked.
fn must_come_from(asked: &Url, response: &Response) -> Result<(), String> {
    let url = response.url();
    let found = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let is_same = asked.https == (url.scheme() == "https") && asked.host_header_value().eq_ignore_ascii_case(&found);
    if is_same { Ok(()) } else { Err(found) }
}

/// The moment of an HTTP date.
pub(super) fn moment(text: &str) -> Option<Moment> {
    Some(Moment(rfc2822::parse(text).ok()?.timestamp().as_millisecond()))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
