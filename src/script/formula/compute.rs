//! The value of a formula for one task.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::plain::Plain;
use super::super::{Session, Task};
use super::functions::MOST_GIVEN;
use super::node::{Each, Node};
use super::operators::Operator;
use super::{Bounds, within};

/// Why a part has no value.
#[derive(Debug)]
pub(super) enum Stop<'a> {
    /// The function has ended with this.
    Returned(Plain<'a>),
    /// Rhai has to say what it is.
    Rhai,
}

pub(super) type Computed<'a, T = Plain<'a>> = Result<T, Stop<'a>>;

/// One formula being computed for one task.
pub(super) struct Computing<'a> {
    pub session: &'a Session,
    task: &'a Task<'a>,
    args: &'a str,
    bounds: Bounds,
    variables: Vec<Plain<'a>>,
    started: Instant,
    steps: u64,
    /// Bytes of texts and lists that were made.
    made: usize,
}

/// Steps between two looks at the time.
const STEPS_PER_LOOK: u64 = 64;
/// Bytes that an item of a list takes beside its text.
const ITEM_BYTES: usize = size_of::<Plain>();
/// The same of a value of a map.
const PAIR_BYTES: usize = size_of::<(&str, Plain)>();

impl<'a> Computing<'a> {
    pub fn new(session: &'a Session, task: &'a Task<'a>, args: &'a str, bounds: Bounds, started: Instant) -> Self {
        Self { session, task, args, bounds, variables: Vec::new(), started, steps: 0, made: 0 }
    }

