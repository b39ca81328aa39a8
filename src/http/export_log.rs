//! The export log (contract 3): what was asked for, how far it is, and what became of it.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::app::queue::Found;
use crate::domain::export_log::{LogField, State as Ended, Status};
use crate::domain::request::Params;
use crate::domain::{Caller, Error, Id, Kind, LogFilter, LogOrder, Moment, Permission, Result};
use crate::export::{self, Entry};
use crate::kit::meter::{Meter, Stage, Watch};

use super::guard::Shared;
use super::page::query;
use super::reply::{self, Answer};
use super::{exports, work};

/// How far back the list goes (contract 3).
const DAYS_SHOWN: i64 = 30;
/// Between two looks at an entry that somebody watches, when nothing has told of a change.
const LOOK: Duration = Duration::from_secs(1);
/// Looks without news after which a watcher is told that the server is still there.
const QUIET_LOOKS: u32 = 15;

/// `GET /tasks/export-log`
pub(super) async fn list(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Answer {
    let caller = shared.caller_of_either(&headers, Permission::ExportTask, Permission::ViewExportLog)?;
    let mut params = query(&uri);
    let Some(size) = limit(&mut params) else {
        let message = "Invalid limit parameter. Must be between 1 and 100.";
        return Ok(reply::failure_with(StatusCode::BAD_REQUEST, message, json!({"data": []})));
    };
    let page = params.integer("page", 1, u64::MAX).unwrap_or(1);
    let order = order(&mut params);
    let filter = filter(&mut params, &caller, shared.app.clock.now());
    params.finish()?;
    if filter.user.is_none() {
        export::may_see_others(&caller)?;
    }
    let from = (page - 1).saturating_mul(size);
    let app = shared.app.clone();
    let (total, entries) = work(move || export::list(&app, &caller, &filter, &order, from, size)).await?;
    let hits: Vec<Value> = entries.iter().map(|entry| hit(&shared.app, entry)).collect();
    let more = json!({"total": total, "data": hits, "params": {"from": from, "size": size}});
    Ok(reply::success(StatusCode::OK, "Success", more))
}

/// `GET /tasks/export-log/{id}`
pub(super) async fn one(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let (caller, id) = asked(&shared, &headers, &id)?;
    let app = shared.app.clone();
    let entry = work(move || export::entry(&app, &caller, id)).await?;
    Ok(shown(&shared.app, &entry))
}

/// `POST /tasks/export-log/{id}/cancel`
pub(super) async fn cancel(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let (caller, id) = asked(&shared, &headers, &id)?;
    let app = shared.app.clone();
    let entry = work(move || export::cancel(&app, &caller, id)).await?;
    Ok(shown(&shared.app, &entry))
}

/// `POST /tasks/export-log/{id}/retry`
pub(super) async fn retry(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let (caller, id) = asked(&shared, &headers, &id)?;
    let app = shared.app.clone();
    let log = work(move || export::retry(&app, &caller, id)).await?;
    Ok(exports::answer(&shared.app, &log, true))
}

/// `POST /tasks/export-log/{id}/notify`
pub(super) async fn notify(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let (caller, id) = asked(&shared, &headers, &id)?;
    let app = shared.app.clone();
    let entry = work(move || export::again(&app, &caller, id)).await?;
    Ok(shown(&shared.app, &entry))
}

/// `DELETE /tasks/export-log/{id}`
pub(super) async fn remove(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let (caller, id) = asked(&shared, &headers, &id)?;
    let app = shared.app.clone();
    work(move || export::delete(&app, &caller, id)).await?;
    Ok(reply::success(StatusCode::OK, "The export has been deleted.", json!({})))
}

/// `GET /tasks/export-log/{id}/events`: server-sent events, each the entry as `data`, until it ends.
pub(super) async fn events(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let (caller, id) = asked(&shared, &headers, &id)?;
    let turn = shared.watchers.clone().try_acquire_owned();
    let turn = turn.map_err(|_| Error::new(Kind::Busy, "Too many exports are watched. Try again in a moment."))?;
    let mut watcher = Watcher { shared, caller, id, run: None, last: String::new(), ended: false, _turn: turn };
    // The first look also finds out whether there is anything to watch.
    let first = watcher.look().await?.unwrap_or_default();
    let rest = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(stream::once(async { Ok(first) }), rest));
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], body).into_response())
}

