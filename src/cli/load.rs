//! `waybill load`

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use crate::ingest;
use crate::intake;

use super::fail::{Failure, IN_USE};
use super::{Place, start};

const BAR: &str = "{wide_bar} {decimal_bytes}/{decimal_total_bytes} {eta}";
/// Bad lines that are shown.
const SHOWN: usize = 20;

/// Tasks from files, each in place of one with its `_id`.
#[derive(Debug, Args)]
pub(super) struct Load {
    /// Files that end in .ndjson, .json, .csv or .xlsx
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Through the server at this address, which may run on the same data folder
    #[arg(long, requires = "token")]
    url: Option<String>,
    /// A token for that server
    #[arg(long, requires = "url")]
    token: Option<String>,
}

#[derive(Default)]
struct Totals {
    added: u64,
    replaced: u64,
    failed: u64,
}

impl Load {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        let mut totals = Totals::default();
        match (&self.url, &self.token) {
            (Some(url), Some(token)) => {
                for file in &self.files {
                    totals.add(file, &through(url, token, file)?);
                }
            }
            _ => {
                let settings = start::settings(place)?;
                let app = start::open(settings).map_err(|failure| match failure.code {
                    IN_USE => Failure {
                        message: format!("{} Or load through it, with --url and --token.", failure.message),
                        ..failure
                    },
                    _ => failure,
                })?;
                let caller = start::operator(app.settings.organization.id);
                for file in &self.files {
                    let (mut source, bar) = open(file)?;
                    let report = intake::load(&app, &caller, &mut source, &mut |bytes| bar.inc(bytes))?;
                    bar.finish_and_clear();
                    totals.add(file, &serde_json::to_value(report).unwrap_or_default());
                }
            }
        }
        let Totals { added, replaced, failed } = totals;
        start::say(&format!("{added} added, {replaced} replaced, {failed} bad"));
        if failed > 0 {
            return Err(Failure::new("not all lines could be loaded; the good ones are in"));
        }
        Ok(())
    }
}

impl Totals {
    fn add(&mut self, file: &Path, report: &Value) {
        let count = |key: &str| report[key].as_u64().unwrap_or_default();
        self.added += count("added");
        self.replaced += count("replaced");
        self.failed += count("failed");
        for bad in report["errors"].as_array().into_iter().flatten().take(SHOWN) {
            start::say(&format!("{}:{}: {}", file.display(), bad["line"], bad["message"].as_str().unwrap_or_default()));
        }
    }
}

fn open(file: &Path) -> Result<(Box<dyn BufRead + Send>, ProgressBar), Failure> {
    let source = ingest::open(file).map_err(|error| Failure::new(error.to_string()))?;
    let size = std::fs::metadata(file).map_or(0, |facts| facts.len());
    Ok((source, start::bar(size, BAR)))
}

fn through(url: &str, token: &str, file: &Path) -> Result<Value, Failure> {
    // A server that refuses does so without reading, which a client in the midst of sending does
    // not hear; so that nothing is sent first.
    send(url, token, std::io::empty())?;
    let (source, bar) = open(file)?;
    send(url, token, Counted { source, bar })
}

fn send(url: &str, token: &str, body: impl Read + 'static) -> Result<Value, Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(10)))
        .build()
        .into();
    let reply = agent
        .post(format!("{}/api/v3/tasks/load", url.trim_end_matches('/')))
        .header("authorization", format!("Bearer {token}"))
        .content_type("application/x-ndjson")
        .send(ureq::SendBody::from_owned_reader(body));
    let text = reply.and_then(|mut reply| reply.body_mut().read_to_string());
    let text = text.map_err(|error| Failure::new(format!("{url} does not answer: {error}")))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    match answer["status"].as_bool() {
        Some(true) => Ok(answer),
        _ => Err(Failure::new(format!("{url} refuses: {}", answer["message"].as_str().unwrap_or(&text)))),
    }
}

struct Counted {
    source: Box<dyn BufRead + Send>,
    bar: ProgressBar,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.bar.inc(length as u64);
        Ok(length)
    }
}
