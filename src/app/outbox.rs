//! What is known in memory of the notices that are owed: a bell for those that send them, and whether
//! they get through.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::{Channel, Moment};

/// Those that send notices: one for each way, so that a slow server of the one does not keep the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Mails.
    Mail,
    /// Webhooks.
    Webhooks,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Webhooks];

    /// Whether notices of that channel go this way.
    pub fn takes(self, channel: &Channel) -> bool {
        match channel {
            Channel::Mail(_) => self == Self::Mail,
            Channel::Webhook(_) => self == Self::Webhooks,
        }
    }

    /// Its name in logs and in what is told of the server.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhooks => "webhooks",
        }
    }
}

/// The bell, and since when a lane has got nothing through.
#[derive(Debug, Default)]
pub struct Outbox {
    shared: Mutex<Shared>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    rings: u64,
    is_closed: bool,
    mail_fails: Option<Moment>,
    webhooks_fail: Option<Moment>,
}

impl Shared {
    fn fails(&mut self, lane: Lane) -> &mut Option<Moment> {
        match lane {
            Lane::Mail => &mut self.mail_fails,
            Lane::Webhooks => &mut self.webhooks_fail,
        }
    }
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is owed that was not before.
    pub fn ring(&self) {
        self.lock().rings += 1;
        self.rung.notify_all();
    }

    /// Nothing is sent any more but what is on its way.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.rung.notify_all();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// How often the bell has rung.
    pub fn rings(&self) -> u64 {
        self.lock().rings
    }

    /// Waits until the bell has rung more often than that, until it is closed, or for so long.
    pub fn wait(&self, heard: u64, most: Duration) {
        let is_quiet = |shared: &mut Shared| shared.rings == heard && !shared.is_closed;
        drop(self.rung.wait_timeout_while(self.lock(), most, is_quiet));
    }

    /// A notice of this lane has got through.
    pub fn works(&self, lane: Lane) {
        *self.lock().fails(lane) = None;
    }

    /// None of this lane gets through at the moment.
    pub fn fails(&self, lane: Lane, now: Moment) {
        self.lock().fails(lane).get_or_insert(now);
    }

    /// Since when no notice of this lane has got through, if the latest did not.
    pub fn failing_since(&self, lane: Lane) -> Option<Moment> {
        *self.lock().fails(lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_that_rang_before_somebody_waits_is_heard() {
        let outbox = Outbox::default();
        let heard = outbox.rings();
        outbox.ring();
        outbox.wait(heard, Duration::from_secs(3600));
        assert_eq!(outbox.rings(), heard + 1);
    }

    #[test]
    fn nobody_waits_on_a_closed_one() {
        let outbox = Outbox::default();
        outbox.close();
        outbox.wait(outbox.rings(), Duration::from_secs(3600));
        assert!(outbox.is_closed());
    }

    #[test]
    fn a_lane_fails_since_the_first_time_until_it_works() {
        let outbox = Outbox::default();
        outbox.fails(Lane::Mail, Moment(1));
        outbox.fails(Lane::Mail, Moment(2));
        assert_eq!(outbox.failing_since(Lane::Mail), Some(Moment(1)));
        assert_eq!(outbox.failing_since(Lane::Webhooks), None);
        outbox.works(Lane::Mail);
        assert_eq!(outbox.failing_since(Lane::Mail), None);
    }
}
