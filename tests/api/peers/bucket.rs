//! Finished files in a bucket of others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use waybill::domain::Moment;
use waybill::domain::export_log::Place;
use waybill::kit::clock::{Clock, ClockWatch};
use waybill::kit::meter::Meter;
use waybill::kit::secret::Secret;
use waybill::settings::{Settings, StorageKind};
use waybill::storage::{Patience, Shelf};
use waybill::sweep;

use super::told;
use crate::bucket::{KEY, PART, bytes, entry, fetch, no_other_link_opens, now, put, read, sha256};
use crate::proxy::{Fate, Proxy};
use crate::support::{House, tasks};

/// Settings that lead into a bucket of one's own, which is not there yet.
fn into_own(url: &str) -> impl Fn(&mut Settings) + use<> {
    static BUCKETS: AtomicU32 = AtomicU32::new(0);
    let bucket = format!("exports-{}-{}", std::process::id(), BUCKETS.fetch_add(1, Ordering::Relaxed));
    let url = url.to_owned();
    move |settings| {
        let storage = &mut settings.storage;
        (storage.kind, storage.create_bucket) = (StorageKind::Bucket, true);
        (storage.endpoint, storage.region) = (Some(url.clone()), told("WAYBILL_PEER_S3_REGION"));
        (storage.bucket, storage.prefix) = (bucket.clone(), "of/us".to_owned());
        storage.access_key = Some(told("WAYBILL_PEER_S3_ACCESS"));
        storage.secret_key = Some(Secret::new(told("WAYBILL_PEER_S3_SECRET")));
        storage.retry_seconds = 20;
    }
}

fn house() -> House {
    let house = House::at(Clock::fixed(now()), into_own(&told("WAYBILL_PEER_S3")));
    house.app.storage.prepare().unwrap();
    house
}

fn objects(house: &House) -> usize {
    let storage = &house.app.storage;
    let later = Moment(now().0 + 60_000);
    let days = storage.days(Shelf::Bucket).unwrap();
    days.iter().map(|day| storage.list(Shelf::Bucket, day, later).unwrap().len()).sum()
}

