//! Tasks: one, a page, many (contract 6).

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::domain::export::Selecting;
use crate::domain::limits::{MAX_BULK_TASKS, MAX_TASK_PAGE};
use crate::domain::{Caller, Error, Id, Permission, Result, Task, ValueRef};
use crate::export::{field_names, narrow};
use crate::intake::{self, Change};
use crate::store::{Selected, Selection, View};

use super::guard::Shared;
use super::page::{Page, filled, query};
use super::reply::{self, Answer};
use super::{body, work};

const DEFAULT_PAGE: u64 = 20;

/// `GET /tasks`
pub(super) async fn list(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewTask)?;
    Ok(work(move || page(&shared, &caller, &uri)).await?)
}

/// `GET /task/{id}`
pub(super) async fn one(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewTask)?;
    let json = work(move || intake::find(&shared.app.store.view()?, &caller, known(&id)?)).await?;
    Ok(reply::raw(StatusCode::OK, "Success.", "task", &json))
}

/// `POST /task`
pub(super) async fn add(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::AddTask)?;
    let text = text(&shared, &headers, body, false).await?;
    let task = work(move || intake::add(&shared.app, &caller, &text)).await?;
    Ok(reply::raw(StatusCode::CREATED, "Task has been created", "task", task.json()))
}

/// `PUT /task/{id}`
pub(super) async fn replace(shared: State<Shared>, headers: HeaderMap, id: Path<String>, body: Body) -> Answer {
    change(shared, headers, id, body, Change::Replace).await
}

/// `PATCH /task/{id}`
pub(super) async fn merge(shared: State<Shared>, headers: HeaderMap, id: Path<String>, body: Body) -> Answer {
    change(shared, headers, id, body, Change::Merge).await
}

async fn change(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Body,
    how: Change,
) -> Answer {
    let caller = shared.caller(&headers, Permission::EditTask)?;
    let text = text(&shared, &headers, body, false).await?;
    let task = work(move || {
        let changed = intake::change_all(&shared.app, &caller, &[(known(&id)?, &text)], how)?;
        only(changed)
    });
    Ok(reply::raw(StatusCode::OK, "Task has been updated", "task", task.await?.json()))
}

/// `DELETE /task/{id}`
pub(super) async fn remove(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::DeleteTask)?;
    let task = work(move || only(intake::delete_all(&shared.app, &caller, &[known(&id)?])?)).await?;
    Ok(reply::raw(StatusCode::OK, "Task has been deleted", "task", task.json()))
}

/// `POST /tasks/bulk`
pub(super) async fn add_bulk(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::AddTask)?;
    let text = text(&shared, &headers, body, true).await?;
    let outcome = work(move || {
        let tasks = listed(&text)?;
        let texts: Vec<&str> = tasks.iter().map(|task| task.get()).collect();
        let results = intake::add_all(&shared.app, &caller, &texts)?;
        Ok(outcome(&texts, results, "Task has been created"))
    });
    Ok(reply::success(StatusCode::CREATED, "Success.", outcome.await?))
}

/// `PUT /tasks/bulk`
pub(super) async fn replace_bulk(shared: State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    change_bulk(shared, headers, body, Change::Replace).await
}

/// `PATCH /tasks/bulk`
pub(super) async fn merge_bulk(shared: State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    change_bulk(shared, headers, body, Change::Merge).await
}

async fn change_bulk(State(shared): State<Shared>, headers: HeaderMap, body: Body, how: Change) -> Answer {
    let caller = shared.caller(&headers, Permission::EditTask)?;
    let text = text(&shared, &headers, body, true).await?;
    let outcome = work(move || {
        let (texts, ids) = named(&text)?;
        let known = ids.iter().zip(&texts).filter_map(|(id, text)| Some(((*id)?, *text)));
        let changes: Vec<(Id, &str)> = known.collect();
        let results = in_place(&ids, intake::change_all(&shared.app, &caller, &changes, how)?);
        Ok(outcome(&texts, results, "Task has been updated"))
    });
    Ok(reply::success(StatusCode::OK, "Success.", outcome.await?))
}

