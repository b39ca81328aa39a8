//! What tells people and programs that an export has ended: owed from the edit in which it ends until
//! its recipient has it (contract 3).

use serde::{Deserialize, Serialize};

use super::{Id, Moment};

/// What is owed to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The notice's id, the same each time it is tried.
    pub id: Id,
    /// Whose export it tells of.
    pub organization: Id,
    /// The export it tells of.
    pub export: Id,
    /// Who is told, and how.
    pub channel: Channel,
    /// What is told.
    pub told: Told,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// When it is tried next.
    pub next: Moment,
    /// Why it has not got through so far.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// Who is told, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A mail to one address.
    Mail(String),
    /// A signed POST to one URL.
    Webhook(String),
}

/// What is told of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Its file is there.
    Done,
    /// It ended without one.
    Failed,
}

impl Told {
    /// The word in Message-IDs, events and names of templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Minutes between a try that failed and the next one.
const PAUSES_MINUTES: [i64; 7] = [1, 5, 30, 2 * 60, 4 * 60, 8 * 60, 24 * 60];
const MINUTE_MS: i64 = 60_000;

impl Notice {
    /// Whether it is to be tried. One that would wait longer than any does was dated by a clock that
    /// has been set back since.
    pub fn is_due(&self, now: Moment) -> bool {
        const LONGEST_MS: i64 = PAUSES_MINUTES[PAUSES_MINUTES.len() - 1] * MINUTE_MS;
        self.next <= now || self.next.0.saturating_sub(now.0) > LONGEST_MS
    }

    /// The same notice after one more try that failed; nothing when that was the last.
    #[must_use]
    pub fn later(mut self, now: Moment, error: String) -> Option<Self> {
        let pause = PAUSES_MINUTES.get(usize::try_from(self.attempts).ok()?)?;
        self.attempts += 1;
        self.next = Moment(now.0.saturating_add(pause * MINUTE_MS));
        self.last_error = Some(error);
        Some(self)
    }
}

/// How far the notices of one export are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Notices that have not reached their recipient yet.
    pub owed: u32,
    /// Those that have.
    pub sent: u32,
    /// Those that were given up.
    pub failed: u32,
    /// Why one was given up, in a sentence for the caller.
    #[serde(default)]
    pub error: Option<String>,
}

impl Notification {
    /// That of an export to which so many notices are owed.
    pub fn of(owed: u32) -> Self {
        Self { owed, ..Self::default() }
    }

    /// The word on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self { owed: 1.., .. } => "pending",
            Self { failed: 1.., .. } => "failed",
            Self { sent: 1.., .. } => "sent",
            _ => "none",
        }
    }

    /// One of those that were owed has reached its recipient, or was given up for this reason.
    pub fn ended(&mut self, error: Option<String>) {
        self.owed = self.owed.saturating_sub(1);
        match error {
            None => self.sent += 1,
            Some(_) => self.failed += 1,
        }
        self.error = error.or(self.error.take());
    }
}

/// The languages that mails are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Indonesian.
    Indonesian,
}

impl Language {
    /// Its code, also in names of templates.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Indonesian => "id",
        }
    }
}

/// An address, and the name that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The name for people.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

impl Mailbox {
    /// Reads `exports@example.org` or `Exports <exports@example.org>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, address) = match text.trim().strip_suffix('>').and_then(|rest| rest.split_once('<')) {
            Some((name, address)) => (Some(name.trim().trim_matches('"')).filter(|name| !name.is_empty()), address),
            None => (None, text),
        };
        let is_plain = name.is_none_or(|name| !name.contains(char::is_control));
        let address = address.trim();
        (is_plain && is_address(address)).then(|| Self { name: name.map(str::to_owned), address: address.to_owned() })
    }

    /// The part behind the `@`.
    pub fn domain(&self) -> &str {
        self.address.rsplit('@').next().unwrap_or_default()
    }
}

