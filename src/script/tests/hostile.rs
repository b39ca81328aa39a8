//! Scripts that mean harm end with a fault, in time, and hold no more than a small multiple of what a call
//! may hold.

use super::*;
use crate::kit::memory::{held_bytes, most_held};
use crate::script::stack_bytes;

/// What a call may hold at its worst, in budgets: one operation can double what is held, and a fault comes
/// after it.
const MOST_BUDGETS: isize = 4;

/// Runs a script to its fault and looks at what it took.
fn ends(body: &str) -> ScriptFault {
    ends_within(&settings(), body)
}

fn ends_within(scripts: &Scripts, body: &str) -> ScriptFault {
    let text = format!(
        "fn value(task, args) {{ {body} }}\nfn wrap(x) {{ let t = [0]; t[0] = x; t }}\nfn again(x) {{ again(x) }}"
    );
    let (compiler, _) = Compiler::new(scripts, &[]);
    let program = compiler.program(ScriptKind::Field, "probe", &text).unwrap_or_else(|fault| panic!("{fault}"));
    let (session, task, args) = (session(), Task::whole("{}"), Args::default());
    let before = held_bytes();
    let (ran, most) = most_held(|| program.value(&session, &task, &args));
    let budget = isize::try_from(settings().max_call_bytes).unwrap();
    assert!(most < budget * MOST_BUDGETS, "{body}: held {most}");
    let fault = ran.result.map(|given| format!("{given:?}").chars().take(80).collect::<String>()).unwrap_err();
    let left = held_bytes() - before;
    assert!(left < 1 << 20, "{body}: left {left}");
    fault
}

#[test]
fn loops_and_recursion_end() {
    assert!(ends("loop { }").text.contains("operations"));
    assert!(ends("let n = 0; while true { n += 1; } n").text.contains("operations"));
    assert!(ends("for i in 0..9223372036854775807 { }").text.contains("operations"));
    assert!(ends("again(1)").text.contains("call each other"));
    assert!(ends("let f = |f, n| f.call(f, n + 1); f.call(f, 0)").text.contains("call each other"));
}

#[test]
fn texts_that_double_end() {
    assert!(ends("let s = \"x\"; loop { s += s; }").text.contains("Length of string"));
    assert!(ends("let s = \"x\"; loop { s = `${s}${s}`; }").text.contains("Length of string"));
    let big = "let s = \"x\"; for i in 0..15 { s += s; }";
    assert!(ends(&format!("{big} loop {{ s.replace(\"x\", s); }}")).text.contains("Length of string"));
    assert!(ends(&format!("{big} loop {{ s.replace('x', s); }}")).text.contains("Length of string"));
    let list = "let l = []; l.pad(9000, 0); for i in 0..9000 { l[i] = s; }";
    for write in ["`${l}`", "\"\" + l", "l.to_string()", "l.to_debug()", "#{a: l}.to_json()", "let t = \"\"; t += l; t"]
    {
        let fault = ends(&format!("{big} {list} {write}"));
        let refused = fault.text.contains("too long") || fault.text.contains("too large");
        assert!(refused, "{write}: {fault}");
    }
    assert!(ends(&format!("{big} {list} l")).text.contains("more bytes than a call can hold"));
}

#[test]
fn maps_and_lists_that_grow_by_index_end() {
    let big = "let s = \"x\"; for i in 0..15 { s += s; }";
    let fault = ends(&format!("{big} let m = #{{}}; for i in 0..100000 {{ m[\"k\" + i] = s + i; }} m"));
    assert!(fault.text.contains("held more than"), "{fault}");
    for body in [
        "let l = [0, 0]; loop { let k = l; l[0] = k; l[1] = k; }",
        "let m = #{}; loop { let k = m; m[\"a\"] = k; m[\"b\"] = k; }",
        "let m = #{}; loop { let k = m; m.a = k; m.b = k; }",
        "let f = Fn(\"wrap\"); loop { f = f.curry(f); }",
    ] {
        let fault = ends(body);
        assert!(fault.text.contains("held more than") || fault.text.contains("too large"), "{body}: {fault}");
    }
}

