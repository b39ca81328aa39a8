//! The scripts that come with the product.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::formulas::{both, both_rows};
use super::*;
use crate::script::Reads;

/// Name and text of each file of a folder.
fn folder(kind: ScriptKind) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(kind.folder());
    let one = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    fs::read_dir(folder).unwrap().map(one).collect()
}

fn shipped(kind: ScriptKind) -> Vec<Program> {
    let libs = folder(ScriptKind::Lib);
    let libs: Vec<(&str, &str)> = libs.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let compiler = with_libs(&libs);
    let program = |(name, text): &(String, String)| compiler.program(kind, name, text);
    folder(kind).iter().map(|file| program(file).unwrap_or_else(|fault| panic!("{fault}"))).collect()
}

#[test]
fn each_says_what_it_is_for_and_does_what_its_examples_show() {
    for program in [ScriptKind::Field, ScriptKind::Flow].into_iter().flat_map(shipped) {
        let about = program.about().unwrap_or_else(|fault| panic!("{fault}"));
        assert!(about.is_some_and(|about| about.ends_with('.')), "{}", program.label());
        let examples = program.run_examples().unwrap_or_else(|fault| panic!("{fault}"));
        assert!(examples >= 4, "{} has {examples} examples", program.label());
    }
}

/// Tasks that have each of these values, or none, under each of these keys.
fn tasks(keys: &[String]) -> Vec<String> {
    const VALUES: [Option<&str>; 9] = [
        None,
        Some("null"),
        Some("12.5"),
        Some(r#""Ana""#),
        Some(r#""2025-06-15T08:00:00+07:00""#),
        Some(r#""2025-06-16T08:30:00Z""#),
        Some(r#"{"lat":-6.2,"lng":106.8}"#),
        Some(r#"["ana@example.com","Wiring"]"#),
        Some(r#"[{"title":"Milk","qty":2,"price":1.5,"cost":3},{"title":"Wiring","ok":true}]"#),
    ];
    let with = |tasks: Vec<String>, key: &String| {
        let more = |task: &String| {
            let pair = |value: &str| format!(r#"{task},"{key}":{value}"#);
            VALUES.map(|value| value.map_or_else(|| task.clone(), pair))
        };
        tasks.iter().flat_map(more).collect()
    };
    let tasks: Vec<String> = keys.iter().fold(vec![r#"{"_id":"1""#.to_owned()], with);
    tasks.into_iter().map(|task| task + "}").collect()
}

#[test]
fn each_is_a_formula_and_comes_to_what_rhai_comes_to() {
    let args = args(r#"{"zone":"Asia/Jakarta","checks":["Wiring","First aid","Fire exits"]}"#);
    for (kind, same) in [(ScriptKind::Field, both as fn(&_, &_, &_) -> _), (ScriptKind::Flow, both_rows)] {
        for program in shipped(kind) {
            let Reads::Keys(keys) = program.reads() else { panic!("{} reads whole tasks", program.label()) };
            let keys: Vec<String> = keys.iter().map(|key| key.to_string()).collect();
            let computed = tasks(&keys).iter().filter(|task| same(&program, task, &args)).count();
            assert!(computed > 0, "{}", program.label());
        }
    }
}

#[test]
fn none_makes_an_export_read_whole_tasks() {
    for program in [ScriptKind::Field, ScriptKind::Flow].into_iter().flat_map(shipped) {
        assert!(matches!(program.reads(), Reads::Keys(keys) if keys.len() <= 4), "{}", program.label());
    }
}

#[test]
fn none_needs_arguments_or_answers_to_work() {
    for json in ["{}", r#"{"status":"DONE"}"#, r#"{"status":"DONE","checks":[],"items":[{}],"doneTime":""}"#] {
        let (task, args) = (Task::whole(json), Args::default());
        for program in shipped(ScriptKind::Field) {
            assert_eq!(program.value(&session(), &task, &args).result, Ok(Value::Empty), "{}", program.label());
        }
        for program in shipped(ScriptKind::Flow) {
            program.rows(&session(), &task, &args).result.unwrap_or_else(|fault| panic!("{fault}"));
        }
    }
}

#[test]
fn every_column_that_a_flow_adds_is_in_its_rows() {
    let task = Task::whole(r#"{"status":"DONE","checks":[],"items":[{"title":"Rice","qty":1,"unitPrice":7.2}]}"#);
    let args = Args::new(serde_json::json!({"checks": ["Wiring"]}).as_object());
    for program in shipped(ScriptKind::Flow) {
        let columns = program.columns(&session(), &args).result.unwrap();
        let columns: BTreeSet<&str> = columns.iter().map(|column| column.id.as_str()).collect();
        let rows = program.rows(&session(), &task, &args).result.unwrap();
        assert_eq!(rows.len(), 1, "{}", program.label());
        assert_eq!(rows[0].iter().map(|(key, _)| key.as_str()).collect::<BTreeSet<_>>(), columns);
    }
}
