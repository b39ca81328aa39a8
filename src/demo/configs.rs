//! Two export configs that show what scripts are for.

use serde_json::{Value, json};

use crate::domain::config::{RESERVED_KEY, SCRIPT};

use super::flows::{self, DELIVERY, FLOW, INSPECTION};
use super::task::CHECKS;

/// Where most of the hubs are.
const ZONE: &str = "Asia/Jakarta";
const DATE_TIME: &str = "yyyy-mm-dd hh:mm";

/// The bodies of the requests that make them, as a client would send them.
pub fn configs() -> [Value; 2] {
    [deliveries(), inspections()]
}

fn deliveries() -> Value {
    let flow = flows::id(FLOW, DELIVERY).to_string();
    json!({
        "name": "Deliveries, one row an item",
        "collection": "task",
        "description": "What was delivered where, when and by whom, for whoever counts goods rather than stops.",
        "flowIds": [flow],
        "timezone": ZONE,
        "flows": [{"flowId": flow, "script": "delivery_items"}],
        "fields": [
            reserved("refId", "Reference", 13, None),
            answer("orderNo", "view", "Order number", 14),
            reserved("hub", "Hub", 16, None),
            reserved("status", "Status", 12, None),
            script("deliver_to", "address_line", "Deliver to", 52, None),
            reserved("startTime", "Planned for", 17, Some(DATE_TIME)),
            reserved("doneTime", "Delivered at", 17, Some(DATE_TIME)),
            script("minutes", "minutes_to_done", "Minutes to deliver", 18, Some("#,##0")),
            with(
                script("punctuality", "on_time", "On time?", 10, None),
                "args",
                json!({"zone": ZONE, "cut_off": "17:00"}),
            ),
            script("metres_off", "distance_to_done", "Metres from the address", 23, Some("#,##0")),
            script("delivered_by", "masked_email", "Delivered by", 24, None),
        ],
    })
}

fn inspections() -> Value {
    let flow = flows::id(FLOW, INSPECTION).to_string();
    json!({
        "name": "Inspections, failed checks",
        "collection": "task",
        "description": "One row for each check that a site did not pass.",
        "flowIds": [flow],
        "timezone": ZONE,
        "flows": [{"flowId": flow, "script": "failed_checks", "args": {"checks": CHECKS, "zone": ZONE}}],
        "fields": [
            reserved("refId", "Reference", 13, None),
            reserved("hub", "Hub", 16, None),
            answer("rating", "select", "Rating", 8),
            answer("findings", "input", "Findings", 28),
            answer("siteLocation", "input", "Location", 23),
            answer("sitePhoto", "photo", "Site photo", 40),
            answer("nextInspection", "input", "Next inspection", 16),
            with(
                computed("days_left", "Days until then", 15, Some("0")),
                "expression",
                // A date that is missing makes an empty cell.
                json!("let hours = hours_between(now(), task.nextInspection);\nif hours == () { () } else { round(hours / 24, 0) }"),
            ),
        ],
    })
}

fn reserved(key: &str, title: &str, width: u8, format: Option<&str>) -> Value {
    let column = json!({"id": key, "component": "text", "source": RESERVED_KEY, "title": title, "width": width});
    formatted(column, format)
}

fn answer(id: &str, component: &str, title: &str, width: u8) -> Value {
    json!({"id": id, "component": component, "title": title, "width": width})
}

fn script(id: &str, name: &str, title: &str, width: u8, format: Option<&str>) -> Value {
    with(computed(id, title, width, format), "script", name.into())
}

fn computed(id: &str, title: &str, width: u8, format: Option<&str>) -> Value {
    formatted(json!({"id": id, "component": SCRIPT, "title": title, "width": width}), format)
}

fn formatted(column: Value, format: Option<&str>) -> Value {
    match format {
        Some(format) => with(column, "format", format.into()),
        None => column,
    }
}

fn with(mut column: Value, key: &str, value: Value) -> Value {
    if let Some(column) = column.as_object_mut() {
        column.insert(key.to_owned(), value);
    }
    column
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::demo::{SCRIPTS, flows};
    use crate::domain::field::reserved;
    use crate::domain::{ConfigField, Flow, FlowScript, Moment};

    fn parts(config: &Value) -> (Vec<ConfigField>, Vec<FlowScript>) {
        let part = |key: &str| config[key].to_string();
        (serde_json::from_str(&part("fields")).unwrap(), serde_json::from_str(&part("flows")).unwrap())
    }

    fn flow(shaped: &FlowScript) -> Flow {
        flows(Moment(0)).into_iter().find(|flow| flow.id == shaped.flow_id).unwrap()
    }

    #[test]
    fn each_config_shapes_the_one_flow_that_it_exports() {
        for (config, name) in configs().iter().zip(["Delivery", "Site inspection"]) {
            let (_, flows) = parts(config);
            assert_eq!(flows.len(), 1);
            assert_eq!(flow(&flows[0]).name, name);
            assert_eq!(config["flowIds"], json!([flows[0].flow_id.to_string()]));
        }
    }

    #[test]
    fn every_script_that_a_config_names_is_shipped() {
        let is_shipped = |path: String| SCRIPTS.iter().any(|(shipped, _)| *shipped == path);
        for config in &configs() {
            let (fields, flows) = parts(config);
            assert!(flows.iter().all(|flow| is_shipped(format!("flows/{}.rhai", flow.script))));
            let mut named = fields.iter().filter_map(|field| field.script.as_ref());
            assert!(named.all(|name| is_shipped(format!("fields/{name}.rhai"))));
        }
    }

    #[test]
    fn every_column_is_an_answer_a_reserved_key_or_computed_and_there_once() {
        for config in &configs() {
            let (fields, flows) = parts(config);
            let flow = flow(&flows[0]);
            let ids: HashSet<&str> = fields.iter().map(|field| field.id.as_str()).collect();
            assert_eq!(ids.len(), fields.len());
            for field in &fields {
                let answered = flow.components().any(|c| c.id == field.id && c.component == field.component);
                let known = if field.is_computed() {
                    field.script.is_some() != field.expression.is_some()
                } else {
                    answered || reserved(&field.id).is_some()
                };
                assert!(known, "{}", field.id);
                assert!(field.width.is_some_and(|width| width >= field.title.len() as f64 * 0.9), "{}", field.id);
            }
        }
    }
}
