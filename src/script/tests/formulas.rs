//! Formulas come to what Rhai comes to, or leave it to Rhai.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::script::functions;

/// What came of both ways for one task: whether the formula had an answer.
pub(super) fn both(program: &Program, task: &str, args: &Args) -> bool {
    let (session, task) = (session(), Task::whole(task));
    let rhai = program.value_by_rhai(&session, &task, args);
    match program.value_by_formula(&session, &task, args) {
        Some(ran) => {
            assert_eq!(ran.result, rhai.result, "{}", program.label());
            true
        }
        None => false,
    }
}

/// The same for the rows that a script makes.
pub(super) fn both_rows(program: &Program, task: &str, args: &Args) -> bool {
    let (session, task) = (session(), Task::whole(task));
    let rhai = program.rows_by_rhai(&session, &task, args);
    let ran = program.rows_by_formula(&session, &task, args);
    ran.map(|ran| assert_eq!(ran.result, rhai.result, "{}", program.label())).is_some()
}

fn expression(text: &str) -> Program {
    compiler().expression(text, text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

#[test]
fn what_people_write_is_computed_without_rhai() {
    let task = r#"{"status":"DONE","n":3,"x":2.5,"t":"a \"b\" ä","time":"2025-06-15T08:00:00+00:00","none":null,
        "list":["a","b"],"items":[{"q":2,"p":1.5},{"q":3}],"map":{"k":{"l":7}},"place":"-6.18,106.83"}"#;
    for text in [
        "1",
        "task.n",
        "task[\"n\"] + 1",
        "task.n / 2 + task.n % 2 - -task.n * 2",
        "task.x * task.n >= 7.5 && !(task.status == \"OPEN\") || false",
        "if task.status != \"DONE\" { return (); } if task.n > 60 { \"late\" } else if task.n > 2 { \"in time\" }",
        "`${task.n}: ${task.t}, ${task.x} ${task.none}${true}`",
        "task.status + \"?\" + task.n + task.x + task.none",
        "task.none ?? task.gone ?? task.t",
        "let a = task.n; let b = { let a = a + 1; a * a }; a + b",
        "task.list",
        "task.items[1].q + task.items[-2].q",
        "task.map.k.l",
        "get(task, \"items.0.p\", 0) + get(task, \"items.7.p\", 1) + task.get(\"n\", 0)",
        "get(args, \"zone\", \"UTC\") + args.more",
        "round(minutes_between(task.time, now()), 1)",
        "format_time(task.time, \"%d %b %Y %H:%M\")",
        "format_time(in_zone(task.time, \"Asia/Jakarta\"), \"%H:%M\")",
        "time(task.time)",
        "time(task.time) < add_minutes(time(task.time), 5)",
        "join([task.t, task.none, task.n, task.x], \", \")",
        "join(task.list, \"/\").len() + count(task.list) + task.list.len()",
        "link(\"https://example.com/\" + task.n, task.status)",
        "mask(task.t) + digest(task.t)",
        "match(task.t, \"^a\")",
        "distance_metres(task.place, \"-6.2,106.8\")",
        "format_number(number(\"1,234.5\"), 2)",
        "sum(task.items, \"q\") + weekday(task.time)",
        "task.t.to_upper().contains(\"Ä\") && task.t.starts_with(\"a\") && !task.t.ends_with(\"a\") && !task.t.is_empty()",
        "task.t.split(\" \").map(|part| part.len())",
        "let n = task.n; task.items.filter(|item| item.q >= n).map(|item, place| `${place} ${item.q}`)",
        "task.list.some(|x| x == \"b\") && !task.list.all(|x| x == \"b\") && task.list.find(|x| x == \"c\") == ()",
        "task.none == () && task.list != () && task.n != \"3\"",
        "let l = []; for (x, place) in task.list { if x != \"a\" { l.push(x); } l.push(place); } l",
        "let l = [#{b: 1, a: task.n}]; l.push(#{}); l[0].a + l[-2][\"b\"] + l.len()",
        "task.list.contains(\"b\") && ![task.n].contains(task.t)",
    ] {
        let program = expression(text);
        assert!(both(&program, task, &args(r#"{"zone":"Asia/Jakarta","more":1}"#)), "{text}");
    }
}

#[test]
fn rows_are_computed_too() {
    let text = "fn include(task, args) { task.n != 4 }
        fn rows(task, args) {
            let rows = [];
            if task.n == 0 { return rows; }
            for item in get(task, \"items\", []) { rows.push(#{title: item.title, n: task.n, amount: item.q * 2}); }
            if rows.is_empty() { #{n: 1} } else { rows }
        }";
    let program = flow(text);
    for (task, answers) in [
        (r#"{"n":0}"#, true),
        (r#"{"n":1}"#, true),
        (r#"{"n":4,"items":[]}"#, true),
        (r#"{"n":5,"items":[{"title":"a","q":2.5},{"q":1,"title":null}]}"#, true),
        (r#"{"n":5,"items":[{"title":"a"}]}"#, false),
        (r#"{"n":5,"items":[7]}"#, false),
    ] {
        assert_eq!(both_rows(&program, task, &Args::default()), answers, "{task}");
        let (task, session) = (Task::whole(task), session());
        assert_eq!(program.include(&session, &task, &Args::default()).result, Ok(task.raw("n") != Some("4")));
    }
}

#[test]
fn what_is_more_than_a_formula_is_left_to_rhai() {
    for text in [
        "let n = 0; n += 1; n",
        "for i in 0..3 { } 1",
        "for x in task.list { if x == 1 { break; } } 1",
        "task.list.push(1); 1",
        "const L = []; L.push(1); 1",
        "let l = []; [1].map(|x| l.push(x)); l",
        "task.t.replace(\"a\", \"b\"); 1",
        "switch task.n { 1 => 2, _ => 3 }",
        "'a'",
        "({ return task.n; }).len()",
        "`a`.contains({ return 1; })",
        "let f = |x| x; f.call(1)",
        "task?.n",
        "type_of(task.n)",
        "task.list.map(|x| x + task.n)",
        "let l = task.list; l.filter(|x| x == 1).map(|x| x + l.len())",
        "task.list.map(|| this)",
        "try { 1 } catch { 2 }",
    ] {
        assert!(!both(&expression(text), r#"{"n":1,"t":"a","list":[1]}"#, &Args::default()), "{text}");
    }
    // Of a fault only Rhai can tell.
    for text in [
        "1 / task.zero",
        "throw \"no\"",
        "9223372036854775807 + task.one",
        "task.none.x",
        "-task.t",
        "round(task.t, 1)",
        "if task.one { 2 }",
    ] {
        assert!(!both(&expression(text), r#"{"zero":0,"one":1,"t":"a"}"#, &Args::default()), "{text}");
    }
}

#[test]
fn a_name_means_to_a_formula_what_it_means_to_rhai() {
    for (text, expected) in [
        ("fn round(x, n) { x + n }\nfn value(task, args) { round(1.26, 1) }", "2.26"),
        ("fn round(x) { x }\nfn value(task, args) { round(1.26, 1) }", "1.3"),
        ("fn len(x) { 7 }\nfn value(task, args) { task.t.len() + len(\"abc\") }", "9"),
        ("fn add(a, b) { let a = a + b; a }\nfn value(t, a) { let b = 5; add(b, t.n) + b }", "12"),
        ("fn of(t) { if t.n > 1 { return t.n; } 0 }\nfn value(task, args) { let task = of(task); task * 2 }", "4"),
        ("fn down(n) { if n == 0 { 0 } else { down(n - 1) } }\nfn value(task, args) { down(3) }", "0"),
    ] {
        let program = field(text);
        let task = r#"{"n":2,"t":"ab"}"#;
        both(&program, task, &Args::default());
        let value = program.value(&session(), &Task::whole(task), &Args::default()).result;
        assert_eq!(value, Ok(Value::Json(expected.into())), "{text}");
    }
    let compiler = with_libs(&[("base", "fn same(x) { x * 100 }\nfn through(x) { same(x) + round(1.5, 0) }")]);
    let text =
        "import \"lib/base\" as base;\nfn same(x) { x + 1 }\nfn value(task, args) { same(1) + base::through(1) }";
    let program = compiler.program(ScriptKind::Field, "probe", text).unwrap();
    assert!(both(&program, "{}", &Args::default()));
    let hidden = text.replace("fn same", "fn round(x, n) { 0 }\nfn same");
    let program = compiler.program(ScriptKind::Field, "probe", &hidden).unwrap();
    assert!(!both(&program, "{}", &Args::default()));
}

#[test]
fn the_examples_of_our_functions_come_to_the_same() {
    let computed = functions::functions().filter(|doc| {
        let (call, _) = doc.example.split_once(" → ").unwrap();
        both(&expression(call), "{}", &Args::default())
    });
    assert!(computed.count() >= 15);
}

#[test]
fn a_formula_keeps_the_limits_of_a_call() {
    let long = format!(r#"{{"t":"{}"}}"#, "x".repeat(40_000));
    assert!(both(&expression("task.t"), &long, &Args::default()));
    assert!(!both(&expression("task.t + task.t"), &long, &Args::default()));
    assert!(!both(&expression("`${task.t}${task.t}`"), &long, &Args::default()));
    assert!(!both(&expression("task.t.split(\"\")"), &long, &Args::default()));
    let many = format!(r#"{{"l":[{}0]}}"#, "0,".repeat(5_000));
    assert!(!both(&expression("task.l.len()"), &many, &Args::default()));
    let mut scripts = settings();
    (scripts.max_operations, scripts.max_call_bytes) = (100, 1_000);
    let (compiler, _) = Compiler::new(&scripts, &[]);
    let program = |text| compiler.expression("expression of probe", text).unwrap();
    let numbers = format!(r#"{{"t":"{}","l":[{}0]}}"#, "x".repeat(300), "0,".repeat(60));
    assert!(!both(&program("task.l.map(|x| x + 1 + 2)"), &numbers, &Args::default()));
    assert!(!both(
        &program("let a = task.t + 1; let b = a; let c = a; a.len() + b.len() + c.len()"),
        &numbers,
        &Args::default()
    ));
}

#[test]
fn functions_that_call_many_that_call_many_are_left_to_rhai() {
    let one = |n: usize| format!("fn f{n}() {{ {} }}\n", format!("f{}(); ", n + 1).repeat(30));
    let functions: String = (0..7).map(one).collect();
    let program = field(&format!("{functions}fn f7() {{ 1 }}\nfn value(task, args) {{ if task.n == 1 {{ f0() }} }}"));
    assert!(!both(&program, "{}", &Args::default()));
    let deep = format!("fn value(task, args) {{ {}task.n{} }}", "-(1 + ".repeat(8), ")".repeat(8));
    assert!(both(&field(&deep), r#"{"n":1}"#, &Args::default()));
}

#[test]
fn calls_of_formulas_are_counted() {
    let program = expression("task.n + 1");
    let ran = program.value(&session(), &Task::whole(r#"{"n":1}"#), &Args::default());
    assert_eq!((ran.result, program.counters().calls), (Ok(Value::Json("2".into())), 1));
    assert!(ran.spent.operations > 0);
}

fn any_number() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<i64>().prop_map(Json::from),
        (-5_i64..5).prop_map(Json::from),
        any::<f64>().prop_filter("JSON has no such number", |x| x.is_finite()).prop_map(Json::from),
        (-40_i32..40).prop_map(|eighths| Json::from(f64::from(eighths) / 8.0)),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abAB ä€😀\\\\\"]{0,6}",
        Just("2025-06-15 08:00:00".to_owned()),
        Just("2025-06-16T08:00:00+07:00".to_owned()),
        Just("-6.18,106.83".to_owned()),
        Just("12.50".to_owned()),
        Just(" ".to_owned()),
    ]
}

fn any_scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        3 => any_number(),
        3 => any_text().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
    ]
}

/// A value that is a list or a map now and then.
fn any_value() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => any_scalar(),
        1 => proptest::collection::vec(any_scalar(), 0..4).prop_map(Json::from),
        1 => proptest::collection::btree_map("[a-c]", any_scalar(), 0..3)
            .prop_map(|map| Json::Object(map.into_iter().collect())),
    ]
}

/// A task; a to d are mostly what their names say in the expressions below.
fn any_task() -> impl Strategy<Value = Json> {
    let own = (any_number(), any_number(), any_text(), any_text(), any_value(), any_value());
    let list = proptest::collection::vec(any_scalar(), 0..4);
    (own, list, any_value()).prop_map(|((n, x, t, u, v, w), list, map)| {
        serde_json::json!({"n": n, "x": x, "t": t, "u": u, "v": v, "w": w, "l": list, "m": {"a": map}})
    })
}

fn any_leaf() -> impl Strategy<Value = String> {
    let fixed = proptest::sample::select(vec![
        "task.n",
        "task.x",
        "task.t",
        "task.u",
        "task.v",
        "task.w",
        "task.l",
        "task.m",
        "task.m.a",
        "task.l[0]",
        "task.l[-1]",
        "task[\"v\"]",
        "task.gone",
        "args.n",
        "args",
        "now()",
        "0",
        "1",
        "-1",
        "2",
        "0.0",
        "1.5",
        "1e300",
        "0.1",
        "9223372036854775807",
        "\"\"",
        "\"a\"",
        "\"ä€\"",
        "\"2025-06-15 08:00:00\"",
        "true",
        "false",
        "()",
    ]);
    fixed.prop_map(str::to_owned)
}

fn any_expression() -> impl Strategy<Value = String> {
    any_leaf().prop_recursive(4, 24, 3, |inner| {
        let operator = proptest::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "??",
        ]);
        let one = proptest::sample::select(vec![
            "!", "-", "number", "time", "weekday", "mask", "count", "len", "is_empty", "to_string", "to_upper", "to_lower", "digest",
        ]);
        let two = proptest::sample::select(vec![
            "round", "format_number", "minutes_between", "hours_between", "add_minutes", "join", "contains", "starts_with",
            "split", "sum", "distance_metres", "link", "format_time",
        ]);
        let each = proptest::sample::select(vec!["map", "filter", "some", "all", "find"]);
        prop_oneof![
            4 => (inner.clone(), operator, inner.clone()).prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
            2 => (one, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            2 => (two, inner.clone(), inner.clone()).prop_map(|(name, a, b)| format!("{name}({a}, {b})")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("(if {a} {{ {b} }} else {{ {c} }})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("`${{{a}}}: ${{{b}}}`")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ let y = {a}; if y == () {{ return {b}; }} y }}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("join([{a}, {b}], \", \")")),
            1 => (each, inner.clone()).prop_map(|(name, body)| {
                // Rhai lets no closure look at the task while it goes through a list of the task.
                let body = body.replace("task.", "own.").replace("task[", "own[").replace("args", "own");
                format!("{{ let list = task.l; let own = #{{}}; list.{name}(|y| [y, {body}].len() > 1) }}")
            }),
            1 => inner.clone().prop_map(|a| format!("{{ let list = task.l; list.map(|y| y + 1).len() + {a} }}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| {
                format!("{{ let list = []; for (y, at) in task.l {{ if y != {a} {{ list.push({b}); }} list.push(at); }} list }}")
            }),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("#{{b: {a}, a: {b}}}.b")),
            1 => inner.prop_map(|a| format!("get({a}, \"a.0\", 7)")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_formula_comes_to_what_rhai_comes_to(text in any_expression(), tasks in proptest::collection::vec(any_task(), 8)) {
        static COMPILER: LazyLock<Compiler> = LazyLock::new(compiler);
        let Ok(program) = COMPILER.expression(&text, &text) else { return Ok(()) };
        for task in tasks {
            both(&program, &task.to_string(), &args(r#"{"n":4}"#));
        }
    }
}
