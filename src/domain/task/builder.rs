//! The JSON of a task, pair by pair, with its header and the directory of its keys.

use super::super::json;
use super::meaning::{ALWAYS, Role};
use super::{Field, Header, Intake, Status, Task};
use crate::domain::{Id, Moment};

/// A task that is being put together.
pub(super) struct Builder<'a> {
    intake: Intake<'a>,
    header: Header,
    json: String,
    fields: Vec<Field>,
    /// Which of those that every task has are there.
    always: [bool; ALWAYS.len()],
}

impl<'a> Builder<'a> {
    pub(super) fn new(capacity: usize, intake: Intake<'a>) -> Self {
        let mut json = String::with_capacity(capacity);
        json.push('{');
        let header = Header {
            id: intake.fresh_id,
            status: Status::Unassigned,
            deleted: false,
            flow: None,
            hub: None,
            times: [None; 5],
        };
        Self { intake, header, json, fields: Vec::with_capacity(48), always: [false; ALWAYS.len()] }
    }

    /// Adds a pair that is written like this.
    pub(super) fn push_pair(&mut self, key: &str, raw: &str, pair: &str, role: Role) {
        self.begin(raw, role);
        let start = self.at() + 1;
        self.json.push_str(pair);
        let (key, end) = (start..start + key.len() as u32, self.at());
        self.fields.push(Field { key, escaped: false, value: end - raw.len() as u32..end });
    }

    /// Adds a pair.
    pub(super) fn push(&mut self, key: &str, raw: &str, role: Role) {
        self.begin(raw, role);
        let key_start = self.at() + 1;
        // Without an early end, so that many bytes are looked at together.
        let escaped = key.bytes().fold(false, |escaped, byte| escaped | matches!(byte, b'"' | b'\\' | ..b' '));
        if escaped {
            self.json.push_str(&json::quote(key));
        } else {
            self.json.push('"');
            self.json.push_str(key);
            self.json.push('"');
        }
        let key = key_start..self.at() - 1;
        self.json.push(':');
        let start = self.at();
        self.json.push_str(raw);
        self.fields.push(Field { key, escaped, value: start..self.at() });
    }

    fn begin(&mut self, raw: &str, role: Role) {
        if role != Role::None {
            self.note(raw, role);
        }
        if !self.fields.is_empty() {
            self.json.push(',');
        }
    }

    /// Keeps what the header has of a value.
    fn note(&mut self, raw: &str, role: Role) {
        let id = || json::text(raw).and_then(|text| text.parse::<Id>().ok());
        match role {
            Role::Id => self.header.id = id().unwrap_or(self.intake.fresh_id),
            Role::Status => {
                let status = json::text(raw).and_then(|name| Status::named(&name));
                self.header.status = status.unwrap_or(Status::Unassigned);
            }
            Role::Deleted => self.header.deleted = raw == "true",
            Role::Flow => self.header.flow = id(),
            Role::Hub => self.header.hub = id(),
            Role::Time(field) => {
                let moment = json::text(raw).and_then(|text| Moment::parse(&text, self.intake.zone));
                self.header.times[field as usize] = moment;
            }
            Role::Organization | Role::None => {}
        }
        if let Some(place) = ALWAYS.iter().position(|(_, always)| *always == role) {
            self.always[place] = true;
        }
    }

    fn at(&self) -> u32 {
        self.json.len() as u32
    }

    /// Whether one of those that every task has is there.
    pub(super) fn has(&self, role: Role) -> bool {
        ALWAYS.iter().zip(self.always).any(|((_, always), is_there)| is_there && *always == role)
    }

    pub(super) fn finish(mut self) -> Task {
        self.json.push('}');
        Task { header: self.header, json: self.json, fields: self.fields }
    }
}
