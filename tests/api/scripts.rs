//! The scripts folder as operators live with it.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waybill::domain::limits::MAX_SCRIPTS;
use waybill::jobs::Workers;

use crate::support::{House, THEIRS, id, task, write_script};

const ONE: &str = "fn about() { \"One, always.\" }\nfn value(task, args) { 1 }";
const NAMED: &str = "fn value(task, args) { args.before + task.title }";
const BROKEN: &str = "fn value(task, args) {\n  1 +\n}";
const SPLIT: &str = "fn include(task, args) { task.n < 5 }\n\
    fn rows(task, args) { [#{title: \"a\"}, #{extra: task.n}] }\n\
    fn columns(args) { [#{id: \"extra\", title: \"Extra\", format: \"0\"}] }";

/// The text of the live version, if there is one.
fn live(house: &House, place: &str) -> Option<String> {
    let (kind, name) = place.split_once('/').unwrap();
    let reply = house.get(&format!("/api/v3/scripts/{name}?kind={kind}"));
    reply.value()["data"]["text"].as_str().map(str::to_owned)
}

/// Waits until the watch has seen it, however slow the machine is.
fn until(what: &str, so: impl Fn() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_dropped_script_goes_live_by_itself_however_it_is_written() {
    let house = House::new();
    let workers = Workers::start(&house.app).unwrap();
    let dir = house.app.settings.scripts.dir.clone();
    let goes_live = |what: &str, text: &str| until(what, || live(&house, "fields/one").as_deref() == Some(text));
    house.write_script("fields/one.rhai", ONE);
    goes_live("a folder and a file that come", ONE);
    let two = ONE.replace('1', "2");
    house.write_script("fields/one.rhai", &two);
    goes_live("a file that is written over", &two);
    let three = ONE.replace('1', "3");
    house.write_script("fields/.one.rhai.tmp", &three);
    fs::rename(dir.join("fields/.one.rhai.tmp"), dir.join("fields/one.rhai")).unwrap();
    goes_live("a file that is moved into place", &three);
    // The whole folder is removed, and another one moved there.
    let four = ONE.replace('1', "4");
    write_script(&dir.with_file_name("other"), "fields/one.rhai", &four);
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(dir.with_file_name("other"), &dir).unwrap();
    goes_live("a folder in the place of another", &four);
    house.write_script("fields/one.rhai", ONE);
    goes_live("a file of the new folder", ONE);
    fs::remove_file(dir.join("fields/one.rhai")).unwrap();
    until("a file that goes", || house.get("/api/v3/scripts").value()["data"] == json!([]));
    workers.leave(Duration::ZERO);
}

#[test]
fn a_thousand_scripts_at_once_all_go_live() {
    let house = House::new();
    let workers = Workers::start(&house.app).unwrap();
    for number in 0..MAX_SCRIPTS {
        house.write_script(&format!("fields/n{number}.rhai"), ONE);
    }
    until("all of them", || house.app.scripts.current().files().len() == MAX_SCRIPTS);
    assert!(house.app.scripts.current().files().iter().all(|file| file.program.is_some()));
    workers.leave(Duration::ZERO);
}

#[test]
fn scripts_are_listed_with_what_is_live_and_what_is_wrong() {
    let house = House::new();
    house.script("fields/one.rhai", ONE);
    house.write_script("fields/one.rhai", BROKEN);
    house.write_script("flows/never.rhai", "fn rows(task, args) { nothing }");
    house.write_script("lost.rhai", ONE);
    house.script("lib/sums.rhai", "fn more(n) { n + 1 }");
    let answer = house.get("/api/v3/scripts").value();
    assert_eq!(answer["strays"][0]["file"], "lost.rhai", "{answer}");
    let data = answer["data"].clone();
    let names: Vec<_> =
        data.as_array().unwrap().iter().map(|file| (&file["kind"], &file["name"], &file["live"])).collect();
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(
        names,
        [
            (&json!("fields"), &json!("one"), &yes),
            (&json!("flows"), &json!("never"), &no),
            (&json!("lib"), &json!("sums"), &yes)
        ]
    );
    let one = &data[0];
    assert_eq!((&one["about"], &one["loadedAt"]), (&json!("One, always."), &json!("2025-06-15T15:06:40+00:00")));
    assert_eq!((&one["fault"]["file"], &one["fault"]["line"]), (&json!("fields/one.rhai"), &json!(3)), "{one}");
    assert_eq!(one["hash"].as_str().map(str::len), Some(64));
    assert_eq!((&data[1]["hash"], &data[1]["loadedAt"]), (&Value::Null, &Value::Null));
    let shown = house.get("/api/v3/scripts/one").value()["data"].clone();
    assert_eq!((&shown["text"], &shown["reads"], &shown["hash"]), (&json!(ONE), &json!([]), &one["hash"]));
}

#[test]
fn one_name_may_stand_in_several_folders() {
    let house = House::new();
    house.write_script("fields/one.rhai", ONE);
    house.script("flows/one.rhai", SPLIT);
    let reply = house.get("/api/v3/scripts/one");
    let message = "There is a script one in several folders. Name one as kind: fields, flows.";
    assert_eq!((reply.status, reply.message().as_str()), (400, message));
    assert_eq!(live(&house, "flows/one").as_deref(), Some(SPLIT));
    for (path, status, message) in [
        ("/api/v3/scripts/one?kind=lib", 404, "Data not found"),
        ("/api/v3/scripts/nothing", 404, "Data not found"),
        ("/api/v3/scripts/one?kind=field", 400, "The selected kind is invalid. Allowed: fields, flows, lib."),
        ("/api/v3/scripts/one?kin=lib", 400, "The kin field is not known. Did you mean kind?"),
    ] {
        let reply = house.get(path);
        assert_eq!((reply.status, reply.message().as_str()), (status, message), "{path}");
    }
}

#[test]
fn a_field_script_is_tried_on_tasks_of_the_caller_and_on_tasks_in_the_body() {
    let house = House::new();
    house.load(&task(1, ""));
    let theirs = house.token_with(|claims| claims.org = THEIRS);
    house.load_as(&theirs, &task(2, ""));
    house.script("fields/named.rhai", NAMED);
    let body = json!({"ids": [id(1).to_string(), id(2).to_string(), "nonsense"], "args": {"before": "> "}});
    let answer = house.post("/api/v3/scripts/named/try", &body.to_string()).value();
    assert_eq!(
        (&answer["script"], &answer["hash"]),
        (&json!("fields/named"), &house.get("/api/v3/scripts/named").value()["data"]["hash"])
    );
    let first = &answer["data"][0];
    assert_eq!(
        (&first["_id"], &first["value"], &first["fault"]),
        (&json!(id(1).to_string()), &json!("> Task 1"), &Value::Null)
    );
    assert!(first["operations"].as_u64().unwrap() > 0);
    for place in [1, 2] {
        assert_eq!(answer["data"][place]["fault"]["text"], "Data not found", "{answer}");
    }
    let body = r#"{"tasks":[{"_id":"x","title":"in the body"},{"title":7}],"args":{"before":"> "}}"#;
    let answer = house.post("/api/v3/scripts/named/try", body).value();
    assert_eq!((&answer["data"][0]["_id"], &answer["data"][0]["value"]), (&json!("x"), &json!("> in the body")));
    assert_eq!((&answer["data"][1]["_id"], &answer["data"][1]["value"]), (&Value::Null, &json!("> 7")));
    // Nothing that it needs: a fault of the row, with its place.
    let answer = house.post("/api/v3/scripts/named/try", r#"{"tasks":[{}]}"#).value();
    let fault = &answer["data"][0]["fault"];
    assert_eq!((&fault["file"], &fault["line"]), (&json!("fields/named.rhai"), &json!(1)), "{answer}");
}

#[test]
fn a_flow_script_is_tried_with_its_columns() {
    let house = House::new();
    house.script("flows/split.rhai", SPLIT);
    let answer = house.post("/api/v3/scripts/split/try", r#"{"tasks":[{"n":1},{"n":9}],"kind":"flows"}"#).value();
    assert_eq!(answer["columns"], json!([{"id": "extra", "title": "Extra", "format": "0"}]));
    let (first, second) = (&answer["data"][0], &answer["data"][1]);
    assert_eq!((&first["include"], &first["rows"]), (&json!(true), &json!([{"title": "a"}, {"extra": 1}])), "{answer}");
    assert_eq!((&second["include"], &second["rows"]), (&json!(false), &Value::Null));
}

#[test]
fn a_trial_that_is_asked_for_wrongly_is_told_why() {
    let house = House::new();
    house.write_script("fields/one.rhai", ONE);
    house.write_script("fields/never.rhai", BROKEN);
    house.script("lib/sums.rhai", "fn more(n) { n + 1 }");
    let many = json!({"ids": vec!["x"; 51]}).to_string();
    for (name, body, message) in [
        ("one", "{}", "The ids field is required, or tasks."),
        ("one", r#"{"tasks":[]}"#, "The ids field is required, or tasks."),
        ("one", r#"{"ids":["x"],"tasks":[{}]}"#, "The tasks field must not be given beside ids."),
        ("one", r#"{"tasks":[1]}"#, "The tasks field must be a list of objects."),
        ("one", r#"{"tasks":[{}],"args":[]}"#, "The args field must be an object."),
        ("one", r#"{"tasks":[{}],"arg":{}}"#, "The arg field is not known. Did you mean args?"),
        ("one", &many, "The ids field must not have more than 50 entries."),
        ("sums", r#"{"tasks":[{}]}"#, "The script lib/sums is for other scripts; try one of them."),
    ] {
        let reply = house.post(&format!("/api/v3/scripts/{name}/try"), body);
        assert_eq!((reply.status, reply.message().as_str()), (400, message), "{body}");
    }
    let reply = house.post("/api/v3/scripts/never/try", r#"{"tasks":[{}]}"#);
    assert!(reply.status == 400 && reply.message().starts_with("fields/never, line 3"), "{}", reply.text());
    assert_eq!(house.post("/api/v3/scripts/nothing/try", r#"{"tasks":[{}]}"#).status, 404);
}

#[test]
fn scripts_are_for_those_who_administer_the_server() {
    let house = House::new();
    house.load(&task(1, ""));
    house.script("fields/one.rhai", ONE);
    let token = house.token_with(|claims| claims.perms = vec!["view/task".to_owned(), "export/task".to_owned()]);
    for (method, path) in
        [("GET", "/api/v3/scripts"), ("GET", "/api/v3/scripts/one"), ("POST", "/api/v3/scripts/one/try")]
    {
        let reply = house.json(method, path, &token, r#"{"tasks":[{}]}"#);
        let message = "You do not have permission to administer the server";
        assert_eq!((reply.status, reply.message().as_str()), (403, message), "{path}");
    }
    // Tasks are for those who may view tasks.
    let token = house.token_with(|claims| claims.perms = vec!["admin/server".to_owned()]);
    let tried = |body: &str| house.json("POST", "/api/v3/scripts/one/try", &token, body);
    assert_eq!(tried(&json!({"ids": [id(1)]}).to_string()).message(), "You do not have permission to view tasks");
    assert_eq!(tried(r#"{"tasks":[{}]}"#).status, 200);
}

#[test]
fn readiness_tells_of_scripts_and_not_where_they_lie() {
    let house = House::new();
    house.script("fields/one.rhai", ONE);
    assert_eq!(house.get("/ready").value()["scripts"], json!([]));
    house.script("fields/one.rhai", BROKEN);
    let reply = house.send("GET", "/ready", "", &[], b"");
    assert_eq!((reply.status, &reply.value()["scripts"][0]["file"]), (200, &json!("fields/one.rhai")));
    let dir = &house.app.settings.scripts.dir;
    fs::remove_dir_all(dir).unwrap();
    fs::write(dir, "no folder").unwrap();
    house.app.scripts.look(house.clock.now());
    let reply = house.send("GET", "/ready", "", &[], b"");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.value()["reasons"], json!(["scripts: It cannot be used. The log has the cause."]));
    assert!(!reply.text().contains(&*house.data.path().to_string_lossy()));
}
