//! `POST /tasks/export` (contract 2): the file's link as JSON, or the file itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::app::App;
use crate::domain::export::is_once;
use crate::domain::export_log::State;
use crate::domain::{Caller, Error, ExportLog, Kind, Permission, Result};
use crate::export::{self, Plan};
use crate::kit::meter::{Meter, Stop};
use crate::kit::percent::attachment;
use crate::render::media_type;

use super::guard::{Shared, request_id};
use super::reply::{self, Answer};
use super::{body, work};

/// How long a direct export waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// Bytes that are handed to the connection at once.
const CHUNK: usize = 256 * 1024;
/// Chunks that wait for the client.
const CHUNKS: usize = 4;

/// `POST /tasks/export`
pub(super) async fn export(Extract(shared): Extract<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::ExportTask)?;
    body::expect(&headers, &["application/json"])?;
    let server = &shared.app.settings.server;
    let body = body::whole(body, server.max_body_bytes, server.body_idle_seconds).await?;
    let once = once(&headers, &body)?;
    if asks_for_background(&body) {
        let (app, asker) = (shared.app.clone(), caller.clone());
        let log = work(move || export::submit(&app, &asker, &body, once.as_deref())).await?;
        return answer_again(&shared, caller, log).await;
    }
    if let Some(key) = once.clone() {
        let (app, asker, body) = (shared.app.clone(), caller.clone(), body.clone());
        if let Some(before) = work(move || export::replay(&app, &asker, &body, &key)).await? {
            return answer_again(&shared, caller, before).await;
        }
    }
    direct(shared, headers, caller, body, once).await
}

/// What became of a direct export on the thread that began it.
enum Begun {
    /// Its file is kept and in the log.
    Kept(ExportLog),
    /// Another request under the same key came first.
    Before(ExportLog),
    /// The client wants the file itself.
    Planned(Box<(Plan, ExportLog, OwnedSemaphorePermit)>),
}

async fn direct(shared: Shared, headers: HeaderMap, caller: Caller, body: Vec<u8>, once: Option<String>) -> Answer {
    let turn = turn(&shared).await?;
    let leaving = StopOnDrop(Meter::new());
    let (app, meter, asker) = (Arc::clone(&shared.app), leaving.0.clone(), caller.clone());
    // The turn goes with the work: one that nobody waits for any more still takes its place.
    let begun = work(move || {
        if meter.stopped().is_some() {
            return Err(Error::new(Kind::Canceled, "The client left."));
        }
        let plan = export::plan(&app, &asker, &body, &meter)?;
        if wants_file(&headers, &plan) {
            let log = export::direct_record(&asker, &body, &plan, None)?;
            return Ok(Begun::Planned(Box::new((plan, log, turn))));
        }
        let id = plan.id;
        let log = export::direct(&app, &asker, &body, plan, &meter, once.as_deref(), turn)?;
        Ok(if log.id == id { Begun::Kept(log) } else { Begun::Before(log) })
    });
    match begun.await? {
        Begun::Kept(log) => Ok(answer(&shared.app, &log, true)),
        Begun::Before(log) => answer_again(&shared, caller, log).await,
        Begun::Planned(planned) => {
            let (plan, log, turn) = *planned;
            Ok(streamed(shared, plan, log, turn, leaving).await?)
        }
    }
}

/// The key under which the caller asks for it once and no more: of the header, or of the body.
fn once(headers: &HeaderMap, body: &[u8]) -> Result<Option<String>> {
    let Some(given) = headers.get("idempotency-key") else { return Ok(in_body(body, "idempotencyKey")) };
    let given = given
        .to_str()
        .ok()
        .filter(|given| is_once(given))
        .ok_or_else(|| Error::invalid("The Idempotency-Key header must be 1 to 255 visible ASCII characters."))?;
    match in_body(body, "idempotencyKey") {
        Some(other) if other != given => {
            Err(Error::invalid("The Idempotency-Key header and the idempotencyKey field differ. Send one of them."))
        }
        _ => Ok(Some(given.to_owned())),
    }
}

/// What the body is at fault with is told when it is read whole.
fn asks_for_background(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["background"] == Value::Bool(true))
}

fn in_body(body: &[u8], key: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body[key].as_str().filter(|text| is_once(text)).map(str::to_owned)
}

/// Waits for a place among the exports that run while somebody waits for them.
///
/// # Errors
/// `Busy` when there is none in time.
pub(super) async fn turn(shared: &Shared) -> Result<OwnedSemaphorePermit> {
    let busy = |message| Error::new(Kind::Busy, message);
    let turn = Arc::clone(&shared.app.direct).acquire_owned();
    match tokio::time::timeout(TURN, turn).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) => Err(busy("The server is stopping. Try again in a moment.")),
        Err(_) => Err(busy("Too many exports are running. Try again in a moment.")),
    }
}

