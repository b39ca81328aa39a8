#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::domain::{Task, json};

fn stored(json: &str, first_number: u32) -> (Task, Catalog, Vec<u8>) {
    let task = Task::stored(json).unwrap();
    let mut catalog = Catalog::default();
    let numbers: Vec<u32> = task.names().map(|name| number(&mut catalog, &name) + first_number).collect();
    let mut bytes = Vec::new();
    encode(&task, &numbers, &catalog, &mut bytes);
    (task, catalog, bytes)
}

fn number(catalog: &mut Catalog, name: &str) -> u32 {
    catalog.number(name).unwrap_or_else(|| catalog.add(name).unwrap())
}

/// The JSON of a record.
fn whole(bytes: &[u8], catalog: &Catalog) -> Option<String> {
    let mut json = "before".to_owned();
    Record::read(bytes)?.write_json(catalog, &mut json)?;
    Some(json.strip_prefix("before").unwrap().to_owned())
}

const JSON: &str = r#"{"_id":"61e5477601020304ffabcdef","status":"DONE","isDeleted":true,"hubId":"0000000000000000000000ff","flowId":"0000000000000000000000fe","createdTime":"2025-06-15T08:00:00+00:00","doneTime":"1960-06-15T08:00:00.5Z","a \"b\"":[1.0,{"c":18446744073709551616}],"nothing":null,"ünï":"ŝ"}"#;

#[test]
fn a_record_reads_back_as_the_task_it_was_made_from() {
    let long = JSON.replace("ŝ", &"ŝ".repeat(40_000));
    for json in [JSON, &long, "{}", r#"{"_id":"61e5477601020304ffabcdef"}"#] {
        let (task, catalog, bytes) = stored(json, 0);
        let lookup = Lookup::new(&catalog, ["nothing", "status"]);
        let read = Named::read(task.id(), &bytes, &lookup).unwrap();
        assert_eq!(read.header(), task.header());
        assert_eq!(whole(&bytes, &catalog).as_deref(), Some(json));
        assert_eq!(bytes[0], VALUES);
        for name in task.names() {
            assert_eq!(read.raw(&name), task.raw(&name), "{name}");
        }
        assert_eq!(read.raw("unknown"), None);
        let header = task.header();
        assert_eq!((read.record.flow(), read.record.is_deleted()), (header.flow, header.deleted));
    }
}

#[test]
fn field_numbers_beyond_two_bytes_are_kept() {
    let (_, _, bytes) = stored(JSON, 70_000);
    let record = Record::read(&bytes).unwrap();
    assert_eq!(record.raw(70_001), Some("\"DONE\""));
    assert_eq!(record.raw(1), None);
}

#[test]
fn json_whose_keys_the_catalogue_spells_otherwise_is_kept_as_it_was_given() {
    let (task, catalog, plain) = stored(JSON, 0);
    let numbers: Vec<u32> = task.names().filter_map(|name| catalog.number(&name)).collect();
    let mut others = Catalog::default();
    numbers.iter().for_each(|number| assert_eq!(others.add(&format!("other {number}")), Some(*number)));
    let (mut given, mut again, mut shorter) = (Vec::new(), Vec::new(), Vec::new());
    encode(&task, &numbers, &others, &mut given);
    assert_eq!((plain[0], given[0]), (VALUES, GIVEN));
    assert_eq!(whole(&given, &others).as_deref(), Some(JSON));
    assert_eq!(Record::read(&given).unwrap().raw(numbers[1]), Some("\"DONE\""));
    without_keys(&given, &others, &mut again);
    without_keys(&given, &catalog, &mut shorter);
    assert_eq!((again, shorter), (given, plain));
}

#[test]
fn bytes_that_are_no_record_are_refused_and_never_panic() {
    let (task, catalog, bytes) = stored(JSON, 0);
    for end in 0..FRONT + 2 * 2 * task.names().len() {
        assert!(Record::read(&bytes[..end]).is_none(), "{end}");
    }
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 0x80;
        whole(&changed, &catalog);
        without_keys(&changed, &catalog, &mut Vec::new());
        if let Some(record) = Record::read(&changed) {
            record.header(task.id());
            (0..12).for_each(|number| {
                record.raw(number);
            });
        }
    }
}

/// A key or a text, plain or odd.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-zA-Z_]{0,12}", 1 => any::<String>(), 1 => "[\"\\\\/\n\u{1}é ]{1,4}"]
}

fn value() -> impl Strategy<Value = String> {
    let odd = ["null", "true", "-0.0", "1e400", "[]", "{}", r#"{"a":[1, {"b":"}"}]}"#, r#""\ud83d\ude00\/""#];
    let long = text().prop_map(|text| json::quote(&text.repeat(9_000)));
    prop_oneof![8 => text().prop_map(|text| json::quote(&text)), 8 => select(odd.to_vec()).prop_map(str::to_owned), 1 => long]
}

/// A pair in one of the ways in which it may be written.
fn pair() -> impl Strategy<Value = String> {
    (text(), value(), any::<bool>(), select(&["", " ", "\n"][..])).prop_map(|(key, value, escaped, space)| {
        let escapes: String = key.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let key = if escaped { format!("\"{escapes}\"") } else { json::quote(&key) };
        format!("{space}{key}{space}:{space}{value}{space}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_task_reads_back_byte_for_byte_and_changed_bytes_never_panic(
        pairs in vec(pair(), 0..12),
        changes in vec((any::<Index>(), 1_u8..), 1..4),
    ) {
        let (task, catalog, mut bytes) = stored(&format!("{{{}}}", pairs.join(",")), 0);
        prop_assert_eq!(whole(&bytes, &catalog), Some(task.json().to_owned()));
        let record = Record::read(&bytes).unwrap();
        for (field, place) in task.places().enumerate() {
            prop_assert_eq!(record.value(field).unwrap().text().ok(), task.json().get(place));
        }
        for (place, flip) in changes {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        whole(&bytes, &catalog);
        without_keys(&bytes, &catalog, &mut Vec::new());
        if let Some(record) = Record::read(&bytes) {
            (0..13).for_each(|place| {
                record.value(place);
            });
        }
    }
}
