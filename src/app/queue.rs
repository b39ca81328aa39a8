//! Which export runs next. What is owed is on disk, and this is made again from there at each start:
//! nothing here is written down, and nothing is lost with it.
//!
//! Organisations take turns, so that a thousand exports of one do not stand before the one of
//! another. Within an organisation the oldest comes first.

mod line;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::domain::{Id, Moment};
use crate::kit::meter::{Changes, Meter, Stop, Watch};
use line::{Line, Rank, Waiting};

/// An export that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Whose tasks.
    pub organization: Id,
    /// The export's id.
    pub id: Id,
    /// Who asked for it.
    pub user: String,
    /// Rows that it will have, as far as is known.
    pub rows: u64,
}

/// How much may wait, and what counts as small.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Exports of one user of one organisation that may wait.
    pub per_user: usize,
    /// Rows up to which an export is a small one.
    pub small_rows: u64,
}

/// As many exports of this user wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many exports of this user wait as may")]
pub struct Full;

/// What somebody who runs exports takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Whatever is next.
    Any,
    /// The next small one: with somebody in this lane, small exports do not wait behind large ones.
    Small,
}

/// Where an export was when it was canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It waited, and is gone from the queue.
    Waiting,
    /// It runs, and its meter says stop; the run itself has yet to see it.
    Running,
}

/// Where an export is.
#[derive(Debug, Clone)]
pub enum Found {
    /// It waits; the next to run is the first.
    Waiting(usize),
    /// It runs, and this is its meter.
    Running(Meter),
}

/// The exports that wait and those that run; clones are the same queue.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
    changes: Changes,
}

impl Queue {
    /// A queue in which nothing waits.
    pub fn new(limits: Limits) -> Self {
        let state = Mutex::new(State::new(limits));
        Self(Arc::new(Shared { state, moved: Condvar::new(), changes: Changes::default() }))
    }

    /// Puts a new export at the end of its organisation's line. One that is here already stays as it is.
    ///
    /// # Errors
    /// `Full` when the user has as many waiting as may.
    pub fn push(&self, job: Job) -> Result<(), Full> {
        self.change(|state| state.push(job))
    }

    /// Whether [`Queue::push`] would take one more of this user.
    pub fn has_room(&self, organization: Id, user: &str) -> bool {
        let state = self.lock();
        state.lines.get(&organization).map_or(0, |line| line.of_user(user)) < state.limits.per_user
    }

    /// Puts an export that was accepted before in front of all the new ones of its organisation:
    /// what a start finds on disk, and what a run hands back. Among themselves these stand by age,
    /// in whatever order they come. One that still runs waits only when that run has let go of it.
    pub fn push_owed(&self, job: Job) {
        self.change(|state| state.push_owed(job));
    }

