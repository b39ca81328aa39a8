//! What the doctor looks at. Nothing here changes what a server beside it works with.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::Report;
use crate::app::STORE_FILE;
use crate::auth::Keys;
use crate::domain::{Mailbox, Moment};
use crate::kit::clock::Clock;
use crate::kit::secret::random_text;
use crate::notice::{Letter, Mailer};
use crate::script::Library;
use crate::settings::{MailSecurity, Settings};
use crate::storage::Storage;
use crate::store::{Fault, Store};

/// What the public address may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A clock that is wrong ends links, tokens and files at the wrong time.
pub(super) fn clock(report: &mut Report, settings: &Settings) {
    /// 2026-01-01T00:00:00Z: nothing of this program is older.
    const EARLIEST: Moment = Moment(1_767_225_600_000);
    let now = Clock::system().now();
    match now < EARLIEST {
        true => report.bad("clock", format!("it says {}, which cannot be. Set it right.", now.text())),
        false => {
            report.fine("clock", format!("it says {}; times are shown in {}", now.text(), settings.timezone.name()))
        }
    }
}

/// Whether there is a data folder to look at.
pub(super) fn data_folder(report: &mut Report, dir: &Path) -> bool {
    let shown = dir.display();
    match fs::metadata(dir) {
        Ok(facts) if facts.is_dir() && facts.permissions().mode() & 0o077 == 0 => {
            report.fine("data folder", format!("{shown} is for this user alone"));
        }
        Ok(facts) if facts.is_dir() => {
            report.bad("data folder", format!("{shown} is open to others. Run: chmod 700 {shown}"));
        }
        Ok(_) => {
            report.bad("data folder", format!("{shown} is no folder. Name another with data.dir or --data."));
            return false;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.note("data folder", format!("{shown} is not there; the first start makes it"));
            return false;
        }
        Err(error) => {
            report.bad("data folder", format!("{shown} cannot be entered: {error}. Make it readable for this user."));
            return false;
        }
    }
    true
}

/// The store, if no server has it: then it stays locked while the rest is looked at.
pub(super) fn store(report: &mut Report, settings: &Settings) -> Option<Store> {
    let path = settings.data.dir.join(STORE_FILE);
    if !path.exists() {
        report.note("store", format!("{} is not there; the first start makes it", path.display()));
        return None;
    }
    match Store::open(&path, settings.data.cache_bytes) {
        Ok(store) => {
            match store.check_writable() {
                Ok(()) => report.fine("store", format!("{} was opened, its checksums hold", path.display())),
                Err(error) => report.bad("store", error),
            }
            Some(store)
        }
        Err(error) if error.fault() == Fault::InUse => {
            report.note("store", "in use by a running server, which checked it when it started");
            None
        }
        Err(error) => {
            report.bad("store", error);
            None
        }
    }
}

/// Its strength, and whether others can read it.
pub(super) fn key(report: &mut Report, data: &Path) {
    if !Keys::are_there(data) {
        return report.note("signing key", "there is none yet; the first start makes one");
    }
    match Keys::open(data) {
        Ok(_) => report.fine("signing key", "strong enough, and for this user alone"),
        Err(error) => report.bad("signing key", error),
    }
}

/// The way of a file from a run to whoever fetches it. `is_ours` says that no server uses the folder.
pub(super) fn files(report: &mut Report, settings: &Settings, is_ours: bool) {
    let (data, now) = (&settings.data.dir, Clock::system().now());
    let storage = match is_ours {
        true => Storage::open(&settings.storage, data),
        false => Storage::beside(&settings.storage, data),
    };
    let steps = match storage {
        Ok(storage) => storage.probe(now),
        Err(error) => return report.bad("files", error),
    };
    for step in steps {
        match step.outcome {
            Ok(found) => report.fine(step.what, found),
            Err(fault) => report.bad(step.what, fault),
        }
    }
}

