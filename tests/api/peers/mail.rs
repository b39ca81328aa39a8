//! Mails through a server of others. What a mail program makes of them is for `.ci/mail.py` to see.

use std::path::PathBuf;
use std::process::Command;

use waybill::app::outbox::Lane;
use waybill::app::queue;
use waybill::domain::{Language, Mailbox};
use waybill::export;
use waybill::jobs::send_due;
use waybill::kit::secret::Secret;
use waybill::settings::{Mail, MailSecurity, Settings};

use super::told;
use crate::support::{House, eventually, tasks};

const EVERYTHING: &str = r#"{"download":"csv","background":true,"name":"Kunjungan Mei \u2013 \u00dcbersicht"}"#;
const WAYS: [(&str, MailSecurity); 3] =
    [("PLAIN", MailSecurity::None), ("STARTTLS", MailSecurity::StartTls), ("TLS", MailSecurity::Tls)];

fn through(way: &str, security: MailSecurity) -> impl FnOnce(&mut Settings) + use<> {
    let port = told(&format!("WAYBILL_PEER_SMTP_{way}")).parse().unwrap();
    move |settings| {
        let mail = &mut settings.mail;
        (mail.host, mail.port, mail.security) = (Some("localhost".to_owned()), port, security);
        mail.from = Mailbox::parse("Ekspor \u{b7} Waybill <exports@example.org>");
        mail.language = Language::Indonesian;
        mail.ca_file = Some(told("WAYBILL_PEER_SMTP_CA").into());
        if security != MailSecurity::None {
            mail.username = Some(told("WAYBILL_PEER_SMTP_USER"));
            mail.password = Some(Secret::new(told("WAYBILL_PEER_SMTP_PASSWORD")));
        }
    }
}

fn house(choose: impl FnOnce(&mut Settings)) -> House {
    let house = House::with(choose);
    house.load(&tasks(40));
    house
}

/// Asks for an export as somebody, runs it and sends what is due; its id, and whether it was told.
fn told_to(house: &House, email: &str) -> (String, String) {
    let token = house.token_with(|claims| {
        (claims.email, claims.name) = (email.to_owned(), "Sar\u{ef}, Ana".to_owned());
    });
    let reply = house.json("POST", "/api/v3/tasks/export", &token, EVERYTHING);
    let id = reply.value()["data"]["_id"].as_str().unwrap().to_owned();
    export::attempt(&house.app, &house.app.queue.take(queue::Lane::Any).unwrap());
    send_due(&house.app, Lane::Mail).unwrap();
    let entry = house.get(&format!("/api/v3/tasks/export-log/{id}")).value();
    (id, entry["data"]["notification"].as_str().unwrap().to_owned())
}

/// The mail that was delivered with this in it.
fn delivered(mark: &str) -> Option<String> {
    let folder = PathBuf::from(told("WAYBILL_PEER_SMTP_MAILS")).join("all/new");
    let files = std::fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
    files.map(|file| std::fs::read_to_string(file).unwrap()).find(|mail| mail.contains(mark))
}

#[test]
#[ignore = "needs the server that .ci/mail starts"]
fn mails_arrive_by_every_way_encrypted_and_logged_in_where_that_is_set() {
    for (way, security) in WAYS {
        let house = house(through(way, security));
        let (id, notification) = told_to(&house, "ana@example.org");
        assert_eq!(notification, "sent", "{way}");
        let message_id = format!("<{id}.done.");
        eventually("it is delivered", || delivered(&message_id).is_some());
        let mail = delivered(&message_id).unwrap();
        let is_secret = security != MailSecurity::None;
        let login = format!("(Authenticated sender: {})", told("WAYBILL_PEER_SMTP_USER"));
        for (mark, is_there) in
            [("Received: from example.org", true), ("using TLSv1.3", is_secret), (&login, is_secret)]
        {
            assert_eq!(mail.contains(mark), is_there, "{way}: {mark}: {mail}");
        }
    }
}

#[test]
#[ignore = "needs the server that .ci/mail starts"]
fn a_refusal_for_good_ends_it_and_one_for_now_does_not() {
    let house = house(through("STARTTLS", MailSecurity::StartTls));
    for (email, notification) in [("gone@example.org", "failed"), ("busy@example.org", "pending")] {
        assert_eq!(told_to(&house, email).1, notification, "{email}");
    }
}

#[test]
#[ignore = "needs the server that .ci/mail starts"]
fn without_trust_encryption_or_the_right_password_nothing_is_sent_and_the_cure_is_told() {
    type Choice = fn(&mut Mail);
    let choices: [(&str, Choice); 4] = [
        ("mail.username", |mail| mail.password = Some(Secret::new("wrong"))),
        ("mail.ca_file", |mail| mail.ca_file = None),
        ("the name in the server's certificate", |mail| mail.host = Some("127.0.0.1".to_owned())),
        ("\"none\" for a relay", |mail| mail.port = told("WAYBILL_PEER_SMTP_PLAIN").parse().unwrap()),
    ];
    for (cure, choose) in choices {
        let house = house(|settings| {
            through("STARTTLS", MailSecurity::StartTls)(settings);
            choose(&mut settings.mail);
        });
        let error = house.app.mailer.as_ref().unwrap().probe().unwrap_err();
        assert!(error.cure().contains(cure), "{cure}: {error}");
        assert_eq!(told_to(&house, "ana@example.org").1, "pending", "{cure}");
    }
}

#[test]
#[ignore = "needs the server that .ci/mail starts"]
fn the_doctor_logs_in_and_sends_a_mail_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_waybill"));
    doctor.current_dir(folder.path()).args(["doctor", "--send-to", "operator@example.org"]);
    doctor.env("WAYBILL_SERVER__LISTEN", "127.0.0.1:1").env("WAYBILL_MAIL__FROM", "exports@example.org");
    doctor.env("WAYBILL_MAIL__HOST", "localhost").env("WAYBILL_MAIL__PORT", told("WAYBILL_PEER_SMTP_STARTTLS"));
    doctor.env("WAYBILL_MAIL__CA_FILE", told("WAYBILL_PEER_SMTP_CA"));
    doctor.env("WAYBILL_MAIL__USERNAME", told("WAYBILL_PEER_SMTP_USER"));
    doctor.env("WAYBILL_MAIL__PASSWORD", told("WAYBILL_PEER_SMTP_PASSWORD"));
    let output = doctor.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("greeted, encrypted by STARTTLS, and took the login"), "{said}");
    eventually("it is delivered", || delivered("To: <operator@example.org>").is_some());
}
