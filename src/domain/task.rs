//! A task: its JSON as given, and the few facts that filters and sorts look at.

mod builder;
mod meaning;

use std::borrow::Cow;
use std::ops::Range;

use builder::Builder;
use meaning::{ALWAYS, Meaning, Role};

use super::field::FieldKind;
use super::json::{self, Pair};
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
    fields: Vec<Field>,
}

/// Where a key and its value lie in the JSON of a task, which is never longer than four bytes can say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// Without its quotes.
    key: Range<u32>,
    /// Whether the key is written with escapes.
    escaped: bool,
    value: Range<u32>,
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

/// What is known of the keys of the tasks before.
#[derive(Debug)]
pub struct Keys(json::Keys<Meaning>);

impl Default for Keys {
    fn default() -> Self {
        Self(json::Keys::new(Meaning::of))
    }
}

impl Task {
    /// Takes in a task's JSON: checks it, gives it what it lacks (`_id`, `status`, `createdTime`,
    /// `updatedTime`), sets `organizationId`, and reads times without offset in the
    /// organisation's zone. Everything else stays as it came, in its order.
    ///
    /// # Errors
    /// `Invalid` with every fault of the reserved keys, or the one of the JSON.
    pub fn parse(text: &str, intake: Intake<'_>, Keys(keys): &mut Keys) -> Result<Self> {
        if text.len() > MAX_TASK_BYTES {
            return Err(Error::invalid(format!("A task must not be larger than {MAX_TASK_BYTES} bytes.")));
        }
        let pairs = match json::scan(text, keys) {
            Some(pairs) => pairs,
            None => checked(text, keys)?,
        };
        if pairs.len() > MAX_TASK_KEYS {
            return Err(Error::invalid(format!("A task must not have more than {MAX_TASK_KEYS} keys.")));
        }
        let mut faults = Faults::default();
        let mut builder = Builder::new(text.len() + 256, intake);
        if !pairs.iter().any(|pair| pair.meaning.role == Role::Id && !json::is_null(&pair.value)) {
            builder.push("_id", &json::quote(&given("_id", &intake)), Role::Id);
        }
        let mut standing = as_they_stand(text, &pairs);
        for Pair { key, value: raw, meaning } in &pairs {
            let (pair, role) = (standing.as_mut().and_then(Iterator::next), meaning.role);
            match admit(key, raw, *meaning, &intake, &mut faults) {
                Admitted::AsItCame => match pair {
                    Some(pair) => builder.push_pair(key, raw, pair, role),
                    None => builder.push(key, raw, role),
                },
                Admitted::As(raw) => builder.push(key, &raw, role),
                Admitted::Not => {}
            }
        }
        for (key, role) in ALWAYS {
            if !builder.has(role) {
                builder.push(key, &json::quote(&given(key, &intake)), role);
            }
        }
        faults.into_result()?;
        Ok(builder.finish())
    }

    /// A task from JSON that has passed [`Task::parse`] before, read again from the store.
    ///
    /// # Errors
    /// `Internal` when the text is not such JSON.
    pub fn stored(text: &str) -> Result<Self> {
        let pairs = json::pairs(text).map_err(|why| Error::internal("store", why))?;
        let intake = Intake { organization: Id::MIN, zone: &Zone::utc(), now: Moment(0), fresh_id: Id::MIN };
        let mut builder = Builder::new(text.len(), intake);
        for (key, raw) in &pairs {
            builder.push(key, raw, Role::of(key));
        }
        Ok(builder.finish())
    }

    /// The whole task as compact JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The keys in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = Cow<'_, str>> {
        self.fields.iter().map(|field| field.name(&self.json))
    }

    /// The place of each key's raw value in [`Task::json`], in the same order.
    pub fn places(&self) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
        self.fields.iter().map(|field| field.value.start as usize..field.value.end as usize)
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
        let field = self.fields.iter().find(|field| field.is(key, &self.json))?;
        text_at(&self.json, &field.value)
    }
}

impl Field {
    fn name<'a>(&self, json: &'a str) -> Cow<'a, str> {
        match self.escaped {
            false => text_at(json, &self.key).map(Cow::Borrowed),
            true => text_at(json, &(self.key.start - 1..self.key.end + 1)).and_then(json::text),
        }
        .unwrap_or_default()
    }

    fn is(&self, name: &str, json: &str) -> bool {
        if self.escaped {
            return self.name(json) == name;
        }
        // Most names differ in their length already.
        self.key.len() == name.len() && text_at(json, &self.key) == Some(name)
    }
}

fn text_at<'a>(json: &'a str, place: &Range<u32>) -> Option<&'a str> {
    json.get(place.start as usize..place.end as usize)
}

