//! Finished files in a bucket: a server that verifies signatures, and a proxy of bad days before it.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sha2::{Digest, Sha256};
use waybill::domain::export_log::Place;
use waybill::domain::{Kind, Moment};
use waybill::jobs::Workers;
use waybill::kit::clock::{Clock, ClockWatch};
use waybill::kit::meter::{Meter, Stop};
use waybill::kit::secret::Secret;
use waybill::settings::{Delivery, Settings, StorageKind};
use waybill::storage::{Patience, Shelf, Stored};
use waybill::sweep;

use crate::proxy::{Fate, Proxy};
use crate::s3::{ACCESS, BUCKET, SECRET, Server};
use crate::support::{House, OURS, eventually, task, tasks};

pub const PART: usize = 8 << 20;
pub const KEY: &str = "20250615/task_1.csv";
const BACKGROUND: &str = r#"{"download":"csv","background":true}"#;

/// Signed links are verified against the clock on the wall.
pub fn now() -> Moment {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Moment(i64::try_from(now.as_millis()).unwrap())
}

fn into_bucket(url: &str) -> impl Fn(&mut Settings) {
    let url = url.to_owned();
    move |settings| {
        let storage = &mut settings.storage;
        storage.kind = StorageKind::Bucket;
        storage.endpoint = Some(url.clone());
        storage.bucket = BUCKET.to_owned();
        storage.prefix = "of/us".to_owned();
        storage.access_key = Some(ACCESS.to_owned());
        storage.secret_key = Some(Secret::new(SECRET));
        (storage.call_seconds, storage.part_seconds, storage.retry_seconds) = (10, 10, 20);
    }
}

fn house(url: &str) -> House {
    House::at(Clock::fixed(now()), into_bucket(url))
}

/// A house whose bucket is reached through a proxy.
fn behind_proxy() -> (Server, Proxy, House) {
    let server = Server::start();
    let proxy = Proxy::before(&server.url);
    let house = house(&proxy.url);
    (server, proxy, house)
}

pub fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| u8::try_from((n / 7 + n / 65_536) % 251).unwrap()).collect()
}

pub fn put(house: &House, bytes: &[u8], patience: &Patience<'_>) -> waybill::domain::Result<Stored> {
    let mut draft = house.app.storage.folder().create().unwrap();
    draft.write_all(bytes).unwrap();
    house.app.storage.put(draft, KEY, "text/csv", patience)
}

