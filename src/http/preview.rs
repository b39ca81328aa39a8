//! `POST /export-config/preview` (contract 5): what an export by a config would be.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::configs;
use crate::domain::request::Params;
use crate::domain::{Column, ColumnKind, Error, Permission, Result, RowFault, json as raw};
use crate::export::{self, Preview};

use super::catalog::read;
use super::guard::Shared;
use super::reply::{self, Answer};
use super::{exports, work};

/// The keys of a request that select and order tasks, beside those of the config.
const SELECTING: [&str; 15] = [
    "download",
    "status",
    "flowId",
    "flow",
    "hubId",
    "assignee",
    "doneBy",
    "timeBy",
    "timeFrom",
    "timeTo",
    "q",
    "ids",
    "sortBy",
    "sortOrder",
    "limit",
];

/// `POST /export-config/preview`
pub(super) async fn preview(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewExportConfig)?;
    caller.demand(Permission::ExportTask)?;
    let body = read(&shared, &headers, body).await?;
    // It calls scripts as a direct export does, and takes its place among those.
    let turn = exports::turn(&shared).await?;
    let preview = work(move || {
        let _turn = turn;
        let (config, selecting) = split(&body)?;
        let config = configs::read(&shared.app, &shared.app.store.view()?, &caller, config.as_bytes())?;
        export::preview(&shared.app, &caller, config, selecting)
    });
    Ok(reply::coded(StatusCode::OK, "Success.", &shown(&preview.await?).to_string()))
}

/// The config of a body, whose numbers stay as they were written, and the keys that select.
fn split(body: &[u8]) -> Result<(String, Map<String, Value>)> {
    Params::from_body(body)?;
    let body = std::str::from_utf8(body).unwrap_or_default();
    let pairs = raw::pairs(body).map_err(Error::invalid)?;
    let (selecting, config): (Vec<_>, Vec<_>) = pairs.iter().partition(|(key, _)| SELECTING.contains(&key.as_ref()));
    let value = |text: &str| serde_json::from_str(text).map_err(|why| Error::internal("http", why));
    let selecting = selecting.iter().map(|(key, text)| Ok((key.to_string(), value(text)?))).collect::<Result<_>>()?;
    let config: Vec<String> = config.iter().map(|(key, text)| format!("{}:{text}", raw::quote(key))).collect();
    Ok((format!("{{{}}}", config.join(",")), selecting))
}

fn shown(preview: &Preview) -> Value {
    let timings = preview.timings.iter().map(|(script, calls, spent)| {
        let took = json!({"calls": calls, "operations": spent.operations, "micros": spent.micros});
        (script.clone(), took)
    });
    let estimate = preview.estimate;
    json!({
        "columns": preview.columns.iter().map(column).collect::<Vec<_>>(),
        "rows": preview.rows,
        "faults": preview.faults.first().iter().map(fault).collect::<Vec<_>>(),
        "timings": timings.collect::<Map<_, _>>(),
        "estimate": {"tasks": estimate.tasks, "rows": estimate.rows, "bytes": estimate.bytes},
    })
}

fn column(column: &Column) -> Value {
    let kind = match column.kind {
        ColumnKind::Auto => "auto",
        ColumnKind::Time => "time",
        ColumnKind::Date => "date",
        ColumnKind::Url => "url",
        ColumnKind::List => "list",
    };
    json!({
        "id": column.id,
        "title": column.header,
        "kind": kind,
        "format": column.format,
        "width": column.width,
    })
}

fn fault(fault: &RowFault) -> Value {
    let RowFault { task, column, fault } = fault;
    json!({
        "task": task,
        "column": column,
        "script": fault.script,
        "line": fault.line,
        "lineColumn": fault.column,
        "text": fault.text,
    })
}