struct Watcher {
    shared: Shared,
    caller: Caller,
    id: Id,
    /// The run, while there is one. Kept from look to look, since it holds back changes that come fast.
    run: Option<Watch>,
    last: String,
    ended: bool,
    _turn: OwnedSemaphorePermit,
}

impl Watcher {
    async fn next(&mut self) -> Option<Bytes> {
        for _ in 0..QUIET_LOOKS {
            // A server that leaves does not wait for those who only watch.
            if self.ended || self.shared.app.direct.is_closed() {
                return None;
            }
            self.pause().await;
            match self.look().await {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                // Deleted meanwhile, or the store is out of order: the client may ask again.
                Err(_) => return None,
            }
        }
        Some(Bytes::from_static(b": still here\n\n"))
    }

    /// Until something may have changed.
    async fn pause(&mut self) {
        let look = tokio::time::sleep(LOOK);
        if self.run.is_none() {
            let meter = self.shared.app.queue.meter(self.caller.organization, self.id);
            self.run = meter.map(|meter| meter.watch());
        }
        let Some(run) = &mut self.run else { return look.await };
        tokio::select! {
            // What comes of a run is on disk before it lets go of those who watch it.
            goes_on = run.changed() => if !goes_on { self.run = None },
            () = look => {}
        }
    }

    /// The entry as an event, if it is not what was sent last.
    async fn look(&mut self) -> Result<Option<Bytes>> {
        let (app, caller, id) = (self.shared.app.clone(), self.caller.clone(), self.id);
        let entry = work(move || export::entry(&app, &caller, id)).await?;
        self.ended = entry.log.state.has_ended();
        let mut source = source(&self.shared.app, &entry);
        source["_id"] = json!(id);
        // Links are signed for the moment, and are no news.
        let mut news = source.clone();
        news["link"].take();
        news["fileUrl"].take();
        let news = news.to_string();
        if news == self.last {
            return Ok(None);
        }
        self.last = news;
        Ok(Some(format!("event: export\ndata: {source}\n\n").into()))
    }
}

fn asked(shared: &Shared, headers: &HeaderMap, id: &str) -> Result<(Caller, Id)> {
    let caller = shared.caller_of_either(headers, Permission::ExportTask, Permission::ViewExportLog)?;
    let id = id.parse().map_err(|_| Error::new(Kind::NotFound, "Data not found"))?;
    Ok((caller, id))
}

fn shown(app: &App, entry: &Entry) -> Response {
    let mut source = source(app, entry);
    source["_id"] = json!(entry.log.id);
    reply::success(StatusCode::OK, "Success", json!({"data": source}))
}

fn hit(app: &App, entry: &Entry) -> Value {
    json!({"_index": "export", "_type": "_doc", "_id": entry.log.id, "_score": 1, "_source": source(app, entry)})
}

