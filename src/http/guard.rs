//! What every request passes: its id, its log line, a net for panics, and who sends it.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::domain::{Caller, Error, Id, Kind, Permission, Result};
use crate::kit::secret;

use super::{reply, routes};

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Organisations whose rate is remembered; beyond, those that have not asked for a while are forgotten.
const MOST_BUCKETS: usize = 10_000;

/// Clients that may watch exports at a time, if that many connections are allowed twice: each
/// holds one, and the others are for those who ask.
const MOST_WATCHERS: usize = 256;

/// What the routes share.
#[derive(Clone)]
pub(super) struct Shared {
    pub app: Arc<App>,
    /// Clients that may watch exports at a time.
    pub watchers: Arc<Semaphore>,
    rates: Arc<Mutex<HashMap<Id, Bucket>>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    since: Instant,
}

impl Shared {
    pub(super) fn new(app: Arc<App>) -> Self {
        let watchers = MOST_WATCHERS.min(app.settings.server.max_connections / 2).max(1);
        Self { app, watchers: Arc::new(Semaphore::new(watchers)), rates: Arc::default() }
    }

    /// Who sends the request, if they may do this and their organisation has not asked too often.
    pub(super) fn caller(&self, headers: &HeaderMap, permission: Permission) -> Result<Caller> {
        let caller = self.anybody(headers)?;
        caller.demand(permission)?;
        Ok(caller)
    }

    /// The same for those who may do at least one of two things.
    pub(super) fn caller_of_either(&self, headers: &HeaderMap, one: Permission, other: Permission) -> Result<Caller> {
        let caller = self.anybody(headers)?;
        if !caller.may(one) {
            caller.demand(other)?;
        }
        Ok(caller)
    }

    fn anybody(&self, headers: &HeaderMap) -> Result<Caller> {
        let caller = self.bearer(headers).ok_or_else(|| Error::new(Kind::Unauthorized, "Unauthorized"))?;
        self.check_rate(caller.organization)?;
        Ok(caller)
    }

    fn bearer(&self, headers: &HeaderMap) -> Option<Caller> {
        let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        let token = Some(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        self.app.keys.verify(token, self.app.clock.now()).ok()
    }

    fn check_rate(&self, organization: Id) -> Result<()> {
        let server = &self.app.settings.server;
        let (rate, burst) = (f64::from(server.rate_per_second), f64::from(server.rate_burst));
        let now = Instant::now();
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= MOST_BUCKETS {
            rates.retain(|_, bucket| now.duration_since(bucket.since).as_secs_f64() * rate < burst);
        }
        let bucket = rates.entry(organization).or_insert(Bucket { tokens: burst, since: now });
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.since).as_secs_f64() * rate).min(burst);
        bucket.since = now;
        if bucket.tokens < 1.0 {
            return Err(Error::new(Kind::Busy, "Too many requests"));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

/// The id of the request that is being answered.
pub(super) fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// Around every request.
pub(super) async fn around(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let id = id_of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = routes::known(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
    let started = Instant::now();
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match REQUEST_ID.scope(id.clone(), handled).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(reference = id, "a handler panicked");
            reply::internal("http", &id)
        }
    };
    if is_bare_failure(&response) {
        response = reply::in_words(response);
    }
    let status = response.status().as_u16();
    let took = started.elapsed();
    shared.app.metrics.answered(name_of(&method), route, status, took);
    let millis = took.as_millis() as u64;
    tracing::info!(request = id, method = %method, path, status, millis, "answered");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Requests that arrive while the server stops are answered, and told to go.
    if shared.app.direct.is_closed() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The method's name; those that no route takes have one for all, for clients may make up theirs.
fn name_of(method: &Method) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        .into_iter()
        .find(|name| *name == method.as_str())
        .unwrap_or("other")
}

/// A refusal of the router's own, such as of a path that is no UTF-8, is plain text.
fn is_bare_failure(response: &Response) -> bool {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error()) && kind.is_none_or(|kind| kind != "application/json")
}

/// The client's own id, if it is one (contract 1), else a fresh one.
fn id_of(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let is_id = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    given.filter(is_id).map_or_else(|| secret::random_text(22), str::to_owned)
}
