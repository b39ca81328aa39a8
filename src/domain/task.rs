//! A task: its JSON as given, and the few facts that filters and sorts look at.

use std::ops::Range;

use super::field::{FieldKind, reserved};
use super::json;
use super::limits::{MAX_TASK_BYTES, MAX_TASK_KEYS};
use super::moment::{Moment, Zone, has_offset};
use super::request::Faults;
use super::{Error, Id, Result};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Nobody's yet.
    Unassigned = 0,
    /// Somebody is at it.
    Ongoing = 1,
    /// Finished.
    Done = 2,
}

impl Status {
    /// Every status, in the contract's order.
    pub const ALL: [Self; 3] = [Self::Unassigned, Self::Ongoing, Self::Done];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Ongoing => "ONGOING",
            Self::Done => "DONE",
        }
    }

    /// The status of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// The times that filters and sorts look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TimeField {
    /// `createdTime`
    Created = 0,
    /// `startTime`
    Start = 1,
    /// `doneTime`
    Done = 2,
    /// `endTime`
    End = 3,
    /// `updatedTime`
    Updated = 4,
}

impl TimeField {
    /// Every one, in the order of [`Header::times`].
    pub const ALL: [Self; 5] = [Self::Created, Self::Start, Self::Done, Self::End, Self::Updated];

    /// The task key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "createdTime",
            Self::Start => "startTime",
            Self::Done => "doneTime",
            Self::End => "endTime",
            Self::Updated => "updatedTime",
        }
    }

    /// The time of this task key.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// What selection looks at first, without touching the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `_id`
    pub id: Id,
    /// `status`
    pub status: Status,
    /// `isDeleted`: kept, never shown.
    pub deleted: bool,
    /// `flowId`
    pub flow: Option<Id>,
    /// `hubId`
    pub hub: Option<Id>,
    /// The times, indexed by [`TimeField`].
    pub times: [Option<Moment>; 5],
}

impl Header {
    /// One of the times.
    pub fn time(&self, field: TimeField) -> Option<Moment> {
        self.times[field as usize]
    }
}

/// What selection and ordering need of a task, wherever its bytes lie.
pub trait TaskRead {
    /// The facts in front.
    fn header(&self) -> &Header;
    /// The raw JSON of a top-level key; nothing when the task does not have it.
    fn raw(&self, key: &str) -> Option<&str>;
}

/// A task that has passed the door: valid, compact, with its header and a directory of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    header: Header,
    json: String,
    fields: Vec<(String, Range<usize>)>,
}

/// What the door knows when a task comes in.
#[derive(Debug, Clone, Copy)]
pub struct Intake<'a> {
    /// The organisation it belongs to, whatever the task itself says.
    pub organization: Id,
    /// The time zone of times without offset.
    pub zone: &'a Zone,
    /// The moment of the snapshot: `createdTime` and `updatedTime` where the task has none.
    pub now: Moment,
    /// The id for a task that brings none.
    pub fresh_id: Id,
}

impl Task {
    /// Takes in a task's JSON: checks it, gives it what it lacks (`_id`, `status`, `createdTime`,
    /// `updatedTime`), sets `organizationId`, and reads times without offset in the
    /// organisation's zone. Everything else stays as it came, in its order.
    ///
    /// # Errors
    /// `Invalid` with every fault of the reserved keys, or the one of the JSON.
    pub fn parse(text: &str, intake: Intake<'_>) -> Result<Self> {
        if text.len() > MAX_TASK_BYTES {
            return Err(Error::invalid(format!("A task must not be larger than {MAX_TASK_BYTES} bytes.")));
        }
        json::check(text).map_err(|why| Error::invalid(format!("The task is not valid JSON: {why}.")))?;
        let text = json::compact(text);
        let pairs = json::pairs(&text).map_err(|_| Error::invalid("A task must be a JSON object."))?;
        if pairs.len() > MAX_TASK_KEYS {
            return Err(Error::invalid(format!("A task must not have more than {MAX_TASK_KEYS} keys.")));
        }
        let mut faults = Faults::default();
        let mut builder = Builder::new(text.len() + 256);
        let has = |name: &str| pairs.iter().any(|(key, raw)| key == name && !json::is_null(raw));
        if !has("_id") {
            builder.push("_id", &json::quote(&intake.fresh_id.to_string()));
        }
        for (key, raw) in &pairs {
            match admit(key, raw, &intake, &mut faults) {
                Admitted::AsItCame => builder.push(key, raw),
                Admitted::As(raw) => builder.push(key, &raw),
                Admitted::Not => {}
            }
        }
        let now = json::quote(&intake.now.text());
        for (key, raw) in [
            ("organizationId", json::quote(&intake.organization.to_string())),
            ("status", json::quote(Status::Unassigned.name())),
            ("createdTime", now.clone()),
            ("updatedTime", now),
        ] {
            if !builder.has(key) {
                builder.push(key, &raw);
            }
        }
        faults.into_result()?;
        Ok(builder.finish(&intake))
    }

