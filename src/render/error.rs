//! What can go wrong while a file is made.

use crate::domain;

/// Why a file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The writer took no more.
    #[error("the file cannot be written: {0}")]
    Io(#[from] std::io::Error),
    /// A block came before its turn.
    #[error("row {found} came where row {expected} was due")]
    OutOfOrder {
        /// The row that was due.
        expected: u64,
        /// The row that came.
        found: u64,
    },
    /// Rows are missing, or there are too many.
    #[error("{found} of {expected} rows came")]
    Rows {
        /// The rows that were promised.
        expected: u64,
        /// The rows that came.
        found: u64,
    },
    /// A block is of another format than the file.
    #[error("a block of another format came")]
    Form,
    /// The workbook library refused the skeleton.
    #[error("the workbook cannot be prepared: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    /// The skeleton is not built as expected.
    #[error("the prepared workbook cannot be read: {0}")]
    Skeleton(String),
    /// The deflate library refused.
    #[error("rows cannot be compressed: {0}")]
    Deflate(#[from] flate2::CompressError),
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(io)
                if matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) =>
            {
                let message = "The disk is full. Try again when the operator has made space.";
                Self::new(domain::Kind::Unavailable, message).from_part("render").with_source(io)
            }
            Error::Io(io) if io.kind() == std::io::ErrorKind::BrokenPipe => {
                Self::new(domain::Kind::Canceled, "Nobody takes the file any more.").from_part("render").with_source(io)
            }
            other => Self::internal("render", other),
        }
    }
}
