//! The call that runs on this thread: the session that it is part of, and what it may still use.
//! Functions that scripts use ask here for the snapshot's moment, the zone and the key of `digest`;
//! the engine asks at every operation whether the call goes on.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::kit::clock::on_processor;
use crate::kit::memory::held_bytes;

use super::{Session, Spent};

/// Operations between two looks at the time.
const OPERATIONS_PER_LOOK: u64 = 8;

thread_local! {
    static CURRENT: RefCell<Option<Session>> = const { RefCell::new(None) };
    static BUDGET: RefCell<Budget> = const { RefCell::new(Budget::WITHOUT_END) };
}

/// What one call may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Rhai's operations.
    pub operations: u64,
    /// Milliseconds.
    pub millis: u64,
    /// Bytes that it may hold at a time.
    pub bytes: usize,
}

/// Why a call was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// Too many operations.
    Operations,
    /// Too long.
    Time,
    /// Too much held.
    Memory,
    /// A text that would be too long.
    Text,
}

/// What is left of an allowance.
#[derive(Debug, Clone, Copy)]
struct Budget {
    used: u64,
    most: u64,
    time: Duration,
    /// None where there is no call.
    deadline: Option<Instant>,
    /// The time on the processor at which it ends, once the deadline has passed.
    last_moment: Option<Duration>,
    ceiling: isize,
    excess: Option<Excess>,
    kept: isize,
}

/// What came of a call.
pub(super) struct Outcome<T> {
    pub result: T,
    pub excess: Option<Excess>,
    /// Bytes of what was made in the call and is kept beyond it by others than the script.
    pub kept: isize,
    pub spent: Spent,
}

/// Runs `call` as part of `session`.
pub(super) fn within<T>(session: &Session, call: impl FnOnce() -> T) -> T {
    /// Gives the thread back what it had, also after a panic.
    struct Restore(Option<Session>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.with(|current| *current.borrow_mut() = self.0.take());
        }
    }
    let _restore = Restore(CURRENT.with(|current| current.borrow_mut().replace(session.clone())));
    call()
}

/// What the session of the call on this thread says; nothing outside of calls.
pub(super) fn session<T>(ask: impl FnOnce(&Session) -> T) -> Option<T> {
    CURRENT.with(|current| current.borrow().as_ref().map(ask))
}

/// Runs `call` with an allowance, with `patience` times the time.
pub(super) fn limited<T>(allowance: Allowance, patience: u32, call: impl FnOnce() -> T) -> Outcome<T> {
    /// Gives the thread back what it had, also after a panic.
    struct Restore(Budget);
    impl Drop for Restore {
        fn drop(&mut self) {
            BUDGET.replace(self.0);
        }
    }
    let started = Instant::now();
    let time = Duration::from_millis(allowance.millis.saturating_mul(u64::from(patience.max(1))));
    let bytes = isize::try_from(allowance.bytes).unwrap_or(isize::MAX);
    let fresh = Budget {
        most: allowance.operations,
        time,
        deadline: Some(started + time),
        ceiling: held_bytes().saturating_add(bytes),
        ..Budget::WITHOUT_END
    };
    let restore = Restore(BUDGET.replace(fresh));
    let result = call();
    let Budget { used, excess, kept, .. } = BUDGET.with_borrow(|left| *left);
    drop(restore);
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    Outcome { result, excess, kept, spent: Spent { operations: used, micros } }
}

/// Counts an operation of the call on this thread and says whether the call must end.
pub(super) fn must_end() -> bool {
    BUDGET.with_borrow_mut(Budget::is_passed)
}

/// Ends the call on this thread at its next operation, or with its last one.
pub(super) fn end(excess: Excess) {
    BUDGET.with_borrow_mut(|budget| budget.excess = budget.excess.or(budget.deadline.map(|_| excess)));
}

/// Makes what outlives the call on this thread, such as a value of the task that the next script will see.
pub(super) fn keep<T>(make: impl FnOnce() -> T) -> T {
    let before = held_bytes();
    let made = make();
    BUDGET.with_borrow_mut(|budget| budget.kept += held_bytes() - before);
    made
}

impl Budget {
    const WITHOUT_END: Self = Self {
        used: 0,
        most: u64::MAX,
        time: Duration::ZERO,
        deadline: None,
        last_moment: None,
        ceiling: isize::MAX,
        excess: None,
        kept: 0,
    };

    fn is_passed(&mut self) -> bool {
        self.used += 1;
        if self.excess.is_none() {
            self.excess = self.look();
        }
        self.excess.is_some()
    }

    fn look(&mut self) -> Option<Excess> {
        if self.used > self.most {
            return Some(Excess::Operations);
        }
        if held_bytes() > self.ceiling {
            return Some(Excess::Memory);
        }
        let deadline = self.deadline.filter(|_| self.used.is_multiple_of(OPERATIONS_PER_LOOK))?;
        (Instant::now() > deadline && self.is_over()).then_some(Excess::Time)
    }

    /// A call whose deadline has passed may only have waited for the processor: it is given the same time
    /// once more, by the processor's own clock, which costs too much to be asked at the start of every call.
    fn is_over(&mut self) -> bool {
        let now = on_processor();
        now > *self.last_moment.get_or_insert(now + self.time)
    }
}
