//! The lazy task, and what scripts read of it.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::script::{Reads, convert, decode};

fn reads(text: &str) -> Reads {
    field(text).reads().clone()
}

fn keys(names: &[&str]) -> Reads {
    Reads::Keys(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn whole_numbers_beyond_64_bits_keep_their_digits() {
    let task =
        r#"{"a":9223372036854775807,"b":9223372036854775808,"c":-123456789012345678901234567890,"d":1e3,"e":-0}"#;
    assert_eq!(
        json("[task.a, task.b, task.c, task.d, task.e]", task),
        r#"[9223372036854775807,"9223372036854775808","-123456789012345678901234567890",1000,0]"#
    );
}

#[test]
fn the_task_can_be_asked_for_its_keys() {
    let task = r#"{"b":1,"a":null}"#;
    assert_eq!(json("task.keys()", task), r#"["b","a"]"#);
    assert_eq!(json("[\"a\" in task, \"c\" in task]", task), "[true,false]");
}

#[test]
fn named_keys_are_all_that_is_read() {
    for (body, expected) in [
        ("1", &[][..]),
        ("task.status + task[\"orderNo\"]", &["orderNo", "status"]),
        ("task.a.b[0].c + task[\"d\"].e", &["a", "d"]),
        ("task.items.len() + task.n", &["items", "n"]),
        ("for i in task.items { if i.x { break } } loop { break task.z; }", &["items", "z"]),
        ("switch task.s { 1 => task.x, _ => `${task.y}` }", &["s", "x", "y"]),
        ("let f = |x| x + 1; f.call(task.q)", &["q"]),
        ("helper(task, 1)", &["h1", "h2"]),
    ] {
        let text = format!(
            "fn value(task, args) {{ {body} }}\nfn helper(t, n) {{ t.h1; deeper(n, t) }}\nfn deeper(n, x) {{ if n > 0 {{ helper(x, n - 1) }} x[\"h2\"] }}"
        );
        assert_eq!(reads(&text), keys(expected), "{body}");
    }
}

#[test]
fn whatever_else_is_done_with_the_task_reads_all_of_it() {
    for body in [
        "let t = task; t.a",
        "[task]",
        "#{a: task}",
        "task[args.key]",
        "task[\"a\" + \"b\"]",
        "task[task.a]",
        "task.keys()",
        "\"a\" in task",
        "task.helper()",
        "let f = || task.a; f.call()",
        "[1].map(|x| task.a)",
        "Fn(\"helper\").call(task)",
        "call(Fn(\"helper\"), task)",
        "return task;",
        "loop { break task; }",
        "`${task}`",
        "if true { task } else { () }",
        "switch 1 { 1 => task, _ => 2 }",
        "task ?? 1",
    ] {
        let text = format!("fn value(task, args) {{ {body} }}\nfn helper(t) {{ t.a }} fn helper() {{ this.a }}");
        assert_eq!(reads(&text), Reads::Whole, "{body}");
    }
}

#[test]
fn reading_is_followed_into_libs() {
    let compiler = with_libs(&[("geo", "fn near(t) { far(t) } fn far(x) { x.place }"), ("all", "fn all(t) { [t] }")]);
    let reads = |text: &str| compiler.program(ScriptKind::Field, "probe", text).unwrap().reads().clone();
    assert_eq!(reads("import \"lib/geo\" as g; fn value(task, args) { g::near(task) }"), keys(&["place"]));
    assert_eq!(reads("fn value(t, a) { import \"lib/geo\" as g; g::near(t); t.n }"), keys(&["n", "place"]));
    assert_eq!(reads("import \"lib/all\" as g; fn value(task, args) { g::all(task) }"), Reads::Whole);
}

/// JSON of all kinds, not too deep.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<i32>().prop_map(|eighths| Json::from(f64::from(eighths) / 8.0)),
        ".{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::btree_map("[a-e\"\\\\ ]{0,3}", inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn any_task() -> impl Strategy<Value = Map<String, Json>> {
    proptest::collection::btree_map("[a-d]", any_json(), 0..4).prop_map(|map| map.into_iter().collect())
}

/// Bodies of `value` put together from parts that read the task in many ways.
fn any_body() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("task.a"),
        Just("task[\"b\"]"),
        Just("task?.c"),
        Just("task.keys()"),
        Just("pick(task)"),
        Just("pick2(1, task)"),
        Just("(if task.a == 1 { task.b } else { task.c })"),
        Just("(loop { break task.d; })"),
        Just("(switch type_of(task.a) { \"i64\" => task.b, _ => task[\"c\"] })"),
        Just("[1].map(|x| task.d)"),
        Just("(\"a\" in task)"),
        Just("task[args.key]"),
    ];
    proptest::collection::vec(part, 1..5).prop_map(|parts| format!("[{}]", parts.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_lazy_view_is_the_whole_task(task in any_task()) {
        let text = Json::Object(task.clone()).to_string();
        let lazy = Task::whole(&text);
        for (key, expected) in &task {
            let seen = convert::json(&lazy.seen().field(key)).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Json>(&seen).unwrap(), expected, "{}", seen);
        }
        prop_assert!(lazy.seen().field("none").is_unit());
    }

    #[test]
    fn reading_never_panics_on_what_is_no_json(text in ".{0,40}") {
        let _ = decode::decode(&text);
    }

    #[test]
    fn a_script_sees_the_same_in_its_keys_as_in_the_whole_task(task in any_task(), body in any_body()) {
        let text = format!("fn value(task, args) {{ {body} }}\nfn pick(t) {{ t.b }}\nfn pick2(n, t) {{ [t.c, pick(t)] }}");
        let program = field(&text);
        let whole = Json::Object(task.clone()).to_string();
        let args = args(r#"{"key":"a"}"#);
        let expected = program.value(&session(), &Task::whole(&whole), &args).result;
        if let Reads::Keys(keys) = program.reads() {
            let names: Arc<[String]> = keys.iter().cloned().collect();
            let raws: Vec<Option<String>> = names.iter().map(|name| task.get(name).map(Json::to_string)).collect();
            let partial = Task::of_keys(&names, raws.iter().map(Option::as_deref).collect());
            prop_assert_eq!(program.value(&session(), &partial, &args).result, expected, "{}", body);
        }
    }
}
