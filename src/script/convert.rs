//! What a script gave, as the cells of a row.

use rhai::{Dynamic, Map};

use crate::domain::Value;
use crate::domain::json::quote;

use super::ExtraColumn;
use super::task::Seen;
use super::types::{Link, Time};

/// Bytes of the JSON that an example is turned into.
const MAX_JSON_BYTES: usize = 1 << 20;
/// Lists and maps inside each other in one cell.
const MAX_DEPTH: usize = 32;
/// Floats from here on stay floats: a whole number of more than 15 digits is a text in a workbook.
const WHOLE_BELOW: f64 = 1e15;

/// A cell of at most so many bytes: texts are shared, so that what a script holds can be far less than what
/// it gives. A float without a fraction is written as the whole number that it is, also one that the script
/// hands through from the task: arithmetic turns numbers into floats, and nobody asked for `43.0` in a file.
///
/// # Errors
/// The rest of a sentence, where it is nothing that a cell can hold.
pub(super) fn cell(given: &Dynamic, most_bytes: usize) -> Result<Value, String> {
    let mut left = most_bytes;
    cell_of(given, &mut left)
}

fn cell_of(given: &Dynamic, left: &mut usize) -> Result<Value, String> {
    if given.is_unit() {
        return Ok(Value::Empty);
    }
    if let Some(time) = given.read_lock::<Time>() {
        return Ok(Value::Time(time.0));
    }
    if let Some(link) = given.read_lock::<Link>() {
        return Ok(Value::Link(Box::new(link.0.clone())));
    }
    if given.is_map() {
        return Err("gave a map where a cell was expected".to_owned());
    }
    let json = written(given, *left, Whole::Short)?;
    *left -= json.len();
    Ok(Value::Json(json.into()))
}

/// The number of a cell; nothing for what JSON has no number for.
pub(super) fn number(number: f64) -> Option<String> {
    float(number, Whole::Short)
}

/// The rows that take the place of a task: for each the values that the script gave, by key. All of them
/// together have at most so many bytes.
///
/// # Errors
/// The rest of a sentence, where it is neither a map nor a list of maps, or has no cell under a key.
pub(super) fn rows(given: &Dynamic, most_bytes: usize) -> Result<Vec<Vec<(String, Value)>>, String> {
    if given.is_unit() {
        return Ok(Vec::new());
    }
    let mut left = most_bytes;
    if let Ok(map) = given.as_map_ref() {
        return Ok(vec![row(&map, &mut left)?]);
    }
    let Ok(list) = given.as_array_ref() else {
        return Err(format!("gave {} where a map or a list of maps was expected", kind(given)));
    };
    let one = |(place, item): (usize, &Dynamic)| match item.as_map_ref() {
        Ok(map) => row(&map, &mut left).map_err(|fault| format!("{fault} (row {})", place + 1)),
        Err(_) => Err(format!("gave {} where row {} was expected, which is a map", kind(item), place + 1)),
    };
    list.iter().enumerate().map(one).collect()
}

/// Whether a task is exported.
///
/// # Errors
/// The rest of a sentence, where it is neither true nor false.
pub(super) fn truth(given: &Dynamic) -> Result<bool, String> {
    given.as_bool().map_err(|_| format!("gave {} where true or false was expected", kind(given)))
}

/// Columns of a script's making.
///
/// # Errors
/// The rest of a sentence, where it is no list of maps with an `id`.
pub(super) fn columns(given: &Dynamic) -> Result<Vec<ExtraColumn>, String> {
    let Ok(list) = given.as_array_ref() else {
        return Err(format!("gave {} where a list of #{{id, title, format}} was expected", kind(given)));
    };
    list.iter()
        .enumerate()
        .map(|(place, item)| column(item).map_err(|fault| format!("{fault} (column {})", place + 1)))
        .collect()
}

/// Any value as JSON that is read back as the same value.
///
/// # Errors
/// The rest of a sentence, where a part of it cannot be.
pub(super) fn json(given: &Dynamic) -> Result<String, String> {
    written(given, MAX_JSON_BYTES, Whole::Float)
}

/// What a value is called in faults.
pub(super) fn kind(given: &Dynamic) -> &'static str {
    if given.is_fnptr() {
        return "a function";
    }
    if given.is::<Time>() {
        return "a time";
    }
    if given.is::<Link>() {
        return "a link";
    }
    if given.is::<Seen>() {
        return "the task";
    }
    match given.type_name() {
        "()" => "nothing",
        "bool" => "a boolean",
        "i64" => "an integer",
        "f64" => "a number",
        "string" | "char" => "a text",
        "array" => "a list",
        "map" => "a map",
        name if name.contains("ange") => "a range",
        _ => "a value of a kind that cells cannot hold",
    }
}

