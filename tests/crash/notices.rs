//! Deaths between an export's end and the mail that tells of it: no mail is lost, and there are at
//! most as many more as there were deaths.
#![cfg(debug_assertions)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::client::{Client, SOON, eventually, export};
use crate::house::{House, OURS, Server};
use crate::promises;
use crate::smtp::{Mail, SmtpServer, Speech};

const SOME: u64 = 300;

/// The server of a house, mailing through that one, perhaps with a place to die at.
fn start(house: &House, mails: &SmtpServer, die: Option<&str>) -> Server {
    let port = mails.port.to_string();
    let mut variables = vec![
        ("WAYBILL_MAIL__HOST", "127.0.0.1"),
        ("WAYBILL_MAIL__PORT", port.as_str()),
        ("WAYBILL_MAIL__SECURITY", "none"),
        ("WAYBILL_MAIL__FROM", "exports@example.org"),
    ];
    variables.extend(die.map(|place| ("WAYBILL_DIE_AT", place)));
    house.start(&variables)
}

/// An export whose server dies at this place, until it has been told of; every mail there was.
fn told_despite(place: &str) -> Vec<Mail> {
    let (house, mails) = (House::with_tasks(SOME), SmtpServer::start(Speech::Plain));
    let server = start(&house, &mails, Some(place));
    let client = server.client(&house.token(OURS));
    let body = export("csv", SOME, "same");
    client.try_export(&body);
    server.died();
    let before = mails.mails().len();

    let server = start(&house, &mails, None);
    let client = server.client(&house.token(OURS));
    let id = client.export(&body);
    let entry = client.until(&id, "it is told", |entry| entry["notification"] == "sent");
    assert_eq!(entry["status"], "Done", "{entry}");
    promises::hold(&house, &[&client]);
    assert!(place == "notice-sent" || before == 0, "{place}: nobody is told before it is on disk");
    mails.mails()
}

#[test]
fn a_death_before_the_end_is_on_disk_tells_nobody_too_early() {
    assert_eq!(told_despite("before-settle").len(), 1);
}

#[test]
fn a_death_between_the_end_and_the_mail_costs_no_mail() {
    assert_eq!(told_despite("after-settle").len(), 1);
}

#[test]
fn a_death_after_the_mail_costs_one_more_under_the_same_id() {
    let mails = told_despite("notice-sent");
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[test]
fn kills_at_any_moment_lose_no_mail_and_double_no_more_than_they_must() {
    const ROUNDS: usize = 6;
    let (house, mails) = (House::with_tasks(SOME), SmtpServer::start(Speech::Plain));
    let token = house.token(OURS);
    let mut asked = Vec::new();
    for round in 0..ROUNDS {
        let server = start(&house, &mails, None);
        let client = server.client(&token);
        for number in 0..5 {
            let key = format!("key-{round}-{number}");
            asked.extend(client.try_export(&export("csv", 50, &key)));
        }
        // Early in some rounds, late in others.
        std::thread::sleep(Duration::from_millis(u64::try_from(round * 37 % 150).unwrap()));
        server.kill();
    }
    let server = start(&house, &mails, None);
    let client = server.client(&token);
    client.all_ended(SOON);
    eventually("all are told", SOON, || asked.iter().all(|id| client.entry(id)["notification"] == "sent"));
    promises::hold(&house, &[&client]);
    each_is_told(&client, &asked, &mails.mails(), ROUNDS);
}

fn each_is_told(client: &Client, asked: &[String], mails: &[Mail], kills: usize) {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in mails {
        let message_id = mail.header("Message-ID");
        let export = message_id.trim_start_matches('<').split('.').next().unwrap().to_owned();
        told.entry(export).or_default().push(message_id);
    }
    assert_eq!(asked.len(), told.len(), "every export is told of, and no other");
    for id in asked {
        let ids = &told[id];
        assert!(ids.iter().all(|message_id| *message_id == ids[0]), "{ids:?}");
        assert_eq!(client.entry(id)["notification"], Value::from("sent"));
    }
    assert!(mails.len() <= asked.len() + kills, "{} mails of {} exports", mails.len(), asked.len());
}
