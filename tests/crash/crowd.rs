//! A thousand exports at once.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Client, eventually, export};
use crate::house::{House, LONG, OURS, Server, tasks};
use crate::promises;

/// Three organisations, and how many exports each asks for.
const CROWD: [(&str, u64); 3] =
    [("0000000000000000000000a1", 700), ("0000000000000000000000a2", 200), ("0000000000000000000000a3", 100)];
const CLIENTS: usize = 6;
const MOST_BYTES: u64 = 300_000_000;
/// All thousand of them, with a start in between.
const WITHIN: Duration = Duration::from_secs(300);
const VARIABLES: [(&str, &str); 2] = [("WAYBILL_EXPORT__QUEUE_PER_USER", "2000"), ("WAYBILL_EXPORT__WORKERS", "1")];

fn clients(house: &House, server: &Server) -> Vec<Client> {
    CROWD.iter().map(|(organization, _)| server.client(&house.token(organization))).collect()
}

/// Everything that is asked for, in an order in which each organisation comes as often as it can.
fn submissions() -> Vec<(usize, u64)> {
    let mut all: Vec<(usize, u64)> = CROWD
        .iter()
        .enumerate()
        .flat_map(|(place, (_, count))| (0..*count).map(move |number| (place, number)))
        .collect();
    all.sort_by_key(|(place, number)| (number * 1000 / CROWD[*place].1, *place));
    all
}

fn submit(server: &Server, tokens: &[String]) {
    let all = submissions();
    std::thread::scope(|scope| {
        for part in 0..CLIENTS {
            let all = &all;
            scope.spawn(move || {
                let clients: Vec<Client> = tokens.iter().map(|token| server.client(token)).collect();
                for (place, number) in all.iter().skip(part).step_by(CLIENTS) {
                    clients[*place].export(&export("csv", 10 + number % 40, &format!("key {number}")));
                }
            });
        }
    });
}

fn done(clients: &[Client]) -> Vec<u64> {
    clients.iter().map(|client| client.count("Done")).collect()
}

#[test]
fn a_thousand_exports_of_three_organisations_are_done_fairly_and_in_little_memory() {
    let house = House::with_tasks(LONG);
    let server = house.start(&VARIABLES);
    for client in clients(&house, &server) {
        client.load(&tasks(50));
    }
    let tokens: Vec<String> = CROWD.iter().map(|(organization, _)| house.token(organization)).collect();
    // One large export of somebody else keeps the only worker while the crowd gathers.
    let other = server.client(&house.token(OURS));
    let large = other.export(&export("xlsx", LONG, "large"));
    other.until(&large, "it runs", |entry| entry["state"] == "running");
    let started = Instant::now();
    submit(&server, &tokens);
    println!("a thousand exports are accepted in {:?}", started.elapsed());
    let here: Vec<Client> = clients(&house, &server);
    let before = done(&here);
    eventually("a tenth is done", WITHIN, || done(&here).iter().sum::<u64>() >= before.iter().sum::<u64>() + 100);
    let peak = server.peak_bytes();
    server.kill();

    let server = house.start(&VARIABLES);
    let here: Vec<Client> = clients(&house, &server);
    here.iter().for_each(|client| client.all_ended(WITHIN));
    println!("all of them are done after {:?}", started.elapsed());
    let other = server.client(&house.token(OURS));
    other.ended(&large);
    let peak = peak.max(server.peak_bytes());
    println!("the most memory was {} MB", peak / 1_000_000);
    assert!(peak < MOST_BYTES, "{peak} bytes");

    let logs: Vec<Vec<Value>> = here.iter().map(Client::log).collect();
    for ((_, count), log) in CROWD.iter().zip(&logs) {
        assert_eq!(log.len() as u64, *count);
        assert!(log.iter().all(|entry| entry["status"] == "Done"), "{log:#?}");
    }
    let repeated: u64 = logs.iter().flatten().map(|entry| entry["attempts"].as_u64().unwrap() - 1).sum();
    assert!(repeated <= 1, "one at most ran when the server was killed, {repeated} were counted");
    is_fair(&logs, &before);
    let everybody: Vec<&Client> = here.iter().chain([&other]).collect();
    promises::hold(&house, &everybody);
}

/// While all three have work waiting, about as many are completed of each. Times are of whole
/// seconds, so that this is looked at when a second is over.
fn is_fair(logs: &[Vec<Value>], before: &[u64]) {
    let times: Vec<Vec<&str>> = logs
        .iter()
        .zip(before)
        .map(|(log, before)| {
            let mut times: Vec<&str> = log.iter().map(|entry| entry["completedAt"].as_str().unwrap()).collect();
            times.sort_unstable();
            times.split_off(usize::try_from(*before).unwrap())
        })
        .collect();
    let all_wait_until = times.iter().map(|times| *times.last().unwrap()).min().unwrap();
    let mut seconds: Vec<&str> = times.iter().flatten().copied().filter(|time| *time < all_wait_until).collect();
    seconds.sort_unstable();
    seconds.dedup();
    assert!(seconds.len() >= 2, "the crowd had gathered before it was served");
    for second in seconds {
        let counts: Vec<usize> =
            times.iter().map(|times| times.iter().filter(|time| **time <= second).count()).collect();
        let (most, least) = (counts.iter().max().unwrap(), counts.iter().min().unwrap());
        println!("{second}: {counts:?}");
        assert!(most - least <= 10, "at {second} {counts:?} are done");
    }
}
