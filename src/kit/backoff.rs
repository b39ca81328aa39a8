//! Pauses between tries: longer each time, and never quite alike, so that many who wait for the same
//! do not come back at once.

use std::time::Duration;

use super::secret;

const FIRST_MS: u64 = 200;
const LONGEST_MS: u64 = 30_000;

/// The pauses of one thing that is tried again and again.
#[derive(Debug)]
pub struct Backoff {
    next_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next_ms: FIRST_MS }
    }
}

impl Backoff {
    /// The next pause: of its length at least half, the rest by chance.
    pub fn pause(&mut self) -> Duration {
        let length = self.next_ms;
        self.next_ms = (length * 2).min(LONGEST_MS);
        let [chance] = secret::random::<1>();
        Duration::from_millis(length / 2 + length / 2 * u64::from(chance) / 255)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..12).map(|_| backoff.pause().as_millis()).collect();
        assert!((100..=200).contains(&pauses[0]), "{pauses:?}");
        assert!((200..=400).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses[9..].iter().all(|pause| (15_000..=30_000).contains(pause)), "{pauses:?}");
    }
}
