//! The description that the server gives of itself.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::House;

fn described() -> Value {
    serde_json::from_str(waybill::http::OPENAPI).unwrap()
}

#[test]
fn it_is_served_as_it_is_kept() {
    let reply = House::new().send("GET", "/api/v3/openapi.json", "", &[], b"");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text(), waybill::http::OPENAPI);
}

#[test]
fn it_describes_every_route_and_no_other() {
    let mut described_routes = BTreeSet::new();
    for (path, methods) in described()["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described_routes.insert((method.to_uppercase(), path.clone()));
        }
    }
    let served: BTreeSet<_> =
        waybill::http::table().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(described_routes, served);
}

#[test]
fn every_reference_in_it_leads_somewhere() {
    fn walk(value: &Value, root: &Value) {
        match value {
            Value::Object(values) => {
                if let Some(Value::String(reference)) = values.get("$ref") {
                    let pointer = reference.trim_start_matches('#');
                    assert!(root.pointer(pointer).is_some(), "{reference}");
                }
                values.values().for_each(|value| walk(value, root));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, root)),
            _ => {}
        }
    }
    walk(&described(), &described());
}

/// The structure of the platform's published page for this route.
const PUBLISHED: &str = include_str!("../data/published-export-tasks.json");

#[test]
fn an_export_takes_and_gives_at_least_what_the_published_page_says() {
    let (ours, published) = (described(), serde_json::from_str::<Value>(PUBLISHED).unwrap());
    let request = &ours["components"]["schemas"]["ExportRequest"];
    includes(&published["request"]["properties"], &request["properties"], "request");
    assert_eq!(published["request"]["required"], request["required"]);
    let responses = &ours["paths"]["/api/v3/tasks/export"]["post"]["responses"];
    for (status, schema) in published["responses"].as_object().unwrap() {
        let ours = resolved(&responses[status], &ours);
        let ours = resolved(&ours["content"]["application/json"]["schema"], &described()).clone();
        includes(&schema["properties"], &ours["properties"], status);
    }
}

fn resolved<'a>(value: &'a Value, root: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn includes(published: &Value, ours: &Value, place: &str) {
    for (name, schema) in published.as_object().unwrap() {
        let place = format!("{place}.{name}");
        let own = &ours[name];
        assert!(own.is_object(), "{place} is missing");
        assert_eq!(schema["type"], own["type"], "{place}");
        if let Some(allowed) = schema["enum"].as_array() {
            // `status` takes a comma list here, so that it is a plain text.
            let own = own["enum"].as_array();
            assert!(own.is_none_or(|own| allowed.iter().all(|word| own.contains(word))), "{place}");
        }
        if schema["properties"].is_object() {
            includes(&schema["properties"], &own["properties"], &place);
        }
    }
}
