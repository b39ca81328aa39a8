//! `POST /tasks/export` (contract 2): the file's link as JSON, or the file itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::domain::{Caller, Error, Kind, Permission, Result};
use crate::export::{self, Finished, Plan};
use crate::kit::meter::{Meter, Stop};
use crate::render::media_type;

use super::guard::{Shared, request_id};
use super::reply::{self, Answer};
use super::{body, files, work};

/// How long a direct export waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// Bytes that are handed to the connection at once.
const CHUNK: usize = 256 * 1024;
/// Chunks that wait for the client.
const CHUNKS: usize = 4;

/// `POST /tasks/export`
pub(super) async fn export(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::ExportTask)?;
    body::expect(&headers, &["application/json"])?;
    let server = &shared.app.settings.server;
    let body = body::whole(body, server.max_body_bytes, server.body_idle_seconds).await?;
    let turn = turn(&shared).await?;
    let leaving = CancelOnDrop(Meter::new());
    let (planner, cancel) = (shared.clone(), leaving.0.clone());
    let asker = caller.clone();
    // The turn goes with the work: one that nobody waits for any more still takes its place.
    let (plan, turn) = work(move || {
        if cancel.stopped().is_some() {
            return Err(Error::new(Kind::Canceled, "The client left."));
        }
        Ok((export::plan(&planner.app, &asker, &body)?, turn))
    })
    .await?;
    if wants_file(&headers, &plan) {
        return Ok(streamed(shared, plan, turn, leaving).await?);
    }
    let cancel = leaving.0.clone();
    let app = Arc::clone(&shared.app);
    let finished = work(move || {
        let _turn = turn;
        let finished = export::keep(&app, plan, &cancel)?;
        // Whoever asked has left, and nobody else will ever know of the file.
        if cancel.stopped().is_some() {
            app.folder.delete(&finished.key)?;
            return Err(Error::new(Kind::Canceled, "The client left."));
        }
        Ok(finished)
    })
    .await?;
    Ok(done(&shared, &caller, &finished))
}

async fn turn(shared: &Shared) -> Result<OwnedSemaphorePermit> {
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

fn done(shared: &Shared, caller: &Caller, finished: &Finished) -> Response {
    let outcome = &finished.outcome;
    let data = json!({
        "_id": outcome.id,
        "time": outcome.time,
        "organizationId": caller.organization,
        "reportType": "task",
        "link": files::link(&shared.app, &finished.key, &finished.name),
        "status": "Done",
    });
    let more = json!({
        "total_data_be": outcome.total,
        "last_id": outcome.last_id,
        "last_field": outcome.last_field,
        "total_matched": outcome.matched,
        "truncated": outcome.truncated,
        "warnings": outcome.warnings,
        "data": data,
    });
    reply::success(StatusCode::OK, "Success", more)
}

/// The file as it is made. What fails before the first byte is answered as any failure; what fails
/// after it breaks the connection off, so that no client takes a part for the whole.
async fn streamed(shared: Shared, plan: Plan, turn: OwnedSemaphorePermit, leaving: CancelOnDrop) -> Result<Response> {
    let (name, media) = (plan.file_name(), media_type(plan.extension()));
    let (send, chunks) = mpsc::channel::<Result<Bytes>>(CHUNKS);
    let cancel = leaving.0.clone();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut out = Chunks { send, buffer: Vec::with_capacity(CHUNK) };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            export::stream(&shared.app, plan, &mut out, &cancel)
        }));
        let finished = outcome.unwrap_or_else(|_| Err(Error::internal("export", "a streamed export panicked")));
        let flushed = finished.and_then(|_| {
            io::Write::flush(&mut out)
                .map_err(|error| Error::new(Kind::Canceled, "The client left.").with_source(error))
        });
        if let Err(error) = flushed {
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
    let headers = [(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, files::disposition(&name))];
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
struct CancelOnDrop(Meter);

impl Drop for CancelOnDrop {
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
