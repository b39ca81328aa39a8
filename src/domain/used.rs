//! What an export was made with, for its log: which version of a config, which scripts, and how
//! often they failed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ExportConfig, Id};

/// What an export was made with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The config, where one was asked for.
    #[serde(default)]
    pub config: Option<ConfigUsed>,
    /// Its scripts, each once.
    #[serde(default)]
    pub scripts: Vec<ScriptUsed>,
    /// Faults, by script.
    #[serde(default)]
    pub faults: BTreeMap<String, u64>,
}

/// A version of a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigUsed {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: Id,
    /// What it was called then.
    pub name: String,
    /// Which version of it.
    pub version: u64,
}

/// A version of a script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScriptUsed {
    /// `fields/minutes`, `flows/delivery`, or `expression of <column>`.
    pub name: String,
    /// The SHA-256 of its text, in lower-case hex.
    pub hash: String,
}

impl From<&ExportConfig> for ConfigUsed {
    fn from(config: &ExportConfig) -> Self {
        Self { id: config.id, name: config.name.clone(), version: config.version }
    }
}
