//! What a script says of itself: `about()`, and the `examples()` that are run before it goes live.

use rhai::{Array, Dynamic, Map};
use serde_json::Value as Json;

use crate::domain::limits::MAX_SCRIPT_EXAMPLES;
use crate::domain::{Moment, ScriptFault, Value, Zone};

use super::convert;
use super::program::{Args, Program, Session};
use super::types::{Link, Time};
use super::{ScriptKind, Task};

/// The moment that examples run at unless they name one: 2025-06-15T08:00:00Z.
const NOW: Moment = Moment(1_749_974_400_000);
/// Characters of a value in a fault.
const MAX_SHOWN_CHARS: usize = 160;

impl Program {
    /// What `about()` says; nothing where there is none.
    ///
    /// # Errors
    /// What it ends with, or that what it gives is no text.
    pub fn about(&self) -> Result<Option<String>, ScriptFault> {
        if !self.has("about") {
            return Ok(None);
        }
        let text = |given: &Dynamic| match given.as_immutable_string_ref() {
            Ok(text) => Ok(Some(text.to_string())),
            Err(_) => Err(format!("gave {} where a text was expected", convert::kind(given))),
        };
        self.ran(&session(NOW, Zone::utc()), "about", || [], text).result
    }

    /// Runs each `#{task, args, expect}` of `examples()` and says how many there are. An example may also
    /// name the moment that it is, `now`, and the `zone`.
    ///
    /// # Errors
    /// The first example that ends with a fault, or gives anything but what it expects; or that there are too
    /// many.
    pub fn run_examples(&self) -> Result<usize, ScriptFault> {
        if !self.has("examples") || self.kind() == ScriptKind::Lib {
            return Ok(0);
        }
        let list = |given: &Dynamic| match given.as_array_ref() {
            Ok(list) if list.len() > MAX_SCRIPT_EXAMPLES => {
                Err(format!("gave {} examples; the most is {MAX_SCRIPT_EXAMPLES}", list.len()))
            }
            Ok(list) => Ok(list.clone()),
            Err(_) => {
                Err(format!("gave {} where a list of #{{task, args, expect}} was expected", convert::kind(given)))
            }
        };
        let examples: Array = self.ran(&session(NOW, Zone::utc()), "examples", || [], list).result?;
        for (place, example) in examples.iter().enumerate() {
            self.run_example(example).map_err(|fault| {
                let text = format!("Example {}: {}", place + 1, fault.text);
                ScriptFault { text, ..fault }
            })?;
        }
        Ok(examples.len())
    }

    fn run_example(&self, example: &Dynamic) -> Result<(), ScriptFault> {
        let example = Example::new(example).map_err(|text| self.fault(text))?;
        let Example { session, task, args, expect } = &example;
        match self.kind() {
            ScriptKind::Flow => self.run_flow(&example),
            _ => {
                let came = self.value(session, task, args).result?;
                self.compare(is_cell(&came, expect), expect, &shown(&came))
            }
        }
    }

    fn run_flow(&self, example: &Example) -> Result<(), ScriptFault> {
        let Example { session, task, args, expect } = example;
        let included = self.include(session, task, args).result?;
        if let Ok(expected) = expect.as_bool() {
            return self.compare(included == expected, expect, &included.to_string());
        }
        let rows = if included { self.rows(session, task, args).result? } else { Vec::new() };
        let came: Vec<String> = rows.iter().map(|row| shown_row(row)).collect();
        self.compare(are_rows(&rows, expect), expect, &format!("[{}]", came.join(", ")))
    }

    fn compare(&self, same: bool, expect: &Dynamic, came: &str) -> Result<(), ScriptFault> {
        if same {
            return Ok(());
        }
        let expected = convert::json(expect).unwrap_or_else(|_| convert::kind(expect).to_owned());
        Err(self.fault(format!("expected {}, came {}.", cut(&expected), cut(came))))
    }
}

struct Example {
    session: Session,
    task: Task<'static>,
    args: Args,
    expect: Dynamic,
}

