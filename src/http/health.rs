//! Whether the process lives, and what it serves.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::app::outbox::Lane;
use crate::domain::{Error, Kind};

use super::guard::Shared;
use super::routes::OPENAPI;
use super::{reply, work};

/// `GET /health`
pub(super) async fn health() -> Response {
    Json(json!({"status": true, "message": "Healthy", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

/// `GET /ready`: whether everything that requests need can be used, and if not, what cannot. Notices
/// that do not get through keep nobody from working, so that they are told beside it.
pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    let notes = notes(&shared.app);
    let looked =
        work(move || Ok([("store", shared.app.store.check_writable()), ("files", shared.app.storage.check())]));
    let reasons: Vec<String> = match looked.await {
        Ok(parts) => parts
            .into_iter()
            .filter_map(|(part, looked)| looked.err().map(|error| format!("{part}: {}", reason(&error))))
            .collect(),
        Err(error) => vec![reason(&error)],
    };
    match reasons.is_empty() {
        true => reply::success(StatusCode::OK, "Ready", json!({"notes": notes})),
        false => reply::failure_with(StatusCode::SERVICE_UNAVAILABLE, "Not ready", json!({"reasons": reasons})),
    }
}

fn notes(app: &App) -> Vec<String> {
    let failing = Lane::ALL.into_iter().filter_map(|lane| Some((lane.name(), app.outbox.failing_since(lane)?)));
    let note = |(lane, since): (_, crate::domain::Moment)| {
        format!("{lane}: Nothing has got through since {}. The log has the cause.", since.text())
    };
    failing.map(note).collect()
}

/// Why, as far as it is for everybody: nobody needs a token to ask, and the cause of a fault of ours
/// tells of the inside.
fn reason(error: &Error) -> String {
    if error.kind != Kind::Internal {
        return error.message.clone();
    }
    tracing::error!(part = error.part, cause = reply::chain(error), "a part of the server cannot be used");
    "It cannot be used. The log has the cause.".to_owned()
}

/// `GET /api/v3/openapi.json`
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
