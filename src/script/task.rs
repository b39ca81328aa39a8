//! The task that a script sees: read-only and lazy.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use rhai::{Array, Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Module};

use crate::domain::json;

use super::call;
use super::decode::decode;

/// One task, for all scripts of a row. What Rhai is given of it is made when a script first asks.
#[derive(Debug)]
pub struct Task<'a>(Given<'a>);

#[derive(Debug)]
enum Given<'a> {
    /// Some keys and the raw JSON of their values.
    Keys { names: &'a Arc<[String]>, values: Vec<Option<&'a str>>, seen: OnceLock<Seen> },
    /// All of it.
    Whole(Seen),
}

/// A task as Rhai has it. Cheap to clone; all scripts of a row share one, and each value is decoded once.
#[derive(Debug, Clone)]
pub(super) struct Seen(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// Some keys and their values: the raw JSON of all, and where that of each lies in it, if the task has it.
    Keys { names: Arc<[String]>, json: Box<str>, values: Box<[Field<Option<Range<usize>>>]> },
    /// All of it, and where its values lie once one was asked for.
    Whole { json: Box<str>, fields: OnceLock<Vec<Named>> },
}

/// A value: where its JSON is, and what scripts see once one has asked.
#[derive(Debug)]
struct Field<R> {
    raw: R,
    seen: OnceLock<Dynamic>,
}

/// A value of a whole task by its key; where its JSON lies in that of the task.
type Named = (Box<str>, Field<Range<usize>>);

impl<'a> Task<'a> {
    /// A task of which only these keys are at hand; `values` are their raw JSON, in the order of `names`.
    pub fn of_keys(names: &'a Arc<[String]>, values: Vec<Option<&'a str>>) -> Self {
        Self(Given::Keys { names, values, seen: OnceLock::new() })
    }

    /// A task by the whole of its JSON.
    pub fn whole(json: &str) -> Self {
        Self(Given::Whole(Seen(Arc::new(Source::Whole { json: json.into(), fields: OnceLock::new() }))))
    }

    /// The raw JSON of a top-level key.
    pub fn raw(&self, key: &str) -> Option<&str> {
        match &self.0 {
            Given::Keys { names, values, .. } => values.get(place(names, key)?).copied().flatten(),
            Given::Whole(seen) => seen.raw(key),
        }
    }

    /// What Rhai is given.
    pub(super) fn seen(&self) -> Seen {
        match &self.0 {
            Given::Keys { names, values, seen } => {
                seen.get_or_init(|| call::keep(|| Seen::of_keys(names, values))).clone()
            }
            Given::Whole(seen) => seen.clone(),
        }
    }
}

impl Seen {
    fn of_keys(names: &Arc<[String]>, values: &[Option<&str>]) -> Self {
        let mut json = String::with_capacity(values.iter().flatten().map(|value| value.len()).sum());
        let mut place = |value: &&str| {
            let start = json.len();
            json.push_str(value);
            start..json.len()
        };
        let values = values.iter().map(|value| Field::new(value.as_ref().map(&mut place))).collect();
        Self(Arc::new(Source::Keys { names: Arc::clone(names), json: json.into(), values }))
    }

    fn raw(&self, key: &str) -> Option<&str> {
        match &*self.0 {
            Source::Keys { names, json, values } => json.get(values.get(place(names, key)?)?.raw.clone()?),
            Source::Whole { json, .. } => json.get(self.whole_field(key)?.raw.clone()),
        }
    }

    /// What scripts see of a top-level key: `()` where the task does not have it.
    pub(super) fn field(&self, key: &str) -> Dynamic {
        let seen = match &*self.0 {
            Source::Keys { names, values, .. } => {
                place(names, key).and_then(|place| values.get(place)).map(|field| &field.seen)
            }
            Source::Whole { .. } => self.whole_field(key).map(|field| &field.seen),
        };
        let Some(seen) = seen else { return Dynamic::UNIT };
        seen.get_or_init(|| call::keep(|| self.raw(key).map_or(Dynamic::UNIT, decode))).clone()
    }

