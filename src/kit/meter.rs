//! The state of one run, shared by the thread that works and by those that look at it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What somebody who looks waits at least between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Nobody wants it any more.
    #[error("the run was canceled")]
    Canceled,
    /// The server leaves; the next start takes the run up again.
    #[error("the server is leaving")]
    Leaving,
}

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// Nothing yet.
    #[default]
    Waiting,
    /// Finding its rows and their order.
    Selecting,
    /// Making the file.
    Rendering,
    /// Putting the file where it stays.
    Storing,
}

/// The state of one run; clones are the same meter.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stop: OnceLock<Stop>,
    reading: Mutex<Reading>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Reading {
    stage: Stage,
    /// Since when it is busy with that.
    since: Option<std::time::Instant>,
    /// What it was busy with before, and for how long.
    spent: BTreeMap<Stage, Duration>,
    done: u64,
    total: u64,
    finished: bool,
}

impl Meter {
    /// The meter of a run that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the run to stop. What was said first holds.
    pub fn stop(&self, stop: Stop) {
        if self.0.stop.set(stop).is_ok() {
            self.0.changes.tell();
        }
    }

    /// Whether the run was told to stop, and why.
    pub fn stopped(&self) -> Option<Stop> {
        self.0.stop.get().copied()
    }

    /// What the run asks before each piece of work.
    ///
    /// # Errors
    /// The reason, once it was told to stop.
    pub fn check(&self) -> Result<(), Stop> {
        self.stopped().map_or(Ok(()), Err)
    }

    /// Says how many rows there will be.
    pub fn expect(&self, rows: u64) {
        self.change(|reading| reading.total = rows);
    }

    /// Says that so many more rows are done.
    pub fn advance(&self, rows: u64) {
        self.change(|reading| reading.done = reading.done.saturating_add(rows));
    }

    /// Rows that are done, and rows that there will be.
    pub fn rows(&self) -> (u64, u64) {
        let reading = self.reading();
        (reading.done, reading.total)
    }

    /// Says what the run is busy with now.
    pub fn enter(&self, stage: Stage) {
        self.change(|reading| {
            reading.spend();
            reading.stage = stage;
        });
    }

    /// How long it was busy with each stage that it has entered, up to now.
    pub fn spent(&self) -> Vec<(Stage, Duration)> {
        let mut reading = self.reading();
        if reading.since.is_some() {
            reading.spend();
        }
        reading.spent.iter().map(|(stage, took)| (*stage, *took)).collect()
    }

    /// What the run is busy with.
    pub fn stage(&self) -> Stage {
        self.reading().stage
    }

    /// How much is done, by rows: at most 99 until the run says that it has finished, then 100.
    pub fn percent(&self) -> u8 {
        let reading = self.reading();
        if reading.finished {
            return 100;
        }
        let percent = (u128::from(reading.done) * 100).checked_div(u128::from(reading.total));
        percent.map_or(0, |percent| u8::try_from(percent.min(99)).unwrap_or(99))
    }

    /// Says that all of it is done.
    pub fn finish(&self) {
        self.change(|reading| reading.finished = true);
    }

    /// Says that nobody works any more, whatever came of it: who watches is let go.
    pub fn end(&self) {
        self.0.changes.end();
    }

    /// Starts to watch for changes. Watch first and look then, and no change is missed.
    pub fn watch(&self) -> Watch {
        self.0.changes.watch()
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Reading)) {
        change(&mut self.reading());
        self.0.changes.tell();
    }
}

impl Reading {
    /// Counts the time of the stage that it is in.
    fn spend(&mut self) {
        let now = std::time::Instant::now();
        if let Some(since) = self.since.replace(now) {
            *self.spent.entry(self.stage).or_default() += now.duration_since(since);
        }
    }
}

/// Where changes are told, for those who watch. Its value says whether it was the last.
#[derive(Debug, Default)]
pub struct Changes(watch::Sender<bool>);

impl Changes {
    /// Tells everybody who watches that something is different now.
    pub fn tell(&self) {
        self.0.send_modify(|_| {});
    }

    /// Tells them that nothing will be any more.
    pub fn end(&self) {
        self.0.send_replace(true);
    }

    /// Starts to watch for what changes from now on.
    pub fn watch(&self) -> Watch {
        let changes = self.0.subscribe();
        let over = *changes.borrow();
        Watch { changes, over, next: Instant::now() }
    }
}

/// Somebody who waits for changes, and is woken a few times a second however many there are.
#[derive(Debug)]
pub struct Watch {
    changes: watch::Receiver<bool>,
    over: bool,
    next: Instant,
}

