//! `waybill doctor`, as an operator reads it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::smtp::{PASSWORD, SmtpServer, Speech, USER};

#[path = "support/smtp.rs"]
mod smtp;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    // A port that nobody listens on, so that no server of somebody else is asked.
    command.env("WAYBILL_SERVER__LISTEN", "127.0.0.1:1");
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The code it ends with, and what it says.
fn doctor(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(folder, &[&["doctor"], arguments].concat());
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// A data folder after its first use.
fn used() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tasks.ndjson"), "{\"title\":\"a\",\"createdTime\":\"2025-06-01T00:00:00Z\"}\n")
        .unwrap();
    let loaded = run(folder.path(), &["load", "tasks.ndjson"]);
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    folder
}

/// The line about this, without it.
fn line<'a>(said: &'a str, what: &str) -> &'a str {
    let found = said.lines().find(|line| line[6..].starts_with(what));
    found.unwrap_or_else(|| panic!("no line about {what}: {said}"))
}

fn mail_settings(folder: &Path, server: &SmtpServer, password: &str) {
    let text = format!(
        "[mail]\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\nfrom = \"exports@example.org\"\nca_file = \"{}\"\nusername = \"{USER}\"\npassword = \"{password}\"\ntimeout_seconds = 10\n",
        server.port,
        server.ca_file().display()
    );
    let file = folder.join("config.toml");
    fs::write(&file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn before_the_first_start_nothing_is_wrong_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(line(&said, "data folder").ends_with("is not there; the first start makes it"), "{said}");
    assert!(line(&said, "mail").starts_with("note"), "{said}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_folder_in_order_is_told_line_by_line() {
    let folder = used();
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    for what in ["settings", "clock", "data folder", "store", "signing key"] {
        assert!(line(&said, what).starts_with("fine"), "{said}");
    }
    assert!(said.contains(" MB free"), "{said}");
}

#[test]
fn what_is_out_of_order_is_told_with_its_cure() {
    let folder = used();
    let data = folder.path().join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(data.join("signing.key"), "secretsecretsecretsecretsecretsecret").unwrap();
    fs::write(data.join("waybill.redb"), "no store").unwrap();
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(line(&said, "data folder").starts_with("BAD") && said.contains("chmod 700 "), "{said}");
    assert!(line(&said, "signing key").starts_with("BAD") && said.contains("is weak"), "{said}");
    assert!(line(&said, "store").starts_with("BAD") && said.contains("is not a Waybill store"), "{said}");
}

#[test]
fn the_way_of_a_mail_is_gone_up_to_the_login_and_further_only_when_asked() {
    let folder = used();
    let server = SmtpServer::start(Speech::StartTls);
    server.demand_login();
    mail_settings(folder.path(), &server, PASSWORD);
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(line(&said, "mail").ends_with("greeted, encrypted by STARTTLS, and took the login"), "{said}");
    assert!(server.mails().is_empty());
    let (code, said) = doctor(folder.path(), &["--send-to", "Ana <ana@example.org>"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.mails()[0].to, ["ana@example.org"]);
    assert!(line(&said, "test mail").ends_with("took a mail to ana@example.org"), "{said}");
}

#[test]
fn a_refused_login_is_told_with_the_reply_and_without_the_password() {
    let folder = used();
    let server = SmtpServer::start(Speech::StartTls);
    server.demand_login();
    mail_settings(folder.path(), &server, "not the right one");
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    let told = line(&said, "mail");
    assert!(told.starts_with("BAD") && told.contains("535 5.7.8") && told.contains("mail.username"), "{said}");
    assert!(!said.contains("not the right one"), "{said}");
}

#[test]
fn nobody_at_the_mail_server_s_address_is_told() {
    let folder = used();
    let server = SmtpServer::start(Speech::StartTls);
    mail_settings(folder.path(), &server, PASSWORD);
    drop(server);
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(line(&said, "mail").starts_with("BAD"), "{said}");
}
