//! Operators' scripts as they are live (contract 10). They are files of the server's folder: no route
//! writes one.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use crate::domain::request::Params;
use crate::domain::{Error, Permission, Result, ScriptFault};
use crate::script::{self, FunctionDoc, Generation, Reads, ScriptFile, ScriptKind};

use super::guard::Shared;
use super::page::query;
use super::reply::{self, Answer};

/// `GET /scripts`
pub(super) async fn list(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Answer {
    shared.caller(&headers, Permission::AdminServer)?;
    query(&uri).finish()?;
    let generation = shared.app.scripts.current();
    let data: Vec<Value> = generation.files().iter().map(shown).collect();
    let strays: Vec<Value> = generation.strays().iter().map(told).collect();
    Ok(reply::success(StatusCode::OK, "Success.", json!({"data": data, "strays": strays})))
}

/// `GET /scripts/{name}`
pub(super) async fn one(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer {
    shared.caller(&headers, Permission::AdminServer)?;
    let mut params = query(&uri);
    let kind = kind(&mut params);
    params.finish()?;
    let generation = shared.app.scripts.current();
    let file = named(&generation, kind, &name)?;
    let mut data = shown(file);
    data["text"] = json!(file.text.as_deref());
    data["reads"] = file.program.as_ref().map_or(Value::Null, |program| match program.reads() {
        Reads::Whole => json!("*"),
        Reads::Keys(keys) => json!(keys),
    });
    Ok(reply::success(StatusCode::OK, "Success.", json!({"data": data})))
}

/// `GET /scripts/functions`: what scripts can call, with an example of each.
pub(super) async fn functions(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Answer {
    shared.caller(&headers, Permission::AdminServer)?;
    query(&uri).finish()?;
    let function = |doc: &FunctionDoc| json!({"signature": doc.signature, "about": doc.about, "example": doc.example});
    let data: Vec<Value> = script::functions().map(function).collect();
    Ok(reply::success(StatusCode::OK, "Success.", json!({"data": data})))
}

/// The kind of script that is meant, where a name may stand for several.
pub(super) fn kind(params: &mut Params) -> Option<ScriptKind> {
    params.one_of("kind", &ScriptKind::ALL.map(ScriptKind::folder), ScriptKind::of_folder)
}

/// The script of this name.
///
/// # Errors
/// `NotFound`, or `Invalid` when there is one in several folders and none was named.
pub(super) fn named<'a>(generation: &'a Generation, kind: Option<ScriptKind>, name: &str) -> Result<&'a ScriptFile> {
    let fits = |file: &&ScriptFile| file.name == name && kind.is_none_or(|kind| file.kind == kind);
    let all: Vec<&ScriptFile> = generation.files().iter().filter(fits).collect();
    match all.as_slice() {
        [] => Err(Error::not_found()),
        [file] => Ok(file),
        several => {
            let folders: Vec<&str> = several.iter().map(|file| file.kind.folder()).collect();
            let folders = folders.join(", ");
            Err(Error::invalid(format!("There is a script {name} in several folders. Name one as kind: {folders}.")))
        }
    }
}

/// A fault with its place in the folder.
pub(super) fn told(fault: &ScriptFault) -> Value {
    let ScriptFault { script, line, column, text } = fault;
    json!({"file": format!("{script}.rhai"), "line": line, "column": column, "text": text})
}

fn shown(file: &ScriptFile) -> Value {
    let counters = file.program.as_ref().map(|program| program.counters()).unwrap_or_default();
    let average = counters.micros.checked_div(counters.calls).unwrap_or_default();
    json!({
        "name": file.name,
        "kind": file.kind.folder(),
        "about": file.about,
        "live": file.program.is_some(),
        "hash": file.program.as_ref().map(|program| program.hash()),
        "loadedAt": file.loaded.map(|loaded| loaded.text()),
        "fault": file.fault.as_ref().map(told),
        "counters": {"calls": counters.calls, "faults": counters.faults, "averageMicros": average},
    })
}