impl Example {
    fn new(given: &Dynamic) -> Result<Self, String> {
        let map: Map = match given.as_map_ref() {
            Ok(map) => map.clone(),
            Err(_) => return Err("An example is a map #{task, args, expect}.".to_owned()),
        };
        let text = |key: &str| {
            map.get(key).and_then(|value| convert::cell(value, MAX_SHOWN_CHARS).ok()).map(|cell| plain(&cell))
        };
        let zone = match text("zone") {
            Some(name) => Zone::named(&name).ok_or_else(|| format!("There is no zone {name}."))?,
            None => Zone::utc(),
        };
        let now = match text("now") {
            Some(now) => Moment::parse(&now, &zone).ok_or_else(|| format!("The text {now} is no moment."))?,
            None => NOW,
        };
        let json = map.get("task").map_or_else(|| Ok("{}".to_owned()), convert::json);
        let task = json.map_err(|fault| format!("The task {fault}."))?;
        let args = map.get("args").filter(|args| args.is_map());
        Ok(Self {
            session: session(now, zone),
            task: Task::whole(&task),
            args: args.map_or_else(Args::default, |args| Args::of(args.clone())),
            expect: map.get("expect").cloned().unwrap_or_default(),
        })
    }
}

fn session(now: Moment, zone: Zone) -> Session {
    Session { now, zone, digest_key: [0; 32], patience: 1 }
}

fn are_rows(rows: &[Vec<(String, Value)>], expect: &Dynamic) -> bool {
    let expected = match expect.as_array_ref() {
        Ok(list) => list.clone(),
        Err(_) if expect.is_unit() => Array::new(),
        Err(_) => vec![expect.clone()],
    };
    let is_row = |row: &[(String, Value)], expect: &Dynamic| match expect.as_map_ref() {
        Ok(map) => {
            let came = |key: &str| row.iter().find(|(name, _)| name == key).map(|(_, value)| value);
            row.iter().all(|(key, value)| is_cell(value, map.get(key.as_str()).unwrap_or(&Dynamic::UNIT)))
                && map.iter().all(|(key, expect)| is_cell(came(key).unwrap_or(&Value::Empty), expect))
        }
        Err(_) => false,
    };
    rows.len() == expected.len() && rows.iter().zip(&expected).all(|(row, expect)| is_row(row, expect))
}

/// Whether a cell is what was expected. A time may be expected as a text, a link as its address or as
/// `#{url, text}`.
fn is_cell(came: &Value, expect: &Dynamic) -> bool {
    match came {
        Value::Empty => expect.is_unit(),
        Value::Time(time) => match (expect.read_lock::<Time>(), expect.as_immutable_string_ref()) {
            (Some(expected), _) => expected.0.at == time.at,
            (_, Ok(text)) => Moment::parse_from(&text, &Zone::utc()) == Some(time.at),
            _ => false,
        },
        Value::Link(link) => {
            let text = |map: &Map, key: &str| {
                map.get(key).and_then(|text| text.clone().into_string().ok()).unwrap_or_default()
            };
            match (expect.read_lock::<Link>(), expect.as_map_ref(), expect.as_immutable_string_ref()) {
                (Some(expected), ..) => expected.0 == **link,
                (_, Ok(map), _) => text(&map, "url") == link.url && text(&map, "text") == link.text,
                (.., Ok(url)) => *url == link.url,
                _ => false,
            }
        }
        Value::Json(json) => {
            match (serde_json::from_str(json), convert::json(expect).map(|text| serde_json::from_str(&text))) {
                (Ok(came), Ok(Ok(expected))) => is_json(&came, &expected),
                _ => false,
            }
        }
    }
}

/// Equal, where numbers may differ by what arithmetic with doubles loses.
fn is_json(came: &Json, expect: &Json) -> bool {
    const LOST: f64 = 1e-9;
    match (came, expect) {
        (Json::Number(a), Json::Number(b)) if a != b => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= LOST * a.abs().max(b.abs()),
            _ => false,
        },
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_json(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_json(a, b)))
        }
        _ => came == expect,
    }
}

fn shown_row(row: &[(String, Value)]) -> String {
    let pairs: Vec<String> = row.iter().map(|(key, value)| format!("{key}: {}", shown(value))).collect();
    format!("#{{{}}}", pairs.join(", "))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Empty => "()".to_owned(),
        Value::Json(json) => json.to_string(),
        Value::Time(time) => time.at.text(),
        Value::Link(link) => link.url.clone(),
    }
}

/// The text of a cell, without the quotes that a text has in JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::Json(json) => crate::domain::json::text(json).map_or_else(|| json.to_string(), Into::into),
        other => shown(other),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
