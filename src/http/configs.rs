//! Export configs (contract 5): saved templates of what an export looks like.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::Serialize;

use crate::configs::{self, Listed, Wanted};
use crate::domain::limits::MAX_CONFIG_PAGE;
use crate::domain::{Caller, Error, ExportConfig, Permission, Result};

use super::catalog::read;
use super::guard::Shared;
use super::page::{Page, filled, query};
use super::reply::{self, Answer};
use super::tasks::known;
use super::work;

const DEFAULT_PAGE: u64 = 20;

/// `GET /export-configs`
pub(super) async fn list(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewExportConfig)?;
    Ok(work(move || page(&shared, &caller, &uri)).await?)
}

/// `GET /export-config/{id}`
pub(super) async fn one(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewExportConfig)?;
    let config = work(move || configs::one(&shared.app, &caller, known(&id)?));
    shown(StatusCode::OK, "Success.", &config.await?)
}

/// `POST /export-config`
pub(super) async fn add(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::AddExportConfig)?;
    let body = read(&shared, &headers, body).await?;
    let config = work(move || configs::add(&shared.app, &caller, &body));
    shown(StatusCode::CREATED, "Export Config has been added successfully.", &config.await?)
}

/// `PUT /export-config/{id}`
pub(super) async fn change(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Body,
) -> Answer {
    let caller = shared.caller(&headers, Permission::EditExportConfig)?;
    let body = read(&shared, &headers, body).await?;
    let config = work(move || configs::change(&shared.app, &caller, known(&id)?, &body));
    shown(StatusCode::OK, "Export Config has been updated successfully.", &config.await?)
}

/// `DELETE /export-config/{id}`
pub(super) async fn remove(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::DeleteExportConfig)?;
    let config = work(move || configs::delete(&shared.app, &caller, known(&id)?));
    shown(StatusCode::OK, "Export Config has been deleted successfully.", &config.await?)
}

fn shown(status: StatusCode, message: &str, config: &ExportConfig) -> Answer {
    Ok(reply::coded(status, message, &text(config)?))
}

fn page(shared: &Shared, caller: &Caller, uri: &Uri) -> Result<Response> {
    let mut params = query(uri);
    let number = params.integer("page", 1, u64::MAX).unwrap_or(1);
    let size = params.integer("limit", 1, MAX_CONFIG_PAGE).unwrap_or(DEFAULT_PAGE);
    let collection = params.string("collection");
    let name = params.string("name");
    let newest_first = params.one_of("sortOrder", &["asc", "desc"], descending).unwrap_or(true);
    params.finish()?;
    let asked = Page { number, size, total: 0 };
    let wanted = Wanted { collection, name, newest_first, skip: asked.skip(), take: size };
    let Listed { total, configs } = configs::list(&shared.app, caller, &wanted)?;
    let frame = Page { total, ..asked }.frame(&shared.app.public_url(), uri, configs.len() as u64);
    let data: Vec<String> = configs.iter().map(text).collect::<Result<_>>()?;
    Ok(reply::coded(StatusCode::OK, "Success.", &filled(&frame, &data.join(","))))
}

fn descending(order: &str) -> Option<bool> {
    match order {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}

/// As text and not as a value, so that the columns stay as they were sent.
fn text(thing: &impl Serialize) -> Result<String> {
    serde_json::to_string(thing).map_err(|error| Error::internal("http", error))
}
