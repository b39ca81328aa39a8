//! What waits of one organisation, in the order in which it runs.

use std::collections::{HashMap, VecDeque};

use super::{Job, Lane};
use crate::domain::Id;

/// What stands first in a line: the owed by their age, then the new as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Owed(Id),
    New(u64),
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) rank: Rank,
    pub(super) small: bool,
    pub(super) job: Job,
}

/// What waits of one organisation.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) turn: u64,
    pub(super) jobs: HashMap<Id, Waiting>,
    /// How many of each user.
    users: HashMap<String, usize>,
    /// Small and large ones apart, each by rank: neither lane has to search among the other's, and
    /// a place is found by halving.
    small: VecDeque<(Rank, Id)>,
    large: VecDeque<(Rank, Id)>,
}

impl Line {
    pub(super) fn new(turn: u64) -> Self {
        let (jobs, users) = (HashMap::new(), HashMap::new());
        Self { turn, jobs, users, small: VecDeque::new(), large: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn of_user(&self, user: &str) -> usize {
        self.users.get(user).copied().unwrap_or_default()
    }

    pub(super) fn first(&self, lane: Lane) -> Option<Id> {
        let (small, large) = (self.small.front(), self.large.front());
        let first = match lane {
            Lane::Any => small.into_iter().chain(large).min(),
            Lane::Small => small,
        };
        first.map(|(_, id)| *id)
    }

    pub(super) fn insert(&mut self, waiting: Waiting) {
        let id = waiting.job.id;
        // Twice in line, it would run twice.
        self.remove(id);
        *self.users.entry(waiting.job.user.clone()).or_default() += 1;
        let side = self.side(waiting.small);
        side.insert(before(side, waiting.rank), (waiting.rank, id));
        self.jobs.insert(id, waiting);
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Job> {
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

    pub(super) fn ahead(&self, id: Id) -> Option<usize> {
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
