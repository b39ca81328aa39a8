use proptest::prelude::*;

use super::*;
use crate::domain::json::{check, pairs};

/// What the long way says of a text.
fn by_the_long_way(text: &str) -> Option<Vec<(String, String)>> {
    check(text).ok()?;
    let pairs = pairs(text).ok()?;
    Some(pairs.into_iter().map(|(key, value)| (key.into_owned(), compact(value).into_owned())).collect())
}

fn by_the_fast_way(text: &str) -> Option<Vec<(String, String)>> {
    let mut keys = Keys::new(|_| ());
    let first = scan(text, &mut keys);
    // Keys that are known from before make no difference.
    assert_eq!(scan(text, &mut keys), first);
    Some(first?.into_iter().map(|pair| (pair.key.into_owned(), pair.value.into_owned())).collect())
}

#[test]
fn what_tasks_are_made_of_goes_the_fast_way() {
    for text in [
        "{}",
        r#"{"a":1,"b":-0.5,"c":[],"d":{},"e":[true,false,null],"f":"\" \\ \u00e9 \/","ünï":"ŝ"}"#,
        " { \"a b\" : [ 1 ,\n{ \"c\" : \"d  e\" } ] , \"f\":\t\"g h\" }\r\n",
        r#"{"checklist_1_comment":0,"checklist_2_comment":0,"a":{"a":{"a":0}},"":"","b":""}"#,
    ] {
        assert_eq!(by_the_fast_way(text).unwrap(), by_the_long_way(text).unwrap(), "{text}");
    }
}

#[test]
fn what_is_no_task_is_left_to_the_long_way() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(MAX_JSON_DEPTH), "]".repeat(MAX_JSON_DEPTH));
    let long = format!("{{\"a\":{}}}", "9".repeat(310));
    for text in [
        "",
        "[]",
        "1",
        "{",
        "{}}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":tru}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\u+123\"}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":[{\"b\":1,\"b\":2}]}",
        "{\"a\":1e400}",
        "{\"a\":\"",
        "{\"a\":[1 2]}",
        &deep,
        &long,
    ] {
        assert_eq!(by_the_fast_way(text), None, "{text}");
    }
}

/// JSON and what nearly is.
fn nearly_json() -> impl Strategy<Value = String> {
    let tokens = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"b\"",
        "\"a\\u0062\"",
        "\"\\ud83d\\ude00\"",
        "\"é\\n\"",
        "1",
        "-2.50",
        "0",
        "1e3",
        "-",
        ".",
        "true",
        "null",
        " ",
        "\n",
        "\"",
        "\\",
        "\"long enough for a word\"",
    ];
    let soup = prop::collection::vec(prop::sample::select(tokens.to_vec()), 0..24).prop_map(|soup| soup.concat());
    let leaf = prop_oneof![
        prop::sample::select(vec!["1", "-0.25", "true", "null", "\"\"", "\"a \\\" b\"", "18446744073709551616"])
            .prop_map(str::to_owned),
        "[ -~é]{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        let space = || prop::sample::select(vec!["", "", " ", "\n\t"]);
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!(",{space}")))),
            (prop::collection::vec(("[a-c]{1,2}|[a-z]{6,20}", inner), 0..4), space()).prop_map(|(pairs, space)| {
                let pairs: Vec<String> =
                    pairs.into_iter().map(|(key, value)| format!("\"{key}\"{space}:{value}")).collect();
                format!("{{{}{space}}}", pairs.join(","))
            }),
        ]
    });
    prop_oneof![1 => soup, 3 => value]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_fast_way_accepts_the_long_way_reads_alike(text in nearly_json()) {
        if let Some(pairs) = by_the_fast_way(&text) {
            prop_assert_eq!(Some(pairs), by_the_long_way(&text));
        }
    }

    #[test]
    fn what_objects_before_had_makes_no_difference(texts in prop::collection::vec(nearly_json(), 1..6)) {
        let mut keys = Keys::new(str::len);
        for text in &texts {
            let alone = scan(text, &mut Keys::new(str::len));
            prop_assert!(alone.iter().flatten().all(|pair| pair.meaning == pair.key.len()));
            prop_assert_eq!(scan(text, &mut keys), alone, "{}", text);
        }
    }

    #[test]
    fn a_run_ends_where_a_plain_search_says(bytes in any::<[u8; 8]>(), place in 0_usize..8, end in prop::sample::select(b"\"\\\x00\x1f".to_vec())) {
        let mut bytes = bytes;
        for bytes in [bytes, { bytes[place] = end; bytes }] {
            let plain = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '));
            let found = ends_of_run(u64::from_le_bytes(bytes));
            prop_assert_eq!(plain, (found != 0).then(|| found.trailing_zeros() as usize / 8));
        }
    }
}
