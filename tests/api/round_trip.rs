//! Whatever is in a task comes back out of every format, read by somebody else's reader.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Number, Value, json};

use crate::support::{House, id};

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000).prop_map(|n| Number::from_f64(n as f64 / 64.0).map_or(Value::Null, Value::Number)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        "\\PC{0,12}".prop_map(Value::from),
        "[=+@\\-\\t]\\PC{0,4}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["_x0041_", " ", "\r\n", "a\nb", "\u{0}", "\u{1f}", "]]>", "\u{fffe}", "007", "😀"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]|name|title", inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn task() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(("[a-f]|ключ|a b|=x", value()), 0..6).prop_map(|pairs| pairs.into_iter().collect())
}

/// What a table shows of a value (contract 2), as text.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let item = |item: &Value| if item.is_array() { item.to_string() } else { shown(item) };
            items.iter().map(item).collect::<Vec<_>>().join(";")
        }
        Value::Object(pairs) => {
            let named = |key: &str| pairs.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            named("name").or_else(|| named("title")).map_or_else(|| value.to_string(), str::to_owned)
        }
    }
}

fn check_xlsx(file: Vec<u8>, tasks: &[Map<String, Value>]) {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file)).unwrap();
    let sheet = book.worksheet_range("main").unwrap();
    let header: Vec<String> = sheet.rows().next().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(sheet.height(), tasks.len() + 1);
    for (row, task) in tasks.iter().enumerate() {
        for (key, value) in task {
            let column = header.iter().position(|name| name == key).unwrap_or_else(|| panic!("{key} in {header:?}"));
            let cell = sheet.get_value((row as u32 + 1, column as u32)).unwrap_or(&Data::Empty);
            match (value, cell) {
                (Value::Bool(value), Data::Bool(found)) => assert_eq!(value, found),
                (Value::Number(value), Data::Float(found)) => assert_eq!(value.as_f64(), Some(*found)),
                // In a cell, a line ends with a line feed alone.
                (_, cell) => assert_eq!(shown(value).replace("\r\n", "\n"), cell.to_string(), "{key}"),
            }
        }
    }
}

fn check_csv(file: &[u8], tasks: &[Map<String, Value>]) {
    let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap();
    let mut reader = csv::Reader::from_reader(text);
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), tasks.len());
    for (row, task) in rows.iter().zip(tasks) {
        for (key, value) in task {
            let column = header.iter().position(|name| name.trim_start_matches('\'') == key).unwrap();
            let (found, wanted) = (&row[column], shown(value));
            assert!(found == wanted || found.strip_prefix('\'') == Some(&wanted), "{key}: {found:?} for {wanted:?}");
        }
    }
}

#[test]
fn arbitrary_tasks_come_back_out_of_every_format() {
    let house = House::new();
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let result = runner.run(&prop::collection::vec(task(), 1..30), |tasks| {
        let whole = |number: usize, task: &Map<String, Value>| {
            let mut whole = Map::new();
            whole.insert("_id".into(), json!(id(number as u64)));
            whole.insert("createdTime".into(), json!("2025-06-01T00:00:00+00:00"));
            whole.extend(task.clone());
            Value::Object(whole)
        };
        let text: String =
            tasks.iter().enumerate().map(|(number, task)| whole(number, task).to_string() + "\n").collect();
        house.load(&text);
        let ids: Vec<String> = (0..tasks.len()).map(|number| id(number as u64).to_string()).collect();
        let file = |download: &str| {
            let body = json!({"download": download, "ids": ids, "limit": 1000, "sortBy": "_id", "sortOrder": "asc"});
            house.file(&house.export(&body.to_string()))
        };
        let listed: Vec<Value> = serde_json::from_slice(&file("json")).unwrap();
        let lined = file("ndjson");
        let lined: Vec<Value> = lined
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert_eq!(listed, lined);
        for (found, (number, task)) in listed.iter().zip(tasks.iter().enumerate()) {
            assert_eq!(found["_id"], whole(number, task)["_id"]);
            for (key, value) in task {
                assert_eq!(&found[key], value);
            }
        }
        check_xlsx(file("xlsx"), &tasks);
        check_csv(&file("csv"), &tasks);
        Ok(())
    });
    result.unwrap();
}
