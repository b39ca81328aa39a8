//! The engine that scripts run in: the language and nothing else.
//!
//! It begins with nothing and is given package by package, so that what is not named here is not there:
//! no `sleep`, `exit`, `eval`, `print`, no file, no clock, no blobs. What the packages have that could make
//! much out of little is replaced in `natives`.

use rhai::module_resolvers::DummyModuleResolver;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{Dynamic, Engine, Module, OptimizationLevel};

use crate::settings::Scripts;

use super::call::{self, Allowance};
use super::task::Seen;
use super::{closures, functions, natives};

/// Expressions and blocks inside each other.
const MAX_EXPRESSION_DEPTH: usize = 32;
/// Variables that a call has at a time.
const MAX_VARIABLES: usize = 256;
/// Functions of one file.
const MAX_FUNCTIONS: usize = 256;
/// Imports that one call carries out.
const MAX_IMPORTS: usize = 64;
/// Bytes of stack for the deepest of calls, in a build without optimisation.
const CALL_STACK_BYTES: usize = 8 << 20;
/// Bytes of stack for what one operation can put around a value.
const STACK_BYTES_PER_OPERATION: usize = 100;
/// Bytes of stack for what lies around a value, for each of its bytes.
const STACK_BYTES_PER_BYTE: usize = 2;
/// What the language has and scripts have not.
const WITHHELD: [&str; 3] = ["eval", "print", "debug"];

/// An engine with the limits of the settings.
pub(super) fn build(settings: &Scripts) -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(language().into());
    for symbol in WITHHELD {
        engine.disable_symbol(symbol);
    }
    limit(&mut engine, settings);
    natives::register(&mut engine, settings);
    closures::register(&mut engine);
    Seen::register(&mut engine);
    functions::register(&mut engine);
    engine
}

/// What scripts have of Rhai's own functions, in one module: what is not in it is looked for only once.
fn language() -> Module {
    let mut module = Module::new();
    ArithmeticPackage::init(&mut module);
    BasicArrayPackage::init(&mut module);
    BasicFnPackage::init(&mut module);
    BasicIteratorPackage::init(&mut module);
    BasicMapPackage::init(&mut module);
    BasicMathPackage::init(&mut module);
    BasicStringPackage::init(&mut module);
    LogicPackage::init(&mut module);
    MoreStringPackage::init(&mut module);
    module.register_lazy_functions();
    module.build_index();
    module
}

/// What one call may use.
pub(super) fn allowance(settings: &Scripts) -> Allowance {
    Allowance { operations: settings.max_operations, millis: settings.max_call_ms, bytes: settings.max_call_bytes }
}

/// Bytes of the stack that a thread needs on which scripts are called.
///
/// Functions that call each other take a part, and values inside each other another: closures can be put
/// into closures without end but for the operations and the memory of a call, and are let go one inside the
/// other.
pub fn stack_bytes(settings: &Scripts) -> usize {
    let operations = usize::try_from(settings.max_operations).unwrap_or(usize::MAX);
    let by_operations = operations.saturating_mul(STACK_BYTES_PER_OPERATION);
    let by_memory = settings.max_call_bytes.saturating_mul(STACK_BYTES_PER_BYTE);
    CALL_STACK_BYTES.saturating_add(by_operations.min(by_memory))
}

fn limit(engine: &mut Engine, settings: &Scripts) {
    engine
        .set_max_operations(settings.max_operations)
        .set_max_call_levels(settings.max_call_depth)
        .set_max_string_size(settings.max_string_bytes)
        .set_max_array_size(settings.max_list_items)
        .set_max_map_size(settings.max_map_keys)
        .set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_DEPTH)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(MAX_IMPORTS)
        .set_strict_variables(true)
        // Threads would wait for each other at the table of shared texts.
        .set_max_strings_interned(0)
        // A constant that is put in place of its name, and again in the next constant, doubles with each
        // line while no limit looks. And functions of the session must not run before there is one.
        .set_optimization_level(OptimizationLevel::None)
        .set_module_resolver(DummyModuleResolver::new())
        .on_progress(|_| call::must_end().then_some(Dynamic::UNIT));
}
