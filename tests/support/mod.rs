//! A server of one's own for each test, and a small client for it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod golden;
pub mod hooks;
pub mod smtp;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use waybill::app::App;
use waybill::auth::Claims;
use waybill::domain::{Id, Moment};
use waybill::kit::clock::Clock;
use waybill::settings::Settings;

/// 2025-06-15T15:06:40Z
pub const NOW: Moment = Moment(1_750_000_000_000);
pub const OURS: Id = Id([1; 12]);
pub const THEIRS: Id = Id([2; 12]);
pub const ME: &str = "me@example.org";

/// A server on a free port of the loopback, with a data folder of its own.
pub struct House {
    pub app: Arc<App>,
    pub url: String,
    pub clock: Clock,
    pub data: Arc<TempDir>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

/// What came back.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl House {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(choose: impl FnOnce(&mut Settings)) -> Self {
        Self::at(Clock::fixed(NOW), choose)
    }

    pub fn at(clock: Clock, choose: impl FnOnce(&mut Settings)) -> Self {
        Self::of(Arc::new(tempfile::tempdir().unwrap()), clock, choose)
    }

    /// The same data folder with other settings.
    pub fn again(self, choose: impl FnOnce(&mut Settings)) -> Self {
        let (data, clock) = (Arc::clone(&self.data), self.clock.clone());
        drop(self);
        Self::of(data, clock, choose)
    }

    fn of(data: Arc<TempDir>, clock: Clock, choose: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        settings.data.dir = data.path().join("data");
        settings.scripts.dir = data.path().join("scripts");
        settings.server.listen = "127.0.0.1:0".parse().unwrap();
        settings.server.rate_per_second = 100_000;
        settings.server.rate_burst = 100_000;
        choose(&mut settings);
        let app = App::open(settings, clock.clone()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, address) = std::sync::mpsc::channel();
        let served = Arc::clone(&app);
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind(served.settings.server.listen).await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                waybill::http::serve(served, listener, stopped).await.unwrap();
            });
        });
        let url = format!("http://{}", address.recv_timeout(Duration::from_secs(10)).unwrap());
        Self { app, url, clock, data, stop: Some(stop), server: Some(server) }
    }

    /// A token that may do everything in our organisation.
    pub fn token(&self) -> String {
        self.token_with(|_| {})
    }

    pub fn token_with(&self, change: impl FnOnce(&mut Claims)) -> String {
        let mut claims = Claims::of_everything(OURS, ME, self.clock.now(), 365);
        change(&mut claims);
        self.app.keys.issue(&claims).unwrap()
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &self.token(), &[], b"")
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        self.json("POST", path, &self.token(), body)
    }

    pub fn json(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        self.send(method, path, token, &[("content-type", "application/json")], body.as_bytes())
    }

    pub fn send(&self, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        let agent: ureq::Agent = config.into();
        let agent_reply = if body.is_empty() && matches!(method, "GET" | "HEAD") {
            agent.run(request.body(()).unwrap())
        } else {
            agent.run(request.body(body).unwrap())
        };
        let mut reply = agent_reply.unwrap();
        let bytes = reply.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        Reply { status: reply.status().as_u16(), headers: reply.headers().clone(), body: bytes }
    }

    /// Loads tasks and expects all of them to be good.
    pub fn load(&self, lines: &str) {
        let reply = self.load_as(&self.token(), lines);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.value()["failed"], 0, "{}", reply.text());
    }

    pub fn load_as(&self, token: &str, lines: &str) -> Reply {
        let headers = [("content-type", "application/x-ndjson")];
        self.send("POST", "/api/v3/tasks/load", token, &headers, lines.as_bytes())
    }

    /// A direct export, expected to work.
    pub fn export(&self, body: &str) -> Value {
        let reply = self.post("/api/v3/tasks/export", body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.value()
    }

    /// The file that an export's answer links to.
    pub fn file(&self, answer: &Value) -> Vec<u8> {
        let reply = self.send("GET", answer["data"]["link"].as_str().unwrap(), "", &[], b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.body
    }

    /// Writes a file of the scripts folder, `fields/minutes.rhai`; nobody looks at it by that alone.
    pub fn write_script(&self, place: &str, text: &str) {
        write_script(&self.app.settings.scripts.dir, place, text);
    }

    /// The same, and has it looked at.
    pub fn script(&self, place: &str, text: &str) {
        self.write_script(place, text);
        self.app.scripts.look(self.clock.now());
    }

    pub fn temp_files(&self) -> usize {
        std::fs::read_dir(self.app.storage.folder().scratch()).unwrap().count()
    }

    pub fn kept_files(&self) -> usize {
        count(&self.data.path().join("data/files"))
    }
}

/// A file of the scripts folder, written as an editor would.
pub fn write_script(dir: &Path, place: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join(place);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn message(&self) -> String {
        self.value()["message"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { count(&path) } else { 1 })
        .sum()
}

/// Waits until it is so, for at most ten seconds.
pub fn eventually(what: &str, so: impl Fn() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn id(number: u64) -> Id {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Id(bytes)
}

/// A task with this number in its id, `n` and title, and these keys more.
pub fn task(number: u64, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(
        r#"{{"_id":"{}","n":{number},"title":"Task {number}","createdTime":"2025-06-01T00:00:00+00:00"{comma}{more}}}"#,
        id(number)
    )
}

/// So many tasks, one a line.
pub fn tasks(count: u64) -> String {
    (0..count).map(|number| task(number, "") + "\n").collect()
}
