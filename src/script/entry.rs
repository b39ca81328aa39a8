//! A function that a script can be asked for, called without the way by its name.
//!
//! Rhai calls a function by looking for it, making a table of variables with copies of the parameters' names,
//! and carrying out its body. Here the function is known and the table stays, so that only the body is left.

use rhai::{AST, ASTNode, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, FnAccess};
use rhai::{GlobalRuntimeState, Position, Scope, StmtBlock};

use super::walk;

/// What scripts can be asked for.
const NAMES: [&str; 6] = ["value", "include", "rows", "columns", "about", "examples"];
/// Calls inside each other when the body begins, as Rhai counts them.
const LEVEL: usize = 2;

/// What comes of a call.
pub(super) type Given = Result<Dynamic, Box<EvalAltResult>>;

/// A function that can be called from outside.
#[derive(Debug)]
pub(super) struct Entry {
    /// Which one of the script's it is.
    number: usize,
    name: String,
    parameters: Vec<String>,
    body: Expr,
}

/// What a call needs, for one call after another.
#[derive(Debug)]
pub(super) struct Place {
    /// What is around each function of the script.
    state: GlobalRuntimeState,
    /// The parameters of the function that was called last, without their values.
    scope: Scope<'static>,
    /// Which one that was.
    last: Option<usize>,
    /// Where Rhai found functions.
    pub found: Caches,
}

impl Entry {
    /// Those of a script.
    pub fn all(ast: &AST) -> Vec<Self> {
        let public = ast.iter_functions().filter(|function| function.access == FnAccess::Public);
        let known = public.filter(|function| NAMES.contains(&function.name));
        let entry = known.enumerate().map(|(number, function)| {
            let mut statements = Vec::new();
            walk::function(ast, function.name, function.params.len(), &mut |path| {
                if let [ASTNode::Stmt(statement)] = path {
                    statements.push((*statement).clone());
                }
            });
            let body = StmtBlock::new(statements, Position::NONE, Position::NONE);
            let parameters = function.params.iter().map(|name| (*name).to_owned()).collect();
            Self { number, name: function.name.to_owned(), parameters, body: Expr::Stmt(body.into()) }
        });
        entry.collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many values it is called with.
    pub fn parameters(&self) -> usize {
        self.parameters.len()
    }

    /// Calls it.
    ///
    /// # Errors
    /// What the script throws, and what Rhai says of it.
    pub fn call<const N: usize>(&self, engine: &Engine, place: &mut Place, given: [Dynamic; N]) -> Given {
        let Place { state, scope, last, found } = place;
        if last.replace(self.number) != Some(self.number) {
            scope.clear();
            for name in &self.parameters {
                scope.push_dynamic(name.as_str(), Dynamic::UNIT);
            }
        }
        self.put(scope, given);
        let mut context = EvalContext::new(engine, state, found, scope, None);
        let result = context.eval_expression_tree(&Expression::from(&self.body));
        self.put(scope, [const { Dynamic::UNIT }; N]);
        returned(result)
    }

    /// Gives the parameters their values.
    fn put<const N: usize>(&self, scope: &mut Scope, given: [Dynamic; N]) {
        for (name, value) in self.parameters.iter().zip(given) {
            if let Some(variable) = scope.get_mut(name) {
                *variable = value;
            }
        }
    }
}

/// To Rhai, `return` is an error on its way out.
pub(super) fn returned(result: Given) -> Given {
    result.or_else(|error| match *error {
        EvalAltResult::Return(given, _) => Ok(given),
        _ => Err(error),
    })
}

impl Place {
    /// A place for calls of functions with this around them.
    pub fn new(around: &GlobalRuntimeState) -> Self {
        let mut state = around.clone();
        state.level = LEVEL;
        Self { state, scope: Scope::new(), last: None, found: Caches::new() }
    }

    /// Puts a new one in its place, but for what was found.
    pub fn renew(&mut self, around: &GlobalRuntimeState) {
        let found = std::mem::take(&mut self.found);
        *self = Self { found, ..Self::new(around) };
    }

    /// Makes it as it was before the call: Rhai counts on from what it is given.
    pub fn tidy(&mut self) {
        self.state.num_operations = <_>::default();
        self.state.num_modules_loaded = 0;
    }
}
