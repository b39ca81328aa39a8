//! A thousand exports at once.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Client, export};
use crate::house::{House, Server, tasks};
use crate::promises;

/// Three organisations, and how many exports each asks for, one organisation after the other.
const CROWD: [(&str, u64); 3] =
    [("0000000000000000000000a1", 700), ("0000000000000000000000a2", 200), ("0000000000000000000000a3", 100)];
const CLIENTS: u64 = 6;
const MOST_BYTES: u64 = 300_000_000;
/// All thousand of them, with a start in between.
const WITHIN: Duration = Duration::from_secs(300);
const ROOM: [(&str, &str); 1] = [("WAYBILL_EXPORT__QUEUE_PER_USER", "2000")];
/// Exports by which one organisation may be ahead of another: those that run, and those that ended
/// between two looks.
const AHEAD: u64 = 10;

#[test]
fn a_thousand_exports_of_three_organisations_are_done_fairly_and_in_little_memory() {
    let house = House::new();
    let server = house.start(&ROOM);
    let tokens: Vec<String> = CROWD.iter().map(|(organization, _)| house.token(organization)).collect();
    let clients = |server: &Server| -> Vec<Client> { tokens.iter().map(|token| server.client(token)).collect() };
    clients(&server).iter().for_each(|client| client.load(&tasks(50)));
    let started = Instant::now();
    for (token, (_, count)) in tokens.iter().zip(CROWD) {
        submit(&server, token, count);
    }
    println!("a thousand exports are accepted after {:?}", started.elapsed());
    let shares = Shares::from_now(&clients(&server));
    shares.watch(&clients(&server), started, |done| done >= shares.before.iter().sum::<u64>() + 120);
    let peak = server.peak_bytes();
    server.kill();

    let server = house.start(&ROOM);
    shares.watch(&clients(&server), started, |done| done == 1_000);
    println!("all of them are done after {:?}", started.elapsed());
    let peak = peak.max(server.peak_bytes());
    println!("the most memory was {} MB", peak / 1_000_000);
    assert!(peak < MOST_BYTES, "{peak} bytes");

    let clients = clients(&server);
    let logs: Vec<Vec<Value>> = clients.iter().map(Client::log).collect();
    for ((_, count), log) in CROWD.iter().zip(&logs) {
        assert_eq!(log.len() as u64, *count);
        assert!(log.iter().all(|entry| entry["status"] == "Done"), "{log:#?}");
    }
    let repeated: u64 = logs.iter().flatten().map(|entry| entry["attempts"].as_u64().unwrap() - 1).sum();
    assert!(repeated <= 3, "three at most ran when the server was killed, {repeated} were counted");
    promises::hold(&house, &clients.iter().collect::<Vec<_>>());
}

/// Asks for so many exports, some at a time, and expects each to be accepted.
fn submit(server: &Server, token: &str, count: u64) {
    std::thread::scope(|scope| {
        for first in 0..CLIENTS {
            scope.spawn(move || {
                let client = server.client(token);
                for number in (first..count).step_by(usize::try_from(CLIENTS).unwrap()) {
                    client.export(&export("csv", 10 + number % 40, &format!("key-{number}")));
                }
            });
        }
    });
}

/// How many exports of each organisation have been done since all of them wait.
struct Shares {
    before: Vec<u64>,
}

impl Shares {
    fn from_now(clients: &[Client]) -> Self {
        let before = done(clients);
        println!("{before:?} of them were done meanwhile");
        // Else there was never a moment at which the shares could be compared.
        assert!(before[2] <= 50, "{before:?}");
        Self { before }
    }

    /// Looks until enough are done. While all three have work waiting, about as many are done of each.
    fn watch(&self, clients: &[Client], since: Instant, enough: impl Fn(u64) -> bool) {
        loop {
            let done = done(clients);
            let all_wait = done.iter().zip(CROWD).all(|(done, (_, count))| done + AHEAD < count);
            let shares: Vec<u64> = done.iter().zip(&self.before).map(|(done, before)| done - before).collect();
            let (most, least) = (shares.iter().max().unwrap(), shares.iter().min().unwrap());
            assert!(!all_wait || most - least <= AHEAD, "{shares:?} are done");
            if enough(done.iter().sum()) {
                println!("{shares:?} of the others are done");
                return;
            }
            assert!(since.elapsed() < WITHIN, "{done:?} are done");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn done(clients: &[Client]) -> Vec<u64> {
    clients.iter().map(|client| client.count("Done")).collect()
}
