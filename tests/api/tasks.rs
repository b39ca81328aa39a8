//! Tasks: one, a page, many.

use serde_json::{Value, json};

use crate::support::{House, ME, OURS, THEIRS, id, task, tasks};

fn raw(house: &House, number: u64) -> String {
    house.get(&format!("/api/v3/task/{}", id(number))).text()
}

#[test]
fn a_task_is_made_read_changed_replaced_and_deleted() {
    let house = House::new();
    let hub = house.post("/api/v3/hub", r#"{"name":"North"}"#).value()["hub"]["_id"].as_str().unwrap().to_owned();
    let flow = house.post("/api/v3/flow", r#"{"name":"Delivery"}"#).value()["flow"]["_id"].as_str().unwrap().to_owned();
    let made = house.post("/api/v3/task", &format!(r#"{{"flow":"delivery","hubId":"{hub}","title":"T","x":1.0}}"#));
    assert_eq!((made.status, made.message().as_str()), (201, "Task has been created"));
    let task = made.value()["task"].clone();
    assert_eq!((&task["flowId"], &task["hub"], &task["status"]), (&json!(flow), &json!("North"), &json!("UNASSIGNED")));
    assert_eq!((&task["createdTime"], &task["createdBy"]), (&json!("2025-06-15T15:06:40+00:00"), &json!(ME)));
    assert_eq!(task["organizationId"], json!(OURS));
    let path = format!("/api/v3/task/{}", task["_id"].as_str().unwrap());
    assert_eq!(house.get(&path).value()["task"], task);

    let patched = house.json("PATCH", &path, &house.token(), r#"{"title":"U","y":[1]}"#).value()["task"].clone();
    assert_eq!(
        (&patched["title"], &patched["x"], &patched["y"], &patched["updatedBy"]),
        (&json!("U"), &json!(1.0), &json!([1]), &json!(ME))
    );
    let body = format!(r#"{{"flowId":"{flow}","hubId":"{hub}","title":"V"}}"#);
    let replaced = house.json("PUT", &path, &house.token(), &body).value()["task"].clone();
    assert_eq!((&replaced["title"], replaced.get("x"), &replaced["createdBy"]), (&json!("V"), None, &json!(ME)));
    assert_eq!(replaced["_id"], task["_id"]);

    assert_eq!(house.json("DELETE", &path, &house.token(), "").status, 200);
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let reply = house.json(method, &path, &house.token(), if method == "GET" { "" } else { "{}" });
        assert_eq!((reply.status, reply.message().as_str()), (404, "Data not found"), "{method}");
    }
    assert_eq!(house.get("/api/v3/tasks").value()["tasks"]["total"], 0);
}

#[test]
fn a_new_task_needs_a_flow_and_a_hub_and_valid_values() {
    let house = House::new();
    let reply = house.post("/api/v3/task", "{}");
    assert_eq!(reply.status, 400);
    let errors = reply.value()["errors"].clone();
    assert_eq!(errors, json!({"flowId": ["The flowId field is required."], "hubId": ["The hubId field is required."]}));
    let hub = id(5);
    for bad in [
        r#""_id":"x""#,
        r#""status":"OPEN""#,
        r#""startTime":"soon""#,
        r#""isDeleted":"no""#,
        r#""assignee":"bo""#,
        r#""a":1,"a":2"#,
        r#""a":1e400"#,
    ] {
        let reply = house.post("/api/v3/task", &format!(r#"{{"flow":"F","hubId":"{hub}",{bad}}}"#));
        assert_eq!(reply.status, 400, "{bad}: {}", reply.text());
    }
    let again = format!(r#"{{"_id":"{}","flow":"F","hubId":"{hub}"}}"#, id(1));
    assert_eq!(house.post("/api/v3/task", &again).status, 201);
    assert_eq!(house.post("/api/v3/task", &again).status, 409);
    assert_eq!(house.get("/api/v3/tasks").value()["tasks"]["total"], 1);
}

#[test]
fn numbers_keep_their_digits_and_keys_their_order() {
    let house = House::new();
    let more = r#""z":18446744073709551616,"a":1.0,"m":-0.0,"deep":{"b":[1.50,1E5],"a":"\u00fc"},"e":1e2"#;
    house.load(&task(1, more));
    assert!(raw(&house, 1).contains(more), "{}", raw(&house, 1));
    let page = house.get("/api/v3/tasks?fields=z,a").text();
    assert!(page.contains(r#"{"z":18446744073709551616,"a":1.0}"#), "{page}");
}

#[test]
fn a_page_has_its_links_and_the_filters_of_an_export() {
    let house = House::new();
    house.load(&tasks(45));
    house.load(&task(99, r#""status":"DONE""#));
    let page =
        house.get("/api/v3/tasks?limit=10&page=2&sortBy=n&sortOrder=asc&status=UNASSIGNED").value()["tasks"].clone();
    let numbers: Vec<u64> = page["data"].as_array().unwrap().iter().map(|task| task["n"].as_u64().unwrap()).collect();
    assert!(numbers.into_iter().eq(10..20));
    assert_eq!(
        (&page["from"], &page["to"], &page["total"], &page["last_page"]),
        (&json!(11), &json!(20), &json!(45), &json!(5))
    );
    let next = page["next_page_url"].as_str().unwrap();
    let page = house.send("GET", next, &house.token(), &[], b"").value()["tasks"].clone();
    assert_eq!((&page["current_page"], &page["data"][0]["n"]), (&json!(3), &json!(20)));
    let reply = house.get("/api/v3/tasks?limit=1001");
    assert_eq!((reply.status, reply.message().as_str()), (400, "The limit field must be between 1 and 1000."));
    assert_eq!(house.get("/api/v3/tasks?stauts=DONE").message(), "The stauts field is not known. Did you mean status?");
    let default = house.get("/api/v3/tasks").value()["tasks"].clone();
    assert_eq!((default["data"].as_array().unwrap().len(), &default["per_page"]), (20, &json!(20)));
}

#[test]
fn a_cursor_leads_through_all_tasks_once() {
    let house = House::new();
    house.load(&tasks(53));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("/api/v3/tasks?lazyLoad=1&limit=20{cursor}")).value()["tasks"].clone();
        seen.extend(page["data"].as_array().unwrap().iter().map(|task| task["n"].as_u64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.into_iter().eq((0..53).rev()));
    assert_eq!(house.get(&format!("/api/v3/tasks?lazyLoad=1&cursor={}", id(999))).status, 400);
}

#[test]
fn a_load_keeps_the_good_lines_and_tells_the_bad_ones() {
    let house = House::new();
    let text = format!(
        "\u{feff}{}\r\n\n{}\nnot json\n{}\n{}\n\u{0}\n[]\n{}",
        task(1, ""),
        task(2, r#""a":1,"a":2"#),
        task(3, r#""status":"NO","startTime":"soon""#),
        task(4, ""),
        task(1, r#""again":true"#),
    );
    let reply = house.load_as(&house.token(), &text);
    let answer = reply.value();
    assert_eq!((reply.status, &answer["message"]), (200, &json!("Some lines could not be loaded.")));
    assert_eq!(
        (&answer["total"], &answer["added"], &answer["replaced"], &answer["failed"]),
        (&json!(8), &json!(2), &json!(1), &json!(5))
    );
    let lines: Vec<u64> =
        answer["errors"].as_array().unwrap().iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 5, 7, 8]);
    let third = answer["errors"][2]["message"].as_str().unwrap();
    assert!(third.contains("status") && third.contains("startTime"), "{third}");
    assert!(raw(&house, 1).contains(r#""again":true"#));
    assert_eq!(house.get(&format!("/api/v3/task/{}", id(3))).status, 404);
}

#[test]
fn of_many_bad_lines_the_first_hundred_are_told() {
    let house = House::new();
    let answer = house.load_as(&house.token(), &"x\n".repeat(25_000)).value();
    assert_eq!((&answer["failed"], answer["errors"].as_array().unwrap().len()), (&json!(25_000), 100));
    assert_eq!(answer["errors"][99]["line"], 100);
}

#[test]
fn a_line_without_end_is_one_bad_line() {
    let house = House::new();
    let text = format!("{}\n\"{}\"\n{}\n", task(1, ""), "x".repeat(9_000_000), task(2, ""));
    let answer = house.load_as(&house.token(), &text).value();
    assert_eq!((&answer["added"], &answer["failed"], &answer["errors"][0]["line"]), (&json!(2), &json!(1), &json!(2)));
}

#[test]
fn bulk_changes_tell_what_became_of_each_task() {
    let house = House::new();
    let hub = id(5);
    let body =
        format!(r#"{{"tasks":[{{"_id":"{}","flow":"F","hubId":"{hub}","refId":"r1"}},{{"refId":"r2"}}]}}"#, id(1));
    let reply = house.post("/api/v3/tasks/bulk", &body);
    assert_eq!(reply.status, 201);
    let answer = reply.value();
    assert_eq!((&answer["success"], &answer["failed"]), (&json!(1), &json!(1)));
    assert_eq!(
        answer["tasks"][0],
        json!({"status": true, "_id": id(1), "message": "Task has been created", "refId": "r1"})
    );
    assert_eq!((&answer["tasks"][1]["status"], &answer["tasks"][1]["refId"]), (&json!(false), &json!("r2")));
    let body = format!(r#"{{"tasks":[{{"_id":"{}","x":1}},{{"_id":"{}","x":1}}]}}"#, id(1), id(2));
    let answer = house.json("PATCH", "/api/v3/tasks/bulk", &house.token(), &body).value();
    assert_eq!((&answer["success"], &answer["tasks"][1]["message"]), (&json!(1), &json!("Data not found")));
    assert!(raw(&house, 1).contains("\"x\":1"));
    let answer = house.json("DELETE", "/api/v3/tasks/bulk", &house.token(), &body).value();
    assert_eq!(answer["success"], 1);
    for (body, message) in [
        ("{}", "The body must be an object with a list of tasks"),
        (r#"{"tasks":[]}"#, "The tasks field is required."),
        (r#"{"tasks":[{"x":1}]}"#, "The tasks.0._id field is required."),
    ] {
        let reply = house.json("PUT", "/api/v3/tasks/bulk", &house.token(), body);
        assert_eq!(reply.status, 400);
        assert!(reply.message().starts_with(message), "{}", reply.text());
    }
    let many = format!(r#"{{"tasks":[{}]}}"#, vec!["{}"; 2_001].join(","));
    assert_eq!(
        house.post("/api/v3/tasks/bulk", &many).message(),
        "The tasks field must not have more than 2000 tasks."
    );
}

#[test]
fn outside_of_a_callers_scope_tasks_are_not_there_and_cannot_be_written() {
    let house = House::new();
    let (north, south) = (id(1_000), id(1_001));
    house.load(&format!(
        "{}\n{}\n",
        task(1, &format!(r#""hubId":"{north}""#)),
        task(2, &format!(r#""hubId":"{south}""#))
    ));
    let token = house.token_with(|claims| claims.hubs = Some(vec![north]));
    let at = |number| format!("/api/v3/task/{}", id(number));
    assert_eq!(house.json("GET", &at(1), &token, "").status, 200);
    assert_eq!(house.json("GET", &at(2), &token, "").status, 404);
    assert_eq!(house.json("PATCH", &at(2), &token, r#"{"x":1}"#).status, 404);
    assert_eq!(house.json("DELETE", &at(2), &token, "").status, 404);
    assert_eq!(house.json("PATCH", &at(1), &token, &format!(r#"{{"hubId":"{south}"}}"#)).status, 403);
    assert_eq!(house.json("POST", "/api/v3/task", &token, &format!(r#"{{"flow":"F","hubId":"{south}"}}"#)).status, 403);
    let answer = house.load_as(&token, &task(2, &format!(r#""hubId":"{north}""#))).value();
    assert_eq!((&answer["replaced"], &answer["failed"]), (&json!(0), &json!(1)), "{answer}");
    let listed = house.json("GET", "/api/v3/tasks", &token, "").value();
    assert_eq!(listed["tasks"]["total"], 1);
}

#[test]
fn another_organisations_task_is_an_unknown_one() {
    let house = House::new();
    house.load(&task(1, ""));
    let theirs = house.token_with(|claims| claims.org = THEIRS);
    let path = format!("/api/v3/task/{}", id(1));
    for (method, body) in [("GET", ""), ("PUT", "{}"), ("PATCH", "{}"), ("DELETE", "")] {
        assert_eq!(house.json(method, &path, &theirs, body).status, 404, "{method}");
    }
    let own: Value = house.load_as(&theirs, &task(1, r#""theirs":1"#)).value();
    assert_eq!(own["added"], 1);
    assert!(!raw(&house, 1).contains("theirs"));
}
