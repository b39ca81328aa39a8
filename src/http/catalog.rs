//! Flows and hubs (contract 7): the forms that tasks are filled in with, and the places they start from.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::flow::COMPONENT_KINDS;
use crate::domain::request::Params;
use crate::domain::{Caller, Error, Faults, Flow, Hub, Id, Page as FlowPage, Permission, Result, field};

use super::guard::Shared;
use super::page::{Page, query};
use super::reply::{self, Answer};
use super::tasks::known;
use super::{body, work};

const DEFAULT_PAGE: u64 = 20;
const MOST_ON_PAGE: u64 = 1_000;

/// `GET /flows`
pub(super) async fn flows(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewFlow)?;
    Ok(work(move || list(&shared, &uri, "flows", &shared.app.store.view()?.flows(caller.organization)?)).await?)
}

/// `GET /flow/{id}`
pub(super) async fn flow(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewFlow)?;
    let flow =
        work(move || shared.app.store.view()?.flow(caller.organization, known(&id)?)?.ok_or_else(Error::not_found));
    shown(StatusCode::OK, "Success.", "flow", &flow.await?)
}

/// `POST /flow`
pub(super) async fn add_flow(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::EditFlow)?;
    let body = read(&shared, &headers, body).await?;
    let flow = work(move || {
        let now = shared.app.clock.now();
        let made = now.long_text();
        let flow = flow_of(&body, shared.app.ids.id(now), made.clone(), made)?;
        put_flow(&shared, &caller, flow)
    });
    shown(StatusCode::CREATED, "Flow has been created", "flow", &flow.await?)
}

/// `PUT /flow/{id}`
pub(super) async fn change_flow(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Body,
) -> Answer {
    let caller = shared.caller(&headers, Permission::EditFlow)?;
    let body = read(&shared, &headers, body).await?;
    let flow = work(move || {
        let id = known(&id)?;
        let old = shared.app.store.view()?.flow(caller.organization, id)?.ok_or_else(Error::not_found)?;
        put_flow(&shared, &caller, flow_of(&body, id, old.created_time, shared.app.clock.now().long_text())?)
    });
    shown(StatusCode::OK, "Flow has been updated", "flow", &flow.await?)
}

/// `DELETE /flow/{id}`
pub(super) async fn remove_flow(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::EditFlow)?;
    let flow = work(move || {
        let id = known(&id)?;
        let gone = shared.app.store.edit(|edit| edit.delete_flow(caller.organization, id))?;
        gone.ok_or_else(Error::not_found)
    });
    shown(StatusCode::OK, "Flow has been deleted", "flow", &flow.await?)
}

/// `GET /hubs`
pub(super) async fn hubs(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewHub)?;
    Ok(work(move || {
        let mut hubs = shared.app.store.view()?.hubs(caller.organization)?;
        hubs.retain(|hub| may_see(&caller, hub.id));
        list(&shared, &uri, "hubs", &hubs)
    })
    .await?)
}

/// `GET /hub/{id}`
pub(super) async fn hub(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::ViewHub)?;
    let hub = work(move || {
        let hub = shared.app.store.view()?.hub(caller.organization, known(&id)?)?;
        hub.filter(|hub| may_see(&caller, hub.id)).ok_or_else(Error::not_found)
    });
    shown(StatusCode::OK, "Success.", "hub", &hub.await?)
}

/// `POST /hub`
pub(super) async fn add_hub(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let caller = shared.caller(&headers, Permission::EditHub)?;
    let body = read(&shared, &headers, body).await?;
    let hub = work(move || {
        let now = shared.app.clock.now();
        let made = now.long_text();
        put_hub(&shared, &caller, hub_of(&body, shared.app.ids.id(now), made.clone(), made)?)
    });
    shown(StatusCode::CREATED, "Hub has been created", "hub", &hub.await?)
}

/// `PUT /hub/{id}`
pub(super) async fn change_hub(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Body,
) -> Answer {
    let caller = shared.caller(&headers, Permission::EditHub)?;
    let body = read(&shared, &headers, body).await?;
    let hub = work(move || {
        let id = known(&id)?;
        let old = shared.app.store.view()?.hub(caller.organization, id)?;
        let old = old.filter(|hub| may_see(&caller, hub.id)).ok_or_else(Error::not_found)?;
        put_hub(&shared, &caller, hub_of(&body, id, old.created_time, shared.app.clock.now().long_text())?)
    });
    shown(StatusCode::OK, "Hub has been updated", "hub", &hub.await?)
}

/// `DELETE /hub/{id}`
pub(super) async fn remove_hub(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = shared.caller(&headers, Permission::EditHub)?;
    let hub = work(move || {
        let id = Some(known(&id)?).filter(|id| may_see(&caller, *id)).ok_or_else(Error::not_found)?;
        let gone = shared.app.store.edit(|edit| edit.delete_hub(caller.organization, id))?;
        gone.ok_or_else(Error::not_found)
    });
    shown(StatusCode::OK, "Hub has been deleted", "hub", &hub.await?)
}

