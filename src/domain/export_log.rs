//! The record of an export: who asked for what, and what became of it (contract 3).
//!
//! [`LogFilter::accepts`] and [`LogOrder::compare`] are the definition of what a list of these
//! records shows; whatever is faster must agree.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Caller, ExportConfig, Id, Moment, Notification, Used};

/// Where an export stands, as far as it is on disk: what is there is owed or settled. Whether a
/// queued one is running or uploading by now is known in memory alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is owed: a worker will take it, or has taken it and not settled it yet.
    Queued,
    /// Its file is whole.
    Done,
    /// There is no file, and the record says why.
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// It was done, and its file has been deleted since.
    Expired,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Done, Self::Failed, Self::Canceled, Self::Expired];

    /// The word on the wire and on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// The state of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether no run is owed any more.
    pub fn has_ended(self) -> bool {
        self != Self::Queued
    }

    /// The word of the platform's three that it reads as.
    pub fn status(self) -> Status {
        match self {
            Self::Queued => Status::Processing,
            Self::Done | Self::Expired => Status::Done,
            Self::Failed | Self::Canceled => Status::Failed,
        }
    }
}

/// The three words in which the platform says where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has not ended.
    Processing,
    /// It ended with a file.
    Done,
    /// It ended without one.
    Failed,
}

impl Status {
    /// Every status, in the contract's order.
    pub const ALL: [Self; 3] = [Self::Processing, Self::Done, Self::Failed];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Processing => "Processing",
            Self::Done => "Done",
            Self::Failed => "Failed",
        }
    }

    /// The status of this word, or of `Available`, which older clients say for `Done`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "Available" => Some(Self::Done),
            _ => Self::ALL.into_iter().find(|status| status.name() == name),
        }
    }
}

/// Where a file lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the data folder, under its key.
    #[default]
    Folder,
    /// In a bucket, which need not be the one of the settings any more.
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// The name in it, which ends in the file's key.
        object: String,
    },
}

/// The file that a run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it is called here, whatever the place.
    pub key: String,
    /// Where it lies.
    #[serde(default)]
    pub place: Place,
    /// The name a browser saves it under.
    pub name: String,
    /// `xlsx`, `json`, `zip`, `csv` or `ndjson`.
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// The SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
    /// From when on it may be deleted.
    pub expires: Moment,
}

/// One export, from the moment it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportLog {
    /// The export's id.
    pub id: Id,
    /// Who asked, with the rights of that moment: a run sees what they could see then.
    pub caller: Caller,
    /// When it was asked for.
    pub asked: Moment,
    /// What is exported: `task`.
    pub data_type: String,
    /// What people call it.
    pub data_name: String,
    /// The request's JSON as it was given.
    pub body: String,
    /// Whether whoever asked did not wait for it.
    #[serde(default)]
    pub background: bool,
    /// Where it stands.
    pub state: State,
    /// How many runs have been begun.
    #[serde(default)]
    pub attempts: u32,
    /// When the latest run began.
    #[serde(default)]
    pub started: Option<Moment>,
    /// When it ended.
    #[serde(default)]
    pub completed: Option<Moment>,
    /// Rows that are expected, and once it is done those that were written.
    #[serde(default)]
    pub rows: u64,
    /// Tasks in the file; none where each of them is, or is expected to be, one row.
    #[serde(default)]
    pub tasks: Option<u64>,
    /// Tasks that scripts left out.
    #[serde(default)]
    pub left_out: u64,
    /// Tasks that match, on all pages.
    #[serde(default)]
    pub matched: u64,
    /// The file, also when it has been deleted since.
    #[serde(default)]
    pub file: Option<File>,
    /// Why it failed, in a sentence for the caller.
    #[serde(default)]
    pub error: Option<String>,
    /// What the caller should know: unknown ids, narrowed scope, repairs to cells.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How often the file was fetched.
    #[serde(default)]
    pub downloads: u64,
    /// The key under which the caller asks for it once and no more.
    #[serde(default)]
    pub once: Option<String>,
    /// The last task in the file.
    #[serde(default)]
    pub last_id: Option<Id>,
    /// The last column of the file.
    #[serde(default)]
    pub last_field: Option<String>,
    /// The config as it was when the export was asked for, until no run is owed any more.
    #[serde(default)]
    pub pinned: Option<Box<ExportConfig>>,
    /// What it is made with.
    #[serde(default)]
    pub used: Used,
    /// Who has been told how it ended.
    #[serde(default)]
    pub notification: Notification,
}