    /// Its keys, in the task's order.
    pub(super) fn keys(&self) -> Vec<&str> {
        match &*self.0 {
            Source::Keys { names, values, .. } => {
                let pairs = names.iter().zip(values);
                pairs.filter(|(_, field)| field.raw.is_some()).map(|(name, _)| name.as_str()).collect()
            }
            Source::Whole { .. } => self.whole_fields().iter().map(|(name, _)| &**name).collect(),
        }
    }

    /// Makes the type known to scripts.
    pub(super) fn register(engine: &mut Engine) {
        engine
            .register_type_with_name::<Self>("task")
            .register_indexer_get(|task: &mut Self, key: ImmutableString| task.field(&key))
            .register_indexer_set(|task: &mut Self, key: ImmutableString, value: Dynamic| task.put_back(&key, &value))
            .register_fn("contains", |task: &mut Self, key: &str| task.raw(key).is_some())
            .register_fn("keys", |task: &mut Self| -> Array { task.keys().into_iter().map(Into::into).collect() });
    }

    /// Makes keys known as properties to the functions around this module. Without, Rhai asks for a key as for
    /// one of a list, but only after it has written out that there is no such property.
    pub(super) fn register_keys(module: &mut Module, keys: &BTreeSet<String>) {
        for key in keys {
            let (own, same) = (key.clone(), key.clone());
            FuncRegistration::new_getter(key).set_into_module(module, move |task: &mut Self| task.field(&own));
            FuncRegistration::new_setter(key)
                .set_into_module(module, move |task: &mut Self, value: Dynamic| task.put_back(&same, &value));
        }
    }

    /// Rhai puts back what a method was called on: `task.items.filter(...)` sets `items` to what it was.
    fn put_back(&self, key: &str, value: &Dynamic) -> Result<(), Box<EvalAltResult>> {
        if is_same(&self.field(key), value) {
            return Ok(());
        }
        Err(format!("The task is read-only. Change a copy: let x = task.{key};").into())
    }

    fn whole_field(&self, key: &str) -> Option<&Field<Range<usize>>> {
        self.whole_fields().iter().find(|(name, _)| **name == *key).map(|(_, field)| field)
    }

    fn whole_fields(&self) -> &[Named] {
        let Source::Whole { json, fields } = &*self.0 else { return &[] };
        fields.get_or_init(|| call::keep(|| fields_of(json)))
    }
}

impl<R> Field<R> {
    fn new(raw: R) -> Self {
        Self { raw, seen: OnceLock::new() }
    }
}

fn fields_of(json: &str) -> Vec<Named> {
    let place = |raw: &str| {
        let start = raw.as_ptr().addr() - json.as_ptr().addr();
        start..start + raw.len()
    };
    let pairs = json::pairs(json).unwrap_or_default();
    pairs.into_iter().map(|(name, raw)| (name.into(), Field::new(place(raw)))).collect()
}

fn place(names: &[String], key: &str) -> Option<usize> {
    names.iter().position(|name| name == key)
}

/// Whether two values are the same, as far as JSON goes.
fn is_same(a: &Dynamic, b: &Dynamic) -> bool {
    if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
        return a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| is_same(a, b));
    }
    if let (Ok(a), Ok(b)) = (a.as_map_ref(), b.as_map_ref()) {
        return a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1));
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return *a == *b;
    }
    match (a.as_int(), b.as_int(), a.as_float(), b.as_float(), a.as_bool(), b.as_bool()) {
        (Ok(a), Ok(b), ..) => a == b,
        (_, _, Ok(a), Ok(b), ..) => a.total_cmp(&b).is_eq(),
        (.., Ok(a), Ok(b)) => a == b,
        _ => a.is_unit() && b.is_unit(),
    }
}