impl Watch {
    /// Waits for a change since the last one that was seen here; false when there will be none.
    /// Dropped while it waits, it has missed nothing.
    pub async fn changed(&mut self) -> bool {
        if self.over {
            return false;
        }
        // The changes of the pause count as one, and the last of them is not lost.
        sleep_until(self.next).await;
        if self.changes.changed().await.is_err() {
            self.over = true;
            return false;
        }
        self.over = *self.changes.borrow_and_update();
        self.next = Instant::now() + PAUSE;
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn the_first_word_to_stop_holds_and_every_clone_hears_it() {
        let meter = Meter::new();
        let other = meter.clone();
        assert_eq!((meter.check(), meter.stopped()), (Ok(()), None));
        other.stop(Stop::Leaving);
        other.stop(Stop::Canceled);
        assert_eq!((meter.check(), meter.stopped()), (Err(Stop::Leaving), Some(Stop::Leaving)));
    }

    #[test]
    fn percent_goes_by_rows_and_is_whole_only_when_the_run_says_so() {
        let meter = Meter::new();
        assert_eq!(meter.percent(), 0);
        meter.advance(5);
        assert_eq!(meter.percent(), 0, "nobody knows yet of how many");
        meter.expect(1000);
        assert_eq!((meter.rows(), meter.percent()), ((5, 1000), 0));
        meter.advance(5);
        assert_eq!(meter.percent(), 1);
        meter.advance(989);
        assert_eq!(meter.percent(), 99);
        meter.advance(u64::MAX);
        assert_eq!((meter.rows(), meter.percent()), ((u64::MAX, 1000), 99));
        meter.finish();
        assert_eq!(meter.percent(), 100);
    }

    #[test]
    fn a_run_without_rows_is_whole_when_it_has_finished() {
        let meter = Meter::new();
        meter.expect(0);
        assert_eq!((meter.stage(), meter.percent()), (Stage::Waiting, 0));
        meter.enter(Stage::Storing);
        meter.finish();
        assert_eq!((meter.stage(), meter.percent()), (Stage::Storing, 100));
    }

    #[tokio::test]
    async fn each_kind_of_change_wakes_who_watches() {
        let acts: [fn(&Meter); 5] = [
            |meter| meter.stop(Stop::Canceled),
            |meter| meter.expect(1),
            |meter| meter.advance(1),
            |meter| meter.enter(Stage::Rendering),
            Meter::finish,
        ];
        for act in acts {
            let meter = Meter::new();
            let mut watch = meter.watch();
            assert!(timeout(PAUSE, watch.changed()).await.is_err(), "nothing has changed yet");
            act(&meter);
            assert!(timeout(LONG, watch.changed()).await.unwrap());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn ten_thousand_changes_wake_a_few_times_and_the_last_of_them_is_seen() {
        let meter = Meter::new();
        let (worker, mut watch) = (meter.clone(), meter.watch());
        let begun = Instant::now();
        let work = std::thread::spawn(move || {
            for _ in 0..10_000 {
                worker.advance(1);
                std::thread::sleep(Duration::from_micros(20));
            }
        });
        let mut woken = 0;
        while meter.rows().0 < 10_000 {
            assert!(timeout(LONG, watch.changed()).await.unwrap());
            woken += 1;
        }
        work.join().unwrap();
        let most = begun.elapsed().as_millis() / PAUSE.as_millis() + 1;
        assert!((1..=most).contains(&woken), "{woken} times, and {most} are allowed");
    }

    #[tokio::test]
    async fn who_gives_up_waiting_misses_nothing_and_is_told_nothing_twice() {
        let meter = Meter::new();
        let mut watch = meter.watch();
        for given_up_after in [PAUSE / 10, 2 * PAUSE] {
            meter.advance(1);
            assert!(timeout(LONG, watch.changed()).await.unwrap());
            assert!(timeout(given_up_after, watch.changed()).await.is_err());
        }
        meter.advance(1);
        assert!(timeout(LONG, watch.changed()).await.unwrap());
    }

    #[tokio::test]
    async fn who_watches_a_run_that_ends_sees_its_last_change_and_is_let_go() {
        let meter = Meter::new();
        let mut watch = meter.watch();
        meter.finish();
        meter.end();
        assert!(timeout(LONG, watch.changed()).await.unwrap());
        assert_eq!(meter.percent(), 100);
        assert!(!timeout(LONG, watch.changed()).await.unwrap());
        assert!(!timeout(LONG, meter.watch().changed()).await.unwrap(), "also who comes too late");
        let mut left = Meter::new().watch();
        assert!(!timeout(LONG, left.changed()).await.unwrap(), "also when the meter is gone");
    }
}
