//! Background exports and their log (contract 2 and 3).

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::Value;
use waybill::app::queue::Lane;
use waybill::domain::Moment;
use waybill::domain::export_log::State;
use waybill::export;
use waybill::jobs::Workers;
use waybill::kit::meter::Stage;

use crate::support::{House, ME, NOW, OURS, THEIRS, eventually, tasks};

const LOG: &str = "/api/v3/tasks/export-log";
const EVERYTHING: &str = r#"{"download":"csv","background":true}"#;

/// A house with 40 tasks and nobody who runs exports.
fn house() -> House {
    let house = House::new();
    house.load(&tasks(40));
    house
}

fn submit(house: &House, body: &str) -> String {
    let answer = house.export(body);
    assert_eq!(answer["data"]["status"], "Processing");
    answer["data"]["_id"].as_str().unwrap().to_owned()
}

fn run_next(house: &House) {
    export::attempt(&house.app, &house.app.queue.take(Lane::Any).unwrap());
}

fn entry(house: &House, id: &str) -> Value {
    let reply = house.get(&format!("{LOG}/{id}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.value()["data"].clone()
}

#[test]
fn a_background_export_is_answered_as_the_page_says_and_has_everything_in_the_end() {
    let house = house();
    let workers = Workers::start(&house.app).unwrap();
    let answer = house.export(EVERYTHING);
    assert_eq!(answer["message"], "Export queued for background processing. Check status at GET /tasks/export-log");
    assert_eq!((&answer["total_data_be"], &answer["total_matched"]), (&0.into(), &40.into()));
    assert_eq!(answer["data"]["organizationId"], OURS.to_string());
    assert!(answer["data"].get("link").is_none() && answer.get("last_id").is_none());
    let id = answer["data"]["_id"].as_str().unwrap();
    eventually("the export is done", || entry(&house, id)["status"] == "Done");
    let done = entry(&house, id);
    assert_eq!((&done["progress"], &done["rowsDone"], &done["attempts"]), (&100.into(), &40.into(), &1.into()));
    let file = house.send("GET", done["link"].as_str().unwrap(), "", &[], b"");
    assert_eq!(file.text().lines().count(), 41);
    assert_eq!(done["fileSize"], file.body.len() as u64);
    eventually("the download is counted", || entry(&house, id)["downloads"] == 1);
    workers.leave(Duration::from_secs(5));
}

#[test]
fn an_entry_has_exactly_the_documented_keys() {
    let house = house();
    submit(&house, EVERYTHING);
    let list = house.get(LOG).value();
    let hit = &list["data"][0];
    assert_eq!((&hit["_index"], &hit["_type"], &hit["_score"]), (&"export".into(), &"_doc".into(), &1.into()));
    let keys: Vec<&str> = hit["_source"].as_object().unwrap().keys().map(String::as_str).collect();
    let documented = "organizationId dataType dataName email exportBy status requestAt completedAt exportAt fileUrl \
        link fileType totalRecords dataTotal totalTasks errorMessage request state progress rowsDone rowsTotal \
        queuePosition startedAt durationMs fileSize sha256 expiresAt warnings config scripts faults attempts \
        notification downloads";
    assert_eq!(keys, documented.split_whitespace().collect::<Vec<_>>());
    let source = &hit["_source"];
    assert_eq!((&source["requestAt"], &source["request"]), (&NOW.text().into(), &EVERYTHING.into()));
    assert_eq!(
        (&source["state"], &source["queuePosition"], &source["email"]),
        (&"queued".into(), &1.into(), &ME.into())
    );
}

#[test]
fn the_list_is_filtered_sorted_and_paged() {
    let house = house();
    for (minute, name) in ["May visits", "June visits", "All"].iter().enumerate() {
        house.clock.set(Moment(NOW.0 + minute as i64 * 60_000));
        submit(&house, &format!(r#"{{"download":"csv","background":true,"name":"{name}"}}"#));
    }
    run_next(&house);
    let names = |query: &str| -> Vec<String> {
        let reply = house.get(&format!("{LOG}?{query}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let list = reply.value();
        let hits = list["data"].as_array().unwrap();
        hits.iter().map(|hit| hit["_source"]["dataName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(""), ["All", "June visits", "May visits"]);
    assert_eq!(names("dataName=VISITS&sortOrder=asc"), ["May visits", "June visits"]);
    assert_eq!(names("status=Available"), ["May visits"]);
    assert_eq!(names("status=Processing&sortBy=dataName"), ["June visits", "All"]);
    assert_eq!(names("limit=1&page=2"), ["June visits"]);
    assert_eq!(names("dataType=data"), [""; 0]);
    let params = house.get(&format!("{LOG}?limit=2&page=2")).value();
    assert_eq!(
        (&params["total"], &params["params"]["from"], &params["params"]["size"]),
        (&3.into(), &2.into(), &2.into())
    );
    for limit in ["0", "101", "many", "-1"] {
        let reply = house.get(&format!("{LOG}?limit={limit}"));
        assert_eq!(reply.status, 400);
        assert_eq!(reply.message(), "Invalid limit parameter. Must be between 1 and 100.");
        assert_eq!(reply.value()["data"], Value::Array(Vec::new()));
    }
    assert_eq!(house.get(&format!("{LOG}?sortBy=size")).status, 400);
    assert_eq!(house.get(&format!("{LOG}?what=1")).status, 400);
    house.clock.set(Moment(NOW.0 + 30 * 86_400_000 + 1));
    assert_eq!(names(""), ["All", "June visits"]);
}

#[test]
fn others_entries_need_the_permission_and_other_organisations_entries_are_never_seen() {
    let house = house();
    let id = submit(&house, EVERYTHING);
    let colleague = house.token_with(|claims| {
        (claims.sub, claims.email) = ("bob".to_owned(), "bob@example.org".to_owned());
        claims.perms = vec!["export/task".to_owned()];
    });
    let lead = house.token_with(|claims| {
        (claims.sub, claims.email) = ("eve".to_owned(), "eve@example.org".to_owned());
        claims.perms = vec!["view/export-log".to_owned()];
    });
    let foreign = house.token_with(|claims| claims.org = THEIRS);
    let status = |token: &str, path: &str| house.send("GET", path, token, &[], b"").status;
    let total = |token: &str, path: &str| house.send("GET", path, token, &[], b"").value()["total"].clone();
    let (one, mine) = (format!("{LOG}/{id}"), format!("{LOG}?email={ME}"));
    assert_eq!([status(&colleague, &one), status(&foreign, &one), status(&lead, &one)], [404, 404, 200]);
    assert_eq!([status(&colleague, &mine), status(&lead, &mine)], [403, 200]);
    assert_eq!([total(&colleague, LOG), total(&lead, &mine), total(&foreign, LOG)], [0, 1, 0]);
    let unknown = house.send("GET", &format!("{LOG}/ffffffffffffffffffffffff"), &colleague, &[], b"");
    let hidden = house.send("GET", &one, &colleague, &[], b"");
    assert_eq!(unknown.body, hidden.body);
    assert_eq!(status("", LOG), 401);
}

#[test]
fn a_right_that_was_withdrawn_takes_the_link_with_it() {
    let house = house();
    let id = submit(&house, EVERYTHING);
    run_next(&house);
    let seen_by = |change: fn(&mut waybill::auth::Claims)| {
        let token = house.token_with(change);
        house.send("GET", &format!("{LOG}/{id}"), &token, &[], b"").value()["data"]["link"].is_string()
    };
    assert!(seen_by(|_| {}));
    assert!(!seen_by(|claims| claims.perms = vec!["view/export-log".to_owned()]));
    assert!(!seen_by(|claims| claims.hubs = Some(vec![OURS])));
    assert!(!seen_by(|claims| claims.own = true));
}

#[test]
fn an_export_is_canceled_at_any_stage_and_only_once() {
    let house = house();
    let waiting = submit(&house, EVERYTHING);
    let reply = house.post(&format!("{LOG}/{waiting}/cancel"), "");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        (&reply.value()["data"]["status"], &reply.value()["data"]["state"]),
        (&"Failed".into(), &"canceled".into())
    );
    assert_eq!(house.post(&format!("{LOG}/{waiting}/cancel"), "").status, 409);
    let running = submit(&house, EVERYTHING);
    assert_ne!(waiting, running);
    let run = house.app.queue.take(Lane::Any).unwrap();
    assert_eq!(entry(&house, &running)["state"], "running");
    assert_eq!(house.send("DELETE", &format!("{LOG}/{running}"), &house.token(), &[], b"").status, 409);
    assert_eq!(house.post(&format!("{LOG}/{running}/cancel"), "").status, 200);
    export::attempt(&house.app, &run);
    assert_eq!(entry(&house, &running)["state"], "canceled");
    assert_eq!((house.kept_files(), house.temp_files()), (0, 0));
}

#[test]
fn an_export_that_is_seen_done_can_be_deleted_while_its_run_still_tidies_up() {
    let house = house();
    let delete = |id: &str| house.send("DELETE", &format!("{LOG}/{id}"), &house.token(), &[], b"");
    let done = submit(&house, EVERYTHING);
    let run = house.app.queue.take(Lane::Any).unwrap();
    house
        .app
        .store
        .edit(|edit| {
            let mut log = edit.export(OURS, done.parse().unwrap())?.unwrap();
            log.end(State::Done, NOW);
            edit.put_export(&log)
        })
        .unwrap();
    assert_eq!(entry(&house, &done)["status"], "Done");
    assert_eq!(delete(&done).status, 200);
    drop(run);

    let canceled = submit(&house, EVERYTHING);
    let run = house.app.queue.take(Lane::Any).unwrap();
    assert_eq!(house.post(&format!("{LOG}/{canceled}/cancel"), "").status, 200);
    let refused = delete(&canceled);
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (409, "This export is being stopped. Try again in a moment.")
    );
    drop(run);
    assert_eq!(delete(&canceled).status, 200);
}

#[test]
fn an_export_is_run_again_as_a_new_entry_and_deleted_with_its_file() {
    let house = house();
    let first = house.export(r#"{"download":"csv","limit":7}"#);
    let id = first["data"]["_id"].as_str().unwrap().to_owned();
    let again = house.post(&format!("{LOG}/{id}/retry"), "").value();
    let again = again["data"]["_id"].as_str().unwrap().to_owned();
    assert_eq!(house.post(&format!("{LOG}/{again}/retry"), "").status, 409);
    run_next(&house);
    assert_eq!(entry(&house, &again)["totalRecords"], 7);
    let link = entry(&house, &id)["link"].as_str().unwrap().to_owned();
    assert_eq!(house.send("DELETE", &format!("{LOG}/{id}"), &house.token(), &[], b"").status, 200);
    assert_eq!(house.get(&format!("{LOG}/{id}")).status, 404);
    let gone = house.send("GET", &link, "", &[], b"");
    assert_eq!((gone.status, gone.message().as_str()), (410, "This export has expired. Run it again."));
    assert_eq!(house.kept_files(), 1);
}

#[test]
fn the_same_key_gives_the_same_export_and_another_body_is_a_conflict() {
    let house = house();
    let send = |key: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        house.send("POST", "/api/v3/tasks/export", &house.token(), &headers, body.as_bytes())
    };
    let direct = r#"{"download":"csv","limit":3}"#;
    let first = send("a", direct).value();
    let second = send("a", direct).value();
    assert_eq!(first["data"]["_id"], second["data"]["_id"]);
    assert_eq!((&second["total_data_be"], &second["last_id"]), (&3.into(), &first["last_id"]));
    assert_eq!(house.kept_files(), 1);
    assert_eq!(send("a", EVERYTHING).status, 409);
    let queued = send("b", EVERYTHING).value();
    run_next(&house);
    let done = send("b", EVERYTHING).value();
    assert_eq!((&done["data"]["_id"], &done["data"]["status"]), (&queued["data"]["_id"], &"Done".into()));
    assert_eq!(send("bad key", direct).status, 400);
    assert_eq!(send("c", r#"{"download":"csv","idempotencyKey":"d"}"#).status, 400);
}

#[test]
fn fifty_exports_of_one_second_have_fifty_entries_and_files() {
    let house = house();
    let ids: std::collections::BTreeSet<String> = (1..=50)
        .map(|limit| submit(&house, &format!(r#"{{"download":"csv","background":true,"limit":{limit}}}"#)))
        .collect();
    assert_eq!(ids.len(), 50);
    (0..50).for_each(|_| run_next(&house));
    assert_eq!(house.kept_files(), 50);
}

#[test]
fn a_caller_with_too_many_waiting_exports_is_told_to_come_again() {
    let house = House::with(|settings| settings.export.queue_per_user = 2);
    house.load(&tasks(5));
    let body = |limit: u32| format!(r#"{{"download":"csv","background":true,"limit":{limit}}}"#);
    submit(&house, &body(1));
    submit(&house, &body(2));
    let full = house.post("/api/v3/tasks/export", &body(3));
    assert_eq!((full.status, full.header("retry-after")), (429, "1"));
    assert_eq!(house.get(LOG).value()["total"], 2);
}

/// The events of an entry, as they come.
fn watch(house: &House, id: &str) -> impl Iterator<Item = Value> {
    let request = ureq::http::Request::builder()
        .uri(format!("{}{LOG}/{id}/events", house.url))
        .header("authorization", format!("Bearer {}", house.token()))
        .body(())
        .unwrap();
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build();
    let reply = ureq::Agent::from(config).run(request).unwrap();
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    let lines = BufReader::new(reply.into_body().into_reader()).lines();
    lines.filter_map(|line| serde_json::from_str(line.unwrap().strip_prefix("data: ")?).ok())
}

#[test]
fn events_tell_each_change_until_the_export_has_ended() {
    let house = house();
    let id = submit(&house, EVERYTHING);
    let mut events = watch(&house, &id);
    assert_eq!(events.next().unwrap()["state"], "queued");
    let workers = Workers::start(&house.app).unwrap();
    let last = events.last().unwrap();
    assert_eq!((&last["_id"], &last["state"], &last["progress"]), (&id.into(), &"done".into(), &100.into()));
    assert!(last["link"].is_string());
    workers.leave(Duration::from_secs(5));
}

#[test]
fn who_watches_what_has_ended_is_told_once_and_a_cancel_ends_the_events() {
    let house = house();
    let done = submit(&house, EVERYTHING);
    run_next(&house);
    let told: Vec<Value> = watch(&house, &done).collect();
    assert_eq!((told.len(), &told[0]["state"]), (1, &"done".into()));
    let waiting = submit(&house, EVERYTHING);
    let mut events = watch(&house, &waiting);
    assert_eq!(events.next().unwrap()["queuePosition"], 1);
    assert_eq!(house.post(&format!("{LOG}/{waiting}/cancel"), "").status, 200);
    assert_eq!(events.map(|event| event["state"].clone()).collect::<Vec<_>>(), ["canceled"]);
}

#[test]
fn a_run_that_hurries_is_told_of_a_few_times_a_second() {
    let house = house();
    let id = submit(&house, EVERYTHING);
    let run = house.app.queue.take(Lane::Any).unwrap();
    run.meter.expect(1_000_000);
    run.meter.enter(Stage::Rendering);
    let meter = run.meter.clone();
    let worker = std::thread::spawn(move || {
        for _ in 0..500 {
            meter.advance(1);
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(run);
    });
    let begun = Instant::now();
    let mut events = watch(&house, &id);
    let mut told = 0;
    while events.next().is_some_and(|event| event["rowsDone"].as_u64() < Some(450) && event["state"] == "running") {
        told += 1;
    }
    let most = begun.elapsed().as_millis() / 100 + 2;
    assert!((1..=most).contains(&told), "{told} times, and {most} are allowed");
    worker.join().unwrap();
    assert_eq!(house.post(&format!("{LOG}/{id}/cancel"), "").status, 200);
}

#[test]
fn those_who_watch_leave_connections_to_the_others() {
    let house = House::with(|settings| settings.server.max_connections = 4);
    house.load(&tasks(1));
    let id = submit(&house, EVERYTHING);
    let mut watchers: Vec<_> = (0..2).map(|_| watch(&house, &id)).collect();
    assert!(watchers.iter_mut().all(|events| events.next().is_some()));
    let full = house.get(&format!("{LOG}/{id}/events"));
    assert_eq!((full.status, full.header("retry-after")), (429, "1"));
    assert_eq!(house.get(&format!("{LOG}/{id}")).status, 200);
    drop(watchers);
    let unknown = format!("{LOG}/{}/events", "f".repeat(24));
    eventually("those who left make room", || house.get(&unknown).status == 404);
}

#[test]
fn every_route_of_an_entry_answers_alike_for_ids_that_are_unknown_foreign_or_none() {
    let house = house();
    let foreign = house.token_with(|claims| claims.org = THEIRS);
    let id = submit(&house, EVERYTHING);
    for (method, act) in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/events")] {
        for (token, id) in
            [(&house.token(), "f".repeat(24)), (&house.token(), "none".to_owned()), (&foreign, id.clone())]
        {
            let reply = house.send(method, &format!("{LOG}/{id}{act}"), token, &[], b"");
            let answer = (reply.status, reply.text());
            let unknown = r#"{"status":false,"message":"Data not found"}"#.to_owned();
            assert_eq!(answer, (404, unknown), "{method} {act} {id}");
        }
    }
    assert_eq!(entry(&house, &id)["state"], "queued");
}

#[test]
fn an_entry_is_what_the_description_says() {
    let house = house();
    let id = submit(&house, EVERYTHING);
    let described: Value = serde_json::from_str(waybill::http::OPENAPI).unwrap();
    let described = described["components"]["schemas"]["ExportLog"]["properties"].as_object().unwrap().clone();
    for state in ["queued", "done"] {
        let mut shown = entry(&house, &id).as_object().unwrap().clone();
        assert_eq!((shown.remove("_id"), &shown["state"]), (Some(id.clone().into()), &state.into()));
        assert!(shown.keys().eq(described.keys()), "{:?}", shown.keys());
        for (key, value) in shown {
            let fits = match described[&key]["type"].as_str().unwrap() {
                "string" => value.is_string(),
                "integer" => value.is_u64(),
                "object" => value.is_object(),
                _ => value.is_array(),
            };
            assert!(fits || (value.is_null() && described[&key]["nullable"] == true), "{key}: {value}");
        }
        if state == "queued" {
            run_next(&house);
        }
    }
}

#[test]
fn rows_that_have_come_since_an_export_was_asked_for_are_counted_while_it_runs() {
    let house = house();
    let id = submit(&house, EVERYTHING);
    let run = house.app.queue.take(Lane::Any).unwrap();
    let rows = |key: &str| entry(&house, &id)[key].as_u64().unwrap();
    run.meter.enter(Stage::Selecting);
    assert_eq!((rows("rowsDone"), rows("rowsTotal"), rows("progress")), (0, 40, 0));
    run.meter.expect(80);
    run.meter.enter(Stage::Rendering);
    run.meter.advance(60);
    assert_eq!((rows("rowsDone"), rows("rowsTotal"), rows("progress")), (60, 80, 75));
    run.meter.advance(20);
    run.meter.enter(Stage::Storing);
    assert_eq!((rows("rowsDone"), rows("rowsTotal"), rows("progress")), (80, 80, 99));
    assert_eq!(entry(&house, &id)["state"], "uploading");
}

#[test]
fn a_key_gives_no_link_to_who_may_not_see_as_much_any_more() {
    let house = house();
    for (key, body) in [("a", r#"{"download":"csv","limit":3}"#), ("b", EVERYTHING)] {
        let send = |token: &str| {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            house.send("POST", "/api/v3/tasks/export", token, &headers, body.as_bytes()).value()
        };
        let first = send(&house.token());
        if key == "b" {
            run_next(&house);
        }
        let bound = send(&house.token_with(|claims| claims.hubs = Some(vec![OURS])));
        assert_eq!((&bound["data"]["_id"], &bound["data"]["status"]), (&first["data"]["_id"], &"Done".into()));
        assert!(bound["data"]["link"].is_null(), "{bound}");
        assert!(send(&house.token())["data"]["link"].is_string());
    }
}

#[test]
fn an_export_that_failed_says_so_under_its_key() {
    let house = house();
    let headers = [("content-type", "application/json"), ("idempotency-key", "a")];
    let send = || house.send("POST", "/api/v3/tasks/export", &house.token(), &headers, EVERYTHING.as_bytes());
    assert_eq!(send().value()["data"]["status"], "Processing");
    std::fs::remove_dir_all(house.app.storage.folder().scratch()).unwrap();
    run_next(&house);
    let (reply, again) = (send(), send().value());
    let failed = entry(&house, again["data"]["_id"].as_str().unwrap());
    assert_eq!((reply.status, &again["data"]["status"]), (200, &"Failed".into()));
    assert_eq!((&again["message"], &failed["state"]), (&failed["errorMessage"], &"failed".into()));
    assert!(again["data"].get("link").is_none() && !reply.text().contains('/'), "{}", reply.text());
}

#[test]
fn a_request_of_who_only_views_the_log_counts_once() {
    let house = House::with(|settings| (settings.server.rate_per_second, settings.server.rate_burst) = (1, 2));
    let viewer = house.token_with(|claims| claims.perms = vec!["view/export-log".to_owned()]);
    for _ in 0..2 {
        assert_eq!(house.send("GET", LOG, &viewer, &[], b"").status, 200);
    }
}

#[test]
fn who_only_views_the_log_cannot_have_anything_exported() {
    let house = house();
    let id = submit(&house, EVERYTHING);
    run_next(&house);
    let viewer = house.token_with(|claims| claims.perms = vec!["view/export-log".to_owned()]);
    let reply = house.send("POST", &format!("{LOG}/{id}/retry"), &viewer, &[], b"");
    assert_eq!((reply.status, reply.message().as_str()), (403, "You do not have permission to export tasks"));
    assert_eq!(house.app.queue.waiting(), 0);
}

#[test]
fn a_request_that_could_never_run_is_refused_and_nothing_is_queued() {
    let house = house();
    for body in [r#"{"download":"pdf","background":true}"#, r#"{"download":"csv","background":true,"statsu":"DONE"}"#] {
        assert_eq!(house.post("/api/v3/tasks/export", body).status, 400, "{body}");
    }
    assert_eq!(house.get(LOG).value()["total"], 0);
}

#[test]
fn a_server_that_can_do_its_work_is_ready() {
    let reply = House::new().send("GET", "/ready", "", &[], b"");
    assert_eq!((reply.status, reply.message().as_str()), (200, "Ready"));
}

#[test]
fn a_server_that_cannot_keep_files_is_not_ready_and_says_nothing_of_where_they_lie() {
    let house = House::new();
    std::fs::remove_dir_all(house.app.storage.folder().scratch()).unwrap();
    let reply = house.send("GET", "/ready", "", &[], b"");
    assert_eq!((reply.status, reply.message().as_str()), (503, "Not ready"));
    assert!(reply.value()["reasons"][0].as_str().unwrap().starts_with("files: "), "{}", reply.text());
    assert!(!reply.text().contains('/'), "{}", reply.text());
    assert_eq!(house.send("GET", "/health", "", &[], b"").status, 200);
}

#[test]
fn while_the_store_cannot_be_written_a_request_is_told_so_and_what_is_there_can_be_read() {
    const TEST: &str =
        "export_log::while_the_store_cannot_be_written_a_request_is_told_so_and_what_is_there_can_be_read";
    // Failures are for a whole process, so that this test runs again in one of its own.
    let Some(fail) = std::env::var_os("WAYBILL_FAIL_FILE") else {
        let folder = tempfile::tempdir().unwrap();
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", TEST, "--nocapture"]).env("WAYBILL_FAIL_FILE", folder.path().join("fail"));
        let output = again.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    };
    let house = house();
    let first = house.export(r#"{"download":"csv"}"#);
    std::fs::write(&fail, "store-commit").unwrap();
    for body in [EVERYTHING, r#"{"download":"csv"}"#] {
        let reply = house.post("/api/v3/tasks/export", body);
        assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "{}", reply.text());
    }
    let ready = house.send("GET", "/ready", "", &[], b"");
    assert_eq!((ready.status, ready.message().as_str()), (503, "Not ready"));
    assert!(ready.value()["reasons"][0].as_str().unwrap().starts_with("store: "), "{}", ready.text());
    assert_eq!(house.file(&first).split(|byte| *byte == b'\n').count(), 32);
    assert_eq!((house.get(LOG).value()["total"].as_u64(), house.kept_files()), (Some(1), 1));
    std::fs::write(&fail, "").unwrap();
    eventually("the server is ready again", || house.send("GET", "/ready", "", &[], b"").status == 200);
    submit(&house, EVERYTHING);
}
