//! SIGTERM: what can be finished is, what cannot is handed back, and nothing is lost (contract 11).

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Client, export};
use crate::house::{House, LONG, OURS};
use crate::promises;

const GRACE: &str = "WAYBILL_SERVER__GRACE_SECONDS";
const ONE_WORKER: (&str, &str) = ("WAYBILL_EXPORT__WORKERS", "1");
const ONE_THREAD: (&str, &str) = ("WAYBILL_EXPORT__THREADS", "1");

/// An export that takes some seconds, once it runs.
fn long(client: &Client) -> String {
    let id = client.export(&export("xlsx", LONG, "long"));
    client.until(&id, "it runs", |entry| entry["state"] == "running" && entry["rowsDone"].as_u64() > Some(0));
    id
}

#[test]
fn a_short_export_is_finished_before_the_server_leaves() {
    let house = House::with_tasks(20_001);
    let token = house.token(OURS);
    let mut server = house.start(&[(GRACE, "60")]);
    let client = server.client(&token);
    let id = client.export(&export("xlsx", 20_001, "short"));
    client.until(&id, "it runs", |entry| entry["state"] != "queued");
    server.terminate();
    assert_eq!(server.left(Duration::from_secs(65)).code(), Some(0), "{}", server.said());
    assert_eq!(house.kept_files().len(), 1, "it was finished, not handed back");
    let server = house.start(&[]);
    let client = server.client(&token);
    let entry = client.entry(&id);
    assert_eq!((&entry["status"], &entry["attempts"]), (&"Done".into(), &1.into()), "{entry}");
    promises::hold(&house, &[&client]);
}

#[test]
fn a_long_export_is_handed_back_without_counting_an_attempt() {
    let house = House::with_tasks(LONG);
    let token = house.token(OURS);
    for _ in 0..4 {
        let mut server = house.start(&[(GRACE, "0"), ONE_THREAD]);
        let id = long(&server.client(&token));
        server.terminate();
        let asked = Instant::now();
        assert_eq!(server.left(Duration::from_secs(10)).code(), Some(0), "{}", server.said());
        let named = server.said().lines().any(|line| line.contains("handed back") && line.contains(&id));
        assert!(named, "the log names what is handed back: {}", server.said());
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!((house.kept_files().len(), house.temp_files()), (0, 0));
    }
    let server = house.start(&[]);
    let client = server.client(&token);
    let log = client.log();
    assert_eq!(log.len(), 1);
    let entry = client.ended(log[0]["_id"].as_str().unwrap());
    assert_eq!((&entry["status"], &entry["attempts"]), (&"Done".into(), &1.into()), "{entry}");
    promises::hold(&house, &[&client]);
}

#[test]
fn what_waits_when_the_server_leaves_is_made_after_the_next_start() {
    let house = House::with_tasks(LONG);
    let token = house.token(OURS);
    let mut server = house.start(&[(GRACE, "1"), ONE_WORKER, ONE_THREAD]);
    let client = server.client(&token);
    let mut ids = vec![long(&client)];
    ids.extend((0..30).map(|number| client.export(&export("csv", 100, &format!("key-{number}")))));
    server.terminate();
    assert_eq!(server.left(Duration::from_secs(10)).code(), Some(0), "{}", server.said());
    let server = house.start(&[]);
    let client = server.client(&token);
    for id in &ids {
        let entry = client.ended(id);
        assert_eq!((&entry["status"], &entry["attempts"]), (&"Done".into(), &1.into()), "{entry}");
    }
    assert_eq!(client.log().len(), ids.len());
    promises::hold(&house, &[&client]);
}

#[test]
fn a_second_sigterm_leaves_at_once_and_nothing_is_lost() {
    let house = House::with_tasks(LONG);
    let token = house.token(OURS);
    let mut server = house.start(&[(GRACE, "60"), ONE_THREAD]);
    let id = long(&server.client(&token));
    server.terminate();
    std::thread::sleep(Duration::from_millis(200));
    assert!(server.is_alive(), "the export takes longer than that: {}", server.said());
    server.terminate();
    let asked = Instant::now();
    server.left(Duration::from_secs(10));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let server = house.start(&[]);
    let client = server.client(&token);
    let entry = client.ended(&id);
    assert_eq!(entry["status"], "Done", "{entry}");
    assert!(entry["attempts"].as_u64() <= Some(2), "{entry}");
    promises::hold(&house, &[&client]);
}

#[test]
fn a_client_that_asks_while_the_server_leaves_is_told_or_cut_off_but_never_misled() {
    let house = House::with_tasks(400);
    let token = house.token(OURS);
    let mut server = house.start(&[(GRACE, "2")]);
    let client = server.client(&token);
    let started = Instant::now();
    let mut accepted = Vec::new();
    for number in 0.. {
        if number == 5 {
            server.terminate();
        }
        let body = export("csv", 100, &format!("key-{number}")).to_string();
        match client.try_send("POST", "/api/v3/tasks/export", "application/json", body.as_bytes()) {
            Some(reply) if reply.status == 200 => accepted.push(crate::client::accepted(&reply)),
            Some(reply) => assert!(matches!(reply.status, 429 | 503), "{}", reply.text()),
            None => break,
        }
        assert!(started.elapsed() < Duration::from_secs(30), "it goes on answering");
    }
    assert_eq!(server.left(Duration::from_secs(10)).code(), Some(0), "{}", server.said());
    let server = house.start(&[]);
    let client = server.client(&token);
    let ended: Vec<Value> = accepted.iter().map(|id| client.ended(id)).collect();
    assert!(ended.iter().all(|entry| entry["status"] == "Done" && entry["attempts"] == 1), "{ended:#?}");
    promises::hold(&house, &[&client]);
}