    /// Waits for the next export of the lane; none once the queue is closed.
    pub fn take(&self, lane: Lane) -> Option<Running> {
        let mut state = self.lock();
        let (job, meter) = loop {
            if state.closed {
                return None;
            }
            if let Some(begun) = state.begin(lane) {
                break begun;
            }
            state = self.0.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        self.0.changes.tell();
        Some(Running { job, meter, queue: self.clone() })
    }

    /// Cancels an export, wherever it is; nothing when it is not here. A meter that says another
    /// reason keeps it, since the first word to stop holds.
    pub fn cancel(&self, organization: Id, id: Id) -> Option<Place> {
        self.change(|state| state.cancel(organization, id))
    }

    /// Where an export is: both answers from one look, so that it is not missed on its way.
    pub fn find(&self, organization: Id, id: Id) -> Option<Found> {
        let state = self.lock();
        match state.running.get(&(organization, id)) {
            Some(run) => Some(Found::Running(run.meter.clone())),
            None => state.position(organization, id).map(Found::Waiting),
        }
    }

    /// How many turns it takes until a waiting export runs, if all of them are taken in
    /// [`Lane::Any`] and none comes or goes; the next to run has 1.
    pub fn position(&self, organization: Id, id: Id) -> Option<usize> {
        self.lock().position(organization, id)
    }

    /// The meter of an export that runs.
    pub fn meter(&self, organization: Id, id: Id) -> Option<Meter> {
        self.lock().running.get(&(organization, id)).map(|run| run.meter.clone())
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().lines.values().map(Line::len).sum()
    }

    /// When the one that waits longest was asked for, which its id tells.
    pub fn oldest(&self) -> Option<Moment> {
        let state = self.lock();
        state.lines.values().flat_map(|line| line.jobs.keys()).min().map(Id::moment)
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.lock().running.len()
    }

    /// Gives out nothing any more. What runs goes on until it is done or [stopped](Self::stop_running).
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Tells everything that runs to stop.
    pub fn stop_running(&self, stop: Stop) {
        self.lock().running.values().for_each(|run| run.meter.stop(stop));
    }

    /// Waits until nothing runs, at most until the deadline; says whether nothing runs.
    pub fn wait_idle(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        while !state.running.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (state, _) = self.0.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Starts to watch for exports that come, begin, end or go. Watch first and look then, and
    /// nothing is missed.
    pub fn watch(&self) -> Watch {
        self.0.changes.watch()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        // All of them: one alone could be in the wrong lane for what has come.
        self.0.moved.notify_all();
        self.0.changes.tell();
        result
    }
}

/// An export that runs until this is dropped, also when that happens in a panic.
#[derive(Debug)]
#[must_use = "dropped, the export does not run any more"]
pub struct Running {
    /// The export.
    pub job: Job,
    /// The state of its run.
    pub meter: Meter,
    queue: Queue,
}

impl Running {
    /// Says that the export does not run any more, which dropping says too.
    pub fn settle(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        self.queue.change(|state| state.settle(&self.job));
        // Only now, so that whoever is let go by this does not find it running.
        self.meter.end();
    }
}

#[derive(Debug)]
struct State {
    limits: Limits,
    /// The organisations in which something waits.
    lines: HashMap<Id, Line>,
    /// The same organisations by their turn; the lowest is next.
    turns: BTreeMap<u64, Id>,
    /// The number of the next turn or place in a line that is given out.
    next: u64,
    running: HashMap<(Id, Id), Run>,
    closed: bool,
}

#[derive(Debug)]
struct Run {
    meter: Meter,
    /// What the run has handed back, for when it lets go.
    owed: Option<Job>,
}

impl State {
    fn new(limits: Limits) -> Self {
        let (lines, turns, running) = (HashMap::new(), BTreeMap::new(), HashMap::new());
        Self { limits, lines, turns, next: 0, running, closed: false }
    }

    fn push(&mut self, job: Job) -> Result<(), Full> {
        let line = self.lines.get(&job.organization);
        let waits = line.is_some_and(|line| line.jobs.contains_key(&job.id));
        if waits || self.running.contains_key(&(job.organization, job.id)) {
            return Ok(());
        }
        if line.map_or(0, |line| line.of_user(&job.user)) >= self.limits.per_user {
            return Err(Full);
        }
        let rank = Rank::New(self.number());
        self.insert(rank, job);
        Ok(())
    }

    fn push_owed(&mut self, job: Job) {
        match self.running.get_mut(&(job.organization, job.id)) {
            Some(run) => run.owed = Some(job),
            None => self.insert(Rank::Owed(job.id), job),
        }
    }

    fn insert(&mut self, rank: Rank, job: Job) {
        let (organization, small) = (job.organization, job.rows <= self.limits.small_rows);
        if !self.lines.contains_key(&organization) {
            let turn = self.number();
            self.turns.insert(turn, organization);
            self.lines.insert(organization, Line::new(turn));
        }
        if let Some(line) = self.lines.get_mut(&organization) {
            line.insert(Waiting { rank, small, job });
        }
    }

    /// Takes the next export of the lane out of its line, and its organisation goes to the end.
    fn begin(&mut self, lane: Lane) -> Option<(Job, Meter)> {
        let next = |organization: &Id| Some((*organization, self.lines.get(organization)?.first(lane)?));
        let (organization, id) = self.turns.values().find_map(next)?;
        let job = self.remove(organization, id)?;
        let turn = self.number();
        if let Some(line) = self.lines.get_mut(&organization) {
            self.turns.remove(&line.turn);
            self.turns.insert(turn, organization);
            line.turn = turn;
        }
        let meter = Meter::new();
        self.running.insert((organization, id), Run { meter: meter.clone(), owed: None });
        Some((job, meter))
    }

    fn settle(&mut self, job: &Job) {
        let run = self.running.remove(&(job.organization, job.id));
        if let Some(owed) = run.and_then(|run| run.owed) {
            self.push_owed(owed);
        }
    }

    fn cancel(&mut self, organization: Id, id: Id) -> Option<Place> {
        let Some(run) = self.running.get_mut(&(organization, id)) else {
            return self.remove(organization, id).map(|_| Place::Waiting);
        };
        // What was handed back waits in all but name, and its run looks at no meter any more.
        if run.owed.take().is_some() {
            return Some(Place::Waiting);
        }
        run.meter.stop(Stop::Canceled);
        Some(Place::Running)
    }

    fn remove(&mut self, organization: Id, id: Id) -> Option<Job> {
        let line = self.lines.get_mut(&organization)?;
        let job = line.remove(id)?;
        if line.len() == 0 {
            self.turns.remove(&line.turn);
            self.lines.remove(&organization);
        }
        Some(job)
    }

    /// One look at each line: as many of another organisation are taken first as of this one, and
    /// one more if its turn comes earlier, unless it has fewer.
    fn position(&self, organization: Id, id: Id) -> Option<usize> {
        let own = self.lines.get(&organization)?;
        let ahead = own.ahead(id)?;
        let turns = |line: &Line| if line.turn <= own.turn { ahead + 1 } else { ahead };
        Some(self.lines.values().map(|line| turns(line).min(line.len())).sum())
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