/// `DELETE /tasks/bulk`
pub(super) async fn remove_bulk(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::DeleteTask)?;
    let text = text(&shared, &headers, body, true).await?;
    let outcome = work(move || {
        let (texts, ids) = named(&text)?;
        let known: Vec<Id> = ids.iter().copied().flatten().collect();
        let results = in_place(&ids, intake::delete_all(&shared.app, &caller, &known)?);
        Ok(outcome(&texts, results, "Task has been deleted"))
    });
    Ok(reply::success(StatusCode::OK, "Success.", outcome.await?))
}

/// `POST /tasks/load`
pub(super) async fn load(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::AddTask)?;
    body::expect(&headers, &["application/x-ndjson", "application/ndjson", "application/jsonl"])?;
    let mut source = body::streamed(body, shared.app.settings.server.body_idle_seconds);
    let report = work(move || intake::load(&shared.app, &caller, &mut source, &mut |_| {}));
    let report = report.await?;
    let message = if report.failed == 0 { "Success." } else { "Some lines could not be loaded." };
    let body = serde_json::to_value(&report).map_err(|error| Error::internal("http", error))?;
    Ok(reply::success(StatusCode::OK, message, body))
}

fn page(shared: &Shared, caller: &Caller, uri: &Uri) -> Result<Response> {
    let app = &shared.app;
    let view = app.store.view()?;
    let organization = caller.organization;
    let names = field_names(&view, organization)?;
    let mut params = query(uri);
    let mut selecting = Selecting::read(&mut params, &app.settings.timezone, &names, &names, MAX_TASK_PAGE);
    let lazy = params.boolean("lazyLoad").unwrap_or(false);
    let cursor = params.string("cursor").map(|text| text.parse::<Id>());
    if let Some(Err(_)) = cursor {
        params.fault::<()>("cursor", "must be the _id of a task.");
    }
    params.finish()?;
    narrow(&mut selecting.filter, caller)?;

    let (number, size) = (selecting.page.unwrap_or(1), selecting.limit.unwrap_or(DEFAULT_PAGE));
    let wanted = Page { number, size, total: 0 };
    // Behind a cursor the page starts wherever its task stands now, so that all are needed in order.
    let whole = lazy && cursor.is_some();
    let (skip, take) = if whole { (0, None) } else { (wanted.skip(), Some(size)) };
    let selection = Selection { organization, filter: selecting.filter, order: selecting.order, skip, take };
    let Selected { matched, mut ids } = view.select_on(&app.small_pool, &selection)?;
    if let (true, Some(Ok(cursor))) = (lazy, cursor) {
        let place = ids.iter().position(|id| *id == cursor).ok_or_else(|| {
            Error::invalid("The selected cursor is invalid. Its task is not among these any more; start without it.")
        })?;
        ids = ids.split_off(place + 1);
    }
    let more = ids.len() as u64 > size;
    ids.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let data = tasks(&view, organization, &ids, selecting.fields.as_deref())?;
    let frame = if lazy {
        let more = more || (!whole && matched > size);
        json!({"per_page": size, "total": matched, "next_cursor": ids.last().filter(|_| more)})
    } else {
        Page { total: matched, ..wanted }.frame(&app.public_url(), uri, ids.len() as u64)
    };
    Ok(reply::raw(StatusCode::OK, "Success.", "tasks", &filled(&frame, &data)))
}

