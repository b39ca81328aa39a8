//! What a key means to a task.

use super::TimeField;
use crate::domain::field::{FieldKind, reserved};

/// What a key must hold, and what the header has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Nothing where it may hold anything.
    pub(super) kind: Option<FieldKind>,
    pub(super) role: Role,
}

/// What the header has of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Id,
    Organization,
    Status,
    Deleted,
    Flow,
    Hub,
    Time(TimeField),
    /// Nothing.
    None,
}

/// The keys that every stored task has.
pub(super) const ALWAYS: [(&str, Role); 5] = [
    ("_id", Role::Id),
    ("organizationId", Role::Organization),
    ("status", Role::Status),
    ("createdTime", Role::Time(TimeField::Created)),
    ("updatedTime", Role::Time(TimeField::Updated)),
];

impl Meaning {
    pub(super) fn of(key: &str) -> Self {
        Self { kind: reserved(key), role: Role::of(key) }
    }
}

impl Role {
    pub(super) fn of(key: &str) -> Self {
        match key {
            "_id" => Self::Id,
            "organizationId" => Self::Organization,
            "status" => Self::Status,
            "isDeleted" => Self::Deleted,
            "flowId" => Self::Flow,
            "hubId" => Self::Hub,
            _ => TimeField::named(key).map_or(Self::None, Self::Time),
        }
    }

    /// Whether every stored task has it.
    pub(super) fn is_always(self) -> bool {
        ALWAYS.iter().any(|(_, role)| *role == self)
    }
}
