//! The one error the layers above the rooms speak.

use std::error::Error as StdError;
use std::fmt;

/// A result whose error is ready to become an answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is; only `http` knows which status code belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller's input is at fault.
    Invalid,
    /// No valid token.
    Unauthorized,
    /// The token does not allow this act.
    Forbidden,
    /// Nothing of that name, or nothing the caller may know of.
    NotFound,
    /// It was there and its time is over.
    Gone,
    /// It clashes with what is stored.
    Conflict,
    /// The input is larger than its limit.
    TooLarge,
    /// The input is of a kind that this route does not read.
    Unsupported,
    /// The caller was too slow in sending.
    Timeout,
    /// Not now: a limit is reached.
    Busy,
    /// A part is out of order for the moment, and will be back by itself or once the operator has acted.
    Unavailable,
    /// The work was stopped because nobody waits for it any more.
    Canceled,
    /// The fault is ours.
    Internal,
}

/// A failure with a sentence for the caller and, for the log, its cause.
#[derive(Debug)]
pub struct Error {
    /// What kind of failure it is.
    pub kind: Kind,
    /// A sentence that may be shown to the caller.
    pub message: String,
    /// Every fault of a validated input, as (field, sentence).
    pub faults: Vec<(String, String)>,
    /// The part of the server it came from: `store`, `render`, `storage`, ...
    pub part: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind with this sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), faults: Vec::new(), part: "server", source: None }
    }

    /// Input of the caller's that cannot be accepted.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// Nothing of that name: the sentence that the contract prescribes for unknown ids.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "Data not found")
    }

    /// A fault of ours in `part`; the cause goes to the log, never to the caller.
    pub fn internal(part: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        Self { kind: Kind::Internal, message: source.to_string(), faults: Vec::new(), part, source: Some(source) }
    }

    /// The same error with its cause attached.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The error and what caused it, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            let sentence = error.to_string();
            if !text.ends_with(&sentence) {
                text = format!("{text}: {sentence}");
            }
            cause = error.source();
        }
        text
    }

    /// The same error, said to come from `part`.
    #[must_use]
    pub fn from_part(mut self, part: &'static str) -> Self {
        self.part = part;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
