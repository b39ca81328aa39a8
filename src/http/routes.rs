//! The table of routes; the router and the published description are both held against it.

use std::sync::LazyLock;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::guard::{self, Shared};
use super::{catalog, configs, export_log, exports, files, health, metrics, preview, reply, scripts, tasks, trial};

/// What `GET /api/v3/openapi.json` answers.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Every route as (method, path).
pub fn table() -> Vec<(&'static str, &'static str)> {
    routes().into_iter().map(|(method, path, _)| (method, path)).collect()
}

/// A route's path as it stands in the table; what leads nowhere has one name.
pub(super) fn known(path: Option<&str>) -> &'static str {
    static PATHS: LazyLock<Vec<&'static str>> = LazyLock::new(|| table().into_iter().map(|(_, path)| path).collect());
    PATHS.iter().find(|known| Some(**known) == path).copied().unwrap_or("none")
}

fn routes() -> Vec<(&'static str, &'static str, MethodRouter<Shared>)> {
    vec![
        ("POST", "/api/v3/tasks/export", post(exports::export)),
        ("GET", "/api/v3/tasks/export-log", get(export_log::list)),
        ("GET", "/api/v3/tasks/export-log/{id}", get(export_log::one)),
        ("DELETE", "/api/v3/tasks/export-log/{id}", delete(export_log::remove)),
        ("GET", "/api/v3/tasks/export-log/{id}/events", get(export_log::events)),
        ("POST", "/api/v3/tasks/export-log/{id}/cancel", post(export_log::cancel)),
        ("POST", "/api/v3/tasks/export-log/{id}/retry", post(export_log::retry)),
        ("POST", "/api/v3/tasks/export-log/{id}/notify", post(export_log::notify)),
        ("GET", "/api/v3/export-configs", get(configs::list)),
        ("POST", "/api/v3/export-config", post(configs::add)),
        ("POST", "/api/v3/export-config/preview", post(preview::preview)),
        ("GET", "/api/v3/export-config/{id}", get(configs::one)),
        ("PUT", "/api/v3/export-config/{id}", put(configs::change)),
        ("DELETE", "/api/v3/export-config/{id}", delete(configs::remove)),
        ("GET", "/files/{day}/{name}", get(files::get)),
        ("GET", "/api/v3/tasks", get(tasks::list)),
        ("POST", "/api/v3/task", post(tasks::add)),
        ("GET", "/api/v3/task/{id}", get(tasks::one)),
        ("PUT", "/api/v3/task/{id}", put(tasks::replace)),
        ("PATCH", "/api/v3/task/{id}", patch(tasks::merge)),
        ("DELETE", "/api/v3/task/{id}", delete(tasks::remove)),
        ("POST", "/api/v3/tasks/bulk", post(tasks::add_bulk)),
        ("PUT", "/api/v3/tasks/bulk", put(tasks::replace_bulk)),
        ("PATCH", "/api/v3/tasks/bulk", patch(tasks::merge_bulk)),
        ("DELETE", "/api/v3/tasks/bulk", delete(tasks::remove_bulk)),
        ("POST", "/api/v3/tasks/load", post(tasks::load)),
        ("GET", "/api/v3/flows", get(catalog::flows)),
        ("POST", "/api/v3/flow", post(catalog::add_flow)),
        ("GET", "/api/v3/flow/{id}", get(catalog::flow)),
        ("PUT", "/api/v3/flow/{id}", put(catalog::change_flow)),
        ("DELETE", "/api/v3/flow/{id}", delete(catalog::remove_flow)),
        ("GET", "/api/v3/hubs", get(catalog::hubs)),
        ("POST", "/api/v3/hub", post(catalog::add_hub)),
        ("GET", "/api/v3/hub/{id}", get(catalog::hub)),
        ("PUT", "/api/v3/hub/{id}", put(catalog::change_hub)),
        ("DELETE", "/api/v3/hub/{id}", delete(catalog::remove_hub)),
        ("GET", "/api/v3/scripts", get(scripts::list)),
        ("GET", "/api/v3/scripts/functions", get(scripts::functions)),
        ("GET", "/api/v3/scripts/{name}", get(scripts::one)),
        ("POST", "/api/v3/scripts/{name}/try", post(trial::run)),
        ("GET", "/health", get(health::health)),
        ("GET", "/ready", get(health::ready)),
        ("GET", "/metrics", get(metrics::metrics)),
        ("GET", "/api/v3/openapi.json", get(health::openapi)),
    ]
}

pub(super) fn router(shared: Shared) -> Router {
    let mut router = Router::new();
    for (_, path, handler) in routes() {
        router = router.route(path, handler);
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(shared.clone(), guard::around))
        .with_state(shared)
}

async fn unknown() -> Response {
    reply::failure(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

async fn wrong_method() -> Response {
    reply::failure(StatusCode::METHOD_NOT_ALLOWED, "This address does not take this method.")
}
