//! `POST /tasks/export` (contract 2): the file's link as JSON, or the file itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::domain::{Caller, Error, Kind, Permission, Result};
use crate::export::{self, Cancel, Finished, Plan};
use crate::render::media_type;

use super::guard::Shared;
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
    let leaving = CancelOnDrop(Cancel::new());
    let (planner, cancel) = (shared.clone(), leaving.0.clone());
    let plan = {
        let caller = caller.clone();
        work(move || export::plan(&planner.app, &caller, &body)).await?
    };
    if wants_file(&headers, &plan) {
        return Ok(streamed(shared, plan, turn, leaving));
    }
    let app = Arc::clone(&shared.app);
    let finished = work(move || {
        let _turn = turn;
        let finished = export::keep(&app, plan, &cancel)?;
        // Whoever asked has left, and nobody else will ever know of the file.
        if let Err(left) = cancel.check() {
            app.folder.delete(&finished.key)?;
            return Err(left);
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

/// The file as it is made. What fails after the first byte breaks the connection off, so that no
/// client takes a part for the whole.
fn streamed(shared: Shared, plan: Plan, turn: OwnedSemaphorePermit, leaving: CancelOnDrop) -> Response {
    let (name, media) = (plan.file_name(), media_type(plan.extension()));
    let (send, chunks) = mpsc::channel::<io::Result<Bytes>>(CHUNKS);
    let cancel = leaving.0.clone();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut out = Chunks { send, buffer: Vec::with_capacity(CHUNK) };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            export::stream(&shared.app, plan, &mut out, &cancel)
        }));
        let failed = match outcome {
            Ok(Ok(_)) => io::Write::flush(&mut out).err(),
            Ok(Err(error)) if error.kind == Kind::Canceled => Some(io::Error::other("nobody takes the file")),
            Ok(Err(error)) => {
                tracing::error!(part = error.part, cause = %error, "a streamed export failed");
                Some(io::Error::other("the export failed"))
            }
            Err(_) => Some(io::Error::other("the export failed")),
        };
        if let Some(error) = failed {
            // Nobody is there to be told when the client has left.
            let _ = out.send.blocking_send(Err(error));
        }
    });
    let body = stream::unfold((chunks, leaving), |(mut chunks, leaving)| async move {
        chunks.recv().await.map(|chunk| (chunk, (chunks, leaving)))
    });
    let headers = [(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, files::disposition(&name))];
    (headers, Body::from_stream(body)).into_response()
}

/// Says stop when the answer is dropped, which is what happens when the client leaves.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Gathers what is written and hands it to the connection.
struct Chunks {
    send: mpsc::Sender<io::Result<Bytes>>,
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
