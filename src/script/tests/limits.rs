//! Every limit of the settings ends a call, and says so.

use super::*;

#[test]
fn every_limit_ends_the_call_that_passes_it() {
    for (expression, text) in [
        ("loop { }", "The call took more than 100000 operations."),
        ("let s = \"x\"; for i in 0..20 { s += s; } s", "Length of string too large."),
        (
            r#"let m = #{}; for i in 0..2000 { let one = #{}; one["k" + i] = i; m += one; } m"#,
            "Size of object map too large.",
        ),
        ("let l = [1]; for i in 0..20 { l += l; } l", "Size of array/BLOB too large."),
        ("let l = []; l.pad(20000, 1); l", "Size of array/BLOB too large."),
        ("let s = \"\"; s.pad(70000, 'x'); s", "Length of string too large."),
    ] {
        assert_eq!(value(expression, "{}").unwrap_err().text, text, "{expression}");
    }
    let deep = field("fn down(n) { down(n + 1) }\nfn value(task, args) { down(0) }");
    let fault = deep.value(&session(), &Task::whole("{}"), &Args::default()).result.unwrap_err();
    assert_eq!(fault.text, "Too many functions call each other.");
    let variables: String = (0..300).map(|n| format!("let v{n} = {n};")).collect();
    assert!(value(&variables, "{}").unwrap_err().text.contains("variables"));
}

#[test]
fn time_ends_a_call_and_patience_gives_it_more() {
    let mut scripts = settings();
    (scripts.max_operations, scripts.max_call_ms) = (100_000_000, 5);
    let (compiler, _) = Compiler::new(&scripts, &[]);
    let program = compiler.expression("expression of probe", "let n = 0; loop { n += 1; }").unwrap();
    let ran = program.value(&session(), &Task::whole("{}"), &Args::default());
    assert_eq!(ran.result.unwrap_err().text, "The call took more than 5 ms.");
    let patient = program.value(&Session { patience: 4, ..session() }, &Task::whole("{}"), &Args::default());
    assert!(patient.spent.micros >= 20_000 && patient.result.is_err());
}

#[test]
fn a_limit_cannot_be_caught() {
    for expression in ["try { loop { } } catch { 1 }", "try { let s = \"x\"; loop { s += s; } } catch { 1 }"] {
        assert!(value(expression, "{}").is_err(), "{expression}");
    }
    let program = field("fn down(n) { try { down(n + 1) } catch { 1 } }\nfn value(task, args) { down(0) }");
    assert!(program.value(&session(), &Task::whole("{}"), &Args::default()).result.is_err());
}

#[test]
fn a_row_knows_nothing_of_the_row_before() {
    let text =
        "const SEEN = [];\nfn value(task, args) { let seen = global::SEEN; seen.push(1); args.n = 5; seen.len() }";
    let program = field(text);
    let args = args(r#"{"n":1}"#);
    for _ in 0..3 {
        assert_eq!(program.value(&session(), &Task::whole("{}"), &args).result, Ok(Value::Json("1".into())));
    }
    assert!(
        field("const N = 1;\nfn value(task, args) { global::N = 2; 1 }")
            .value(&session(), &Task::whole("{}"), &args)
            .result
            .is_err()
    );
}
