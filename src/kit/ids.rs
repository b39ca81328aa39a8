//! Fresh ids: no two alike in this process, and as good as never alike between processes.

use std::sync::atomic::{AtomicU32, Ordering};

use super::secret;
use crate::domain::{Id, Moment};

/// Makes ids that start with the second of their making.
#[derive(Debug)]
pub struct IdMaker {
    process: [u8; 5],
    counter: AtomicU32,
}

impl Default for IdMaker {
    fn default() -> Self {
        Self { process: secret::random(), counter: AtomicU32::new(0) }
    }
}

impl IdMaker {
    /// A maker with a random number of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next id. The three bytes of the counter come round after 16.7 million ids; so many are
    /// not made in one second.
    pub fn id(&self, now: Moment) -> Id {
        let seconds = u32::try_from(now.seconds()).unwrap_or_default();
        Id::from_parts(seconds, self.process, self.counter.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_second_differ_and_keep_the_order_of_their_making() {
        let maker = IdMaker::new();
        let ids: Vec<Id> = (0..1000).map(|_| maker.id(Moment(1_750_000_000_000))).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