fn source(app: &App, entry: &Entry) -> Value {
    let log = &entry.log;
    let now = app.clock.now();
    let time = |moment: Option<Moment>| moment.map(Moment::text);
    let link = log.file_at(now).filter(|_| entry.may_fetch).map(|file| export::link(app, log.id, file));
    let file = log.file.as_ref();
    let warnings: Vec<&String> = log.warnings.iter().chain(&log.notification.error).collect();
    let Progress { state, percent, rows_done, rows_total, position } = progress(entry);
    json!({
        "organizationId": log.organization(),
        "dataType": log.data_type,
        "dataName": log.data_name,
        "email": log.caller.email,
        "exportBy": log.caller.name,
        "status": log.state.status().name(),
        "requestAt": log.asked.text(),
        "completedAt": time(log.completed),
        "exportAt": time(log.completed),
        "fileUrl": link,
        "link": link,
        "fileType": file.map_or_else(|| wanted(&log.body), |file| Some(file.kind.clone())),
        "totalRecords": log.rows,
        "dataTotal": log.rows,
        "totalTasks": log.tasks(),
        "errorMessage": log.error,
        "request": log.body,
        "state": state,
        "progress": percent,
        "rowsDone": rows_done,
        "rowsTotal": rows_total,
        "queuePosition": position,
        "startedAt": time(log.started),
        "durationMs": log.duration_ms(),
        "fileSize": file.map(|file| file.size),
        "sha256": file.map(|file| &file.sha256),
        "expiresAt": time(file.map(|file| file.expires)),
        "warnings": warnings,
        "config": log.used.config,
        "scripts": log.used.scripts,
        "faults": log.used.faults,
        "attempts": log.attempts,
        "notification": log.notification.name(),
        "downloads": log.downloads,
    })
}

/// How far an export is.
struct Progress {
    /// Where it stands, in a word.
    state: &'static str,
    /// Percent, by rows; 100 only when the file is there.
    percent: u8,
    rows_done: u64,
    rows_total: u64,
    /// Its place in the queue; the next to run has 1.
    position: Option<usize>,
}

fn progress(entry: &Entry) -> Progress {
    let log = &entry.log;
    let still = Progress { state: log.state.name(), percent: 0, rows_done: 0, rows_total: log.rows, position: None };
    match (&entry.found, log.state) {
        (Some(Found::Running(meter)), Ended::Queued) => running(meter, still),
        (Some(Found::Waiting(position)), Ended::Queued) => Progress { position: Some(*position), ..still },
        (_, Ended::Done | Ended::Expired) => Progress { percent: 100, rows_done: log.rows, ..still },
        _ => still,
    }
}

fn running(meter: &Meter, still: Progress) -> Progress {
    let stage = meter.stage();
    let (rows_done, selected) = meter.rows();
    // Tasks come and go between the request and the run, which knows better once it has selected.
    let rows_total = if matches!(stage, Stage::Rendering | Stage::Storing) { selected } else { still.rows_total };
    let state = if stage == Stage::Storing { "uploading" } else { "running" };
    // What is on disk says that it has not ended yet, whatever the meter says.
    Progress { state, percent: meter.percent().min(99), rows_done, rows_total, position: None }
}

/// The format that was asked for, as long as there is no file.
fn wanted(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body["download"].as_str().map(str::to_owned)
}

/// Entries of a page; nothing when what was given is none.
fn limit(params: &mut Params) -> Option<u64> {
    const DEFAULT: u64 = 10;
    const MOST: u64 = 100;
    match params.string("limit") {
        None => Some(DEFAULT),
        Some(text) => text.trim().parse().ok().filter(|limit| (1..=MOST).contains(limit)),
    }
}

fn order(params: &mut Params) -> LogOrder {
    let default = LogOrder::default();
    let by = params.one_of("sortBy", &LogField::ALL.map(LogField::name), LogField::named);
    let descending = params.one_of("sortOrder", &["asc", "desc"], |word| match word {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    });
    LogOrder { by: by.unwrap_or(default.by), descending: descending.unwrap_or(default.descending) }
}

fn filter(params: &mut Params, caller: &Caller, now: Moment) -> LogFilter {
    let email = params.string("email").filter(|email| !email.eq_ignore_ascii_case(&caller.email));
    LogFilter {
        user: email.is_none().then(|| caller.user.clone()),
        email,
        data_name: params.string("dataName"),
        data_type: params.string("dataType"),
        status: params.one_of("status", &Status::ALL.map(Status::name), Status::named),
        since: Moment(now.0.saturating_sub(DAYS_SHOWN * 86_400_000)),
    }
}