/// The pairs of a task by the long way, on which every fault gets its words.
fn checked<'a>(text: &'a str, keys: &json::Keys<Meaning>) -> Result<Vec<Pair<'a, Meaning>>> {
    json::check(text).map_err(|why| Error::invalid(format!("The task is not valid JSON: {why}.")))?;
    let pairs = json::pairs(text).map_err(|_| Error::invalid("A task must be a JSON object."))?;
    let pair =
        |(key, raw): (Cow<'a, str>, &'a str)| Pair { meaning: keys.meaning(&key), key, value: json::compact(raw) };
    Ok(pairs.into_iter().map(pair).collect())
}

/// Each pair as it stands in the text; nothing where the text is more than its pairs, with white space
/// between them or escapes in keys.
fn as_they_stand<'a>(text: &'a str, pairs: &[Pair<'_, Meaning>]) -> Option<impl Iterator<Item = &'a str>> {
    let lengths = pairs.iter().map(|pair| "\"\":".len() + pair.key.len() + pair.value.len());
    // Each has a brace or a comma before it, and the last one a brace behind it.
    let is_all = lengths.clone().map(|length| length + 1).sum::<usize>() + 1 == text.len();
    let mut end = 0;
    let pair = move |length| {
        let start = end + 1;
        end = start + length;
        text.get(start..end).unwrap_or_default()
    };
    is_all.then(|| lengths.map(pair))
}

/// What becomes of a value at the door.
enum Admitted {
    AsItCame,
    As(String),
    /// The door fills it in itself.
    Not,
}

/// What the door puts there where a task does not have it.
fn given(key: &str, intake: &Intake<'_>) -> String {
    match key {
        "_id" => intake.fresh_id.to_string(),
        "organizationId" => intake.organization.to_string(),
        "status" => Status::Unassigned.name().to_owned(),
        _ => intake.now.text(),
    }
}

fn admit(key: &str, raw: &str, meaning: Meaning, intake: &Intake<'_>, faults: &mut Faults) -> Admitted {
    if meaning.role == Role::Organization {
        return Admitted::As(json::quote(&intake.organization.to_string()));
    }
    if json::is_null(raw) {
        return if meaning.role.is_always() { Admitted::Not } else { Admitted::AsItCame };
    }
    let fault = match meaning.kind {
        None | Some(FieldKind::Any) => None,
        Some(FieldKind::Time) => return admit_time(key, json::text(raw).as_deref(), meaning.role, intake, faults),
        Some(FieldKind::Id) => {
            let is_id = json::text(raw).is_some_and(|text| text.parse::<Id>().is_ok());
            (!is_id).then_some("be 24 lower-case hex characters")
        }
        Some(FieldKind::Text) => match json::text(raw) {
            None => Some("be a string"),
            Some(text) if meaning.role == Role::Status && Status::named(&text).is_none() => {
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
fn admit_time(key: &str, text: Option<&str>, role: Role, intake: &Intake<'_>, faults: &mut Faults) -> Admitted {
    match text {
        None => faults.add(key, format!("The {key} field must be a string.")),
        Some("") if role.is_always() => return Admitted::Not,
        Some("") => {}
        Some(text) => match Moment::parse(text, intake.zone) {
            Some(_) if has_offset(text) => {}
            Some(moment) => return Admitted::As(json::quote(&moment.text())),
            None => faults.add(key, format!("The {key} field must be a date-time like 2025-06-15T08:00:00+00:00.")),
        },
    }
    Admitted::AsItCame
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_taken_in_alike_whether_or_not_white_space_stands_between_its_pairs() {
        let (zone, id) = (Zone::utc(), Id([7; 12]));
        let intake = Intake { organization: Id([1; 12]), zone: &zone, now: Moment(1_750_000_000_000), fresh_id: id };
        for pairs in [
            &[][..],
            &[(r#""a""#, "1"), (r#""b""#, r#"{"c":[" ",2]}"#)],
            &[(r#""_id""#, r#""61e5477601020304ffabcdef""#), (r#""status""#, r#""DONE""#), (r#""ü""#, r#""é\n""#)],
            &[
                (r#""organizationId""#, r#""x""#),
                (r#""a""#, "1"),
                (r#""startTime""#, r#""2025-06-15 08:00:00""#),
                (r#""b""#, "2"),
            ],
            &[(r#""a\u0062""#, "1"), (r#""a\"b""#, "2"), (r#""createdTime""#, "null"), (r#""c""#, "null")],
        ] {
            let text = |space: &str| {
                let pairs: Vec<String> = pairs.iter().map(|(key, raw)| format!("{key}{space}:{raw}{space}")).collect();
                Task::parse(&format!("{{{}}}", pairs.join(",")), intake, &mut Keys::default()).unwrap()
            };
            let (tight, loose) = (text(""), text(" "));
            assert_eq!(tight, loose);
            assert_eq!(tight.json, Task::stored(&tight.json).unwrap().json);
            assert!(tight.names().all(|name| tight.raw(&name).is_some()));
        }
    }
}
