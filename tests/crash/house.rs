//! A data folder, and the built program on it.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Client;

/// The organisation of the settings.
pub const OURS: &str = "000000000000000000000001";
/// Tasks whose export as a workbook takes a second or more on one thread.
pub const LONG: u64 = 60_000;
const SIGABRT: i32 = 6;
/// What a start may take, with a store to check on a busy machine.
const START: Duration = Duration::from_secs(60);
/// What a death that was asked for may take, with all the work before it.
const DEATH: Duration = Duration::from_secs(120);

/// What is the same for every server here: so many requests are no fault of the client's.
const ALWAYS: [(&str, &str); 3] = [
    ("WAYBILL_SERVER__RATE_PER_SECOND", "100000"),
    ("WAYBILL_SERVER__RATE_BURST", "100000"),
    ("WAYBILL_EXPORT__WORKERS", "2"),
];

/// A folder to work in, with a data folder inside.
pub struct House {
    folder: TempDir,
    /// Where its tasks came from, kept for the other tests that want the same.
    _from: Option<Arc<TempDir>>,
}

impl House {
    /// A data folder that nobody has used yet.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), _from: None }
    }

    /// A data folder with so many tasks of our organisation.
    pub fn with_tasks(count: u64) -> Self {
        let from = loaded(count);
        let house = Self { _from: Some(Arc::clone(&from)), ..Self::new() };
        copy(&from.path().join("data"), &house.data());
        house
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A token that may do everything in this organisation.
    pub fn token(&self, organization: &str) -> String {
        token(&self.data(), organization)
    }

    /// The server with these variables, once it listens.
    pub fn start(&self, variables: &[(&str, &str)]) -> Server {
        self.launch(variables).listening()
    }

    /// The server with these variables, which may die before it listens.
    pub fn launch(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = Command::new(program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        command.envs(variables.iter().copied());
        Server::of(command, self.path())
    }

    /// Finished files, by their keys.
    pub fn kept_files(&self) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for day in entries(&self.data().join("files")) {
            for file in entries(&day) {
                keys.insert(format!("{}/{}", last(&day), last(&file)));
            }
        }
        keys
    }

    /// Unfinished files, of which there are none when nothing runs.
    pub fn temp_files(&self) -> usize {
        entries(&self.data().join("temp")).len()
    }
}

/// The program under test.
pub fn program() -> &'static OsStr {
    OsStr::new(env!("CARGO_BIN_EXE_waybill"))
}

/// A token that may do everything in this organisation, made with the key of this data folder.
pub fn token(data: &Path, organization: &str) -> String {
    let mut command = Command::new(program());
    command.args(["token", "--email", "me@example.org", "--org", organization, "--data"]).arg(data);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// So many tasks, one a line. Names of columns, zones and times are those of real ones.
pub fn tasks(count: u64) -> String {
    let task = |number: u64| {
        let status = ["UNASSIGNED", "ONGOING", "DONE"][usize::try_from(number % 3).unwrap()];
        format!(
            r#"{{"_id":"{number:024x}","title":"Visit {number}","status":"{status}","flow":"Visit","n":{number},"content":"Round {number} of the day","address":"Long Lane {number}, Eastville","createdTime":"2025-06-{:02}T08:00:00+00:00"}}"#,
            number % 28 + 1
        ) + "\n"
    };
    (0..count).map(task).collect()
}

/// The server as a process. It ends with the test, whatever becomes of that.
pub struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
    address: Address,
}

/// Where a server listens, once it does; clones wait for the same.
#[derive(Clone)]
pub struct Address(Arc<(Mutex<Told>, Condvar)>);

#[derive(Default)]
struct Told {
    url: Option<String>,
    is_over: bool,
}

impl Address {
    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits for the address; nothing when the server ends, or takes too long, before it has one.
    pub fn wait(&self) -> Option<String> {
        let told = self.0.0.lock().unwrap();
        let unknown = |told: &mut Told| told.url.is_none() && !told.is_over;
        let (told, _) = self.0.1.wait_timeout_while(told, START, unknown).unwrap();
        told.url.clone()
    }
}

impl Server {
    /// Runs a command that becomes the server.
    pub fn of(mut command: Command, folder: &Path) -> Self {
        let command = command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for (name, value) in ALWAYS {
            if !command.get_envs().any(|(chosen, _)| chosen == name) {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let address = Address(Arc::default());
        let (told, found) = (Arc::clone(&said), address.clone());
        // Reads to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let url = line.strip_prefix("Waybill listens on ").and_then(|rest| rest.split(' ').next());
                if let Some(url) = url {
                    found.tell(|told| told.url = Some(url.to_owned()));
                }
                *told.lock().unwrap() += &(line + "\n");
            }
            found.tell(|told| told.is_over = true);
        });
        Self { child, said, address }
    }

    /// Waits until it listens.
    pub fn listening(self) -> Self {
        self.try_listening().unwrap_or_else(|said| panic!("it does not listen: {said}"))
    }

    /// Waits until it listens; what it said when it ends instead.
    pub fn try_listening(self) -> Result<Self, String> {
        if self.address.wait().is_some() { Ok(self) } else { Err(self.said()) }
    }

    pub fn address(&self) -> Address {
        self.address.clone()
    }

    pub fn client(&self, token: &str) -> Client {
        Client::new(&self.address.wait().expect("it listens"), token)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to its log.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits until it ends of itself.
    pub fn left(&mut self, within: Duration) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < within, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it dies at the place that was asked for.
    pub fn died(mut self) {
        let status = self.left(DEATH);
        assert_eq!(status.signal(), Some(SIGABRT), "{status}: {}", self.said());
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The most memory that it ever had.
    pub fn peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder whose store holds so many tasks: made once for all tests that run at the time.
fn loaded(count: u64) -> Arc<TempDir> {
    static LOADED: Mutex<Option<HashMap<u64, Weak<TempDir>>>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap();
    let loaded = loaded.get_or_insert_default();
    if let Some(folder) = loaded.get(&count).and_then(Weak::upgrade) {
        return folder;
    }
    let folder = Arc::new(tempfile::tempdir().unwrap());
    fs::write(folder.path().join("tasks.ndjson"), tasks(count)).unwrap();
    let mut command = Command::new(program());
    command.args(["load", "tasks.ndjson", "--data", "data"]).current_dir(folder.path()).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    loaded.insert(count, Arc::downgrade(&folder));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in entries(from) {
        let target = to.join(last(&entry));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn last(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
