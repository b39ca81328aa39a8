//! The reserved keys of a task and what each holds (contract 6), and all names a request may use.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::{Arc, LazyLock};

use super::fingerprint::OwnWords;
use super::request::closest;

/// What a reserved key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// 24 hex characters.
    Id,
    /// Text.
    Text,
    /// A date-time.
    Time,
    /// true or false.
    Bool,
    /// A list.
    List,
    /// An object.
    Object,
    /// Anything.
    Any,
}

/// The reserved keys with their kinds, sorted by nothing but the contract's own order.
pub const RESERVED: [(&str, FieldKind); 66] = {
    use FieldKind::{Any, Bool, Id, List, Object, Text, Time};
    [
        ("_id", Id),
        ("flow", Text),
        ("flowId", Id),
        ("organizationId", Id),
        ("hub", Any),
        ("hubId", Id),
        ("title", Text),
        ("content", Any),
        ("label", Any),
        ("orderIndex", Any),
        ("status", Text),
        ("startTime", Time),
        ("endTime", Time),
        ("createdTime", Time),
        ("updatedTime", Time),
        ("doneTime", Time),
        ("assignedTime", Time),
        ("openTaskTime", Time),
        ("assignee", List),
        ("assignedTo", Object),
        ("assignedBy", Any),
        ("createdBy", Any),
        ("createdFrom", Any),
        ("updatedBy", Any),
        ("doneBy", Any),
        ("doneFrom", Any),
        ("doneCoordinate", Any),
        ("expectedCoordinate", Any),
        ("createdCoordinate", Any),
        ("expectedDoneTime", Any),
        ("waitingTime", Any),
        ("travelDuration", Any),
        ("duration", Any),
        ("distance", Any),
        ("travelDistance", Any),
        ("eta", Any),
        ("etd", Any),
        ("assignedVehicleId", Any),
        ("assignedVehicle", Object),
        ("routePlannedOrder", Any),
        ("doneOrder", Any),
        ("isLastDoneOrder", Any),
        ("isSample", Any),
        ("isDeleted", Bool),
        ("geoLock", Any),
        ("geoLockTrigger", Any),
        ("useGeoLock", Any),
        ("inLocation", Any),
        ("outLocation", Any),
        ("refId", Any),
        ("idLocal", Any),
        ("histories", List),
        ("deviceInformation", Any),
        ("appVersion", Any),
        ("routingResultId", Any),
        ("parentTaskId", Any),
        ("autoSplit", Any),
        ("splitNumber", Any),
        ("useVisitGroup", Any),
        ("visitGroup", Any),
        ("visitGroupPriority", Any),
        ("taskType", Any),
        ("parentId", Any),
        ("subId", Any),
        ("workflowId", Any),
        ("workflow", Any),
    ]
};

/// What a reserved key holds; nothing for the keys of flow components and foreign ones.
/// `page<N>DoneTime` is reserved for every N.
pub fn reserved(name: &str) -> Option<FieldKind> {
    let page = name.strip_prefix("page").and_then(|rest| rest.strip_suffix("DoneTime"));
    if page.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())) {
        return Some(FieldKind::Time);
    }
    type Kinds = HashMap<&'static str, FieldKind, BuildHasherDefault<OwnWords>>;
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| RESERVED.into_iter().collect());
    KINDS.get(name).copied()
}

/// The columns of a workbook that nobody shaped, before those of components (contract 2).
pub const DEFAULT_COLUMNS: [&str; 15] = [
    "_id",
    "flow",
    "flowId",
    "hubId",
    "hub",
    "title",
    "status",
    "assignee",
    "startTime",
    "endTime",
    "createdTime",
    "createdBy",
    "updatedTime",
    "doneTime",
    "doneBy",
];

/// Words among `fields` that are no columns but switches of older clients (contract 2).
pub const SWITCHES: [&str; 4] = ["hidePhoto", "hideSignature", "url", "path"];

/// The names that a request may use: those of fields, which are reserved keys, the components of the
/// organisation's flows, and every key some stored task has; or those of a config's columns.
#[derive(Debug, Clone, Default)]
pub struct FieldNames {
    names: HashSet<Arc<str>>,
    /// Whether they are all there are, without the reserved ones.
    closed: bool,
}

impl FieldNames {
    /// The reserved keys and these.
    pub fn new(others: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self { names: others.into_iter().collect(), closed: false }
    }

    /// These and no others.
    pub fn exactly(names: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self { names: names.into_iter().collect(), closed: true }
    }

    /// Whether a request may use this name.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name) || (!self.closed && reserved(name).is_some())
    }

    /// The sentence for a name that is not known, with the closest one that is.
    pub fn unknown(&self, name: &str) -> String {
        let reserved = RESERVED.iter().filter(|_| !self.closed).map(|(name, _)| *name);
        let mut known: Vec<&str> = self.names.iter().map(|name| &**name).chain(reserved).collect();
        known.sort_unstable();
        let hint = closest(name, known);
        let hint = hint.map(|known| format!(" Did you mean {known}?")).unwrap_or_default();
        format!(" There is no field {name}.{hint}")
    }
}
