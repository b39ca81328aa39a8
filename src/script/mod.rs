//! Operators' scripts: a folder of Rhai files that compute cells and decide which rows a task becomes
//! (scripting.md). Nothing in this room can touch disk, network or clock on a script's behalf.
//!
//! In reading order: `library` (the folder and its generations), `program` (one compiled script and
//! what it can be asked), `task` (the lazy view a script sees), `error`.

mod call;
mod error;
mod functions;
mod library;
mod program;
mod task;
mod types;

pub use error::Error;
pub use functions::{FunctionDoc, functions};
pub use library::{Generation, Library, ScriptFile, ScriptKind};
pub use program::{Args, ExtraColumn, Program, Ran, Reads, Session, Spent};
pub use task::Task;
