//! From texts to programs: the engine of one generation, with its libs.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::module_resolvers::StaticModuleResolver;
use rhai::{Caches, Engine, EvalAltResult, EvalContext, Expr, Expression, GlobalRuntimeState, Module, Scope};
use rhai::{Position, StmtBlock};

use crate::domain::ScriptFault;
use crate::domain::limits::MAX_SCRIPT_BYTES;
use crate::settings::Scripts;

use super::call::{self, Allowance};
use super::entry::{Entry, returned};
use super::fault::Origin;
use super::lint::{self, Natives, Unit};
use super::program::Compiled;
use super::{Program, ScriptKind, engine, formula, interpolation, reads};

/// Bytes of an expression in a config.
const MAX_EXPRESSION_BYTES: u64 = 16 * 1024;
/// What an expression becomes the body of; it ends with a line of its own.
const BEFORE_EXPRESSION: &str = "fn value(task, args) {\n";

/// Compiles scripts that share an engine and libs.
#[derive(Debug)]
pub(super) struct Compiler {
    engine: Arc<Engine>,
    natives: Natives,
    libs: BTreeMap<String, Unit>,
    allowance: Allowance,
}

impl Compiler {
    /// An engine with these libs, by name and text, and what is wrong with those that it could not take.
    pub fn new(settings: &Scripts, libs: &[(&str, &str)]) -> (Self, Vec<(String, ScriptFault)>) {
        let engine = engine::build(settings);
        let natives = Natives::of(&engine);
        let allowance = engine::allowance(settings);
        let mut loading = Loading { engine, natives, allowance, done: BTreeMap::new(), resolver: <_>::default() };
        let faults = loading.all(libs);
        let Loading { engine, natives, done, .. } = loading;
        (Self { engine: Arc::new(engine), natives, libs: done, allowance }, faults)
    }

    /// A file of the folder, ready to be called.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn program(&self, kind: ScriptKind, name: &str, text: &str) -> Result<Program, ScriptFault> {
        let label = format!("{}/{name}", kind.folder());
        let unit = parse(&self.engine, Origin::file(&label, text), text, MAX_SCRIPT_BYTES)?;
        lint::entry_points(&unit, kind)?;
        self.finish(unit, kind, text)
    }

    /// The body of `fn value(task, args)`, under this label. Lines and columns of its faults are those of
    /// `text`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn expression(&self, label: &str, text: &str) -> Result<Program, ScriptFault> {
        let origin = Origin { lines_before: 1, ..Origin::file(label, text) };
        let whole = format!("{BEFORE_EXPRESSION}{text}\n}}");
        let unit = parse(&self.engine, origin, &whole, MAX_EXPRESSION_BYTES)?;
        let named = unit.ast.iter_functions().filter(|function| !function.name.starts_with("anon$")).count();
        if named != 1 || !unit.ast.statements().is_empty() {
            return Err(unit.origin.fault("A closing bracket } stands without its opening one {."));
        }
        self.finish(unit, ScriptKind::Field, text)
    }

    fn finish(&self, unit: Unit, kind: ScriptKind, text: &str) -> Result<Program, ScriptFault> {
        check(&unit, &self.natives, &self.libs)?;
        let around = around(&self.engine, &unit, self.allowance)?;
        let given_tasks: &[&'static str] = match kind {
            ScriptKind::Field => &["value"],
            ScriptKind::Flow => &["include", "rows"],
            ScriptKind::Lib => &[],
        };
        let reads = reads::of(&unit, &self.libs, given_tasks);
        let formula = |name: &&'static str| Some((*name, formula::formula(&unit, &self.libs, name)?));
        let formulas = given_tasks.iter().filter_map(formula).collect();
        let (entries, imports) = (Entry::all(&unit.ast), !unit.imports.is_empty());
        let script = Compiled { origin: unit.origin, kind, text, entries, formulas, reads, imports, around };
        Ok(Program::new(Arc::clone(&self.engine), script, self.allowance))
    }
}

/// Libs on their way into the engine.
struct Loading {
    engine: Engine,
    natives: Natives,
    allowance: Allowance,
    done: BTreeMap<String, Unit>,
    resolver: StaticModuleResolver,
}

