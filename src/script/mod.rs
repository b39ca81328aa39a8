//! Operators' scripts: a folder of Rhai files that compute cells and decide which rows a task becomes
//! (scripting.md). Nothing in this room can touch disk, network or clock on a script's behalf.
//!
//! In reading order: `library` (the folder and its generations), `compiler` (from text to program) with
//! `engine`, `natives`, `lint`, `reads` and `walk`, `program` (one compiled script and what it can be asked)
//! with `call` (what a call may use), `convert` and `examples`, `task` (the lazy view a script sees) with
//! `decode`, `functions` and `types` (what scripts have beside Rhai's own), `fault`, `error`.

mod call;
mod compiler;
mod convert;
mod decode;
mod engine;
mod error;
mod fault;
mod functions;
mod library;
mod lint;
mod natives;
mod program;
mod reads;
mod task;
mod types;
mod walk;

pub use error::Error;
pub use functions::{FunctionDoc, functions};
pub use library::{Generation, Library, ScriptFile, ScriptKind};
pub use program::{Args, Counters, ExtraColumn, Program, Ran, Reads, Session, Spent};
pub use task::Task;
