//! How long something is tried again, and who can stop it.

use std::time::{Duration, Instant};

use super::super::error::Error;
use crate::kit::backoff::Backoff;
use crate::kit::meter::Meter;

/// What is tried again when somebody waits for the answer.
const BRIEF: Duration = Duration::from_secs(8);
/// How soon it is seen that nobody waits any more.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// How long what may pass is tried again, and who can stop it.
#[derive(Debug)]
pub struct Patience<'a> {
    until: Instant,
    pub(super) meter: Option<&'a Meter>,
}

impl Patience<'static> {
    /// One try.
    pub fn none() -> Self {
        Self { until: Instant::now(), meter: None }
    }

    /// A few tries, for whoever waits for the answer.
    pub fn brief() -> Self {
        Self { until: Instant::now() + BRIEF, meter: None }
    }
}

impl<'a> Patience<'a> {
    /// As [`brief`](Patience::brief), for a run that may be stopped.
    pub fn brief_of(meter: &'a Meter) -> Self {
        Self { until: Instant::now() + BRIEF, meter: Some(meter) }
    }

    /// Tries for so many seconds, for a run that nobody waits for and that may be stopped.
    pub fn long_of(seconds: u64, meter: &'a Meter) -> Self {
        Self { until: Instant::now() + Duration::from_secs(seconds), meter: Some(meter) }
    }

    /// One try, stopped by the same.
    pub(super) fn once(&self) -> Patience<'a> {
        Patience { until: Instant::now(), meter: self.meter }
    }

    /// Tries until it works, fails for good, or there is no time left.
    pub(super) fn retry<T>(&self, mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut backoff = Backoff::default();
        loop {
            match attempt() {
                Err(error) if error.may_pass() => {
                    let pause = backoff.pause();
                    if Instant::now() + pause >= self.until {
                        return Err(error);
                    }
                    tracing::debug!(%error, ?pause, "the bucket is asked again after a pause");
                    self.wait(pause)?;
                }
                outcome => return outcome,
            }
        }
    }

    fn wait(&self, pause: Duration) -> Result<(), Error> {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            self.go_on()?;
            std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
        self.go_on()
    }

    /// # Errors
    /// `Stopped` when nobody waits any more.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        if self.meter.is_some_and(|meter| meter.stopped().is_some()) { Err(Error::Stopped) } else { Ok(()) }
    }
}
