//! Any number of tasks, one a line, with memory for a few batches.

use std::io::{BufRead, Read};
use std::sync::mpsc::sync_channel;

use serde::Serialize;

use crate::app::App;
use crate::domain::limits::{MAX_TASK_BYTES, MAX_TOLD_LINES};
use crate::domain::{Caller, Error, Permission, Result, Task};
use crate::store::Put;

use super::{Desk, visible};

/// Lines of one edit.
const BATCH_LINES: usize = 10_000;
/// Bytes of one edit.
const BATCH_BYTES: usize = 8 << 20;

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

/// Takes in a task a line, each in place of one with its id. A batch is on disk before the next but
/// one is read, so that a source that breaks off leaves whole batches behind.
///
/// # Errors
/// Those of the source, or when the store cannot be written; bad lines are in the report.
pub fn load(app: &App, caller: &Caller, source: &mut dyn BufRead, progress: &mut dyn FnMut(u64)) -> Result<Report> {
    caller.demand(Permission::AddTask)?;
    let desk = Desk::open(app, caller)?;
    let mut report = Report::default();
    let (batches, next) = sync_channel::<Vec<(u64, Result<Task>)>>(1);
    let loaded = std::thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            for batch in next {
                keep(app, caller, batch, &mut report)?;
            }
            Ok(())
        });
        let mut lines = Lines { source, number: 0 };
        let mut read = || -> Result<()> {
            while let Some(batch) = lines.batch()? {
                let bytes = batch.iter().map(|(_, line)| line.as_ref().map_or(0, Vec::len) as u64).sum();
                let admitted = admit(app, &desk, batch);
                // The keeper ends early only with an error, which is told below.
                if batches.send(admitted).is_err() {
                    break;
                }
                app.metrics.load_bytes.add((), bytes);
                progress(bytes);
            }
            Ok(())
        };
        let read = read();
        drop(batches);
        let kept = keeper.join().unwrap_or_else(|_| Err(Error::internal("intake", "the writer of a load died")));
        kept.and(read)
    });
    // Also of a load that broke off: what is there is there.
    for (outcome, count) in [("added", report.added), ("replaced", report.replaced), ("refused", report.failed)] {
        app.metrics.loaded.add(outcome, count);
    }
    loaded.map(|()| report)
}

type Line = (u64, Result<Vec<u8>, String>);

fn admit(app: &App, desk: &Desk<'_>, batch: Vec<Line>) -> Vec<(u64, Result<Task>)> {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    let admit = |(number, line): Line| {
        let task = line.map_err(Error::invalid).and_then(|line| {
            let text = std::str::from_utf8(&line).map_err(|_| Error::invalid("The line is not UTF-8."))?;
            desk.admit(text).and_then(|task| desk.check_deletion(&task).map(|()| task))
        });
        (number, task)
    };
    app.pool.install(|| batch.into_par_iter().map(admit).collect())
}

fn keep(app: &App, caller: &Caller, batch: Vec<(u64, Result<Task>)>, report: &mut Report) -> Result<()> {
    // Another's task must not be overwritten by who may not see it, nor any by who may only add.
    let is_bound = caller.own || caller.hubs.is_some() || !caller.may(Permission::EditTask);
    report.total += batch.len() as u64;
    let mut good = Vec::with_capacity(batch.len());
    for (number, task) in batch {
        match task {
            Ok(task) => good.push((number, task)),
            Err(error) => report.refuse(number, &error),
        }
    }
    let (puts, refused) = app.store.edit(|edit| {
        let mut refused = Vec::new();
        let mut tasks = Vec::with_capacity(good.len());
        for (number, task) in good {
            if is_bound
                && let Some(stored) = edit.task(caller.organization, task.id())?
                && let Err(error) = visible(caller, Some(stored)).and_then(|_| caller.demand(Permission::EditTask))
            {
                refused.push((number, error));
                continue;
            }
            tasks.push(task);
        }
        Ok((edit.put_tasks(caller.organization, &tasks)?, refused))
    })?;
    let added = puts.iter().filter(|put| **put == Put::Added).count() as u64;
    report.added += added;
    report.replaced += puts.len() as u64 - added;
    refused.iter().for_each(|(number, error)| report.refuse(*number, error));
    Ok(())
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
}

struct Lines<'a> {
    source: &'a mut dyn BufRead,
    number: u64,
}

impl Lines<'_> {
    fn batch(&mut self) -> Result<Option<Vec<Line>>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let Some(line) = self.line()? else { break };
            bytes += line.1.as_ref().map_or(0, Vec::len);
            batch.push(line);
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// The next line that is not empty. Of one that is too long no more is kept than shows it.
    fn line(&mut self) -> Result<Option<Line>> {
        loop {
            let mut line = Vec::new();
            let most = MAX_TASK_BYTES as u64 + 2;
            let read = self.source.take(most).read_until(b'\n', &mut line).map_err(broken)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if read as u64 == most && line.last() != Some(&b'\n') {
                self.skip()?;
                let why = format!("The line is longer than {MAX_TASK_BYTES} bytes.");
                return Ok(Some((self.number, Err(why))));
            }
            let text = line.trim_ascii();
            let text = if self.number == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
            if !text.is_empty() {
                return Ok(Some((self.number, Ok(text.to_vec()))));
            }
        }
    }

    fn skip(&mut self) -> Result<()> {
        loop {
            let (length, ends) = {
                let bytes = self.source.fill_buf().map_err(broken)?;
                match memchr::memchr(b'\n', bytes) {
                    Some(place) => (place + 1, true),
                    None => (bytes.len(), bytes.is_empty()),
                }
            };
            self.source.consume(length);
            if ends {
                return Ok(());
            }
        }
    }
}

/// A source that is a connection says of itself what went wrong.
fn broken(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::invalid(format!("The tasks cannot be read any further: {error}.")).with_source(error),
    }
}
