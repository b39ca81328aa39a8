//! Which tasks are meant. [`Filter::accepts`] is the definition; whatever is faster must agree.

use super::json;
use super::task::{Status, TaskRead, TimeField};
use super::{Id, Moment};

/// A span of time over one of the header's times, both ends inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRange {
    /// The time that is looked at.
    pub by: TimeField,
    /// The earliest that is meant.
    pub from: Option<Moment>,
    /// The latest that is meant.
    pub until: Option<Moment>,
}

/// What a task must be to be selected; an absent part accepts everything.
/// Deleted tasks are never accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these.
    pub status: Option<Vec<Status>>,
    /// In one of these flows.
    pub flow_ids: Option<Vec<Id>>,
    /// In a flow of one of these names (exact).
    pub flows: Option<Vec<String>>,
    /// In one of these hubs.
    pub hub_ids: Option<Vec<Id>>,
    /// Assigned to this e-mail, in lower case.
    pub assignee: Option<String>,
    /// Done by one of these, in lower case.
    pub done_by: Option<Vec<String>>,
    /// Within this span.
    pub time: Option<TimeRange>,
    /// With this text, in lower case, in `title`, `content`, `refId` or `_id`.
    pub text: Option<String>,
    /// One of these, sorted.
    pub ids: Option<Vec<Id>>,
    /// The hubs that the caller is bound to.
    pub scope_hubs: Option<Vec<Id>>,
    /// The e-mail, in lower case, of a caller who sees only tasks assigned to them.
    pub scope_own: Option<String>,
}

impl Filter {
    /// Whether the task is meant.
    pub fn accepts(&self, task: &impl TaskRead) -> bool {
        self.accepts_header(task) && self.accepts_fields(task)
    }

    /// Whether the JSON must be looked at, or the header alone decides.
    pub fn needs_fields(&self) -> bool {
        self.flows.is_some()
            || self.assignee.is_some()
            || self.done_by.is_some()
            || self.text.is_some()
            || self.scope_own.is_some()
    }

    fn accepts_header(&self, task: &impl TaskRead) -> bool {
        let header = task.header();
        let one_of = |allowed: &Option<Vec<Id>>, id: Option<Id>| match allowed {
            None => true,
            Some(allowed) => id.is_some_and(|id| allowed.contains(&id)),
        };
        !header.deleted
            && self.status.as_ref().is_none_or(|allowed| allowed.contains(&header.status))
            && one_of(&self.flow_ids, header.flow)
            && one_of(&self.hub_ids, header.hub)
            && one_of(&self.scope_hubs, header.hub)
            && self.time.as_ref().is_none_or(|range| range.holds(header.time(range.by)))
            && self.ids.as_ref().is_none_or(|ids| ids.binary_search(&header.id).is_ok())
    }

    fn accepts_fields(&self, task: &impl TaskRead) -> bool {
        let assigned = |email: &Option<String>| match email {
            None => true,
            Some(email) => task.raw("assignee").is_some_and(|raw| lists_text(raw, email)),
        };
        self.flows.as_ref().is_none_or(|names| {
            task.raw("flow").and_then(json::text).is_some_and(|flow| names.iter().any(|name| *name == flow))
        }) && assigned(&self.assignee)
            && assigned(&self.scope_own)
            && self.done_by.as_ref().is_none_or(|names| {
                let done_by = task.raw("doneBy").and_then(json::text).map(|text| text.to_lowercase());
                done_by.is_some_and(|done_by| names.contains(&done_by))
            })
            && self.text.as_ref().is_none_or(|wanted| {
                ["title", "content", "refId", "_id"].into_iter().any(|key| {
                    task.raw(key).and_then(json::text).is_some_and(|text| text.to_lowercase().contains(wanted))
                })
            })
    }
}

impl TimeRange {
    fn holds(&self, time: Option<Moment>) -> bool {
        time.is_some_and(|time| {
            self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time <= until)
        })
    }
}

/// Whether a raw list of texts (or a single text) has this one, without regard to case.
fn lists_text(raw: &str, wanted: &str) -> bool {
    let same = |raw: &str| json::text(raw).is_some_and(|text| text.to_lowercase() == wanted);
    if raw.starts_with('[') {
        let entries: Result<Vec<&serde_json::value::RawValue>, _> = serde_json::from_str(raw);
        return entries.is_ok_and(|entries| entries.iter().any(|entry| same(entry.get())));
    }
    same(raw)
}
