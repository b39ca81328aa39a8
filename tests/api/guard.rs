//! What every request passes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{House, NOW, OURS};

#[test]
fn every_way_of_being_unknown_is_answered_alike() {
    let house = House::new();
    let expired = house.token_with(|claims| claims.exp = NOW.seconds());
    let other = House::new().token();
    let mut answers = Vec::new();
    for token in ["", "nonsense", "a.b.c", &expired, &other] {
        let reply = house.send("GET", "/api/v3/tasks", token, &[], b"");
        assert_eq!(reply.status, 401, "{token}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        answers.push(reply.text());
    }
    let basic = house.send("GET", "/api/v3/tasks", "", &[("authorization", "Basic YTpi")], b"");
    answers.push(basic.text());
    answers.dedup();
    assert_eq!(answers, [r#"{"status":false,"message":"Unauthorized"}"#]);
}

#[test]
fn a_missing_permission_is_told_by_its_act() {
    let house = House::new();
    let token = house.token_with(|claims| claims.perms = vec!["view/hub".to_owned()]);
    for (method, path, message) in [
        ("POST", "/api/v3/tasks/export", "You do not have permission to export tasks"),
        ("GET", "/api/v3/tasks", "You do not have permission to view tasks"),
        ("POST", "/api/v3/task", "You do not have permission to add tasks"),
        ("PUT", "/api/v3/tasks/bulk", "You do not have permission to edit tasks"),
        ("DELETE", "/api/v3/task/000000000000000000000000", "You do not have permission to delete tasks"),
        ("GET", "/api/v3/flows", "You do not have permission to view flows"),
        ("POST", "/api/v3/flow", "You do not have permission to edit flows"),
        ("POST", "/api/v3/hub", "You do not have permission to edit hubs"),
    ] {
        let reply = house.json(method, path, &token, "{}");
        assert_eq!((reply.status, reply.message().as_str()), (403, message), "{method} {path}");
    }
    assert_eq!(house.json("GET", "/api/v3/hubs", &token, "").status, 200);
}

#[test]
fn errors_are_json_on_unknown_paths_and_methods_too() {
    let house = House::new();
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/api/v3/nothing", 404),
        ("GET", "/api/v3/../../etc/passwd", 404),
        ("GET", "/api/v3/tasks/export", 405),
        ("DELETE", "/health", 405),
    ] {
        let reply = house.json(method, path, &house.token(), "");
        assert_eq!(reply.status, status, "{method} {path}");
        assert_eq!(reply.value()["status"], false, "{method} {path}");
        assert!(!reply.message().is_empty());
    }
    let reply = house.get("/api/v3/tasks/export");
    assert_eq!(reply.header("allow"), "POST");
}

#[test]
fn every_route_also_answers_with_one_trailing_slash() {
    let house = House::new();
    assert_eq!(house.get("/health/").status, 200);
    assert_eq!(house.get("/api/v3/tasks/?limit=1").status, 200);
    assert_eq!(house.get("/api/v3/tasks//").status, 404);
}

#[test]
fn a_request_id_is_kept_if_it_is_one_and_made_otherwise() {
    let house = House::new();
    let sent =
        |id: &str| house.send("GET", "/health", "", &[("x-request-id", id)], b"").header("x-request-id").to_owned();
    assert_eq!(sent("trace-1_2.3"), "trace-1_2.3");
    for bad in ["with space", &"x".repeat(65)] {
        let made = sent(bad);
        assert_ne!(made, bad);
        assert_eq!(made.len(), 22);
    }
    assert_eq!(house.get("/nowhere").header("x-request-id").len(), 22);
}

#[test]
fn an_organisation_that_asks_too_often_waits_and_others_do_not() {
    let house = House::with(|settings| {
        settings.server.rate_per_second = 1;
        settings.server.rate_burst = 5;
    });
    let statuses: Vec<u16> = (0..8).map(|_| house.get("/api/v3/hubs").status).collect();
    assert_eq!(statuses[..5], [200; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
    let reply = house.get("/api/v3/hubs");
    assert_eq!((reply.status, reply.message().as_str()), (429, "Too many requests"));
    assert!(!reply.header("retry-after").is_empty());
    let theirs = house.token_with(|claims| claims.org = crate::support::THEIRS);
    assert_eq!(house.send("GET", "/api/v3/hubs", &theirs, &[], b"").status, 200);
    assert_ne!(OURS, crate::support::THEIRS);
}

#[test]
fn bodies_have_a_size_a_kind_and_a_depth() {
    let house = House::with(|settings| settings.server.max_body_bytes = 2_000);
    let long = format!(r#"{{"download":"{}"}}"#, "x".repeat(3_000));
    let reply = house.post("/api/v3/tasks/export", &long);
    assert_eq!((reply.status, reply.message().as_str()), (413, "The body must not be larger than 2000 bytes."));
    let reply = house.send("POST", "/api/v3/tasks/export", &house.token(), &[("content-type", "text/plain")], b"{}");
    assert_eq!(reply.status, 415);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let reply = house.post("/api/v3/tasks/export", &deep);
    assert_eq!(reply.status, 400, "{}", reply.text());
    for broken in ["", "{", "[]", "{\"a\":1,\"a\":2}", "{\"a\":1e400}", "\u{feff}{}"] {
        let reply = house.post("/api/v3/tasks/export", broken);
        assert_eq!((reply.status, &reply.value()["status"]), (400, &false.into()), "{broken}");
    }
}

fn connect(house: &House) -> TcpStream {
    let stream = TcpStream::connect(house.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn who_sends_a_head_or_a_body_too_slowly_is_cut_off_and_health_answers_meanwhile() {
    let house = House::with(|settings| {
        settings.server.header_seconds = 1;
        settings.server.body_idle_seconds = 1;
    });
    let started = Instant::now();
    let mut idle: Vec<TcpStream> = (0..50).map(|_| connect(&house)).collect();
    for stream in &mut idle {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n").unwrap();
    }
    let mut slow = connect(&house);
    let head = format!(
        "POST /api/v3/tasks/export HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        house.token()
    );
    slow.write_all(head.as_bytes()).unwrap();
    assert_eq!(house.get("/health").status, 200);
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.contains("No byte of the body came for 1 seconds."), "{text}");
    for mut stream in idle {
        let mut bytes = Vec::new();
        // Whether it is told or just cut off, the connection ends.
        let _ = stream.read_to_end(&mut bytes);
    }
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[test]
fn too_many_headers_are_refused() {
    let house = House::new();
    let mut stream = connect(&house);
    let mut head = "GET /health HTTP/1.1\r\nHost: x\r\n".to_owned();
    for number in 0..2_000 {
        head.push_str(&format!("X-{number}: y\r\n"));
    }
    // The server may answer before all is sent.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let mut bytes = [0; 12];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"HTTP/1.1 431");
}
