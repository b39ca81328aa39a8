//! Which export runs next. What is owed is on disk, and this is made again from there at each start:
//! nothing here is written down, and nothing is lost with it.
//!
//! Organisations take turns, so that a thousand exports of one do not stand before the one of
//! another. Within an organisation the oldest comes first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::domain::Id;
use crate::kit::meter::{Changes, Meter, Stop, Watch};

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

/// What stands first in a line: the owed by their age, then the new as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Owed(Id),
    New(u64),
}

#[derive(Debug)]
struct Waiting {
    rank: Rank,
    small: bool,
    job: Job,
}

/// What waits of one organisation.
#[derive(Debug)]
struct Line {
    turn: u64,
    jobs: HashMap<Id, Waiting>,
    /// How many of each user.
    users: HashMap<String, usize>,
    /// Small and large ones apart, each by rank: neither lane has to search among the other's, and
    /// a place is found by halving.
    small: VecDeque<(Rank, Id)>,
    large: VecDeque<(Rank, Id)>,
}

impl Line {
    fn new(turn: u64) -> Self {
        let (jobs, users) = (HashMap::new(), HashMap::new());
        Self { turn, jobs, users, small: VecDeque::new(), large: VecDeque::new() }
    }

    fn len(&self) -> usize {
        self.jobs.len()
    }

    fn of_user(&self, user: &str) -> usize {
        self.users.get(user).copied().unwrap_or_default()
    }

    fn first(&self, lane: Lane) -> Option<Id> {
        let (small, large) = (self.small.front(), self.large.front());
        let first = match lane {
            Lane::Any => small.into_iter().chain(large).min(),
            Lane::Small => small,
        };
        first.map(|(_, id)| *id)
    }

    fn insert(&mut self, waiting: Waiting) {
        let id = waiting.job.id;
        // Twice in line, it would run twice.
        self.remove(id);
        *self.users.entry(waiting.job.user.clone()).or_default() += 1;
        let side = self.side(waiting.small);
        side.insert(before(side, waiting.rank), (waiting.rank, id));
        self.jobs.insert(id, waiting);
    }

    fn remove(&mut self, id: Id) -> Option<Job> {
        let waiting = self.jobs.remove(&id)?;
        let side = self.side(waiting.small);
        side.remove(before(side, waiting.rank));
        if let Some(count) = self.users.get_mut(&waiting.job.user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(&waiting.job.user);
            }
        }
        Some(waiting.job)
    }

    fn ahead(&self, id: Id) -> Option<usize> {
        let rank = self.jobs.get(&id)?.rank;
        Some(before(&self.small, rank) + before(&self.large, rank))
    }

    fn side(&mut self, small: bool) -> &mut VecDeque<(Rank, Id)> {
        if small { &mut self.small } else { &mut self.large }
    }
}

