//! `get(task, "a.b.0.c", default)`.

use rhai::{Array, Dynamic, Map, Module};

use super::super::task::Seen;
use super::argument::{Outcome, text};
use super::{FunctionDoc, add};

pub(super) const DOCS: &[FunctionDoc] = &[FunctionDoc {
    signature: "get(value, path, default)",
    about: "What lies at a path of keys and, in lists, places from 0, of a task, map or list; default where anything on the way is missing or ().",
    example: r#"get(#{items: [#{qty: 2}]}, "items.0.qty", 0) → 2"#,
}];

pub(super) fn register(module: &mut Module) {
    add(module, "get", get);
}

fn get(value: Dynamic, path: Dynamic, default: Dynamic) -> Outcome {
    let path = text("get", &path)?.unwrap_or_default();
    let mut found = value;
    for step in path.split('.') {
        match inside(&found, step) {
            Some(next) => found = next,
            None => return Ok(default),
        }
    }
    Ok(if found.is_unit() { default } else { found })
}

fn inside(value: &Dynamic, step: &str) -> Option<Dynamic> {
    if let Some(task) = value.read_lock::<Seen>() {
        return Some(task.field(step));
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.get(step).cloned();
    }
    value.read_lock::<Array>().and_then(|list| list.get(step.parse::<usize>().ok()?).cloned())
}
