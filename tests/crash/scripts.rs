//! Scripts that mean harm in twelve ways, in a server whose address space is bounded: each costs its own
//! cells and nothing else.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, SOON, eventually, export};
use crate::house::{House, OURS, Server, program};
use crate::promises;

/// Tasks of the plain export, and of the one that calls the scripts.
const MANY: u64 = 5_000;
const SOME: u64 = 200;
const FEW: u64 = 8;
const PAUSE: Duration = Duration::from_millis(50);
/// Threads that call scripts, and the one that compiles them.
const CALLERS: u64 = 3;
/// What a call may hold at its worst, in budgets: one operation can double what is held, and a fault comes
/// after it.
const MOST_BUDGETS: u64 = 4;
/// What the server takes for all else in these tests, of memory and of address space.
const PLAIN_BYTES: u64 = 96 << 20;
const PLAIN_SPACE_BYTES: u64 = 384 << 20;
/// Bytes of a file that nobody should read.
const GIGABYTE: u64 = 1 << 30;

/// Scripts that no look at their text can refuse, with a part of what their faults say; nothing where that is
/// left to which of two limits is met first.
const LIVE: [(&str, &str, &str); 7] = [
    ("endless", "fn value(task, args) { loop { } }", "operations"),
    ("recursion", "fn value(task, args) { again(task) }\nfn again(x) { again(x) }", "call each other"),
    ("doubling", "fn value(task, args) { let s = \"x\"; loop { s += s; } }", "too large"),
    (
        "growing",
        "fn value(task, args) {\n  let s = \"x\"; for i in 0..15 { s += s; } let m = #{};\n  \
         for i in 0..100000 { m[\"k\" + i] = s + i; }\n}",
        "held more than",
    ),
    ("nested", "fn value(task, args) { let l = [0, 0]; loop { let k = l; l[0] = k; l[1] = k; } }", ""),
    (
        "slow",
        "fn value(task, args) {\n  let s = \"x\"; for i in 0..15 { s += s; } let t = s + \"y\"; let n = 0;\n  \
         loop { n += s.index_of(t); }\n}",
        "",
    ),
    (
        "odd",
        "fn value(task, args) {\n  switch task.n % 6 {\n    0 => |x| x, 1 => Fn(\"value\"), 2 => #{a: |x| x},\n    \
         3 => 0..5, 4 => task, _ => 1e308 * 10.0\n  }\n}",
        "gave",
    ),
];

/// Scripts that are refused, with the line of the fault and a part of its text.
const REFUSED: [(&str, &str, u32, &str); 4] = [
    ("absolute", "import \"/etc/passwd\" as p;\nfn value(task, args) { 1 }", 1, "Only files of lib/"),
    ("parent", "fn value(task, args) {\n  import \"../../secret\" as p;\n  1\n}", 2, "Only files of lib/"),
    ("eval", "fn value(task, args) {\n  eval(\"40 + 2\")\n}", 2, "eval"),
    ("sleep", "fn value(task, args) {\n  sleep(9999)\n}", 2, "sleep"),
];

/// A house with the scripts above, one of huge literals, one of a gigabyte, and a good one.
fn hostile_house() -> House {
    let house = House::with_tasks(MANY);
    for (name, text, _) in LIVE {
        write(&house, name, text);
    }
    for (name, text, ..) in REFUSED {
        write(&house, name, text);
    }
    write(&house, "literal", &format!("fn value(task, args) {{\n  [{}]\n}}", vec!["1"; 100_000].join(",")));
    write(&house, "good", "fn value(task, args) { task.n * 2 }");
    write(&house, "gigabyte", "");
    let path = house.path().join("scripts/fields/gigabyte.rhai");
    File::options().write(true).open(path).unwrap().set_len(GIGABYTE).unwrap();
    house
}

pub fn write(house: &House, name: &str, text: &str) {
    let folder = house.path().join("scripts/fields");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}.rhai"));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
}

/// What calls may hold at a time, where each is given so many bytes.
fn called_bytes(max_call_bytes: u64) -> u64 {
    CALLERS * MOST_BUDGETS * max_call_bytes
}

/// The server with the address space that it needs and no more.
fn start(house: &House, max_call_bytes: u64, variables: &[(&str, &str)]) -> Server {
    let kibibytes = (PLAIN_SPACE_BYTES + called_bytes(max_call_bytes)) >> 10;
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {kibibytes} && exec \"$0\" \"$@\"")]).arg(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(house.data());
    // Else the allocator sets address space aside for each thread, far more than is ever used.
    command.env("MALLOC_ARENA_MAX", "1").env("WAYBILL_EXPORT__THREADS", "2").envs(variables.iter().copied());
    Server::of(command, house.path()).listening()
}

fn scripts(client: &Client) -> Vec<Value> {
    let reply = client.get("/api/v3/scripts");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.value()["data"].as_array().unwrap().clone()
}

/// A script as it is listed.
pub fn script(client: &Client, name: &str) -> Value {
    scripts(client).into_iter().find(|script| script["name"] == name).unwrap()
}

/// What compiles is live; what does not is not, and says why.
fn are_sorted(client: &Client) {
    for name in LIVE.map(|(name, ..)| name).into_iter().chain(["good"]) {
        let script = script(client, name);
        assert_eq!((&script["live"], &script["fault"]), (&json!(true), &Value::Null), "{script}");
    }
    let is_refused = |name: &str, line: Option<u32>, text: &str| {
        let script = script(client, name);
        assert_eq!((&script["live"], &script["fault"]["line"]), (&json!(false), &json!(line)), "{script}");
        assert_eq!(script["fault"]["file"], format!("fields/{name}.rhai"));
        assert!(script["fault"]["text"].as_str().unwrap().contains(text), "{script}");
    };
    for (name, _, line, text) in REFUSED {
        is_refused(name, Some(line), text);
    }
    is_refused("literal", Some(2), "Size of array literal");
    is_refused("gigabyte", None, "It has 1073741824 bytes");
    assert_eq!(scripts(client).len(), LIVE.len() + REFUSED.len() + 3);
}

