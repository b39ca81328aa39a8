#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod again;
mod calls;
mod compile;
mod formulas;
mod hostile;
mod lazy;
mod limits;
mod shipped;

use serde_json::{Map, Value as Json};

use super::compiler::Compiler;
use super::{Args, Program, ScriptKind, Session, Task};
use crate::domain::{Moment, ScriptFault, Value, Zone};
use crate::settings::{Scripts, Settings};

/// The settings that are shipped, with more time: machines that test are busy.
fn settings() -> Scripts {
    Scripts { max_call_ms: 20_000, ..Settings::default().scripts }
}

fn session() -> Session {
    Session { now: Moment(1_749_974_400_000), zone: Zone::utc(), digest_key: [7; 32], patience: 1 }
}

fn compiler() -> Compiler {
    with_libs(&[])
}

fn with_libs(libs: &[(&str, &str)]) -> Compiler {
    let (compiler, faults) = Compiler::new(&settings(), libs);
    assert_eq!(faults, [], "the libs are good");
    compiler
}

fn field(text: &str) -> Program {
    compiler().program(ScriptKind::Field, "probe", text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

fn flow(text: &str) -> Program {
    compiler().program(ScriptKind::Flow, "probe", text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

/// What is wrong with a field script.
fn wrong(text: &str) -> ScriptFault {
    compiler().program(ScriptKind::Field, "probe", text).unwrap_err()
}

/// The value of an expression over a task.
fn value(expression: &str, task: &str) -> Result<Value, ScriptFault> {
    let program = compiler()
        .expression("expression of probe", expression)
        .unwrap_or_else(|fault| panic!("{fault}\n{expression}"));
    program.value(&session(), &Task::whole(task), &Args::default()).result
}

/// The same as JSON.
fn json(expression: &str, task: &str) -> String {
    match value(expression, task) {
        Ok(Value::Json(json)) => json.into(),
        Ok(Value::Empty) => "()".to_owned(),
        other => panic!("{expression}: {other:?}"),
    }
}

fn args(json: &str) -> Args {
    let map: Map<String, Json> = serde_json::from_str(json).unwrap();
    Args::new(Some(&map))
}
