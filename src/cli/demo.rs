//! `waybill demo`

use std::io::{BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::app::App;
use crate::app::queue::Found;
use crate::auth::Claims;
use crate::configs;
use crate::demo;
use crate::domain::export_log::File;
use crate::domain::{Caller, ExportConfig, ExportLog, Filter, Order};
use crate::export;
use crate::intake;
use crate::jobs::Workers;
use crate::kit::secret;
use crate::store::Selection;

use super::fail::Failure;
use super::serve::{bind, until_stopped};
use super::{Place, start};

const DAYS: i64 = 30;
const WHO: &str = "demo@example.com";
/// Between two looks at how far the export is.
const LOOK: Duration = Duration::from_millis(20);

/// Tasks that look like a field operation's, export configs with scripts, one export of all, and the server.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How many tasks to make
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    tasks: u64,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

impl Demo {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        let mut settings = start::settings(place)?;
        let folder = match &place.data {
            Some(_) => None,
            None => Some(Temporary(std::env::temp_dir().join(format!("waybill-demo-{}", secret::random_text(8))))),
        };
        if let Some(Temporary(path)) = &folder {
            settings.data.dir.clone_from(path);
        }
        // What an operator has elsewhere is left alone, and what is here may be played with.
        settings.scripts.dir = settings.data.dir.join("scripts");
        settings.server.listen = self.listen.unwrap_or(settings.server.listen);
        let app = start::open(settings)?;
        let operator = start::operator(app.settings.organization.id);
        // The one that the token is for, so that its log shows the export.
        let caller = Caller { user: WHO.to_owned(), email: WHO.to_owned(), name: WHO.to_owned(), ..operator };
        must_be_empty(&app, &caller)?;
        start::runtime()?.block_on(async {
            let listener = bind(app.settings.server.listen).await?;
            // Links need the address before the server takes connections.
            let _ = app.address.set(listener.local_addr()?);
            let workers = Workers::start(&app)?;
            let making = Arc::clone(&app);
            let tasks = self.tasks;
            let made = tokio::task::spawn_blocking(move || make(&making, &caller, tasks));
            made.await.map_err(|error| Failure::new(error.to_string()))??;
            until_stopped(&app, listener, workers).await
        })
    }
}

/// A folder that goes with the demonstration.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now, the system's own sweeping will.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn must_be_empty(app: &App, caller: &Caller) -> Result<(), Failure> {
    let everything = Selection {
        organization: caller.organization,
        filter: Filter::default(),
        order: Order::default(),
        skip: 0,
        take: Some(1),
    };
    match app.store.view()?.select(&everything)?.matched {
        0 => Ok(()),
        there => Err(Failure::usage(format!(
            "{} holds {there} tasks already. Name an empty data folder, or leave --data out for a temporary one.",
            app.settings.data.dir.display()
        ))),
    }
}

fn make(app: &App, caller: &Caller, count: u64) -> Result<(), Failure> {
    let now = app.clock.now();
    let (flows, hubs) = (demo::flows(now), demo::hubs(now));
    app.store.edit(|edit| {
        flows.iter().try_for_each(|flow| edit.put_flow(caller.organization, flow))?;
        hubs.iter().try_for_each(|hub| edit.put_hub(caller.organization, hub))
    })?;
    let started = Instant::now();
    let bar = start::bar(count, "{wide_bar} {pos}/{len} tasks {eta}");
    let tasks = demo::tasks(count, now).inspect(|_| bar.inc(1));
    let mut source = BufReader::with_capacity(1 << 20, Texts { texts: tasks, left: Vec::new(), read: 0 });
    let report = intake::load(app, caller, &mut source, &mut |_| {})?;
    bar.finish_and_clear();
    println!(
        "Made {} tasks of {} flows at {} hubs in {:.1} s.",
        report.added,
        flows.len(),
        hubs.len(),
        seconds(started)
    );

    let configs = make_configs(app, caller)?;
    let started = Instant::now();
    let (log, file) = export_all(app, caller)?;
    println!("Exported {} tasks to a workbook in the background in {:.1} s.", log.rows, seconds(started));
    tell(app, &log, &file, &configs)
}

/// Scripts that an operator can change while the demonstration runs, and configs that use them.
fn make_configs(app: &App, caller: &Caller) -> Result<[ExportConfig; 2], Failure> {
    let folder = &app.settings.scripts.dir;
    demo::write_scripts(folder)
        .map_err(|error| Failure::new(format!("The scripts cannot be written to {}: {error}", folder.display())))?;
    app.scripts.look(app.clock.now());
    let add = |body: Value| configs::add(app, caller, body.to_string().as_bytes());
    let [deliveries, inspections] = demo::configs();
    Ok([add(deliveries)?, add(inspections)?])
}

/// One background export, as a client would ask for it, and what became of it.
fn export_all(app: &App, caller: &Caller) -> Result<(ExportLog, File), Failure> {
    let body = br#"{"download":"xlsx","background":true,"name":"Waybill demo"}"#;
    let asked = export::submit(app, caller, body, None)?;
    let bar = start::bar(asked.rows, "{wide_bar} {pos}/{len} rows");
    loop {
        let entry = export::entry(app, caller, asked.id)?;
        if let Some(Found::Running(meter)) = &entry.found {
            bar.set_position(meter.rows().0);
        }
        if entry.log.state.has_ended() {
            bar.finish_and_clear();
            let why = entry.log.error.clone().unwrap_or_else(|| "the export made no file".to_owned());
            let file = entry.log.file.clone();
            return file.map(|file| (entry.log, file)).ok_or_else(|| Failure::new(why));
        }
        std::thread::sleep(LOOK);
    }
}

fn tell(app: &App, log: &ExportLog, made: &File, configs: &[ExportConfig; 2]) -> Result<(), Failure> {
    let url = app.public_url();
    let claims = Claims::of_everything(app.settings.organization.id, WHO, app.clock.now(), DAYS);
    let token = app.keys.issue(&claims).map_err(|error| Failure::new(error.to_string()))?;
    let file = app.settings.data.dir.join("files").join(&made.key);
    println!("\nFile:    {}", file.display());
    println!("Link:    {}", export::own_link(app, log.id, made));
    println!("Server:  {url}");
    println!("Token:   {token}");
    println!("Scripts: {} (a change is live within a second)", app.settings.scripts.dir.display());
    for config in configs {
        println!("Config:  {}  {}", config.id, config.name);
    }
    let [deliveries, _] = configs;
    println!("\nAsk for an export yourself (in another window), shaped by the first config and its scripts:\n");
    println!("curl -sS -X POST {url}/api/v3/tasks/export \\");
    println!("  -H 'Authorization: Bearer {token}' \\");
    println!("  -H 'Content-Type: application/json' \\");
    println!("  -d '{{\"download\":\"xlsx\",\"exportConfigId\":\"{}\",\"limit\":100}}'", deliveries.id);
    println!("\nThe server runs until you press Ctrl-C.");
    Ok(())
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// Texts as bytes, one a line.
struct Texts<I> {
    texts: I,
    left: Vec<u8>,
    read: usize,
}

impl<I: Iterator<Item = String>> Read for Texts<I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.left.len() {
            let Some(text) = self.texts.next() else { return Ok(0) };
            self.left = text.into_bytes();
            self.left.push(b'\n');
            self.read = 0;
        }
        let length = buffer.len().min(self.left.len() - self.read);
        buffer[..length].copy_from_slice(&self.left[self.read..self.read + length]);
        self.read += length;
        Ok(length)
    }
}
