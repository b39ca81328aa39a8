//! A body becomes an export config, or an error that tells all of its faults.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::domain::config::TASK;
use crate::domain::limits::{
    MAX_CONFIG_BYTES, MAX_CONFIG_FAULTS, MAX_CONFIG_FIELDS, MAX_CONFIG_FLOWS, MAX_SHEET_COLUMNS,
};
use crate::domain::request::Params;
use crate::domain::{Caller, ConfigField, Error, ExportConfig, FlowScript, Id, Kind, OnFault, Result, Zone};
use crate::script::{Generation, ScriptKind};
use crate::store::View;

use super::field;
use super::item::Item;

/// What an answer has and a body need not: no fault when it is sent back.
const ECHOES: [&str; 7] = ["_id", "organizationId", "version", "createdBy", "updatedBy", "createdTime", "updatedTime"];

/// The config that a body asks for, as the first version of a new one that the caller makes now.
///
/// # Errors
/// `TooLarge` beyond [`MAX_CONFIG_BYTES`]; `Invalid` with every fault, also of its scripts.
pub fn read(app: &App, view: &View, caller: &Caller, body: &[u8]) -> Result<ExportConfig> {
    if body.len() > MAX_CONFIG_BYTES {
        let sentence = format!("An export config must not be larger than {MAX_CONFIG_BYTES} bytes.");
        return Err(Error::new(Kind::TooLarge, sentence));
    }
    let mut params = Params::from_body(body)?;
    for key in ECHOES {
        params.ignore(key);
    }
    let scripts = app.scripts.current();
    let known: HashSet<Id> = view.flows(caller.organization)?.iter().map(|flow| flow.id).collect();
    let name = params.name();
    params.one_of("collection", &[TASK], |text| (text == TASK).then_some(()));
    let description = params.string("description");
    let flow_ids = flow_ids(&mut params, &known);
    check_fields(&mut params, &scripts);
    let flows = flow_scripts(&mut params, &known, &scripts);
    let timezone = zone(&mut params);
    let on_fault = params.one_of("on_fault", &OnFault::ALL.map(OnFault::name), OnFault::named);
    params.finish()?;

    let now = app.clock.now();
    Ok(ExportConfig {
        id: app.ids.id(now),
        name: name.unwrap_or_default(),
        collection: TASK.to_owned(),
        description,
        flow_ids,
        fields: columns(body)?,
        flows,
        timezone,
        on_fault,
        organization_id: caller.organization,
        version: 1,
        created_by: Some(caller.email.clone()),
        updated_by: Some(caller.email.clone()),
        created_time: now.long_text(),
        updated_time: now.long_text(),
    })
}

/// The columns of a body that has been checked, each with its own text.
fn columns(body: &[u8]) -> Result<Vec<ConfigField>> {
    #[derive(Deserialize)]
    struct Columns {
        fields: Vec<ConfigField>,
    }
    let Columns { fields } = serde_json::from_slice(body)
        .map_err(|error| Error::invalid(format!("The fields field must be a list of columns: {error}.")))?;
    Ok(fields)
}

fn zone(params: &mut Params) -> Option<String> {
    let name = params.string("timezone").filter(|name| !name.is_empty())?;
    match Zone::named(&name) {
        Some(_) => Some(name),
        None => params.invalid("timezone", " Use an IANA name such as Asia/Jakarta."),
    }
}

fn flow_ids(params: &mut Params, known: &HashSet<Id>) -> Vec<Id> {
    let mut ids = Vec::new();
    for (place, entry) in entries(params, "flowIds", "flows", MAX_CONFIG_FLOWS).iter().enumerate() {
        let field = format!("flowIds.{place}");
        let Some(text) = entry.as_str() else {
            params.faults.add(&field, format!("The {field} field must be a string."));
            continue;
        };
        match text.parse().ok().filter(|id| known.contains(id)) {
            None => params.faults.add(&field, format!("The selected {field} is invalid.")),
            Some(id) if ids.contains(&id) => {
                params.faults.add(&field, format!("The {field} field must not be {id} twice."));
            }
            Some(id) => ids.push(id),
        }
    }
    ids
}

fn check_fields(params: &mut Params, scripts: &Generation) {
    match params.value("fields") {
        None => params.faults.add("fields", "The fields field is required."),
        Some(Value::Array(fields)) if fields.is_empty() => {
            params.faults.add("fields", "The fields field must have at least one column.");
        }
        Some(_) => {}
    }
    let mut ids = HashSet::new();
    for (place, value) in entries(params, "fields", "columns", MAX_CONFIG_FIELDS).iter().enumerate() {
        if params.faults.len() >= MAX_CONFIG_FAULTS {
            break;
        }
        if let Some(mut item) = Item::at(format!("fields.{place}"), value, &mut params.faults) {
            field::check(&mut item, &mut ids, scripts);
        }
    }
    if ids.len() > MAX_SHEET_COLUMNS {
        let what = format!("must not make more than {MAX_SHEET_COLUMNS} columns, those of bills among them.");
        params.fault::<()>("fields", &what);
    }
}

fn flow_scripts(params: &mut Params, known: &HashSet<Id>, scripts: &Generation) -> Vec<FlowScript> {
    let mut flows = Vec::new();
    let mut taken = HashSet::new();
    for (place, value) in entries(params, "flows", "flows", MAX_CONFIG_FLOWS).iter().enumerate() {
        if params.faults.len() >= MAX_CONFIG_FAULTS {
            break;
        }
        let Some(mut item) = Item::at(format!("flows.{place}"), value, &mut params.faults) else { continue };
        check_flow(&mut item, known, &mut taken, scripts);
        // What cannot be read has been found wrong.
        flows.extend(FlowScript::deserialize(value));
    }
    flows
}

fn check_flow(item: &mut Item, known: &HashSet<Id>, taken: &mut HashSet<Id>, scripts: &Generation) {
    if let Some(text) = item.required("flowId") {
        match text.parse().ok().filter(|id| known.contains(id)) {
            None => item.invalid("flowId", "There is no such flow."),
            Some(id) if !taken.insert(id) => item.fault("flowId", &format!("must not be {id} twice.")),
            Some(_) => {}
        }
    }
    let name = item.required("script");
    if let Some(Err(fault)) = name.map(|name| scripts.program(ScriptKind::Flow, name)) {
        item.invalid("script", &fault.to_string());
    }
    item.object("args");
    item.only(&["flowId", "script", "args"]);
}

/// The entries of a list that may have so many; none where it is no list or longer.
fn entries(params: &mut Params, key: &'static str, what: &str, most: usize) -> Vec<Value> {
    match params.value(key) {
        None => Vec::new(),
        Some(Value::Array(entries)) if entries.len() <= most => entries.clone(),
        Some(Value::Array(_)) => {
            params.fault(key, &format!("must not have more than {most} {what}.")).unwrap_or_default()
        }
        Some(_) => params.fault(key, &format!("must be a list of {what}.")).unwrap_or_default(),
    }
}