/// How many stand before this rank.
fn before(side: &VecDeque<(Rank, Id)>, rank: Rank) -> usize {
    side.partition_point(|(other, _)| *other < rank)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LARGE: u64 = 1_000_000;

    fn queue() -> Queue {
        Queue::new(Limits { per_user: 1000, small_rows: 10_000 })
    }

    fn organization(number: u8) -> Id {
        Id::from_parts(0, [number; 5], 0)
    }

    fn id(number: u32) -> Id {
        Id::from_parts(number, [0; 5], 0)
    }

    fn job(organization_number: u8, number: u32, rows: u64) -> Job {
        Job { organization: organization(organization_number), id: id(number), user: "a@b.c".to_owned(), rows }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// The next so many, each taken after the one before has settled.
    fn drain(queue: &Queue, lane: Lane, count: usize) -> Vec<Id> {
        (0..count).map(|_| queue.take(lane).unwrap().job.id).collect()
    }

    #[test]
    fn organisations_take_turns_and_each_has_its_oldest_first() {
        let queue = queue();
        for (number, count) in [(1, 1000), (2, 10), (3, 1)] {
            for n in 0..count {
                queue.push(job(number, u32::from(number) * 10_000 + n, LARGE)).unwrap();
            }
        }
        assert_eq!(queue.waiting(), 1011);
        assert_eq!(queue.position(organization(1), id(10_999)), Some(1011));
        assert_eq!(queue.position(organization(2), id(20_009)), Some(21));
        assert_eq!(queue.position(organization(3), id(30_000)), Some(3));
        let taken = drain(&queue, Lane::Any, 1011);
        assert_eq!(taken[..5], [10_000, 20_000, 30_000, 10_001, 20_001].map(id));
        assert_eq!(taken[20], id(20_009), "the ten are through after a turn of each");
        assert!(taken[21..].iter().copied().eq((10_010..11_000).map(id)), "then the thousand go on alone");
        assert_eq!((queue.waiting(), queue.running()), (0, 0));
    }

    #[test]
    fn who_has_just_had_a_turn_stands_behind_who_comes_now() {
        let queue = queue();
        queue.push(job(1, 10, LARGE)).unwrap();
        queue.push(job(1, 11, LARGE)).unwrap();
        assert_eq!(drain(&queue, Lane::Any, 1), [id(10)]);
        queue.push(job(2, 20, LARGE)).unwrap();
        queue.push(job(2, 21, LARGE)).unwrap();
        assert_eq!(drain(&queue, Lane::Any, 3), [11, 20, 21].map(id));
    }

    #[test]
    fn the_small_lane_takes_small_ones_from_behind_the_large() {
        let queue = queue();
        queue.push(job(1, 10, 10_001)).unwrap();
        queue.push(job(1, 11, LARGE)).unwrap();
        queue.push(job(2, 20, LARGE)).unwrap();
        queue.push(job(1, 12, 10_000)).unwrap();
        assert_eq!(drain(&queue, Lane::Small, 1), [id(12)]);
        // The turn is spent: the other organisation, which was passed over, is now before it.
        assert_eq!(drain(&queue, Lane::Any, 3), [20, 10, 11].map(id));
        let taker = {
            let queue = queue.clone();
            thread::spawn(move || queue.take(Lane::Small).map(|running| running.job.id))
        };
        queue.push(job(1, 13, LARGE)).unwrap();
        thread::sleep(Duration::from_millis(50));
        assert!(!taker.is_finished(), "a large one is nothing for the small lane");
        queue.push(job(1, 14, 1)).unwrap();
        assert_eq!(taker.join().unwrap(), Some(id(14)));
        assert_eq!(drain(&queue, Lane::Any, 1), [id(13)]);
    }

    #[test]
    fn the_limit_of_a_user_counts_only_what_waits_in_this_organisation() {
        let queue = Queue::new(Limits { per_user: 2, small_rows: 0 });
        queue.push(job(1, 10, 1)).unwrap();
        queue.push(job(1, 11, 1)).unwrap();
        assert_eq!(queue.push(job(1, 12, 1)), Err(Full));
        assert_eq!(queue.push(job(1, 11, 1)), Ok(()), "what waits already is not one more");
        queue.push(Job { user: "d@e.f".to_owned(), ..job(1, 13, 1) }).unwrap();
        queue.push(job(2, 20, 1)).unwrap();
        let running = queue.take(Lane::Any).unwrap();
        assert_eq!(running.job.id, id(10));
        queue.push(job(1, 12, 1)).unwrap();
        assert_eq!(queue.push(job(1, 14, 1)), Err(Full));
        queue.push_owed(job(1, 9, 1));
        queue.cancel(organization(1), id(11));
        assert_eq!(queue.push(job(1, 14, 1)), Err(Full), "what is owed counts, though it is never refused");
        queue.cancel(organization(1), id(12));
        queue.push(job(1, 14, 1)).unwrap();
        assert_eq!(queue.waiting(), 4);
    }

    #[test]
    fn what_waits_is_gone_when_canceled_and_what_runs_is_told() {
        let queue = queue();
        queue.push(job(1, 10, 1)).unwrap();
        queue.push(job(1, 11, 1)).unwrap();
        let running = queue.take(Lane::Any).unwrap();
        assert_eq!(queue.cancel(organization(1), id(11)), Some(Place::Waiting));
        assert_eq!(queue.cancel(organization(1), id(11)), None);
        assert_eq!(queue.cancel(organization(2), id(10)), None, "another organisation has none of this id");
        assert_eq!(running.meter.stopped(), None);
        assert_eq!(queue.cancel(organization(1), id(10)), Some(Place::Running));
        assert_eq!(running.meter.check(), Err(Stop::Canceled));
        running.settle();
        assert_eq!(queue.cancel(organization(1), id(10)), None);
        assert_eq!((queue.waiting(), queue.running()), (0, 0));
    }

    #[test]
    fn an_export_is_found_where_it_is() {
        let queue = queue();
        queue.push(job(1, 10, 1)).unwrap();
        queue.push(job(1, 11, 1)).unwrap();
        let running = queue.take(Lane::Any).unwrap();
        running.meter.advance(7);
        assert!(matches!(queue.find(organization(1), id(10)), Some(Found::Running(meter)) if meter.rows() == (7, 0)));
        assert!(matches!(queue.find(organization(1), id(11)), Some(Found::Waiting(1))));
        assert!(queue.find(organization(1), id(12)).is_none());
        assert!(queue.meter(organization(1), id(11)).is_none());
        assert_eq!(queue.position(organization(1), id(10)), None);
        assert!(queue.meter(organization(1), id(10)).is_some());
    }

    #[test]
    fn what_is_handed_back_goes_before_the_new() {
        let queue = queue();
        for n in 10..13 {
            queue.push(job(1, n, 1)).unwrap();
        }
        let running = queue.take(Lane::Any).unwrap();
        let job = running.job.clone();
        running.settle();
        queue.push_owed(job);
        assert_eq!(drain(&queue, Lane::Any, 3), [10, 11, 12].map(id));
    }

    #[test]
    fn what_a_start_finds_stands_by_age_in_whatever_order_it_is_found() {
        let queue = queue();
        queue.push(job(1, 1, 1)).unwrap();
        for n in [12, 10, 13, 11] {
            queue.push_owed(job(1, n, 1));
            queue.push_owed(job(1, n, 1));
        }
        assert_eq!(drain(&queue, Lane::Any, 5), [10, 11, 12, 13, 1].map(id));
        assert_eq!(queue.waiting(), 0);
    }

    #[test]
    fn what_is_handed_back_while_it_runs_waits_until_that_run_has_let_go() {
        let queue = queue();
        queue.push(job(1, 10, 1)).unwrap();
        let running = queue.take(Lane::Any).unwrap();
        queue.push_owed(running.job.clone());
        queue.push(running.job.clone()).unwrap();
        assert_eq!((queue.waiting(), queue.running()), (0, 1));
        running.settle();
        assert_eq!((queue.waiting(), queue.running()), (1, 0));
        let again = queue.take(Lane::Any).unwrap();
        assert_eq!(again.meter.stopped(), None);
        queue.push_owed(again.job.clone());
        assert_eq!(queue.cancel(organization(1), id(10)), Some(Place::Waiting));
        again.settle();
        assert_eq!((queue.waiting(), queue.running()), (0, 0), "canceled, it does not come back");
    }

    #[test]
    fn a_closed_queue_gives_out_nothing_and_lets_go_of_who_waits() {
        let queue = queue();
        let takers: Vec<_> = [Lane::Any, Lane::Small, Lane::Any]
            .map(|lane| {
                let queue = queue.clone();
                thread::spawn(move || queue.take(lane).is_none())
            })
            .into();
        queue.close();
        assert!(takers.into_iter().all(|taker| taker.join().unwrap()));
        queue.push(job(1, 10, 1)).unwrap();
        assert!(queue.take(Lane::Any).is_none());
        assert_eq!(queue.waiting(), 1, "it still waits, as it does on disk");
    }

    #[test]
    fn a_queue_is_idle_when_the_last_run_has_let_go() {
        let queue = queue();
        assert!(queue.wait_idle(Instant::now()));
        for n in 10..13 {
            queue.push(job(1, n, 1)).unwrap();
        }
        let runs: Vec<_> = (0..3).map(|_| queue.take(Lane::Any).unwrap()).collect();
        queue.close();
        assert!(!queue.wait_idle(Instant::now() + Duration::from_millis(20)));
        queue.stop_running(Stop::Leaving);
        let workers = runs.into_iter().map(|running| {
            thread::spawn(move || {
                assert_eq!(running.meter.check(), Err(Stop::Leaving));
                thread::sleep(Duration::from_millis(20));
            })
        });
        let workers: Vec<_> = workers.collect();
        assert!(queue.wait_idle(soon()));
        assert_eq!(queue.running(), 0);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    }

    #[test]
    fn a_run_that_panics_does_not_run_any_more() {
        let queue = queue();
        queue.push(job(1, 10, 1)).unwrap();
        let running = queue.take(Lane::Any).unwrap();
        let work = |running: Running| assert!(running.job.rows > 1, "a bad row");
        let caught = catch_unwind(AssertUnwindSafe(|| work(running)));
        assert!(caught.is_err());
        assert!(queue.wait_idle(Instant::now()));
        queue.push(job(1, 10, 1)).unwrap();
        assert_eq!(drain(&queue, Lane::Any, 1), [id(10)]);
    }

    #[tokio::test]
    async fn who_watches_is_woken_when_an_export_comes_begins_and_ends() {
        let queue = queue();
        let mut watch = queue.watch();
        queue.push(job(1, 10, 1)).unwrap();
        assert!(watch.changed().await);
        let running = queue.take(Lane::Any).unwrap();
        assert!(watch.changed().await);
        let mut run = running.meter.watch();
        running.settle();
        assert!(watch.changed().await);
        assert!(run.changed().await);
        assert!(!run.changed().await, "who watched the run alone is let go");
    }

    #[test]
    fn a_hundred_thousand_wait_and_each_knows_its_place() {
        let queue = queue();
        let all = || (0..100_000_u32).map(|n| (organization(u8::try_from(n % 100).unwrap()), n));
        for (organization, n) in all() {
            queue.push(Job { organization, ..job(0, n, u64::from(n)) }).unwrap();
        }
        for (organization, n) in all() {
            assert_eq!(queue.position(organization, id(n)), usize::try_from(n).ok().map(|n| n + 1));
        }
        for (organization, n) in all().filter(|(_, n)| n % 3 == 1) {
            assert_eq!(queue.cancel(organization, id(n)), Some(Place::Waiting));
        }
        assert_eq!(queue.waiting(), 66_667);
    }

    #[test]
    fn many_takers_and_pushers_run_each_export_once() {
        let queue = Queue::new(Limits { per_user: usize::MAX, small_rows: 500 });
        let takers: Vec<_> = [Lane::Any, Lane::Small, Lane::Any, Lane::Small]
            .map(|lane| {
                let queue = queue.clone();
                thread::spawn(move || {
                    let mut taken = Vec::new();
                    while let Some(running) = queue.take(lane) {
                        assert!(lane == Lane::Any || running.job.rows <= 500);
                        taken.push(running.job.id);
                    }
                    taken
                })
            })
            .into();
        let pushers = [0, 1].map(|half| {
            let queue = queue.clone();
            thread::spawn(move || {
                for n in (0..2000).filter(|n| n % 2 == half) {
                    queue.push(job(u8::try_from(n % 7).unwrap(), n, u64::from(n % 1000))).unwrap();
                }
            })
        });
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        let end = soon();
        while queue.waiting() > 0 && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        queue.close();
        assert!(queue.wait_idle(end));
        let mut taken: Vec<_> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        taken.sort_unstable();
        assert!(taken.into_iter().eq((0..2000).map(id)));
    }

    /// The same queue told simply: a list in the order of arrival, and the organisations by turn.
    #[derive(Debug, Clone, Default)]
    struct Model {
        waiting: Vec<(bool, Job)>,
        turns: Vec<Id>,
    }

    impl Model {
        fn push(&mut self, owed: bool, job: Job) {
            if !self.turns.contains(&job.organization) {
                self.turns.push(job.organization);
            }
            self.waiting.push((owed, job));
        }

        fn of_user(&self, job: &Job) -> usize {
            let same = |other: &Job| other.organization == job.organization && other.user == job.user;
            self.waiting.iter().filter(|(_, other)| same(other)).count()
        }

        fn first(&self, organization: Id, lane: Lane) -> Option<usize> {
            let fits = |job: &Job| job.organization == organization && (lane == Lane::Any || job.rows <= 10_000);
            let line = self.waiting.iter().enumerate().filter(|(_, (_, job))| fits(job));
            let (place, _) = line.min_by_key(|(_, (owed, job))| (!owed, owed.then_some(job.id)))?;
            Some(place)
        }

        fn take(&mut self, lane: Lane) -> Option<Job> {
            let place = self.turns.iter().find_map(|organization| self.first(*organization, lane))?;
            let (_, job) = self.waiting.remove(place);
            self.turns.retain(|turn| *turn != job.organization);
            if self.waiting.iter().any(|(_, other)| other.organization == job.organization) {
                self.turns.push(job.organization);
            }
            Some(job)
        }

        fn cancel(&mut self, job: &Job) {
            self.waiting.retain(|(_, other)| other.id != job.id);
            let still = |turn: &Id| self.waiting.iter().any(|(_, other)| other.organization == *turn);
            self.turns.retain(still);
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Push { organization: u8, user: u8, rows: u64, owed: bool },
        Take(Lane),
        Cancel(prop::sample::Index),
        Settle(prop::sample::Index, bool),
    }

    fn act() -> impl Strategy<Value = Act> {
        let rows = prop_oneof![Just(5), Just(LARGE)];
        let push = (0..4_u8, 0..2_u8, rows, prop::bool::weighted(0.2));
        let lane = prop_oneof![2 => Just(Lane::Any), 1 => Just(Lane::Small)];
        let index = any::<prop::sample::Index>;
        prop_oneof![
            6 => push.prop_map(|(organization, user, rows, owed)| Act::Push { organization, user, rows, owed }),
            3 => lane.prop_map(Act::Take),
            1 => index().prop_map(Act::Cancel),
            2 => (index(), any::<bool>()).prop_map(|(index, back)| Act::Settle(index, back)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_export_runs_once_or_is_canceled_in_the_order_of_turns(acts in prop::collection::vec(act(), 1..120)) {
            let queue = Queue::new(Limits { per_user: 4, small_rows: 10_000 });
            let (mut model, mut runs) = (Model::default(), Vec::<Running>::new());
            // What became of each: how often it has yet to run.
            let mut due = BTreeMap::<Id, i32>::new();
            for (n, act) in (0..).zip(acts) {
                match act {
                    Act::Push { organization, user, rows, owed } => {
                        // The order of the ids is not that of their coming.
                        let job = Job { user: user.to_string(), ..job(organization, n * 37 % 1009, rows) };
                        let full = !owed && model.of_user(&job) >= 4;
                        if owed {
                            queue.push_owed(job.clone());
                        } else {
                            prop_assert_eq!(queue.push(job.clone()).is_err(), full);
                        }
                        if !full {
                            due.insert(job.id, 1);
                            model.push(owed, job);
                        }
                    }
                    Act::Take(lane) => {
                        if let Some(expected) = model.take(lane) {
                            let running = queue.take(lane).unwrap();
                            prop_assert_eq!(&running.job, &expected);
                            *due.entry(expected.id).or_default() -= 1;
                            runs.push(running);
                        }
                    }
                    Act::Cancel(index) if !model.waiting.is_empty() => {
                        let (_, job) = index.get(&model.waiting).clone();
                        prop_assert_eq!(queue.cancel(job.organization, job.id), Some(Place::Waiting));
                        *due.entry(job.id).or_default() -= 1;
                        model.cancel(&job);
                    }
                    Act::Settle(index, back) if !runs.is_empty() => {
                        let running = runs.remove(index.index(runs.len()));
                        if back {
                            queue.push_owed(running.job.clone());
                            *due.entry(running.job.id).or_default() += 1;
                            model.push(true, running.job.clone());
                        }
                        running.settle();
                    }
                    Act::Cancel(_) | Act::Settle(..) => {}
                }
                prop_assert_eq!((queue.waiting(), queue.running()), (model.waiting.len(), runs.len()));
            }
            for place in 1.. {
                let mut rest = model.clone();
                let Some(job) = (0..place).map_while(|_| rest.take(Lane::Any)).nth(place - 1) else { break };
                prop_assert_eq!(queue.position(job.organization, job.id), Some(place));
            }
            while let Some(expected) = model.take(Lane::Any) {
                let running = queue.take(Lane::Any).unwrap();
                prop_assert_eq!(&running.job, &expected);
                *due.entry(expected.id).or_default() -= 1;
            }
            prop_assert_eq!(queue.waiting(), 0);
            prop_assert!(due.values().all(|times| *times == 0), "{:?}", due);
        }
    }
}
