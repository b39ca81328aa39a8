//! What must hold whenever nothing runs, whatever happened before (contract 2-4).

use std::collections::BTreeSet;
use std::io::Cursor;

use calamine::{Reader, Xlsx};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::house::House;

/// Looks at every entry of these callers, who are all there are: each has ended; a finished one has
/// its file, whole; a failed one says why and has none; and the folder holds those files alone.
pub fn hold(house: &House, callers: &[&Client]) {
    let mut keys = BTreeSet::new();
    for client in callers {
        for entry in client.log() {
            match entry["status"].as_str() {
                Some("Done") => assert!(keys.insert(is_whole(client, &entry)), "two exports share a file: {entry}"),
                Some("Failed") => says_why(house, &entry),
                _ => panic!("it has not ended: {entry}"),
            }
        }
    }
    let kept = house.kept_files();
    let orphans: Vec<_> = kept.difference(&keys).collect();
    assert!(orphans.is_empty(), "no entry names these files: {orphans:?}");
    assert!(keys.is_subset(&kept), "links lead to files of the folder");
    assert_eq!(house.temp_files(), 0, "no unfinished file is left");
}

/// Fetches the file of a finished export and holds it against the entry; gives its key.
pub fn is_whole(client: &Client, entry: &Value) -> String {
    let link = entry["fileUrl"].as_str().unwrap_or_else(|| panic!("it has no link: {entry}"));
    let reply = client.get(link);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(entry["fileSize"], reply.body.len(), "{entry}");
    assert_eq!(entry["sha256"], sha256(&reply.body), "{entry}");
    assert_eq!(entry["totalRecords"], rows(entry["fileType"].as_str().unwrap(), reply.body), "{entry}");
    assert_eq!((&entry["errorMessage"], &entry["state"]), (&Value::Null, &Value::from("done")), "{entry}");
    assert!(entry["attempts"].as_u64().is_some_and(|attempts| (1..=3).contains(&attempts)), "{entry}");
    assert!(entry["completedAt"].is_string(), "{entry}");
    let (_, key) = link.split_once("/files/").unwrap();
    key.split('?').next().unwrap().to_owned()
}

fn says_why(house: &House, entry: &Value) {
    let why = entry["errorMessage"].as_str().unwrap_or_default();
    assert!(!why.is_empty(), "{entry}");
    assert!(!why.contains(house.path().to_str().unwrap()) && !why.contains(".rs"), "it tells of the inside: {why}");
    assert_eq!((&entry["fileUrl"], &entry["link"]), (&Value::Null, &Value::Null), "{entry}");
    assert!(entry["attempts"].as_u64().is_some_and(|attempts| attempts <= 3), "{entry}");
}

/// Rows of a file without its header.
fn rows(kind: &str, bytes: Vec<u8>) -> usize {
    match kind {
        // No text of these tasks has a line break.
        "csv" => bytes.iter().filter(|byte| **byte == b'\n').count() - 1,
        "xlsx" => {
            let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
            book.worksheet_range("main").unwrap().height() - 1
        }
        other => panic!("no test makes files of kind {other}"),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
