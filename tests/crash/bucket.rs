//! Kills while files go into a bucket.

use serde_json::Value;

use crate::client::{Client, export};
use crate::house::{House, LONG, OURS, Server};
use crate::s3::{self, ACCESS, BUCKET, SECRET};

const DIE: &str = "WAYBILL_DIE_AT";
const SOME: u64 = 200;

/// The server whose files go into this bucket, with these variables more.
fn launch(house: &House, bucket: &s3::Server, more: &[(&str, &str)]) -> Server {
    let ours = [
        ("WAYBILL_STORAGE__KIND", "bucket"),
        ("WAYBILL_STORAGE__ENDPOINT", bucket.url.as_str()),
        ("WAYBILL_STORAGE__BUCKET", BUCKET),
        ("WAYBILL_STORAGE__ACCESS_KEY", ACCESS),
        ("WAYBILL_STORAGE__SECRET_KEY", SECRET),
    ];
    house.launch(&[&ours[..], more].concat())
}

/// Dies at the place, and is started again: the export is done, with one entry and one object.
fn survives(place: &str, rows: u64, tasks: u64) {
    let (house, bucket) = (House::with_tasks(tasks), s3::Server::start());
    let server = launch(&house, &bucket, &[(DIE, place)]).listening();
    let client = server.client(&house.token(OURS));
    let body = export("csv", rows, "same");
    let answered = client.try_export(&body);
    server.died();
    let server = launch(&house, &bucket, &[]).listening();
    let client = server.client(&house.token(OURS));
    let id = client.export(&body);
    assert!(answered.is_none_or(|answered| answered == id), "{place}");
    let entry = client.ended(&id);
    assert_eq!((&entry["status"], &entry["attempts"]), (&Value::from("Done"), &Value::from(2)), "{place}: {entry}");
    assert_eq!((client.log().len(), bucket.objects().len()), (1, 1), "{place}");
    whole(&client, &entry, &bucket);
    assert_eq!((house.temp_files(), house.kept_files().len()), (0, 0), "{place}");
}

/// Fetches the file by the bucket's link.
fn whole(client: &Client, entry: &Value, bucket: &s3::Server) {
    let link = entry["fileUrl"].as_str().unwrap();
    assert!(link.starts_with(&bucket.url), "{link}");
    let mut answer = ureq::get(link).call().unwrap();
    let bytes = answer.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
    assert_eq!(entry["fileSize"], bytes.len(), "{entry}");
    assert_eq!(bytes, bucket.bytes(&bucket.objects()[0]));
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(entry["totalRecords"], lines - 1);
    assert_eq!(client.count("Done"), 1);
}

#[test]
fn a_death_between_the_upload_and_the_end_of_its_export_leaves_one_object_and_one_entry() {
    survives("after-put", SOME, SOME);
    survives("before-settle", SOME, SOME);
}

#[test]
fn a_death_in_the_midst_of_an_upload_leaves_one_object_and_one_entry() {
    survives("part-put", 2 * LONG, 2 * LONG);
}

#[test]
fn after_three_deaths_nothing_is_left_in_the_bucket() {
    let (house, bucket) = (House::with_tasks(SOME), s3::Server::start());
    let server = launch(&house, &bucket, &[(DIE, "after-put")]).listening();
    let client = server.client(&house.token(OURS));
    let body = export("csv", SOME, "same");
    client.try_export(&body);
    server.died();
    for _ in 0..2 {
        launch(&house, &bucket, &[(DIE, "after-put")]).died();
    }
    assert_eq!(bucket.objects().len(), 1);
    let server = launch(&house, &bucket, &[]).listening();
    let client = server.client(&house.token(OURS));
    let entry = client.ended(&client.export(&body));
    assert_eq!((&entry["status"], &entry["attempts"]), (&"Failed".into(), &3.into()), "{entry}");
    assert!(bucket.objects().is_empty());
}
