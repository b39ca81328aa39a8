//! Flows: the forms that tasks are filled in with.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Id;

/// A flow as it is stored and shown (contract 7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: Id,
    /// Its name, unique in the organisation without regard to case.
    pub name: String,
    /// Its pages, in order.
    #[serde(default)]
    pub pages: Vec<Page>,
    /// When it was made, in the long form of contract 1.
    #[serde(rename = "createdTime")]
    pub created_time: String,
    /// When it was last changed, in the long form of contract 1.
    #[serde(rename = "updatedTime")]
    pub updated_time: String,
}

/// One page of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The page's id, unique in its flow.
    pub id: String,
    /// What people read above it.
    #[serde(default)]
    pub title: String,
    /// The components on it, in order.
    #[serde(default)]
    pub components: Vec<Component>,
}

/// One question of a page; its answer is a top-level key of the task, named by `id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// The task key that holds the answer.
    pub id: String,
    /// What it is: one of [`COMPONENT_KINDS`].
    pub component: String,
    /// What people read beside it.
    #[serde(default)]
    pub title: String,
    /// What an input takes: `text`, `number`, `date`, `time`, `coordinate`, ...
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Everything else, kept and echoed.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The component kinds of contract 7.
pub const COMPONENT_KINDS: [&str; 10] =
    ["select", "input", "photo", "signature", "view", "bill", "list", "timer", "voice", "capture"];

impl Flow {
    /// The components of all pages, in page order.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.pages.iter().flat_map(|page| &page.components)
    }
}
