//! Tasks on their way in: a file of lines sent over HTTP to a server in this process, on disk when it
//! answers. The baseline is what one would write without this program: one thread that decodes each
//! line of the same file to a `serde_json::Value` and puts it into a redb table by its id.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, mpsc};

use common::{NOW, ORGANIZATION, line, once, peak_memory, sizes};
use redb::{Database, TableDefinition};
use serde_json::Value;
use waybill::app::App;
use waybill::auth::Claims;
use waybill::demo;
use waybill::kit::clock::Clock;
use waybill::settings::Settings;

/// Bytes of lines in each commit of the baseline: as many as the server takes at most.
const COMMIT_BYTES: usize = 16 << 20;
const TASKS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("tasks");

fn main() {
    for rows in sizes() {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join("tasks.ndjson");
        let bytes = write(&lines, rows);
        let url = serve(folder.path());
        println!("peak memory before loading: {} MB", peak_memory());
        let ours = once(|| post(&url, &lines, rows));
        println!("peak memory after loading: {} MB", peak_memory());
        let theirs = once(|| by_hand(&lines, &folder.path().join("theirs.redb")));
        line(&format!("load {rows} tasks"), ours, theirs, 2.0);
        let seconds = ours.wall.as_secs_f64();
        println!("{:.0} tasks a second, {:.0} MB a second", rows as f64 / seconds, bytes as f64 / 1e6 / seconds);
    }
}

/// Writes so many tasks and tells their bytes.
fn write(path: &Path, rows: u64) -> u64 {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    demo::tasks(rows, NOW).for_each(|task| writeln!(file, "{task}").unwrap());
    let file = file.into_inner().unwrap();
    // On disk, so that what is left of this does not slow down what is measured.
    file.sync_all().unwrap();
    file.metadata().unwrap().len()
}

/// Starts a server that ends with this program, and gives its address with a token.
fn serve(folder: &Path) -> (String, String) {
    let mut settings = Settings::default();
    settings.data.dir = folder.join("data");
    settings.server.listen = "127.0.0.1:0".parse().unwrap();
    let app = App::open(settings, Clock::fixed(NOW)).unwrap();
    let token = app.keys.issue(&Claims::of_everything(ORGANIZATION, "bench@example.com", NOW, 1)).unwrap();
    let (ready, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(app.settings.server.listen).await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            waybill::http::serve(Arc::clone(&app), listener, std::future::pending()).await.unwrap();
        });
    });
    (format!("http://{}/api/v3/tasks/load", address.recv().unwrap()), token)
}

fn post((url, token): &(String, String), lines: &Path, rows: u64) {
    let body = ureq::SendBody::from_owned_reader(File::open(lines).unwrap());
    let request = ureq::post(url).header("authorization", format!("Bearer {token}"));
    let mut reply = request.content_type("application/x-ndjson").send(body).unwrap();
    let report: Value = serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!((&report["added"], &report["failed"]), (&Value::from(rows), &Value::from(0)));
}

fn by_hand(lines: &Path, path: &Path) {
    let database = Database::builder().set_cache_size(Settings::default().data.cache_bytes).create(path).unwrap();
    let mut source = BufReader::with_capacity(1 << 20, File::open(lines).unwrap());
    let mut line = String::new();
    let mut ended = false;
    while !ended {
        let transaction = database.begin_write().unwrap();
        let mut table = transaction.open_table(TASKS).unwrap();
        let mut bytes = 0;
        while bytes < COMMIT_BYTES && !ended {
            line.clear();
            bytes += source.read_line(&mut line).unwrap();
            ended = line.is_empty();
            if !ended {
                let task: Value = serde_json::from_str(&line).unwrap();
                let id = task["_id"].as_str().unwrap();
                table.insert(id.as_bytes(), task.to_string().as_bytes()).unwrap();
            }
        }
        drop(table);
        transaction.commit().unwrap();
    }
}
