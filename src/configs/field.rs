//! One column of a config, as it came: what is read here must be as it should, and what is not read
//! is the sender's own.

use std::collections::HashSet;

use serde_json::Value;

use crate::domain::config::{RESERVED_KEY, SCRIPT};
use crate::domain::field::{RESERVED, SWITCHES, reserved};
use crate::domain::limits::MAX_COLUMN_WIDTH;
use crate::domain::request::closest;
use crate::domain::{ScriptFault, is_number_format};
use crate::script::{Generation, ScriptKind};

use super::item::Item;

/// Notes all that is wrong with a column; `ids` are those of the columns before it.
pub(super) fn check(field: &mut Item, ids: &mut HashSet<String>, scripts: &Generation) {
    let id = field.required("id");
    let component = field.required("component");
    field.required("title");
    for key in ["uniqueTitle", "source", "type", "inputType"] {
        field.text(key);
    }
    for key in ["flowId", "flowName"] {
        field.texts(key);
    }
    if let Some(id) = id {
        check_id(field, id, component == Some(SCRIPT), ids);
    }
    check_costs(field, component == Some(SCRIPT), ids);
    field.object("args");
    check_look(field);
    match component {
        Some(SCRIPT) => check_script(field, id.unwrap_or_default(), scripts),
        Some(_) => check_plain(field),
        None => {}
    }
}

/// The id of a column is a name that a request can pick the column by.
fn check_id(field: &mut Item, id: &str, computed: bool, ids: &mut HashSet<String>) {
    let is_reserved = field.value("source").is_some_and(|source| source == RESERVED_KEY);
    if SWITCHES.contains(&id) {
        field.fault("id", &format!("must not be {id}, which is no column but a switch."));
    } else if id.contains(',') {
        field.fault("id", "must not contain a comma.");
    } else if computed && reserved(id).is_some() {
        field.fault("id", &format!("must not be {id}, which every task has."));
    } else if is_reserved && reserved(id).is_none() {
        let hint = closest(id, RESERVED.iter().map(|(key, _)| *key)).map(|key| format!(" Did you mean {key}?"));
        field.invalid("id", &format!("There is no reserved key {id}.{}", hint.unwrap_or_default()));
    } else if !ids.insert(id.to_owned()) {
        field.fault("id", &format!("must not be {id} twice."));
    }
}

/// A column out of a bill has the id `<billId>.<cost name>`.
fn check_costs(field: &mut Item, computed: bool, ids: &mut HashSet<String>) {
    let costs = field.texts("additionalField");
    if computed && !costs.is_empty() {
        field.fault("additionalField", "is not for component script, which makes one column.");
        return;
    }
    for (key, cost) in costs {
        let dotted = cost.split_once('.');
        if dotted.is_none_or(|(bill, name)| bill.trim().is_empty() || name.trim().is_empty()) {
            field.fault(&key, "must be the id of a bill, a dot and the name of a cost, or totalCost.");
        } else if !ids.insert(cost.to_owned()) {
            field.fault(&key, &format!("must not be {cost} twice."));
        }
    }
}

fn check_look(field: &mut Item) {
    if field.text("format").is_some_and(|text| !is_number_format(text)) {
        field.fault("format", "must be a number format of Excel such as #,##0.00 or dd/mm/yyyy.");
    }
    let is_width = |value: &Value| value.as_f64().is_some_and(|width| (1.0..=MAX_COLUMN_WIDTH).contains(&width));
    if field.value("width").is_some_and(|value| !is_width(value)) {
        field.fault("width", &format!("must be a number between 1 and {MAX_COLUMN_WIDTH}."));
    }
}

fn check_plain(field: &mut Item) {
    for key in ["script", "expression"] {
        if field.value(key).is_some() {
            field.fault(key, "is for component script alone.");
        }
    }
}

fn check_script(field: &mut Item, id: &str, scripts: &Generation) {
    match (field.value("script"), field.value("expression")) {
        (None, None) => field.fault("script", "is required where there is no expression."),
        (Some(_), Some(_)) => field.fault("expression", "must not stand beside script."),
        (Some(_), None) => {
            let name = field.required("script");
            if let Some(Err(fault)) = name.map(|name| scripts.program(ScriptKind::Field, name)) {
                field.invalid("script", &fault.to_string());
            }
        }
        (None, Some(_)) => {
            let text = field.required("expression");
            if let Some(Err(fault)) = text.map(|text| compiles(scripts, id, text)) {
                field.fault("expression", &format!("does not compile: {fault}"));
            }
        }
    }
}

fn compiles(scripts: &Generation, id: &str, text: &str) -> Result<(), ScriptFault> {
    scripts.expression(&format!("expression of {id}"), text).map(|_| ())
}
