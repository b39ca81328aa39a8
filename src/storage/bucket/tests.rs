use super::*;
use crate::kit::secret::Secret;

/// Of the example that AWS publishes for presigned links: "Authenticating Requests: Using Query
/// Parameters (AWS Signature Version 4)".
fn published() -> settings::Storage {
    settings::Storage {
        endpoint: Some("https://s3.amazonaws.com".to_owned()),
        bucket: "examplebucket".to_owned(),
        access_key: Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
        secret_key: Some(Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
        ..settings::Storage::default()
    }
}

/// 2013-05-24T00:00:00Z
const THEN: Moment = Moment(1_369_353_600_000);

#[test]
fn a_link_is_signed_as_the_published_example_is() {
    let bucket = Bucket::open(&published(), "0011223344556677").unwrap();
    let link = bucket.sign("examplebucket", "test.txt", Multimap::new(), 86_400, THEN).unwrap();
    for part in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request",
        "X-Amz-Date=20130524T000000Z",
        "X-Amz-Expires=86400",
        "X-Amz-SignedHeaders=host",
        "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    ] {
        assert!(link.contains(part), "{part}: {link}");
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
}
