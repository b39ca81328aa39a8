//! A server of this same program in a process of its own, so that its memory and its time are its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::machine;

use super::super::fail::Failure;
use super::super::start;
use super::workshop::Workshop;

/// Between two looks at an export.
const LOOK: Duration = Duration::from_millis(5);
/// The most that one step may take.
const PATIENCE: Duration = Duration::from_secs(3600);

pub(super) struct Server {
    workshop: Arc<Workshop>,
    process: u32,
    url: String,
    token: String,
    agent: ureq::Agent,
}

/// An export that is done.
pub(super) struct Exported {
    pub rows: u64,
    pub bytes: u64,
}

impl Server {
    /// Starts it in the workshop, with the settings that it has without any, on a free port of this machine.
    pub(super) fn start(workshop: &Arc<Workshop>, token: String) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("WAYBILL_")) {
            command.env_remove(key);
        }
        // Looks come faster than one client may ask.
        for (key, value) in
            [("LOG__LEVEL", "warn"), ("SERVER__RATE_PER_SECOND", "1000"), ("SERVER__RATE_BURST", "1000")]
        {
            command.env(format!("WAYBILL_{key}"), value);
        }
        command.arg("serve").arg("--data").arg(workshop.data()).args(["--listen", "127.0.0.1:0"]);
        command.current_dir(workshop.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let process = child.id();
        let mut lines = child.stderr.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        workshop.employ(child);
        let mut said = String::new();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            said.clone_from(&line);
            line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned)
        });
        // What it says later is a warning or a fault, and worth seeing.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| start::say(&line)));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        let url = url.ok_or_else(|| Failure::new(format!("the server does not start: {said}")))?;
        Ok(Self { workshop: Arc::clone(workshop), process, url, token, agent: agent.into() })
    }

    /// Ends it, so that another may open its store.
    pub(super) fn stop(self) {
        self.workshop.dismiss(machine::ask_to_end);
    }

    pub(super) fn process(&self) -> u32 {
        self.process
    }

    /// Loads a file of a task a line, and gives the number of them.
    pub(super) fn load(&self, tasks: &Path) -> Result<u64, Failure> {
        let body = ureq::SendBody::from_owned_reader(File::open(tasks)?);
        let answer = self.post("/tasks/load", "application/x-ndjson", body)?;
        Ok(answer["added"].as_u64().unwrap_or_default())
    }

    pub(super) fn add_config(&self, config: &Value) -> Result<String, Failure> {
        let answer = self.post_json("/export-config", config)?;
        Ok(text(&answer["data"]["_id"]))
    }

    /// Asks for an export in the background, waits for its file and deletes it.
    pub(super) fn export(&self, mut request: Value) -> Result<(Exported, Duration), Failure> {
        request["background"] = json!(true);
        let started = Instant::now();
        let asked = self.post_json("/tasks/export", &request)?;
        let entry = format!("/tasks/export-log/{}", text(&asked["data"]["_id"]));
        let done = loop {
            let entry = self.call(self.agent.get(self.at(&entry)).header("authorization", self.bearer()).call())?;
            match entry["data"]["status"].as_str() {
                Some("Done") => break entry["data"].clone(),
                Some("Processing") if started.elapsed() < PATIENCE => thread::sleep(LOOK),
                _ => return Err(Failure::new(format!("an export fails: {}", text(&entry["data"]["errorMessage"])))),
            }
        };
        let took = started.elapsed();
        self.call(self.agent.delete(self.at(&entry)).header("authorization", self.bearer()).call())?;
        let number = |key: &str| done[key].as_u64().unwrap_or_default();
        Ok((Exported { rows: number("rowsDone"), bytes: number("fileSize") }, took))
    }

    /// The seconds that exports have spent in each stage, since it was started.
    pub(super) fn stages(&self) -> Result<BTreeMap<String, f64>, Failure> {
        const STAGE: &str = "waybill_export_stage_seconds_total{stage=\"";
        let url = format!("{}/metrics", self.url);
        let page = read(self.agent.get(url).header("authorization", self.bearer()).call())?;
        let stage = |line: &str| {
            let (stage, seconds) = line.strip_prefix(STAGE)?.split_once("\"} ")?;
            Some((stage.to_owned(), seconds.parse().ok()?))
        };
        Ok(page.lines().filter_map(stage).collect())
    }

    fn post_json(&self, route: &str, body: &Value) -> Result<Value, Failure> {
        let body = std::io::Cursor::new(body.to_string());
        self.post(route, "application/json", ureq::SendBody::from_owned_reader(body))
    }

    fn post(&self, route: &str, media: &str, body: ureq::SendBody<'static>) -> Result<Value, Failure> {
        let request = self.agent.post(self.at(route)).header("authorization", self.bearer());
        self.call(request.content_type(media).send(body))
    }

    fn call(&self, reply: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Failure> {
        let text = read(reply)?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        match answer["status"].as_bool() {
            Some(true) => Ok(answer),
            _ => Err(Failure::new(format!("the server refuses: {text}"))),
        }
    }

    fn at(&self, route: &str) -> String {
        format!("{}/api/v3{route}", self.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

fn read(reply: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<String, Failure> {
    let mut text = String::new();
    let read = reply.and_then(|reply| Ok(reply.into_body().into_reader().read_to_string(&mut text)?));
    read.map_err(|error| Failure::new(format!("the server does not answer: {error}")))?;
    Ok(text)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
