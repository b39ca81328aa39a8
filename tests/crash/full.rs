//! A full disk: what is there stays and can be read, what is refused is told, and it ends by itself.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Reply, SOON, accepted, eventually, export};
use crate::house::{House, OURS, Server, program, tasks, token};
use crate::promises;

/// What the contract of a store that comes back means by seconds.
const BACK: Duration = Duration::from_secs(20);
/// Bytes that are enough for the store's next commits and for no file of 5,000 rows.
const ROOM: u64 = 160 * 1024;
const SWITCH: &str = "WAYBILL_FAIL_FILE";

fn submit(client: &Client, body: &Value) -> Reply {
    client.post("/api/v3/tasks/export", body)
}

/// The answer of a server whose disk is full.
fn is_refusal(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text());
    let seconds = reply.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{:?}", reply.headers);
    assert_eq!(reply.value()["status"], false);
    assert!(!reply.value()["message"].as_str().unwrap_or_default().is_empty(), "{}", reply.text());
}

/// What can be read can still be read.
fn reads_go_on(client: &Client, done: &str) {
    assert_eq!(client.get("/health").status, 200);
    assert_eq!(client.get("/api/v3/tasks?limit=5").status, 200);
    promises::is_whole(client, &client.entry(done));
}

fn is_not_ready(client: &Client) {
    let reply = client.get("/ready");
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.text().to_lowercase().contains("store"), "it names what is not ready: {}", reply.text());
}

fn is_ready(client: &Client) {
    eventually("it is ready", BACK, || client.get("/ready").status == 200);
}

/// Asks until it is accepted, and waits until it is done.
fn works_again(client: &Client, once: &str) -> Value {
    let body = export("csv", 50, once);
    eventually("exports are accepted", BACK, || submit(client, &body).status == 200);
    let entry = client.ended(&client.export(&body));
    assert_eq!(entry["status"], "Done", "{entry}");
    entry
}

#[cfg(debug_assertions)]
#[test]
fn a_store_that_cannot_commit_refuses_what_is_new_and_works_again_by_itself() {
    let house = House::with_tasks(400);
    let switch = house.path().join("switch");
    let mut server = house.start(&[(SWITCH, switch.to_str().unwrap())]);
    let client = server.client(&house.token(OURS));
    is_ready(&client);
    let done = works_again(&client, "before")["_id"].as_str().unwrap().to_owned();
    for round in 0..3 {
        fs::write(&switch, "store-commit").unwrap();
        for number in 0..3 {
            is_refusal(&submit(&client, &export("csv", 50, &format!("refused-{round}-{number}"))));
        }
        is_not_ready(&client);
        reads_go_on(&client, &done);
        is_refusal(&client.post("/api/v3/hub", &json!({"name": format!("Hub {round}")})));
        fs::remove_file(&switch).unwrap();
        works_again(&client, &format!("after-{round}"));
        is_ready(&client);
    }
    assert!(server.is_alive());
    assert_eq!(client.log().len(), 4, "what was refused is not in the log");
    promises::hold(&house, &[&client]);
}

#[cfg(debug_assertions)]
#[test]
fn what_was_accepted_before_the_store_failed_is_done_after_it() {
    let house = House::with_tasks(20_001);
    let switch = house.path().join("switch");
    let server = house.start(&[(SWITCH, switch.to_str().unwrap())]);
    let client = server.client(&house.token(OURS));
    let done = works_again(&client, "before")["_id"].as_str().unwrap().to_owned();
    let bodies: Vec<Value> = (0..10).map(|number| export("csv", 20_001, &format!("key-{number}"))).collect();
    let ids: Vec<String> = bodies.iter().map(|body| client.export(body)).collect();
    fs::write(&switch, "store-commit").unwrap();
    is_refusal(&submit(&client, &export("csv", 50, "refused")));
    // Long enough for those that run to find that they cannot be settled.
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        reads_go_on(&client, &done);
    }
    fs::remove_file(&switch).unwrap();
    for id in &ids {
        let entry = client.ended(id);
        assert_eq!(entry["status"], "Done", "{entry}");
    }
    is_ready(&client);
    assert_eq!(client.log().len(), 1 + ids.len());
    promises::hold(&house, &[&client]);
}

#[cfg(debug_assertions)]
#[test]
fn a_file_that_cannot_be_written_fails_its_export_with_a_reason_and_leaves_nothing() {
    let house = House::with_tasks(20_001);
    let switch = house.path().join("switch");
    let server = house.start(&[(SWITCH, switch.to_str().unwrap())]);
    let client = server.client(&house.token(OURS));
    for (number, download) in ["csv", "xlsx"].into_iter().enumerate() {
        fs::write(&switch, "draft-write").unwrap();
        let entry = client.ended(&client.export(&export(download, 20_001, &format!("failing-{number}"))));
        assert_eq!(entry["status"], "Failed", "{entry}");
        is_about_the_disk(&entry);
        assert_eq!((house.temp_files(), house.kept_files().len()), (0, number));
        fs::remove_file(&switch).unwrap();
        works_again(&client, &format!("after-{number}"));
    }
    promises::hold(&house, &[&client]);
}

#[cfg(debug_assertions)]
#[test]
fn one_export_whose_file_cannot_be_written_does_not_touch_the_others() {
    let house = House::with_tasks(400);
    let switch = house.path().join("switch");
    fs::write(&switch, "draft-write:5").unwrap();
    let server = house.start(&[(SWITCH, switch.to_str().unwrap())]);
    let client = server.client(&house.token(OURS));
    let ids: Vec<String> = (0..10).map(|number| client.export(&export("csv", 400, &format!("key-{number}")))).collect();
    let ended: Vec<Value> = ids.iter().map(|id| client.ended(id)).collect();
    let failed: Vec<&Value> = ended.iter().filter(|entry| entry["status"] != "Done").collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    is_about_the_disk(failed[0]);
    promises::hold(&house, &[&client]);
}

