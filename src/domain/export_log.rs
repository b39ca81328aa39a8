//! The record of an export: who asked for what, and what became of it (contract 3).

mod list;

use serde::{Deserialize, Serialize};

use super::{Caller, ExportConfig, Id, Moment, Notification, Used};
pub use list::{LogField, LogFilter, LogKey, LogOrder};

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
