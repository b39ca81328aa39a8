//! What is asked for and has not ended yet, so that the same wish is not taken in twice.

use std::array;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{Caller, Id};

/// Drawers that the wishes lie in: users whose wishes lie apart do not wait for each other.
const DRAWERS: usize = 64;

/// Background exports that have not ended, by what was asked for.
pub struct Asked([Mutex<Wishes>; DRAWERS]);

/// Exports by the digest of their wish.
pub type Wishes = HashMap<[u8; 32], Id>;

impl Default for Asked {
    fn default() -> Self {
        Self(array::from_fn(|_| Mutex::default()))
    }
}

impl Asked {
    /// The drawer with the wishes of this caller. Held for as long as one is being taken in: of two
    /// that are equal the second sees the first.
    pub fn of(&self, caller: &Caller) -> MutexGuard<'_, Wishes> {
        let mut hasher = DefaultHasher::new();
        (caller.organization, &caller.user).hash(&mut hasher);
        let drawer = &self.0[(hasher.finish() % DRAWERS as u64) as usize];
        drawer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
