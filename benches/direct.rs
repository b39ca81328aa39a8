//! Small direct exports a second: eight clients that each ask for a workbook of 30 tasks, over HTTP on
//! the loopback, and wait for the answer, with which the file and its entry are on disk. The baseline
//! is what one would write without this program: a row after another into a `rust_xlsxwriter` sheet,
//! the file made durable, and one commit of a small record, each after the other.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{NOW, ORGANIZATION, Took, caller, filled_with, line, once};
use rust_xlsxwriter::Workbook;
use serde_json::Value;
use tokio::sync::oneshot;
use waybill::app::App;
use waybill::auth::Claims;
use waybill::baseline::COLUMNS;
use waybill::demo;
use waybill::domain::{ExportLog, Filter, Id, Moment, Order, json};
use waybill::store::Selection;

const TASKS: u64 = 2_000;
const EXPORTS: usize = 2_000;
const CLIENTS: usize = 8;
const ROWS: u64 = 30;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let (data, app) = filled_with(TASKS, |settings| {
        settings.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        (settings.server.rate_per_second, settings.server.rate_burst) = (1_000_000, 1_000_000);
    });
    let server = Server::start(&app);
    let theirs = once(|| (0..EXPORTS).for_each(|number| by_library(&app, data.path(), number as u64)));
    println!("baseline: {:.0} a second", EXPORTS as f64 / theirs.wall.as_secs_f64());
    if wanted("fields") {
        let fields = serde_json::json!({"download": "xlsx", "limit": ROWS, "fields": COLUMNS.join(",")});
        exports("12 fields", &server, &fields, theirs);
    }
    if wanted("everything") {
        exports("every column", &server, &serde_json::json!({"download": "xlsx", "limit": ROWS}), theirs);
    }
    for config in demo::configs().into_iter().filter(|_| wanted("configs")) {
        let added = server.post("export-config", &config);
        let body = serde_json::json!({"download": "xlsx", "limit": ROWS, "exportConfigId": added["data"]["_id"]});
        exports(config["name"].as_str().unwrap(), &server, &body, theirs);
    }
    server.stop();
}

/// Asks for the same export again and again from every client.
fn exports(what: &str, server: &Server, body: &Value, theirs: Took) {
    server.post("tasks/export", body);
    let mut waits = Vec::with_capacity(EXPORTS);
    let ours = once(|| {
        waits = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| waits_of(server, body))).collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
    });
    waits.sort_unstable();
    line(&format!("{EXPORTS} direct exports of {ROWS} tasks, {what}"), ours, theirs, 1.0);
    let millis = |place: usize| waits.get(place).unwrap().as_secs_f64() * 1e3;
    println!(
        "{:.0} exports a second, all durable; a client waits {:.1} ms (99 of 100: {:.1} ms)",
        EXPORTS as f64 / ours.wall.as_secs_f64(),
        millis(EXPORTS / 2),
        millis(EXPORTS * 99 / 100),
    );
}

fn waits_of(server: &Server, body: &Value) -> Vec<Duration> {
    let agent = ureq::Agent::new_with_defaults();
    let body = body.to_string();
    let ask = |_| {
        let asked = Instant::now();
        let answer = server.send(&agent, "tasks/export", &body);
        assert!(answer["data"]["link"].is_string(), "{answer}");
        asked.elapsed()
    };
    (0..EXPORTS / CLIENTS).map(ask).collect()
}

/// The server behind its door, in this process.
struct Server {
    url: String,
    token: String,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Server {
    fn start(app: &Arc<App>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, address) = std::sync::mpsc::channel();
        let served = Arc::clone(app);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind(served.settings.server.listen).await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                waybill::http::serve(served, listener, stopped).await.unwrap();
            });
        });
        let claims = Claims::of_everything(ORGANIZATION, "bench@example.com", NOW, 1);
        let (url, token) = (format!("http://{}", address.recv().unwrap()), app.keys.issue(&claims).unwrap());
        Self { url, token, stop, thread }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.send(&ureq::Agent::new_with_defaults(), path, &body.to_string())
    }

    fn send(&self, agent: &ureq::Agent, path: &str, body: &str) -> Value {
        let request = agent.post(format!("{}/api/v3/{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let mut reply = request.header("content-type", "application/json").send(body).unwrap();
        serde_json::from_slice(&reply.body_mut().read_to_vec().unwrap()).unwrap()
    }

    fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

/// One export without this program.
fn by_library(app: &App, folder: &Path, number: u64) {
    let (fields, view) = (COLUMNS.map(str::to_owned).to_vec(), app.store.view().unwrap());
    let (filter, order) = (Filter::default(), Order::default());
    let selection = Selection { organization: ORGANIZATION, filter, order, skip: 0, take: Some(ROWS) };
    let ids = app.pool.install(|| view.select(&selection)).unwrap().ids;
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (place, name) in (0..).zip(COLUMNS) {
        sheet.write_string(0, place, name).unwrap();
    }
    let mut row = 0;
    let mut write = |record: &waybill::store::Record<'_>| {
        row += 1;
        for (place, raw) in (0..).zip(record.cells) {
            match raw.json().unwrap().map(|raw| (json::text(raw), raw.parse::<f64>())) {
                Some((Some(text), _)) => sheet.write_string(row, place, &*text).unwrap(),
                Some((None, Ok(number))) => sheet.write_number(row, place, number).unwrap(),
                _ => continue,
            };
        }
        Ok(())
    };
    view.read(ORGANIZATION, &ids, &fields, &mut write).unwrap();
    let mut file = File::create(folder.join(format!("{number}.xlsx"))).unwrap();
    book.save_to_writer(&mut file).unwrap();
    file.sync_all().unwrap();
    let mut log = ExportLog::queued(Id([9; 12]), caller(), Moment(0), "baseline".to_owned(), "{}".to_owned());
    log.rows = number;
    app.store.edit(|edit| edit.put_export(&log)).unwrap();
}
