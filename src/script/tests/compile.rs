//! What is found before a script goes live.

use super::*;
use crate::domain::limits::MAX_SCRIPT_BYTES;

#[test]
fn entry_points_must_be_there_with_their_parameters() {
    assert_eq!(wrong("fn other(x) { x }").text, "The script needs fn value(task, args).");
    assert_eq!(wrong("fn value(task) { 1 }").text, "The function value must be written fn value(task, args).");
    let fault = compiler().program(ScriptKind::Flow, "probe", "fn x() { 1 }").unwrap_err();
    assert_eq!(fault.text, "The script needs fn include(task, args) or fn rows(task, args) or fn columns(args).");
    assert!(wrong("private fn value(task, args) { 1 }").text.contains("must be written"));
    assert!(wrong("fn to_string(x) { [] } fn value(task, args) { 1 }").text.contains("cannot be made anew"));
    assert!(wrong("fn about(x) { 1 } fn value(task, args) { 1 }").text.contains("fn about()"));
}

#[test]
fn a_file_has_no_more_bytes_than_the_most() {
    let most = usize::try_from(MAX_SCRIPT_BYTES).unwrap();
    let script = "fn value(task, args) { 1 }";
    let text = format!("{}\n{script}", "/".repeat(most - script.len() - 1));
    field(&text);
    assert_eq!(wrong(&format!("/{text}")).text, "The script has 262145 bytes; it can have 262144.");
}

#[test]
fn a_function_that_is_nowhere_is_found_with_the_closest_there_is() {
    let fault = wrong("fn helper(x) { x }\nfn value(task, args) {\n  helpr(task.n)\n}");
    assert_eq!((fault.line, fault.column), (Some(3), Some(3)));
    assert_eq!(fault.text, "Function not found: helpr. Did you mean helper?");
    assert!(
        wrong("fn helper(x) { x } fn value(task, args) { helper(1, 2) }").text.contains("other arguments than these 2")
    );
    assert!(wrong("fn value(task, args) { task.title.to_uper() }").text.contains("Did you mean to_upper?"));
    assert!(wrong("fn value(task, args) { loop { break nowhere(1); } }").text.contains("nowhere"));
    assert!(wrong("fn value(task, args) { if false { nowhere() } }").text.contains("nowhere"));
}

#[test]
fn a_variable_that_is_nowhere_is_found() {
    let fault = wrong("fn value(task, args) {\n  let a = 1;\n  a + b\n}");
    assert_eq!((fault.line, fault.column), (Some(3), Some(7)));
    assert_eq!(fault.text, "Undefined variable: b.");
}

#[test]
fn faults_of_an_expression_stand_where_they_stand_in_the_config() {
    let fault = |text: &str| compiler().expression("expression of x", text).unwrap_err();
    assert_eq!((fault("1 +").line, fault("1 +").script), (Some(1), "expression of x".to_owned()));
    assert_eq!((fault("a").line, fault("a").column), (Some(1), Some(1)));
    assert_eq!((fault("1;\n  nowhere()").line, fault("1;\n  nowhere()").column), (Some(2), Some(3)));
    assert_eq!((fault("`${1} ${a}`").line, fault("`${1} ${a}`").column), (Some(1), Some(9)));
    assert_eq!(fault("`${1} ${nowhere()}`").column, Some(9));
    assert!(fault("1 } fn other() { 2").text.contains("closing bracket"));
    assert!(compiler().expression("x", "task.n // the end").is_ok());
    assert!(compiler().expression("x", "let f = |x| x + 1; f.call(1)").is_ok());
}

