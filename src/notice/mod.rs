//! Telling people and programs that an export has ended, by mail and by webhook. What is owed to whom
//! is for others to know: here a notice goes out once, and either gets through or says why not.
//!
//! In reading order: `words` (what is said), `template` and `readable` (how), `mail` (a letter and its
//! ways), `smtp`, `spool`, `webhook`, `error`.

mod error;
mod mail;
mod readable;
mod smtp;
mod spool;
mod template;
mod webhook;
mod words;

pub use error::Error;
pub use mail::{Letter, Mailer};
pub use webhook::Hooks;
pub use words::Words;
