//! Functions of scripts that are nothing but formulas over the task: understood once, when they go live, and
//! computed without Rhai.
//!
//! What most scripts say - keys of the task, arithmetic, comparisons, conditions, texts put together, a few
//! functions - needs none of what Rhai has for the rest: tables of variables, looking for functions by the
//! types of what they are given, values that are shared and locked. A function is taken over only if all of
//! it is understood, and a formula only ever answers with a value: where a row holds what it does not expect,
//! and be it the slightest doubt, the call is made anew by Rhai, which then finds the fault or the value. As
//! nothing in it can be changed, nobody sees that it began twice.
//!
//! In reading order: `node` (the tree that a function becomes), `read` (how it becomes that), `compute`,
//! `operators`, `within` (what lies in lists and maps), `functions`.

mod compute;
mod functions;
mod node;
mod operators;
mod read;
mod within;

use std::time::Instant;

use rhai::Engine;

use super::call::Allowance;
use super::plain::Plain;
use super::{Session, Task};
use compute::Computing;
use node::Node;
pub(super) use read::formula;

/// A function of a script that can be computed without Rhai.
#[derive(Debug)]
pub(super) struct Formula(Node);

/// What a formula may make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Parts of it that are computed.
    pub steps: u64,
    /// Milliseconds that it may take before Rhai takes over.
    pub millis: u64,
    /// Bytes of all that it holds at a time.
    pub bytes: usize,
    /// Bytes of a text.
    pub text_bytes: usize,
    /// Items of a list; so many bytes hold no more.
    pub items: usize,
}

impl Bounds {
    /// Those of an engine and of a call.
    pub fn of(engine: &Engine, allowance: Allowance) -> Self {
        let text_bytes = engine.max_string_size();
        // A key with its value has five bytes, an item two.
        let items = text_bytes.min(engine.max_array_size()).min(engine.max_map_size().saturating_mul(4));
        Self { steps: allowance.operations, millis: allowance.millis, bytes: allowance.bytes, text_bytes, items }
    }
}

impl Formula {
    /// The value and how many steps it took; nothing where Rhai has to say what it is.
    pub fn compute<'a>(
        &'a self,
        session: &'a Session,
        task: &'a Task<'_>,
        args: &'a str,
        bounds: Bounds,
        started: Instant,
    ) -> Option<(Plain<'a>, u64)> {
        let mut computing = Computing::new(session, task, args, bounds, started);
        computing.value(&self.0).map(|value| (value, computing.steps()))
    }
}
