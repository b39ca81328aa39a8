//! What can be wrong with a file of tasks.

use std::io;
use std::path::PathBuf;

/// Why a file cannot be read as tasks.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system said no.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is of no kind that is known.
    #[error("{} is of a kind that cannot be loaded; it must end in ndjson, jsonl, json, csv or xlsx", .0.display())]
    Kind(PathBuf),
    /// It is no list of JSON objects.
    #[error("{} is not a JSON list of tasks: {why}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It cannot be read as a table.
    #[error("{} cannot be read as a table: {why}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The first row does not name the columns.
    #[error("The header row of {} {why}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A row does not fit the header.
    #[error("Row {row} of {} has {found} cells where the header has {expected}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, the header being 1.
        row: u64,
        /// Its cells.
        found: u64,
        /// Those of the header.
        expected: u64,
    },
}
