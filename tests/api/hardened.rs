//! What must hold even for requests that no honest client sends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{House, id, task};

/// Routes that need no token.
const PUBLIC: [&str; 4] = ["/health", "/ready", "/api/v3/openapi.json", "/files/{day}/{name}"];

#[test]
fn every_route_but_the_public_ones_wants_a_token_and_a_permission() {
    let house = House::new();
    let nothing = house.token_with(|claims| claims.perms = Vec::new());
    for (method, path) in waybill::http::table() {
        if PUBLIC.contains(&path) {
            continue;
        }
        let path = path.replace("{id}", &id(1).to_string());
        assert_eq!(house.json(method, &path, "", "{}").status, 401, "{method} {path}");
        let reply = house.json(method, &path, &nothing, "{}");
        assert_eq!(reply.status, 403, "{method} {path}");
        assert!(reply.message().starts_with("You do not have permission to "), "{method} {path}");
    }
}

#[test]
fn what_the_router_itself_refuses_is_json_too() {
    let house = House::new();
    for path in ["/api/v3/task/%ff", "/api/v3/flow/%ff", "/files/%ff/%ff"] {
        let reply = house.get(path);
        assert!((400..500).contains(&reply.status), "{path}");
        assert_eq!(reply.header("content-type"), "application/json", "{path}");
        assert_eq!(reply.value()["status"], false, "{path}");
        assert!(!reply.message().is_empty(), "{path}");
    }
}

