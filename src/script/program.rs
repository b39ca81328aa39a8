//! One compiled script and what it can be asked. Every call has the limits of the settings, and
//! always comes back.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use rhai::{Dynamic, Engine, EvalAltResult, GlobalRuntimeState, Position};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::domain::{Moment, ScriptFault, Value, Zone};
use crate::kit::memory::held_bytes;

use super::call::{self, Allowance, Outcome};
use super::decode::decode;
use super::desk::Desks;
use super::entry::{Entry, Given};
use super::fault::Origin;
use super::formula::{Bounds, Formula};
use super::plain::Plain;
use super::task::Seen;
use super::{ScriptKind, Task, convert};

/// A compiled script; clones are the same one, on any thread.
#[derive(Clone)]
pub struct Program(Arc<Inner>);

struct Inner {
    origin: Origin,
    kind: ScriptKind,
    hash: String,
    reads: Reads,
    entries: Vec<Entry>,
    formulas: Vec<(&'static str, Formula)>,
    bounds: Bounds,
    engine: Arc<Engine>,
    allowance: Allowance,
    desks: Desks,
}

/// What the compiler found out about a script.
pub(super) struct Compiled<'a> {
    pub origin: Origin,
    pub kind: ScriptKind,
    pub text: &'a str,
    /// What it can be asked for.
    pub entries: Vec<Entry>,
    /// Those of them that are no more than formulas, by name.
    pub formulas: Vec<(&'static str, Formula)>,
    pub reads: Reads,
    /// Whether it imports libs.
    pub imports: bool,
    /// What is around its functions: themselves, its imports and its constants.
    pub around: GlobalRuntimeState,
}

/// What the calls of a script came to, those of its own examples left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls.
    pub calls: u64,
    /// Calls that ended with a fault.
    pub faults: u64,
    /// Microseconds of all calls.
    pub micros: u64,
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
#[derive(Debug, Clone)]
pub struct Args {
    given: Dynamic,
    json: Arc<str>,
}

impl Args {
    /// The arguments of a config's field or flow.
    pub fn new(args: Option<&Map<String, Json>>) -> Self {
        let json = args.map_or_else(|| "{}".to_owned(), |args| Json::from(args.clone()).to_string());
        Self { given: decode(&json), json: json.into() }
    }

    /// Those of an example.
    pub(super) fn of(given: Dynamic) -> Self {
        let json = convert::json(&given).unwrap_or_default().into();
        Self { given, json }
    }
}

impl Default for Args {
    fn default() -> Self {
        Self::new(None)
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

/// For each row of a task the values that take the place of its own, by column.
pub type Rows = Vec<Vec<(String, Value)>>;

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
    /// Rhai's operations, or as many steps of a formula.
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

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("label", &self.label()).field("hash", &self.hash()).finish_non_exhaustive()
    }
}

impl Program {
    pub(super) fn new(engine: Arc<Engine>, script: Compiled, allowance: Allowance) -> Self {
        let Compiled { origin, kind, entries, formulas, reads, imports, mut around, .. } = script;
        if let (Reads::Keys(keys), Some(functions)) = (&reads, around.lib.first_mut()) {
            Seen::register_keys(Arc::make_mut(functions), keys);
        }
        let hash = Sha256::digest(script.text).iter().map(|byte| format!("{byte:02x}")).collect();
        let (desks, bounds) = (Desks::new(around, !imports), Bounds::of(&engine, allowance));
        Self(Arc::new(Inner { origin, kind, hash, reads, entries, formulas, bounds, engine, allowance, desks }))
    }

    /// `fields/minutes`, `flows/delivery`, or `expression of <column>`.
    pub fn label(&self) -> &str {
        &self.0.origin.label
    }

    /// The SHA-256 of its text, in lower-case hex.
    pub fn hash(&self) -> &str {
        &self.0.hash
    }

    /// What it can look at.
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// What its calls came to.
    pub fn counters(&self) -> Counters {
        self.0.desks.counters()
    }

    /// `value(task, args)`: a cell.
    pub fn value(&self, session: &Session, task: &Task, args: &Args) -> Ran<Value> {
        self.value_by_formula(session, task, args).unwrap_or_else(|| self.value_by_rhai(session, task, args))
    }

    /// The same without Rhai; nothing where it is no formula, and where Rhai has to say.
    pub(super) fn value_by_formula(&self, session: &Session, task: &Task, args: &Args) -> Option<Ran<Value>> {
        self.computed("value", session, task, args, |value| value.cell(self.most_bytes()))
    }

    /// The same by Rhai.
    pub(super) fn value_by_rhai(&self, session: &Session, task: &Task, args: &Args) -> Ran<Value> {
        self.ran(session, "value", || with_task(task, args), |given| convert::cell(given, self.most_bytes()))
    }

    /// `include(task, args)`: whether the task is exported; true where the script has no such function.
    pub fn include(&self, session: &Session, task: &Task, args: &Args) -> Ran<bool> {
        if !self.has("include") {
            return Ran { result: Ok(true), spent: Spent::default() };
        }
        let truth = |value: &Plain| if let Plain::Bool(truth) = value { Some(*truth) } else { None };
        let computed = self.computed("include", session, task, args, truth);
        computed.unwrap_or_else(|| self.ran(session, "include", || with_task(task, args), convert::truth))
    }