#[test]
fn what_lies_deep_inside_itself_is_dropped_without_harm() {
    for body in [
        "let l = [0]; loop { let t = [0]; t[0] = l; l = t; }",
        "let l = [0]; loop { l = wrap(l); }",
        "let a = [[]]; loop { a.push([a.pop()]); }",
        "let f = |x| x; loop { let g = f; f = |x| g.call(x); }",
        "let m = #{}; loop { m = #{m: m}; }",
    ] {
        let scripts = Scripts { max_call_ms: 300, ..settings() };
        on_a_worker(&scripts, || ends_within(&scripts, body));
    }
}

#[test]
fn slow_functions_within_the_operations_end() {
    let big = "let s = \"\"; s.pad(65000, 'x'); let t = s + \"y\"; let l = []; l.pad(9999, 1);";
    for body in [
        "loop { s.index_of(t); }",
        "loop { s.contains(t); }",
        "loop { let u = s; u.replace(\"x\", \"z\"); }",
        "loop { s.split(\"\"); }",
        "loop { let u = s; u.make_upper(); }",
        "loop { l.sort(); }",
        "loop { l.index_of(2); }",
        "loop { let k = l; k += 1; }",
        "loop { l == l; }",
        "loop { l.sort(|a, b| 1); }",
        "loop { l.dedup(); }",
        "loop { s.to_chars(); }",
    ] {
        ends_within(&Scripts { max_call_ms: 100, ..settings() }, &format!("{big} {body}"));
    }
}

#[test]
fn what_the_language_has_and_scripts_have_not_is_refused() {
    for body in [
        "eval(\"1\")",
        "sleep(9999)",
        "sleep(1.5)",
        "print(1)",
        "debug(1)",
        "exit(1)",
        "timestamp()",
        "blob(10)",
        "parse_json(\"1\")",
        "get_fn_metadata_list()",
    ] {
        let text = format!("fn value(task, args) {{ {body} }}");
        assert!(compiler().program(ScriptKind::Field, "probe", &text).is_err(), "{body}");
    }
    for body in [
        "Fn(\"sleep\").call(9999)",
        "call(\"sleep\", 1)",
        "Fn(\"exit\").call(1)",
        "Fn(\"eval\").call(\"1\")",
        "Fn(\"print\").call(\"1\")",
    ] {
        ends(body);
    }
}

#[test]
fn constants_cannot_blow_up_while_they_are_compiled() {
    let doubling: String = (1..40).map(|n| format!("const C{n} = [C{0}, C{0}];\n", n - 1)).collect();
    let text = format!("const C0 = [1];\n{doubling}\nfn value(task, args) {{ global::C39 }}");
    let (fault, most) = most_held(|| wrong(&text));
    assert!(fault.text.contains("too large") || fault.text.contains("more than"), "{fault}");
    assert!(most < 256 << 20, "{most}");
    let text = format!("fn value(task, args) {{ {} }}", vec!["\"x\""; 20_000].join(" + "));
    assert!(compiler().program(ScriptKind::Field, "probe", &text).is_err());
    let text = format!("fn value(task, args) {{ [{}] }}", vec!["1"; 100_000].join(","));
    let (_, most) = most_held(|| compiler().program(ScriptKind::Field, "probe", &text));
    assert!(most < 64 << 20, "{most}");
}

#[test]
fn odd_results_are_faults() {
    for body in [
        "|x| x",
        "Fn(\"wrap\")",
        "#{a: |x| x}",
        "[|| 1]",
        "1e308 * 10.0",
        "0..3",
        "task",
        "let f = |x| x; let a = [f]; a",
    ] {
        ends(body);
    }
}