#[test]
fn libs_are_seen_from_the_top_of_a_file_and_from_inside_functions() {
    let compiler = with_libs(&[
        ("geo", "import \"lib/base\" as b;\nfn twice(x) { b::plus(x, x) }\nprivate fn hidden() { 1 }"),
        ("base", "const ZERO = 0;\nfn plus(a, b) { helper(a + b) + global::ZERO }\nfn helper(x) { x }"),
    ]);
    let value = |text: &str| {
        let program = compiler.program(ScriptKind::Field, "probe", text).unwrap_or_else(|fault| panic!("{fault}"));
        program.value(&session(), &Task::whole(r#"{"n":4}"#), &Args::default()).result
    };
    let eight = Ok(Value::Json("8".into()));
    assert_eq!(
        value("import \"lib/geo\" as g;\nfn value(task, args) { inner(task) }\nfn inner(t) { g::twice(t.n) }"),
        eight
    );
    assert_eq!(value("fn value(task, args) { import \"lib/geo\" as g; g::twice(task.n) }"), eight);
    assert_eq!(value("import \"lib/geo\" as g;\nfn value(task, args) { [task.n].map(|n| g::twice(n))[0] }"), eight);
    assert_eq!(
        value("import \"lib/base\" as b;\nconst N = 4;\nfn value(task, args) { b::plus(global::N, task.n) }"),
        eight
    );
    let fault = |text: &str| compiler.program(ScriptKind::Field, "probe", text).unwrap_err().text;
    assert_eq!(
        fault("import \"lib/geo\" as g;\nfn value(task, args) { g::twise(1) }"),
        "Function not found: g::twise. Did you mean twice?"
    );
    assert!(fault("import \"lib/geo\" as g;\nfn value(task, args) { g::hidden() }").contains("not found: g::hidden"));
    assert!(fault("import \"lib/none\" as g;\nfn value(task, args) { g::f() }").contains("no lib/none"));
}

#[test]
fn a_fault_inside_a_lib_names_the_lib() {
    let compiler = with_libs(&[("geo", "fn div(x) {\n  x / 0\n}")]);
    let program = compiler
        .program(ScriptKind::Field, "probe", "import \"lib/geo\" as g;\nfn value(task, args) { g::div(1) }")
        .unwrap();
    let fault = program.value(&session(), &Task::whole("{}"), &Args::default()).result.unwrap_err();
    assert_eq!((fault.script.as_str(), fault.line), ("lib/geo", Some(2)), "{fault}");
}

#[test]
fn libs_that_wait_for_each_other_or_for_none_are_faults_and_the_others_live() {
    let (compiler, faults) = Compiler::new(
        &settings(),
        &[
            ("a", "import \"lib/b\" as b; fn f() { 1 }"),
            ("b", "import \"lib/a\" as a; fn f() { 1 }"),
            ("c", "import \"lib/none\" as n; fn f() { 1 }"),
            ("d", "fn f() { 1 "),
            ("good", "fn f() { 1 }"),
        ],
    );
    let named: Vec<(&str, &str)> = faults.iter().map(|(name, fault)| (name.as_str(), fault.text.as_str())).collect();
    assert_eq!(named.len(), 4, "{named:?}");
    assert!(named.iter().any(|(name, text)| *name == "a" && text.contains("circle")), "{named:?}");
    assert!(named.iter().any(|(name, text)| *name == "c" && text.contains("no lib/none")), "{named:?}");
    let text = "import \"lib/good\" as g; fn value(task, args) { g::f() }";
    assert!(compiler.program(ScriptKind::Field, "probe", text).is_ok());
}

#[test]
fn only_libs_can_be_imported() {
    for path in ["/etc/passwd", "../secret", "lib/../fields/x", "fields/x", "lib/", "lib/a/b", "lib/a.rhai"] {
        let fault = wrong(&format!("import \"{path}\" as n;\nfn value(task, args) {{ 1 }}"));
        assert!(fault.text.starts_with("Only files of lib/ can be imported"), "{path}: {fault}");
    }
    assert!(wrong("fn value(task, args) { import task.name as n; 1 }").text.starts_with("Only files of lib/"));
}

#[test]
fn size_and_nesting_are_limited() {
    let long = format!("fn value(task, args) {{ 1 }}\n// {}", "x".repeat(256 * 1024));
    assert!(wrong(&long).text.contains("bytes"));
    let deep = format!("fn value(task, args) {{ {}1{} }}", "(".repeat(100), ")".repeat(100));
    assert!(wrong(&deep).text.contains("complexity"), "{}", wrong(&deep).text);
    let many: String = (0..300).map(|n| format!("fn f{n}() {{ {n} }}\n")).collect();
    assert!(wrong(&format!("{many} fn value(task, args) {{ 1 }}")).text.contains("functions"));
}