impl ExportLog {
    /// A background export of tasks that has just been asked for.
    pub fn queued(id: Id, caller: Caller, asked: Moment, data_name: String, body: String) -> Self {
        Self {
            id,
            caller,
            asked,
            data_type: "task".to_owned(),
            data_name,
            body,
            background: true,
            state: State::Queued,
            attempts: 0,
            started: None,
            completed: None,
            rows: 0,
            tasks: None,
            left_out: 0,
            matched: 0,
            file: None,
            error: None,
            warnings: Vec::new(),
            downloads: 0,
            once: None,
            last_id: None,
            last_field: None,
            pinned: None,
            used: Used::default(),
            notification: Notification::default(),
        }
    }

    /// Whose tasks it shows.
    pub fn organization(&self) -> Id {
        self.caller.organization
    }

    /// Whether this caller asked for it.
    pub fn is_mine(&self, caller: &Caller) -> bool {
        self.caller.organization == caller.organization && self.caller.user == caller.user
    }

    /// How long the latest run took. A clock that was set back in between makes it 0, never less.
    pub fn duration_ms(&self) -> Option<u64> {
        let (started, completed) = (self.started?, self.completed?);
        Some(u64::try_from(completed.0.saturating_sub(started.0)).unwrap_or_default())
    }

    /// It has come to this end at that moment: no run is owed any more.
    pub fn end(&mut self, state: State, at: Moment) {
        self.state = state;
        self.completed = Some(at);
        self.pinned = None;
    }

    /// Tasks that are expected, and once it is done those in the file.
    pub fn tasks(&self) -> u64 {
        self.tasks.unwrap_or(self.rows)
    }

    /// Whether page and limit left tasks out.
    pub fn truncated(&self) -> bool {
        self.matched > self.tasks().saturating_add(self.left_out)
    }

    /// The file, if it can be fetched at that moment.
    pub fn file_at(&self, now: Moment) -> Option<&File> {
        self.file.as_ref().filter(|file| self.state == State::Done && now < file.expires)
    }
}

/// How long the answer to an idempotency key is remembered, in milliseconds (contract 2).
pub const ANSWER_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// What a caller's idempotency key was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The export it was answered with.
    pub export: Id,
    /// The SHA-256 of the body it came with, in lower-case hex.
    pub body_sha256: String,
    /// When.
    pub at: Moment,
}

impl Answered {
    /// Whether the key still stands for that export at this moment. One that comes from the future,
    /// as after a clock was set back, does.
    pub fn holds(&self, now: Moment) -> bool {
        now.0.saturating_sub(self.at.0) <= ANSWER_KEPT_MS
    }
}

/// Which records are meant; an absent part accepts everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// Asked for by the user of this id.
    pub user: Option<String>,
    /// Asked for by whoever has this e-mail, without regard to case.
    pub email: Option<String>,
    /// With this text in their name, without regard to case.
    pub data_name: Option<String>,
    /// Of this type of data.
    pub data_type: Option<String>,
    /// Read as this status.
    pub status: Option<Status>,
    /// Asked for then or later.
    pub since: Moment,
}