fn script_column(name: &str) -> Value {
    json!({"id": name, "component": "script", "title": name, "script": name})
}

/// A config with a column of each script that is live; what is not live cannot be used.
fn keep_config(client: &Client) -> String {
    let config = |fields: Vec<Value>| json!({"name": "Hostile", "collection": "task", "fields": fields});
    for (name, ..) in REFUSED {
        let reply = client.post("/api/v3/export-config", &config(vec![script_column(name)]));
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
    let mut fields = vec![json!({"id": "_id", "component": "input", "title": "Task"})];
    fields.extend(LIVE.map(|(name, ..)| script_column(name)));
    fields.push(script_column("good"));
    let reply = client.post("/api/v3/export-config", &config(fields));
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.value()["data"]["_id"].as_str().unwrap().to_owned()
}

/// Each hostile cell is empty and counted, each good one is there.
fn only_their_cells_are_missing(client: &Client, entry: &Value, rows: u64) {
    assert_eq!((&entry["status"], &entry["totalRecords"]), (&json!("Done"), &json!(rows)), "{entry}");
    let warnings = entry["warnings"].to_string();
    for (name, _, text) in LIVE {
        let script = format!("fields/{name}");
        assert_eq!(entry["faults"][&script], json!(rows), "{entry}");
        let told = warnings.split("The script ").find(|told| told.starts_with(&script)).unwrap();
        assert!(told.contains(&format!("failed {rows} times")) && told.contains(text), "{told}");
    }
    let file = client.get(entry["fileUrl"].as_str().unwrap()).text();
    let lines: Vec<&str> = file.lines().skip(1).collect();
    assert_eq!(lines.len() as u64, rows);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("{number:024x}{},{}", ",".repeat(LIVE.len()), number * 2));
    }
}

/// The server is asked how it is until the work is done, and answers each time.
fn is_well_meanwhile<T>(server: &Server, token: &str, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (over, news) = mpsc::channel::<()>();
        let asking = scope.spawn(move || {
            let client = server.client(token);
            while news.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                assert_eq!(client.get("/health").status, 200);
            }
        });
        let done = work();
        drop(over);
        asking.join().unwrap();
        done
    })
}

/// Exports so many tasks with all the scripts that are live, and all tasks without any beside it.
fn harms_nobody(max_call_bytes: u64, rows: u64, variables: &[(&str, &str)]) {
    let house = hostile_house();
    let mut server = start(&house, max_call_bytes, variables);
    let token = house.token(OURS);
    let client = server.client(&token);
    are_sorted(&client);
    let config = keep_config(&client);
    is_well_meanwhile(&server, &token, || {
        let mut body = export("csv", rows, "hostile");
        body["exportConfigId"] = json!(config);
        (body["sortBy"], body["sortOrder"]) = (json!("_id"), json!("asc"));
        let hostile = client.export(&body);
        client.until(&hostile, "it runs", |entry| entry["state"] != "queued");
        let plain = client.ended(&client.export(&export("csv", MANY, "plain")));
        let hostile = client.ended(&hostile);
        assert!(plain["startedAt"].as_str() < hostile["completedAt"].as_str(), "they ran beside each other");
        assert_eq!((&plain["status"], &plain["warnings"]), (&json!("Done"), &json!([])), "{plain}");
        assert_eq!(plain["totalRecords"], json!(MANY));
        only_their_cells_are_missing(&client, &hostile, rows);
    });
    promises::hold(&house, &[&client]);
    assert!(server.is_alive() && !server.said().contains("panicked"), "{}", server.said());
    let peak = server.peak_bytes();
    println!("the most memory was {} MB", peak / 1_000_000);
    assert!(peak < PLAIN_BYTES + called_bytes(max_call_bytes), "{peak} bytes");
}

#[test]
fn hostile_scripts_cost_their_own_cells_and_nothing_else() {
    let small = [
        ("WAYBILL_SCRIPTS__MAX_OPERATIONS", "5000"),
        ("WAYBILL_SCRIPTS__MAX_CALL_MS", "5"),
        ("WAYBILL_SCRIPTS__MAX_CALL_BYTES", "1048576"),
        ("WAYBILL_SCRIPTS__MAX_LIST_ITEMS", "1000"),
    ];
    harms_nobody(1 << 20, SOME, &small);
}

#[test]
fn hostile_scripts_do_no_harm_with_the_limits_that_are_shipped() {
    harms_nobody(32 << 20, FEW, &[]);
}

#[test]
fn a_gigabyte_in_the_place_of_a_live_script_leaves_that_live() {
    let house = House::with_tasks(FEW);
    write(&house, "good", "fn value(task, args) { task.n * 2 }");
    let server = start(&house, 32 << 20, &[]);
    let client = server.client(&house.token(OURS));
    let good = || script(&client, "good");
    let before = good();
    assert_eq!(before["fault"], Value::Null, "{before}");
    let path = house.path().join("scripts/fields/good.rhai");
    File::options().write(true).open(path).unwrap().set_len(GIGABYTE).unwrap();
    eventually("it is noticed", SOON, || !good()["fault"].is_null());
    assert_eq!((&good()["live"], &good()["hash"]), (&json!(true), &before["hash"]));
    assert!(server.peak_bytes() < PLAIN_BYTES);
}
