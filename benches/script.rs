//! What scripts cost: a call of each, three columns of them over rows, from one thread to all and in a
//! whole workbook, and what counting each allocation costs.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use common::{NOW, ORGANIZATION, Sink, Took, caller, filled, median, sizes};
use rayon::prelude::*;
use serde_json::json;
use waybill::baseline::COLUMNS;
use waybill::demo;
use waybill::domain::json::pairs;
use waybill::domain::{ExportConfig, Id, Zone};
use waybill::export;
use waybill::kit::memory::Counting;
use waybill::kit::meter::Meter;
use waybill::script::{Args, Library, Program, Reads, Session, Task, stack_bytes};
use waybill::settings::Settings;

/// The smallest script, one that reads a key, one with conditions, and one with a closure.
const SCRIPTS: [(&str, &str); 4] = [
    ("one", "1"),
    ("key", "task.status"),
    (
        "late",
        "if task.status != \"DONE\" { return (); }
        if task.duration > 60 { \"late\" } else { \"in time\" }",
    ),
    (
        "words",
        "let words = task.title.split(\" \");
        let kept = words.filter(|word| word.len() > 3);
        `${task.refId}: ${kept.len()} of ${words.len()}`",
    ),
];
/// Columns as operators write them: arithmetic, a text with a condition, a time.
const TRIO: [(&str, &str); 3] = [
    ("speed", "if task.duration == () { () } else { round(task.travelDistance * 3600 / task.duration, 1) }"),
    ("label", "if task.status == \"DONE\" { `${task.refId}: ${task.title}` } else { task.status + \"?\" }"),
    ("day", "format_time(task.doneTime ?? task.endTime, \"%d %b %Y %H:%M\")"),
];
/// Seconds that the three columns may add to a workbook of a million rows.
const MOST_ADDED_SECONDS: f64 = 6.0;
/// Allocations of a run.
const ALLOCATIONS: u32 = 10_000_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let generation = library(folder.path()).current();
    let program = |(name, body): &(&str, &str)| generation.expression(name, body).unwrap();
    let trio: Vec<Program> = TRIO.iter().map(program).collect();
    for rows in sizes() {
        let tasks: Vec<String> = demo::tasks(rows, NOW).collect();
        calls(&tasks, SCRIPTS.iter().map(program).chain(trio.iter().cloned()));
        columns(&tasks, &trio);
        exports(rows);
    }
    allocations();
}

fn library(folder: &Path) -> Library {
    let mut settings = Settings::default().scripts;
    settings.dir = folder.to_owned();
    Library::open(&settings, NOW).unwrap()
}

fn session() -> Session {
    Session { now: NOW, zone: Zone::utc(), digest_key: [0; 32], patience: 1 }
}

/// One thread, one script at a time.
fn calls(tasks: &[String], programs: impl Iterator<Item = Program>) {
    let (session, args) = (session(), Args::default());
    for program in programs {
        let rows: Vec<Row> = tasks.iter().map(|task| Row::new(task, program.reads())).collect();
        let took = median(|| {
            for row in &rows {
                let _ = black_box(program.value(&session, &row.task(), &args).result);
            }
        });
        told(&format!("{}, one thread", program.label()), tasks.len(), took);
    }
}

/// Rows with three columns and without, from the JSON of the task to the cells.
fn columns(tasks: &[String], programs: &[Program]) {
    let keys = Reads::Keys(
        programs
            .iter()
            .flat_map(|program| match program.reads() {
                Reads::Keys(keys) => keys.clone(),
                Reads::Whole => <_>::default(),
            })
            .collect(),
    );
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (0..).map(|power| 1 << power).take_while(|threads| *threads < most).chain([most]);
    for threads in threads {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(stack_bytes(&Settings::default().scripts))
            .build()
            .unwrap();
        for programs in [&[], programs] {
            let (session, args) = (session(), Args::default());
            let took = median(|| {
                pool.install(|| {
                    tasks.par_chunks(1000).for_each(|chunk| {
                        for task in chunk {
                            let row = Row::new(task, &keys);
                            let task = row.task();
                            for program in programs {
                                let _ = black_box(program.value(&session, &task, &args).result);
                            }
                        }
                    });
                });
            });
            told(&format!("{} columns, {threads} threads", programs.len()), tasks.len(), took);
        }
    }
}

