//! The built program, as a shell sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use calamine::{Data, Reader, Xlsx, open_workbook};
use tempfile::TempDir;

fn waybill(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    waybill(folder, arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A running program that is ended with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// SIGTERM, and the code that it ends with.
    fn terminate(&mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let since = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(since.elapsed() < Duration::from_secs(30), "it ends in time");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server on a free port, and its address.
fn serve(folder: &Path) -> (Running, String) {
    let mut server = Running::start(&mut waybill(folder, &["serve", "--listen", "127.0.0.1:0"]));
    let mut line = String::new();
    BufReader::new(server.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("{line}"));
    (server, url.to_owned())
}

fn house() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn all_faults_of_the_settings_are_told_at_once() {
    let house = house();
    std::fs::write(house.path().join("config.toml"), "[server]\nlisten = 1\n[export]\nthread = 2\n").unwrap();
    for command in ["check", "serve", "token"] {
        let arguments: &[&str] = if command == "token" { &["token", "--email", "a@b"] } else { &[command] };
        let output = run(house.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let text = errors(&output);
        assert!(text.contains("config.toml:2: server.listen"), "{text}");
        assert!(text.contains("config.toml:4: export.thread is not a setting. Did you mean export.threads?"), "{text}");
    }
    assert_eq!(run(house.path(), &["nonsense"]).status.code(), Some(2));
    std::fs::remove_file(house.path().join("config.toml")).unwrap();
    assert_eq!(run(house.path(), &["check"]).status.code(), Some(0));
}

#[test]
fn scripts_are_checked_without_starting() {
    use std::os::unix::fs::PermissionsExt;
    let house = house();
    let write = |place: &str, text: &str| {
        let path = house.path().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    };
    assert!(printed(&run(house.path(), &["check"])).contains("There is no scripts folder scripts."));
    write("scripts/fields/one.rhai", "fn value(task, args) { 1 }");
    let output = run(house.path(), &["check", "--functions"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let text = printed(&output);
    assert!(text.contains("1 script is fine. Scripts folder: scripts"), "{text}");
    assert!(text.contains("\ndistance_metres("), "{text}");
    write("scripts/fields/two.rhai", "fn value(task, args) {\n  1 +\n}");
    write("scripts/flows/three four.rhai", "");
    write("scripts/five.rhai", "");
    write("config.toml", "[server]\nlisten = 1\n");
    let output = run(house.path(), &["check"]);
    assert_eq!(output.status.code(), Some(2));
    let text = errors(&output);
    for told in
        ["config.toml:2: server.listen", "scripts/fields/two.rhai:3:", "scripts/flows/three four.rhai: A script's"]
    {
        assert!(text.contains(told), "{told} in {text}");
    }
    assert!(!house.path().join("data").exists());
}

#[test]
fn a_second_program_on_the_folder_is_refused_and_told_who_has_it() {
    let house = house();
    let (mut server, _) = serve(house.path());
    let tasks = house.path().join("t.ndjson");
    std::fs::write(&tasks, "{}\n").unwrap();
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["load", "t.ndjson"],
        &["export", "--download", "csv", "--output", "x.csv"],
    ] {
        let output = run(house.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(errors(&output).contains(&format!("process {}", server.0.id())), "{}", errors(&output));
    }
    assert!(errors(&run(house.path(), &["load", "t.ndjson"])).contains("--url"));
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(run(house.path(), &["load", "t.ndjson"]).status.code(), Some(0));
}

#[test]
fn a_store_that_is_none_is_refused_and_left_alone() {
    for bytes in [&b""[..], b"something else", &[0; 100_000]] {
        let house = house();
        std::fs::create_dir(house.path().join("data")).unwrap();
        let store = house.path().join("data/waybill.redb");
        std::fs::write(&store, bytes).unwrap();
        let output = run(house.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(4), "{}", errors(&output));
        assert!(errors(&output).contains("waybill.redb"));
        assert_eq!(std::fs::read(&store).unwrap(), bytes);
    }
}

#[test]
fn a_token_stands_alone_on_standard_output_and_works() {
    let house = house();
    let (mut server, url) = serve(house.path());
    let output = run(house.path(), &["token", "--email", "a@example.org", "--permissions", "view/hub", "--days", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let token = printed(&output);
    assert_eq!((token.lines().count(), token.split('.').count()), (1, 3));
    let ask = |path: &str| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.get(format!("{url}{path}")).header("authorization", format!("Bearer {}", token.trim()));
        request.call().unwrap().status().as_u16()
    };
    assert_eq!((ask("/api/v3/hubs"), ask("/api/v3/flows")), (200, 403));
    assert_eq!(server.terminate(), Some(0));
    let output = run(house.path(), &["token", "--email", "a@example.org", "--permissions", "view/moon"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_loaded_is_exported() {
    let house = house();
    std::fs::write(
        house.path().join("a.csv"),
        "_id,title\n000000000000000000000001,\"One, two\"\n000000000000000000000002,=3\n",
    )
    .unwrap();
    std::fs::write(house.path().join("b.json"), r#"[{"_id":"000000000000000000000003","title":"Three","n":1.5}]"#)
        .unwrap();
    std::fs::write(
        house.path().join("c.ndjson"),
        "{\"_id\":\"000000000000000000000003\",\"title\":\"3\",\"n\":2}\nbad\n",
    )
    .unwrap();
    let output = run(house.path(), &["load", "a.csv", "b.json"]);
    assert_eq!(
        (output.status.code(), errors(&output).contains("3 added, 0 replaced, 0 bad")),
        (Some(0), true),
        "{}",
        errors(&output)
    );
    let output = run(house.path(), &["load", "c.ndjson"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("c.ndjson:2: "), "{}", errors(&output));
    assert!(errors(&output).contains("0 added, 1 replaced, 1 bad"));

    let export = [
        "export",
        "--download",
        "xlsx",
        "--output",
        "x.xlsx",
        "--fields",
        "title,n",
        "--sort-by",
        "_id",
        "--sort-order",
        "asc",
    ];
    let output = run(house.path(), &export);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let mut book: Xlsx<_> = open_workbook(house.path().join("x.xlsx")).unwrap();
    let sheet = book.worksheet_range("main").unwrap();
    let titles: Vec<String> = sheet.rows().map(|row| row[0].to_string()).collect();
    assert_eq!(titles, ["title", "One, two", "=3", "3"]);
    assert_eq!(sheet.get_value((3, 1)), Some(&Data::Float(2.0)));

    assert_eq!(run(house.path(), &export).status.code(), Some(2));
    let forced: Vec<&str> = export.into_iter().chain(["--force"]).collect();
    assert_eq!(run(house.path(), &forced).status.code(), Some(0));
    let output = run(house.path(), &["export", "--download", "xlsx", "--output", "y.xlsx", "--status", "OPEN"]);
    assert!(errors(&output).contains("The selected status is invalid."), "{}", errors(&output));
    let left: Vec<_> = std::fs::read_dir(house.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

#[test]
fn a_load_goes_through_a_running_server_too() {
    let house = house();
    let (mut server, url) = serve(house.path());
    let token = printed(&run(house.path(), &["token", "--email", "a@example.org"]));
    std::fs::write(house.path().join("t.ndjson"), "{\"title\":\"a\"}\n".repeat(20_000)).unwrap();
    let output = run(house.path(), &["load", "t.ndjson", "--url", &url, "--token", token.trim()]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(errors(&output).contains("20000 added, 0 replaced, 0 bad"), "{}", errors(&output));
    let output = run(house.path(), &["load", "t.ndjson", "--url", &url, "--token", "wrong"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("Unauthorized"), "{}", errors(&output));
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn the_demo_shows_the_whole_story() {
    let house = house();
    let mut demo = Running::start(&mut waybill(house.path(), &["demo", "--tasks", "300", "--listen", "127.0.0.1:0"]));
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
    let mut text = String::new();
    while !text.contains("until you press Ctrl-C") {
        text.push_str(&lines.next().expect("more of the story").unwrap());
        text.push('\n');
    }
    let after = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).unwrap().trim().to_owned();
    let file = after("File:");
    let mut book: Xlsx<_> = open_workbook(&file).unwrap();
    assert_eq!(book.worksheet_range("main").unwrap().height(), 301);
    let bytes = ureq::get(after("Link:")).call().unwrap().body_mut().read_to_vec().unwrap();
    assert_eq!(bytes, std::fs::read(&file).unwrap());
    let line: String = text
        .lines()
        .skip_while(|line| !line.starts_with("curl"))
        .take(4)
        .map(|line| line.trim_end_matches('\\'))
        .collect();
    let quoted: Vec<&str> = line.split('\'').collect();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let mut reply = ureq::post(url)
        .header("authorization", quoted[1].trim_start_matches("Authorization: "))
        .header("content-type", quoted[3].trim_start_matches("Content-Type: "))
        .send(quoted[5])
        .unwrap();
    let answer: serde_json::Value = serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(answer["total_data_be"], 100, "{answer}");
    assert_eq!(answer["warnings"], serde_json::json!([]));
    let scripts = after("Scripts:");
    let scripts = Path::new(scripts.split(" (").next().unwrap());
    assert!(scripts.join("flows/delivery_items.rhai").exists());
    assert_eq!(text.lines().filter(|line| line.starts_with("Config:")).count(), 2);
    assert_eq!(demo.terminate(), Some(0));
    assert!(!scripts.exists());
    assert!(!Path::new(&file).exists());
}

#[test]
fn a_demo_does_not_touch_a_folder_that_holds_tasks() {
    let house = house();
    std::fs::write(house.path().join("t.ndjson"), "{}\n").unwrap();
    assert_eq!(run(house.path(), &["load", "t.ndjson", "--data", "d"]).status.code(), Some(0));
    let output = run(house.path(), &["demo", "--data", "d", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("holds 1 tasks already"), "{}", errors(&output));
}

#[test]
fn a_sweep_deletes_what_has_had_its_time_on_a_folder_that_no_server_uses() {
    let house = house();
    let day = house.path().join("data/files/20200101");
    let leave_an_orphan = || {
        std::fs::create_dir_all(&day).unwrap();
        let orphan = std::fs::File::create(day.join("task_1_2_x.csv")).unwrap();
        orphan.set_len(7).unwrap();
        orphan.set_modified(std::time::SystemTime::now() - Duration::from_secs(90_000)).unwrap();
    };
    leave_an_orphan();
    let (mut server, _) = serve(house.path());
    eventually("the server sweeps when it starts", || !day.exists());
    leave_an_orphan();
    for arguments in [&["sweep"][..], &["sweep", "--dry-run"]] {
        let output = run(house.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(errors(&output).contains(&format!("process {}", server.0.id())), "{}", errors(&output));
    }
    assert!(day.join("task_1_2_x.csv").exists());
    assert_eq!(server.terminate(), Some(0));
    let counts = "0 expired files, 0 old entries, 1 files without an entry, 0 idempotency keys; 7 bytes\n";
    let output = run(house.path(), &["sweep", "--dry-run"]);
    assert_eq!((output.status.code(), printed(&output)), (Some(0), format!("would sweep: {counts}")));
    assert!(day.join("task_1_2_x.csv").exists());
    let output = run(house.path(), &["sweep"]);
    assert_eq!((output.status.code(), printed(&output)), (Some(0), format!("swept: {counts}")));
    assert!(!day.exists());
    assert!(printed(&run(house.path(), &["sweep"])).contains("0 files without an entry"));
}

/// Waits until it is so, for at most ten seconds.
fn eventually(what: &str, so: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bench_measures_every_work_and_leaves_nothing_but_its_results() {
    let house = house();
    std::fs::write(house.path().join("config.toml"), "this = \"is not read\"").unwrap();
    let output = run(house.path(), &["bench", "--data", ".", "--tasks", "500", "--runs", "1"]);
    assert!(output.status.success(), "{}", errors(&output));
    let table = printed(&output);
    assert!(table.contains("500 tasks of ") && table.contains(" times as fast"), "{table}");
    let results: serde_json::Value =
        serde_json::from_slice(&std::fs::read(house.path().join("waybill-bench.json")).unwrap()).unwrap();
    let measured = results["measured"].as_array().unwrap();
    let works: Vec<&str> = measured.iter().map(|one| one["work"].as_str().unwrap()).collect();
    let exports = ["xlsx", "xlsxByText", "xlsxOfFew", "xlsxWithScripts", "xlsxEveryColumn", "csv", "json"];
    let wanted: Vec<&str> = ["load"].into_iter().chain(exports).chain(["rustXlsxwriter", "oneThread"]).collect();
    assert_eq!(works, wanted);
    for one in measured {
        let rows = one["rows"].as_u64().unwrap();
        assert!(if one["work"] == "xlsxOfFew" { (1..100).contains(&rows) } else { rows == 500 }, "{one}");
        assert!(one["rowsPerSecond"].as_u64().unwrap() > 0, "{one}");
        let is_export = exports.iter().any(|export| one["work"] == *export);
        assert_eq!(one["stages"]["rendering"].as_f64().is_some(), is_export, "{one}");
        assert!(one["work"] == "load" || one["fileBytes"].as_u64().unwrap() > 1_000, "{one}");
    }
    let mut left: Vec<_> = std::fs::read_dir(house.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["config.toml", "waybill-bench.json"]);
}
