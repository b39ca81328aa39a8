//! Looks at every node of a script.

use rhai::{AST, ASTNode, Expr, Stmt};

/// Shows each statement and expression, with those that it stands in, the outermost first.
pub(super) fn each(ast: &AST, look: &mut dyn FnMut(&[ASTNode])) {
    ast.walk(&mut |path: &[ASTNode]| shown(path, look));
}

/// The same for one function.
pub(super) fn function(ast: &AST, name: &str, parameters: usize, look: &mut dyn FnMut(&[ASTNode])) {
    let mut one = ast.clone_functions_only();
    one.retain_functions(|_, _, own, count| own == name && count == parameters);
    each(&one, look);
}

/// The parameters and the statements of one function; nothing if there is none.
pub(super) fn body(ast: &AST, name: &str, parameters: usize) -> Option<(Vec<String>, Vec<Stmt>)> {
    let same = |function: &rhai::ScriptFnMetadata| function.name == name && function.params.len() == parameters;
    let found = ast.iter_functions().find(same)?;
    let names = found.params.iter().map(|name| (*name).to_owned()).collect();
    let mut statements = Vec::new();
    function(ast, name, parameters, &mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
    });
    Some((names, statements))
}

/// Rhai's own walk passes by the value of `break`.
fn shown(path: &[ASTNode], look: &mut dyn FnMut(&[ASTNode])) -> bool {
    look(path);
    if let Some(ASTNode::Stmt(Stmt::BreakLoop(Some(value), ..))) = path.last() {
        expression(value, look);
    }
    true
}

fn expression(value: &Expr, look: &mut dyn FnMut(&[ASTNode])) {
    value.walk(&mut Vec::new(), &mut |path: &[ASTNode]| shown(path, look));
}
