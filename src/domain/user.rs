//! Who asks, and what they may do.

use serde::{Deserialize, Serialize};

use super::{Error, Id, Kind, Result};

/// The person or program behind a request, as its token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// User id: the token's `sub`.
    pub user: String,
    /// E-mail address.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// The organisation; the only one this caller can see.
    pub organization: Id,
    /// Names of permissions; `*` stands for all.
    pub permissions: Vec<String>,
    /// The hubs this caller is bound to; none means all.
    // A key that got lost must not read as all hubs, so that it has to be there.
    #[serde(deserialize_with = "Option::deserialize")]
    pub hubs: Option<Vec<Id>>,
    /// True when only tasks assigned to the caller may be seen.
    pub own: bool,
}

/// What a route demands (contract 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// `export/task`
    ExportTask,
    /// `view/export-log`
    ViewExportLog,
    /// `view/export-config`
    ViewExportConfig,
    /// `add/export-config`
    AddExportConfig,
    /// `edit/export-config`
    EditExportConfig,
    /// `delete/export-config`
    DeleteExportConfig,
    /// `view/task`
    ViewTask,
    /// `add/task`
    AddTask,
    /// `edit/task`
    EditTask,
    /// `delete/task`
    DeleteTask,
    /// `view/flow`
    ViewFlow,
    /// `edit/flow`
    EditFlow,
    /// `view/hub`
    ViewHub,
    /// `edit/hub`
    EditHub,
    /// `admin/server`
    AdminServer,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 15] = [
        Self::ExportTask,
        Self::ViewExportLog,
        Self::ViewExportConfig,
        Self::AddExportConfig,
        Self::EditExportConfig,
        Self::DeleteExportConfig,
        Self::ViewTask,
        Self::AddTask,
        Self::EditTask,
        Self::DeleteTask,
        Self::ViewFlow,
        Self::EditFlow,
        Self::ViewHub,
        Self::EditHub,
        Self::AdminServer,
    ];

    /// The name in a token's `perms`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExportTask => "export/task",
            Self::ViewExportLog => "view/export-log",
            Self::ViewExportConfig => "view/export-config",
            Self::AddExportConfig => "add/export-config",
            Self::EditExportConfig => "edit/export-config",
            Self::DeleteExportConfig => "delete/export-config",
            Self::ViewTask => "view/task",
            Self::AddTask => "add/task",
            Self::EditTask => "edit/task",
            Self::DeleteTask => "delete/task",
            Self::ViewFlow => "view/flow",
            Self::EditFlow => "edit/flow",
            Self::ViewHub => "view/hub",
            Self::EditHub => "edit/hub",
            Self::AdminServer => "admin/server",
        }
    }

    /// The act in words: `export tasks`.
    pub fn act(self) -> &'static str {
        match self {
            Self::ExportTask => "export tasks",
            Self::ViewExportLog => "view export logs",
            Self::ViewExportConfig => "view export configs",
            Self::AddExportConfig => "add export configs",
            Self::EditExportConfig => "edit export configs",
            Self::DeleteExportConfig => "delete export configs",
            Self::ViewTask => "view tasks",
            Self::AddTask => "add tasks",
            Self::EditTask => "edit tasks",
            Self::DeleteTask => "delete tasks",
            Self::ViewFlow => "view flows",
            Self::EditFlow => "edit flows",
            Self::ViewHub => "view hubs",
            Self::EditHub => "edit hubs",
            Self::AdminServer => "administer the server",
        }
    }
}

impl Caller {
    /// Whether the token grants this permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.iter().any(|name| name == "*" || name == permission.name())
    }

    /// # Errors
    /// `Forbidden`, naming the act, when the token does not grant it.
    pub fn demand(&self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        let message = format!("You do not have permission to {}", permission.act());
        Err(Error::new(Kind::Forbidden, message))
    }
}
