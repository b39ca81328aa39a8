//! What programs give, and how faults are told.

use super::*;

const TASK: &str = r#"{"status":"DONE","orderNo":null,"assignee":["Adi","Budi"],"items":[{"qty":2},{"qty":3}],"n":7}"#;

#[test]
fn the_language_is_all_there() {
    for (expression, expected) in [
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3"),
        ("7.0 / 2", "3.5"),
        ("2 ** 10", "1024"),
        ("if task.n > 5 && !(task.n == 8) { `n is ${task.n}` } else { \"small\" }", "\"n is 7\""),
        ("let sum = 0; for item in task.items { sum += item.qty; } sum", "5"),
        ("let n = 0; while n < 10 { n += 1; if n == 7 { break; } } n", "7"),
        ("let most = 2; task.items.filter(|item| item.qty > most).len()", "1"),
        ("task.items.map(|item| item.qty * 10)", "[20,30]"),
        ("task.items.reduce(|sum, item| sum + item.qty, 0)", "5"),
        ("let list = [3, 1, 2]; list.sort(); list", "[1,2,3]"),
        ("let m = #{a: 1}; m.b = 2; m.keys().len()", "2"),
        ("switch task.status { \"DONE\" => 1, _ => 2 }", "1"),
        ("\"a,b\".split(\",\")", "[\"a\",\"b\"]"),
        ("\"Abc\".to_upper() + 'x'", "\"ABCx\""),
        ("task.assignee[-1]", "\"Budi\""),
        ("task.orderNo ?? \"none\"", "\"none\""),
        ("task?.missing?.deeper", "()"),
        ("let t = (); try { throw \"x\" } catch (e) { t = e + \"!\"; } t", "\"x!\""),
        ("[1, 2.5, true, (), \"x\", 'y', [1], #{a: 1}]", "[1,2.5,true,null,\"x\",\"y\",[1],{\"a\":1}]"),
        ("let text = \"aXbX\"; text.replace(\"X\", \"--\"); text", "\"a--b--\""),
        ("`a${1}b${[1, \"x\"]}${ let n = 2; n * 2 }c${`${task.n}`}`", "\"a1b[1, \\\"x\\\"]4c7\""),
        ("\"\" + [1] + #{a: [()]} + 'x'", "\"[1]{\\\"a\\\": [null]}x\""),
        ("[1, \"a\"].to_string()", "\"[1, \\\"a\\\"]\""),
        ("(1..5).contains(3) && 3 in [1, 2, 3]", "true"),
    ] {
        assert_eq!(json(expression, TASK), expected, "{expression}");
    }
}

#[test]
fn a_fault_tells_its_line_and_column_in_the_operators_text() {
    let fault = value("let a = 1;\n  a / 0", "{}").unwrap_err();
    assert_eq!((fault.script.as_str(), fault.line, fault.column), ("expression of probe", Some(2), Some(5)));
    assert_eq!(fault.text, "Division by zero: 1 / 0.");
    let fault = value("let s = `é${1} ${2}\n${3} ${4 / 0} ${`${5}`}`; s", "{}").unwrap_err();
    assert_eq!((fault.line, fault.column), (Some(2), Some(10)), "{fault}");
    let fault = value("let s = `${1} ${task.n}` + 1 / 0; s", "{}").unwrap_err();
    assert_eq!((fault.line, fault.column), (Some(1), Some(30)), "{fault}");
    let fault = field("fn helper(x) {\n    x.nothing.more\n}\nfn value(task, args) { helper(task.n) }");
    let fault = fault.value(&session(), &Task::whole(TASK), &Args::default()).result.unwrap_err();
    assert_eq!((fault.script.as_str(), fault.line), ("fields/probe", Some(2)), "{fault}");
}