impl LogFilter {
    /// Whether the record is meant.
    pub fn accepts(&self, log: &ExportLog) -> bool {
        let lower = |text: &String| text.to_lowercase();
        log.asked >= self.since
            && self.user.as_ref().is_none_or(|user| *user == log.caller.user)
            && self.status.is_none_or(|status| log.state.status() == status)
            && self.data_type.as_ref().is_none_or(|data_type| *data_type == log.data_type)
            && self.email.as_ref().map(lower).is_none_or(|email| log.caller.email.to_lowercase() == email)
            && self.data_name.as_ref().map(lower).is_none_or(|part| log.data_name.to_lowercase().contains(&part))
    }
}

/// What records can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogField {
    /// `requestAt`
    RequestAt,
    /// `status`: the word, by the alphabet.
    Status,
    /// `dataType`
    DataType,
    /// `dataName`: by code point.
    DataName,
    /// `completedAt`: those that have not ended come below all others.
    CompletedAt,
}

impl LogField {
    /// Every one, in the contract's order.
    pub const ALL: [Self; 5] = [Self::RequestAt, Self::Status, Self::DataType, Self::DataName, Self::CompletedAt];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestAt => "requestAt",
            Self::Status => "status",
            Self::DataType => "dataType",
            Self::DataName => "dataName",
            Self::CompletedAt => "completedAt",
        }
    }

    /// The field of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// How records are sorted. Ties are broken by the id in the same direction, so the order is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOrder {
    /// What is compared first.
    pub by: LogField,
    /// True for the highest value first.
    pub descending: bool,
}

impl Default for LogOrder {
    fn default() -> Self {
        Self { by: LogField::RequestAt, descending: true }
    }
}

/// What a record is sorted by; only keys of one order are ever compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogKey {
    /// A time, or none yet, which is below every other.
    Time(Option<Moment>),
    /// One of a closed set of words.
    Word(&'static str),
    /// A text.
    Text(String),
}

impl LogOrder {
    /// The sort key of a record.
    pub fn key(&self, log: &ExportLog) -> LogKey {
        match self.by {
            LogField::RequestAt => LogKey::Time(Some(log.asked)),
            LogField::CompletedAt => LogKey::Time(log.completed),
            LogField::Status => LogKey::Word(log.state.status().name()),
            LogField::DataType => LogKey::Text(log.data_type.clone()),
            LogField::DataName => LogKey::Text(log.data_name.clone()),
        }
    }

    /// Which of two records comes first in a list sorted this way.
    pub fn compare(&self, a: &ExportLog, b: &ExportLog) -> Ordering {
        let ascending = self.key(a).cmp(&self.key(b)).then_with(|| a.id.cmp(&b.id));
        if self.descending { ascending.reverse() } else { ascending }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller(user: &str) -> Caller {
        Caller {
            user: user.to_owned(),
            email: format!("{user}@Example.com"),
            name: user.to_uppercase(),
            organization: Id([1; 12]),
            permissions: vec!["export/task".to_owned()],
            hubs: Some(vec![Id([9; 12])]),
            own: true,
        }
    }

    fn log(number: u8) -> ExportLog {
        let body = r#"{"download":"xlsx"}"#.to_owned();
        ExportLog::queued(Id([number; 12]), caller("ana"), Moment(1_000), "Visits of May".to_owned(), body)
    }

    fn file() -> File {
        let text = str::to_owned;
        File {
            key: text("k"),
            place: Place::Folder,
            name: text("n"),
            kind: text("xlsx"),
            size: 3,
            sha256: text("00"),
            expires: Moment(5_000),
        }
    }

    fn all() -> LogFilter {
        LogFilter { user: None, email: None, data_name: None, data_type: None, status: None, since: Moment(0) }
    }

    #[test]
    fn words_read_back_as_they_were_written_and_no_others_do() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert!(Status::ALL.into_iter().all(|status| Status::named(status.name()) == Some(status)));
        assert!(LogField::ALL.into_iter().all(|field| LogField::named(field.name()) == Some(field)));
        assert_eq!(Status::named("Available"), Some(Status::Done));
        assert_eq!((State::named("running"), State::named("Done")), (None, None));
        assert_eq!((Status::named("done"), LogField::named("asked")), (None, None));
    }

