//! The word to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::{Error, Kind, Result};

/// Shared between who may stop a run and the run, which looks at it before each block.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A run that goes on until somebody says otherwise.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// `Canceled` once somebody has said stop.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Canceled, "The export was canceled."));
        }
        Ok(())
    }
}