#[test]
fn a_fault_of_ours_tells_its_part_and_reference_and_nothing_of_the_inside() {
    let house = House::new();
    house.load(&task(1, ""));
    std::fs::remove_dir_all(house.app.storage.folder().scratch()).unwrap();
    let reply = house.post("/api/v3/tasks/export", r#"{"download":"csv"}"#);
    let answer = reply.value();
    assert_eq!((reply.status, &answer["message"]), (500, &json!("Internal server error")));
    let error = answer["error"].as_object().unwrap();
    let keys: Vec<&String> = error.keys().collect();
    assert_eq!(keys, ["message", "file", "line_of_code", "reference"]);
    assert_eq!((&error["file"], &error["line_of_code"]), (&json!("storage"), &json!(0)));
    assert_eq!(error["reference"], reply.header("x-request-id"));
    assert!(!reply.text().contains('/') && !reply.text().contains("No such file"), "{}", reply.text());
}

#[test]
fn a_streamed_export_that_fails_before_its_first_byte_is_answered_as_json() {
    let house = House::new();
    house.load(&task(1, ""));
    std::fs::remove_dir_all(house.app.storage.folder().scratch()).unwrap();
    let headers = [("content-type", "application/json"), ("accept", "application/octet-stream")];
    let body = br#"{"download":"xlsx"}"#;
    let reply = house.send("POST", "/api/v3/tasks/export", &house.token(), &headers, body);
    // A format that needs no scratch space may well succeed; what must not be is half a file.
    if reply.status == 200 {
        assert!(reply.body.starts_with(b"PK"));
        return;
    }
    assert_eq!((reply.status, reply.message().as_str()), (500, "Internal server error"));
    assert_eq!(reply.header("content-disposition"), "");
}

#[test]
fn an_id_that_is_none_changes_no_task_at_all() {
    let house = House::new();
    house.load(&task(0, r#""title2":"kept""#));
    let zero = format!("/api/v3/task/{}", id(0));
    for method in ["PATCH", "PUT", "DELETE"] {
        let body = r#"{"tasks":[{"_id":"nonsense","title":"X","flow":"F","hubId":"000000000000000000000005"}]}"#;
        let answer = house.json(method, "/api/v3/tasks/bulk", &house.token(), body).value();
        assert_eq!((&answer["success"], &answer["failed"]), (&json!(0), &json!(1)), "{method}");
        assert_eq!(answer["tasks"][0]["message"], "Data not found", "{method}");
        assert_eq!(house.get(&zero).value()["task"]["title"], "Task 0", "{method}");
    }
}

#[test]
fn changing_and_loading_give_no_right_to_delete_or_to_change() {
    let house = House::new();
    house.load(&task(1, ""));
    let path = format!("/api/v3/task/{}", id(1));
    let may = |perms: &[&str]| {
        let perms = perms.iter().map(|name| (*name).to_owned()).collect();
        house.token_with(|claims| claims.perms = perms)
    };
    let editor = may(&["edit/task"]);
    for (method, path, body) in [
        ("PATCH", path.clone(), r#"{"isDeleted":true}"#.to_owned()),
        ("PUT", path.clone(), r#"{"isDeleted":true}"#.to_owned()),
    ] {
        let reply = house.json(method, &path, &editor, &body);
        assert_eq!((reply.status, reply.message().as_str()), (403, "You do not have permission to delete tasks"));
    }
    let bulk = format!(r#"{{"tasks":[{{"_id":"{}","isDeleted":true}}]}}"#, id(1));
    assert_eq!(house.json("PATCH", "/api/v3/tasks/bulk", &editor, &bulk).value()["failed"], 1);

    let adder = may(&["add/task"]);
    let loaded = house.load_as(&adder, &format!("{}\n{}\n", task(1, r#""x":1"#), task(2, ""))).value();
    assert_eq!((&loaded["added"], &loaded["replaced"], &loaded["failed"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(loaded["errors"][0]["line"], 1);
    assert_eq!(loaded["errors"][0]["message"], "You do not have permission to edit tasks");
    let loaded = house.load_as(&may(&["add/task", "edit/task"]), &task(1, r#""isDeleted":true"#)).value();
    assert_eq!(loaded["errors"][0]["message"], "You do not have permission to delete tasks");
    assert_eq!(house.get(&path).value()["task"].get("x"), None);
}

#[test]
fn a_task_that_moves_to_another_flow_or_hub_takes_its_name_too() {
    let house = House::new();
    let made = |kind: &str, name: &str| {
        let reply = house.post(&format!("/api/v3/{kind}"), &format!(r#"{{"name":"{name}"}}"#));
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.value()[kind]["_id"].as_str().unwrap().to_owned()
    };
    let (a, b) = (made("flow", "A"), made("flow", "B"));
    let (north, south) = (made("hub", "North"), made("hub", "South"));
    let task = house.post("/api/v3/task", &format!(r#"{{"flowId":"{a}","hubId":"{north}","x":1.50}}"#)).value();
    let path = format!("/api/v3/task/{}", task["task"]["_id"].as_str().unwrap());
    let patch = |body: String| house.json("PATCH", &path, &house.token(), &body).value()["task"].clone();
    let keys = |task: &Value| task.as_object().unwrap().keys().cloned().collect::<Vec<_>>();

    let moved = patch(format!(r#"{{"flowId":"{b}","hubId":"{south}"}}"#));
    assert_eq!((&moved["flow"], &moved["hub"]), (&json!("B"), &json!("South")));
    let back = patch(r#"{"flow":"A"}"#.to_owned());
    assert_eq!((&back["flow"], &back["flowId"]), (&json!("A"), &json!(a)));
    assert_eq!(keys(&moved), keys(&back));
    let away = patch(r#"{"flow":"Unknown"}"#.to_owned());
    assert_eq!((&away["flow"], away.get("flowId")), (&json!("Unknown"), None));
    assert!(house.get(&path).text().contains(r#""x":1.50"#));
}

#[test]
fn a_body_that_only_trickles_is_cut_off() {
    let house = House::with(|settings| settings.server.body_idle_seconds = 1);
    let mut stream = TcpStream::connect(house.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST /api/v3/tasks/export HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\nContent-Length: 1000\r\n\r\n{{",
        house.token()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut trickle = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        for _ in 0..100 {
            if trickle.write_all(b" ").is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let started = Instant::now();
    let mut start = [0; 13];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 408 ");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(stream);
    sender.join().unwrap();
}
