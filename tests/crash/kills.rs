//! Kills at any moment.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::client::{Client, SOON, export};
use crate::house::{House, OURS};
use crate::promises;

/// Exports in flight at most.
const IN_FLIGHT: usize = 20;
const CLIENTS: usize = 4;
/// Exports that a server here runs at a time: two of any size and a small one.
const WORKERS: u64 = 3;
const LATEST_MS: u64 = 400;

/// What clients remember of the exports that they asked for, by idempotency key.
#[derive(Default)]
struct Asked {
    /// The id that was answered, and the kills since then.
    accepted: BTreeMap<String, (String, u64)>,
    unanswered: Vec<String>,
    next: u64,
}

impl Asked {
    /// First again what was not answered.
    fn key(&mut self) -> String {
        self.unanswered.pop().unwrap_or_else(|| {
            self.next += 1;
            format!("key-{}", self.next)
        })
    }

    fn accept(&mut self, key: String, id: String) {
        let before = self.accepted.insert(key, (id, 0));
        assert!(before.is_none());
    }
}

/// Asks until the server is gone, with no more in flight than may be.
fn ask(client: &Client, asked: &Mutex<Asked>) {
    while let Some(waiting) = waiting(client) {
        if waiting + CLIENTS > IN_FLIGHT {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let key = asked.lock().unwrap().key();
        let answered = client.try_export(&body(&key));
        let mut asked = asked.lock().unwrap();
        match answered {
            Some(id) => asked.accept(key, id),
            None => return asked.unanswered.push(key),
        }
    }
}

/// How many of the caller's exports have not ended; nothing when the server is gone.
fn waiting(client: &Client) -> Option<usize> {
    let path = "/api/v3/tasks/export-log?limit=1&status=Processing";
    let reply = client.try_send("GET", path, "application/json", b"")?;
    Some(usize::try_from(reply.value()["total"].as_u64().unwrap()).unwrap())
}

/// Both forms, of some hundred rows; the same key always means the same body.
fn body(key: &str) -> Value {
    let number: u64 = key.trim_start_matches("key-").parse().unwrap();
    export(if number.is_multiple_of(4) { "xlsx" } else { "csv" }, 50 + number % 7 * 50, key)
}

/// Small, and good enough for this (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn chosen(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn fifty_rounds_of_kill_9_lose_nothing_and_double_nothing() {
    let rounds = chosen("WAYBILL_CRASH_ROUNDS").unwrap_or(if std::env::var_os("CI").is_some() { 50 } else { 8 });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let seed = chosen("WAYBILL_CRASH_SEED").unwrap_or(u64::try_from(now % 1_000_000_007).unwrap());
    println!("WAYBILL_CRASH_ROUNDS={rounds} WAYBILL_CRASH_SEED={seed}");
    let mut random = Random(seed.max(1));
    let house = House::with_tasks(400);
    let token = house.token(OURS);
    let asked = Mutex::new(Asked::default());
    for round in 0..rounds {
        one_round(&house, &token, &asked, Duration::from_millis(random.below(LATEST_MS + 1)), round % 3 == 0);
    }
    let server = house.start(&[]);
    let client = server.client(&token);
    let mut asked = asked.into_inner().unwrap();
    for key in std::mem::take(&mut asked.unanswered) {
        let id = client.export(&body(&key));
        asked.accept(key, id);
    }
    client.all_ended(SOON);
    told(&client, &asked, rounds);
    promises::hold(&house, &[&client]);
}

/// A kill so long after the server was started, or after it began to listen.
fn one_round(house: &House, token: &str, asked: &Mutex<Asked>, after: Duration, of_the_start: bool) {
    let mut server = house.launch(&[]);
    if !of_the_start {
        server = server.listening();
    }
    let address = server.address();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let Some(url) = address.wait() else { return };
            std::thread::scope(|scope| {
                (0..CLIENTS).for_each(|_| drop(scope.spawn(|| ask(&Client::new(&url, token), asked))));
            });
        });
        std::thread::sleep(after);
        server.kill();
    });
    asked.lock().unwrap().accepted.values_mut().for_each(|(_, kills)| *kills += 1);
}

/// What the client was told holds against the log.
fn told(client: &Client, asked: &Asked, rounds: u64) {
    let log: BTreeMap<String, Value> =
        client.log().into_iter().map(|entry| (entry["_id"].as_str().unwrap().to_owned(), entry)).collect();
    assert_eq!(log.len(), asked.accepted.len(), "one entry for each key");
    let mut attempts = 0;
    let mut done = 0;
    for (key, (id, kills)) in &asked.accepted {
        let entry = log.get(id).unwrap_or_else(|| panic!("{key}, answered with {id}, is not in the log"));
        assert_eq!(client.export(&body(key)), *id, "{key} is answered as before");
        attempts += entry["attempts"].as_u64().unwrap();
        if entry["status"] == "Done" {
            done += 1;
            assert_eq!(entry["totalRecords"], body(key)["limit"], "{entry}");
        } else {
            assert!(entry["errorMessage"].as_str().unwrap().contains("interrupted 3 times"), "{entry}");
            assert!(entry["attempts"] == 3 && *kills >= 3, "{kills} kills: {entry}");
        }
    }
    println!("{} exports, {done} done, {attempts} attempts, {rounds} kills", log.len());
    assert!(attempts <= done + rounds * WORKERS, "no attempt is counted but of what ran when it was killed");
}
