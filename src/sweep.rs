//! The sweeper: deletes files, entries of the export log and idempotency answers that have had
//! their time, and files that a crash left without an entry (contract 4).
//!
//! The file goes first and its entry after it, so that an interruption leaves an entry that is
//! swept again, and never a file that nobody knows. Unfinished files are none of its business:
//! they may be in use, and the folder they lie in is emptied at each start.

use std::collections::HashSet;
use std::fmt;

use crate::app::App;
use crate::domain::export_log::{ANSWER_KEPT_MS, Place, State};
use crate::domain::{ExportLog, Id, Kind, Moment, Result};
use crate::kit::clock::{ClockWatch, Jump};
use crate::kit::fail;
use crate::storage::Shelf;
use crate::store::Edit;

const DAY_MS: i64 = 86_400_000;
/// Entries that are swept in one edit.
const BATCH: usize = 1000;
/// How old a file without an entry is when it is deleted: a run that still goes on may be about
/// to write its entry.
const ORPHAN_MS: i64 = DAY_MS;
/// How old an upload into a bucket is when its parts are let go of, unless it still goes on.
const UPLOAD_MS: i64 = 3_600_000;

/// What a pass deleted, or would delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries that stay and whose file has gone.
    pub expired: u64,
    /// Entries that are removed, with their file if there was one.
    pub entries: u64,
    /// Files that no entry named.
    pub orphans: u64,
    /// Answers to idempotency keys.
    pub answers: u64,
    /// Bytes of all the files.
    pub bytes: u64,
    /// Files that could not be deleted; the log has the causes, and the next pass tries again.
    pub failed: u64,
    /// Why nothing was looked at.
    pub skipped: Option<Jump>,
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(jump) = self.skipped {
            return write!(f, "nothing, because {jump}");
        }
        let Self { expired, entries, orphans, answers, bytes, failed, .. } = self;
        write!(f, "{expired} expired files, {entries} old entries, {orphans} files without an entry, ")?;
        write!(f, "{answers} idempotency keys; {bytes} bytes")?;
        if *failed > 0 {
            write!(f, "; {failed} files could not be deleted")?;
        }
        Ok(())
    }
}

/// Deletes what has had its time. When the wall clock was set since the watch last looked, nothing
/// is deleted: who knows which of the two times was wrong. The next pass trusts it again.
///
/// # Errors
/// When the store or the folder of files cannot be read or written. What was swept until then
/// stays so, and the next pass goes on.
pub fn pass(app: &App, watch: &mut ClockWatch) -> Result<Swept> {
    match watch.look(&app.clock) {
        Ok(now) => Sweep::new(app, now, true).run(),
        Err(jump) => {
            tracing::warn!(%jump, "this sweep is skipped");
            Ok(Swept { skipped: Some(jump), ..Swept::default() })
        }
    }
}

/// What a pass would delete now; nothing is changed.
///
/// # Errors
/// When the store or the folder of files cannot be read.
pub fn preview(app: &App) -> Result<Swept> {
    Sweep::new(app, app.clock.now(), false).run()
}

/// One pass, of one moment.
struct Sweep<'a> {
    app: &'a App,
    now: Moment,
    /// False when it only counts.
    deletes: bool,
    swept: Swept,
}

/// What has had its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The file of an entry that stays.
    File,
    /// An entry, and the file that it still has.
    Entry,
}

/// An entry of which something is due.
struct Found {
    entry: Entry,
    file: Option<Doomed>,
    due: Due,
}

/// Where an entry stands in the walk over all of them.
type Entry = (Id, Id);

fn entry(log: &ExportLog) -> Entry {
    (log.organization(), log.id)
}

/// A file that is to be deleted.
struct Doomed {
    key: String,
    place: Place,
    size: u64,
}

impl<'a> Sweep<'a> {
    fn new(app: &'a App, now: Moment, deletes: bool) -> Self {
        Self { app, now, deletes, swept: Swept::default() }
    }

