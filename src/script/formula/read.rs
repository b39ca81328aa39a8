//! From a function of a script to a formula: all of it, or nothing.

use std::collections::BTreeMap;

use rhai::{ASTFlags, BinaryExpr, Dynamic, Expr, FnCallExpr, Ident, Stmt};

use super::super::interpolation::MEASURED;
use super::super::lint::{Unit, namespaces};
use super::super::plain::Plain;
use super::super::walk;
use super::Formula;
use super::functions::known;
use super::node::{Each, Node};
use super::operators::Operator;

/// Parts of a formula. What a function says of others is said again wherever it is called.
const MAX_PARTS: usize = 500;
/// Variables at a time; Rhai counts those that there can be by another measure.
const MAX_VARIABLES: usize = 64;
/// Functions inside each other.
const MAX_DEPTH: usize = 8;

/// The formula that a function of a task and of arguments is; nothing where a part of it is more than that.
pub(in super::super) fn formula(unit: &Unit, libs: &BTreeMap<String, Unit>, name: &str) -> Option<Formula> {
    let mut reading =
        Reading { libs, units: Vec::new(), names: Vec::new(), variables: 0, fixed: 0, parts: 0, returns: 0 };
    reading.function(unit, name, vec![Node::Task, Node::Args]).map(Formula)
}

struct Reading<'a> {
    libs: &'a BTreeMap<String, Unit>,
    /// The files of the functions around, the innermost last.
    units: Vec<&'a Unit>,
    /// What the names of the innermost function stand for, the last of a name first.
    names: Vec<(String, Named)>,
    /// Variables that there are at this place when it is computed.
    variables: usize,
    /// So many of them are those of the function around a closure, which it shares and does not change.
    fixed: usize,
    parts: usize,
    /// How often a function is left early.
    returns: usize,
}

#[derive(Clone, Copy)]
enum Named {
    Task,
    Args,
    Variable(usize),
    /// One that cannot be changed.
    Constant(usize),
}

impl<'a> Reading<'a> {
    /// A function with what it is given.
    fn function(&mut self, unit: &'a Unit, name: &str, given: Vec<Node>) -> Option<Node> {
        if self.units.len() == MAX_DEPTH || unit.has_method(name) {
            return None;
        }
        let (parameters, body) = walk::body(&unit.ast, name, given.len())?;
        let before = (self.variables, self.returns);
        let mut names = Vec::new();
        let mut added = Vec::new();
        for (parameter, node) in parameters.into_iter().zip(given) {
            let named = match node {
                Node::Task => Named::Task,
                Node::Args => Named::Args,
                node => {
                    added.push(node);
                    self.variables += 1;
                    Named::Variable(self.variables - 1)
                }
            };
            names.push((parameter, named));
        }
        let outer = std::mem::replace(&mut self.names, names);
        self.units.push(unit);
        let body = self.block(&body);
        self.units.pop();
        (self.names, self.variables, self.returns) = (outer, before.0, before.1);
        Some(Node::Function(added, Box::new(body?)))
    }

    fn block(&mut self, statements: &[Stmt]) -> Option<Node> {
        let before = (self.names.len(), self.variables);
        let nodes = statements.iter().map(|statement| self.statement(statement)).collect::<Option<Vec<_>>>();
        self.names.truncate(before.0);
        self.variables = before.1;
        nodes.map(Node::Block)
    }

    fn part(&mut self) -> Option<()> {
        self.parts += 1;
        (self.parts <= MAX_PARTS && self.variables <= MAX_VARIABLES).then_some(())
    }

