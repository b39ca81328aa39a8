//! What is kept from one call to the next changes nothing.

use super::*;
use crate::kit::memory::held_bytes;

/// The value of each task, one call after another.
fn values(program: &Program, tasks: &[&str]) -> Vec<Result<Value, String>> {
    let value = |task: &&str| program.value(&session(), &Task::whole(task), &Args::default()).result;
    tasks.iter().map(value).map(|result| result.map_err(|fault| fault.text)).collect()
}

fn json_of(values: Vec<Result<Value, String>>) -> Vec<String> {
    let one = |value| match value {
        Ok(Value::Json(json)) => json.into(),
        Ok(_) => "()".to_owned(),
        Err(text) => text,
    };
    values.into_iter().map(one).collect()
}

#[test]
fn a_function_is_chosen_by_what_each_row_gives_it() {
    let program =
        field("fn twice(x) { x + x }\nfn value(task, args) { [twice(task.n), task.n.type_of(), task.n == 2] }");
    let tasks = [r#"{"n":2}"#, r#"{"n":2.5}"#, r#"{"n":"ab"}"#, r#"{"n":[1]}"#, r#"{"n":2}"#, "{}", r#"{"n":2.0}"#];
    let first = json_of(values(&program, &tasks));
    assert_eq!(first[..2], [r#"[4,"i64",true]"#, r#"[5,"f64",false]"#]);
    assert_eq!(first[2], r#"["abab","string",false]"#);
    assert_eq!((first[3].as_str(), &first[4]), (r#"[[1,1],"array",false]"#, &first[0]));
    assert!(first[5].starts_with("Function not found: +"), "{}", first[5]);
    for _ in 0..5 {
        assert_eq!(json_of(values(&program, &tasks)), first);
    }
}

#[test]
fn a_name_means_to_a_script_and_to_its_lib_what_each_of_them_says() {
    let compiler = with_libs(&[("base", "fn same(x) { x * 100 }\nfn through(x) { same(x) }")]);
    let text =
        "import \"lib/base\" as base;\nfn same(x) { x + 1 }\nfn value(task, args) { [same(1), base::through(1)] }";
    let program = compiler.program(ScriptKind::Field, "probe", text).unwrap();
    assert_eq!(json_of(values(&program, &["{}"; 20])), ["[2,100]"; 20]);
    let other = compiler.program(ScriptKind::Field, "other", "fn same(x) { 7 }\nfn value(t, a) { same(1) }").unwrap();
    let program = compiler.program(ScriptKind::Field, "one", "fn same(x) { 8 }\nfn value(t, a) { same(1) }").unwrap();
    for _ in 0..5 {
        let both = [values(&other, &["{}"]), values(&program, &["{}"])].concat();
        assert_eq!(json_of(both), ["7", "8"]);
    }
}

#[test]
fn a_row_that_fails_leaves_the_next_as_it_would_be() {
    let text = "fn deep(n, most) { if n == most { throw \"deep\" } deep(n + 1, most) }
        fn value(task, args) {
            let own = task.n;
            if own < 20 { task = own; [1].map(|x| deep(x, 20)); }
            own
        }";
    let program = field(text);
    for _ in 0..50 {
        assert_eq!(json_of(values(&program, &[r#"{"n":1}"#, r#"{"n":20}"#])), ["deep", "20"]);
    }
    assert!(
        json_of(values(&field("fn value(task, args) { [1].map(|x| value(x, x)) }"), &["{}"; 3]))[2]
            .contains("call each other")
    );
}

#[test]
fn functions_of_one_script_take_their_own_parameters() {
    let program = flow("fn include(one, two) { two.n == one.n }\nfn rows(two, one) { #{n: two.n + one.n} }");
    let (session, task, args) = (session(), Task::whole(r#"{"n":7}"#), args(r#"{"n":7}"#));
    for _ in 0..5 {
        assert_eq!(program.include(&session, &task, &args).result, Ok(true));
        let rows = program.rows(&session, &task, &args).result.unwrap();
        assert_eq!(rows, [[("n".to_owned(), Value::Json("14".into()))]]);
    }
}

#[test]
fn closures_take_an_item_its_place_or_nothing() {
    for (expression, expected) in [
        ("[3, 4].map(|x| x * 2)", "[6,8]"),
        ("[3, 4].map(|x, place| x * place)", "[0,4]"),
        ("[3, 4].map(|| this + 1)", "[4,5]"),
        ("let by = 3; [3, 4].map(|x, place| x * by + place)", "[9,13]"),
        ("[[1, 2], [3]].map(|list| { let n = list.len(); list.map(|x| [x].map(|y| y + n)) })", "[[[3],[4]],[[4]]]"),
        ("[1, 2, 3].filter(|x| x != 2)", "[1,3]"),
        ("[1, 2, 3].filter(|x, place| place > 0)", "[2,3]"),
        ("[1, 2, 3].filter(|x| 5)", "[]"),
        ("[1, 2, 3].find(|x| x > 1)", "2"),
        ("[1, 2, 3].find(|x| x > 3)", "()"),
        ("[[1, 2].some(|x| x > 1), [1, 2].some(|x| x > 2), [].some(|x| true)]", "[true,false,false]"),
        ("[[1, 2].all(|x| x > 0), [1, 2].all(|x| x > 1), [].all(|x| false)]", "[true,false,true]"),
        ("[-1, 2].map(Fn(\"abs\"))", "[1,2]"),
        ("let n = 0; [1, 2].for_each(|| n += this); n", "3"),
        ("const LIST = [1, 2]; LIST.map(|x| x)", "[1,2]"),
    ] {
        assert_eq!(json(expression, "{}"), expected, "{expression}");
    }
    let fault = value("[1, 0].map(|x|\n  1 / x)", "{}").unwrap_err();
    assert_eq!((fault.line, fault.column, fault.text.as_str()), (Some(2), Some(5), "Division by zero: 1 / 0."));
    assert!(value("[1].map(|a, b, c| a)", "{}").unwrap_err().text.starts_with("Function not found"));
    let compiler = with_libs(&[("base", "fn odd(list) { list.filter(|x| x % 2 == 1) }")]);
    let text = "import \"lib/base\" as base;\nfn value(task, args) { base::odd([1, 2, 3]).map(|x, place| x + place) }";
    let program = compiler.program(ScriptKind::Field, "probe", text).unwrap();
    assert_eq!(json_of(values(&program, &["{}"; 3])), ["[1,4]"; 3]);
}

#[test]
fn names_that_a_script_makes_up_do_not_fill_the_memory() {
    let text = "fn value(task, args) {
        let found = 0;
        for n in 0..200 { if is_def_fn(`f${task.n}_${n}`, 1) { found += 1; } }
        [1].map(|x| { for n in 0..200 { is_def_fn(`g${task.n}_${n}`, 1); } });
        found
    }";
    let program = field(text);
    let tasks: Vec<String> = (0..50).map(|n| format!("{{\"n\":{n}}}")).collect();
    let before = held_bytes();
    for task in &tasks {
        assert_eq!(json_of(values(&program, &[task])), ["0"]);
    }
    assert!(held_bytes() - before < 100_000, "{}", held_bytes() - before);
}

#[test]
fn more_threads_than_there_are_desks_get_what_one_would() {
    let program = field("fn value(task, args) { let n = task.n; task.list.map(|x| x + n).filter(|x| x % 2 == 0) }");
    std::thread::scope(|scope| {
        for n in 0..40 {
            let program = &program;
            scope.spawn(move || {
                let task = format!("{{\"n\":{n},\"list\":[1,2,3]}}");
                let even: Vec<i64> = [1, 2, 3].map(|x| x + n).into_iter().filter(|x| x % 2 == 0).collect();
                let expected = format!("{even:?}").replace(' ', "");
                assert_eq!(json_of(values(program, &[task.as_str(); 20])), vec![expected; 20]);
            });
        }
    });
    assert_eq!(program.counters().calls, 800);
}
