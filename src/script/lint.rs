//! What is found out about a script before it goes live, beside what the parser says.

use std::collections::{BTreeMap, HashSet};

use rhai::{AST, ASTNode, Engine, Expr, FnAccess, FnCallExpr, Position, Stmt};

use crate::domain::ScriptFault;
use crate::domain::request::closest;

use super::fault::Origin;
use super::interpolation::MEASURED;
use super::{ScriptKind, walk};

/// What the language itself calls by these names, with any number of arguments.
const KEYWORDS: [&str; 8] = ["Fn", "call", "curry", "is_def_fn", "is_def_var", "is_shared", "type_of", "this"];
/// What stands before the name of an imported file.
const LIB: &str = "lib/";

/// Functions of Rust by name and number of arguments.
#[derive(Debug)]
pub(super) struct Natives(HashSet<(String, usize)>);

/// A compiled file of `lib/`, or the file that is looked at.
#[derive(Debug)]
pub(super) struct Unit {
    pub origin: Origin,
    pub ast: AST,
    /// The libs that it imports, by the names that it gives them.
    pub imports: BTreeMap<String, Vec<String>>,
}

impl Natives {
    /// All that the engine has.
    pub fn of(engine: &Engine) -> Self {
        let one = |info: rhai::FuncInfo| Some((info.metadata.name.to_string(), info.metadata.num_params));
        Self(engine.collect_fn_metadata(None, one, true).into_iter().collect())
    }

    fn has(&self, name: &str, arguments: usize) -> bool {
        self.0.contains(&(name.to_owned(), arguments))
    }
}

impl Unit {
    /// A parsed file with its imports.
    ///
    /// # Errors
    /// An import of anything but `lib/<name>`.
    pub fn new(origin: Origin, ast: AST) -> Result<Self, ScriptFault> {
        let (mut imports, mut fault) = (BTreeMap::<String, Vec<String>>::new(), None);
        walk::each(&ast, &mut |path| {
            let Some(ASTNode::Stmt(Stmt::Import(import, position))) = path.last() else { return };
            let (from, alias) = &**import;
            match lib_name(from) {
                Some(name) => imports.entry(alias.name.to_string()).or_default().push(name),
                None => {
                    let text = "Only files of lib/ can be imported, by a plain text: import \"lib/<name>\" as n;";
                    fault.get_or_insert_with(|| origin.fault_at(*position, text));
                }
            }
        });
        fault.map_or(Ok(Self { origin, ast, imports }), Err)
    }

    /// Whether it has a function that others can call.
    pub fn has_public(&self, name: &str, arguments: usize) -> bool {
        let same = |function: rhai::ScriptFnMetadata| {
            function.name == name && function.params.len() == arguments && function.access == FnAccess::Public
        };
        self.ast.iter_functions().any(same)
    }

    /// Whether it has a function of that name, for itself or for others.
    pub fn has(&self, name: &str, arguments: usize) -> bool {
        self.ast.iter_functions().any(|function| function.name == name && function.params.len() == arguments)
    }

    /// Whether it has a function of that name for values of one type alone.
    pub fn has_method(&self, name: &str) -> bool {
        self.ast.iter_functions().any(|function| function.name == name && function.this_type.is_some())
    }

    /// Whether it has a function of that name, whatever it is given.
    pub fn has_name(&self, name: &str) -> bool {
        self.ast.iter_functions().any(|function| function.name == name)
    }

    /// The libs that it imports.
    pub fn imported(&self) -> impl Iterator<Item = &str> {
        self.imports.values().flatten().map(String::as_str)
    }
}

