//! The wire: what a request must be to become a call, and what an answer looks like (contract.md).
//!
//! In reading order: `serve` (connections), `routes` (the table), `guard` (what every request
//! passes), `body`, `reply`, `page`; then a file for each family of routes.

mod body;
mod catalog;
mod configs;
mod export_log;
mod exports;
mod files;
mod guard;
mod health;
mod metrics;
mod page;
mod preview;
mod reply;
mod routes;
mod scripts;
mod serve;
mod stall;
mod tasks;
mod trial;

pub use routes::{OPENAPI, table};
pub use serve::serve;

use crate::domain::{Error, Result};

/// Runs what may wait for the disk on a thread for it.
async fn work<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::internal("http", panic)))
}
