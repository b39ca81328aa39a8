//! What an export by a config would be, shown for a few tasks; nothing is stored (contract 5).

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use crate::app::App;
use crate::domain::request::Params;
use crate::domain::{Caller, Column, ExportConfig, FaultTally, OnFault, Result};
use crate::kit::meter::Meter;
use crate::render::{self, About, Renderer, Row};
use crate::script::Spent;

use super::Plan;
use super::ask::Wish;
use super::plan::resolve;
use super::run::{spec, stream};
use super::shape::{Fate, Told};

/// The most tasks of a preview, and as many as there are when nobody says how many.
const MOST_TASKS: u64 = 50;
const TASKS: u64 = 10;
/// The most rows that are shown, however many the tasks become.
const MOST_ROWS: u64 = 500;

/// What an export would be.
#[derive(Debug)]
pub struct Preview {
    /// Its columns.
    pub columns: Vec<Column>,
    /// The first of its rows, each cell as people would see it.
    pub rows: Vec<Vec<Json>>,
    /// What went wrong in scripts.
    pub faults: FaultTally,
    /// What the calls of each script took: its label, how many there were, and what they took together.
    pub timings: Vec<(String, u64, Spent)>,
    /// What all of it would be.
    pub estimate: Estimate,
}

/// What a whole export would be, by what its first rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Tasks that match.
    pub tasks: u64,
    /// Rows that they would become.
    pub rows: u64,
    /// Bytes of the file; for JSON before it is deflated.
    pub bytes: u64,
}

/// Shows what an export by this config would be; `selecting` are the keys of a request that select
/// and order, and `limit` is how many tasks are looked at.
///
/// # Errors
/// Those of [`plan`](super::plan()) for such a request.
pub fn preview(
    app: &App,
    caller: &Caller,
    mut config: ExportConfig,
    mut selecting: Map<String, Json>,
) -> Result<Preview> {
    let limit = limit(&selecting)?;
    selecting.insert("limit".to_owned(), limit.into());
    selecting.insert("exportConfigId".to_owned(), json!(config.id));
    // A file that is long in the making is no matter here.
    selecting.insert("background".to_owned(), true.into());
    selecting.entry("download").or_insert_with(|| "xlsx".into());
    // Faults are what a preview is for.
    config.on_fault = Some(OnFault::Continue);
    let body = Json::Object(selecting).to_string();
    let wish = Wish { caller, body: body.as_bytes(), pinned: Some(&config) };
    let asked = app.clock.now();
    let plan = resolve(app, wish, app.ids.id(asked), asked, &Meter::new())?;
    let mut told = Told::default();
    let (rows, count) = app.small_pool.install(|| rows(&plan, &mut told))?;
    let (columns, matched, tasks) = (plan.columns.clone(), plan.matched, plan.ids.len() as u64);
    let (fixed, whole) = sizes(app, plan)?;
    let estimated = scaled(matched, count, tasks);
    let estimate = Estimate {
        tasks: matched,
        rows: estimated,
        bytes: fixed + scaled(estimated, whole.saturating_sub(fixed), count),
    };
    let timings = told.calls.into_iter().map(|(script, calls)| (script, calls.calls, calls.spent)).collect();
    Ok(Preview { columns, rows, faults: told.faults, timings, estimate })
}

fn limit(selecting: &Map<String, Json>) -> Result<u64> {
    let given: Map<String, Json> = selecting.iter().filter(|(key, _)| *key == "limit").map(owned).collect();
    let mut params = Params::from_body(Json::Object(given).to_string().as_bytes())?;
    let limit = params.integer("limit", 1, MOST_TASKS);
    params.finish()?;
    Ok(limit.unwrap_or(TASKS))
}

fn owned((key, value): (&String, &Json)) -> (String, Json) {
    (key.clone(), value.clone())
}

/// The first rows of the plan, and how many there are; its scripts are asked anew, so that all they
/// take is told.
fn rows(plan: &Plan, told: &mut Told) -> Result<(Vec<Vec<Json>>, u64)> {
    let (mut rows, mut count) = (Vec::new(), 0);
    plan.source().read(&mut (0..plan.ids.len()), plan.shape.keys(), &mut |record| {
        plan.shape.rows(record, Fate::Open, told, &mut |row| {
            count += 1;
            if let Row::Of(_, cells) = row
                && count <= MOST_ROWS
            {
                let cells = plan.columns.iter().zip(*cells);
                let shown = cells.map(|(column, value)| render::shown(*value, column.kind, &plan.zone));
                rows.push(shown.collect::<Result<_>>()?);
            }
            Ok(())
        })
    })?;
    Ok((rows, count))
}

/// Bytes of the file without rows, and with those of the plan.
fn sizes(app: &App, plan: Plan) -> Result<(u64, u64)> {
    let (mut fixed, mut whole) = (Measure(0), Measure(0));
    let mut renderer = Renderer::new(render::Spec { rows: 0, ..spec(app, &plan) }, &[])?;
    renderer.begin(&mut fixed)?;
    renderer.parts()?;
    renderer.finish(&About::default(), &mut fixed)?;
    stream(app, plan, &mut whole, &Meter::new())?;
    Ok((fixed.0, whole.0))
}

/// What `part` of `of` is of `all`.
fn scaled(all: u64, part: u64, of: u64) -> u64 {
    let scaled = (u128::from(all) * u128::from(part)).checked_div(u128::from(of)).unwrap_or_default();
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Counts the bytes that are written.
struct Measure(u64);

impl Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
