//! Which keys of a task a script can look at, so that an export decodes no others.
//!
//! It may say too much, never too little: whatever is done with the task that is not plainly the reading of
//! a named key means all of it.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, Stmt};

use super::Reads;
use super::lint::{Unit, namespaces};
use super::walk;

/// What the function `get` is called.
const GET: &str = "get";

/// What the functions of these names, called with a task first, can read.
pub(super) fn of(unit: &Unit, libs: &BTreeMap<String, Unit>, entries: &[&str]) -> Reads {
    let mut search = Search { libs, keys: BTreeSet::new(), whole: false, seen: BTreeSet::new() };
    for entry in entries {
        search.function(unit, entry, 2, 0);
    }
    if search.whole { Reads::Whole } else { Reads::Keys(search.keys) }
}

struct Search<'a> {
    libs: &'a BTreeMap<String, Unit>,
    keys: BTreeSet<String>,
    whole: bool,
    /// Functions that were looked through, by file, name, parameters and the one that is the task.
    seen: BTreeSet<(String, String, usize, usize)>,
}

impl Search<'_> {
    /// Looks for what a function does with one of its parameters.
    fn function(&mut self, unit: &Unit, name: &str, parameters: usize, place: usize) {
        if !self.seen.insert((unit.origin.label.clone(), name.to_owned(), parameters, place)) {
            return;
        }
        let same = |function: &rhai::ScriptFnMetadata| function.name == name && function.params.len() == parameters;
        // Functions for one type of `this` may share a name: each is looked through.
        let names: BTreeSet<String> = unit
            .ast
            .iter_functions()
            .filter(same)
            .filter_map(|function| function.params.get(place).map(|name| (*name).to_owned()))
            .collect();
        for task in names {
            walk::function(&unit.ast, name, parameters, &mut |path| self.node(unit, &task, path));
        }
    }

    fn node(&mut self, unit: &Unit, task: &str, path: &[ASTNode]) {
        let parent = path.len().checked_sub(2).and_then(|place| path.get(place));
        match path.last() {
            // A call with `!` lends the function every variable.
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
                if call.capture_parent_scope =>
            {
                self.whole = true;
            }
            Some(ASTNode::Expr(variable)) if is_task(variable, task) => self.used(unit, variable, parent),
            _ => {}
        }
    }

    /// The task occurs in `parent`.
    fn used(&mut self, unit: &Unit, variable: &Expr, parent: Option<&ASTNode>) {
        match parent {
            Some(ASTNode::Expr(Expr::Dot(pair, flags, _))) if std::ptr::eq(&pair.lhs, variable) => {
                match first(&pair.rhs, *flags) {
                    Expr::Property(property, _) => self.key(&property.2),
                    Expr::MethodCall(call, _) if is_get(unit, call) => self.path(call.args.first()),
                    _ => self.whole = true,
                }
            }
            Some(ASTNode::Expr(Expr::Index(pair, flags, _))) if std::ptr::eq(&pair.lhs, variable) => {
                match first(&pair.rhs, *flags) {
                    Expr::StringConstant(key, _) => self.key(key),
                    _ => self.whole = true,
                }
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                let places = call.args.iter().enumerate().filter(|(_, argument)| std::ptr::eq(*argument, variable));
                for (place, _) in places {
                    self.passed(unit, call, place);
                }
            }
            _ => self.whole = true,
        }
    }

    /// The task is handed to a function.
    fn passed(&mut self, unit: &Unit, call: &FnCallExpr, place: usize) {
        let count = call.args.len();
        let libs = self.libs;
        if call.is_qualified() {
            let owners = namespaces(unit, call, libs);
            self.whole |= owners.is_empty();
            for owner in owners {
                self.function(owner, &call.name, count, place);
            }
        } else if unit.has(&call.name, count) {
            self.function(unit, &call.name, count, place);
        } else if place == 0 && is_get(unit, call) {
            self.path(call.args.get(1));
        } else {
            self.whole = true;
        }
    }

    /// A path like `a.b.0`, of which the first part is the task's key.
    fn path(&mut self, path: Option<&Expr>) {
        match path {
            Some(Expr::StringConstant(path, _)) => {
                // A key may itself hold dots: whichever of the two the function means, it is there.
                self.key(path);
                self.key(path.split('.').next().unwrap_or_default());
            }
            _ => self.whole = true,
        }
    }

    fn key(&mut self, key: &str) {
        self.keys.insert(key.to_owned());
    }
}

fn is_task(variable: &Expr, task: &str) -> bool {
    matches!(variable, Expr::Variable(name, ..) if name.2.is_empty() && name.1 == task)
}

/// What comes right behind the dot or in the bracket: chains lean to the right.
fn first(behind: &Expr, flags: ASTFlags) -> &Expr {
    match behind {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) if !flags.intersects(ASTFlags::BREAK) => &pair.lhs,
        other => other,
    }
}

/// Whether a call means the `get` that scripts are given, not one of the file's own.
fn is_get(unit: &Unit, call: &FnCallExpr) -> bool {
    call.name == GET && !call.is_qualified() && unit.ast.iter_functions().all(|function| function.name != GET)
}
