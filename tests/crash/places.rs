//! A death at each named place of an export's life.
//!
//! Builds without debug assertions have no such places.
#![cfg(debug_assertions)]

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::client::{Client, export};
use crate::house::{House, OURS, Server};
use crate::promises;

const DIE: &str = "WAYBILL_DIE_AT";
/// More rows than one block holds, in any form, and than one JSON file.
const MANY: u64 = 20_001;
const SOME: u64 = 3_000;

/// A server that dies at this place, and a client of it.
fn doomed(house: &House, place: &str) -> (Server, Client) {
    let server = house.start(&[(DIE, place)]);
    let client = server.client(&house.token(OURS));
    (server, client)
}

/// Dies at the place, starts again, and holds everything that was promised.
fn survives(place: &str, download: &str, rows: u64, attempts: RangeInclusive<u64>) {
    let house = House::with_tasks(MANY);
    let (server, client) = doomed(&house, place);
    let body = export(download, rows, "same");
    let answered = client.try_export(&body);
    server.died();

    let server = house.start(&[]);
    let client = server.client(&house.token(OURS));
    assert_eq!(client.log().len(), 1, "{place}: what was committed is in the log");
    let id = client.export(&body);
    assert!(answered.is_none_or(|answered| answered == id), "{place}: the same key is answered with the same export");
    let entry = client.ended(&id);
    assert_eq!(entry["status"], "Done", "{place}: {entry}");
    assert!(entry["attempts"].as_u64().is_some_and(|made| attempts.contains(&made)), "{place}: {entry}");
    assert_eq!(entry["totalRecords"], rows, "{place}: {entry}");
    promises::hold(&house, &[&client]);
    assert_eq!(client.log().len(), 1, "{place}: it is there once");
}

#[test]
fn a_death_before_the_submit_leaves_no_entry() {
    let house = House::with_tasks(MANY);
    let (server, client) = doomed(&house, "before-submit");
    let body = export("csv", SOME, "same");
    assert_eq!(client.try_export(&body), None);
    server.died();
    let server = house.start(&[]);
    let client = server.client(&house.token(OURS));
    assert!(client.log().is_empty());
    promises::hold(&house, &[&client]);
    let entry = client.ended(&client.export(&body));
    assert_eq!((&entry["status"], &entry["attempts"]), (&Value::from("Done"), &Value::from(1)), "{entry}");
    promises::hold(&house, &[&client]);
}

#[test]
fn a_death_between_the_commit_and_the_answer_loses_nothing() {
    // A worker may have taken it, and counted that, by the time its submit is about to be answered.
    survives("submitted", "csv", SOME, 1..=2);
    survives("submitted", "xlsx", 1, 1..=2);
}

#[test]
fn a_death_before_the_first_row_counts_and_the_export_is_made_again() {
    survives("counted", "csv", SOME, 2..=2);
    survives("selected", "xlsx", SOME, 2..=2);
}

#[test]
fn a_death_in_the_midst_of_the_rows_counts_and_the_export_is_made_again() {
    for tenth in 1..=10 {
        let download = if tenth % 2 == 0 { "xlsx" } else { "csv" };
        survives(&format!("rendered-{tenth}0"), download, MANY, 2..=2);
    }
}

#[test]
fn a_death_around_the_moment_when_the_file_is_put_leaves_one_file() {
    survives("before-put", "xlsx", SOME, 2..=2);
    survives("after-put", "csv", SOME, 2..=2);
    survives("before-settle", "csv", SOME, 2..=2);
}

#[test]
fn a_death_after_the_settling_changes_nothing() {
    survives("after-settle", "csv", SOME, 1..=1);
}

#[test]
fn after_three_deaths_at_the_same_place_it_is_failed_and_nothing_of_it_remains() {
    for place in ["counted", "selected", "rendered-50", "before-put", "after-put", "before-settle"] {
        let house = House::with_tasks(MANY);
        let (server, client) = doomed(&house, place);
        let rows = if place.starts_with("rendered") { MANY } else { SOME };
        let body = export("csv", rows, "same");
        let answered = client.try_export(&body);
        server.died();
        for _ in 0..2 {
            house.launch(&[(DIE, place)]).died();
        }
        let server = house.start(&[]);
        let client = server.client(&house.token(OURS));
        assert_eq!(client.log().len(), 1, "{place}");
        let id = client.export(&body);
        assert!(answered.is_none_or(|answered| answered == id), "{place}");
        let entry = client.ended(&id);
        assert_eq!((&entry["status"], &entry["attempts"]), (&"Failed".into(), &3.into()), "{place}: {entry}");
        let why = entry["errorMessage"].as_str().unwrap();
        assert!(why.contains("interrupted 3 times"), "{place}: {why}");
        promises::hold(&house, &[&client]);
        assert!(house.kept_files().is_empty(), "{place}");

        let fresh = client.ended(&client.export(&export("csv", rows, "another")));
        assert_eq!((&fresh["status"], &fresh["attempts"]), (&"Done".into(), &1.into()), "{place}: {fresh}");
        promises::hold(&house, &[&client]);
    }
}

#[test]
fn deaths_at_different_places_are_counted_together() {
    let house = House::with_tasks(MANY);
    let body = export("xlsx", MANY, "same");
    let (server, client) = doomed(&house, "before-settle");
    client.try_export(&body);
    server.died();
    house.launch(&[(DIE, "selected")]).died();
    let server = house.start(&[]);
    let client = server.client(&house.token(OURS));
    let entry = client.ended(&client.export(&body));
    assert_eq!((&entry["status"], &entry["attempts"]), (&"Done".into(), &3.into()), "{entry}");
    promises::hold(&house, &[&client]);
}

#[test]
fn a_death_of_one_export_costs_the_others_no_more_than_it_must() {
    let house = House::with_tasks(MANY);
    let (server, client) = doomed(&house, "before-settle:4");
    let bodies: Vec<_> = (0..12).map(|number| export("csv", 50, &format!("key-{number}"))).collect();
    let answered: Vec<_> = bodies.iter().map(|body| client.try_export(body)).collect();
    server.died();
    let server = house.start(&[]);
    let client = server.client(&house.token(OURS));
    let mut attempts = 0;
    for (body, answered) in bodies.iter().zip(answered) {
        let id = client.export(body);
        assert!(answered.is_none_or(|answered| answered == id));
        let entry = client.ended(&id);
        assert_eq!(entry["status"], "Done", "{entry}");
        attempts += entry["attempts"].as_u64().unwrap();
    }
    assert!((13..=15).contains(&attempts), "one to three ran when the server died, {attempts} attempts in all");
    promises::hold(&house, &[&client]);
    assert_eq!(client.log().len(), 12);
}
