//! As much as one server is asked for at once, and the memory it takes: tasks come in over HTTP, then two
//! exports of everything, in the order of a text, are fetched while small ones are.
//!
//! `WAYBILL_TEST_ROWS` says how many tasks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use waybill::demo;
use waybill::domain::Moment;
use waybill::kit::machine;

/// Tasks without `WAYBILL_TEST_ROWS`.
const ROWS: u64 = 20_000;
/// Bytes of memory that a server may have had at most.
const MAX_PEAK_BYTES: u64 = 160 << 20;
const NOW: Moment = Moment(1_750_000_000_000);

#[test]
fn two_exports_of_everything_and_small_ones_beside_them_fit_in_the_memory_that_is_promised() {
    let rows = std::env::var("WAYBILL_TEST_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    let exported = rows.min(1_000_000);
    let server = Server::start();
    let report: Value = serde_json::from_slice(&server.load(Lines::new(rows))).unwrap();
    assert_eq!((&report["added"], &report["failed"]), (&Value::from(rows), &Value::from(0)));

    let over = AtomicBool::new(false);
    let (workbook, zip, small) = std::thread::scope(|scope| {
        let big = |body: String| scope.spawn(|| server.export(body).len());
        let workbook = big(format!(r#"{{"download":"xlsx","limit":{exported},"sortBy":"title"}}"#));
        let zip = big(format!(r#"{{"download":"json","limit":{exported},"sortBy":"title"}}"#));
        let small = scope.spawn(|| {
            let mut sheets = Vec::new();
            while sheets.is_empty() || !over.load(Ordering::Relaxed) {
                sheets.push(sheet(server.export(r#"{"download":"xlsx","limit":30}"#.to_owned())));
            }
            sheets
        });
        let big = (workbook.join().unwrap(), zip.join().unwrap());
        over.store(true, Ordering::Relaxed);
        (big.0, big.1, small.join().unwrap())
    });
    assert_eq!(small[0].matches("<row ").count(), 31);
    assert!(small.iter().all(|sheet| *sheet == small[0]));
    assert!(workbook > small[0].len() && zip > small[0].len(), "{workbook} {zip} {}", small[0].len());
    // Told only where there is a /proc.
    if let Some(peak) = machine::peak_bytes(server.process.id()) {
        assert!(peak <= MAX_PEAK_BYTES, "{} MB", peak >> 20);
    }
}

/// The program on a data folder of its own; both end with the test.
struct Server {
    process: Child,
    url: String,
    token: String,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let token = waybill(data.path(), &["token", "--email", "me@example.org"]).output().unwrap();
        let mut serve = waybill(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let mut process = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let url = said.find_map(|line| Some(line.split_once("listens on ")?.1.split(' ').next()?.to_owned())).unwrap();
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || said.for_each(drop));
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        Self { process, url, token, _data: data }
    }

    fn load(&self, lines: impl Read + 'static) -> Vec<u8> {
        let lines = ureq::SendBody::from_owned_reader(lines);
        whole(self.post("/tasks/load", "application/x-ndjson").send(lines).unwrap())
    }

    /// The file that a direct export is.
    fn export(&self, body: String) -> Vec<u8> {
        let request = self.post("/tasks/export", "application/json").header("accept", "application/octet-stream");
        whole(request.send(body).unwrap())
    }

    fn post(&self, path: &str, kind: &str) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
        let request = ureq::post(format!("{}/api/v3{path}", self.url)).content_type(kind);
        request.header("authorization", format!("Bearer {}", self.token))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn waybill(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command.args(arguments).arg("--data").arg(data.join("data")).current_dir(data).stdin(Stdio::null());
    // Small exports follow each other as fast as they can.
    command.envs([("WAYBILL_SERVER__RATE_PER_SECOND", "100000"), ("WAYBILL_SERVER__RATE_BURST", "100000")]);
    command
}

fn whole(mut reply: ureq::http::Response<ureq::Body>) -> Vec<u8> {
    reply.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap()
}

/// The rows of a workbook, as XML: unlike the sheet `About` they do not tell when it was made.
fn sheet(file: Vec<u8>) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    let mut xml = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut xml).unwrap();
    xml
}

/// Tasks, one a line, made as they are read.
struct Lines {
    tasks: Box<dyn Iterator<Item = String>>,
    line: Cursor<String>,
}

impl Lines {
    fn new(rows: u64) -> Self {
        Self { tasks: Box::new(demo::tasks(rows, NOW)), line: Cursor::default() }
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.line.fill_buf()?.is_empty() {
            let lines: String = self.tasks.by_ref().take(200).map(|task| task + "\n").collect();
            self.line = Cursor::new(lines);
        }
        self.line.read(buffer)
    }
}