    fn run(mut self) -> Result<Swept> {
        self.entries()?;
        for shelf in self.app.storage.shelves() {
            match self.shelf(shelf) {
                // What a bucket keeps can wait until it is back.
                Err(error) if shelf == Shelf::Bucket && error.kind == Kind::Unavailable => {
                    tracing::warn!(cause = error.chain(), "the bucket is not swept");
                }
                swept => swept?,
            }
        }
        self.answers()?;
        Ok(self.swept)
    }

    fn shelf(&mut self, shelf: Shelf) -> Result<()> {
        for day in self.app.storage.days(shelf)? {
            self.day(shelf, &day)?;
        }
        if shelf == Shelf::Bucket && self.deletes {
            let count = self.app.storage.abort_uploads(self.ago(UPLOAD_MS))?;
            if count > 0 {
                tracing::info!(count, "interrupted uploads were let go of");
            }
        }
        Ok(())
    }

    fn ago(&self, ms: i64) -> Moment {
        Moment(self.now.0.saturating_sub(ms))
    }

    fn due(&self, log: &ExportLog) -> Option<Due> {
        if !log.state.has_ended() {
            return None;
        }
        let log_kept = i64::from(self.app.settings.retention.log_days) * DAY_MS;
        // A clock that was set back in between makes an end before the beginning.
        let ended = log.completed.unwrap_or(log.asked).max(log.asked);
        let has_expired = || log.state == State::Done && log.file.as_ref().is_some_and(|file| file.expires <= self.now);
        match ended <= self.ago(log_kept) {
            true => Some(Due::Entry),
            false => has_expired().then_some(Due::File),
        }
    }