#[test]
#[ignore = "needs the server that .ci/s3 starts"]
fn an_export_lies_there_and_its_link_gives_it_by_its_name_until_its_time_is_over() {
    let house = house();
    house.load(&tasks(40));
    let answer = house.export(r#"{"download":"csv","limit":40,"name":"T\u00e4gliche Liste"}"#);
    let link = answer["data"]["link"].as_str().unwrap();
    assert!(link.starts_with(&told("WAYBILL_PEER_S3")), "{link}");
    let (status, headers, body) = fetch("GET", link, &[]);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    let name = "attachment; filename=\"T_gliche Liste.csv\"; filename*=UTF-8''T%C3%A4gliche%20Liste.csv";
    assert_eq!(headers["content-disposition"], name);
    let entry = entry(&house, &answer["data"]["_id"]);
    assert_eq!((&entry["sha256"], &entry["fileSize"]), (&sha256(&body).into(), &body.len().into()));
    no_other_link_opens(&house, &answer["data"]["_id"], link);
}

#[test]
#[ignore = "needs the server that .ci/s3 starts"]
fn a_file_of_any_size_is_there_as_it_was_made_and_goes_away() {
    let house = house();
    for count in [0, 1, PART, PART + 1, 2 * PART + 12_345] {
        let bytes = bytes(count);
        let stored = put(&house, &bytes, &Patience::none()).unwrap();
        assert_eq!((stored.size, &stored.sha256), (count as u64, &sha256(&bytes)));
        assert!(read(&house, &stored.place).unwrap() == bytes, "{count}");
        assert_eq!((objects(&house), house.temp_files()), (1, 0), "{count}");
        house.app.storage.delete(KEY, &stored.place).unwrap();
        assert_eq!((objects(&house), read(&house, &stored.place)), (0, None), "{count}");
        house.app.storage.delete(KEY, &stored.place).unwrap();
    }
}

#[test]
#[ignore = "needs the server that .ci/s3 starts"]
fn the_sweeper_deletes_what_had_its_time_and_what_no_entry_names_and_nothing_of_others() {
    let into_own = into_own(&told("WAYBILL_PEER_S3"));
    let [house, other] = [(); 2].map(|()| House::at(Clock::fixed(now()), &into_own));
    for house in [&house, &other] {
        house.app.storage.prepare().unwrap();
        house.load(&tasks(3));
        house.export(r#"{"download":"csv"}"#);
    }
    put(&house, b"nobody knows it", &Patience::none()).unwrap();
    assert_eq!((objects(&house), objects(&other)), (2, 1));
    let mut watch = ClockWatch::new(&house.app.clock);
    house.clock.pass(Duration::from_secs(25 * 3600));
    let swept = sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!((swept.orphans, swept.expired, swept.failed), (1, 0, 0));
    house.clock.pass(Duration::from_secs(29 * 86_400));
    let swept = sweep::pass(&house.app, &mut watch).unwrap();
    assert_eq!((swept.orphans, swept.expired, swept.failed), (0, 1, 0));
    assert_eq!((objects(&house), objects(&other)), (0, 1));
}

#[test]
#[ignore = "needs the server that .ci/s3 starts"]
fn many_files_go_with_one_call() {
    let house = house();
    let stored: Vec<Place> = ["a", "b", "c"]
        .map(|name| {
            let draft = house.app.storage.folder().create().unwrap();
            house.app.storage.put(draft, &format!("20250615/{name}.csv"), "text/csv", &Patience::none()).unwrap().place
        })
        .into();
    assert_eq!(objects(&house), 3);
    assert_eq!(house.app.storage.delete_all(&stored), [true; 3]);
    assert_eq!(objects(&house), 0);
}

#[test]
#[ignore = "needs the server that .ci/s3 starts"]
fn an_answer_that_is_lost_costs_no_file_and_an_upload_that_is_cut_off_is_swept() {
    let proxy = Proxy::before(&told("WAYBILL_PEER_S3"));
    let house = House::at(Clock::fixed(now()), into_own(&proxy.url));
    house.app.storage.prepare().unwrap();
    let (bytes, meter) = (bytes(PART + 1000), Meter::new());
    for what in ["part", "complete", "stat"] {
        for fate in [Fate::LoseAnswer, Fate::CutAnswer, Fate::Refuse(503, "SlowDown")] {
            proxy.once(what, fate.clone());
            let stored = put(&house, &bytes, &Patience::long_of(20, &meter)).unwrap();
            assert!(read(&house, &stored.place).as_ref() == Some(&bytes), "{what} {fate:?}");
            house.app.storage.delete(KEY, &stored.place).unwrap();
        }
    }
    proxy.rule(|asked| match asked.what() {
        "complete" => Fate::Refuse(403, "AccessDenied"),
        "abort" => Fate::Refuse(500, "InternalError"),
        _ => Fate::Pass,
    });
    put(&house, &bytes, &Patience::none()).unwrap_err();
    proxy.everything(Fate::Pass);
    let swept = |before: i64| house.app.storage.abort_uploads(Moment(now().0 + before)).unwrap();
    assert_eq!((swept(-3_600_000), swept(60_000), swept(60_000)), (0, 1, 0));
    assert_eq!(objects(&house), 0);
}

#[test]
#[ignore = "needs the server that .ci/s3 starts"]
fn a_bucket_that_is_missing_is_told_or_made_and_wrong_credentials_are_told() {
    let into_own = into_own(&told("WAYBILL_PEER_S3"));
    let house = House::at(Clock::fixed(now()), |settings| {
        into_own(settings);
        settings.storage.create_bucket = false;
    });
    let missing = "The bucket does not exist. Make it, or set storage.create_bucket.";
    assert_eq!(house.app.storage.prepare().unwrap_err().message, missing);
    assert_eq!(put(&house, b"bytes", &Patience::none()).unwrap_err().message, missing);
    let house = house.again(&into_own);
    house.app.storage.prepare().unwrap();
    house.app.storage.prepare().unwrap();
    put(&house, b"bytes", &Patience::none()).unwrap();
    let house = house.again(|settings| {
        into_own(settings);
        settings.storage.secret_key = Some(Secret::new("another secret"));
    });
    let error = put(&house, b"bytes", &Patience::none()).unwrap_err();
    assert!(error.message.contains("does not know the access key or its secret"), "{}", error.chain());
    let house = house.again(|settings| {
        into_own(settings);
        settings.storage.region = "us-east-1".to_owned();
    });
    let error = put(&house, b"bytes", &Patience::none()).unwrap_err();
    assert!(error.message.contains("storage.region"), "{}", error.chain());
}

#[test]
#[ignore = "needs the server that .ci/s3 starts"]
fn the_doctor_goes_the_whole_way() {
    let house = House::at(Clock::fixed(now()), into_own(&told("WAYBILL_PEER_S3")));
    let steps = house.app.storage.probe(now());
    assert_eq!(steps.len(), 7, "{steps:?}");
    assert!(steps.iter().all(|step| step.outcome.is_ok()), "{steps:?}");
    assert_eq!((objects(&house), house.get("/ready").status), (0, 200));
}
