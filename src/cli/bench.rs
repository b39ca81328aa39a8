//! `waybill bench`

mod server;
mod table;
mod workshop;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Claims;
use crate::baseline::{self, COLUMNS};
use crate::demo;
use crate::domain::limits::MAX_EXPORT_ROWS;
use crate::domain::{Id, Result as Done};
use crate::kit::clock::Clock;
use crate::kit::machine;
use crate::settings::Settings;

use server::{Exported, Server};
use table::{Measured, Report};
use workshop::Workshop;

use super::fail::Failure;
use super::{Place, start};

/// What three more columns compute.
const EXPRESSIONS: [(&str, &str); 3] = [
    ("pace", "if task.duration > 0 { task.travelDistance / task.duration } else { () }"),
    ("heading", "`${task.refId}: ${task.title}`"),
    ("took", "minutes_between(task.startTime, task.doneTime)"),
];
const WHO: &str = "bench@example.com";
/// Bytes of disk that a task takes in all: as a line, in the store, in files.
const DISK_BYTES_PER_TASK: u64 = 5_000;

/// Measures this machine: makes tasks, loads them, exports them, and the same without Waybill beside it.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// How many tasks to make
    #[arg(long, default_value_t = MAX_EXPORT_ROWS, value_parser = clap::value_parser!(u64).range(1..=MAX_EXPORT_ROWS))]
    tasks: u64,
    /// Runs of each export, of which the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    runs: u32,
    /// Where the results are written as JSON
    #[arg(long, value_name = "FILE", default_value = "waybill-bench.json")]
    output: PathBuf,
}

impl Bench {
    /// In a folder of its own within `--data`, or within the system's for such things, that is removed at the end.
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        let within = place.data.clone().unwrap_or_else(std::env::temp_dir);
        let workshop = Arc::new(Workshop::open(&within)?);
        let output = self.output.clone();
        let runtime = start::runtime()?;
        let report = runtime.block_on(async {
            let working = Arc::clone(&workshop);
            tokio::select! {
                report = tokio::task::spawn_blocking(move || self.measure(&working)) => {
                    report.map_err(|error| Failure::new(error.to_string()))?
                }
                () = start::stopped() => Err(Failure::new("stopped")),
            }
        });
        workshop.close();
        // Whoever stopped it does not wait for what is still being measured.
        runtime.shutdown_background();
        let report = report?;
        println!("{}", report.table());
        let json = format!("{:#}\n", report.json());
        std::fs::write(&output, json)
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}", output.display())))?;
        start::say(&format!("The same as JSON: {}", output.display()));
        Ok(())
    }

    fn measure(&self, workshop: &Arc<Workshop>) -> Result<Report, Failure> {
        let (token, organization) = self.furnish(workshop)?;
        let tasks = workshop.path().join("tasks.ndjson");
        start::say(&format!("Making {} tasks.", self.tasks));
        let task_bytes = make(&tasks, self.tasks)?;
        let server = Server::start(workshop, token)?;
        let mut measured = vec![load(&server, &tasks)?];
        std::fs::remove_file(&tasks)?;
        for work in works(&server)? {
            measured.push(self.export(&server, &work)?);
        }
        server.stop();
        let app = App::open(settings(workshop), Clock::system())?;
        let ids = baseline::everything(&app, organization)?;
        measured.push(by_hand("rust_xlsxwriter, a row after another", "rustXlsxwriter", ids.len(), || {
            baseline::workbook(&app, organization, &ids, &COLUMNS, &workshop.path().join("baseline.xlsx"))
        })?);
        measured.push(by_hand("stored JSON, deflated by one thread", "oneThread", ids.len(), || {
            baseline::deflated_json(&app, organization, &ids, &workshop.path().join("baseline.zip"))
        })?);
        Ok(Report { tasks: self.tasks, task_bytes, runs: self.runs, measured })
    }

    /// A store with flows and hubs, and a token for it.
    fn furnish(&self, workshop: &Workshop) -> Result<(String, Id), Failure> {
        let app = start::open(settings(workshop))?;
        let (needed, free) = (self.tasks * DISK_BYTES_PER_TASK, app.storage.folder().free_bytes()?);
        if free < needed {
            let (needed, free) = (needed >> 20, free >> 20);
            return Err(Failure::usage(format!(
                "about {needed} MB of disk are needed and {free} MB are free at {}. Name another place with --data, or fewer tasks with --tasks.",
                workshop.path().display()
            )));
        }
        let (now, organization) = (app.clock.now(), app.settings.organization.id);
        let (flows, hubs) = (demo::flows(now), demo::hubs(now));
        app.store.edit(|edit| {
            flows.iter().try_for_each(|flow| edit.put_flow(organization, flow))?;
            hubs.iter().try_for_each(|hub| edit.put_hub(organization, hub))
        })?;
        let claims = Claims::of_everything(organization, WHO, now, 1);
        let token = app.keys.issue(&claims).map_err(|error| Failure::new(error.to_string()))?;
        Ok((token, organization))
    }

    fn export(&self, server: &Server, work: &Work) -> Result<Measured, Failure> {
        start::say(&format!("Exporting: {}.", work.title));
        let (watch, stages) = (Watch::start(server.process()), server.stages()?);
        let mut runs = Vec::new();
        for _ in 0..self.runs {
            runs.push(server.export(work.request.clone())?);
        }
        runs.sort_by_key(|(_, took)| *took);
        let (Exported { rows, bytes }, took) = runs.swap_remove(runs.len() / 2);
        if work.has_all && rows != self.tasks {
            return Err(Failure::new(format!("{rows} rows were exported of {}", self.tasks)));
        }
        let mut measured = watch.measured(work.title, work.key, took, rows, Some(bytes), self.runs);
        let mut after = server.stages()?;
        for (stage, seconds) in &mut after {
            let before = stages.get(stage).copied().unwrap_or_default();
            *seconds = (*seconds - before) / f64::from(self.runs);
        }
        measured.stages = after;
        Ok(measured)
    }
}

