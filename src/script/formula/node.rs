//! The tree that a function of a script becomes.

use super::super::plain::Plain;
use super::functions::Work;
use super::operators::Operator;

/// A part of a formula that has a value.
#[derive(Debug)]
pub(super) enum Node {
    /// A value that stands in the script.
    Constant(Plain<'static>),
    /// The task itself.
    Task,
    /// What the config gives.
    Args,
    /// A variable, by its place among those that there are.
    Variable(usize),
    /// What lies under this key.
    Key(Box<Node>, Box<str>),
    /// What lies at a place that is computed: a key, or the number of an item.
    Place(Box<[Node; 2]>),
    /// `!`
    Not(Box<Node>),
    /// `-`
    Minus(Box<Node>),
    /// What stands between two values.
    Between(Operator, Box<[Node; 2]>),
    /// `&&`
    All(Vec<Node>),
    /// `||`
    Any(Vec<Node>),
    /// `??`
    First(Vec<Node>),
    /// A condition, what holds where it holds, and what holds where not.
    If(Box<[Node; 3]>),
    /// One part after another; the last is the value, and the variables of all are gone.
    Block(Vec<Node>),
    /// Adds a variable.
    Let(Box<Node>),
    /// Ends the function.
    Return(Box<Node>),
    /// A function of the script with what it is given, which it has as variables.
    Function(Vec<Node>, Box<Node>),
    /// Values written one behind the other.
    Text(Vec<Node>),
    /// A list of values.
    List(Vec<Node>),
    /// A map of values, in the order that they stand there.
    Map(Vec<(Box<str>, Node)>),
    /// A list, and what is done for each of its items, which it has as variables.
    For(Box<[Node; 2]>),
    /// Adds a value to the list that a variable is.
    Push(usize, Box<Node>),
    /// A function of Rust.
    Call(Work, Vec<Node>),
    /// A list, and what a closure makes of each of its items, which it has as variables.
    Each(Each, Box<[Node; 2]>),
    /// What only Rhai can say, such as a fault.
    Rhai,
}

impl Node {
    /// The variable that it is a part of.
    pub fn root(&self) -> Option<usize> {
        match self {
            Self::Variable(place) => Some(*place),
            Self::Key(of, _) => of.root(),
            Self::Place(pair) | Self::Each(_, pair) => pair.first()?.root(),
            Self::Call(_, given) => given.first()?.root(),
            _ => None,
        }
    }
}

/// What is done with what a closure gives for each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    /// A list of all.
    Map,
    /// A list of the items that it holds for.
    Filter,
    /// Whether it holds for one.
    Some,
    /// Whether it holds for all.
    All,
    /// The first item that it holds for.
    Find,
}