#[test]
fn a_float_without_a_fraction_is_written_as_a_whole_number() {
    for (expression, expected) in [
        ("86.0 / 2", "43"),
        ("[-0.0, -43.0, 43.5, [1e3], #{a: 2.0}]", "[0,-43,43.5,[1000],{\"a\":2}]"),
        ("[task.n, task.n / 4]", "[6,1.5]"),
        ("[999999999999999.0, 1e15]", "[999999999999999,1000000000000000.0]"),
    ] {
        assert_eq!(json(expression, r#"{"n":6.0}"#), expected, "{expression}");
    }
}

#[test]
fn the_task_of_an_example_keeps_its_floats() {
    let program = field("fn value(task, args) { task.n / 4 }\nfn examples() { [#{task: #{n: 6.0}, expect: 1.5}] }");
    assert_eq!(program.run_examples(), Ok(1));
}

#[test]
fn an_integer_that_overflows_is_a_fault() {
    for expression in ["9223372036854775807 + 1", "-9223372036854775807 - 2", "9223372036854775807 * 2", "2 ** 64"] {
        assert!(value(expression, "{}").unwrap_err().text.contains("overflow"), "{expression}");
    }
}

#[test]
fn what_no_cell_can_hold_is_a_fault_that_names_it() {
    for (expression, named) in [
        ("#{a: 1}", "The function value gave a map where a cell was expected."),
        ("|x| x", "gave a function"),
        ("[|x| x]", "gave a function"),
        ("0..5", "gave a range"),
        ("task", "gave the task"),
        ("1.0 / 0.0", "not finite"),
        ("[0.0 / 0.0]", "not finite"),
    ] {
        let fault = value(expression, "{}").unwrap_err();
        assert!(fault.text.contains(named), "{expression}: {fault}");
    }
}

#[test]
fn the_task_cannot_be_changed() {
    for expression in
        ["task.status = 1", "task[\"status\"] = 1", "task.items.push(1)", "task.items[0] = 1", "task.n += 1"]
    {
        let fault = value(expression, TASK).unwrap_err();
        assert!(fault.text.starts_with("The task is read-only."), "{expression}: {fault}");
    }
    assert_eq!(json("let items = task.items; items.push(1); [items.len(), task.items.len()]", TASK), "[3,2]");
}

#[test]
fn arguments_are_given_as_they_stand_in_the_config() {
    let program = field("fn value(task, args) { [args.unit, args.missing, args.deep.n] }");
    let given = program.value(&session(), &Task::whole("{}"), &args(r#"{"unit":"km","deep":{"n":1.5}}"#));
    assert_eq!(given.result, Ok(Value::Json(r#"["km",null,1.5]"#.into())));
    assert!(given.spent.operations > 0);
}

#[test]
fn a_flow_script_chooses_rows_and_adds_columns() {
    let program = flow(
        r#"
        fn include(task, args) { task.status == args.status }
        fn rows(task, args) { task.items.map(|item| #{qty: item.qty, title: ()}) }
        fn columns(args) { [#{id: "qty", title: "Quantity", format: "0"}, #{id: "x"}] }
        "#,
    );
    let (session, task, args) = (session(), Task::whole(TASK), args(r#"{"status":"DONE"}"#));
    assert_eq!(program.include(&session, &task, &args).result, Ok(true));
    let rows = program.rows(&session, &task, &args).result.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1], [("qty".to_owned(), Value::Json("3".into())), ("title".to_owned(), Value::Empty)]);
    let columns = program.columns(&session, &args).result.unwrap();
    assert_eq!((columns[0].title.as_str(), columns[0].format.as_deref()), ("Quantity", Some("0")));
    assert_eq!(columns[1].title, "x");
}

#[test]
fn what_a_flow_script_leaves_out_has_its_usual_meaning() {
    let (session, task, args) = (session(), Task::whole(TASK), Args::default());
    let program = flow("fn columns(args) { [] }");
    assert_eq!(program.include(&session, &task, &args).result, Ok(true));
    assert_eq!(program.rows(&session, &task, &args).result, Ok(vec![vec![]]));
    for (text, rows) in [("()", 0), ("[]", 0), ("#{a: 1}", 1), ("[#{}, #{}]", 2)] {
        let program = flow(&format!("fn rows(task, args) {{ {text} }}"));
        assert_eq!(program.rows(&session, &task, &args).result.unwrap().len(), rows, "{text}");
    }
    for (text, named) in [("1", "gave an integer"), ("[#{}, 5]", "row 2"), ("#{a: #{}}", "under the key `a`")] {
        let fault = flow(&format!("fn rows(task, args) {{ {text} }}")).rows(&session, &task, &args).result.unwrap_err();
        assert!(fault.text.contains(named), "{fault}");
    }
}

#[test]
fn calls_and_faults_are_counted() {
    let program = field("fn value(task, args) { if task.n == 1 { throw \"one\" } 2 }");
    for task in [r#"{"n":1}"#, "{}", "{}"] {
        let _ = program.clone().value(&session(), &Task::whole(task), &Args::default());
    }
    let counters = program.counters();
    assert_eq!((counters.calls, counters.faults), (3, 1));
}

#[test]
fn examples_are_run_and_a_mismatch_says_what_came() {
    let text = |expect: &str| {
        format!(
            "fn about() {{ \"Twice\" }}\n\
             fn examples() {{ [#{{task: #{{n: 2}}, args: #{{by: 2}}, expect: 4}}, #{{expect: {expect}}}] }}\n\
             fn value(task, args) {{ (task.n ?? 0) * (args.by ?? 1) }}"
        )
    };
    let program = field(&text("0"));
    assert_eq!(program.about(), Ok(Some("Twice".to_owned())));
    assert_eq!(program.run_examples(), Ok(2));
    let fault = field(&text("5")).run_examples().unwrap_err();
    assert_eq!(fault.text, "Example 2: expected 5, came 0.");
    let program = flow(
        "fn include(task, args) { task.n > 1 }\nfn rows(task, args) { [#{n: task.n}] }\n\
         fn examples() { [#{task: #{n: 1}, expect: []}, #{task: #{n: 2}, expect: [#{n: 2}]}, #{task: #{n: 2}, expect: true}] }",
    );
    assert_eq!(program.run_examples(), Ok(3));
}

#[test]
fn a_script_has_no_more_examples_than_the_most() {
    let program = |count: usize| {
        field(&format!(
            "fn value(task, args) {{ 1 }}\n\
             fn examples() {{ let all = []; all.pad({count}, #{{expect: 1}}); all }}"
        ))
    };
    assert_eq!(program(100).run_examples(), Ok(100));
    let fault = program(101).run_examples().unwrap_err();
    assert_eq!(fault.text, "The function examples gave 101 examples; the most is 100.");
}