pub fn read(house: &House, place: &Place) -> Option<Vec<u8>> {
    let kept = house.app.storage.read(KEY, place).unwrap()?;
    let mut bytes = Vec::new();
    kept.reader(0).unwrap().read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// The bucket refuses the link with any part of it changed, and one that was made eight days ago.
pub fn no_other_link_opens(house: &House, id: &Value, link: &str) {
    for (from, to) in [
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        (".csv?", ".xlsx?"),
        ("X-Amz-Expires=", "X-Amz-Expires=1"),
        ("text%2Fcsv", "text%2Fhtml"),
    ] {
        assert!(link.contains(from), "{from}: {link}");
        let (status, _, _) = fetch("GET", &link.replacen(from, to, 1), &[]);
        assert!(matches!(status, 400 | 403), "{to}: {status}");
    }
    house.clock.set(Moment(now().0 - 8 * 86_400_000));
    let old = entry(house, id)["link"].as_str().unwrap().to_owned();
    assert_eq!(fetch("GET", &old, &[]).0, 403);
}

/// Fetches without following redirects.
pub fn fetch(method: &str, url: &str, headers: &[(&str, &str)]) -> (u16, ureq::http::HeaderMap, Vec<u8>) {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
    let agent: ureq::Agent = config.build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = agent.run(request.body(()).unwrap()).unwrap();
    let body = answer.body_mut().read_to_vec().unwrap();
    (answer.status().as_u16(), answer.headers().clone(), body)
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn entry(house: &House, id: &Value) -> Value {
    house.get(&format!("/api/v3/tasks/export-log/{}", id.as_str().unwrap())).value()["data"].clone()
}

fn submit(house: &House) -> Value {
    house.export(BACKGROUND)["data"]["_id"].clone()
}

fn ended(house: &House, id: &Value) -> Value {
    eventually("the export ends", || entry(house, id)["status"] != "Processing");
    entry(house, id)
}

#[test]
fn an_export_lies_in_the_bucket_and_its_link_needs_nothing_of_ours() {
    let server = Server::start();
    let house = house(&server.url);
    house.load(&tasks(40));
    let answer = house.export(r#"{"download":"csv","limit":40,"name":"Tägliche Liste"}"#);
    let link = answer["data"]["link"].as_str().unwrap();
    assert!(link.starts_with(&format!("{}/{BUCKET}/of/us/", server.url)), "{link}");
    let (status, headers, body) = fetch("GET", link, &[]);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    let name = "attachment; filename=\"T_gliche Liste.csv\"; filename*=UTF-8''T%C3%A4gliche%20Liste.csv";
    assert_eq!(headers["content-disposition"], name);
    let entry = entry(&house, &answer["data"]["_id"]);
    assert_eq!(entry["sha256"], sha256(&body));
    assert_eq!(entry["fileSize"], body.len());
    assert_eq!(entry["fileUrl"], entry["link"]);
    assert_eq!((server.objects().len(), house.kept_files(), house.temp_files()), (1, 0, 0));
}

#[test]
fn a_link_that_was_changed_or_is_too_old_is_refused_by_the_bucket() {
    let server = Server::start();
    let house = house(&server.url);
    house.load(&tasks(3));
    let answer = house.export(r#"{"download":"csv"}"#);
    let link = answer["data"]["link"].as_str().unwrap().to_owned();
    assert_eq!(fetch("GET", &link, &[]).0, 200);
    no_other_link_opens(&house, &answer["data"]["_id"], &link);
}

#[test]
fn the_servers_own_link_leads_to_the_bucket_for_as_long_as_the_file_is_kept() {
    let server = Server::start();
    let house = house(&server.url);
    house.load(&tasks(3));
    let answer = house.export(r#"{"download":"csv"}"#);
    let id = answer["data"]["_id"].clone();
    let link = own_link(&house, &id);
    assert!(link.starts_with(&house.url), "{link}");
    let (status, headers, _) = fetch("GET", &link, &[]);
    assert_eq!((status, &headers["cache-control"]), (302, &ureq::http::HeaderValue::from_static("private, no-store")));
    let fresh = headers["location"].to_str().unwrap();
    assert!(fresh.starts_with(&server.url) && fresh.contains("X-Amz-Expires=3600"), "{fresh}");
    let (status, _, body) = fetch("GET", fresh, &[]);
    assert_eq!((status, sha256(&body)), (200, entry(&house, &id)["sha256"].as_str().unwrap().to_owned()));
    eventually("the download is counted", || entry(&house, &id)["downloads"] == 1);
    let (status, headers, body) = fetch("HEAD", &link, &[]);
    assert_eq!((status, body.len()), (200, 0));
    assert_eq!(headers["content-length"].to_str().unwrap(), entry(&house, &id)["fileSize"].to_string());
    house.clock.set(Moment(house.clock.now().0 + 30 * 86_400_000));
    assert_eq!(fetch("GET", &link, &[]).0, 410);
}

#[test]
fn a_proxied_file_is_passed_on_whole_or_in_part() {
    let server = Server::start();
    let house = House::at(Clock::fixed(now()), |settings| {
        into_bucket(&server.url)(settings);
        settings.storage.delivery = Delivery::Proxy;
    });
    house.load(&tasks(40_000));
    let answer = house.export(r#"{"download":"csv","limit":40000}"#);
    let id = answer["data"]["_id"].clone();
    let whole = server.bytes(&server.objects()[0]);
    assert!(whole.len() > 2 << 20, "{} bytes are read in several parts", whole.len());
    let link = own_link(&house, &id);
    let (status, headers, body) = fetch("GET", &link, &[]);
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/csv; charset=utf-8"));
    assert!(body == whole);
    let (status, headers, body) = fetch("GET", &link, &[("range", "bytes=1000000-2500000")]);
    assert_eq!(
        (status, headers["content-range"].to_str().unwrap()),
        (206, format!("bytes 1000000-2500000/{}", whole.len()).as_str())
    );
    assert!(body == whole[1_000_000..=2_500_000]);
}

fn own_link(house: &House, id: &Value) -> String {
    eventually("the server knows its address", || house.app.address.get().is_some());
    let id = id.as_str().unwrap().parse().unwrap();
    let log = house.app.store.view().unwrap().export(OURS, id).unwrap().unwrap();
    waybill::export::own_link(&house.app, log.id, log.file.as_ref().unwrap())
}

#[test]
fn files_of_before_stay_reachable_after_a_switch_to_a_bucket_and_back() {
    let server = Server::start();
    let house = House::at(Clock::fixed(now()), |_| {});
    house.load(&tasks(3));
    let export = |house: &House| house.export(r#"{"download":"csv"}"#)["data"]["_id"].clone();
    let in_folder = export(&house);
    let house = house.again(into_bucket(&server.url));
    let in_bucket = export(&house);
    let is_there = |house: &House, id: &Value| {
        let reply = house.send("GET", entry(house, id)["link"].as_str().unwrap(), "", &[], b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    is_there(&house, &in_folder);
    is_there(&house, &in_bucket);
    let house = house.again(|settings| {
        into_bucket(&server.url)(settings);
        settings.storage.kind = StorageKind::Folder;
    });
    let in_folder_again = export(&house);
    [&in_folder, &in_bucket, &in_folder_again].into_iter().for_each(|id| is_there(&house, id));
    assert_eq!((server.objects().len(), house.kept_files()), (1, 2));
    let house = house.again(|_| {});
    let reply = house.send("GET", &own_link(&house, &in_bucket), "", &[], b"");
    assert_eq!(reply.status, 503);
    assert!(reply.message().contains("Set the keys of [storage] as they were"), "{}", reply.text());
}

#[test]
fn a_file_of_any_size_is_there_as_it_was_made() {
    let server = Server::start();
    let house = house(&server.url);
    for count in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 12_345] {
        let bytes = bytes(count);
        let stored = put(&house, &bytes, &Patience::none()).unwrap();
        assert_eq!((stored.size, &stored.sha256), (count as u64, &sha256(&bytes)));
        assert!(read(&house, &stored.place).unwrap() == bytes, "{count}");
        assert_eq!((server.objects().len(), server.uploads(), house.temp_files()), (1, 0, 0), "{count}");
    }
}

#[test]
fn what_passes_is_tried_again_until_the_file_is_there() {
    let (server, proxy, house) = behind_proxy();
    let fates = [
        Fate::Refuse(500, "InternalError"),
        Fate::Refuse(503, "SlowDown"),
        Fate::Refuse(503, ""),
        Fate::Refuse(429, ""),
        Fate::Reset,
        Fate::CutRequest,
        Fate::CutAnswer,
        Fate::LoseAnswer,
        Fate::ErrorInside("InternalError"),
    ];
    let meter = Meter::new();
    let small = bytes(1000);
    let large = bytes(PART + 1000);
    for fate in &fates {
        for what in ["put", "stat"] {
            whole_after(&house, &server, &proxy, (what, fate), &small, &meter);
        }
    }
    for fate in &fates {
        for what in ["begin", "part", "complete", "stat"] {
            whole_after(&house, &server, &proxy, (what, fate), &large, &meter);
        }
    }
    // Only where the begin of an upload was done and its answer lost is there one that nobody knows.
    assert!(server.uploads() <= 2, "{}", server.uploads());
    house.app.storage.abort_uploads(Moment(now().0 + 60_000)).unwrap();
    assert_eq!(server.uploads(), 0);
}

fn whole_after(
    house: &House,
    server: &Server,
    proxy: &Proxy,
    (what, fate): (&'static str, &Fate),
    bytes: &[u8],
    meter: &Meter,
) {
    // An answer to HEAD has no body that could carry an error.
    if what == "stat" && matches!(fate, Fate::ErrorInside(_)) {
        return;
    }
    proxy.once(what, fate.clone());
    let stored = put(house, bytes, &Patience::long_of(20, meter));
    let stored = stored.unwrap_or_else(|error| panic!("{what} {fate:?}: {}", error.chain()));
    assert!(read(house, &stored.place).as_deref() == Some(bytes), "{what} {fate:?}");
    assert_eq!((server.objects().len(), house.temp_files()), (1, 0), "{what} {fate:?}");
    house.app.storage.delete(KEY, &stored.place).unwrap();
}

#[test]
fn what_stays_fails_at_once_in_words_and_leaves_nothing() {
    let (server, proxy, house) = behind_proxy();
    let cases = [
        (Fate::Refuse(403, "AccessDenied"), "refuses access"),
        (Fate::Refuse(403, ""), "refuses access"),
        (Fate::Refuse(403, "SignatureDoesNotMatch"), "does not know the access key"),
        (Fate::Refuse(403, "InvalidAccessKeyId"), "does not know the access key"),
        (Fate::Refuse(403, "RequestTimeTooSkewed"), "clock differs from the bucket's by more than 15 minutes"),
        (Fate::Refuse(404, "NoSuchBucket"), "does not exist"),
        (Fate::Refuse(404, ""), "does not exist"),
        (Fate::Refuse(301, ""), "another region or at another address"),
        (Fate::Refuse(400, "InvalidArgument"), "refuses the request"),
    ];
    let meter = Meter::new();
    for (fate, words) in &cases {
        for (what, bytes) in [("put", bytes(1000)), ("begin", bytes(PART + 1)), ("part", bytes(PART + 1))] {
            proxy.always(what, fate.clone());
            let before = proxy.count(what);
            let error = put(&house, &bytes, &Patience::long_of(600, &meter)).unwrap_err();
            assert_eq!((error.kind, error.part), (Kind::Unavailable, "storage"), "{what} {fate:?}");
            assert!(error.message.contains(words), "{what} {fate:?}: {}", error.message);
            assert_eq!(proxy.count(what), before + 1, "{what} {fate:?} is not tried again");
            assert!(!error.message.contains(ACCESS) && !error.chain().contains(SECRET));
        }
        assert_eq!((server.objects(), server.uploads(), house.temp_files()), (Vec::new(), 0, 0), "{fate:?}");
    }
}

#[test]
fn a_file_is_not_there_before_it_is_there_as_it_was_sent() {
    let (server, proxy, house) = behind_proxy();
    let meter = Meter::new();
    let small = bytes(1000);
    proxy.once("put", Fate::WrongTag);
    let stored = put(&house, &small, &Patience::long_of(20, &meter)).unwrap();
    assert!(proxy.count("put") == 2 && read(&house, &stored.place).unwrap() == small);
    proxy.once("part", Fate::WrongTag);
    let large = bytes(PART + 1);
    let stored = put(&house, &large, &Patience::long_of(20, &meter)).unwrap();
    assert!(read(&house, &stored.place).unwrap() == large);
    for (what, bytes) in [("put", &small), ("part", &large)] {
        proxy.always(what, Fate::WrongTag);
        let error = put(&house, bytes, &Patience::long_of(20, &meter)).unwrap_err();
        assert!(error.message.contains("does not keep them whole"), "{}", error.message);
    }
    // Said to be done, and nothing is there.
    house.app.storage.discard(&[KEY.to_owned()]).unwrap();
    for (what, bytes) in [("put", &small), ("complete", &large)] {
        proxy.always(what, Fate::Refuse(200, ""));
        let error = put(&house, bytes, &Patience::long_of(2, &meter)).unwrap_err();
        assert!(error.message.contains("does not keep them whole"), "{what}: {}", error.message);
        assert!(server.objects().is_empty(), "{what}");
    }
    assert_eq!((server.uploads(), house.temp_files()), (0, 0));
}

#[test]
fn a_bucket_that_is_silent_costs_its_deadline_and_a_canceled_export_not_even_that() {
    let server = Server::start();
    let proxy = Proxy::before(&server.url);
    let house = House::at(Clock::fixed(now()), |settings| {
        into_bucket(&proxy.url)(settings);
        (settings.storage.call_seconds, settings.storage.part_seconds) = (1, 1);
    });
    proxy.everything(Fate::Stall);
    let error = put(&house, b"bytes", &Patience::none()).unwrap_err();
    assert!(error.message.contains("cannot be reached"), "{}", error.message);
    let house = house.again(|settings| {
        into_bucket(&proxy.url)(settings);
        (settings.storage.call_seconds, settings.storage.part_seconds) = (600, 600);
    });
    let meter = Meter::new();
    let stopper = meter.clone();
    let asked = proxy.asked().len();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("it asks", || proxy.asked().len() > asked);
            stopper.stop(Stop::Canceled);
        });
        let error = put(&house, b"bytes", &Patience::long_of(600, &meter)).unwrap_err();
        assert_eq!(error.kind, Kind::Canceled);
    });
    assert_eq!((server.objects(), house.temp_files()), (Vec::new(), 0));
}

#[test]
fn an_answer_from_another_address_is_none_and_nobody_there_learns_a_secret() {
    let (server, proxy, house) = behind_proxy();
    let elsewhere = Proxy::before(&server.url);
    let (small, large) = (bytes(1000), bytes(PART + 1));
    let stored = put(&house, &small, &Patience::none()).unwrap();
    let fates = [Fate::Refuse(200, ""), Fate::Refuse(404, "NoSuchKey"), Fate::Refuse(403, "")];
    let both = [301, 302, 303, 307, 308].into_iter().flat_map(|status| fates.iter().map(move |fate| (status, fate)));
    for (status, fate) in both {
        proxy.everything(Fate::Redirect(status, format!("{}/latest", elsewhere.url)));
        elsewhere.everything(fate.clone());
        for error in [
            put(&house, &small, &Patience::none()).unwrap_err(),
            put(&house, &large, &Patience::none()).unwrap_err(),
            house.app.storage.read(KEY, &stored.place).unwrap_err(),
            house.app.storage.days(Shelf::Bucket).unwrap_err(),
            house.app.storage.delete(KEY, &stored.place).unwrap_err(),
            house.app.storage.check().unwrap_err(),
        ] {
            assert!(error.message.contains("at another address"), "{status} {fate:?}: {}", error.chain());
        }
    }
    for asked in elsewhere.requests() {
        let head = asked.head.to_lowercase();
        assert!(!head.contains("authorization") && !head.contains(ACCESS), "{head}");
    }
    assert_eq!(server.objects().len(), 1);
}

#[test]
fn an_error_that_tells_more_than_it_has_to_tell_is_not_read() {
    let (_server, proxy, house) = behind_proxy();
    for (status, words) in [(403, "refuses access"), (500, "cannot be reached"), (400, "refuses the request")] {
        for length in [Some(1 << 40), None] {
            proxy.everything(Fate::Flood(status, length));
            let before = proxy.flooded();
            let error = put(&house, b"bytes", &Patience::none()).unwrap_err();
            assert!(error.message.contains(words), "{status}: {}", error.chain());
            // Most of it lies in the buffers of the connection.
            let taken = proxy.flooded() - before;
            assert!(taken < 32 << 20, "{taken} bytes of {length:?}");
        }
    }
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named_and_nowhere_else() {
    let server = Server::with_tls();
    let house = House::at(Clock::fixed(now()), |settings| {
        into_bucket(&server.url)(settings);
        settings.storage.ca_file.clone_from(&server.ca);
    });
    let bytes = bytes(PART + 1);
    let stored = put(&house, &bytes, &Patience::none()).unwrap();
    assert!(read(&house, &stored.place).unwrap() == bytes);
    assert!(house.app.storage.probe(now()).iter().all(|step| step.outcome.is_ok()));
    let house = house.again(into_bucket(&server.url));
    let error = put(&house, &bytes, &Patience::none()).unwrap_err();
    assert!(error.message.contains("Let storage.ca_file name the authority that signed it"), "{}", error.chain());
    assert!(error.chain().contains("UnknownIssuer"), "{}", error.chain());
    // It is that of another name.
    let house = house.again(|settings| {
        into_bucket(&server.url.replace("127.0.0.1", "localhost"))(settings);
        settings.storage.ca_file.clone_from(&server.ca);
    });
    let error = put(&house, &bytes, &Patience::none()).unwrap_err();
    assert!(error.message.contains("and storage.endpoint the name in it"), "{}", error.chain());
}

#[test]
fn a_clock_that_goes_wrong_is_told_before_the_bucket_refuses_everything() {
    let (_server, proxy, house) = behind_proxy();
    let notes = || house.get("/ready").value()["notes"].clone();
    put(&house, b"bytes", &Patience::none()).unwrap();
    assert_eq!(notes(), Value::Array(Vec::new()));
    proxy.everything(Fate::Ahead(120));
    put(&house, b"bytes", &Patience::none()).unwrap();
    let note = notes()[0].as_str().unwrap().to_owned();
    assert!(
        note.starts_with("clock: This server's clock is 1") && note.contains(" seconds behind the bucket's."),
        "{note}"
    );
    // A refusal without words: only its time tells.
    proxy.everything(Fate::RefuseAt(-1000));
    for error in
        [house.app.storage.days(Shelf::Bucket).unwrap_err(), put(&house, b"bytes", &Patience::none()).unwrap_err()]
    {
        assert!(error.message.contains("differs from the bucket's by more than 15 minutes"), "{}", error.chain());
    }
    proxy.everything(Fate::RefuseAt(0));
    assert!(house.app.storage.days(Shelf::Bucket).unwrap_err().message.contains("refuses access"));
}

#[test]
fn a_failed_export_says_why_and_the_others_go_on() {
    let (server, proxy, house) = behind_proxy();
    house.load(&tasks(40));
    let workers = Workers::start(&house.app).unwrap();
    proxy.always("put", Fate::Refuse(403, "AccessDenied"));
    let refused = ended(&house, &submit(&house));
    assert_eq!((&refused["status"], &refused["attempts"]), (&"Failed".into(), &1.into()), "{refused}");
    assert!(refused["errorMessage"].as_str().unwrap().starts_with("The bucket refuses access."), "{refused}");
    assert_eq!(refused["fileUrl"], Value::Null);
    let mut left = 3;
    proxy.rule(move |asked| match asked.what() {
        "put" if left > 0 => {
            left -= 1;
            Fate::Refuse(503, "SlowDown")
        }
        _ => Fate::Pass,
    });
    let done = ended(&house, &submit(&house));
    assert_eq!((&done["status"], &done["attempts"]), (&"Done".into(), &1.into()), "{done}");
    assert_eq!((server.objects().len(), house.temp_files()), (1, 0));
    workers.leave(Duration::from_secs(5));
}

/// What happens to the requests of one export, and how it ends: with these words in its error, or done.
struct BadDay {
    what: &'static str,
    fate: Fate,
    ends: Option<&'static str>,
}

/// All requests of these kinds have each of these fates, each in an export of its own.
fn days(whats: &[&'static str], fates: &[(Fate, Option<&'static str>)]) -> Vec<BadDay> {
    let of = |what| fates.iter().map(move |(fate, ends)| BadDay { what, fate: fate.clone(), ends: *ends });
    whats.iter().flat_map(|what| of(*what)).collect()
}

/// An export for each of the bad days, the first request or all of them, and good ones among them, all at
/// once: each ends as it must, and nothing is left of those that fail.
fn live_through(days: &[BadDay], is_over_after_one: bool, retry_seconds: u64) {
    const GOOD: usize = 10;
    let server = Server::start();
    let proxy = Proxy::before(&server.url);
    let house = House::at(Clock::fixed(now()), |settings| {
        into_bucket(&proxy.url)(settings);
        settings.storage.retry_seconds = retry_seconds;
        (settings.storage.call_seconds, settings.storage.part_seconds) = (3, 6);
        settings.export.workers = 16;
    });
    // All together they make a file of two parts.
    let long = "x".repeat(16 << 10);
    house.load(&(0..600).map(|number| task(number, &format!(r#""content":"{long}""#)) + "\n").collect::<String>());
    let submit = |name: &str, is_large: bool| {
        let limit = if is_large { 600 } else { 3 };
        let body = format!(r#"{{"download":"json","background":true,"name":"{name}","limit":{limit}}}"#);
        house.export(&body)["data"]["_id"].clone()
    };
    let mut ids = Vec::new();
    let mut fates = Vec::new();
    for (number, day) in days.iter().enumerate() {
        let is_large = !matches!(day.what, "put" | "stat");
        let id = submit(&format!("bad {number}"), is_large);
        let stem = house.app.key_stem(OURS, id.as_str().unwrap().parse().unwrap(), house.clock.now());
        fates.push((stem, day.what, Some(day.fate.clone())));
        ids.push(id);
    }
    let good: Vec<Value> = (0..GOOD).map(|number| submit(&format!("good {number}"), false)).collect();
    let fates = Arc::new(Mutex::new(fates));
    let left = Arc::clone(&fates);
    proxy.rule(move |asked| {
        let mut fates = fates.lock().unwrap();
        let day = fates.iter_mut().find(|(stem, what, _)| asked.path.contains(stem.as_str()) && asked.what() == *what);
        let fate = day.and_then(|(_, _, fate)| if is_over_after_one { fate.take() } else { fate.clone() });
        fate.unwrap_or(Fate::Pass)
    });
    let workers = Workers::start(&house.app).unwrap();
    let wait = Instant::now() + Duration::from_secs(120);
    let has_ended = |id: &Value| entry(&house, id)["status"] != "Processing";
    while !ids.iter().chain(&good).all(has_ended) {
        assert!(Instant::now() < wait, "exports are stuck");
        std::thread::sleep(Duration::from_millis(100));
    }
    for (id, day) in ids.iter().zip(days) {
        let (entry, case) = (entry(&house, id), format!("{} {:?}", day.what, day.fate));
        assert_eq!(entry["attempts"], 1, "{case}: {entry}");
        match day.ends {
            None => assert_eq!(entry["status"], "Done", "{case}: {entry}"),
            Some(words) => {
                assert!(entry["errorMessage"].as_str().unwrap().contains(words), "{case}: {entry}");
                assert_eq!((&entry["status"], &entry["link"]), (&"Failed".into(), &Value::Null), "{case}");
            }
        }
    }
    if is_over_after_one {
        assert!(left.lock().unwrap().iter().all(|(.., fate)| fate.is_none()), "each has happened");
    }
    assert!(good.iter().all(|id| entry(&house, id)["status"] == "Done"));
    let done: Vec<&Value> =
        ids.iter().zip(days).filter(|(_, day)| day.ends.is_none()).map(|(id, _)| id).chain(&good).collect();
    for id in &done {
        let bytes = server.bytes(&own_name(&house, id));
        assert_eq!(entry(&house, id)["sha256"], sha256(&bytes));
    }
    assert_eq!((server.objects().len(), house.temp_files()), (done.len(), 0));
    // Those whose beginning was answered to nobody.
    house.app.storage.abort_uploads(Moment(now().0 + 60_000)).unwrap();
    assert_eq!((server.uploads(), house.app.queue.running()), (0, 0));
    workers.leave(Duration::from_secs(5));
}

#[test]
fn whatever_happens_once_every_export_is_done() {
    let fates = [
        Fate::Refuse(500, "InternalError"),
        Fate::Refuse(503, ""),
        Fate::Refuse(429, ""),
        Fate::Reset,
        Fate::Stall,
        Fate::CutAnswer,
        Fate::LoseAnswer,
    ];
    let sending = [Fate::CutRequest, Fate::ErrorInside("InternalError"), Fate::WrongTag];
    let ends_well = |fates: &[Fate]| fates.iter().map(|fate| (fate.clone(), None)).collect::<Vec<_>>();
    let mut all = days(&["put", "stat", "begin", "part", "complete"], &ends_well(&fates));
    all.extend(days(&["put", "part"], &ends_well(&sending)));
    all.extend(days(&["begin", "complete"], &ends_well(&sending[1..2])));
    live_through(&all, true, 60);
}

#[test]
fn whatever_does_not_end_fails_its_own_export_and_leaves_nothing() {
    let (away, not_whole) = (Some("cannot be reached"), Some("does not keep them whole"));
    let stays = [
        (Fate::Refuse(403, "AccessDenied"), Some("refuses access")),
        (Fate::Refuse(404, "NoSuchBucket"), Some("does not exist")),
        (Fate::Redirect(307, "http://127.0.0.1:1/".to_owned()), Some("at another address")),
    ];
    let passes = [
        (Fate::Refuse(500, "InternalError"), away),
        (Fate::Refuse(503, "SlowDown"), away),
        (Fate::Reset, away),
        (Fate::Stall, away),
    ];
    let lost = [(Fate::CutAnswer, away), (Fate::LoseAnswer, away)];
    let error_inside = (Fate::ErrorInside("InternalError"), away);
    let sending = [(Fate::CutRequest, away), error_inside.clone(), (Fate::WrongTag, not_whole)];
    let mut all = days(&["put", "begin", "part", "complete"], &[&stays[..], &passes].concat());
    all.extend(days(&["put", "begin", "part"], &lost));
    all.extend(days(&["put", "part"], &sending));
    all.extend(days(&["begin", "complete"], &[error_inside]));
    // The file is there, and nobody can say so.
    all.extend(days(&["stat"], &[&stays[..1], &passes, &lost, &[(Fate::Refuse(404, ""), not_whole)]].concat()));
    // A second try finds that the work was done.
    all.extend(days(&["complete"], &[(Fate::CutAnswer, None), (Fate::LoseAnswer, None)]));
    live_through(&all, false, 2);
}

#[test]
fn where_nobody_listens_exports_fail_when_they_have_waited_long_enough() {
    let server = Server::start();
    let house = House::at(Clock::fixed(now()), |settings| {
        into_bucket(&server.url)(settings);
        settings.storage.retry_seconds = 1;
    });
    house.load(&tasks(3));
    drop(server);
    let workers = Workers::start(&house.app).unwrap();
    let failed = ended(&house, &submit(&house));
    let told = "The bucket of files cannot be reached. Try again in a while.";
    assert_eq!((&failed["status"], &failed["errorMessage"]), (&"Failed".into(), &told.into()));
    assert_eq!((house.temp_files(), house.app.queue.running()), (0, 0));
    workers.leave(Duration::from_secs(5));
}

#[test]
fn exports_wait_for_a_bucket_that_is_away_and_are_done_when_it_is_back() {
    let (server, proxy, house) = behind_proxy();
    house.load(&tasks(40));
    proxy.everything(Fate::Reset);
    let workers = Workers::start(&house.app).unwrap();
    let ids: Vec<Value> = (0..3)
        .map(|n| {
            house.export(&format!(r#"{{"download":"csv","background":true,"name":"{n}"}}"#))["data"]["_id"].clone()
        })
        .collect();
    eventually("it is tried again and again", || proxy.count("put") >= 4);
    assert!(ids.iter().all(|id| entry(&house, id)["status"] == "Processing"));
    let ready = house.get("/ready");
    assert_eq!(
        (ready.status, &ready.value()["reasons"][0]),
        (503, &"files: The bucket of files cannot be reached. Try again in a while.".into())
    );
    proxy.everything(Fate::Pass);
    for id in &ids {
        let entry = ended(&house, id);
        assert_eq!((&entry["status"], &entry["attempts"]), (&"Done".into(), &1.into()), "{entry}");
    }
    assert_eq!((server.objects().len(), server.uploads()), (3, 0));
    eventually("it is ready", || house.get("/ready").status == 200);
    workers.leave(Duration::from_secs(5));
}

#[test]
fn a_bucket_that_is_missing_is_told_or_made() {
    let server = Server::without_bucket();
    let house = house(&server.url);
    let ready = house.get("/ready");
    let told = "files: The bucket does not exist. Make it, or set storage.create_bucket.";
    assert_eq!((ready.status, &ready.value()["reasons"][0]), (503, &told.into()));
    let house = house.again(|settings| {
        into_bucket(&server.url)(settings);
        settings.storage.create_bucket = true;
    });
    let workers = Workers::start(&house.app).unwrap();
    eventually("it is made at the start", || server.has_bucket());
    workers.leave(Duration::from_secs(5));
    assert_eq!(house.get("/ready").status, 200);
    put(&house, b"bytes", &Patience::none()).unwrap();
    assert_eq!(server.objects().len(), 1);
}

#[test]
fn wrong_credentials_are_told_and_shown_nowhere() {
    let server = Server::start();
    let house = House::at(Clock::fixed(now()), |settings| {
        into_bucket(&server.url)(settings);
        settings.storage.secret_key = Some(Secret::new("another secret"));
    });
    let error = put(&house, b"bytes", &Patience::none()).unwrap_err();
    assert!(error.message.contains("does not know the access key or its secret"), "{}", error.chain());
    assert!(!error.chain().contains("another secret"));
    let reason = house.get("/ready").value()["reasons"][0].as_str().unwrap().to_owned();
    assert!(reason.starts_with("files: The bucket refuses access."), "{reason}");
}

#[test]
fn the_sweeper_deletes_what_had_its_time_and_what_no_entry_names_and_nothing_of_others() {
    let server = Server::start();
    let house = house(&server.url);
    let other = self::house(&server.url);
    for house in [&house, &other] {
        house.load(&tasks(3));
    }
    let expired = house.export(r#"{"download":"csv"}"#)["data"]["_id"].clone();
    other.export(r#"{"download":"csv"}"#);
    let theirs: Vec<String> = {
        let own = own_name(&house, &expired);
        server.objects().into_iter().filter(|object| *object != own).collect()
    };
    put(&house, b"nobody knows it", &Patience::none()).unwrap();
    for object in ["of/us/readme.txt", "of/them/20250615/x.csv", "20250615/x.csv"] {
        server.plant(object, b"somebody else's");
    }
    let mut watch = ClockWatch::new(&house.app.clock);
    house.clock.pass(Duration::from_secs(23 * 3600));
    assert_eq!(sweep::pass(&house.app, &mut watch).unwrap().orphans, 0);
    house.clock.pass(Duration::from_secs(2 * 3600));
    assert_eq!(sweep::preview(&house.app).unwrap().orphans, 1);
    let swept = sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!((swept.orphans, swept.expired, swept.failed), (1, 0, 0));
    house.clock.pass(Duration::from_secs(29 * 86_400));
    assert_eq!(entry(&house, &expired)["state"], "done");
    house.clock.pass(Duration::from_secs(3600));
    let preview = sweep::preview(&house.app).unwrap();
    let swept = sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!((swept.expired, swept.orphans, swept.failed), (1, 0, 0));
    assert_eq!(preview, swept);
    assert_eq!(entry(&house, &expired)["state"], "expired");
    let mut left = server.objects();
    left.retain(|object| object.starts_with("of/us/") && object != "of/us/readme.txt");
    assert_eq!(left, theirs);
    assert_eq!(server.objects().len(), 4);
}

fn own_name(house: &House, id: &Value) -> String {
    let id = id.as_str().unwrap().parse().unwrap();
    let log = house.app.store.view().unwrap().export(OURS, id).unwrap().unwrap();
    match log.file.unwrap().place {
        Place::Bucket { object, .. } => object,
        Place::Folder => panic!("it lies in the folder"),
    }
}

#[test]
fn a_sweep_without_the_bucket_changes_nothing_of_it_and_the_next_one_goes_on() {
    let (server, proxy, house) = behind_proxy();
    house.load(&tasks(3));
    let id = house.export(r#"{"download":"csv"}"#)["data"]["_id"].clone();
    let mut watch = ClockWatch::new(&house.app.clock);
    house.clock.pass(Duration::from_secs(31 * 86_400));
    proxy.everything(Fate::Refuse(403, "AccessDenied"));
    let swept = sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!((swept.expired, swept.failed), (0, 1));
    assert_eq!((entry(&house, &id)["state"].as_str(), server.objects().len()), (Some("done"), 1));
    proxy.everything(Fate::Pass);
    // Gone already, as after a pass that was cut off between the file and its entry.
    std::fs::remove_file(server.path(&server.objects()[0])).unwrap();
    let swept = sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!((swept.expired, swept.failed), (1, 0));
    assert_eq!(entry(&house, &id)["state"], "expired");
}

#[test]
fn parts_of_interrupted_uploads_are_let_go_of_after_an_hour() {
    let (server, proxy, house) = behind_proxy();
    proxy.rule(|asked| match asked.what() {
        "complete" => Fate::Refuse(403, "AccessDenied"),
        "abort" => Fate::Refuse(500, "InternalError"),
        _ => Fate::Pass,
    });
    put(&house, &bytes(PART + 1), &Patience::none()).unwrap_err();
    assert_eq!(server.uploads(), 1);
    proxy.everything(Fate::Pass);
    let mut watch = ClockWatch::new(&house.app.clock);
    sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!(server.uploads(), 1);
    house.clock.pass(Duration::from_secs(2 * 3600));
    sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!((server.uploads(), server.objects()), (0, Vec::new()));
}

#[test]
fn a_file_is_deleted_with_its_entry() {
    let server = Server::start();
    let house = house(&server.url);
    house.load(&tasks(3));
    let id = house.export(r#"{"download":"csv"}"#)["data"]["_id"].clone();
    assert_eq!(server.objects().len(), 1);
    let path = format!("/api/v3/tasks/export-log/{}", id.as_str().unwrap());
    assert_eq!(house.send("DELETE", &path, &house.token(), &[], b"").status, 200);
    assert!(server.objects().is_empty());
}

#[test]
fn the_way_of_a_file_is_tried_step_by_step() {
    let server = Server::start();
    let house = house(&server.url);
    let steps = house.app.storage.probe(now());
    let took = |steps: &[waybill::storage::Step]| {
        steps.iter().map(|step| (step.what, step.outcome.is_ok())).collect::<Vec<_>>()
    };
    let all =
        ["data folder", "bucket", "bucket's clock", "put a file", "fetch it by a link", "read it back", "delete it"];
    assert_eq!(took(&steps), all.map(|what| (what, true)), "{steps:?}");
    assert!(server.objects().is_empty());
    let house = house.again(|settings| {
        into_bucket(&server.url)(settings);
        settings.storage.public_endpoint = Some("http://127.0.0.1:1".to_owned());
    });
    let steps = house.app.storage.probe(now());
    assert_eq!(took(&steps).last(), Some(&("fetch it by a link", false)), "{steps:?}");
    assert!(steps.last().unwrap().outcome.as_ref().unwrap_err().contains("storage.public_endpoint"));
    assert!(server.objects().is_empty());
    drop(server);
    let steps = house.app.storage.probe(now());
    assert_eq!(took(&steps).last(), Some(&("bucket", false)), "{steps:?}");
}

/// What `waybill doctor` says of a house beside which it runs, and whether all is in order.
fn doctor(house: &House, url: &str) -> (bool, String) {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_waybill"));
    doctor.arg("doctor").arg("--data").arg(&house.app.settings.data.dir).current_dir(house.data.path());
    for (key, value) in
        [("KIND", "bucket"), ("ENDPOINT", url), ("BUCKET", BUCKET), ("ACCESS_KEY", ACCESS), ("SECRET_KEY", SECRET)]
    {
        doctor.env(format!("WAYBILL_STORAGE__{key}"), value);
    }
    let output = doctor.env("WAYBILL_SERVER__LISTEN", "127.0.0.1:1").output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_doctor_goes_the_whole_way_beside_a_running_server_and_leaves_its_work_alone() {
    let (server, proxy, house) = behind_proxy();
    house.load(&tasks(3));
    house.export(r#"{"download":"csv"}"#);
    let mut draft = house.app.storage.folder().create().unwrap();
    draft.write_all(b"half of ").unwrap();
    let (is_fine, said) = doctor(&house, &proxy.url);
    assert!(is_fine, "{said}");
    for line in [
        "note  store              in use by a running server",
        "fine  bucket             it is there",
        "fine  bucket's clock     says the same as this machine's",
        "fine  put a file         64 bytes, with their digest",
        "fine  fetch it by a link through the public address",
        "fine  read it back       the same bytes",
        "fine  delete it          it is gone",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    draft.write_all(b"a file").unwrap();
    let stored = house.app.storage.put(draft, KEY, "text/csv", &Patience::none()).unwrap();
    assert_eq!(read(&house, &stored.place).unwrap(), b"half of a file");
    assert_eq!(server.objects().len(), 2);
    proxy.everything(Fate::Ahead(-120));
    let (is_fine, said) = doctor(&house, &proxy.url);
    assert!(!is_fine && said.contains("BAD   bucket's clock     This server's clock is 1"), "{said}");
    assert!(said.contains(" seconds ahead of the bucket's. Set it right"), "{said}");
    proxy.always("put", Fate::Refuse(403, "AccessDenied"));
    let (is_fine, said) = doctor(&house, &proxy.url);
    assert!(
        !is_fine && said.contains("BAD   put a file         The bucket refuses access. Give the access key"),
        "{said}"
    );
}

/// How large the file is whose upload is watched: 1 GiB where there is time.
fn watched_bytes() -> u64 {
    if std::env::var_os("CI").is_some() { 1 << 30 } else { 256 << 20 }
}

#[test]
fn memory_stays_flat_however_large_the_file() {
    const URL: &str = "WAYBILL_TEST_BUCKET";
    if let Ok(url) = std::env::var(URL) {
        return watched(&url);
    }
    let server = Server::start();
    // In a process of its own, whose memory no other test shares.
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "bucket::memory_stays_flat_however_large_the_file", "--nocapture"]);
    let output = command.env(URL, &server.url).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let objects = server.objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(server.path(&objects[0]).metadata().unwrap().len(), watched_bytes());
}

fn watched(url: &str) {
    let house = House::at(Clock::fixed(now()), |settings| {
        into_bucket(url)(settings);
        settings.storage.part_seconds = 600;
    });
    put(&house, &bytes(2 * PART), &Patience::none()).unwrap();
    let before = peak_bytes();
    let mut draft = house.app.storage.folder().create().unwrap();
    let block = bytes(1 << 20);
    (0..watched_bytes() >> 20).for_each(|_| draft.write_all(&block).unwrap());
    let started = Instant::now();
    house.app.storage.put(draft, KEY, "text/csv", &Patience::none()).unwrap();
    let more = peak_bytes() - before;
    println!("{} MiB in {:?}, {} KiB of memory more", watched_bytes() >> 20, started.elapsed(), more >> 10);
    assert!(more < 4 * PART as u64, "{more} bytes of memory more than for two parts");
}

/// The most memory that this process ever had.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn the_server_of_these_tests_refuses_what_a_bucket_refuses() {
    let server = Server::start();
    server.plant("x.csv", b"bytes");
    assert_eq!(fetch("GET", &format!("{}/{BUCKET}/x.csv", server.url), &[]).0, 403);
}
