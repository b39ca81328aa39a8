//! One compiled script and what it can be asked. Every call has the limits of the settings, and
//! always comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::domain::{Moment, ScriptFault, Value, Zone};

use super::Task;

/// A compiled script; clones are the same one, on any thread.
#[derive(Debug, Clone)]
pub struct Program(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    label: String,
    hash: String,
    reads: Reads,
}

/// The top-level keys of a task that a script can look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// It computes names, or hands the task on: any key.
    Whole,
    /// These and no others.
    Keys(BTreeSet<String>),
}

/// What a config gives a script beside the task, made ready once.
#[derive(Debug, Clone, Default)]
pub struct Args;

impl Args {
    /// The arguments of a config's field or flow.
    pub fn new(_args: Option<&Map<String, Json>>) -> Self {
        Self
    }
}

/// What is the same for all calls of a run: the moment that `now()` is, the zone that times are shown
/// in, and the key of `digest`.
#[derive(Debug, Clone)]
pub struct Session {
    /// The snapshot's moment.
    pub now: Moment,
    /// The export's zone.
    pub zone: Zone,
    /// The secret behind `digest`.
    pub digest_key: [u8; 32],
    /// How much longer than the settings say a call may take: 1, or more where the same call is known
    /// to have ended in time before.
    pub patience: u32,
}

/// What a call came to, and what it took.
#[derive(Debug, Clone)]
pub struct Ran<T> {
    /// What it gave back.
    pub result: Result<T, ScriptFault>,
    /// What it took.
    pub spent: Spent,
}

/// What calls took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Rhai's operations.
    pub operations: u64,
    /// Microseconds.
    pub micros: u64,
}

/// A column that a flow script adds to those of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraColumn {
    /// The key under which `rows` gives its value.
    pub id: String,
    /// What stands above it.
    pub title: String,
    /// An Excel number format.
    pub format: Option<String>,
}

impl Program {
    /// `fields/minutes`, `flows/delivery`, or `expression of <column>`.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// The SHA-256 of its text, in lower-case hex.
    pub fn hash(&self) -> &str {
        &self.0.hash
    }

    /// What it can look at.
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// `value(task, args)`: a cell.
    pub fn value(&self, _session: &Session, _task: &Task, _args: &Args) -> Ran<Value> {
        self.absent("value")
    }

    /// `include(task, args)`: whether the task is exported; true where the script has no such function.
    pub fn include(&self, _session: &Session, _task: &Task, _args: &Args) -> Ran<bool> {
        self.absent("include")
    }

    /// `rows(task, args)`: for each row the values that take the place of the task's own, by column;
    /// one row without any where the script has no such function.
    pub fn rows(&self, _session: &Session, _task: &Task, _args: &Args) -> Ran<Vec<Vec<(String, Value)>>> {
        self.absent("rows")
    }

    /// `columns(args)`: what it adds to the columns of the config.
    pub fn columns(&self, _session: &Session, _args: &Args) -> Ran<Vec<ExtraColumn>> {
        self.absent("columns")
    }

    fn absent<T>(&self, name: &str) -> Ran<T> {
        let text = format!("There is no function {name}.");
        let fault = ScriptFault { script: self.label().to_owned(), line: None, column: None, text };
        Ran { result: Err(fault), spent: Spent::default() }
    }
}
