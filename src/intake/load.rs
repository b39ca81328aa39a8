//! Any number of tasks, one a line, with memory for a few pieces of them. One thread reads, those of
//! the pool take apart and encode, and one more writes, so that none waits for another.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, sync_channel};

use serde::Serialize;

use crate::app::App;
use crate::domain::limits::MAX_TOLD_LINES;
use crate::domain::task::Keys;
use crate::domain::{Caller, Error, Permission, Result, Task};
use crate::kit::ordered::ordered;
use crate::store::{Batch, Edit, Put};

use super::lines::{Piece, Pieces};
use super::{Desk, visible};

/// Pieces that wait for the writer.
const WAITING_PIECES: usize = 6;
/// Bytes of lines after which an edit takes no more pieces, so that other writers wait for no longer
/// than these take.
const EDIT_BYTES: u64 = 16 << 20;

/// What became of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Lines that were not empty.
    pub total: u64,
    /// Tasks that are new.
    pub added: u64,
    /// Tasks that took the place of one with their id.
    pub replaced: u64,
    /// Lines that are no valid task.
    pub failed: u64,
    /// The first of these.
    pub errors: Vec<BadLine>,
}

/// A line that is no valid task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub message: String,
}

/// Takes in a task a line, each in place of one with its id. What was written is on disk before much
/// more is read, so that a source that breaks off leaves whole pieces behind.
///
/// # Errors
/// Those of the source, or when the store cannot be written; bad lines are in the report.
pub fn load(app: &App, caller: &Caller, source: &mut dyn BufRead, progress: &mut dyn FnMut(u64)) -> Result<Report> {
    caller.demand(Permission::AddTask)?;
    let desk = Desk::open(app, caller)?;
    let mut report = Report::default();
    let (pieces, next) = sync_channel(WAITING_PIECES);
    let loaded = std::thread::scope(|scope| {
        let report = &mut report;
        let writer = scope.spawn(move || write(app, caller, &next, report));
        let read = ordered(
            &app.pool,
            Pieces::new(source),
            |piece| admit(&desk, &piece?),
            |admitted| {
                let bytes = admitted.bytes;
                // The writer ends early only with an error, which is told below.
                pieces.send(admitted).map_err(|_| Error::internal("intake", "nobody writes any more"))?;
                app.metrics.load_bytes.add((), bytes);
                progress(bytes);
                Ok(())
            },
        );
        drop(pieces);
        let written = writer.join().unwrap_or_else(|_| Err(Error::internal("intake", "the writer of a load died")));
        written.and(read)
    });
    // Also of a load that broke off: what is there is there.
    for (outcome, count) in [("added", report.added), ("replaced", report.replaced), ("refused", report.failed)] {
        app.metrics.loaded.add(outcome, count);
    }
    loaded.map(|()| report)
}

/// What is left to do for a piece.
struct Admitted {
    bytes: u64,
    batch: Batch,
    /// The line of each task of the batch.
    lines: Vec<u64>,
    /// What is known so far.
    report: Report,
}

fn admit(desk: &Desk<'_>, piece: &Piece) -> Result<Admitted> {
    let organization = desk.caller.organization;
    let catalog = desk.app.store.view()?.catalog(organization)?;
    let bytes = piece.bytes.len() as u64;
    let (batch, lines, report) = (Batch::new(organization, catalog), Vec::new(), Report::default());
    let mut admitted = Admitted { bytes, batch, lines, report };
    let mut keys = Keys::default();
    for (number, line) in piece.lines() {
        admitted.report.total += 1;
        match line.and_then(|line| admit_line(desk, line, &mut keys)) {
            Ok(task) => {
                admitted.batch.add(task);
                admitted.lines.push(number);
            }
            Err(error) => admitted.report.refuse(number, &error),
        }
    }
    Ok(admitted)
}

fn admit_line(desk: &Desk<'_>, line: &str, keys: &mut Keys) -> Result<Task> {
    let task = desk.admit(line, keys)?;
    desk.check_deletion(&task)?;
    Ok(task)
}

/// Writes the pieces, in one edit as many as wait.
fn write(app: &App, caller: &Caller, pieces: &Receiver<Admitted>, report: &mut Report) -> Result<()> {
    while let Ok(first) = pieces.recv() {
        // The first goes alone, so that its keys have their numbers when the next are encoded.
        let most = if report.total == 0 { 0 } else { EDIT_BYTES };
        let written = app.store.edit(|edit| {
            let (mut written, mut bytes) = (Report::default(), 0);
            let mut next = Some(first);
            while let Some(piece) = next {
                bytes += piece.bytes;
                written.add(put(edit, caller, piece)?);
                next = if bytes < most { pieces.try_recv().ok() } else { None };
            }
            Ok(written)
        })?;
        report.add(written);
    }
    Ok(())
}

fn put(edit: &mut Edit<'_>, caller: &Caller, piece: Admitted) -> Result<Report> {
    let Admitted { mut batch, lines, mut report, .. } = piece;
    // Another's task must not be overwritten by who may not see it, nor any by who may only add.
    if caller.own || caller.hubs.is_some() || !caller.may(Permission::EditTask) {
        let mut refused = Vec::new();
        for (place, (id, line)) in batch.ids().zip(lines).enumerate() {
            if let Some(stored) = edit.task(caller.organization, id)?
                && let Err(error) = visible(caller, Some(stored)).and_then(|_| caller.demand(Permission::EditTask))
            {
                report.refuse(line, &error);
                refused.push(place);
            }
        }
        batch.leave_out(&refused);
        report.errors.sort_by_key(|bad| bad.line);
    }
    for put in edit.put_batch(batch)? {
        match put {
            Put::Added => report.added += 1,
            Put::Replaced => report.replaced += 1,
        }
    }
    Ok(report)
}

impl Report {
    fn refuse(&mut self, line: u64, error: &Error) {
        self.failed += 1;
        if self.errors.len() < MAX_TOLD_LINES {
            let sentences: Vec<&str> = error.faults.iter().map(|(_, sentence)| sentence.as_str()).collect();
            let message = if sentences.is_empty() { error.message.clone() } else { sentences.join(" ") };
            self.errors.push(BadLine { line, message });
        }
    }

    /// Adds what became of lines behind these.
    fn add(&mut self, later: Self) {
        self.total += later.total;
        self.added += later.added;
        self.replaced += later.replaced;
        self.failed += later.failed;
        self.errors.extend(later.errors);
        self.errors.truncate(MAX_TOLD_LINES);
    }
}