    /// `rows(task, args)`: for each row the values that take the place of the task's own, by column;
    /// one row without any where the script has no such function.
    pub fn rows(&self, session: &Session, task: &Task, args: &Args) -> Ran<Rows> {
        if !self.has("rows") {
            return Ran { result: Ok(vec![Vec::new()]), spent: Spent::default() };
        }
        self.rows_by_formula(session, task, args).unwrap_or_else(|| self.rows_by_rhai(session, task, args))
    }

    /// The same without Rhai; nothing where it is no formula, and where Rhai has to say.
    pub(super) fn rows_by_formula(&self, session: &Session, task: &Task, args: &Args) -> Option<Ran<Rows>> {
        self.computed("rows", session, task, args, |value| value.rows(self.most_bytes()))
    }

    /// The same by Rhai.
    pub(super) fn rows_by_rhai(&self, session: &Session, task: &Task, args: &Args) -> Ran<Rows> {
        self.ran(session, "rows", || with_task(task, args), |given| convert::rows(given, self.most_bytes()))
    }

    /// `columns(args)`: what it adds to the columns of the config; none where the script has no such
    /// function.
    pub fn columns(&self, session: &Session, args: &Args) -> Ran<Vec<ExtraColumn>> {
        if !self.has("columns") {
            return Ran { result: Ok(Vec::new()), spent: Spent::default() };
        }
        self.ran(session, "columns", || [args.given.clone()], convert::columns)
    }

    /// Counts from here on: whoever asks wants to know of exports, not of what was tried before. Bytes that
    /// were left behind are still there.
    pub(super) fn count_anew(&self) {
        self.0.desks.count_anew();
    }

    pub(super) fn kind(&self) -> ScriptKind {
        self.0.kind
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.entries.iter().any(|entry| entry.name() == name)
    }

    pub(super) fn most_bytes(&self) -> usize {
        self.0.allowance.bytes
    }

    /// A fault of the script as a whole.
    pub(super) fn fault(&self, text: impl Into<String>) -> ScriptFault {
        self.0.origin.fault(text)
    }

    /// What the formula that a function is comes to; nothing where it is none, and where Rhai has to say.
    fn computed<T>(
        &self,
        name: &str,
        session: &Session,
        task: &Task,
        args: &Args,
        make: impl FnOnce(&Plain) -> Option<T>,
    ) -> Option<Ran<T>> {
        let Inner { formulas, bounds, desks, .. } = &*self.0;
        let (_, formula) = formulas.iter().find(|(known, _)| *known == name)?;
        let started = Instant::now();
        let (value, operations) = formula.compute(session, task, &args.json, *bounds, started)?;
        let result = Ok(make(&value)?);
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        desks.count(false, micros, 0);
        Some(Ran { result, spent: Spent { operations, micros } })
    }

    /// Calls one of its functions and makes something of what it gives.
    pub(super) fn ran<T, const N: usize>(
        &self,
        session: &Session,
        name: &str,
        args: impl FnOnce() -> [Dynamic; N],
        make: impl FnOnce(&Dynamic) -> Result<T, String>,
    ) -> Ran<T> {
        let Inner { allowance, desks, origin, .. } = &*self.0;
        if desks.left_more_than(allowance.bytes) {
            let fault = "The script is switched off: its functions hold values that hold them, and fill the memory.";
            return Ran { result: Err(origin.fault(fault)), spent: Spent::default() };
        }
        let before = held_bytes();
        let work = || call::limited(*allowance, session.patience, || self.call(name, args()));
        let Outcome { result, excess, kept, spent } = call::within(session, work);
        let (result, made) = match (result, excess) {
            (Some(Ok(_)), Some(excess)) => (Err(origin.of_excess(excess, *allowance)), 0),
            (Some(Ok(given)), None) => {
                let before = held_bytes();
                let made = make(&given).map_err(|text| origin.fault(format!("The function {name} {text}.")));
                (made, held_bytes() - before)
            }
            (Some(Err(error)), excess) => (Err(origin.of_running(error, excess, *allowance)), 0),
            (None, _) => (Err(origin.fault(format!("The engine gave up on the function {name}."))), 0),
        };
        desks.count(result.is_err(), spent.micros, held_bytes() - before - kept - made);
        Ran { result, spent }
    }

    /// Nothing when the engine itself panicked, as it does where a closure takes a value that is being
    /// changed.
    fn call<const N: usize>(&self, name: &str, args: [Dynamic; N]) -> Option<Given> {
        let Inner { engine, entries, desks, .. } = &*self.0;
        let Some(entry) = entries.iter().find(|entry| entry.name() == name && entry.parameters() == N) else {
            return Some(Err(EvalAltResult::ErrorFunctionNotFound(name.to_owned(), Position::NONE).into()));
        };
        desks.call(|place| catch_unwind(AssertUnwindSafe(|| entry.call(engine, place, args))).ok())
    }
}

fn with_task(task: &Task, args: &Args) -> [Dynamic; 2] {
    [Dynamic::from(task.seen()), args.given.clone()]
}