/// Whether `Accept` names the file's media type. `application/json` asks for the answer with the
/// link, as it always did; a JSON file itself is asked for as `application/octet-stream`.
fn wants_file(headers: &HeaderMap, plan: &Plan) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let file = essence(media_type(plan.extension()));
    accepted
        .flat_map(|value| value.split(','))
        .map(essence)
        .any(|accepted| accepted == "application/octet-stream" || (accepted == file && accepted != "application/json"))
}

/// What is told of an export that may be one of before, made when the caller could see more: whether
/// its link is told goes by their rights as of now.
async fn answer_again(shared: &Shared, caller: Caller, log: ExportLog) -> Answer {
    if !log.state.has_ended() {
        return Ok(answer(&shared.app, &log, false));
    }
    let app = shared.app.clone();
    let entry = work(move || export::entry(&app, &caller, log.id)).await?;
    Ok(answer(&shared.app, &entry.log, entry.may_fetch))
}

/// What is told of an export: on its way, or how it ended.
pub(super) fn answer(app: &App, log: &ExportLog, may_fetch: bool) -> Response {
    let mut data = json!({
        "_id": log.id,
        "time": log.asked.seconds(),
        "organizationId": log.organization(),
        "reportType": "task",
        "status": log.state.status().name(),
    });
    let mut more = json!({
        "total_data_be": 0,
        "total_matched": log.matched,
        "truncated": log.truncated(),
        "warnings": log.warnings,
    });
    let message = match log.state {
        State::Queued => "Export queued for background processing. Check status at GET /tasks/export-log",
        State::Done | State::Expired => {
            let file = log.file_at(app.clock.now()).filter(|_| may_fetch);
            data["link"] = json!(file.map(|file| export::link(app, log.id, file)));
            more["total_data_be"] = json!(log.tasks());
            more["last_id"] = json!(log.last_id);
            more["last_field"] = json!(log.last_field);
            "Success"
        }
        State::Failed | State::Canceled => log.error.as_deref().unwrap_or("The export failed."),
    };
    more["data"] = data;
    reply::success(StatusCode::OK, message, more)
}

/// The file as it is made. What fails before the first byte is answered as any failure; what fails
/// after it breaks the connection off, so that no client takes a part for the whole.
async fn streamed(
    shared: Shared,
    plan: Plan,
    log: ExportLog,
    turn: OwnedSemaphorePermit,
    leaving: StopOnDrop,
) -> Result<Response> {
    let (name, media) = (plan.file_name(), media_type(plan.extension()));
    let (send, chunks) = mpsc::channel::<Result<Bytes>>(CHUNKS);
    let meter = leaving.0.clone();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut out = Chunks { send, buffer: Vec::with_capacity(CHUNK) };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            export::stream(&shared.app, plan, &mut out, &meter)
        }));
        let finished = outcome.unwrap_or_else(|_| Err(Error::internal("export", "a streamed export panicked")));
        let flushed = finished.and_then(|outcome| {
            io::Write::flush(&mut out)
                .map_err(|error| Error::new(Kind::Canceled, "The client left.").with_source(error))?;
            export::streamed(&shared.app, log.clone(), outcome, &meter)
        });
        if let Err(error) = flushed {
            export::broken_off(&shared.app, &log, &error, &meter);
            // Nobody is there to be told when the client has left.
            let _ = out.send.blocking_send(Err(error));
        }
    });
    let mut chunks = chunks;
    // No task in lines is a file without a byte.
    let first = chunks.recv().await.transpose()?.unwrap_or_default();
    let rest = stream::unfold((chunks, leaving, request_id()), |(mut chunks, leaving, reference)| async move {
        let chunk = chunks.recv().await?.map_err(|error| broken_off(&error, &reference));
        Some((chunk, (chunks, leaving, reference)))
    });
    let body = stream::once(async { Ok(first) }).chain(rest);
    let headers = [(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, attachment(&name))];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// The client sees that the file is not whole; why stands in the log, under the request's reference.
fn broken_off(error: &Error, reference: &str) -> io::Error {
    if error.kind != Kind::Canceled {
        tracing::error!(reference, part = error.part, cause = reply::chain(error), "a streamed export failed");
    }
    io::Error::other("the export failed")
}

/// Says stop when the answer is dropped, which is what happens when the client leaves.
struct StopOnDrop(Meter);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop(Stop::Canceled);
    }
}

/// Gathers what is written and hands it to the connection.
struct Chunks {
    send: mpsc::Sender<Result<Bytes>>,
    buffer: Vec<u8>,
}

impl io::Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.send.blocking_send(Ok(chunk.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
