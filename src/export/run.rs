//! One run of a plan: chunks of ids through the pool, blocks of bytes in order into one writer.

use std::io::Write;

use crate::app::App;
use crate::domain::limits::{LARGE_WORKBOOK_BYTES, SMALL_EXPORT_ROWS};
use crate::domain::{Download, Error, FaultTally, Id, Kind, Result, Used, Value};
use crate::kit::fail;
use crate::kit::memory;
use crate::kit::meter::{Meter, Stage, Stop};
use crate::kit::ordered::ordered;
use crate::render::{self, About, Renderer, Row, Spec, media_type};
use crate::storage::{Draft, Patience, Stored};

use super::Plan;
use super::shape::Told;
use super::spans::{Span, Spans};
use super::submit::leave_nothing;

/// Rows that are looked at for the widths of columns.
const SAMPLE_ROWS: usize = 200;

/// What became of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The export's id.
    pub id: Id,
    /// When it was asked for, in seconds since 1970.
    pub time: i64,
    /// Whose tasks.
    pub organization: Id,
    /// Tasks in the file.
    pub total: u64,
    /// Rows in the file.
    pub rows: u64,
    /// Tasks that scripts left out.
    pub left_out: u64,
    /// Tasks that match.
    pub matched: u64,
    /// Whether page and limit left tasks out.
    pub truncated: bool,
    /// The last task in the file.
    pub last_id: Option<Id>,
    /// The last column of the file; none when whole tasks were copied and there are none.
    pub last_field: Option<String>,
    /// What the caller should know: unknown ids, narrowed scope, faults, repairs to cells.
    pub warnings: Vec<String>,
    /// The config and the scripts it was made with, and how often they failed.
    pub used: Used,
    /// What went wrong in scripts.
    pub faults: FaultTally,
}

/// A run whose file is kept.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What became of the run.
    pub outcome: Outcome,
    /// The file's key.
    pub key: String,
    /// The name a browser saves it under.
    pub name: String,
    /// `xlsx`, `json`, `zip`, `csv` or `ndjson`.
    pub kind: &'static str,
    /// What was put, and where.
    pub stored: Stored,
}

/// A run whose file is whole and is still to be kept.
pub(super) struct Drafted {
    pub draft: Draft,
    outcome: Outcome,
    key: String,
    name: String,
    kind: &'static str,
}

/// Runs a plan into a file. Its key derives from the export's id, so that a second run of the same
/// export takes the place of the first.
///
/// # Errors
/// `Canceled` when told to stop, else what store, render or storage answer; nothing is left behind.
pub(super) fn draft(app: &App, plan: Plan, meter: &Meter) -> Result<Drafted> {
    let (name, kind) = (plan.file_name(), plan.extension());
    let key = format!("{}.{kind}", app.key_stem(plan.organization, plan.id, plan.asked));
    let mut draft = app.storage.folder().create()?;
    let outcome = stream(app, plan, &mut draft, meter)?;
    Ok(Drafted { draft, outcome, key, name, kind })
}

/// Keeps the file.
///
/// # Errors
/// `Canceled` when told to stop, else what storage answers; nothing is left behind.
pub(super) fn put(app: &App, drafted: Drafted, meter: &Meter, background: bool) -> Result<Finished> {
    let Drafted { draft, mut outcome, key, name, kind } = drafted;
    meter.enter(Stage::Storing);
    fail::place("before-put");
    go_on(meter)?;
    // Nobody waits for an export in the background: it may wait for a bucket.
    let patience = match background {
        true => Patience::long_of(app.settings.storage.retry_seconds, meter),
        false => Patience::brief_of(meter),
    };
    let stored = app.storage.put(draft, &key, media_type(kind), &patience).inspect_err(|_| {
        // It may be there although nobody could say so. Who hands a run back puts it there again.
        if meter.stopped() != Some(Stop::Leaving) {
            leave_nothing(app, std::slice::from_ref(&key));
        }
    })?;
    fail::place("after-put");
    outcome.warnings.extend(hard_to_open(kind, stored.size));
    Ok(Finished { outcome, key, name, kind, stored })
}

/// Said of a workbook that takes a program much memory.
fn hard_to_open(kind: &str, bytes: u64) -> Option<String> {
    let is_large = kind == "xlsx" && bytes > LARGE_WORKBOOK_BYTES;
    is_large.then(|| {
        let megabytes = bytes / 1_000_000;
        format!("The workbook has {megabytes} MB, for which programs need several GB of memory. Fewer columns make it smaller.")
    })
}

/// # Errors
/// `Canceled` once the run was told to stop.
pub(super) fn go_on(meter: &Meter) -> Result<()> {
    meter.check().map_err(|stop| match stop {
        Stop::Canceled => Error::new(Kind::Canceled, "The export was canceled."),
        Stop::Leaving => Error::new(Kind::Canceled, "The server is leaving."),
    })
}

