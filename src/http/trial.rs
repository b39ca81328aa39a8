//! `POST /scripts/{name}/try`: what a script makes of some tasks. Nothing is stored.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value as Json, json};

use crate::app::App;
use crate::domain::request::Params;
use crate::domain::{Caller, Error, Kind, Permission, Result, ScriptFault, Value};
use crate::intake;
use crate::script::{Args, ExtraColumn, Program, Ran, ScriptKind, Session, Spent, Task};

use super::guard::Shared;
use super::reply::{self, Answer};
use super::scripts::{kind, named, told};
use super::{body, work};

/// The most tasks of one trial.
const MOST_TASKS: usize = 50;

/// `POST /scripts/{name}/try`
pub(super) async fn run(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(name): Path<String>,
    body: Body,
) -> Answer {
    let caller = shared.caller(&headers, Permission::AdminServer)?;
    let server = &shared.app.settings.server;
    body::expect(&headers, &["application/json"])?;
    let body = body::whole(body, server.max_body_bytes, server.body_idle_seconds).await?;
    let answer = work(move || {
        let app = &shared.app;
        let (kind, given, args) = asked(&body)?;
        let generation = app.scripts.current();
        let file = named(&generation, kind, &name)?;
        if file.kind == ScriptKind::Lib {
            return Err(Error::invalid(format!("The script {} is for other scripts; try one of them.", file.label())));
        }
        let program = generation.program(file.kind, &file.name).map_err(|fault| Error::invalid(fault.to_string()))?;
        let tasks = tasks(app, &caller, given)?;
        let now = app.clock.now();
        let digest_key = app.keys.digest_secret(caller.organization);
        let session = Session { now, zone: app.settings.timezone.clone(), digest_key, patience: 1 };
        let trial = Trial { program, session, args };
        Ok(app.small_pool.install(|| trial.of(file.kind, &tasks)))
    });
    Ok(reply::success(StatusCode::OK, "Success.", answer.await?))
}

/// The tasks that a trial is asked for.
enum Given {
    Ids(Vec<String>),
    Tasks(Vec<Json>),
}

fn asked(body: &[u8]) -> Result<(Option<ScriptKind>, Given, Args)> {
    let mut params = Params::from_body(body)?;
    let kind = kind(&mut params);
    let ids = params.list("ids");
    let tasks = objects(&mut params);
    let args = params.value("args").cloned().and_then(|args| match args {
        Json::Object(args) => Some(args),
        _ => params.fault("args", "must be an object."),
    });
    for (key, count) in [("ids", ids.as_ref().map(Vec::len)), ("tasks", tasks.as_ref().map(Vec::len))] {
        if count > Some(MOST_TASKS) {
            params.fault::<()>(key, &format!("must not have more than {MOST_TASKS} entries."));
        }
    }
    let given = match (ids, tasks) {
        (Some(ids), None) => Some(Given::Ids(ids)),
        (None, Some(tasks)) => Some(Given::Tasks(tasks)),
        (Some(_), Some(_)) => params.fault("tasks", "must not be given beside ids."),
        (None, None) if params.faults.is_empty() => params.fault("ids", "is required, or tasks."),
        (None, None) => None,
    };
    params.finish()?;
    // Where nothing was given, that is a fault by now.
    Ok((kind, given.unwrap_or(Given::Tasks(Vec::new())), Args::new(args.as_ref())))
}

fn objects(params: &mut Params) -> Option<Vec<Json>> {
    match params.value("tasks")?.clone() {
        Json::Array(tasks) if tasks.iter().all(Json::is_object) => Some(tasks).filter(|tasks| !tasks.is_empty()),
        _ => params.fault("tasks", "must be a list of objects."),
    }
}