    /// A task from JSON that has passed [`Task::parse`] before, read again from the store.
    ///
    /// # Errors
    /// `Internal` when the text is not such JSON.
    pub fn stored(text: &str) -> Result<Self> {
        let pairs = json::pairs(text).map_err(|why| Error::internal("store", why))?;
        let mut builder = Builder::new(text.len());
        for (key, raw) in &pairs {
            builder.push(key, raw);
        }
        let intake = Intake { organization: Id::MIN, zone: &Zone::utc(), now: Moment(0), fresh_id: Id::MIN };
        Ok(builder.finish(&intake))
    }

    /// The whole task as compact JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The keys in their order, each with the place of its raw value in [`Task::json`].
    pub fn fields(&self) -> &[(String, Range<usize>)] {
        &self.fields
    }

    /// Its id.
    pub fn id(&self) -> Id {
        self.header.id
    }
}

impl TaskRead for Task {
    fn header(&self) -> &Header {
        &self.header
    }

    fn raw(&self, key: &str) -> Option<&str> {
        let (_, range) = self.fields.iter().find(|(name, _)| name == key)?;
        self.json.get(range.clone())
    }
}

/// What becomes of a value at the door.
enum Admitted {
    AsItCame,
    As(String),
    /// The door fills it in itself.
    Not,
}

/// The keys that every stored task has.
const ALWAYS: [&str; 5] = ["_id", "organizationId", "status", "createdTime", "updatedTime"];

fn admit(key: &str, raw: &str, intake: &Intake<'_>, faults: &mut Faults) -> Admitted {
    if key == "organizationId" {
        return Admitted::As(json::quote(&intake.organization.to_string()));
    }
    if json::is_null(raw) {
        return if ALWAYS.contains(&key) { Admitted::Not } else { Admitted::AsItCame };
    }
    let text = json::text(raw);
    let fault = match reserved(key) {
        None | Some(FieldKind::Any) => None,
        Some(FieldKind::Time) => return admit_time(key, text.as_deref(), intake, faults),
        Some(FieldKind::Id) => {
            (text.is_none_or(|text| text.parse::<Id>().is_err())).then_some("be 24 lower-case hex characters")
        }
        Some(FieldKind::Text) => match text {
            None => Some("be a string"),
            Some(text) if key == "status" && Status::named(&text).is_none() => {
                faults.add(key, "The selected status is invalid. Allowed: UNASSIGNED, ONGOING, DONE.");
                None
            }
            Some(_) => None,
        },
        Some(FieldKind::Bool) => (!matches!(raw, "true" | "false")).then_some("be a boolean"),
        Some(FieldKind::List) => (!raw.starts_with('[')).then_some("be a list"),
        Some(FieldKind::Object) => (!raw.starts_with('{')).then_some("be an object"),
    };
    if let Some(fault) = fault {
        faults.add(key, format!("The {key} field must {fault}."));
    }
    Admitted::AsItCame
}

/// A time with an offset stays as it came; one without is told apart from UTC here, once, so that
/// a later change of the organisation's zone does not move it.
fn admit_time(key: &str, text: Option<&str>, intake: &Intake<'_>, faults: &mut Faults) -> Admitted {
    match text {
        None => faults.add(key, format!("The {key} field must be a string.")),
        Some("") if ALWAYS.contains(&key) => return Admitted::Not,
        Some("") => {}
        Some(text) => match Moment::parse(text, intake.zone) {
            Some(_) if has_offset(text) => {}
            Some(moment) => return Admitted::As(json::quote(&moment.text())),
            None => faults.add(key, format!("The {key} field must be a date-time like 2025-06-15T08:00:00+00:00.")),
        },
    }
    Admitted::AsItCame
}

struct Builder {
    json: String,
    fields: Vec<(String, Range<usize>)>,
}

impl Builder {
    fn new(capacity: usize) -> Self {
        let mut json = String::with_capacity(capacity);
        json.push('{');
        Self { json, fields: Vec::with_capacity(32) }
    }

    fn push(&mut self, key: &str, raw: &str) {
        if !self.fields.is_empty() {
            self.json.push(',');
        }
        self.json.push_str(&json::quote(key));
        self.json.push(':');
        let start = self.json.len();
        self.json.push_str(raw);
        self.fields.push((key.to_owned(), start..self.json.len()));
    }

    fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|(name, _)| name == key)
    }

    fn finish(mut self, intake: &Intake<'_>) -> Task {
        self.json.push('}');
        let value = |key: &str| {
            let (_, range) = self.fields.iter().find(|(name, _)| name == key)?;
            self.json.get(range.clone())
        };
        let id = |key: &str| value(key).and_then(json::text).and_then(|text| text.parse::<Id>().ok());
        let header = Header {
            id: id("_id").unwrap_or(intake.fresh_id),
            status: value("status")
                .and_then(json::text)
                .and_then(|name| Status::named(&name))
                .unwrap_or(Status::Unassigned),
            deleted: value("isDeleted") == Some("true"),
            flow: id("flowId"),
            hub: id("hubId"),
            times: TimeField::ALL.map(|field| {
                value(field.name()).and_then(json::text).and_then(|text| Moment::parse(&text, intake.zone))
            }),
        };
        Task { header, json: self.json, fields: self.fields }
    }
}