    #[test]
    fn five_states_read_as_three_words_and_only_the_queued_has_not_ended() {
        let read: Vec<_> = State::ALL.into_iter().map(|state| (state.has_ended(), state.status())).collect();
        let (done, failed) = ((true, Status::Done), (true, Status::Failed));
        assert_eq!(read, [(false, Status::Processing), done, failed, failed, done]);
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let mut full = log(1);
        full.state = State::Done;
        (full.started, full.completed) = (Some(Moment(2_000)), Some(Moment(-1)));
        (full.attempts, full.rows, full.matched, full.downloads) = (2, 30, 1_200, u64::MAX);
        (full.file, full.error, full.once) = (Some(file()), Some("no".to_owned()), Some("key".to_owned()));
        full.warnings = vec!["The hubId x does not exist and matches nothing.".to_owned()];
        for log in [log(2), full] {
            let json = serde_json::to_string(&log).unwrap();
            assert_eq!(serde_json::from_str::<ExportLog>(&json).unwrap(), log);
        }
    }

    #[test]
    fn the_form_on_disk_is_this_one() {
        let written = serde_json::to_value(log(1)).unwrap();
        let wanted = json!({
            "id": "010101010101010101010101",
            "caller": {
                "user": "ana", "email": "ana@Example.com", "name": "ANA", "organization": "010101010101010101010101",
                "permissions": ["export/task"], "hubs": ["090909090909090909090909"], "own": true,
            },
            "asked": 1_000, "data_type": "task", "data_name": "Visits of May", "body": "{\"download\":\"xlsx\"}",
            "background": true, "state": "queued", "attempts": 0, "started": null, "completed": null,
            "rows": 0, "tasks": null, "left_out": 0, "matched": 0, "file": null, "error": null, "warnings": [],
            "downloads": 0, "once": null, "last_id": null, "last_field": null, "pinned": null,
            "used": {"config": null, "scripts": [], "faults": {}},
            "notification": {"owed": 0, "sent": 0, "failed": 0, "error": null},
        });
        assert_eq!(written, wanted);
    }

    #[test]
    fn what_a_record_must_say_cannot_be_missing_and_the_rest_can() {
        let whole = serde_json::to_value(log(1)).unwrap().as_object().unwrap().clone();
        let must = ["id", "caller", "asked", "data_type", "data_name", "body", "state"];
        for key in whole.keys() {
            let mut less = whole.clone();
            less.remove(key);
            let read: Result<ExportLog, _> = serde_json::from_value(less.into());
            assert_eq!(read.is_err(), must.contains(&key.as_str()), "{key}");
        }
    }

    #[test]
    fn a_caller_without_a_word_on_hubs_is_not_read_as_one_of_all_hubs() {
        let mut whole = serde_json::to_value(Caller { hubs: None, ..caller("ana") }).unwrap();
        assert_eq!(serde_json::from_value::<Caller>(whole.clone()).unwrap().hubs, None);
        whole.as_object_mut().unwrap().remove("hubs");
        assert!(serde_json::from_value::<Caller>(whole).is_err());
    }

    #[test]
    fn a_duration_is_never_negative_and_is_known_once_it_has_ended() {
        let mut log = log(1);
        assert_eq!(log.duration_ms(), None);
        log.started = Some(Moment(2_000));
        assert_eq!(log.duration_ms(), None);
        for (completed, duration) in [(2_345, 345), (2_000, 0), (1_000, 0), (i64::MIN, 0)] {
            log.completed = Some(Moment(completed));
            assert_eq!(log.duration_ms(), Some(duration));
        }
    }

    #[test]
    fn a_record_belongs_to_its_user_within_its_organisation() {
        let (mut elsewhere, mut renamed) = (caller("ana"), caller("ana"));
        elsewhere.organization = Id([2; 12]);
        renamed.email = "ana.b@example.com".to_owned();
        assert!(log(1).is_mine(&caller("ana")) && log(1).is_mine(&renamed));
        assert!(!log(1).is_mine(&caller("bo")) && !log(1).is_mine(&elsewhere));
    }

