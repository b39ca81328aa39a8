//! What an operator's monitoring sees of the server.

use std::collections::BTreeMap;

use serde_json::json;
use waybill::app::queue::Lane;
use waybill::domain::Moment;
use waybill::export;

use crate::support::{House, ME, OURS, tasks};

const EXPORT: &str = "/api/v3/tasks/export";

/// Every number by its name and labels, as they are written.
fn scrape(house: &House) -> BTreeMap<String, f64> {
    let reply = house.get("/metrics");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = reply.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let number = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let family = name.split('{').next().unwrap();
        let told = ["", "_bucket", "_sum", "_count"].iter().filter_map(|end| family.strip_suffix(end));
        assert!(told.into_iter().any(|family| text.contains(&format!("# TYPE {family} "))), "{line}");
        (name.to_owned(), value.parse::<f64>().unwrap())
    };
    samples.map(number).collect()
}

/// How much a number has grown; one that was not there was nothing.
fn grown(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, name: &str) -> f64 {
    after.get(name).unwrap_or_else(|| panic!("{name} is missing")) - before.get(name).unwrap_or(&0.0)
}

#[test]
fn what_was_done_is_counted() {
    let house = House::new();
    let before = scrape(&house);
    house.load(&tasks(40));
    let direct = house.export(r#"{"download":"xlsx"}"#);
    let queued = house.export(r#"{"download":"csv","background":true}"#);
    let waiting = scrape(&house);
    house.clock.set(Moment(house.clock.now().0 + 90_000));
    let later = scrape(&house);
    export::attempt(&house.app, &house.app.queue.take(Lane::Any).unwrap());
    let canceled = house.export(r#"{"download":"ndjson","background":true}"#);
    house.post(&format!("{EXPORT}-log/{}/cancel", canceled["data"]["_id"].as_str().unwrap()), "");
    assert_eq!(house.post(EXPORT, r#"{"download":"pdf"}"#).status, 400);
    let after = scrape(&house);
    for (name, count) in [
        (r#"waybill_exports_total{format="xlsx",mode="direct",outcome="done"}"#, 1.0),
        (r#"waybill_exports_total{format="csv",mode="background",outcome="done"}"#, 1.0),
        (r#"waybill_exports_total{format="ndjson",mode="background",outcome="canceled"}"#, 1.0),
        (r#"waybill_export_rows_total{format="xlsx"}"#, 30.0),
        (r#"waybill_export_rows_total{format="csv"}"#, 40.0),
        (r#"waybill_export_file_bytes_total{format="xlsx"}"#, house.file(&direct).len() as f64),
        (r#"waybill_load_tasks_total{outcome="added"}"#, 40.0),
        ("waybill_load_bytes_total", tasks(40).len() as f64),
        (r#"waybill_http_requests_total{method="POST",route="/api/v3/tasks/export",status="200"}"#, 3.0),
        (r#"waybill_http_requests_total{method="POST",route="/api/v3/tasks/export",status="400"}"#, 1.0),
        (r#"waybill_http_request_seconds_count{method="POST",route="/api/v3/tasks/export"}"#, 4.0),
        (r#"waybill_http_request_seconds_bucket{method="POST",route="/api/v3/tasks/export",le="+Inf"}"#, 4.0),
        ("waybill_store_commit_failures_total", 0.0),
    ] {
        assert_eq!(grown(&before, &after, name), count, "{name}");
    }
    for stage in ["selecting", "rendering", "storing"] {
        assert!(grown(&before, &after, &format!("waybill_export_stage_seconds_total{{stage=\"{stage}\"}}")) > 0.0);
    }
    let commits = grown(&before, &after, "waybill_store_commits_total");
    assert!(commits >= 1.0 && grown(&before, &after, "waybill_store_edits_total") >= commits);
    assert!(grown(&before, &after, "waybill_store_commit_seconds_total") > 0.0);
    assert_eq!((waiting["waybill_queue_waiting"], after["waybill_queue_waiting"]), (1.0, 0.0));
    assert_eq!(later["waybill_queue_oldest_seconds"] - waiting["waybill_queue_oldest_seconds"], 90.0);
    assert!(queued["data"]["_id"].is_string() && after["waybill_direct_places_free"] >= 1.0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(after[&format!("waybill_build_info{{version=\"{version}\"}}")], 1.0);
}

#[test]
fn nobody_but_who_administers_the_server_reads_them() {
    let house = House::new();
    assert_eq!(house.send("GET", "/metrics", "", &[], b"").status, 401);
    let user = house.token_with(|claims| claims.perms = vec!["export/task".to_owned(), "view/task".to_owned()]);
    assert_eq!(house.send("GET", "/metrics", &user, &[], b"").status, 403);
    let admin = house.token_with(|claims| claims.perms = vec!["admin/server".to_owned()]);
    assert_eq!(house.send("GET", "/metrics", &admin, &[], b"").status, 200);
}

#[test]
fn nothing_in_them_tells_who_asked_for_what_and_more_users_do_not_make_more_numbers() {
    let house = House::new();
    house.load(&tasks(3));
    let work = |round: u32| {
        let name = format!("me-{round}@example.org");
        let token = house.token_with(|claims| claims.sub.clone_from(&name));
        let export = house.json("POST", EXPORT, &token, &format!(r#"{{"download":"csv","name":"secret-{round}"}}"#));
        let id = export.value()["data"]["_id"].as_str().unwrap().to_owned();
        house.send("GET", &format!("{EXPORT}-log/{id}"), &token, &[], b"");
        house.send("GET", &format!("/no/such/place/{round}"), &token, &[], b"");
        house.send(&format!("ODD{round}"), EXPORT, &token, &[], b"");
        id
    };
    let first = work(0);
    // A look counts itself for the next.
    scrape(&house);
    let (before, text) = (scrape(&house).len(), house.get("/metrics").text());
    (1..20).for_each(|round| drop(work(round)));
    assert_eq!(scrape(&house).len(), before);
    for secret in [&first, &OURS.to_string(), ME, "example.org", "secret", "such", "ODD", "Bearer"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn of_two_looks_the_later_never_shows_less_done_also_when_a_script_was_written_anew() {
    let house = House::new();
    house.load(&tasks(5));
    house.script("fields/one.rhai", "fn value(task, args) { if task.n > 2 { throw \"odd\" } 1 }");
    let fields = json!([{"id": "one", "component": "script", "title": "One", "script": "one"}]);
    let config = house.post("/api/v3/export-config", &json!({"name": "One", "fields": fields}).to_string());
    let body = json!({"download": "csv", "exportConfigId": config.value()["data"]["_id"]}).to_string();
    let mut before = scrape(&house);
    for round in 1..=4 {
        house.export(&body);
        let after = scrape(&house);
        for (name, value) in before.iter().filter(|(name, _)| is_counter(name)) {
            assert!(after[name] >= *value, "{name}");
        }
        assert_eq!(after["waybill_script_calls_total"], f64::from(5 * round));
        if round == 2 {
            assert_eq!(after["waybill_script_faults_total"], 4.0);
            house.script("fields/one.rhai", "fn value(task, args) { 2 }");
        }
        before = after;
    }
}

fn is_counter(name: &str) -> bool {
    ["_total", "_bucket", "_sum", "_count"].iter().any(|end| name.split('{').next().unwrap().ends_with(end))
}
