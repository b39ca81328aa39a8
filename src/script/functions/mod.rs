//! The functions that scripts have beside Rhai's own (scripting.md).
//!
//! Rules that hold for all of them: a missing value, `()`, goes in and comes out without a fault
//! wherever an empty cell is what an operator wants; a value of a wrong kind is a fault that quotes
//! it; nothing is larger than the engine's limits; nothing looks at a clock, a file or another task.
//!
//! In reading order: `argument` (what a function is given, and faults about it), then a file for each
//! family.

mod argument;
pub(super) mod lists;
pub(super) mod numbers;
mod paths;
pub(super) mod patterns;
pub(super) mod places;
pub(super) mod texts;
pub(super) mod times;

#[cfg(test)]
mod tests;

pub(super) use argument::Outcome;

use rhai::{Engine, FuncRegistration, Module, RhaiNativeFunc, Token, Variant};

/// A function that scripts can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionDoc {
    /// How it is called: `round(x, digits)`.
    pub signature: &'static str,
    /// What it gives, in a sentence or two.
    pub about: &'static str,
    /// A call and what it comes to, both of them Rhai: `round(2.675, 2) → 2.68`.
    pub example: &'static str,
}

/// Every function that scripts can call, family by family.
pub fn functions() -> impl Iterator<Item = &'static FunctionDoc> {
    [paths::DOCS, times::DOCS, numbers::DOCS, lists::DOCS, places::DOCS, texts::DOCS, patterns::DOCS]
        .into_iter()
        .flatten()
}

/// Makes every function known to the engine.
pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(module().into());
    // Rhai reserves the word for a later version of its own.
    #[expect(deprecated, reason = "it is not: the attribute says that the call may change with a version of Rhai")]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if word.as_str() == patterns::MATCH => Token::Identifier(word),
        token => token,
    });
}

fn module() -> Module {
    let mut module = Module::new();
    paths::register(&mut module);
    times::register(&mut module);
    numbers::register(&mut module);
    lists::register(&mut module);
    places::register(&mut module);
    texts::register(&mut module);
    patterns::register(&mut module);
    module
}

/// Adds a function. None is ever computed while a script is compiled: what it gives may depend on the
/// session of the call.
fn add<A: 'static, const N: usize, const X: bool, R: Variant + Clone>(
    module: &mut Module,
    name: &str,
    function: impl RhaiNativeFunc<A, N, X, R, true> + Send + Sync + 'static,
) {
    FuncRegistration::new(name).with_volatility(true).set_into_module(module, function);
}
