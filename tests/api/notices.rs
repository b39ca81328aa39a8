//! Mails and webhooks that tell of the end of an export.

use std::time::Duration;

use serde_json::Value;
use waybill::app::outbox::Lane;
use waybill::app::queue;
use waybill::auth::Claims;
use waybill::domain::Moment;
use waybill::export;
use waybill::jobs::{Workers, send_due};
use waybill::kit::secret::{Secret, keyed_digest};
use waybill::settings::{MailSecurity, Settings};

use crate::support::hooks::HookServer;
use crate::support::smtp::{Fault, Mail, PASSWORD, SmtpServer, Speech, USER};
use crate::support::{House, ME, NOW, eventually, tasks};

const LOG: &str = "/api/v3/tasks/export-log";
const EVERYTHING: &str = r#"{"download":"csv","background":true,"name":"Visits of May"}"#;
const MINUTE: Duration = Duration::from_secs(60);
const SECRET: &str = "0123456789abcdef";

/// The settings of mails through this server.
fn through(server: &SmtpServer) -> impl FnOnce(&mut Settings) {
    let (port, ca_file) = (server.port, server.ca_file());
    move |settings| {
        settings.mail.host = Some("127.0.0.1".to_owned());
        settings.mail.port = port;
        settings.mail.security = MailSecurity::None;
        settings.mail.from = waybill::domain::Mailbox::parse("Exports <exports@example.org>");
        settings.mail.ca_file = Some(ca_file);
        settings.mail.timeout_seconds = 5;
    }
}

fn told_by(hooks: &HookServer) -> impl FnOnce(&mut Settings) {
    let url = hooks.url.clone();
    move |settings| {
        settings.webhook.urls = vec![url];
        settings.webhook.secret = Some(Secret::new(SECRET));
    }
}

/// A house with tasks and nobody at work.
fn house(choose: impl FnOnce(&mut Settings)) -> House {
    let house = House::with(choose);
    house.load(&tasks(40));
    house
}

/// A house that mails through a plain server.
fn mailing() -> (SmtpServer, House) {
    let server = SmtpServer::start(Speech::Plain);
    let house = house(through(&server));
    (server, house)
}

