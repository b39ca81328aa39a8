//! The folder of scripts. Whatever changes in it, the whole folder is looked at again, and a new
//! generation takes the place of the one before at once.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::domain::{self, Moment};
use crate::settings::Scripts;

use super::next::next;
use super::{Error, Generation, folder, stack_bytes};

/// The folder, and the generation that is current.
#[derive(Debug)]
pub struct Library {
    settings: Scripts,
    current: RwLock<Arc<Generation>>,
    /// Why the folder could not be read when it was last looked at.
    trouble: RwLock<Option<Arc<Error>>>,
    /// Held by who looks, so that no generation takes the place of a later one.
    looking: Mutex<()>,
}

impl Library {
    /// Looks at the folder for the first time. Without a folder there are no scripts.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn open(settings: &Scripts, now: Moment) -> Result<Self, Error> {
        let found = folder::look(&settings.dir)?;
        let first = with_room(settings, || {
            let empty = Generation::empty(settings);
            next(&empty, found, settings, now).unwrap_or(empty)
        })?;
        Ok(Self {
            settings: settings.clone(),
            current: RwLock::new(Arc::new(first)),
            trouble: RwLock::default(),
            looking: Mutex::default(),
        })
    }

    /// All scripts as they are now.
    pub fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the whole folder, and says whether anything is another than it was. While the folder
    /// cannot be read, everything stays as it is.
    pub fn look(&self, now: Moment) -> bool {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current();
        let found = folder::look(&self.settings.dir);
        match found.and_then(|found| with_room(&self.settings, || next(&before, found, &self.settings, now))) {
            Err(error) => {
                self.note(error);
                false
            }
            Ok(next) => {
                *self.trouble.write().unwrap_or_else(PoisonError::into_inner) = None;
                let Some(next) = next else { return false };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
                true
            }
        }
    }

    /// # Errors
    /// When the folder could not be read at the last look; the scripts of before are still live.
    pub fn check(&self) -> domain::Result<()> {
        let trouble = self.trouble.read().unwrap_or_else(PoisonError::into_inner).clone();
        trouble.map_or(Ok(()), |error| Err(domain::Error::internal("script", error)))
    }

    /// Told once, until it is another or none.
    fn note(&self, error: Error) {
        let mut trouble = self.trouble.write().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_ref().is_none_or(|before| before.to_string() != error.to_string()) {
            tracing::error!(%error, "the scripts of before stay live");
        }
        *trouble = Some(Arc::new(error));
    }
}

/// Compiles on a thread of its own, whose stack is wide enough whoever asks.
fn with_room<T: Send>(settings: &Scripts, compile: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let builder = std::thread::Builder::new().name("compiler".to_owned()).stack_size(stack_bytes(settings));
    std::thread::scope(|scope| {
        let thread = builder.spawn_scoped(scope, compile).map_err(Error::Thread)?;
        thread.join().map_or_else(|panic| std::panic::resume_unwind(panic), Ok)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
