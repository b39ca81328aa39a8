//! Numbers that only grow, for those who watch a server from outside. A key is what tells one number
//! of a family from another; whoever counts sees to it that there are few.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Sums by their keys.
#[derive(Debug)]
pub struct Tally<K>(Mutex<BTreeMap<K, u64>>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Tally<K> {
    /// Adds to the number of this key.
    pub fn add(&self, key: K, more: u64) {
        let mut sums = held(&self.0);
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(more);
    }

    /// Every number that was added to, in the order of the keys.
    pub fn read(&self) -> Vec<(K, u64)> {
        held(&self.0).iter().map(|(key, sum)| (key.clone(), *sum)).collect()
    }
}

/// How long things took, by their keys.
#[derive(Debug)]
pub struct Waits<K>(Mutex<BTreeMap<K, Wait>>);

/// How long something took, each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wait {
    /// How often it took no longer than each of [`Wait::BOUNDS_MILLIS`].
    pub within: [u64; Wait::BOUNDS_MILLIS.len()],
    /// How often it was done.
    pub count: u64,
    /// All times together.
    pub sum: Duration,
}

impl Wait {
    /// What times are compared with, in milliseconds.
    pub const BOUNDS_MILLIS: [u64; 8] = [1, 5, 25, 100, 500, 2_500, 10_000, 60_000];
}

impl<K> Default for Waits<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Waits<K> {
    /// Counts one time.
    pub fn add(&self, key: K, took: Duration) {
        let mut waits = held(&self.0);
        let wait = waits.entry(key).or_default();
        for (within, bound) in wait.within.iter_mut().zip(Wait::BOUNDS_MILLIS) {
            *within += u64::from(took <= Duration::from_millis(bound));
        }
        wait.count += 1;
        wait.sum = wait.sum.saturating_add(took);
    }

    /// Every key that was counted, in order.
    pub fn read(&self) -> Vec<(K, Wait)> {
        held(&self.0).iter().map(|(key, wait)| (key.clone(), *wait)).collect()
    }
}

fn held<T>(numbers: &Mutex<T>) -> MutexGuard<'_, T> {
    numbers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_kept_apart_by_their_keys_and_do_not_turn_over() {
        let tally = Tally::default();
        for (key, more) in [("b", 2), ("a", 1), ("b", 3), ("a", u64::MAX)] {
            tally.add(key, more);
        }
        assert_eq!(tally.read(), [("a", u64::MAX), ("b", 5)]);
    }

    #[test]
    fn a_time_is_within_its_bound_and_all_longer_ones() {
        let waits = Waits::default();
        for millis in [5, 6, 100_000] {
            waits.add("a", Duration::from_millis(millis));
        }
        let [("a", wait)] = waits.read()[..] else { unreachable!("one key was counted") };
        assert_eq!(wait.within, [0, 1, 2, 2, 2, 2, 2, 2]);
        assert_eq!((wait.count, wait.sum), (3, Duration::from_millis(100_011)));
    }
}
