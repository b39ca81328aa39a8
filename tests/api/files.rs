//! Finished files behind signed links.

use std::io::Read;

use serde_json::Value;
use waybill::domain::Moment;
use waybill::domain::export_log::Place;

use crate::support::{House, NOW, eventually, tasks};

fn exported(house: &House) -> (Value, String) {
    house.load(&tasks(40));
    let answer = house.export(r#"{"download":"csv","limit":40,"name":"Tägliche \"Liste\""}"#);
    let link = answer["data"]["link"].as_str().unwrap().to_owned();
    (answer, link)
}

#[test]
fn a_link_gives_the_file_with_its_name_and_needs_no_token() {
    let house = House::new();
    let (_, link) = exported(&house);
    assert!(link.starts_with(&house.url), "{link}");
    let reply = house.send("GET", &link, "", &[], b"");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8");
    let name = "attachment; filename=\"T_gliche _Liste_.csv\"; filename*=UTF-8''T%C3%A4gliche%20%22Liste%22.csv";
    assert_eq!(reply.header("content-disposition"), name);
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("accept-ranges"), "bytes");
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
}

#[test]
fn head_ranges_and_tags_work_as_browsers_use_them() {
    let house = House::new();
    let (_, link) = exported(&house);
    let whole = house.send("GET", &link, "", &[], b"");
    let head = house.send("HEAD", &link, "", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    let tag = whole.header("etag").to_owned();
    assert_eq!(house.send("GET", &link, "", &[("if-none-match", &tag)], b"").status, 304);

    let part = house.send("GET", &link, "", &[("range", "bytes=10-19")], b"");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..20]));
    assert_eq!(part.header("content-range"), format!("bytes 10-19/{}", whole.body.len()));
    let rest = house.send("GET", &link, "", &[("range", "bytes=10-"), ("if-range", &tag)], b"");
    assert_eq!((rest.status, &rest.body[..]), (206, &whole.body[10..]));
    let changed = house.send("GET", &link, "", &[("range", "bytes=10-"), ("if-range", "\"old\"")], b"");
    assert_eq!((changed.status, changed.body.len()), (200, whole.body.len()));
    let beyond = house.send("GET", &link, "", &[("range", "bytes=999999-")], b"");
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", whole.body.len()));
    assert_eq!(beyond.value()["status"], false);
}

#[test]
fn a_link_that_was_changed_anywhere_is_refused() {
    let house = House::new();
    let (_, link) = exported(&house);
    let (other, _) = link.split_once('?').unwrap();
    let changed = [
        other.to_owned(),
        link.replace("expires=1", "expires=2"),
        link.replace(".csv?", ".xlsx?"),
        link.replace("name=T", "name=U"),
        link[..link.len() - 2].to_owned(),
        link.replace("/files/2025", "/files/2024"),
    ];
    for link in changed {
        let reply = house.send("GET", &link, "", &[], b"");
        assert_eq!((reply.status, reply.message().as_str()), (403, "This link is not valid."), "{link}");
    }
}

#[test]
fn a_link_ends_and_so_does_a_file() {
    let house = House::new();
    let (_, link) = exported(&house);
    house.clock.set(Moment(NOW.0 + 168 * 3_600_000 - 1));
    assert_eq!(house.send("GET", &link, "", &[], b"").status, 200);
    house.clock.set(Moment(NOW.0 + 168 * 3_600_000));
    let reply = house.send("GET", &link, "", &[], b"");
    assert_eq!((reply.status, reply.message().as_str()), (410, "This export has expired. Run it again."));
    house.clock.set(NOW);
    let key = link.split("/files/").nth(1).unwrap().split('?').next().unwrap();
    house.app.storage.delete(key, &Place::Folder).unwrap();
    assert_eq!(house.send("GET", &link, "", &[], b"").status, 410);
}

#[test]
fn fifty_exports_of_one_second_have_fifty_keys_that_nobody_guesses() {
    let house = House::new();
    house.load(&tasks(1));
    let mut keys = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let answer = house.export(r#"{"download":"ndjson"}"#);
        let link = answer["data"]["link"].as_str().unwrap();
        let key = link.split("/files/").nth(1).unwrap().split('?').next().unwrap().to_owned();
        let random = key.strip_suffix(".ndjson").unwrap();
        assert!(random.len() >= "20250615/task_010101010101010101010101_1750000000_".len() + 16);
        keys.insert(key);
    }
    assert_eq!(keys.len(), 50);
}

#[test]
fn what_begins_at_the_first_byte_counts_as_a_download() {
    let house = House::new();
    let (answer, link) = exported(&house);
    let path = format!("/api/v3/tasks/export-log/{}", answer["data"]["_id"].as_str().unwrap());
    let tag = house.send("HEAD", &link, "", &[], b"").header("etag").to_owned();
    house.send("GET", &link, "", &[("range", "bytes=10-")], b"");
    house.send("GET", &link, "", &[("range", "bytes=999999-")], b"");
    house.send("GET", &link, "", &[("if-none-match", &tag)], b"");
    house.send("GET", &link, "", &[("range", "bytes=0-9")], b"");
    house.send("GET", &link, "", &[], b"");
    eventually("two are counted", || house.get(&path).value()["data"]["downloads"].as_u64() >= Some(2));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(house.get(&path).value()["data"]["downloads"], 2);
}

#[test]
fn a_download_that_has_begun_ends_although_the_export_is_deleted() {
    const SIZE: usize = 64 << 20;
    let house = House::new();
    let (answer, link) = exported(&house);
    let key = link.split("/files/").nth(1).unwrap().split('?').next().unwrap();
    // More than the connection holds, so that it cannot have been sent when the file goes.
    std::fs::write(house.data.path().join("data/files").join(key), vec![7; SIZE]).unwrap();
    let mut body = ureq::get(&link).call().unwrap().into_body().into_reader();
    let mut first = [0; 1024];
    body.read_exact(&mut first).unwrap();
    let path = format!("/api/v3/tasks/export-log/{}", answer["data"]["_id"].as_str().unwrap());
    assert_eq!(house.send("DELETE", &path, &house.token(), &[], b"").status, 200);
    assert_eq!((house.kept_files(), house.send("GET", &link, "", &[], b"").status), (0, 410));
    let mut rest = Vec::new();
    body.read_to_end(&mut rest).unwrap();
    assert!(first.len() + rest.len() == SIZE && rest.iter().all(|byte| *byte == 7));
}

#[test]
fn a_link_of_one_export_does_not_open_the_file_as_another() {
    let house = House::new();
    let (first, link) = exported(&house);
    let second = house.export(r#"{"download":"csv","limit":2}"#);
    let id = |answer: &Value| answer["data"]["_id"].as_str().unwrap().to_owned();
    let swapped = link.replace(&id(&first), &id(&second));
    assert_ne!(swapped, link);
    assert_eq!(house.send("GET", &swapped, "", &[], b"").status, 403);
}