    fn statement(&mut self, statement: &Stmt) -> Option<Node> {
        self.part()?;
        match statement {
            Stmt::Noop(_) => Some(Node::Constant(Plain::Unit)),
            Stmt::Expr(expression) => self.node(expression),
            Stmt::FnCall(call, _) => self.call(call),
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::If(flow, _) => {
                let condition = self.node(&flow.expr)?;
                let (then, otherwise) = (self.block(flow.body.statements())?, self.block(flow.branch.statements())?);
                Some(Node::If(Box::new([condition, then, otherwise])))
            }
            Stmt::Var(variable, flags, _) if !flags.contains(ASTFlags::EXPORTED) => {
                let value = self.node(&variable.1)?;
                self.add(&variable.0.name, flags.contains(ASTFlags::CONSTANT));
                Some(Node::Let(Box::new(value)))
            }
            Stmt::For(parts, _) => {
                let (item, place, flow) = &**parts;
                let list = self.node(&flow.expr)?;
                let names = [item.name.as_str(), place.as_ref().map_or("", |place| &place.name)];
                Some(Node::For(Box::new([list, self.with(names, flow.body.statements())?])))
            }
            Stmt::Return(value, flags, _) => {
                self.returns += 1;
                let value = value.as_ref().map_or(Some(Node::Constant(Plain::Unit)), |value| self.node(value))?;
                Some(if flags.contains(ASTFlags::BREAK) { Node::Rhai } else { Node::Return(Box::new(value)) })
            }
            _ => None,
        }
    }

    fn add(&mut self, name: &str, is_constant: bool) {
        let named = if is_constant { Named::Constant(self.variables) } else { Named::Variable(self.variables) };
        self.names.push((name.to_owned(), named));
        self.variables += 1;
    }

    /// What is done with an item and its place; where it has no name, the place is there too.
    fn with(&mut self, names: [&str; 2], body: &[Stmt]) -> Option<Node> {
        let before = (self.names.len(), self.variables);
        names.into_iter().for_each(|name| self.add(name, false));
        let body = self.block(body);
        self.names.truncate(before.0);
        self.variables = before.1;
        body
    }

    fn node(&mut self, expression: &Expr) -> Option<Node> {
        self.part()?;
        Some(match expression {
            Expr::Unit(_) => Node::Constant(Plain::Unit),
            Expr::BoolConstant(truth, _) => Node::Constant(Plain::Bool(*truth)),
            Expr::IntegerConstant(number, _) => Node::Constant(Plain::Int(*number)),
            Expr::FloatConstant(number, _) => Node::Constant(Plain::Float(**number)),
            Expr::StringConstant(text, _) => Node::Constant(Plain::Text(text.to_string().into())),
            Expr::InterpolatedString(parts, _) => {
                Node::Text(parts.iter().map(|part| self.written(part)).collect::<Option<_>>()?)
            }
            Expr::Array(items, _) => Node::List(self.nodes(items)?),
            Expr::Map(map, _) => self.map(&map.0)?,
            Expr::Variable(variable, ..) if variable.2.is_empty() => self.variable(&variable.1)?,
            Expr::Stmt(block) => self.block(block.statements())?,
            Expr::FnCall(call, _) => self.call(call)?,
            Expr::Dot(..) | Expr::Index(..) => self.chain(expression)?,
            Expr::And(nodes, _) => Node::All(self.nodes(nodes)?),
            Expr::Or(nodes, _) => Node::Any(self.nodes(nodes)?),
            Expr::Coalesce(nodes, _) => Node::First(self.nodes(nodes)?),
            _ => return None,
        })
    }

    fn nodes(&mut self, expressions: &[Expr]) -> Option<Vec<Node>> {
        expressions.iter().map(|expression| self.node(expression)).collect()
    }

    fn map(&mut self, pairs: &[(Ident, Expr)]) -> Option<Node> {
        let pair = |(key, value): &(Ident, Expr)| Some((key.name.as_str().into(), self.node(value)?));
        Some(Node::Map(pairs.iter().map(pair).collect::<Option<_>>()?))
    }