/// The settings that there are without any, so that neither bucket nor mail of an operator is touched.
fn settings(workshop: &Workshop) -> Settings {
    let mut settings = Settings::default();
    settings.data.dir = workshop.data();
    settings.scripts.dir = workshop.path().join("scripts");
    settings
}

/// Gives the number of bytes.
fn make(path: &Path, count: u64) -> Result<u64, Failure> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let bar = start::bar(count, "{wide_bar} {pos}/{len} tasks {eta}");
    let mut bytes = 0;
    for task in demo::tasks(count, Clock::system().now()) {
        bytes += task.len() as u64;
        writeln!(file, "{task}")?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    file.flush()?;
    Ok(bytes)
}

fn load(server: &Server, tasks: &Path) -> Result<Measured, Failure> {
    start::say("Loading them.");
    let watch = Watch::start(server.process());
    let started = Instant::now();
    let rows = server.load(tasks)?;
    Ok(watch.measured("loading, over HTTP", "load", started.elapsed(), rows, None, 1))
}

/// An export that is measured.
struct Work {
    title: &'static str,
    /// The word that programs know it by.
    key: &'static str,
    request: Value,
    /// Whether it has every task.
    has_all: bool,
}

fn works(server: &Server) -> Result<[Work; 7], Failure> {
    let field = |name: &str| json!({"id": name, "component": "reserved", "title": name});
    let script = |(id, expression)| json!({"id": id, "component": "script", "title": id, "expression": expression});
    let fields: Vec<Value> = COLUMNS.into_iter().map(field).chain(EXPRESSIONS.map(script)).collect();
    let config = server.add_config(&json!({"name": "bench", "collection": "task", "fields": fields}))?;
    let fields = COLUMNS.join(",");
    let all = |title, key, request| Work { title, key, request, has_all: true };
    // A fifth of the tasks is in this flow, an eighth in each hub.
    let hubs = demo::hubs(Clock::system().now());
    let hub = hubs.first().map(|hub| hub.id.to_string());
    let few = json!({"download": "xlsx", "fields": fields, "flow": "Pickup", "hubId": hub});
    Ok([
        all("xlsx, 12 columns", "xlsx", json!({"download": "xlsx", "fields": fields})),
        all(
            "the same, sorted by a text",
            "xlsxByText",
            json!({"download": "xlsx", "fields": fields, "sortBy": "title"}),
        ),
        Work { title: "the same, one task in forty", key: "xlsxOfFew", request: few, has_all: false },
        all(
            "xlsx, 12 columns and 3 of scripts",
            "xlsxWithScripts",
            json!({"download": "xlsx", "exportConfigId": config}),
        ),
        all("xlsx, every column", "xlsxEveryColumn", json!({"download": "xlsx"})),
        all("csv, 12 columns", "csv", json!({"download": "csv", "fields": fields})),
        all("json, whole tasks in a zip", "json", json!({"download": "json"})),
    ])
}

/// What a process does meanwhile.
struct Watch {
    process: u32,
    before: Option<Duration>,
}

impl Watch {
    fn start(process: u32) -> Self {
        machine::forget_peak(process);
        Self { process, before: machine::processor_time(process) }
    }

    fn measured(
        self,
        work: &'static str,
        key: &'static str,
        took: Duration,
        rows: u64,
        file_bytes: Option<u64>,
        runs: u32,
    ) -> Measured {
        let after = machine::processor_time(self.process);
        let processor = after.zip(self.before).map(|(after, before)| after.saturating_sub(before) / runs);
        let peak_bytes = machine::peak_bytes(self.process);
        Measured { work, key, took, processor, rows, peak_bytes, file_bytes, stages: BTreeMap::new() }
    }
}

fn by_hand(
    work: &'static str,
    key: &'static str,
    rows: usize,
    make: impl FnOnce() -> Done<u64>,
) -> Result<Measured, Failure> {
    start::say(&format!("For comparison: {work}."));
    let watch = Watch::start(std::process::id());
    let started = Instant::now();
    let bytes = make()?;
    Ok(watch.measured(work, key, started.elapsed(), rows as u64, Some(bytes), 1))
}