fn row(map: &Map, left: &mut usize) -> Result<Vec<(String, Value)>, String> {
    let pair = |(key, value): (&rhai::Identifier, &Dynamic)| match cell_of(value, left) {
        Ok(cell) => Ok((key.to_string(), cell)),
        Err(fault) => Err(format!("{fault}, under the key `{key}`")),
    };
    map.iter().map(pair).collect()
}

fn column(given: &Dynamic) -> Result<ExtraColumn, String> {
    let Ok(map) = given.as_map_ref() else {
        return Err(format!("gave {} where #{{id, title, format}} was expected", kind(given)));
    };
    let text = |key: &str| match map.get(key).filter(|value| !value.is_unit()) {
        None => Ok(None),
        Some(value) => match value.as_immutable_string_ref() {
            Ok(text) => Ok(Some(text.to_string())),
            Err(_) => Err(format!("gave {} as `{key}`, which is a text", kind(value))),
        },
    };
    let id = text("id")?.filter(|id| !id.is_empty()).ok_or("gave a column without an `id`")?;
    let title = text("title")?.unwrap_or_else(|| id.clone());
    Ok(ExtraColumn { id, title, format: text("format")? })
}

fn written(given: &Dynamic, most_bytes: usize, whole: Whole) -> Result<String, String> {
    let mut writer = Writer { json: String::new(), most_bytes, whole };
    writer.value(given, 0)?;
    Ok(writer.json)
}

/// How a float without a fraction is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// `43`
    Short,
    /// `43.0`, which is read back as a float.
    Float,
}

struct Writer {
    json: String,
    most_bytes: usize,
    whole: Whole,
}

impl Writer {
    fn value(&mut self, given: &Dynamic, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("gave more than {MAX_DEPTH} lists and maps inside each other"));
        }
        if let Ok(text) = given.as_immutable_string_ref() {
            self.put(quote(&text));
        } else if let Ok(list) = given.as_array_ref() {
            self.json.push('[');
            for (place, item) in list.iter().enumerate() {
                self.json.push_str(if place > 0 { "," } else { "" });
                self.value(item, depth + 1)?;
            }
            self.json.push(']');
        } else if let Ok(map) = given.as_map_ref() {
            self.json.push('{');
            for (place, (key, item)) in map.iter().enumerate() {
                self.json.push_str(if place > 0 { "," } else { "" });
                self.json.push_str(&quote(key));
                self.json.push(':');
                self.value(item, depth + 1)?;
            }
            self.json.push('}');
        } else {
            let scalar = self.scalar(given)?;
            self.put(scalar);
        }
        if self.json.len() > self.most_bytes {
            return Err("gave more bytes than a call can hold".to_owned());
        }
        Ok(())
    }

    /// Most cells are one value, which need not be copied.
    fn put(&mut self, part: String) {
        if self.json.is_empty() {
            self.json = part;
        } else {
            self.json.push_str(&part);
        }
    }

    fn scalar(&self, given: &Dynamic) -> Result<String, String> {
        if let Ok(number) = given.as_float() {
            return float(number, self.whole).ok_or_else(|| "gave a number that is not finite".to_owned());
        }
        if let Some(time) = given.read_lock::<Time>() {
            return Ok(quote(&time.0.at.text()));
        }
        if let Some(link) = given.read_lock::<Link>() {
            return Ok(quote(&link.0.url));
        }
        if given.is_unit() {
            return Ok("null".to_owned());
        }
        if let Ok(letter) = given.as_char() {
            return Ok(quote(letter.encode_utf8(&mut [0; 4])));
        }
        match (given.as_int(), given.as_bool()) {
            (Ok(whole), _) => Ok(whole.to_string()),
            (_, Ok(truth)) => Ok(truth.to_string()),
            _ => Err(format!("gave {} where a cell was expected", kind(given))),
        }
    }
}

/// Nothing for what JSON has no number for.
fn float(number: f64, whole: Whole) -> Option<String> {
    if whole == Whole::Short && number.fract() == 0.0 && number.abs() < WHOLE_BELOW {
        // The sum takes its sign from a zero.
        return Some(format!("{:.0}", number + 0.0));
    }
    serde_json::Number::from_f64(number).map(|number| number.to_string())
}
