//! Scripts that change while exports run.
//!
//! Builds without debug assertions have no places to hold an export at.
#![cfg(debug_assertions)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, SOON, eventually, export};
use crate::house::{House, OURS};
use crate::promises;
use crate::scripts::{script, write};

/// With one thread, rows are made ahead of those that are in the file by less than a tenth of these.
const ROWS: u64 = 20_001;

fn version(number: u64) -> String {
    format!("fn value(task, args) {{ \"version {number}\" }}")
}

/// Writes a version and waits until it is the live one; its hash.
fn edit(house: &House, client: &Client, number: u64) -> Value {
    let before = hash(client);
    write(house, "version", &version(number));
    eventually("the edit is live", SOON, || hash(client) != before);
    hash(client)
}

fn hash(client: &Client) -> Value {
    script(client, "version")["hash"].clone()
}

/// Holds each export at this place, and lets those go on that are held at another.
fn hold(file: &Path, place: &str) {
    let draft = file.with_extension("draft");
    fs::write(&draft, place).unwrap();
    fs::rename(&draft, file).unwrap();
}

/// That all rows of a finished export are of this version, and that its entry names it.
fn shows(client: &Client, entry: &Value, number: u64, hash: &Value) {
    assert_eq!((&entry["status"], &entry["warnings"]), (&json!("Done"), &json!([])), "{entry}");
    assert_eq!(entry["scripts"], json!([{"name": "fields/version", "hash": hash}]));
    let file = client.get(entry["fileUrl"].as_str().unwrap()).text();
    let lines: Vec<&str> = file.lines().skip(1).collect();
    assert_eq!(lines.len() as u64, ROWS);
    let expected = format!(",version {number}");
    assert!(lines.iter().all(|line| line.ends_with(&expected)), "{:?}", lines.last());
}

#[test]
fn an_export_that_spans_ten_edits_shows_one_version_and_the_next_shows_the_last() {
    let house = House::with_tasks(ROWS);
    write(&house, "version", &version(0));
    let file = house.path().join("hold");
    let server = house.start(&[("WAYBILL_EXPORT__THREADS", "1"), ("WAYBILL_HOLD_FILE", file.to_str().unwrap())]);
    let client = server.client(&house.token(OURS));
    let fields = json!([
        {"id": "_id", "component": "input", "title": "Task"},
        {"id": "version", "component": "script", "title": "Version", "script": "version"},
    ]);
    let config = json!({"name": "Versions", "collection": "task", "fields": fields});
    let config = client.post("/api/v3/export-config", &config).value()["data"]["_id"].clone();
    let body = |once: &str| {
        let mut body = export("csv", ROWS, once);
        body["exportConfigId"] = config.clone();
        body
    };

    let first = hash(&client);
    hold(&file, "rendered-10");
    let id = client.export(&body("spanning"));
    let mut last = first.clone();
    for number in 1..=10 {
        // Also after the last of them there are rows to come.
        let tenths = number.min(9);
        hold(&file, &format!("rendered-{tenths}0"));
        let rows = (ROWS * tenths).div_ceil(10);
        client.until(&id, "more rows are there", |entry| entry["rowsDone"].as_u64() >= Some(rows));
        last = edit(&house, &client, number);
        assert_eq!(client.entry(&id)["status"], "Processing", "it spans the edit {number}");
    }
    hold(&file, "nowhere");
    shows(&client, &client.ended(&id), 0, &first);
    shows(&client, &client.ended(&client.export(&body("next"))), 10, &last);
    promises::hold(&house, &[&client]);
}
