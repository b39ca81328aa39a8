//! What takes the place of Rhai's own functions that make much out of little.
//!
//! Texts are shared: a list of 10,000 references to one text of 64 KiB is held in a few hundred KiB and is
//! 640 MB when it is written out. Rhai measures what such functions gave, not what they are about to give;
//! these measure first.

use std::fmt::{self, Write as _};

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, ImmutableString, Map, Position};

use crate::settings::Scripts;

use super::call::{self, Excess};

type Made<T> = Result<T, Box<EvalAltResult>>;

/// Lists and maps inside each other that are written out.
const MAX_WRITTEN_DEPTH: usize = 64;

/// Makes them known, in place of those of the packages.
pub(super) fn register(engine: &mut Engine, settings: &Scripts) {
    let most = settings.max_string_bytes;
    // Pure: otherwise Rhai would measure the list, find it too large, and write it out in Rust's own form.
    let pure = |name: &str| FuncRegistration::new(name).with_purity(true);
    for name in ["to_string", "to_debug", "print", "debug"] {
        let list = move |list: &mut Array| written(most, |out| write_list(out, list, 0));
        pure(name).register_into_engine(engine, list);
        let map = move |map: &mut Map| written(most, |out| write_map(out, map, 0));
        pure(name).register_into_engine(engine, map);
    }
    let list = move |list: &Array| written(most, |out| write_list(out, list, 0));
    let map = move |map: &Map| written(most, |out| write_map(out, map, 0));
    engine.register_fn("+", move |text: &str, with: Array| format!("{text}{}", list(&with)));
    engine.register_fn("+", move |text: &str, with: Map| format!("{text}{}", map(&with)));
    engine.register_fn("+", move |with: Array, text: &str| format!("{}{text}", list(&with)));
    engine.register_fn("+", move |with: Map, text: &str| format!("{}{text}", map(&with)));
    for name in ["+=", "append"] {
        engine.register_fn(name, move |text: &mut ImmutableString, with: Array| *text += list(&with).as_str());
        engine.register_fn(name, move |text: &mut ImmutableString, with: Map| *text += map(&with).as_str());
    }
    pure("to_json").register_into_engine(engine, move |map: &mut Map| written(most, |out| write_map(out, map, 0)));
    pure("to_debug").register_into_engine(engine, |_: &mut FnPtr| "Fn".to_owned());
    engine.register_fn("replace", move |text: &mut ImmutableString, find: &str, with: &str| {
        replace(most, text, find, with)
    });
    engine.register_fn("replace", move |text: &mut ImmutableString, find: &str, with: char| {
        replace(most, text, find, with.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("replace", move |text: &mut ImmutableString, find: char, with: &str| {
        replace(most, text, find.encode_utf8(&mut [0; 4]), with)
    });
    engine.register_fn("replace", move |text: &mut ImmutableString, find: char, with: char| {
        replace(most, text, find.encode_utf8(&mut [0; 4]), with.encode_utf8(&mut [0; 4]))
    });
}

/// What Rhai says of a text that is too long.
fn too_long() -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into()
}

fn replace(most: usize, text: &mut ImmutableString, find: &str, with: &str) -> Made<()> {
    let count = text.matches(find).count();
    let length = (text.len() - count * find.len()).saturating_add(count.saturating_mul(with.len()));
    if length > most {
        return Err(too_long());
    }
    *text = text.replace(find, with).into();
    Ok(())
}

/// A value as a text. One that is too long ends the call: were this an error, Rhai would take Rust's own form
/// of the value in its place, however long.
fn written(most: usize, write: impl FnOnce(&mut Bounded) -> fmt::Result) -> String {
    let mut out = Bounded { text: String::new(), most };
    match write(&mut out) {
        Ok(()) => out.text,
        Err(fmt::Error) => {
            call::end(Excess::Text);
            String::new()
        }
    }
}

/// A text that refuses to grow too long.
struct Bounded {
    text: String,
    most: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.text.len().saturating_add(part.len()) > self.most {
            return Err(fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}

fn write_list(out: &mut Bounded, list: &[Dynamic], depth: usize) -> fmt::Result {
    out.write_char('[')?;
    for (place, item) in list.iter().enumerate() {
        if place > 0 {
            out.write_str(", ")?;
        }
        write_item(out, item, depth + 1)?;
    }
    out.write_char(']')
}

fn write_map(out: &mut Bounded, map: &Map, depth: usize) -> fmt::Result {
    out.write_char('{')?;
    for (place, (key, item)) in map.iter().enumerate() {
        if place > 0 {
            out.write_str(", ")?;
        }
        write_text(out, key)?;
        out.write_str(": ")?;
        write_item(out, item, depth + 1)?;
    }
    out.write_char('}')
}

fn write_text(out: &mut Bounded, text: &str) -> fmt::Result {
    if text.len() > out.most {
        return Err(fmt::Error);
    }
    out.write_str(&crate::domain::json::quote(text))
}

fn write_item(out: &mut Bounded, item: &Dynamic, depth: usize) -> fmt::Result {
    if depth > MAX_WRITTEN_DEPTH {
        return out.write_str("...");
    }
    if let Ok(text) = item.as_immutable_string_ref() {
        return write_text(out, &text);
    }
    if let Ok(list) = item.as_array_ref() {
        return write_list(out, &list, depth);
    }
    if let Ok(map) = item.as_map_ref() {
        return write_map(out, &map, depth);
    }
    if item.is_unit() {
        return out.write_str("null");
    }
    if item.is_bool() || item.is_int() || item.is_float() || item.is_char() {
        return write!(out, "{item}");
    }
    out.write_str(item.type_name())
}
