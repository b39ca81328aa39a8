//! Operators' scripts: a folder of Rhai files that compute cells and decide which rows a task becomes
//! (scripting.md). Nothing in this room can touch disk, network or clock on a script's behalf.
//!
//! In reading order: `folder` (one look at the files), `generation` (all scripts at one moment), `next`
//! (from one to the next), `library` (the one that is current), `watch` (when to look), `compiler` (from
//! text to program) with `engine`, `natives`, `interpolation`, `lint`, `reads` and `walk`, `program` (one compiled script
//! and what it can be asked) with `call` (what a call may use), `desk` (what is kept from call to call), `convert` and
//! `examples`, `task` (the lazy view a script sees) with `decode`, `functions` and `types` (what scripts have beside
//! Rhai's own), `formula` (functions that are computed without Rhai) with `plain`, `fault`, `error`.

mod call;
mod closures;
mod compiler;
mod convert;
mod decode;
mod desk;
mod engine;
mod entry;
mod error;
mod examples;
mod fault;
mod folder;
mod formula;
mod functions;
mod generation;
mod interpolation;
mod library;
mod lint;
mod natives;
mod next;
mod plain;
mod program;
mod reads;
mod task;
mod types;
mod walk;
mod watch;

#[cfg(test)]
mod tests;

pub use engine::stack_bytes;
pub use error::Error;
pub use functions::{FunctionDoc, functions};
pub use generation::{Generation, ScriptFile, ScriptKind};
pub use library::Library;
pub use program::{Args, Counters, ExtraColumn, Program, Ran, Reads, Session, Spent};
pub use task::Task;
pub use watch::Watch;