    fn entries(&mut self) -> Result<()> {
        let mut after = None;
        loop {
            let batch = self.due_after(after)?;
            after = batch.last().map(|found| found.entry).or(after);
            let is_last = batch.len() < BATCH;
            self.let_go(batch)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The next entries of which something is due. The view ends here, so that the store does not
    /// grow while files are deleted.
    fn due_after(&self, after: Option<Entry>) -> Result<Vec<Found>> {
        let mut batch = Vec::new();
        self.app.store.view()?.each_export(&mut |log| {
            let is_next = batch.len() < BATCH && Some(entry(log)) > after;
            if let Some(due) = self.due(log).filter(|_| is_next) {
                // That of an expired entry has gone.
                let file = log.file.as_ref().filter(|_| log.state != State::Expired);
                let file =
                    file.map(|file| Doomed { key: file.key.clone(), place: file.place.clone(), size: file.size });
                batch.push(Found { entry: entry(log), file, due });
            }
            Ok(())
        })?;
        Ok(batch)
    }

    fn let_go(&mut self, mut batch: Vec<Found>) -> Result<()> {
        let gone = self.delete(batch.iter().filter_map(|found| found.file.as_ref()));
        batch.retain(|found| found.file.as_ref().is_none_or(|file| gone.contains(&file.key)));
        let (expired, entries) = match self.deletes {
            _ if batch.is_empty() => (0, 0),
            true => {
                fail::place("swept-files");
                self.app.store.edit(|edit| self.settle(edit, &batch))?
            }
            false => count(batch.iter().map(|found| found.due)),
        };
        self.swept.expired += expired;
        self.swept.entries += entries;
        Ok(())
    }

    /// Writes that the files have gone, where the entries still are what they were.
    fn settle(&self, edit: &mut Edit<'_>, batch: &[Found]) -> Result<(u64, u64)> {
        let mut done = Vec::new();
        for Found { entry: (organization, id), .. } in batch {
            let Some(mut log) = edit.export(*organization, *id)? else { continue };
            let due = self.due(&log);
            match due {
                None => {}
                Some(Due::Entry) => drop(edit.delete_export(*organization, *id)?),
                Some(Due::File) => {
                    log.state = State::Expired;
                    edit.put_export(&log)?;
                }
            }
            done.extend(due);
        }
        Ok(count(done.into_iter()))
    }

    /// Deletes files and counts their bytes; gives the keys of those that are gone. One that cannot be
    /// deleted does not keep the others.
    fn delete<'f>(&mut self, files: impl Iterator<Item = &'f Doomed>) -> HashSet<String> {
        let (in_folder, in_bucket): (Vec<_>, Vec<_>) = files.partition(|file| file.place == Place::Folder);
        let places: Vec<Place> = in_bucket.iter().map(|file| file.place.clone()).collect();
        let gone = if self.deletes { self.app.storage.delete_all(&places) } else { vec![true; places.len()] };
        let mut keys = HashSet::new();
        for file in in_folder {
            if self.delete_file(file) {
                keys.insert(file.key.clone());
            }
        }
        for (file, is_gone) in in_bucket.into_iter().zip(gone) {
            if is_gone {
                self.swept.bytes += file.size;
                keys.insert(file.key.clone());
            } else {
                self.swept.failed += 1;
            }
        }
        keys
    }

    fn delete_file(&mut self, file: &Doomed) -> bool {
        let storage = &self.app.storage;
        let deleted = storage.read(&file.key, &file.place).and_then(|kept| {
            if self.deletes {
                storage.delete(&file.key, &file.place)?;
            }
            Ok(kept.map_or(0, |kept| kept.size))
        });
        match deleted {
            Ok(bytes) => self.swept.bytes += bytes,
            Err(error) => {
                tracing::warn!(key = file.key, cause = error.chain(), "a file cannot be deleted");
                self.swept.failed += 1;
                return false;
            }
        }
        true
    }

    /// Deletes the files of one day that no entry names, and the day's folder once it is empty.
    fn day(&mut self, shelf: Shelf, day: &str) -> Result<()> {
        // Files first: whoever wrote one of these has long since had its entry in the store.
        let old = self.app.storage.list(shelf, day, self.ago(ORPHAN_MS))?;
        let is_past = day < self.ago(2 * DAY_MS).day().as_str();
        if old.is_empty() && !is_past {
            return Ok(());
        }
        let used = InUse::of(self.app, day)?;
        let orphans = old.into_iter().filter(|file| !used.names(&file.key, &file.place));
        let orphans: Vec<_> =
            orphans.map(|file| Doomed { key: file.key, place: file.place, size: file.size }).collect();
        self.swept.orphans += self.delete(orphans.iter()).len() as u64;
        // No run may be about to put a file there.
        if self.deletes && is_past && used.stems.is_empty() {
            self.app.storage.remove_day(shelf, day)?;
        }
        Ok(())
    }

    fn answers(&mut self) -> Result<()> {
        let before = self.ago(ANSWER_KEPT_MS);
        self.swept.answers = self.app.store.view()?.answered_before(before)?;
        if self.deletes && self.swept.answers > 0 {
            self.swept.answers = self.app.store.edit(|edit| edit.forget_answered(before))?;
        }
        Ok(())
    }
}

/// How many files alone, and how many entries.
fn count(all: impl Iterator<Item = Due>) -> (u64, u64) {
    all.fold((0, 0), |(files, entries), due| match due {
        Due::File => (files + 1, entries),
        Due::Entry => (files, entries + 1),
    })
}

/// The files of one day that entries name or will name.
#[derive(Default)]
struct InUse {
    files: HashSet<(String, Place)>,
    /// Those that are owed may have put their file, or be about to; of what kind it is turns out
    /// in the run.
    stems: HashSet<String>,
}

impl InUse {
    fn of(app: &App, day: &str) -> Result<Self> {
        let mut used = Self::default();
        app.store.view()?.each_export(&mut |log| {
            match (log.state, &log.file) {
                (State::Queued, _) if log.asked.day() == day => {
                    used.stems.insert(app.key_stem(log.organization(), log.id, log.asked));
                }
                (State::Done, Some(file)) if file.key.starts_with(day) => {
                    used.files.insert((file.key.clone(), file.place.clone()));
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(used)
    }

    fn names(&self, key: &str, place: &Place) -> bool {
        let stem = key.split_once('.').map_or(key, |(stem, _)| stem);
        self.files.contains(&(key.to_owned(), place.clone())) || self.stems.contains(stem)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