/// A task by its id as it was given, and itself unless the caller may not know of it.
type Tried = (Json, Option<Task<'static>>);

fn tasks(app: &App, caller: &Caller, given: Given) -> Result<Vec<Tried>> {
    let ids = match given {
        Given::Ids(ids) => ids,
        Given::Tasks(tasks) => {
            let tried = |task: Json| (task["_id"].clone(), Some(Task::whole(&task.to_string())));
            return Ok(tasks.into_iter().map(tried).collect());
        }
    };
    caller.demand(Permission::ViewTask)?;
    let view = app.store.view()?;
    let tried = |id: String| {
        let found = id.parse().map(|id| intake::find(&view, caller, id));
        let task = match found {
            Ok(Err(error)) if error.kind != Kind::NotFound => return Err(error),
            found => found.ok().and_then(Result::ok).map(|json| Task::whole(&json)),
        };
        Ok((Json::from(id), task))
    };
    ids.into_iter().map(tried).collect()
}

struct Trial {
    program: Program,
    session: Session,
    args: Args,
}

impl Trial {
    fn of(&self, kind: ScriptKind, tasks: &[Tried]) -> Json {
        let results: Vec<Json> = tasks.iter().map(|(id, task)| self.one(kind, id, task.as_ref())).collect();
        let mut answer = json!({"script": self.program.label(), "hash": self.program.hash(), "data": results});
        if kind == ScriptKind::Flow {
            let (columns, fault) = parted(self.program.columns(&self.session, &self.args).result);
            answer["columns"] = json!(columns.map(|columns| columns.iter().map(column).collect::<Vec<_>>()));
            answer["columnsFault"] = json!(fault);
        }
        answer
    }

    fn one(&self, kind: ScriptKind, id: &Json, task: Option<&Task>) -> Json {
        let Some(task) = task else {
            let fault = json!({"file": null, "line": null, "column": null, "text": Error::not_found().message});
            return json!({"_id": id, "fault": fault, "operations": 0, "micros": 0});
        };
        match kind {
            ScriptKind::Flow => self.rows(id, task),
            _ => self.value(id, task),
        }
    }

    fn value(&self, id: &Json, task: &Task) -> Json {
        let Ran { result, spent } = self.program.value(&self.session, task, &self.args);
        let (value, fault) = parted(result);
        let Spent { operations, micros } = spent;
        let value = value.as_ref().map(cell);
        json!({"_id": id, "value": value, "fault": fault, "operations": operations, "micros": micros})
    }

    /// As an export does it: rows are made of tasks that are included.
    fn rows(&self, id: &Json, task: &Task) -> Json {
        let Ran { result, spent } = self.program.include(&self.session, task, &self.args);
        let (include, mut fault) = parted(result);
        let Spent { mut operations, mut micros } = spent;
        let mut rows = None;
        if include == Some(true) {
            let ran = self.program.rows(&self.session, task, &self.args);
            operations += ran.spent.operations;
            micros += ran.spent.micros;
            (rows, fault) = parted(ran.result);
        }
        let rows = rows.map(|rows| rows.iter().map(|row| Json::Object(cells(row))).collect::<Vec<_>>());
        json!({
            "_id": id, "include": include, "rows": rows, "fault": fault, "operations": operations, "micros": micros
        })
    }
}

fn parted<T>(result: Result<T, ScriptFault>) -> (Option<T>, Option<Json>) {
    match result {
        Ok(made) => (Some(made), None),
        Err(fault) => (None, Some(told(&fault))),
    }
}

fn cells(row: &[(String, Value)]) -> Map<String, Json> {
    row.iter().map(|(column, value)| (column.clone(), cell(value))).collect()
}

fn cell(value: &Value) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::Json(raw) => serde_json::from_str(raw).unwrap_or_default(),
        Value::Time(time) => Json::from(time.at.text()),
        Value::Link(link) => json!({"url": link.url, "text": link.text}),
    }
}

fn column(column: &ExtraColumn) -> Json {
    json!({"id": column.id, "title": column.title, "format": column.format})
}
