//! Flows and hubs.

use serde_json::json;

use crate::support::{House, THEIRS, id};

#[test]
fn flows_and_hubs_are_made_read_changed_listed_and_deleted() {
    let house = House::new();
    for (kind, body, changed) in [
        (
            "flow",
            r#"{"name":"B","pages":[{"id":"p","components":[{"id":"c","component":"input","more":{"kept":1}}]}]}"#,
            r#"{"name":"C"}"#,
        ),
        ("hub", r#"{"name":"B","address":"Main St 1","lat":-6.2,"lng":106.8}"#, r#"{"name":"C","address":null}"#),
    ] {
        let made = house.post(&format!("/api/v3/{kind}"), body);
        assert_eq!(made.status, 201, "{}", made.text());
        let thing = made.value()[kind].clone();
        assert_eq!(thing["createdTime"], "2025-06-15T15:06:40.000000Z");
        let path = format!("/api/v3/{kind}/{}", thing["_id"].as_str().unwrap());
        assert_eq!(house.get(&path).value()[kind], thing);
        house.post(&format!("/api/v3/{kind}"), r#"{"name":"A"}"#);
        let list = house.get(&format!("/api/v3/{kind}s?limit=1&page=2")).value()[format!("{kind}s")].clone();
        assert_eq!((&list["total"], &list["data"][0]["name"], &list["last_page"]), (&json!(2), &json!("B"), &json!(2)));
        let after = house.json("PUT", &path, &house.token(), changed);
        assert_eq!((after.status, &after.value()[kind]["name"]), (200, &json!("C")), "{}", after.text());
        let taken = house.json("PUT", &path, &house.token(), r#"{"name":"a"}"#);
        assert_eq!((taken.status, taken.message().as_str()), (409, "The name has already been taken."));
        assert_eq!(house.json("DELETE", &path, &house.token(), "").status, 200);
        for method in ["GET", "PUT", "DELETE"] {
            let body = if method == "PUT" { r#"{"name":"D"}"# } else { "" };
            assert_eq!(house.json(method, &path, &house.token(), body).message(), "Data not found", "{method} {kind}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_flow_or_a_hub_is_told_with_its_place() {
    let house = House::new();
    let flow = r#"{"name":"F","pages":[{"id":"p","components":[
        {"id":"status","component":"input"},{"id":"a","component":"dial"},{"id":"a","component":"input"},{"id":"b,c","component":"view"}]}]}"#;
    let errors = house.post("/api/v3/flow", flow).value()["errors"].clone();
    let fields: Vec<&String> = errors.as_object().unwrap().keys().collect();
    let at = |place: u8, key: &str| format!("pages.0.components.{place}.{key}");
    assert_eq!(fields, [&at(0, "id"), &at(1, "component"), &at(2, "id"), &at(3, "id")]);
    for (path, body, message) in [
        ("/api/v3/flow", "{}", "The name field is required."),
        ("/api/v3/flow", r#"{"name":"F","color":1}"#, "The color field is not known."),
        ("/api/v3/hub", r#"{"name":"H","lat":91}"#, "The lat field must be a number between -90 and 90."),
        ("/api/v3/hub", r#"{"name":"H","lng":"x"}"#, "The lng field must be a number between -180 and 180."),
        (
            "/api/v3/hub",
            "{\"name\":\"a\\nb\"}",
            "The name field must be at most 200 characters without control characters.",
        ),
    ] {
        let reply = house.post(path, body);
        assert_eq!((reply.status, reply.message().as_str()), (400, message), "{body}");
    }
    assert_eq!(house.post("/api/v3/flow", r#"{"name":"F","pages":7}"#).status, 400);
}

#[test]
fn another_organisation_sees_none_of_them_and_may_use_the_same_names() {
    let house = House::new();
    let theirs = house.token_with(|claims| claims.org = THEIRS);
    let made = house.post("/api/v3/hub", r#"{"name":"North"}"#).value();
    let path = format!("/api/v3/hub/{}", made["hub"]["_id"].as_str().unwrap());
    assert_eq!(house.json("GET", &path, &theirs, "").status, 404);
    assert_eq!(house.json("DELETE", &path, &theirs, "").status, 404);
    assert_eq!(house.json("GET", "/api/v3/hubs", &theirs, "").value()["hubs"]["total"], 0);
    assert_eq!(house.json("POST", "/api/v3/hub", &theirs, r#"{"name":"North"}"#).status, 201);
    let bound = house.token_with(|claims| claims.hubs = Some(vec![id(1)]));
    assert_eq!(house.json("GET", &path, &bound, "").status, 404);
    assert_eq!(house.json("GET", "/api/v3/hubs", &bound, "").value()["hubs"]["total"], 0);
}
