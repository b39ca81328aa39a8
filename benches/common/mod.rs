//! What the benchmarks share: a store full of tasks, a stopwatch, a table of results.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufReader, Cursor};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use waybill::app::App;
use waybill::demo;
use waybill::domain::{Caller, Id, Moment};
use waybill::intake;
use waybill::kit::clock::Clock;
use waybill::kit::{machine, memory};
use waybill::settings::Settings;

pub const NOW: Moment = Moment(1_750_000_000_000);
pub const ORGANIZATION: Id = Id([1; 12]);
/// Runs of which the median counts.
const RUNS: usize = 5;
const BASELINE_RUNS: usize = 3;
/// Rows beyond which a baseline is run once.
const LONG_ROWS: u64 = 100_000;

/// The numbers of tasks that are measured: `WAYBILL_BENCH_ROWS`, comma-separated.
pub fn sizes() -> Vec<u64> {
    let rows = std::env::var("WAYBILL_BENCH_ROWS").unwrap_or_else(|_| "100000".to_owned());
    rows.split(',').map(|rows| rows.trim().parse().unwrap()).collect()
}

pub fn caller() -> Caller {
    Caller {
        user: "bench".to_owned(),
        email: "bench@example.com".to_owned(),
        name: "Bench".to_owned(),
        organization: ORGANIZATION,
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    }
}

/// A house with so many tasks.
pub fn filled(rows: u64) -> (TempDir, Arc<App>) {
    filled_with(rows, |_| {})
}

/// The same with other settings.
pub fn filled_with(rows: u64, choose: impl FnOnce(&mut Settings)) -> (TempDir, Arc<App>) {
    // As the program does when it starts.
    memory::keep_little();
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.data.dir = data.path().join("data");
    choose(&mut settings);
    let app = App::open(settings.clone(), Clock::fixed(NOW)).unwrap();
    app.store.edit(|edit| demo::flows(NOW).iter().try_for_each(|flow| edit.put_flow(ORGANIZATION, flow))).unwrap();
    let started = Instant::now();
    let mut tasks = demo::tasks(rows, NOW);
    let mut bytes = 0;
    loop {
        let lines: String = tasks.by_ref().take(50_000).map(|task| task + "\n").collect();
        if lines.is_empty() {
            break;
        }
        bytes += lines.len();
        let mut source = BufReader::new(Cursor::new(lines));
        intake::load(&app, &caller(), &mut source, &mut |_| {}).unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{rows} tasks of {} bytes made and loaded in {seconds:.1} s", bytes as u64 / rows.max(1));
    // Opened anew, as on the morning after.
    drop(app);
    let app = App::open(settings, Clock::fixed(NOW)).unwrap();
    (data, app)
}

/// How long something took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    pub wall: Duration,
    /// Of all threads, to a hundredth of a second: what other programs leave alone.
    pub cpu: Duration,
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} s (cpu {:.3} s)", self.wall.as_secs_f64(), self.cpu.as_secs_f64())
    }
}

/// The median time of some runs, and their mean time on the processor.
pub fn median(work: impl FnMut()) -> Took {
    median_of(RUNS, work)
}

/// The same of a baseline over so many rows: fewer runs, and one alone where it takes long.
pub fn baseline(rows: u64, work: impl FnMut()) -> Took {
    median_of(if rows > LONG_ROWS { 1 } else { BASELINE_RUNS }, work)
}

fn median_of(runs: usize, mut work: impl FnMut()) -> Took {
    let before = cpu_time();
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    Took { wall: times[runs / 2], cpu: (cpu_time() - before) / runs as u32 }
}

/// One run of what takes long.
pub fn once(mut work: impl FnMut()) -> Took {
    let (started, before) = (Instant::now(), cpu_time());
    work();
    Took { wall: started.elapsed(), cpu: cpu_time() - before }
}

pub fn line(what: &str, ours: Took, theirs: Took, must: f64) {
    let ratio = theirs.wall.as_secs_f64() / ours.wall.as_secs_f64();
    println!("{what}: {ours}, baseline {theirs}, {ratio:.1} times faster (at least {must} wanted)");
}

/// Ticks of a hundredth of a second, as Linux counts them for every process; nothing elsewhere.
fn cpu_time() -> Duration {
    machine::processor_time(std::process::id()).unwrap_or_default()
}

/// The most memory this process has had, in MB.
pub fn peak_memory() -> u64 {
    machine::peak_bytes(std::process::id()).unwrap_or_default() >> 20
}

/// Counts what is written, and forgets it.
#[derive(Default)]
pub struct Sink(pub u64);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
