//! `GET /metrics`: what the server has done and how it stands, in the text form of Prometheus 0.0.4.
//! Whoever may administer the server may read it: it tells how much is done here, and how often it fails.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;

use crate::app::App;
use crate::domain::Permission;
use crate::kit::machine;
use crate::kit::tally::Wait;

use super::guard::Shared;
use super::reply::Answer;

/// `GET /metrics`
pub(super) async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Answer {
    shared.caller(&headers, Permission::AdminServer)?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, text(&shared.app)).into_response())
}

/// Every number, those of one family behind each other.
fn text(app: &App) -> String {
    let mut page = Page::default();
    about_exports(&mut page, app);
    about_the_store(&mut page, app);
    about_the_rest(&mut page, app);
    about_requests(&mut page, app);
    about_the_process(&mut page, app);
    page.text
}

fn about_exports(page: &mut Page, app: &App) {
    let (metrics, queue) = (&app.metrics, &app.queue);
    page.family("waybill_exports_total", "counter", "Exports that have ended.");
    for ((format, mode, outcome), count) in metrics.exports.read() {
        page.number(&[("format", format), ("mode", mode), ("outcome", outcome)], count);
    }
    page.family("waybill_export_stage_seconds_total", "counter", "Time of exports that have ended, by what they did.");
    for (stage, nanos) in metrics.stage_nanos.read() {
        page.number(&[("stage", stage)], seconds(Duration::from_nanos(nanos)));
    }
    page.family("waybill_export_rows_total", "counter", "Rows in the files of exports.");
    for (format, rows) in metrics.rows.read() {
        page.number(&[("format", format)], rows);
    }
    page.family("waybill_export_file_bytes_total", "counter", "Bytes of files that exports have kept.");
    for (format, bytes) in metrics.file_bytes.read() {
        page.number(&[("format", format)], bytes);
    }
    page.single("waybill_queue_waiting", "gauge", "Background exports that wait.", queue.waiting());
    page.single("waybill_queue_running", "gauge", "Background exports that run.", queue.running());
    let waits = queue.oldest().map_or(0, |asked| (app.clock.now().seconds() - asked.seconds()).max(0));
    let help = "How long ago the longest waiting background export was asked for.";
    page.single("waybill_queue_oldest_seconds", "gauge", help, waits);
    let help = "Direct exports that could begin now.";
    page.single("waybill_direct_places_free", "gauge", help, app.direct.available_permits());
}

fn about_the_store(page: &mut Page, app: &App) {
    let written = app.store.written();
    page.single("waybill_store_commits_total", "counter", "Commits that are on disk.", written.commits);
    page.single("waybill_store_edits_total", "counter", "Edits in these commits.", written.edits);
    page.single("waybill_store_commit_failures_total", "counter", "Commits that failed.", written.failed);
    let help = "Time that commits took, most of it the disk's.";
    page.single("waybill_store_commit_seconds_total", "counter", help, seconds(written.took));
}

fn about_the_rest(page: &mut Page, app: &App) {
    page.family("waybill_load_tasks_total", "counter", "Tasks of loads, by what became of them.");
    for (outcome, count) in app.metrics.loaded.read() {
        page.number(&[("outcome", outcome)], count);
    }
    let bytes = app.metrics.load_bytes.read().first().map_or(0, |(_, bytes)| *bytes);
    page.single("waybill_load_bytes_total", "counter", "Bytes that loads have read.", bytes);
    page.family("waybill_notices_total", "counter", "Tries to send a notice, by what came of them.");
    for ((channel, outcome), count) in app.metrics.notices.read() {
        page.number(&[("channel", channel), ("outcome", outcome)], count);
    }
    let scripts = app.script_counters();
    page.single("waybill_script_calls_total", "counter", "Calls of scripts.", scripts.calls);
    page.single("waybill_script_faults_total", "counter", "Calls of scripts that failed.", scripts.faults);
    let took = seconds(Duration::from_micros(scripts.micros));
    page.single("waybill_script_seconds_total", "counter", "Time of all calls of scripts.", took);
}

fn about_requests(page: &mut Page, app: &App) {
    page.family("waybill_http_requests_total", "counter", "Requests that were answered.");
    for ((method, route, status), count) in app.metrics.requests.read() {
        page.number(&[("method", method), ("route", route), ("status", &status.to_string())], count);
    }
    let name = "waybill_http_request_seconds";
    page.family(name, "histogram", "Time until an answer began.");
    for ((method, route), wait) in app.metrics.waits.read() {
        let labels = [("method", method), ("route", route)];
        let bounds = Wait::BOUNDS_MILLIS.map(|millis| seconds(Duration::from_millis(millis)).to_string());
        let within = bounds.iter().map(String::as_str).zip(wait.within).chain([("+Inf", wait.count)]);
        for (bound, count) in within {
            page.sample(&format!("{name}_bucket"), &[labels[0], labels[1], ("le", bound)], count);
        }
        page.sample(&format!("{name}_sum"), &labels, seconds(wait.sum));
        page.sample(&format!("{name}_count"), &labels, wait.count);
    }
}

fn about_the_process(page: &mut Page, app: &App) {
    page.family("waybill_build_info", "gauge", "Always 1; the label tells which version runs.");
    page.number(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let running = seconds(app.metrics.started.elapsed());
    page.single("waybill_uptime_seconds", "gauge", "Time since the server was started.", running);
    let own = std::process::id();
    if let Some(bytes) = machine::held_bytes(own) {
        page.single("process_resident_memory_bytes", "gauge", "Memory of the process.", bytes);
    }
    if let Some(files) = machine::open_files(own) {
        page.single("process_open_fds", "gauge", "Open files and connections of the process.", files);
    }
}

fn seconds(took: Duration) -> f64 {
    took.as_secs_f64()
}

/// The text as far as it is written.
#[derive(Debug, Default)]
struct Page {
    text: String,
    /// The name of the family that is being told.
    family: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self.family = name;
    }

    fn single(&mut self, name: &'static str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.number(&[], value);
    }

    fn number(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.sample(self.family, labels, value);
    }

    /// Values of labels come from this program and hold nothing that would have to be escaped.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.text, "{name} {value}"),
            false => writeln!(self.text, "{name}{{{}}} {value}", labels.join(",")),
        };
    }
}