/// A whole workbook by a config of twelve plain columns, and what three more of scripts add to it.
fn exports(rows: u64) {
    let (_data, app) = filled(rows);
    let took = [false, true].map(|computes| {
        let config = config(computes);
        app.store.edit(|edit| edit.put_config(ORGANIZATION, &config)).unwrap();
        let body = format!(r#"{{"download":"xlsx","limit":1000000,"exportConfigId":"{}"}}"#, config.id);
        median(|| {
            let plan = export::plan(&app, &caller(), body.as_bytes(), &Meter::new()).unwrap();
            export::stream(&app, plan, &mut Sink::default(), &Meter::new()).unwrap();
        })
    });
    let [plain, computed] = took.map(|took| [took.wall, took.cpu].map(|time| time.as_secs_f64()));
    let [added, added_cpu] = [0, 1].map(|clock| computed[clock] - plain[clock]);
    let [a_million, a_million_cpu] = [added, added_cpu].map(|added| added * 1e6 / rows as f64);
    println!(
        "three script columns, {rows} rows: {added:.2} s (cpu {added_cpu:.2} s) more than the same export of {} columns, \
         which takes {:.2} s (cpu {:.2} s); {a_million:.2} s (cpu {a_million_cpu:.2} s) for a million \
         (at most {MOST_ADDED_SECONDS} s wanted)",
        COLUMNS.len(),
        plain[0],
        plain[1],
    );
}

fn config(computes: bool) -> ExportConfig {
    let plain = COLUMNS.iter().map(|key| json!({"id": key, "component": "input", "title": key}));
    let computed = TRIO.iter().take(if computes { TRIO.len() } else { 0 });
    let computed =
        computed.map(|(name, body)| json!({"id": name, "component": "script", "title": name, "expression": body}));
    serde_json::from_value(json!({
        "_id": Id([1; 12]), "name": "Bench", "collection": "task", "organizationId": ORGANIZATION, "version": 1,
        "fields": plain.chain(computed).collect::<Vec<_>>(), "createdTime": "", "updatedTime": "",
    }))
    .unwrap()
}

/// What an export knows of a task: the keys that scripts look at, and their values.
struct Row<'a> {
    names: Arc<[String]>,
    values: Vec<Option<&'a str>>,
}

impl<'a> Row<'a> {
    fn new(task: &'a str, reads: &Reads) -> Self {
        let Reads::Keys(keys) = reads else { panic!("none of them looks at whole tasks") };
        let pairs = pairs(task).unwrap();
        let raw = |key: &String| pairs.iter().find(|(name, _)| name == key).map(|(_, raw)| *raw);
        let names: Arc<[String]> = keys.iter().cloned().collect();
        let values = names.iter().map(raw).collect();
        Self { names, values }
    }

    fn task(&self) -> Task<'_> {
        Task::of_keys(&self.names, self.values.clone())
    }
}

fn told(what: &str, rows: usize, took: Took) {
    let micros = took.wall.as_secs_f64() * 1e6 / rows as f64;
    println!("{what}: {:.3} s (cpu {:.2} s), {micros:.2} us a row", took.wall.as_secs_f64(), took.cpu.as_secs_f64());
}

/// The same blocks from the system's allocator and from ours around it.
#[allow(unsafe_code)] // There is no other way to ask an allocator that is not the program's.
fn allocations() {
    let layout = Layout::new::<[u64; 8]>();
    let turn = |allocator: &dyn GlobalAlloc| {
        median(|| {
            for _ in 0..ALLOCATIONS {
                // SAFETY: the size is not zero, and the block goes back with the layout that it came with.
                unsafe {
                    let block = black_box(allocator.alloc(layout));
                    allocator.dealloc(block, layout);
                }
            }
        })
    };
    let nanos = |took: Took| took.wall.as_secs_f64() * 1e9 / f64::from(ALLOCATIONS);
    let (system, counting) = (nanos(turn(&System)), nanos(turn(&Counting)));
    println!("a block of 64 bytes made and freed: {system:.1} ns by the system, {counting:.1} ns counted");
}