    #[test]
    fn a_file_can_be_fetched_while_its_export_is_done_and_its_time_not_over() {
        let mut log = log(1);
        log.file = Some(file());
        for state in State::ALL {
            log.state = state;
            assert_eq!(log.file_at(Moment(4_999)).is_some(), state == State::Done, "{state:?}");
            assert_eq!(log.file_at(Moment(5_000)), None);
        }
    }

    #[test]
    fn rows_that_match_and_were_not_written_make_it_truncated() {
        let mut log = log(1);
        (log.rows, log.matched) = (30, 30);
        assert!(!log.truncated());
        log.matched = 31;
        assert!(log.truncated());
        (log.rows, log.tasks, log.left_out) = (90, Some(29), 2);
        assert!(!log.truncated());
    }

    #[test]
    fn an_idempotency_key_is_remembered_for_a_day() {
        let answered = Answered { export: Id([1; 12]), body_sha256: String::new(), at: Moment(7) };
        assert!(answered.holds(Moment(0)) && answered.holds(Moment(7)) && answered.holds(Moment(7 + ANSWER_KEPT_MS)));
        assert!(!answered.holds(Moment(8 + ANSWER_KEPT_MS)) && !answered.holds(Moment(i64::MAX)));
    }

    #[test]
    fn each_part_of_a_filter_demands_something_of_its_own() {
        let text = |text: &str| Some(text.to_owned());
        let accepted = [
            all(),
            LogFilter { user: text("ana"), ..all() },
            LogFilter { email: text("ANA@example.com"), ..all() },
            LogFilter { data_name: text("OF may"), ..all() },
            LogFilter { data_name: text(""), ..all() },
            LogFilter { data_type: text("task"), ..all() },
            LogFilter { status: Some(Status::Processing), ..all() },
            LogFilter { since: Moment(1_000), ..all() },
        ];
        for filter in accepted {
            assert!(filter.accepts(&log(1)), "{filter:?}");
        }
        let refused = [
            LogFilter { email: text("ana"), ..all() },
            LogFilter { email: text("bo@example.com"), ..all() },
            LogFilter { data_name: text("June"), ..all() },
            LogFilter { data_type: text("Task"), ..all() },
            LogFilter { status: Some(Status::Done), ..all() },
            LogFilter { since: Moment(1_001), ..all() },
        ];
        for filter in refused {
            assert!(!filter.accepts(&log(1)), "{filter:?}");
        }
    }

    #[test]
    fn what_has_not_ended_sorts_below_and_ties_go_by_id_in_the_same_direction() {
        let mut ended = log(1);
        ended.completed = Some(Moment(i64::MIN));
        let sorted = |by, descending| {
            let mut logs = [log(3), ended.clone(), log(2)];
            let order = LogOrder { by, descending };
            logs.sort_by(|a, b| order.compare(a, b));
            logs.map(|log| log.id.0[0])
        };
        assert_eq!(sorted(LogField::CompletedAt, false), [2, 3, 1]);
        assert_eq!(sorted(LogField::CompletedAt, true), [1, 3, 2]);
        assert_eq!(sorted(LogField::DataName, false), [1, 2, 3]);
        assert_eq!(sorted(LogField::DataName, true), [3, 2, 1]);
    }

    #[test]
    fn names_sort_by_code_point_and_states_by_the_word_they_read_as() {
        let named = |name: &str, state| ExportLog { data_name: name.to_owned(), state, ..log(1) };
        let by = |by| LogOrder { by, descending: false };
        let (a, b) = (named("Zoo", State::Queued), named("apple", State::Expired));
        assert_eq!(by(LogField::DataName).compare(&a, &b), Ordering::Less);
        assert_eq!(by(LogField::Status).compare(&a, &b), Ordering::Greater);
        assert_eq!(by(LogField::RequestAt).compare(&a, &b), Ordering::Equal);
    }
}