/// Whether a text is one e-mail address that can be written to without another standing in it:
/// plain ASCII, one `@`, nothing that parts, quotes or comments.
pub fn is_address(text: &str) -> bool {
    /// The most bytes of an address, and of what stands before its `@` (RFC 5321, 4.5.3.1).
    const MOST: usize = 254;
    const MOST_LOCAL: usize = 64;
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let is_label = |label: &str| {
        let fits = !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        fits && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let local_fits = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    text.len() <= MOST
        && (1..=MOST_LOCAL).contains(&local.len())
        && local_fits
        && local.chars().all(is_atom)
        && domain.split('.').all(is_label)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            id: Id([1; 12]),
            organization: Id([2; 12]),
            export: Id([3; 12]),
            channel: Channel::Mail("ana@example.org".to_owned()),
            told: Told::Done,
            attempts: 0,
            next: Moment(0),
            last_error: None,
        }
    }

    #[test]
    fn the_form_on_disk_is_this_one() {
        let json = serde_json::to_string(&notice()).unwrap();
        let wanted = concat!(
            r#"{"id":"010101010101010101010101","organization":"020202020202020202020202","#,
            r#""export":"030303030303030303030303","channel":{"mail":"ana@example.org"},"told":"done","#,
            r#""attempts":0,"next":0,"last_error":null}"#
        );
        assert_eq!(json, wanted);
        assert_eq!(serde_json::from_str::<Notice>(wanted).unwrap(), notice());
    }

    #[test]
    fn it_is_tried_again_after_1_5_and_30_minutes_and_2_to_24_hours_and_then_given_up() {
        let (mut notice, mut now, mut minutes) = (notice(), Moment(0), Vec::new());
        while let Some(later) = notice.clone().later(now, "down".to_owned()) {
            assert!(later.is_due(later.next) && !later.is_due(Moment(later.next.0 - 1)));
            minutes.push((later.next.0 - now.0) / MINUTE_MS);
            now = later.next;
            notice = later;
        }
        assert_eq!(minutes, [1, 5, 30, 120, 240, 480, 1440]);
        assert_eq!((notice.attempts, notice.last_error.as_deref()), (7, Some("down")));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_notice() {
        let late = Notice { next: Moment(48 * 60 * MINUTE_MS), ..notice() };
        assert!(late.is_due(Moment(0)) && !late.is_due(Moment(25 * 60 * MINUTE_MS)));
    }

    #[test]
    fn it_is_pending_while_one_is_owed_and_failed_when_one_was_given_up() {
        let mut notification = Notification::default();
        assert_eq!(notification.name(), "none");
        notification = Notification::of(2);
        assert_eq!(notification.name(), "pending");
        notification.ended(Some("refused".to_owned()));
        assert_eq!(notification.name(), "pending");
        notification.ended(None);
        assert_eq!((notification.name(), notification.error.as_deref()), ("failed", Some("refused")));
        notification = Notification::of(1);
        notification.ended(None);
        assert_eq!((notification.name(), notification.error), ("sent", None));
    }

    #[test]
    fn an_address_is_one_address_and_nothing_beside_it() {
        for good in ["ana@example.org", "a.b+c@x.example.org", "operator@localhost", "o'neil@a-b.id"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ana",
            "@example.org",
            "ana@",
            "ana@example..org",
            "ana@-example.org",
            "a@b@c",
            "ana@example.org\r\nBcc: bo@example.org",
            "ana@example.org,bo@example.org",
            "ana@example.org>",
            "Ana <ana@example.org>",
            "ana bo@example.org",
            "\"ana\"@example.org",
            ".ana@example.org",
            "änna@example.org",
            &long,
        ] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_mailbox_may_have_a_name() {
        let mailbox = Mailbox::parse("Field exports <exports@example.org>").unwrap();
        assert_eq!((mailbox.name.as_deref(), mailbox.domain()), (Some("Field exports"), "example.org"));
        assert_eq!(Mailbox::parse("exports@example.org").unwrap().name, None);
        assert_eq!(Mailbox::parse("<exports@example.org>").unwrap().name, None);
        for bad in ["", "Exports", "Exports <exports>", "a\nb <exports@example.org>"] {
            assert_eq!(Mailbox::parse(bad), None, "{bad:?}");
        }
    }
}
