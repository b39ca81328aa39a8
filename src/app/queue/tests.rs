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