    fn variable(&self, name: &str) -> Option<Node> {
        let (_, named) = self.names.iter().rev().find(|(known, _)| known == name)?;
        Some(match named {
            Named::Task => Node::Task,
            Named::Args => Node::Args,
            Named::Variable(place) | Named::Constant(place) => Node::Variable(*place),
        })
    }

    /// A part of a text: what stands in `${...}` is written in any case.
    fn written(&mut self, part: &Expr) -> Option<Node> {
        let call = match part {
            Expr::Stmt(block) => match block.statements() {
                [Stmt::FnCall(call, _)] => Some(&**call),
                [Stmt::Expr(expression)] => called(expression),
                _ => None,
            },
            _ => None,
        };
        match call.map(|call| (call.name == MEASURED, call.args.as_slice())) {
            Some((true, [value])) => self.node(value),
            _ => self.node(part),
        }
    }

    fn call(&mut self, call: &FnCallExpr) -> Option<Node> {
        if call.capture_parent_scope {
            return None;
        }
        let unit = *self.units.last()?;
        if let Some(token) = &call.op_token {
            let mut given = self.nodes(&call.args)?.into_iter();
            return Some(match (given.next()?, given.next(), call.name.as_str()) {
                (a, Some(b), _) => Node::Between(Operator::of(token)?, Box::new([a, b])),
                (a, None, "!") => Node::Not(Box::new(a)),
                (a, None, "-") => Node::Minus(Box::new(a)),
                _ => return None,
            });
        }
        if call.is_qualified() {
            let [owner] = namespaces(unit, call, self.libs)[..] else { return None };
            let given = self.nodes(&call.args)?;
            return owner.has_public(&call.name, given.len()).then(|| self.function(owner, &call.name, given))?;
        }
        let given = self.nodes(&call.args)?;
        if unit.has(&call.name, given.len()) {
            return self.function(unit, &call.name, given);
        }
        self.native(&call.name, given)
    }

    /// A function of Rust, if no function of a script has its name.
    fn native(&self, name: &str, given: Vec<Node>) -> Option<Node> {
        let is_hidden = self.units.iter().any(|unit| unit.has_name(name));
        known(name, given.len()).filter(|_| !is_hidden).map(|work| Node::Call(work, given))
    }

    /// `a.b[c].d()`. Rhai computes what stands in brackets first, which can be seen where one of them leaves the
    /// function.
    fn chain(&mut self, expression: &Expr) -> Option<Node> {
        let before = self.returns;
        self.links(expression).filter(|_| self.returns == before)
    }

    fn links(&mut self, expression: &Expr) -> Option<Node> {
        let mut link = Link::of(expression)?;
        if let Expr::MethodCall(call, _) = &link.pair.rhs
            && let ("push", [value]) = (call.name.as_str(), &call.args[..])
        {
            return self.push(&link.pair.lhs, value);
        }
        let mut node = self.node(&link.pair.lhs)?;
        loop {
            if link.flags.contains(ASTFlags::NEGATED) {
                return None;
            }
            let rest = (!link.flags.contains(ASTFlags::BREAK)).then(|| Link::of(&link.pair.rhs)).flatten();
            let step = rest.as_ref().map_or(&link.pair.rhs, |rest| &rest.pair.lhs);
            node = match step {
                step if link.indexes => Node::Place(Box::new([node, self.node(step)?])),
                Expr::Property(property, _) => Node::Key(Box::new(node), property.2.as_str().into()),
                Expr::MethodCall(call, _) => self.method(node, call)?,
                _ => return None,
            };
            match rest {
                Some(rest) => link = rest,
                None => return Some(node),
            }
        }
    }

    /// `list.push(value)`, where the list is a variable.
    fn push(&mut self, list: &Expr, value: &Expr) -> Option<Node> {
        let Expr::Variable(variable, ..) = list else { return None };
        let (_, named) = self.names.iter().rev().find(|(known, _)| *known == variable.1.as_str())?;
        let Named::Variable(place) = *named else { return None };
        let is_hidden = self.units.iter().any(|unit| unit.has_name("push"));
        let value = self.node(value).filter(|_| variable.2.is_empty() && !is_hidden && place >= self.fixed)?;
        Some(Node::Push(place, Box::new(value)))
    }