impl Loading {
    /// Takes in those whose imports are in already, until no more can be: a lib comes after its imports.
    fn all(&mut self, libs: &[(&str, &str)]) -> Vec<(String, ScriptFault)> {
        let mut faults = Vec::new();
        let mut waiting = BTreeMap::new();
        for (name, text) in libs {
            let origin = Origin::file(&format!("lib/{name}"), text);
            match parse(&self.engine, origin, text, MAX_SCRIPT_BYTES) {
                Ok(unit) => drop(waiting.insert((*name).to_owned(), unit)),
                Err(fault) => faults.push(((*name).to_owned(), fault)),
            }
        }
        loop {
            let ready = |unit: &Unit| unit.imported().all(|name| self.done.contains_key(name));
            let next = waiting.iter().find(|(_, unit)| ready(unit)).map(|(name, _)| name.clone());
            let Some((name, unit)) = next.and_then(|name| waiting.remove_entry(&name)) else { break };
            if let Err(fault) = self.one(&name, unit) {
                faults.push((name, fault));
            }
        }
        let names: BTreeSet<String> = waiting.keys().cloned().collect();
        faults.extend(waiting.into_iter().map(|(name, unit)| {
            let fault = without_imports(&unit, &self.done, &names);
            (name, fault)
        }));
        faults
    }

    fn one(&mut self, name: &str, unit: Unit) -> Result<(), ScriptFault> {
        lint::entry_points(&unit, ScriptKind::Lib)?;
        check(&unit, &self.natives, &self.done)?;
        let module = module(&self.engine, &unit, self.allowance)?;
        self.resolver.insert(format!("lib/{name}"), module);
        self.engine.set_module_resolver(self.resolver.clone());
        self.done.insert(name.to_owned(), unit);
        Ok(())
    }
}

fn parse(engine: &Engine, origin: Origin, text: &str, most: u64) -> Result<Unit, ScriptFault> {
    if text.len() as u64 > most {
        return Err(origin.fault(format!("The script has {} bytes; it can have {most}.", text.len())));
    }
    let parsed = |text: &str, origin: &Origin| engine.compile(text).map_err(|error| origin.of_parsing(&error));
    let mut origin = origin;
    let mut ast = parsed(text, &origin)?;
    if let Some((measured, inserted)) = interpolation::measured(&ast, text) {
        origin.inserted = inserted;
        ast = parsed(&measured, &origin)?;
    }
    if !interpolation::is_measured(&ast) {
        return Err(origin.fault("One of its ${...} cannot be read."));
    }
    ast.set_source(origin.label.as_str());
    Unit::new(origin, ast)
}

fn check(unit: &Unit, natives: &Natives, libs: &BTreeMap<String, Unit>) -> Result<(), ScriptFault> {
    if unit.imported().any(|name| !libs.contains_key(name)) {
        return Err(without_imports(unit, libs, &BTreeSet::new()));
    }
    lint::calls(unit, natives, libs)
}

/// A lib that it imports is not there, or waits for a lib that waits for it.
fn without_imports(unit: &Unit, libs: &BTreeMap<String, Unit>, waiting: &BTreeSet<String>) -> ScriptFault {
    let missing = unit.imported().filter(|name| !libs.contains_key(*name));
    let (circle, absent): (Vec<&str>, Vec<&str>) = missing.partition(|name| waiting.contains(*name));
    let text = match (absent.first(), circle.first()) {
        (Some(name), _) => format!("There is no lib/{name} that works."),
        (None, Some(name)) => format!("lib/{name}, which it imports, waits for it in turn, or for such a circle."),
        (None, None) => "An import does not work.".to_owned(),
    };
    unit.origin.fault(text)
}

/// Carries out what stands outside of a lib's functions, once: imports and constants, which then go with each
/// function.
fn module(engine: &Engine, unit: &Unit, allowance: Allowance) -> Result<Module, ScriptFault> {
    evaluated(unit, allowance, || Module::eval_ast_as_new(Scope::new(), &unit.ast, engine))
}

/// The same for a script that others do not import: what is then around its functions.
fn around(engine: &Engine, unit: &Unit, allowance: Allowance) -> Result<GlobalRuntimeState, ScriptFault> {
    let mut around = engine.new_global_runtime_state();
    around.source = unit.ast.source().map(Into::into);
    around.lib.push(unit.ast.shared_lib().clone());
    let outside = StmtBlock::new(unit.ast.statements().iter().cloned(), Position::NONE, Position::NONE);
    let outside = Expr::Stmt(outside.into());
    let (mut scope, mut found) = (Scope::new(), Caches::new());
    let mut context = EvalContext::new(engine, &mut around, &mut found, &mut scope, None);
    #[expect(deprecated, reason = "it is not: the attribute says that the call may change with a version of Rhai")]
    let work = || returned(context.eval_expression_tree_raw(&Expression::from(&outside), false));
    evaluated(unit, allowance, work).map(drop)?;
    Ok(around)
}

fn evaluated<T>(
    unit: &Unit,
    allowance: Allowance,
    work: impl FnOnce() -> Result<T, Box<EvalAltResult>>,
) -> Result<T, ScriptFault> {
    let outcome = call::limited(allowance, 1, || catch_unwind(AssertUnwindSafe(work)));
    match outcome.result {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) => Err(unit.origin.of_running(error, outcome.excess, allowance)),
        Err(_) => Err(unit.origin.fault("The engine gave up on it.")),
    }
}
