//! `waybill doctor`

mod looks;

use std::fmt;
use std::path::PathBuf;

use clap::Args;

use crate::domain::Mailbox;

use super::fail::Failure;
use super::{Place, start};

/// Finds out what is wrong before the users do, also beside a running server.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Sends a mail to this address too
    #[arg(long, value_name = "ADDRESS", value_parser = mailbox)]
    send_to: Option<Mailbox>,
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    Mailbox::parse(text).ok_or_else(|| "must be an e-mail address".to_owned())
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should be.
    Fine,
    /// Good to know; nothing has to be done.
    Note,
    /// Out of order.
    Bad,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Bad => "BAD",
        })
    }
}

/// What was found, told line by line as it is found: some looks take their time.
#[derive(Debug, Default)]
struct Report {
    bad: usize,
}

impl Report {
    /// What was looked at, and what was found: what was tried, what came back and, if it is bad, the cure.
    fn tell(&mut self, state: State, what: &str, found: impl fmt::Display) {
        self.bad += usize::from(state == State::Bad);
        println!("{state:<5} {what:<18} {found}");
    }

    fn fine(&mut self, what: &str, found: impl fmt::Display) {
        self.tell(State::Fine, what, found);
    }

    fn note(&mut self, what: &str, found: impl fmt::Display) {
        self.tell(State::Note, what, found);
    }

    fn bad(&mut self, what: &str, found: impl fmt::Display) {
        self.tell(State::Bad, what, found);
    }
}

impl Doctor {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        let settings = start::settings(place)?;
        let mut report = Report::default();
        report.fine("settings", "read, and every value is possible");
        looks::clock(&mut report, &settings);
        let data: PathBuf = settings.data.dir.clone();
        if looks::data_folder(&mut report, &data) {
            let store = looks::store(&mut report, &settings);
            looks::key(&mut report, &data);
            looks::files(&mut report, &settings, store.is_some());
        } else if settings.storage.has_bucket() {
            report.note("bucket", "tried once there is a data folder: start the server, and ask again");
        }
        looks::scripts(&mut report, &settings);
        looks::mail(&mut report, &settings, self.send_to);
        looks::webhooks(&mut report, &settings);
        looks::public_address(&mut report, &settings);
        match report.bad {
            0 => Ok(()),
            1 => Err(Failure::new("one thing is out of order")),
            bad => Err(Failure::new(format!("{bad} things are out of order"))),
        }
    }
}
