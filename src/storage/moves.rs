//! Files that were moved into a folder are there to stay once the folder itself is on disk: one fsync
//! does that for all who moved a file before it began.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Whose moves are on their way to disk.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Held by who writes a folder; whoever comes meanwhile gathers for the next time.
    turn: Mutex<()>,
    gathering: Mutex<HashMap<PathBuf, Arc<Round>>>,
}

/// Those whom one fsync serves.
#[derive(Debug, Default)]
struct Round {
    outcome: Mutex<Option<Result<(), Arc<io::Error>>>>,
    bell: Condvar,
}

impl Moves {
    /// Returns when all that was in the folder at the time of the call is on disk by its name.
    ///
    /// # Errors
    /// When the folder cannot be written; all who shared the attempt are told.
    pub(super) fn settle(&self, folder: &Path) -> io::Result<()> {
        let (round, leads) = self.join(folder);
        if leads {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            // Who comes from here on may have moved its file too late.
            self.gathering().remove(folder);
            round.tell(File::open(folder).and_then(|folder| folder.sync_all()));
        }
        round.wait()
    }

    /// The round that has not begun, and whether whoever asks is to begin it.
    fn join(&self, folder: &Path) -> (Arc<Round>, bool) {
        let mut gathering = self.gathering();
        if let Some(round) = gathering.get(folder) {
            return (Arc::clone(round), false);
        }
        let round = Arc::new(Round::default());
        gathering.insert(folder.to_owned(), Arc::clone(&round));
        (round, true)
    }

    fn gathering(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Round>>> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    fn tell(&self, outcome: io::Result<()>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.map_err(Arc::new));
        self.bell.notify_all();
    }

    fn wait(&self) -> io::Result<()> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*outcome {
                Some(outcome) => return outcome.clone().map_err(|why| io::Error::new(why.kind(), why)),
                None => outcome = self.bell.wait(outcome).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_who_come_while_a_folder_is_written_share_the_next_time() {
        let (folder, moves) = (tempfile::tempdir().unwrap(), Moves::default());
        let path = folder.path();
        let round = thread::scope(|scope| {
            let turn = moves.turn.lock().unwrap();
            let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| moves.settle(path))).collect();
            // All four have it, the list and this test.
            let round = loop {
                let round = moves.gathering().get(path).cloned();
                match round.filter(|round| Arc::strong_count(round) == 6) {
                    Some(round) => break round,
                    None => thread::sleep(Duration::from_millis(1)),
                }
            };
            drop(turn);
            waiting.into_iter().for_each(|settled| settled.join().unwrap().unwrap());
            round
        });
        assert!(round.outcome.lock().unwrap().is_some());
        assert!(moves.gathering().is_empty());
        moves.settle(path).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_with_its_cause() {
        let folder = tempfile::tempdir().unwrap();
        let error = Moves::default().settle(&folder.path().join("gone")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