/// Runs a plan into any writer, from its first byte to its last.
///
/// # Errors
/// `Canceled` when told to stop, `Invalid` at a fault that is to end it, else what store, render or
/// the writer answer.
pub fn stream(app: &App, mut plan: Plan, out: &mut (dyn Write + Send), meter: &Meter) -> Result<Outcome> {
    let rows = plan.rows();
    meter.expect(rows);
    meter.enter(Stage::Rendering);
    let hands = app.hands_for(rows, plan.shape.calls_scripts());
    let sample = hands.run(|| sample(&plan))?;
    let mut renderer = Renderer::new(spec(app, &plan), &sample)?;
    renderer.begin(out)?;
    let encoder = renderer.encoder();
    let encode = |span: Span| -> Result<_> {
        go_on(meter)?;
        let mut told = Told::default();
        let mut block = encoder.block(span.first_row);
        plan.each_row(&span, &mut told, &mut |row| block.row(row))?;
        Ok((span.rows, block.finish()?, told.faults))
    };
    let rows_per_block = render::rows_per_block(plan.download, plan.columns.len(), rows);
    // Each file of a zip is a block, and has a number of rows that is promised.
    let spans = Spans::new(&plan, rows_per_block, plan.extension() == "zip");
    let mut faults = FaultTally::default();
    ordered(hands, spans, encode, |(rows, block, more)| {
        go_on(meter)?;
        renderer.place(block, out)?;
        faults.append(more);
        advance(meter, rows);
        Ok::<_, Error>(())
    })?;
    let encode = |part: render::Part| go_on(meter).and_then(|()| part.encode());
    ordered(hands, renderer.parts()?.into_iter(), encode, |block| {
        go_on(meter).and_then(|()| renderer.place(block, out))
    })?;
    let about = About { facts: plan.facts(), faults };
    let repairs = renderer.finish(&about, out)?;
    if rows > SMALL_EXPORT_ROWS {
        memory::give_back_what_is_free();
    }
    let faults = about.faults;
    plan.warnings.extend(faults.warnings());
    plan.warnings.extend(repairs.warnings());
    outcome(plan, faults)
}

pub(super) fn spec(app: &App, plan: &Plan) -> Spec {
    Spec {
        download: plan.download,
        columns: plan.columns.clone(),
        rows: plan.rows(),
        zone: plan.zone.clone(),
        dates_as_text: app.settings.export.dates_as_text(),
        by_layout: app.settings.export.deflates_by_layout(),
        csv_neutralise: app.settings.export.csv_neutralise,
        created: plan.asked,
        title: plan.name.clone().unwrap_or_else(|| plan.stem()),
        part_stem: plan.stem(),
        scratch: app.storage.folder().scratch().to_owned(),
    }
}

/// Counts rows that are placed; each tenth of them is a place to fail at.
fn advance(meter: &Meter, rows: u64) {
    let tenths = |(done, total): (u64, u64)| (done * 10).checked_div(total).unwrap_or(10);
    let before = tenths(meter.rows());
    meter.advance(rows);
    for tenth in before + 1..=tenths(meter.rows()) {
        fail::place(&format!("rendered-{tenth}0"));
    }
}

/// The cells of the first rows, where there are columns that want a width.
fn sample(plan: &Plan) -> Result<Vec<Vec<Value>>> {
    if plan.download != Download::Xlsx {
        return Ok(Vec::new());
    }
    let mut rows = Vec::with_capacity(SAMPLE_ROWS.min(plan.ids.len()));
    let Some(first) = Spans::new(plan, SAMPLE_ROWS, true).next() else { return Ok(rows) };
    plan.each_row(&first, &mut Told::default(), &mut |row| {
        if let Row::Of(_, cells) = row {
            rows.push(cells.iter().map(|value| value.owned()).collect::<Result<_>>()?);
        }
        Ok(())
    })?;
    Ok(rows)
}

fn outcome(plan: Plan, faults: FaultTally) -> Result<Outcome> {
    let last_id = plan.last_id();
    let last_field = match (plan.columns.last(), last_id) {
        (Some(column), _) => Some(column.id.clone()),
        (None, Some(id)) => last_key(&plan, id)?,
        (None, None) => None,
    };
    let (total, selected) = (plan.tasks(), plan.ids.len() as u64);
    Ok(Outcome {
        id: plan.id,
        time: plan.asked.seconds(),
        organization: plan.organization,
        total,
        rows: plan.rows(),
        left_out: selected - total,
        matched: plan.matched,
        truncated: plan.matched > selected,
        last_id,
        last_field,
        warnings: plan.warnings,
        used: Used { faults: faults.counts().clone(), ..plan.used },
        faults,
    })
}

fn last_key(plan: &Plan, id: Id) -> Result<Option<String>> {
    let json = plan.view.task(plan.organization, id)?.unwrap_or_default();
    let pairs = crate::domain::json::pairs(&json).map_err(|why| Error::internal("store", why))?;
    Ok(pairs.last().map(|(key, _)| key.clone().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_of_half_a_gigabyte_comes_with_a_warning() {
        assert!(hard_to_open("xlsx", 612_345_678).is_some_and(|warning| warning.contains("612 MB")));
        assert_eq!(hard_to_open("xlsx", 500_000_000), None);
        assert_eq!(hard_to_open("zip", 900_000_000), None);
    }
}