fn may_see(caller: &Caller, hub: Id) -> bool {
    caller.hubs.as_ref().is_none_or(|hubs| hubs.contains(&hub))
}

fn put_flow(shared: &Shared, caller: &Caller, flow: Flow) -> Result<Flow> {
    shared.app.store.edit(|edit| edit.put_flow(caller.organization, &flow))?;
    Ok(flow)
}

fn put_hub(shared: &Shared, caller: &Caller, hub: Hub) -> Result<Hub> {
    shared.app.store.edit(|edit| edit.put_hub(caller.organization, &hub))?;
    Ok(hub)
}

/// The whole JSON body of a request.
pub(super) async fn read(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<Vec<u8>> {
    let server = &shared.app.settings.server;
    body::expect(headers, &["application/json"])?;
    body::whole(body, server.max_body_bytes, server.body_idle_seconds).await
}

fn shown(status: StatusCode, message: &str, key: &str, thing: &impl Serialize) -> Answer {
    let json = serde_json::to_string(thing).map_err(|error| Error::internal("http", error))?;
    Ok(reply::raw(status, message, key, &json))
}

fn list<T: Serialize>(shared: &Shared, uri: &Uri, key: &str, all: &[T]) -> Result<Response> {
    let mut params = query(uri);
    let number = params.integer("page", 1, u64::MAX).unwrap_or(1);
    let size = params.integer("limit", 1, MOST_ON_PAGE).unwrap_or(DEFAULT_PAGE);
    params.finish()?;
    let page = Page { number, size, total: all.len() as u64 };
    let skip = usize::try_from(page.skip()).unwrap_or(usize::MAX);
    let shown: Vec<&T> = all.iter().skip(skip).take(usize::try_from(size).unwrap_or(usize::MAX)).collect();
    let mut frame = page.frame(&shared.app.public_url(), uri, shown.len() as u64);
    frame["data"] = serde_json::to_value(shown).map_err(|error| Error::internal("http", error))?;
    let mut more = Map::new();
    more.insert(key.to_owned(), frame);
    Ok(reply::success(StatusCode::OK, "Success.", Value::Object(more)))
}

/// What is read back from an answer is not a fault when it is sent again.
fn echoes(params: &mut Params) {
    for echoed in ["_id", "createdTime", "updatedTime"] {
        params.ignore(echoed);
    }
}

fn flow_of(body: &[u8], id: Id, created_time: String, updated_time: String) -> Result<Flow> {
    let mut params = Params::from_body(body)?;
    echoes(&mut params);
    let name = params.name();
    let pages = params.value("pages").cloned().unwrap_or_else(|| json!([]));
    let pages: Vec<FlowPage> = serde_json::from_value(pages).unwrap_or_else(|error| {
        params.fault::<()>("pages", &format!("must be a list of pages with components: {error}."));
        Vec::new()
    });
    check_pages(&pages, &mut params.faults);
    params.finish()?;
    Ok(Flow { id, name: name.unwrap_or_default(), pages, created_time, updated_time })
}

/// Each component's id becomes a task key, so that it must be new to the flow and no reserved key.
fn check_pages(pages: &[FlowPage], faults: &mut Faults) {
    let mut seen = std::collections::HashSet::new();
    for (page_place, page) in pages.iter().enumerate() {
        for (place, component) in page.components.iter().enumerate() {
            let field = format!("pages.{page_place}.components.{place}");
            let id = component.id.as_str();
            if id.trim().is_empty() {
                faults.add(&format!("{field}.id"), format!("The {field}.id field is required."));
            } else if field::reserved(id).is_some() {
                faults.add(
                    &format!("{field}.id"),
                    format!("The {field}.id field must not be {id}, which every task has."),
                );
            } else if id.contains(',') {
                faults.add(&format!("{field}.id"), format!("The {field}.id field must not contain a comma."));
            } else if !seen.insert(id) {
                faults.add(&format!("{field}.id"), format!("The {field}.id field must not be {id} twice."));
            }
            if !COMPONENT_KINDS.contains(&component.component.as_str()) {
                let allowed = COMPONENT_KINDS.join(", ");
                let sentence = format!("The selected {field}.component is invalid. Allowed: {allowed}.");
                faults.add(&format!("{field}.component"), sentence);
            }
        }
    }
}

fn hub_of(body: &[u8], id: Id, created_time: String, updated_time: String) -> Result<Hub> {
    let mut params = Params::from_body(body)?;
    echoes(&mut params);
    let name = params.name();
    let address = params.string("address");
    let lat = degrees(&mut params, "lat", 90.0);
    let lng = degrees(&mut params, "lng", 180.0);
    params.finish()?;
    Ok(Hub { id, name: name.unwrap_or_default(), address, lat, lng, created_time, updated_time })
}

fn degrees(params: &mut Params, key: &'static str, most: f64) -> Option<f64> {
    let number = params.value(key)?.as_f64();
    number
        .filter(|number| number.abs() <= most)
        .or_else(|| params.fault(key, &format!("must be a number between -{most} and {most}.")))
}