fn is_about_the_disk(entry: &Value) {
    let why = entry["errorMessage"].as_str().unwrap_or_default();
    assert!(why.to_lowercase().contains("disk"), "{entry}");
}

/// The server on a small disk of its own, which is seen by no other process and goes with it.
struct SmallDisk {
    server: Server,
    /// The data folder, as seen from here.
    data: PathBuf,
}

impl SmallDisk {
    /// As root, or as whoever may be root among his own.
    fn mount(house: &House) -> Result<Self, String> {
        let mut refused = String::new();
        for flags in ["-m", "-rm"] {
            fs::create_dir_all(house.data()).unwrap();
            let mut command = Command::new("unshare");
            let script = "mount -t tmpfs -o size=24m,mode=700 waybill \"$1\" && shift && exec \"$@\"";
            command.args([flags, "sh", "-c", script, "sh"]).arg(house.data()).arg(program());
            command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(house.data());
            match Server::of(command, house.path()).try_listening() {
                Ok(server) => {
                    let inside = house.data().strip_prefix("/").unwrap().to_owned();
                    let data = Path::new("/proc").join(server.id().to_string()).join("root").join(inside);
                    return Ok(Self { server, data });
                }
                Err(said) => refused += &format!("unshare {flags}: {said}"),
            }
        }
        Err(refused)
    }

    /// Writes until nothing more can be written.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.data.join("filler")).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives back a part of what the filler has.
    fn leave(&self, bytes: u64) {
        let filler = File::options().write(true).open(self.data.join("filler")).unwrap();
        filler.set_len(filler.metadata().unwrap().len() - bytes).unwrap();
    }

    fn make_space(&self) {
        fs::remove_file(self.data.join("filler")).unwrap();
    }

    fn temp_files(&self) -> usize {
        fs::read_dir(self.data.join("temp")).unwrap().count()
    }
}

/// Exports whose bodies are large, until the store finds no room for one.
fn submit_until_refused(client: &Client, round: usize) -> Vec<String> {
    let ids: Vec<String> = (0..2_000).map(|number| format!("{number:024x}")).collect();
    let mut taken = Vec::new();
    for number in 0..500 {
        let mut body = export("csv", 50, &format!("full-{round}-{number}"));
        body["ids"] = json!(ids);
        let reply = submit(client, &body);
        if reply.status != 200 {
            is_refusal(&reply);
            println!("{} exports were accepted on a full disk", taken.len());
            return taken;
        }
        taken.push(accepted(&reply));
    }
    panic!("500 exports were accepted on a full disk");
}

#[test]
fn a_data_folder_that_is_really_full_refuses_fails_and_works_again_by_itself() {
    let house = House::new();
    let disk = match SmallDisk::mount(&house) {
        Ok(disk) => disk,
        Err(refused) => return skip(&refused),
    };
    let client = disk.server.client(&token(&disk.data, OURS));
    client.load(&tasks(5_000));
    let done = works_again(&client, "before")["_id"].as_str().unwrap().to_owned();
    for round in 0..2 {
        disk.fill();
        let taken = submit_until_refused(&client, round);
        is_not_ready(&client);
        reads_go_on(&client, &done);
        disk.make_space();
        works_again(&client, &format!("after-{round}"));
        is_ready(&client);
        for id in taken {
            let entry = client.ended(&id);
            // There was room for its entry, and for its file or for a part of it.
            if entry["status"] != "Done" {
                is_about_the_disk(&entry);
            }
        }
        reads_go_on(&client, &done);
    }
    eventually("nothing runs", SOON, || client.count("Processing") == 0);
    assert_eq!(disk.temp_files(), 0);
    for entry in client.log().iter().filter(|entry| entry["status"] == "Done") {
        promises::is_whole(&client, entry);
    }
}

#[test]
fn a_folder_with_room_for_the_log_but_not_for_the_file_fails_the_export_with_a_reason() {
    let house = House::new();
    let disk = match SmallDisk::mount(&house) {
        Ok(disk) => disk,
        Err(refused) => return skip(&refused),
    };
    let client = disk.server.client(&token(&disk.data, OURS));
    client.load(&tasks(5_000));
    works_again(&client, "before");
    for (number, download) in ["csv", "xlsx"].into_iter().enumerate() {
        disk.fill();
        disk.leave(ROOM);
        let entry = client.ended(&client.export(&export(download, 5_000, &format!("failing-{number}"))));
        assert_eq!(entry["status"], "Failed", "{entry}");
        is_about_the_disk(&entry);
        assert_eq!(disk.temp_files(), 0);
        disk.make_space();
        works_again(&client, &format!("after-{number}"));
        let entry = client.ended(&client.export(&export(download, 5_000, &format!("whole-{number}"))));
        promises::is_whole(&client, &entry);
    }
}

/// On a machine of the builds, only a system that does not allow it is a reason.
fn skip(refused: &str) {
    eprintln!("SKIPPED: no small disk can be mounted here, so that a full one is not tested:\n{refused}");
    let words = refused.to_lowercase();
    let is_forbidden = words.contains("operation not permitted") || words.contains("permission denied");
    assert!(std::env::var_os("CI").is_none() || is_forbidden, "{refused}");
}