    fn method(&mut self, of: Node, call: &FnCallExpr) -> Option<Node> {
        if let ([closure], Some(each)) = (&call.args[..], each(&call.name)) {
            let is_hidden = self.units.iter().any(|unit| unit.has_name(&call.name));
            let body = self.closure(closure, &of).filter(|_| !is_hidden)?;
            return Some(Node::Each(each, Box::new([of, body])));
        }
        let mut given = vec![of];
        given.extend(self.nodes(&call.args)?);
        self.native(&call.name, given)
    }

    /// What a closure makes of an item of a list and its place.
    fn closure(&mut self, expression: &Expr, list: &Node) -> Option<Node> {
        let (pointer, held) = closure(expression)?;
        // To Rhai it is a fault where a closure looks at what is being walked through, or at what that is part of.
        let is_apart = |name: &&str| match self.variable(name) {
            Some(Node::Variable(place)) => list.root() != Some(place),
            _ => false,
        };
        if !held.iter().all(is_apart) {
            return None;
        }
        let name = pointer.read_lock::<rhai::FnPtr>()?.fn_name().to_owned();
        let unit = *self.units.last()?;
        let (parameters, body) = (1..=2).find_map(|more| walk::body(&unit.ast, &name, held.len() + more))?;
        let name = |place: usize| parameters.get(held.len() + place).map_or("", String::as_str);
        let outer = (std::mem::replace(&mut self.fixed, self.variables), self.returns);
        let body = self.with([name(0), name(1)], &body);
        (self.fixed, self.returns) = outer;
        body
    }
}

/// One dot or bracket with what stands around it.
struct Link<'a> {
    pair: &'a BinaryExpr,
    flags: ASTFlags,
    indexes: bool,
}

impl<'a> Link<'a> {
    fn of(expression: &'a Expr) -> Option<Self> {
        match expression {
            Expr::Dot(pair, flags, _) => Some(Self { pair, flags: *flags, indexes: false }),
            Expr::Index(pair, flags, _) => Some(Self { pair, flags: *flags, indexes: true }),
            _ => None,
        }
    }
}

fn called(expression: &Expr) -> Option<&FnCallExpr> {
    match expression {
        Expr::FnCall(call, _) => Some(call),
        _ => None,
    }
}

fn each(name: &str) -> Option<Each> {
    Some(match name {
        "map" => Each::Map,
        "filter" => Each::Filter,
        "some" => Each::Some,
        "all" => Each::All,
        "find" => Each::Find,
        _ => return None,
    })
}

/// A closure as it stands in a script, and the names of the variables that it holds.
fn closure<'a>(expression: &'a Expr) -> Option<(&'a Dynamic, Vec<&'a str>)> {
    let is_closure = |value: &Dynamic| value.read_lock::<rhai::FnPtr>().is_some_and(|pointer| pointer.is_anonymous());
    match expression {
        Expr::DynamicConstant(value, _) if is_closure(value) => Some((value, Vec::new())),
        Expr::Stmt(block) => {
            let call = match block.statements() {
                [Stmt::Share(_), Stmt::FnCall(call, _)] => &**call,
                [Stmt::Share(_), Stmt::Expr(expression)] => called(expression)?,
                _ => return None,
            };
            let (pointer, held) = call.args.split_first().filter(|_| call.name == "curry")?;
            let name = |held: &'a Expr| match held {
                Expr::Variable(variable, ..) if variable.2.is_empty() => Some(variable.1.as_str()),
                _ => None,
            };
            let (value, inner) = closure(pointer)?;
            inner.is_empty().then_some((value, held.iter().map(name).collect::<Option<_>>()?))
        }
        _ => None,
    }
}
