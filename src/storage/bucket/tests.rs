use sha2::{Digest, Sha256};

use super::*;
use crate::kit::secret::{Secret, keyed_digest};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Of the example that AWS publishes for presigned links: "Authenticating Requests: Using Query
/// Parameters (AWS Signature Version 4)".
fn published() -> settings::Storage {
    settings::Storage {
        endpoint: Some("https://s3.amazonaws.com".to_owned()),
        bucket: "examplebucket".to_owned(),
        access_key: Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
        secret_key: Some(Secret::new(SECRET)),
        ..settings::Storage::default()
    }
}

/// 2013-05-24T00:00:00Z
const THEN: Moment = Moment(1_369_353_600_000);

/// What the signature of a presigned link must be, by the published rules alone.
fn signature(link: &str, secret: &str) -> String {
    let (address, query) = link.strip_prefix("https://").unwrap().split_once('?').unwrap();
    let (host, path) = address.split_once('/').unwrap();
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    pairs.sort_unstable();
    let value = |name: &str| pairs.iter().find_map(|pair| pair.strip_prefix(name)).unwrap().replace("%2F", "/");
    let (date, scope) = (value("X-Amz-Date="), value("X-Amz-Credential="));
    let scope = scope.split_once('/').unwrap().1;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let request = format!("GET\n/{path}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", pairs.join("&"));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(request)));
    let key = scope
        .split('/')
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| keyed_digest(&key, &[part.as_bytes()]).to_vec());
    hex(&keyed_digest(&key, &[to_sign.as_bytes()]))
}

#[test]
fn links_are_signed_by_the_rules_that_give_the_published_signature() {
    let example = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host";
    let published = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(signature(example, SECRET), published);
    // The bucket is spoken to in its region, whose name is part of the host.
    let bucket = Bucket::open(&self::published(), "0011223344556677").unwrap();
    let bare = bucket.sign("examplebucket", "test.txt", Multimap::new(), 86_400, THEN).unwrap();
    assert!(bare.starts_with("https://examplebucket.s3.us-east-1.amazonaws.com/test.txt?"), "{bare}");
    let headers =
        ["attachment; filename=\"T_glich.csv\"; filename*=UTF-8''T%C3%A4glich.csv", "text/csv; charset=utf-8"];
    let named = bucket.link("examplebucket", "of/us/20130524/task_1-a.csv", headers, 3600, THEN).unwrap();
    for (link, seconds) in [(&bare, "86400"), (&named, "3600")] {
        // The pairs of the query come in any order.
        assert!(link.split(['?', '&']).any(|pair| pair == format!("X-Amz-Expires={seconds}")), "{link}");
        assert!(link.contains(&format!("X-Amz-Signature={}", signature(link, SECRET))), "{link}");
    }
}

#[test]
fn a_link_holds_no_longer_than_s3_allows_and_is_signed_for_the_public_address() {
    let settings = settings::Storage {
        endpoint: Some("http://10.0.0.5:9000".to_owned()),
        public_endpoint: Some("https://files.example.org".to_owned()),
        ..published()
    };
    let bucket = Bucket::open(&settings, "0011223344556677").unwrap();
    let link = bucket.link("examplebucket", "20130524/a.csv", ["attachment", "text/csv"], u32::MAX, THEN).unwrap();
    assert!(link.starts_with("https://files.example.org/examplebucket/20130524/a.csv?"), "{link}");
    assert!(link.contains("X-Amz-Expires=604800") && link.contains("response-content-type=text%2Fcsv"), "{link}");
}

#[test]
fn names_begin_with_the_prefix_and_the_id_of_the_server() {
    let place = |prefix: &str| {
        let settings = settings::Storage { prefix: prefix.to_owned(), ..published() };
        Bucket::open(&settings, "0011223344556677").unwrap().place("20130524/a.csv")
    };
    let object = |object: &str| Place::Bucket { bucket: "examplebucket".to_owned(), object: object.to_owned() };
    assert_eq!(place(""), object("0011223344556677/20130524/a.csv"));
    assert_eq!(place("exports/of-us"), object("exports/of-us/0011223344556677/20130524/a.csv"));
}

#[test]
fn settings_that_lead_nowhere_are_told() {
    for (endpoint, bucket) in [("ftp://s3.example.org", "exports"), ("https://s3.example.org", "x")] {
        let settings =
            settings::Storage { endpoint: Some(endpoint.to_owned()), bucket: bucket.to_owned(), ..published() };
        let error = Bucket::open(&settings, "0011223344556677").unwrap_err();
        assert!(error.to_string().starts_with("The settings of the bucket lead nowhere: "), "{error}");
    }
    let settings = settings::Storage { ca_file: Some("/nowhere/ca.pem".into()), ..published() };
    let error = Bucket::open(&settings, "0011223344556677").unwrap_err();
    assert!(error.to_string().contains("storage.ca_file is /nowhere/ca.pem"), "{error}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    let settings = settings::Storage { ca_file: Some(empty.path().to_owned()), ..published() };
    let error = Bucket::open(&settings, "0011223344556677").unwrap_err();
    assert!(error.to_string().starts_with("There is no certificate in "), "{error}");
}
