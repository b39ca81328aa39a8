//! Arbitrary values, through a workbook and back: equal under the mapping that is documented.

use calamine::Data;
use proptest::prelude::*;
use waybill::domain::{ColumnKind, Value};

use crate::files::{File, auto, column, json, task};

/// Cells of one case; with the default of 256 cases that is more than 15,000 a run.
const CELLS: usize = 60;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::collection::vec(any::<char>(), 0..12).prop_map(|chars| chars.into_iter().collect()),
        3 => "[ \t\r\n=+@_x0-9A-F-]{0,12}",
        2 => "(_x00[0-4][0-9A-F]_|\r\n|[<>&\"'\u{0}-\u{1f}\u{fffe}\u{ffff}]){1,4}",
        1 => "[0-9]{1,20}",
    ]
}

fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        (-1_000_000_i64..1_000_000).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        (-1e12_f64..1e12).prop_map(|n| n.to_string()),
    ]
}

fn any_scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any_text().prop_map(|text| serde_json::to_string(&text).unwrap()),
        3 => any_number(),
        1 => prop_oneof![Just("true"), Just("false"), Just("null")].prop_map(str::to_owned),
    ]
}

fn any_value() -> impl Strategy<Value = String> {
    let object = |key: &'static str| {
        any_text().prop_map(move |text| format!("{{\"id\":1,\"{key}\":{}}}", serde_json::to_string(&text).unwrap()))
    };
    prop_oneof![
        6 => any_scalar(),
        1 => proptest::collection::vec(any_scalar(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        1 => object("name"),
        1 => object("other"),
    ]
}

/// What people see of a value, as the contract says it.
fn shown(value: &serde_json::Value, raw: &str) -> String {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    match value {
        Null => std::string::String::new(),
        Bool(value) => value.to_string(),
        String(text) => text.clone(),
        Number(_) => raw.to_owned(),
        Array(items) => {
            let raws: Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).unwrap();
            let shown = items.iter().zip(raws).map(|(item, raw)| shown(item, raw.get()));
            shown.collect::<Vec<_>>().join(";")
        }
        Object(keys) => match keys.get("name").and_then(serde_json::Value::as_str).filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => raw.to_owned(),
        },
    }
}

fn in_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn expected(raw: &str) -> Data {
    let value: serde_json::Value = serde_json::from_str(raw).unwrap();
    let as_text = |text: String| if text.is_empty() { Data::Empty } else { Data::String(in_lines(&text)) };
    match &value {
        serde_json::Value::Bool(value) => Data::Bool(*value),
        serde_json::Value::Number(_) => {
            let number: f64 = raw.parse().unwrap();
            let whole = raw.trim_start_matches('-').bytes().take_while(u8::is_ascii_digit).count();
            let in_range = number == 0.0 || (2.2251e-308..=9.999_999_999_999_99e307).contains(&number.abs());
            if whole <= 15 && in_range { Data::Float(number + 0.0) } else { as_text(raw.to_owned()) }
        }
        value => as_text(shown(value, raw)),
    }
}

/// Some readers tell an empty text from no cell.
fn found(cell: Option<&Data>) -> Data {
    match cell {
        None => Data::Empty,
        Some(Data::String(text)) if text.is_empty() => Data::Empty,
        Some(cell) => cell.clone(),
    }
}

proptest! {
    #[test]
    fn whatever_a_task_holds_a_reader_finds_it(values in proptest::collection::vec(any_value(), CELLS)) {
        let rows: Vec<Vec<Value>> = values.chunks(3).map(|row| row.iter().map(|raw| json(raw)).collect()).collect();
        let file = File::of(vec![auto("a"), auto("b"), auto("c")], &rows);
        let sheet = file.main();
        for (place, raw) in values.iter().enumerate() {
            let cell = sheet.get_value((place as u32 / 3 + 1, place as u32 % 3));
            prop_assert_eq!(found(cell), expected(raw), "{}", raw);
        }
    }

    #[test]
    fn whatever_an_item_holds_a_reader_finds_it(lists in proptest::collection::vec(proptest::collection::vec((any_scalar(), any_scalar()), 0..4), 20)) {
        let item = |(a, b): &(String, String)| format!("{{\"a\":{a},\"b\":{b}}}");
        let raws: Vec<String> = lists.iter().map(|list| format!("[{}]", list.iter().map(item).collect::<Vec<_>>().join(","))).collect();
        let rows: Vec<Vec<Value>> = raws.iter().map(|raw| vec![json(raw)]).collect();
        let file = File::of(vec![column("l", "L", ColumnKind::List)], &rows);
        let items: Vec<_> = lists.iter().enumerate().flat_map(|(row, list)| list.iter().map(move |item| (row, item))).collect();
        if items.is_empty() {
            return Ok(());
        }
        let sheet = file.sheet("L");
        for (place, (row, (a, b))) in items.into_iter().enumerate() {
            let cell = |column| found(sheet.get_value((place as u32 + 1, column)));
            prop_assert_eq!(cell(0), Data::String(task(row).to_string()));
            prop_assert_eq!(cell(1), Data::Float(row as f64 + 2.0));
            prop_assert_eq!((cell(2), cell(3)), (expected(a), expected(b)));
        }
    }
}
