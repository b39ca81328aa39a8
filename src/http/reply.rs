//! Answers and failures as JSON: the only place that knows which status code a failure has.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::{Error, Kind};

use super::guard::request_id;

/// Seconds after which a busy server is worth another try.
const RETRY_SECONDS: u32 = 1;

/// A failure on its way to the client.
#[derive(Debug)]
pub(super) struct Failure(pub Error);

/// What a handler gives back.
pub(super) type Answer = Result<Response, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// A success with these keys beside `status` and `message`.
pub(super) fn success(status: StatusCode, message: &str, more: Value) -> Response {
    let mut body = json!({"status": true, "message": message});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    (status, Json(body)).into_response()
}

/// A success whose last key is raw JSON.
pub(super) fn raw(status: StatusCode, message: &str, key: &str, json: &str) -> Response {
    let message = Value::from(message);
    let body = format!("{{\"status\":true,\"message\":{message},\"{key}\":{json}}}");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A success in the envelope of contract 5: with its status code, and raw JSON in `data`.
pub(super) fn coded(status: StatusCode, message: &str, data: &str) -> Response {
    let (code, message) = (status.as_u16(), Value::from(message));
    let body = format!("{{\"status\":true,\"code\":{code},\"message\":{message},\"data\":{data}}}");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A failure that is no [`Error`]: an unknown path, a wrong method.
pub(super) fn failure(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"status": false, "message": message}))).into_response()
}

/// The same with these keys beside `status` and `message`.
pub(super) fn failure_with(status: StatusCode, message: &str, more: Value) -> Response {
    let mut body = json!({"status": false, "message": message});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    (status, Json(body)).into_response()
}

/// The same failure in the envelope of contract 1, with what its headers say beside the body.
pub(super) fn in_words(bare: Response) -> Response {
    let status = bare.status();
    let mut response = failure(status, status.canonical_reason().unwrap_or("The request was refused."));
    for (name, value) in bare.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = status(error.kind);
        if error.kind == Kind::Internal {
            let reference = request_id();
            tracing::error!(reference, part = error.part, cause = chain(&error), "a request failed");
            return internal(error.part, &reference);
        }
        let mut body = json!({"status": false, "message": error.message});
        if !error.faults.is_empty() {
            let mut faults = serde_json::Map::new();
            for (field, sentence) in error.faults {
                let list = faults.entry(field).or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(sentence.into());
                }
            }
            body["errors"] = Value::Object(faults);
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        match error.kind {
            Kind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::Busy | Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
            }
            Kind::TooLarge | Kind::Timeout => {
                // What is left of the body is not read.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// A fault of ours (contract 1): the documented keys, and nothing in them that tells of the inside.
pub(super) fn internal(part: &str, reference: &str) -> Response {
    let error = json!({
        "message": "The server could not do this. The log has more under this reference.",
        "file": part,
        "line_of_code": 0,
        "reference": reference,
    });
    let body = json!({"status": false, "message": "Internal server error", "error": error});
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthorized => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Gone => StatusCode::GONE,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
        Kind::Busy => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable | Kind::Canceled => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error and what caused it, for the log.
pub(super) fn chain(error: &Error) -> String {
    error.chain()
}
