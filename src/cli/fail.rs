//! Why a command ends, in words and as an exit code.

use crate::app::OpenError;
use crate::domain::Error;
use crate::settings::Faults;
use crate::store::Fault;

/// Something went wrong.
pub(super) const FAILED: u8 = 1;
/// The command or the settings are not valid.
pub(super) const USAGE: u8 = 2;
/// Somebody else has the data folder.
pub(super) const IN_USE: u8 = 3;
/// The store cannot be used.
pub(super) const UNUSABLE: u8 = 4;

/// The end of a command that did not do what it should.
#[derive(Debug)]
pub(super) struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into() }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::usage(format!("the settings are not valid:\n{faults}"))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let code = match &error {
            OpenError::Store(store) => match store.fault() {
                Fault::InUse => IN_USE,
                Fault::Unusable => UNUSABLE,
                Fault::Failed => FAILED,
            },
            _ => FAILED,
        };
        Self { code, message: error.to_string() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let sentences: Vec<&str> = error.faults.iter().map(|(_, sentence)| sentence.as_str()).collect();
        Self::new(if sentences.is_empty() { error.message.clone() } else { sentences.join("\n") })
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}
