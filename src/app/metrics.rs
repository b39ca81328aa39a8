//! What a server has done since it was started, in numbers. No key of theirs holds anything of a user,
//! an organisation, a task or a file: there are as many numbers on a busy day as on the first.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::App;
use super::outbox::Lane;
use crate::domain::export_log::State;
use crate::domain::{Download, ExportLog};
use crate::kit::meter::{Meter, Stage};
use crate::kit::tally::{Tally, Waits};
use crate::script::Counters;

/// The numbers.
#[derive(Debug)]
pub struct Metrics {
    /// When counting began.
    pub started: Instant,
    /// Exports that have ended, by format, by `direct` or `background`, by how they ended.
    pub exports: Tally<(&'static str, &'static str, &'static str)>,
    /// Nanoseconds of exports that have ended, by stage.
    pub stage_nanos: Tally<&'static str>,
    /// Rows in the files of exports that are done, by format.
    pub rows: Tally<&'static str>,
    /// Bytes of files that were kept, by format.
    pub file_bytes: Tally<&'static str>,
    /// Tasks of loads, by what became of them.
    pub loaded: Tally<&'static str>,
    /// Bytes of tasks that were read by loads.
    pub load_bytes: Tally<()>,
    /// Tries to send a notice, by lane and by what came of them.
    pub notices: Tally<(&'static str, &'static str)>,
    /// Requests that were answered, by method, route and status.
    pub requests: Tally<(&'static str, &'static str, u16)>,
    /// How long answers took, by method and route.
    pub waits: Waits<(&'static str, &'static str)>,
    scripts: Mutex<Scripts>,
}

/// What scripts came to. One that is written anew counts from nothing, which must not look like less
/// than before.
#[derive(Debug, Default)]
struct Scripts {
    before: Counters,
    /// Of those that are live, by file, as they were at the last look.
    live: BTreeMap<String, Counters>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            exports: Tally::default(),
            stage_nanos: Tally::default(),
            rows: Tally::default(),
            file_bytes: Tally::default(),
            loaded: Tally::default(),
            load_bytes: Tally::default(),
            notices: Tally::default(),
            requests: Tally::default(),
            waits: Waits::default(),
            scripts: Mutex::default(),
        }
    }

    /// An export has ended that way.
    pub fn ended(&self, log: &ExportLog, state: State, meter: &Meter) {
        let (format, mode) = (format(log), if log.background { "background" } else { "direct" });
        self.exports.add((format, mode, state.name()), 1);
        for (stage, took) in meter.spent() {
            self.stage_nanos.add(stage_name(stage), nanos(took));
        }
        if state == State::Done {
            self.rows.add(format, log.rows);
        }
        if let Some(file) = &log.file {
            self.file_bytes.add(format, file.size);
        }
    }

    /// A notice was tried.
    pub fn tried(&self, lane: Lane, outcome: &'static str) {
        self.notices.add((lane.name(), outcome), 1);
    }

    /// A request was answered.
    pub fn answered(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.requests.add((method, route, status), 1);
        self.waits.add((method, route), took);
    }
}

impl App {
    /// What calls of scripts came to; those of a script that was written anew since the last look
    /// count as far as they were seen then.
    pub fn script_counters(&self) -> Counters {
        let generation = self.scripts.current();
        let mut seen = self.metrics.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let live = generation.files().iter().filter_map(|file| Some((file.label(), file.program.as_ref()?.counters())));
        let mut last = std::mem::replace(&mut seen.live, live.collect());
        let Scripts { before, live } = &mut *seen;
        // What is still the same script goes on from where it was.
        let is_less =
            |is: &Counters, was: &Counters| is.calls < was.calls || is.faults < was.faults || is.micros < was.micros;
        last.retain(|label, was| live.get(label).is_none_or(|is| is_less(is, was)));
        last.into_values().for_each(|gone| add(before, gone));
        let mut all = *before;
        live.values().for_each(|script| add(&mut all, *script));
        all
    }
}

fn add(sum: &mut Counters, more: Counters) {
    sum.calls += more.calls;
    sum.faults += more.faults;
    sum.micros += more.micros;
}

/// The format that was asked for.
fn format(log: &ExportLog) -> &'static str {
    #[derive(Deserialize)]
    struct Wish {
        download: Option<String>,
    }
    let wish = serde_json::from_str::<Wish>(&log.body).ok().and_then(|wish| wish.download);
    let known = |name: &String| Download::ALL.into_iter().map(Download::name).find(|known| known == name);
    wish.as_ref().and_then(known).unwrap_or("other")
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Selecting => "selecting",
        Stage::Rendering => "rendering",
        Stage::Storing => "storing",
    }
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}