    /// How many parts were computed.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn is_late(&self) -> bool {
        self.started.elapsed() > Duration::from_millis(self.bounds.millis)
    }

    /// The value of a whole function.
    pub fn value(&mut self, body: &'a Node) -> Option<Plain<'a>> {
        self.function(body).ok()
    }

    fn function(&mut self, body: &'a Node) -> Computed<'a> {
        match self.node(body) {
            Err(Stop::Returned(value)) => Ok(value),
            other => other,
        }
    }

    fn node(&mut self, node: &'a Node) -> Computed<'a> {
        self.steps += 1;
        if self.steps > self.bounds.steps || (self.steps.is_multiple_of(STEPS_PER_LOOK) && self.is_late()) {
            return Err(Stop::Rhai);
        }
        match node {
            Node::Constant(value) => Ok(value.lent()),
            Node::Task => Ok(Plain::Task),
            Node::Args => Ok(Plain::Json(self.args)),
            Node::Variable(place) => self.variable(*place),
            Node::Key(of, key) => {
                let of = self.node(of)?;
                self.under(&of, key)
            }
            Node::Place(pair) => self.place(pair),
            Node::Not(of) => Ok(Plain::Bool(!self.truth(of)?)),
            Node::Minus(of) => match self.node(of)? {
                Plain::Int(number) => number.checked_neg().map(Plain::Int).ok_or(Stop::Rhai),
                Plain::Float(number) => Ok(Plain::Float(-number)),
                _ => Err(Stop::Rhai),
            },
            Node::Between(operator, pair) => self.between(*operator, pair),
            Node::All(nodes) => self.truths(nodes, false),
            Node::Any(nodes) => self.truths(nodes, true),
            Node::First(nodes) => self.first(nodes),
            Node::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let chosen = if self.truth(condition)? { then } else { otherwise };
                self.node(chosen)
            }
            Node::Block(nodes) => self.block(nodes),
            Node::Let(of) => {
                let value = self.node(of)?;
                self.variables.push(value);
                Ok(Plain::Unit)
            }
            Node::Return(of) => Err(Stop::Returned(self.node(of)?)),
            Node::Function(given, body) => self.called(given, body),
            Node::Text(nodes) => self.text(nodes),
            Node::List(nodes) => {
                let items = nodes.iter().map(|node| self.node(node)).collect::<Computed<'a, Vec<_>>>()?;
                self.list(items)
            }
            Node::Map(pairs) => {
                let pair = |(key, node): &'a (Box<str>, Node)| Ok((&**key, self.node(node)?));
                let mut pairs = pairs.iter().map(pair).collect::<Computed<'a, Vec<_>>>()?;
                pairs.sort_unstable_by_key(|(key, _)| *key);
                self.counted(Plain::Map(Arc::new(pairs)))
            }
            Node::For(pair) => self.each_of(pair),
            Node::Push(place, of) => {
                let value = self.node(of)?;
                self.push(*place, value)
            }
            Node::Call(work, given) => {
                let mut values = [const { Plain::Unit }; MOST_GIVEN];
                for (value, node) in values.iter_mut().zip(given) {
                    *value = self.node(node)?;
                }
                let value = work(self, values.get(..given.len()).unwrap_or_default()).ok_or(Stop::Rhai)?;
                self.counted(value)
            }
            Node::Each(each, pair) => self.each(*each, pair),
            Node::Rhai => Err(Stop::Rhai),
        }
    }

    fn variable(&mut self, place: usize) -> Computed<'a> {
        let value = self.variables.get(place).ok_or(Stop::Rhai)?.clone();
        self.counted(value)
    }

    /// What lies under a key of the task or of a map.
    pub fn under(&self, of: &Plain<'a>, key: &str) -> Computed<'a> {
        let raw = match of {
            Plain::Map(pairs) => {
                let found = pairs.iter().find(|(name, _)| *name == key);
                return Ok(found.map_or(Plain::Unit, |(_, value)| value.clone()));
            }
            Plain::Task => self.task.raw(key),
            Plain::Json(raw) => within::under(raw, key).ok_or(Stop::Rhai)?,
            _ => return Err(Stop::Rhai),
        };
        self.of_json(raw)
    }

    /// What lies in the task or the arguments; `()` for what is not there. What may be larger than a list or a
    /// text can be is left to Rhai.
    pub fn of_json(&self, raw: Option<&'a str>) -> Computed<'a> {
        let Some(raw) = raw else { return Ok(Plain::Unit) };
        let value = Plain::of_json(raw).ok_or(Stop::Rhai)?;
        let most = if matches!(value, Plain::Json(_)) { self.bounds.items } else { self.bounds.text_bytes };
        if raw.len() > most { Err(Stop::Rhai) } else { Ok(value) }
    }

    fn place(&mut self, [of, at]: &'a [Node; 2]) -> Computed<'a> {
        let (of, at) = (self.node(of)?, self.node(at)?);
        match (&of, &at) {
            (Plain::Task | Plain::Json(_) | Plain::Map(_), Plain::Text(key)) => self.under(&of, key),
            (Plain::Json(raw), Plain::Int(place)) => {
                let items = within::items(raw).ok_or(Stop::Rhai)?;
                let item = placed(items.len(), *place).and_then(|place| items.get(place)).ok_or(Stop::Rhai)?;
                self.of_json(Some(item))
            }
            (Plain::List(items), Plain::Int(place)) => {
                let item = placed(items.len(), *place).and_then(|place| items.get(place)).ok_or(Stop::Rhai)?;
                Ok(item.clone())
            }
            _ => Err(Stop::Rhai),
        }
    }

    fn truth(&mut self, node: &'a Node) -> Computed<'a, bool> {
        match self.node(node)? {
            Plain::Bool(truth) => Ok(truth),
            _ => Err(Stop::Rhai),
        }
    }

    /// Whether one of them is as is looked for.
    fn truths(&mut self, nodes: &'a [Node], wanted: bool) -> Computed<'a> {
        for node in nodes {
            if self.truth(node)? == wanted {
                return Ok(Plain::Bool(wanted));
            }
        }
        Ok(Plain::Bool(!wanted))
    }

    fn first(&mut self, nodes: &'a [Node]) -> Computed<'a> {
        for node in nodes {
            match self.node(node)? {
                Plain::Unit => {}
                value => return Ok(value),
            }
        }
        Ok(Plain::Unit)
    }

    fn block(&mut self, nodes: &'a [Node]) -> Computed<'a> {
        let before = self.variables.len();
        let mut last = Plain::Unit;
        for node in nodes {
            last = self.node(node)?;
        }
        self.variables.truncate(before);
        Ok(last)
    }

    fn called(&mut self, given: &'a [Node], body: &'a Node) -> Computed<'a> {
        let before = self.variables.len();
        let given = given.iter().map(|node| self.node(node)).collect::<Computed<'a, Vec<_>>>()?;
        self.variables.extend(given);
        let value = self.function(body)?;
        self.variables.truncate(before);
        Ok(value)
    }

    fn between(&mut self, operator: Operator, [a, b]: &'a [Node; 2]) -> Computed<'a> {
        let (a, b) = (self.node(a)?, self.node(b)?);
        match (operator, &a, &b) {
            (Operator::Plus, Plain::Text(_), Plain::Unit) => Ok(a),
            (Operator::Plus, Plain::Unit, Plain::Text(_)) => Ok(b),
            (Operator::Plus, Plain::Text(_), _) | (Operator::Plus, _, Plain::Text(_)) => {
                self.joined(&[a.shown().ok_or(Stop::Rhai)?, b.shown().ok_or(Stop::Rhai)?])
            }
            _ => operator.apply(&a, &b).ok_or(Stop::Rhai),
        }
    }

    fn text(&mut self, nodes: &'a [Node]) -> Computed<'a> {
        let mut text = String::new();
        for node in nodes {
            let value = self.node(node)?;
            let shown = value.shown().ok_or(Stop::Rhai)?;
            if text.len() + shown.len() > self.bounds.text_bytes {
                return Err(Stop::Rhai);
            }
            text.push_str(&shown);
        }
        self.counted(Plain::Text(Cow::Owned(text)))
    }

    fn joined(&mut self, parts: &[Cow<'_, str>]) -> Computed<'a> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > self.bounds.text_bytes {
            return Err(Stop::Rhai);
        }
        self.counted(Plain::Text(Cow::Owned(parts.concat())))
    }

    fn list(&mut self, items: Vec<Plain<'a>>) -> Computed<'a> {
        self.counted(Plain::List(Arc::new(items)))
    }

    fn push(&mut self, place: usize, value: Plain<'a>) -> Computed<'a> {
        self.made += bytes(&value) + ITEM_BYTES;
        let Some(Plain::List(items)) = self.variables.get_mut(place) else { return Err(Stop::Rhai) };
        let items = Arc::make_mut(items);
        items.push(value);
        let fits = items.len() <= self.bounds.items && self.made <= self.bounds.bytes;
        if fits { Ok(Plain::Unit) } else { Err(Stop::Rhai) }
    }

    /// Copies of the items of a list.
    fn walked(&mut self, list: &'a Node) -> Computed<'a, Vec<Plain<'a>>> {
        let list = self.node(list)?;
        let list = self.counted(list)?;
        self.items(&list).ok_or(Stop::Rhai)
    }

    fn each_of(&mut self, [list, body]: &'a [Node; 2]) -> Computed<'a> {
        let items = self.walked(list)?;
        let before = self.variables.len();
        for (place, item) in items.into_iter().enumerate() {
            self.variables.extend([item, Plain::Int(place as i64)]);
            self.node(body)?;
            self.variables.truncate(before);
        }
        Ok(Plain::Unit)
    }

    fn each(&mut self, each: Each, [list, body]: &'a [Node; 2]) -> Computed<'a> {
        let items = self.walked(list)?;
        let mut kept = Vec::new();
        for (place, item) in items.into_iter().enumerate() {
            let value = self.with(&item, place, body)?;
            let holds = value == Plain::Bool(true);
            match each {
                Each::Map => kept.push(value),
                Each::Filter if holds => kept.push(item),
                Each::Find if holds => return Ok(item),
                Each::Some if holds => return Ok(Plain::Bool(true)),
                Each::All if !holds => return Ok(Plain::Bool(false)),
                _ => {}
            }
        }
        match each {
            Each::Map | Each::Filter => self.list(kept),
            Each::Find => Ok(Plain::Unit),
            Each::Some => Ok(Plain::Bool(false)),
            Each::All => Ok(Plain::Bool(true)),
        }
    }

    /// The items of a list; nothing for what is none.
    pub fn items(&self, list: &Plain<'a>) -> Option<Vec<Plain<'a>>> {
        match list {
            Plain::List(items) => Some((**items).clone()),
            Plain::Json(raw) => within::items(raw)?.into_iter().map(|raw| self.of_json(Some(raw)).ok()).collect(),
            _ => None,
        }
    }

    /// Bytes of a text.
    pub fn most_text_bytes(&self) -> usize {
        self.bounds.text_bytes
    }

    /// Items of a list.
    pub fn most_items(&self) -> usize {
        self.bounds.items
    }

    fn with(&mut self, item: &Plain<'a>, place: usize, body: &'a Node) -> Computed<'a> {
        let before = self.variables.len();
        let item = self.counted(item.clone())?;
        self.variables.extend([item, Plain::Int(place as i64)]);
        let value = self.function(body)?;
        self.variables.truncate(before);
        Ok(value)
    }

    /// A value that was made, as long as it and all before it are no more than may be held.
    fn counted(&mut self, value: Plain<'a>) -> Computed<'a> {
        let fits = match &value {
            Plain::Text(text) => text.len() <= self.bounds.text_bytes,
            Plain::List(items) => items.len() <= self.bounds.items,
            _ => true,
        };
        self.made += bytes(&value);
        if fits && self.made <= self.bounds.bytes { Ok(value) } else { Err(Stop::Rhai) }
    }
}

/// Bytes that a value holds beside itself.
fn bytes(value: &Plain) -> usize {
    match value {
        Plain::Text(Cow::Owned(text)) => text.len(),
        Plain::Link(link) => link.url.len() + link.text.len(),
        Plain::List(items) => items.iter().map(|item| bytes(item) + ITEM_BYTES).sum(),
        Plain::Map(pairs) => pairs.iter().map(|(_, item)| bytes(item) + PAIR_BYTES).sum(),
        _ => 0,
    }
}

/// The place of an item that a script counts from the start, or from the end where it is below zero.
fn placed(length: usize, place: i64) -> Option<usize> {
    let distance = usize::try_from(place.unsigned_abs()).ok()?;
    if place < 0 { length.checked_sub(distance) } else { Some(distance) }
}
