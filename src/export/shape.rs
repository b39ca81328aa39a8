//! What a stored task becomes: the row of its values, or the rows that scripts make of it.

use std::collections::BTreeMap;

use crate::domain::{FaultTally, Result, ScriptFault};
use crate::render::Row;
use crate::script::{Ran, Spent};
use crate::store::Record;

use super::scripted::Scripted;

/// How tasks become rows.
pub(super) enum Shape {
    /// Each task is copied whole.
    Copied,
    /// Each task is one row of its values under these keys.
    Keys(Vec<String>),
    /// By a config: with columns that are computed, or flows whose tasks are shaped.
    Scripted(Box<Scripted>),
}

/// What is known of the rows of a task before they are made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate<'a> {
    /// Nothing: the flow's script is asked for all of it.
    Open,
    /// It becomes so many rows.
    Counted(u32),
    /// The flow's script failed, so that it keeps its plain values.
    Failed(&'a ScriptFault),
}

/// What happened while rows were made.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What went wrong.
    pub faults: FaultTally,
    /// What the calls of each script took, by its label.
    pub calls: BTreeMap<String, Calls>,
}

/// What the calls of a script took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calls {
    /// How many there were.
    pub calls: u64,
    /// What they took together.
    pub spent: Spent,
}

impl Shape {
    /// Whether scripts are called for it.
    pub(super) fn calls_scripts(&self) -> bool {
        matches!(self, Self::Scripted(_))
    }

    /// What is to be read of each task.
    pub(super) fn keys(&self) -> &[String] {
        match self {
            Self::Copied => &[],
            Self::Keys(keys) => keys,
            Self::Scripted(scripted) => &scripted.keys,
        }
    }

    /// The keys that are read of each task; none when it is read whole.
    pub(super) fn wanted(&self) -> Option<&[String]> {
        match self {
            Self::Copied => None,
            Self::Keys(keys) => Some(keys),
            Self::Scripted(scripted) => scripted.wanted(),
        }
    }

    /// How tasks become rows by a config, if it may not be one row each.
    pub(super) fn flows(&self) -> Option<&Scripted> {
        match self {
            Self::Scripted(scripted) if scripted.shapes_flows() => Some(scripted),
            _ => None,
        }
    }

    /// Shows the rows of a task to `each`.
    ///
    /// # Errors
    /// Those of `each`, which stop it.
    pub(super) fn rows(
        &self,
        record: &Record<'_>,
        fate: Fate<'_>,
        told: &mut Told,
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Copied => each(&Row::Task(record.json()?)),
            Self::Keys(_) => each(&Row::Of(record.id, record.cells)),
            Self::Scripted(scripted) => scripted.rows(record, fate, told, each),
        }
    }
}

impl Told {
    /// Notes what a call of a script took, and goes on with what it came to.
    pub(super) fn note<T>(&mut self, script: &str, ran: Ran<T>) -> Result<T, ScriptFault> {
        let one = Calls { calls: 1, spent: ran.spent };
        match self.calls.get_mut(script) {
            Some(calls) => calls.add(one),
            None => drop(self.calls.insert(script.to_owned(), one)),
        }
        ran.result
    }
}

impl Calls {
    fn add(&mut self, more: Self) {
        self.calls += more.calls;
        self.spent.operations += more.spent.operations;
        self.spent.micros += more.spent.micros;
    }
}
