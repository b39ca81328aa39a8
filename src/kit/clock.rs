//! The time. Nothing else in the program asks the system for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::Moment;

/// Milliseconds by which the wall clock may part from the steady one between two looks: more than
/// keeping it right takes, less than setting it.
const MOST_PARTED: i64 = 5 * 60 * 1000;

/// Tells the time; clones tell the same.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System(Instant),
    Fixed { wall: Arc<AtomicI64>, steady: Arc<AtomicI64> },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until it is moved.
    pub fn fixed(at: Moment) -> Self {
        Self(Source::Fixed { wall: Arc::new(AtomicI64::new(at.0)), steady: Arc::default() })
    }

    /// Sets a fixed clock, as somebody sets a clock on the wall: no time passes. The system's clock
    /// is left alone.
    pub fn set(&self, at: Moment) {
        if let Source::Fixed { wall, .. } = &self.0 {
            wall.store(at.0, Ordering::Relaxed);
        }
    }

    /// Lets time pass on a fixed clock; the system's clock is left alone.
    pub fn pass(&self, time: Duration) {
        if let Source::Fixed { wall, steady } = &self.0 {
            wall.fetch_add(millis(time), Ordering::Relaxed);
            steady.fetch_add(millis(time), Ordering::Relaxed);
        }
    }

    /// Now, to the millisecond. A system clock before 1970 counts as 1970.
    pub fn now(&self) -> Moment {
        match &self.0 {
            Source::System(_) => Moment(millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())),
            Source::Fixed { wall, .. } => Moment(wall.load(Ordering::Relaxed)),
        }
    }

    /// Milliseconds since this clock was made, which nobody can set. Those in which the machine
    /// slept may be missing.
    pub fn steady(&self) -> i64 {
        match &self.0 {
            Source::System(start) => millis(start.elapsed()),
            Source::Fixed { steady, .. } => steady.load(Ordering::Relaxed),
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Looks at the wall clock now and then, and notices when somebody has set it meanwhile.
#[derive(Debug, Clone)]
pub struct ClockWatch {
    wall: Moment,
    steady: i64,
}

/// The wall clock was set since the last look, or the machine slept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// Milliseconds, forward or, below zero, back.
    pub by: i64,
}

impl ClockWatch {
    /// Watches from now on.
    pub fn new(clock: &Clock) -> Self {
        Self { wall: clock.now(), steady: clock.steady() }
    }

    /// Now, if the wall clock has gone as time has since the last look; the next look compares
    /// with this one either way.
    ///
    /// # Errors
    /// A jump of more than five minutes.
    pub fn look(&mut self, clock: &Clock) -> Result<Moment, Jump> {
        let before = std::mem::replace(self, Self::new(clock));
        let gone = self.wall.0.saturating_sub(before.wall.0);
        let by = gone.saturating_sub(self.steady.saturating_sub(before.steady));
        if by.saturating_abs() > MOST_PARTED { Err(Jump { by }) } else { Ok(self.wall) }
    }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.by.unsigned_abs() / 60_000;
        let way = if self.by < 0 { "back" } else { "forward" };
        write!(f, "the clock went {way} by {} h {} min", minutes / 60, minutes % 60)
    }
}

/// How long this thread has been on a processor, which says nothing about any clock on a wall.
pub fn on_processor() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    // Neither is ever negative.
    let (seconds, nanos) = (u64::try_from(spent.tv_sec), u32::try_from(spent.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn fixed() -> (Clock, ClockWatch) {
        let clock = Clock::fixed(Moment(1_750_000_000_000));
        let watch = ClockWatch::new(&clock);
        (clock, watch)
    }

    fn set_by(clock: &Clock, by: i64) {
        clock.set(Moment(clock.now().0 + by));
    }

    #[test]
    fn time_that_passes_is_no_jump_however_much_it_is() {
        let (clock, mut watch) = fixed();
        let other = clock.clone();
        for days in [0, 1, 400] {
            other.pass(Duration::from_secs(days * 86_400));
            assert_eq!(watch.look(&clock), Ok(other.now()));
        }
        assert_eq!(clock.steady(), 401 * 24 * 60 * MINUTE);
    }

    #[test]
    fn more_than_five_minutes_are_a_jump_and_the_next_look_starts_from_there() {
        for by in [5 * MINUTE, -5 * MINUTE] {
            let (clock, mut watch) = fixed();
            clock.pass(Duration::from_secs(3600));
            set_by(&clock, by);
            assert_eq!(watch.look(&clock), Ok(clock.now()));
            set_by(&clock, by + by.signum());
            assert_eq!(watch.look(&clock), Err(Jump { by: by + by.signum() }));
            clock.pass(Duration::from_secs(3600));
            assert_eq!(watch.look(&clock), Ok(clock.now()));
        }
    }

    #[test]
    fn no_clock_is_so_wrong_that_it_cannot_be_looked_at() {
        let (clock, mut watch) = fixed();
        for at in [i64::MAX, i64::MIN, 0] {
            clock.set(Moment(at));
            assert!(watch.look(&clock).is_err(), "{at}");
        }
    }

    #[test]
    fn a_jump_is_told_in_hours_and_minutes() {
        assert_eq!(Jump { by: 40 * 24 * 60 * MINUTE }.to_string(), "the clock went forward by 960 h 0 min");
        assert_eq!(Jump { by: -61 * MINUTE }.to_string(), "the clock went back by 1 h 1 min");
    }

    #[test]
    fn the_system_s_clock_goes_as_time_goes() {
        let clock = Clock::system();
        let mut watch = ClockWatch::new(&clock);
        assert!(watch.look(&clock).is_ok());
        assert!(clock.steady() < MINUTE);
    }
}