/// Tasks as stored, or the fields that were asked for, joined by commas.
fn tasks(view: &View, organization: Id, ids: &[Id], fields: Option<&[String]>) -> Result<String> {
    let mut out = String::new();
    let keys: Vec<String> =
        fields.unwrap_or_default().iter().map(|name| format!("{}:", Value::from(name.as_str()))).collect();
    view.read(organization, ids, fields.unwrap_or_default(), &mut |record| {
        if !out.is_empty() {
            out.push(',');
        }
        if fields.is_none() {
            out.push_str(record.json()?);
            return Ok(());
        }
        let pair = |(key, cell): (&String, &ValueRef<'_>)| Ok(cell.json()?.map(|json| format!("{key}{json}")));
        let pairs = keys.iter().zip(record.cells).map(pair).filter_map(Result::transpose);
        out.push('{');
        out.push_str(&pairs.collect::<Result<Vec<_>>>()?.join(","));
        out.push('}');
        Ok(())
    })?;
    Ok(out)
}

async fn text(shared: &Shared, headers: &HeaderMap, body: Body, bulk: bool) -> Result<String> {
    let server = &shared.app.settings.server;
    body::expect(headers, &["application/json"])?;
    let most = if bulk { server.max_bulk_bytes } else { server.max_body_bytes };
    let bytes = body::whole(body, most, server.body_idle_seconds).await?;
    String::from_utf8(bytes).map_err(|_| Error::invalid("The body must be UTF-8."))
}

/// What is no id is answered as an unknown one.
pub(super) fn known(id: &str) -> Result<Id> {
    id.parse().map_err(|_| Error::not_found())
}

fn only(results: Vec<Result<Task>>) -> Result<Task> {
    results.into_iter().next().unwrap_or_else(|| Err(Error::not_found()))
}

/// The raw tasks of `{"tasks": [...]}`.
fn listed(text: &str) -> Result<Vec<&RawValue>> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Listed<'a> {
        #[serde(borrow)]
        tasks: Vec<&'a RawValue>,
    }
    let Listed { tasks } = serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("The body must be an object with a list of tasks: {error}.")))?;
    match tasks.len() {
        0 => Err(Error::invalid("The tasks field is required.")),
        many if many > MAX_BULK_TASKS => {
            Err(Error::invalid(format!("The tasks field must not have more than {MAX_BULK_TASKS} tasks.")))
        }
        _ => Ok(tasks),
    }
}

/// The raw tasks and the ids they name; none where what they name is no id.
fn named(text: &str) -> Result<(Vec<&str>, Vec<Option<Id>>)> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "_id")]
        id: Option<String>,
    }
    let texts: Vec<&str> = listed(text)?.iter().map(|task| task.get()).collect();
    let mut ids = Vec::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        let named = serde_json::from_str::<Named>(text).ok().and_then(|named| named.id);
        let Some(id) = named else {
            return Err(Error::invalid(format!("The tasks.{place}._id field is required.")));
        };
        ids.push(id.parse().ok());
    }
    Ok((texts, ids))
}

/// Every task's result in its place: what is no id is answered as an unknown one.
fn in_place(ids: &[Option<Id>], results: Vec<Result<Task>>) -> Vec<Result<Task>> {
    let mut results = results.into_iter();
    ids.iter().map(|id| id.and_then(|_| results.next()).unwrap_or_else(|| Err(Error::not_found()))).collect()
}

/// `{success, failed, tasks}` of contract 6, each entry where its task was.
fn outcome(texts: &[&str], results: Vec<Result<Task>>, done: &str) -> Value {
    #[derive(serde::Deserialize)]
    struct Given {
        #[serde(rename = "_id")]
        id: Option<Value>,
        #[serde(rename = "refId")]
        reference: Option<Value>,
    }
    let success = results.iter().filter(|result| result.is_ok()).count();
    let failed = results.len() - success;
    let entries = results.into_iter().zip(texts).map(|(result, text)| {
        let given = serde_json::from_str::<Given>(text).unwrap_or(Given { id: None, reference: None });
        match result {
            Ok(task) => json!({"status": true, "_id": task.id(), "message": done, "refId": given.reference}),
            Err(error) => {
                let sentences: Vec<&str> = error.faults.iter().map(|(_, sentence)| sentence.as_str()).collect();
                let message = if sentences.is_empty() { error.message.clone() } else { sentences.join(" ") };
                json!({"status": false, "_id": given.id, "message": message, "refId": given.reference})
            }
        }
    });
    json!({"success": success, "failed": failed, "tasks": entries.collect::<Vec<_>>()})
}