/// Scripts are compiled, and not run.
pub(super) fn scripts(report: &mut Report, settings: &Settings) {
    let dir = settings.scripts.dir.display();
    if !settings.scripts.dir.is_dir() {
        return report.note("scripts", format!("there is no folder {dir}, and so there are none"));
    }
    let library = match Library::open(&settings.scripts, Clock::system().now()) {
        Ok(library) => library,
        Err(error) => return report.bad("scripts", error),
    };
    let current = library.current();
    let faults: Vec<String> = current.faults().map(ToString::to_string).collect();
    if faults.is_empty() {
        report.fine("scripts", format!("{} in {dir} compile", current.files().len()));
    }
    faults.iter().for_each(|fault| report.bad("scripts", format!("{fault}. Correct it; it is taken up by itself.")));
}

/// The way of a mail up to the login, or up to the recipient where one is named.
pub(super) fn mail(report: &mut Report, settings: &Settings, send_to: Option<Mailbox>) {
    let mailer = match Mailer::open(&settings.mail) {
        Ok(Some(mailer)) => mailer,
        Ok(None) if send_to.is_some() => {
            return report.bad("mail", "none can be sent, since none is set up. Set mail.host and mail.from.");
        }
        Ok(None) => {
            return report.note("mail", "not set up: nobody is told by mail. Set mail.host if somebody should be");
        }
        Err(error) => return report.bad("mail", error),
    };
    let place = mailer.place();
    if let Err(error) = mailer.probe() {
        return report.bad("mail", format!("{error}. {}", error.cure()));
    }
    report.fine("mail", format!("{place} {}", greeted(settings)));
    if let Some(to) = send_to {
        match mailer.send(&test_letter(&to)) {
            Ok(()) => report.fine("test mail", format!("{place} took a mail to {}", to.address)),
            Err(error) => report.bad("test mail", format!("{error}. {}", error.cure())),
        }
    }
}

fn greeted(settings: &Settings) -> String {
    if settings.mail.spool_dir.is_some() {
        return "takes mails as files".to_owned();
    }
    let safety = match settings.mail.security {
        MailSecurity::None => "without encryption",
        MailSecurity::StartTls => "encrypted by STARTTLS",
        MailSecurity::Tls => "encrypted by TLS",
    };
    let login = if settings.mail.username.is_some() { ", and took the login" } else { "" };
    format!("greeted, {safety}{login}")
}

fn test_letter(to: &Mailbox) -> Letter {
    let text = "Waybill can send mails to you. Nothing has to be done.";
    Letter {
        id: format!("test.{}", random_text(22)),
        to: to.clone(),
        subject: "A test of Waybill's mails".to_owned(),
        text: format!("{text}\n"),
        html: format!("<p>{text}</p>\n"),
        date: Clock::system().now(),
    }
}

/// Nothing is posted: whoever takes it would take it for news.
pub(super) fn webhooks(report: &mut Report, settings: &Settings) {
    match settings.webhook.urls.len() {
        0 => report.note("webhooks", "not set up: no program is told"),
        count => report.fine("webhooks", format!("{count} set up and signed; nothing was posted to try them")),
    }
}

/// Whether links lead back here.
pub(super) fn public_address(report: &mut Report, settings: &Settings) {
    let listen = format!("http://{}", settings.server.listen);
    let (url, cure) = match &settings.server.public_url {
        Some(url) => (url, "Correct server.public_url, or what stands between it and the server."),
        None => (&listen, "Start the server, or set server.public_url to where people reach it."),
    };
    let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER)).build();
    let agent: ureq::Agent = config.into();
    match agent.get(format!("{url}/health")).call() {
        Ok(_) if settings.server.public_url.is_none() => {
            report.note(
                "public address",
                format!("links lead to {url}, which answered. Set server.public_url for people elsewhere"),
            );
        }
        Ok(_) => report.fine("public address", format!("links lead to {url}, which answered")),
        Err(error) if settings.server.public_url.is_none() => {
            report.note("public address", format!("links would lead to {url}, which did not answer: {error}. {cure}"));
        }
        Err(error) => {
            report.bad("public address", format!("links lead to {url}, which did not answer: {error}. {cure}"))
        }
    }
}