/// The name of the lib that an import names.
fn lib_name(from: &Expr) -> Option<String> {
    let Expr::StringConstant(path, _) = from else { return None };
    let name = path.strip_prefix(LIB)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

/// Whether the functions are there that its kind must have, each with the parameters it is called with.
///
/// # Errors
/// The first that is missing or has other parameters.
pub(super) fn entry_points(unit: &Unit, kind: ScriptKind) -> Result<(), ScriptFault> {
    let known: &[(&str, &[&str])] = match kind {
        ScriptKind::Field => &[("value", &["task", "args"])],
        ScriptKind::Flow => &[("include", &["task", "args"]), ("rows", &["task", "args"]), ("columns", &["args"])],
        ScriptKind::Lib => &[],
    };
    if unit.has(MEASURED, 1) {
        return Err(unit.origin.fault(format!("The function {MEASURED} cannot be made anew.")));
    }
    let helpers: &[(&str, &[&str])] = &[("about", &[]), ("examples", &[])];
    for (name, parameters) in known.iter().chain(helpers) {
        let right = unit.has_public(name, parameters.len()) && !unit.has_method(name);
        if unit.has_name(name) && !right {
            let text = format!("The function {name} must be written fn {name}({}).", parameters.join(", "));
            return Err(unit.origin.fault(text));
        }
    }
    if known.is_empty() || known.iter().any(|(name, _)| unit.has_name(name)) {
        return Ok(());
    }
    let needed = known.iter().map(|(name, parameters)| format!("fn {name}({})", parameters.join(", ")));
    let text = format!("The script needs {}.", needed.collect::<Vec<_>>().join(" or "));
    Err(unit.origin.fault(text))
}

/// Whether each function that it calls is somewhere, with as many parameters.
///
/// # Errors
/// The first that is not, with the closest name there is.
pub(super) fn calls(unit: &Unit, natives: &Natives, libs: &BTreeMap<String, Unit>) -> Result<(), ScriptFault> {
    let held = held_names(unit);
    let mut fault = None;
    walk::each(&unit.ast, &mut |path| {
        let known = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                (call, *at, has_function(unit, call, natives, libs))
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => {
                let there = natives.has(&call.name, call.args.len() + 1) || unit.has(&call.name, call.args.len());
                (call, *at, there)
            }
            _ => return,
        };
        let (call, at, there) = known;
        if !there && !KEYWORDS.contains(&&*call.name) && !held.contains(&*call.name) {
            fault.get_or_insert_with(|| unknown(unit, call, at, natives, libs));
        }
    });
    fault.map_or(Ok(()), Err)
}

fn has_function(unit: &Unit, call: &FnCallExpr, natives: &Natives, libs: &BTreeMap<String, Unit>) -> bool {
    if call.is_operator_call() {
        return true;
    }
    if call.is_qualified() {
        return namespaces(unit, call, libs).iter().any(|lib| lib.has_public(&call.name, call.args.len()));
    }
    unit.has(&call.name, call.args.len()) || natives.has(&call.name, call.args.len())
}

/// The libs that the namespace of a call can be.
pub(super) fn namespaces<'a>(unit: &'a Unit, call: &FnCallExpr, libs: &'a BTreeMap<String, Unit>) -> Vec<&'a Unit> {
    let mut units = vec![unit];
    for part in &call.namespace.path {
        let named = |unit: &&'a Unit| unit.imports.get(&*part.name).into_iter().flatten();
        units = units.iter().flat_map(named).filter_map(|name| libs.get(name)).collect();
    }
    units
}

/// Names under which a function may be held: of variables, and of keys that maps are given.
fn held_names(unit: &Unit) -> HashSet<String> {
    let mut names = HashSet::new();
    walk::each(&unit.ast, &mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
            names.insert(variable.0.name.to_string());
        }
        Some(ASTNode::Expr(Expr::Map(map, _))) => names.extend(map.0.iter().map(|(key, _)| key.name.to_string())),
        Some(ASTNode::Expr(Expr::Property(property, _))) => {
            names.insert(property.2.to_string());
        }
        _ => {}
    });
    names
}

fn unknown(
    unit: &Unit,
    call: &FnCallExpr,
    at: Position,
    natives: &Natives,
    libs: &BTreeMap<String, Unit>,
) -> ScriptFault {
    let name = &*call.name;
    let owners = if call.is_qualified() { namespaces(unit, call, libs) } else { vec![unit] };
    let mut names: Vec<String> =
        owners.iter().flat_map(|owner| owner.ast.iter_functions()).map(|f| f.name.to_owned()).collect();
    if !call.is_qualified() {
        names.extend(natives.0.iter().map(|(name, _)| name.clone()));
    }
    let plain = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    names.retain(plain);
    let path: String = call.namespace.path.iter().map(|part| format!("{}::", part.name)).collect();
    let advice = if names.iter().any(|known| known == name) {
        format!(" There is one that takes other arguments than these {}.", call.args.len())
    } else {
        closest(name, names.iter().map(String::as_str))
            .map(|known| format!(" Did you mean {known}?"))
            .unwrap_or_default()
    };
    unit.origin.fault_at(at, format!("Function not found: {path}{name}.{advice}"))
}
