//! The time. Nothing else in the program asks the system for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Moment;

/// Tells the time; clones tell the same.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is set.
    pub fn fixed(at: Moment) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(at.0))))
    }

    /// Moves a fixed clock; the system's clock is left alone.
    pub fn set(&self, at: Moment) {
        if let Source::Fixed(now) = &self.0 {
            now.store(at.0, Ordering::Relaxed);
        }
    }

    /// Now, to the millisecond. A system clock before 1970 counts as 1970.
    pub fn now(&self) -> Moment {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Fixed(now) => Moment(now.load(Ordering::Relaxed)),
        }
    }
}