#[test]
fn values_that_hold_each_other_fill_the_memory_no_more_than_one_call_may() {
    let mut scripts = settings();
    scripts.max_call_bytes = 4 << 20;
    let (compiler, _) = Compiler::new(&scripts, &[]);
    let text = "let s = []; s.pad(9000, 1); let x = 1; let f = |a| [x, s, a]; x = f; 1";
    let program = compiler.expression("expression of probe", text).unwrap();
    let (session, task, args) = (session(), Task::whole("{}"), Args::default());
    let before = held_bytes();
    let last = (0..1000).find_map(|_| program.value(&session, &task, &args).result.err());
    assert!(last.unwrap().text.contains("switched off"));
    assert!(held_bytes() - before < 2 * (4 << 20), "{}", held_bytes() - before);
}

#[test]
fn what_a_script_reads_or_gives_is_not_left_behind_by_it() {
    let program = field("fn value(task, args) { [task.list, args.n] }");
    let (session, args) = (session(), args(r#"{"n":"some text that is longer than a small one"}"#));
    let list = format!("{{\"list\":{:?}}}", vec![1; 1000]);
    let mut kept = Vec::new();
    for _ in 0..2000 {
        let task = Task::whole(&list);
        let values = [program.value_by_rhai(&session, &task, &args), program.value(&session, &task, &args)];
        kept.push((task, values.map(|ran| ran.result.unwrap())));
    }
    let total: usize = held_bytes().unsigned_abs();
    assert!(total > settings().max_call_bytes, "more is kept than a script could leave behind: {total}");
}

/// Runs work on a thread like those of the pool.
fn on_a_worker<T: Send>(scripts: &Scripts, work: impl FnOnce() -> T + Send) -> T {
    let thread = std::thread::Builder::new().stack_size(stack_bytes(scripts));
    std::thread::scope(|scope| thread.spawn_scoped(scope, work).unwrap().join().unwrap())
}

/// The fault that ends a script there, with the deepest calls and far more operations than usual.
fn ends_on_a_worker(functions: &str) -> String {
    let scripts = Scripts { max_call_depth: 64, max_operations: 10_000_000, max_call_ms: 2_000, ..settings() };
    on_a_worker(&scripts, || {
        let (compiler, _) = Compiler::new(&scripts, &[]);
        let program = compiler.program(ScriptKind::Field, "probe", functions).unwrap_or_else(|fault| panic!("{fault}"));
        program.value(&session(), &Task::whole("{}"), &Args::default()).result.unwrap_err().text
    })
}

#[test]
fn the_deepest_calls_fit_into_the_stack_of_a_worker() {
    let deep = format!("{}down(n + 1){}", "(1 + ".repeat(6), ")".repeat(6));
    let text = format!("fn down(n) {{ if true {{ for i in 0..1 {{ {deep} }} }} }}\nfn value(task, args) {{ down(0) }}");
    assert!(ends_on_a_worker(&text).contains("call each other"));
    let text = "fn value(task, args) { let f = |f, n| [1].map(|x| f.call(f, n + 1)); f.call(f, 0) }";
    assert!(!ends_on_a_worker(text).contains("gave up"));
}

#[test]
fn the_longest_chain_of_closures_is_let_go_on_the_stack_of_a_worker() {
    ends_on_a_worker("fn value(task, args) { let f = |x| x; loop { let g = f; f = |x| g.call(x); } }");
}

#[test]
fn the_deepest_lists_are_let_go_on_the_stack_of_a_worker() {
    ends_on_a_worker("fn value(task, args) { let a = [[]]; loop { a.push([a.pop()]); } }");
    ends_on_a_worker("fn value(task, args) { let l = [0]; loop { let t = [0]; t[0] = l; l = t; } }");
    ends_on_a_worker("fn value(task, args) { let f = Fn(\"value\"); loop { let g = Fn(\"value\"); f = g.curry(f); } }");
}
