//! What the call that runs on this thread is part of: functions that scripts use ask here for the
//! snapshot's moment, the zone and the key of `digest`.

use std::cell::RefCell;

use super::Session;

thread_local! {
    static CURRENT: RefCell<Option<Session>> = const { RefCell::new(None) };
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