/// Asks for an export in the background, as somebody, and runs it.
fn exported_as(house: &House, body: &str, change: impl FnOnce(&mut Claims)) -> String {
    let token = house.token_with(change);
    let reply = house.json("POST", "/api/v3/tasks/export", &token, body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let id = reply.value()["data"]["_id"].as_str().unwrap().to_owned();
    export::attempt(&house.app, &house.app.queue.take(queue::Lane::Any).unwrap());
    id
}

fn exported(house: &House) -> String {
    exported_as(house, EVERYTHING, |_| {})
}

fn entry(house: &House, id: &str) -> Value {
    let reply = house.get(&format!("{LOG}/{id}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.value()["data"].clone()
}

fn notification(house: &House, id: &str) -> String {
    entry(house, id)["notification"].as_str().unwrap().to_owned()
}

fn send(house: &House) -> Option<Moment> {
    send_due(&house.app, Lane::Mail).unwrap()
}

fn again(house: &House, id: &str) -> (u16, String) {
    let reply = house.post(&format!("{LOG}/{id}/notify"), "");
    (reply.status, reply.message())
}

fn only(server: &SmtpServer) -> Mail {
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    mails[0].clone()
}

#[test]
fn whoever_asked_is_told_with_a_link_that_holds_as_long_as_the_file() {
    let (server, house) = mailing();
    let id = exported(&house);
    assert_eq!(notification(&house, &id), "pending");
    assert!(server.mails().is_empty());
    assert_eq!(send(&house), None);
    assert_eq!(notification(&house, &id), "sent");

    let mail = only(&server);
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("exports@example.org", &[ME.to_owned()][..]));
    assert_eq!(mail.helo, "example.org");
    assert_eq!(mail.header("From"), "\"Exports\" <exports@example.org>");
    assert_eq!(mail.header("Subject"), "Your export is ready: Visits of May");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    let message_id = mail.header("Message-ID");
    assert!(message_id.starts_with(&format!("<{id}.done.")) && message_id.ends_with("@example.org>"), "{message_id}");
    let text = mail.text();
    assert!(text.contains("Rows:     40\r\n") && text.contains("text/html"), "{text}");
    let link = text.lines().find(|line| line.starts_with("http")).unwrap();
    house.clock.set(Moment(NOW.0 + 29 * 86_400_000));
    let file = house.send("GET", link, "", &[], b"");
    assert_eq!((file.status, file.text().lines().count()), (200, 41));

    send(&house);
    assert_eq!(server.mails().len(), 1, "one mail, and no more");
}

#[test]
fn starttls_implicit_tls_and_a_login_are_used_as_set() {
    for (speech, security) in [(Speech::StartTls, MailSecurity::StartTls), (Speech::Tls, MailSecurity::Tls)] {
        let server = SmtpServer::start(speech);
        server.demand_login();
        let house = house(|settings| {
            through(&server)(settings);
            settings.mail.security = security;
            (settings.mail.username, settings.mail.password) = (Some(USER.to_owned()), Some(Secret::new(PASSWORD)));
        });
        let id = exported(&house);
        send(&house);
        assert_eq!(notification(&house, &id), "sent", "{speech:?}");
        let mail = only(&server);
        assert!(mail.was_encrypted);
        assert_eq!(mail.user.as_deref(), Some(USER));
    }
}

#[test]
fn nothing_is_sent_where_the_connection_is_not_safe() {
    let plain = SmtpServer::start(Speech::Plain);
    let stranger = SmtpServer::start(Speech::StartTls);
    for (server, trusted) in [(&plain, true), (&stranger, false)] {
        let house = house(|settings| {
            through(server)(settings);
            settings.mail.security = MailSecurity::StartTls;
            settings.mail.ca_file = settings.mail.ca_file.take().filter(|_| trusted);
        });
        let id = exported(&house);
        assert_eq!(send(&house), Some(Moment(NOW.0 + 60_000)));
        assert_eq!((notification(&house, &id).as_str(), server.mails().len()), ("pending", 0));
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_wrong_password_is_tried_again_since_an_operator_can_cure_it() {
    let server = SmtpServer::start(Speech::Plain);
    server.demand_login();
    let house = house(|settings| {
        through(&server)(settings);
        (settings.mail.username, settings.mail.password) = (Some(USER.to_owned()), Some(Secret::new("wrong")));
    });
    let id = exported(&house);
    assert_eq!(send(&house), Some(Moment(NOW.0 + 60_000)));
    assert_eq!((notification(&house, &id).as_str(), server.mails().len()), ("pending", 0));
}

#[test]
fn a_server_that_fails_for_a_while_gets_it_later_and_the_export_is_done_all_the_same() {
    let faults = [
        Fault::Greets("421 too busy"),
        Fault::Recipients("421 closing"),
        Fault::Recipients("452 too much mail"),
        Fault::Silent,
        Fault::Slow,
    ];
    let (server, house) = mailing();
    for (number, fault) in faults.into_iter().enumerate() {
        server.misbehave(fault);
        let id = exported(&house);
        let now = house.app.clock.now();
        assert_eq!(send(&house), Some(Moment(now.0 + 60_000)), "{fault:?}");
        let entry = entry(&house, &id);
        assert_eq!((&entry["status"], &entry["notification"]), (&"Done".into(), &"pending".into()), "{fault:?}");
        assert_eq!(server.mails().len(), number, "{fault:?}");
        server.misbehave(Fault::None);
        send(&house);
        assert_eq!(server.mails().len(), number, "not before its time");
        house.clock.pass(MINUTE);
        assert_eq!(send(&house), None);
        assert_eq!(notification(&house, &id), "sent", "{fault:?}");
        assert_eq!(server.mails().len(), number + 1);
    }
}

#[test]
fn nobody_there_means_seven_more_tries_and_then_it_is_given_up_and_told() {
    let gone = SmtpServer::start(Speech::Plain);
    let house = house(through(&gone));
    drop(gone);
    eventually("the port is free", || {
        std::net::TcpStream::connect(("127.0.0.1", house.app.settings.mail.port)).is_err()
    });
    let id = exported(&house);
    for minutes in [1, 5, 30, 120, 240, 480, 1440] {
        let next = Moment(house.app.clock.now().0 + minutes * 60_000);
        assert_eq!(send(&house), Some(next));
        assert_eq!(notification(&house, &id), "pending");
        house.clock.set(next);
    }
    assert_eq!(send(&house), None);
    let entry = entry(&house, &id);
    assert_eq!((&entry["status"], &entry["notification"]), (&"Done".into(), &"failed".into()));
    let told = "The mail to me@example.org was given up: the server cannot be reached.";
    assert_eq!(entry["warnings"].as_array().unwrap().last().unwrap(), told);
}

#[test]
fn a_refusal_for_good_ends_it_at_once() {
    let (server, house) = mailing();
    server.misbehave(Fault::Recipients("550 no such user"));
    let id = exported(&house);
    assert_eq!(send(&house), None);
    let entry = entry(&house, &id);
    assert_eq!((&entry["status"], &entry["notification"]), (&"Done".into(), &"failed".into()));
    assert_eq!(entry["warnings"][0], "The mail to me@example.org was given up: it was refused with 550.");
}

#[test]
fn a_server_that_dies_with_the_mail_gets_it_again_under_the_same_id() {
    let (server, house) = mailing();
    server.misbehave(Fault::DiesAfterData);
    let id = exported(&house);
    send(&house);
    assert_eq!((notification(&house, &id).as_str(), server.mails().len()), ("pending", 1));
    server.misbehave(Fault::NoGoodbye);
    house.clock.pass(MINUTE);
    send(&house);
    assert_eq!(notification(&house, &id), "sent", "a goodbye is not waited for");
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[test]
fn behind_a_server_that_is_out_of_order_nobody_waits_twice() {
    let (server, house) = mailing();
    server.misbehave(Fault::Greets("421 too busy"));
    let ids: Vec<_> = (0..3).map(|n| exported_as(&house, &EVERYTHING.replace("May", &n.to_string()), |_| {})).collect();
    assert_eq!(send(&house), Some(Moment(NOW.0 + 60_000)));
    assert_eq!(server.connections(), 1);
    server.misbehave(Fault::None);
    house.clock.pass(MINUTE);
    send(&house);
    assert!(ids.iter().all(|id| notification(&house, id) == "sent"));
    let order: Vec<_> = server.mails().iter().map(|mail| mail.header("Subject").chars().last().unwrap()).collect();
    assert_eq!(order, ['0', '1', '2'], "the oldest first");
}

#[test]
fn nothing_is_owed_where_nobody_is_to_be_told() {
    let (server, house) = mailing();
    let quiet = exported_as(&house, &EVERYTHING.replace('}', r#","notify":false}"#), |_| {});
    let strange = exported_as(&house, EVERYTHING, |claims| claims.email = "a@b.org\r\nBcc: c@d.org".to_owned());
    house.export(r#"{"download":"csv","name":"direct"}"#);
    let reply = house.post("/api/v3/tasks/export", &EVERYTHING.replace("May", "June"));
    let canceled = reply.value()["data"]["_id"].as_str().unwrap().to_owned();
    assert_eq!(house.post(&format!("{LOG}/{canceled}/cancel"), "").status, 200);
    send(&house);
    assert!(server.mails().is_empty());
    for id in [quiet, strange, canceled] {
        assert_eq!(notification(&house, &id), "none");
    }
    let silent = self::house(|_| {});
    let id = exported(&silent);
    assert_eq!((send(&silent), notification(&silent, &id).as_str()), (None, "none"));
}

#[test]
fn what_stands_in_a_token_cannot_add_a_header_or_a_recipient() {
    let (server, house) = mailing();
    let body = r#"{"download":"csv","background":true,"name":"a\u00e4 <b>"}"#;
    exported_as(&house, body, |claims| claims.name = "Me\r\nBcc: c@d.org\r\n\r\n<script>".to_owned());
    send(&house);
    let mail = only(&server);
    assert_eq!(mail.to, [ME]);
    assert_eq!(mail.header("Bcc"), "");
    assert!(!mail.text().contains("<script>\r\n<b>") && mail.text().contains("&lt;script&gt;"), "{}", mail.text());
}

#[test]
fn a_failed_export_is_told_with_its_reason() {
    let (server, hooks) = (SmtpServer::start(Speech::Plain), HookServer::start());
    let house = house(|settings| {
        through(&server)(settings);
        told_by(&hooks)(settings);
    });
    let token = house.token();
    let reply = house.json("POST", "/api/v3/tasks/export", &token, EVERYTHING);
    let id = reply.value()["data"]["_id"].as_str().unwrap().to_owned();
    // As after three deaths: what is left fails at the next start.
    house
        .app
        .store
        .edit(|edit| {
            let mut log = edit.export(crate::support::OURS, id.parse().unwrap())?.unwrap();
            log.attempts = 3;
            edit.put_export(&log)
        })
        .unwrap();
    export::rescue(&house.app).unwrap();
    send(&house);
    assert_eq!(notification(&house, &id), "pending", "one of two");
    let mail = only(&server);
    assert_eq!(mail.header("Subject"), "Your export could not be made: Visits of May");
    assert!(mail.text().contains("The export was interrupted 3 times."), "{}", mail.text());
    send_due(&house.app, Lane::Webhooks).unwrap();
    assert_eq!(notification(&house, &id), "sent");
    let body: Value = serde_json::from_str(&hooks.calls()[0].body).unwrap();
    let told = &body["export"];
    assert_eq!(
        (&body["event"], &told["status"], &told["fileUrl"]),
        (&"export.failed".into(), &"Failed".into(), &Value::Null)
    );
    assert!(told["errorMessage"].as_str().unwrap().starts_with("The export was interrupted 3 times."), "{body}");
}

#[test]
fn it_can_be_told_again_by_its_owner_once_there_is_something_to_tell() {
    let (server, house) = mailing();
    let reply = house.post("/api/v3/tasks/export", EVERYTHING);
    let id = reply.value()["data"]["_id"].as_str().unwrap().to_owned();
    let waits = "This export has not ended yet. A notice goes out by itself when it has.";
    assert_eq!(again(&house, &id), (409, waits.to_owned()));
    export::attempt(&house.app, &house.app.queue.take(queue::Lane::Any).unwrap());
    send(&house);

    assert_eq!(again(&house, &id).0, 200);
    assert_eq!(notification(&house, &id), "pending");
    assert_eq!(again(&house, &id).0, 200, "what is on its way is replaced");
    send(&house);
    assert_eq!(notification(&house, &id), "sent");
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_ne!(mails[0].header("Message-ID"), mails[1].header("Message-ID"), "or it would be taken for the same");

    let viewer = house.token_with(|claims| {
        (claims.sub, claims.perms) = ("viewer".to_owned(), vec!["view/export-log".to_owned()]);
    });
    let path = format!("{LOG}/{id}/notify");
    assert_eq!(house.json("POST", &path, &viewer, "").status, 403);
    let stranger = house.token_with(|claims| claims.org = crate::support::THEIRS);
    assert_eq!(house.json("POST", &path, &stranger, "").status, 404);

    house.clock.set(Moment(NOW.0 + 31 * 86_400_000));
    assert_eq!(again(&house, &id), (409, "The file of this export is not there any more. Run it again.".to_owned()));
}

#[test]
fn telling_again_needs_somebody_who_carries_it() {
    let house = house(|_| {});
    let id = exported(&house);
    let cure = "Neither mails nor webhooks are set up. Ask the operator to set mail.host or webhook.urls.";
    assert_eq!(again(&house, &id), (409, cure.to_owned()));
}

#[test]
fn of_a_deleted_export_nobody_is_told() {
    let (server, house) = mailing();
    let id = exported(&house);
    assert_eq!(house.send("DELETE", &format!("{LOG}/{id}"), &house.token(), &[], b"").status, 200);
    assert_eq!(send(&house), None);
    assert!(server.mails().is_empty());
}

#[test]
fn a_folder_takes_mails_instead_of_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("mails");
    let house = house(|settings| {
        settings.mail.from = waybill::domain::Mailbox::parse("exports@example.org");
        settings.mail.spool_dir = Some(spool.clone());
    });
    let id = exported(&house);
    send(&house);
    assert_eq!(notification(&house, &id), "sent");
    let files: Vec<_> = std::fs::read_dir(&spool).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].file_name().unwrap().to_str().unwrap().starts_with(&format!("{id}.done.")));
    let mail = std::fs::read_to_string(&files[0]).unwrap();
    assert!(mail.contains("To: ") && mail.contains("me@example.org"), "{mail}");
}

#[test]
fn webhooks_are_told_with_a_signature_that_can_be_checked() {
    let hooks = HookServer::start();
    let house = house(told_by(&hooks));
    let id = exported(&house);
    send_due(&house.app, Lane::Webhooks).unwrap();
    assert_eq!(notification(&house, &id), "sent");
    let calls = hooks.calls();
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    let time = NOW.seconds().to_string();
    let digest = keyed_digest(SECRET.as_bytes(), &[time.as_bytes(), b".", call.body.as_bytes()]);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(call.header("x-waybill-signature"), format!("t={time},v1={hex}"));
    let body: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!((&body["event"], &body["delivery"]), (&"export.done".into(), &call.header("x-waybill-delivery").into()));
    let told = &body["export"];
    assert_eq!((&told["_id"], &told["status"], &told["totalRecords"]), (&id.into(), &"Done".into(), &40.into()));
    let file = house.send("GET", told["link"].as_str().unwrap(), "", &[], b"");
    assert_eq!((file.status, &told["fileSize"]), (200, &file.body.len().into()));
}

#[test]
fn a_webhook_is_tried_again_unless_it_is_refused_for_good_and_goes_nowhere_else() {
    let hooks = HookServer::start();
    let house = house(told_by(&hooks));
    let id = exported(&house);
    let later = |minutes: i64| Some(Moment(house.app.clock.now().0 + minutes * 60_000));
    for (code, minutes) in [(500, 1), (302, 5), (429, 30)] {
        hooks.answer(code);
        let next = later(minutes);
        assert_eq!(send_due(&house.app, Lane::Webhooks).unwrap(), next, "{code}");
        house.clock.set(next.unwrap());
    }
    hooks.answer(410);
    assert_eq!(send_due(&house.app, Lane::Webhooks).unwrap(), None);
    assert_eq!(notification(&house, &id), "failed");
    let calls = hooks.calls();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|call| call.path == "/hook"), "redirects are not followed");
    let deliveries: Vec<_> = calls.iter().map(|call| call.header("x-waybill-delivery")).collect();
    assert!(deliveries.iter().all(|delivery| *delivery == deliveries[0]));
}

#[test]
fn a_silent_mail_server_keeps_no_webhook_waiting_and_readiness_tells_of_it() {
    let (server, hooks) = (SmtpServer::start(Speech::Plain), HookServer::start());
    server.misbehave(Fault::Silent);
    let house = house(|settings| {
        through(&server)(settings);
        told_by(&hooks)(settings);
        settings.mail.timeout_seconds = 1;
    });
    let workers = Workers::start(&house.app).unwrap();
    let answer = house.export(EVERYTHING);
    let id = answer["data"]["_id"].as_str().unwrap();
    eventually("the webhook is told", || hooks.calls().len() == 1);
    eventually("readiness tells", || house.get("/ready").value()["notes"][0].is_string());
    let ready = house.get("/ready");
    assert_eq!(ready.status, 200);
    let note = "mail: Nothing has got through since 2025-06-15T15:06:40+00:00. The log has the cause.";
    assert_eq!(ready.value()["notes"][0], note);
    assert_eq!(notification(&house, id), "pending");
    server.misbehave(Fault::None);
    house.clock.pass(MINUTE);
    house.app.outbox.ring();
    eventually("the mail is sent", || notification(&house, id) == "sent");
    assert_eq!(house.get("/ready").value()["notes"], Value::Array(Vec::new()));
    workers.leave(Duration::from_secs(5));
}
