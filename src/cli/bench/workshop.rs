//! A folder of its own for all that is made, and the server that works in it. Both go at the end, however it comes.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, PoisonError};

use crate::app::make_private;
use crate::kit::secret;

use super::super::fail::Failure;

pub(super) struct Workshop {
    path: PathBuf,
    server: Mutex<Option<Child>>,
}

impl Workshop {
    /// A new folder in this one, which is made if it is not there.
    pub(super) fn open(place: &Path) -> Result<Self, Failure> {
        let path = std::path::absolute(place.join(format!("waybill-bench-{}", secret::random_text(8))))?;
        make_private(&path)?;
        Ok(Self { path, server: Mutex::new(None) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Takes a server in.
    pub(super) fn employ(&self, server: Child) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// Ends the server in this way, and waits until it has ended.
    pub(super) fn dismiss(&self, end: impl FnOnce(&Child)) {
        if let Some(mut server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            end(&server);
            // It can only fail for a process that somebody else has waited for.
            let _ = server.wait();
        }
    }

    /// Ends the server at once and removes the folder.
    pub(super) fn close(&self) {
        if let Some(mut server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        // What cannot be removed now, the operator finds under its name.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
