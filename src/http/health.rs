//! Whether the process lives, and what it serves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::app::outbox::Lane;
use crate::domain::{Error, Kind, Moment};

use super::guard::Shared;
use super::routes::OPENAPI;
use super::{reply, scripts, work};

/// `GET /health`
pub(super) async fn health() -> Response {
    Json(json!({"status": true, "message": "Healthy", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

/// Faults of scripts that are told; the list of scripts has all of them.
const MOST_TOLD: usize = 100;

/// `GET /ready`: whether everything that requests need can be used, and if not, what cannot. A script
/// with a fault is told and no reason: its last good version is live. Notices that do not get through,
/// and a clock that goes wrong, are told too, since nobody is kept from working.
pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    let app = shared.app;
    let faults: Vec<Value> = app.scripts.current().faults().take(MOST_TOLD).map(scripts::told).collect();
    let rooms = Arc::clone(&app);
    let looked = work(move || {
        let App { store, storage, scripts, .. } = &*rooms;
        Ok([("store", store.check_writable()), ("files", storage.check()), ("scripts", scripts.check())])
    });
    let reasons: Vec<String> = match looked.await {
        Ok(parts) => parts
            .into_iter()
            .filter_map(|(part, looked)| looked.err().map(|error| format!("{part}: {}", reason(&error))))
            .collect(),
        Err(error) => vec![reason(&error)],
    };
    let notes = notes(&app);
    if reasons.is_empty() {
        return reply::success(StatusCode::OK, "Ready", json!({"scripts": faults, "notes": notes}));
    }
    let more = json!({"reasons": reasons, "scripts": faults, "notes": notes});
    reply::failure_with(StatusCode::SERVICE_UNAVAILABLE, "Not ready", more)
}

fn notes(app: &App) -> Vec<String> {
    let failing = Lane::ALL.into_iter().filter_map(|lane| Some((lane.name(), app.outbox.failing_since(lane)?)));
    let note = |(lane, since): (_, Moment)| {
        format!("{lane}: Nothing has got through since {}. The log has the cause.", since.text())
    };
    let clock = app.storage.check_clock().err().map(|error| format!("clock: {}", error.message));
    failing.map(note).chain(clock).collect()
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
