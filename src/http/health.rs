//! Whether the process lives, and what it serves.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::routes::OPENAPI;

/// `GET /health`
pub(super) async fn health() -> Response {
    Json(json!({"status": true, "message": "Healthy", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

/// `GET /api/v3/openapi.json`
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
