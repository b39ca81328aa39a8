//! A client who knows that the server may be gone at any moment.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What an answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// What the contract means by seconds, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

pub struct Client {
    url: String,
    token: String,
    agent: ureq::Agent,
}

/// An answer; that of a file has bytes that are no JSON.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl Client {
    pub fn new(url: &str, token: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER)).build();
        Self { url: url.to_owned(), token: token.to_owned(), agent: config.into() }
    }

    /// Nothing when the server is gone before the answer is whole.
    pub fn try_send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Option<Reply> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", kind);
        let sent = match body.is_empty() {
            true => self.agent.run(request.body(()).unwrap()),
            false => self.agent.run(request.body(body).unwrap()),
        };
        let mut reply = sent.ok()?;
        let body = reply.body_mut().with_config().limit(1 << 30).read_to_vec().ok()?;
        Some(Reply { status: reply.status().as_u16(), headers: reply.headers().clone(), body })
    }

    pub fn get(&self, path: &str) -> Reply {
        self.try_send("GET", path, "application/json", b"").unwrap_or_else(|| panic!("no answer to {path}"))
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        let reply = self.try_send("POST", path, "application/json", body.to_string().as_bytes());
        reply.unwrap_or_else(|| panic!("no answer to {path}"))
    }

    /// Loads tasks, one a line, and expects all of them to be good.
    pub fn load(&self, lines: &str) {
        let reply = self.try_send("POST", "/api/v3/tasks/load", "application/x-ndjson", lines.as_bytes()).unwrap();
        assert_eq!((reply.status, &reply.value()["failed"]), (200, &json!(0)), "{}", reply.text());
    }

    /// Asks for a background export. Its id, or nothing when the server is gone before it answers;
    /// no other answer is expected.
    pub fn try_export(&self, body: &Value) -> Option<String> {
        let reply = self.try_send("POST", "/api/v3/tasks/export", "application/json", body.to_string().as_bytes())?;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Some(accepted(&reply))
    }

    pub fn export(&self, body: &Value) -> String {
        self.try_export(body).expect("an answer to an export")
    }

    /// The entry of an export.
    pub fn entry(&self, id: &str) -> Value {
        let reply = self.get(&format!("/api/v3/tasks/export-log/{id}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.value()["data"].clone()
    }

    /// Waits until an export has ended, and gives its entry.
    pub fn ended(&self, id: &str) -> Value {
        self.until(id, "it ends", |entry| entry["status"] != "Processing")
    }

    /// Waits until it is so with an export, and gives its entry.
    pub fn until(&self, id: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let entry = self.entry(id);
            if so(&entry) {
                return entry;
            }
            assert!(since.elapsed() < SOON, "{what}: {entry}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until none of the caller's exports is owed any more.
    pub fn all_ended(&self, within: Duration) {
        let since = Instant::now();
        while self.count("Processing") > 0 {
            assert!(since.elapsed() < within, "{} exports are still processing", self.count("Processing"));
            std::thread::sleep(PAUSE * 5);
        }
    }

    /// How many of the caller's exports have this status.
    pub fn count(&self, status: &str) -> u64 {
        let reply = self.get(&format!("/api/v3/tasks/export-log?limit=1&status={status}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.value()["total"].as_u64().unwrap()
    }

    /// Every entry of the caller's, the latest first.
    pub fn log(&self) -> Vec<Value> {
        let mut entries = Vec::new();
        for page in 1.. {
            let reply = self.get(&format!("/api/v3/tasks/export-log?limit=100&page={page}"));
            assert_eq!(reply.status, 200, "{}", reply.text());
            let answer = reply.value();
            let hits = answer["data"].as_array().unwrap();
            entries.extend(hits.iter().map(|hit| {
                let mut entry = hit["_source"].clone();
                entry["_id"] = hit["_id"].clone();
                entry
            }));
            if hits.len() < 100 {
                assert_eq!(answer["total"], entries.len());
                break;
            }
        }
        entries
    }
}

/// The id in the answer to an export that was accepted.
pub fn accepted(reply: &Reply) -> String {
    reply.value()["data"]["_id"].as_str().unwrap_or_else(|| panic!("{}", reply.text())).to_owned()
}

/// The body of a background export, with an idempotency key so that it can be asked for again when
/// the answer was lost, and a name of its own so that no other is taken for the same.
pub fn export(download: &str, rows: u64, once: &str) -> Value {
    json!({"download": download, "background": true, "limit": rows, "name": once, "idempotencyKey": once})
}

/// Waits until it is so.
pub fn eventually(what: &str, within: Duration, so: impl Fn() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < within, "{what}");
        std::thread::sleep(PAUSE);
    }
}
