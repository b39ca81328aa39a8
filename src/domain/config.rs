//! Export configs: saved templates of which columns an export has and which scripts shape it
//! (contract 5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Id;

/// An export config as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportConfig {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: Id,
    /// Its name, unique in the organisation without regard to case.
    pub name: String,
    /// What it exports: `task`.
    pub collection: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The flows whose tasks it exports; empty for all.
    #[serde(default)]
    pub flow_ids: Vec<Id>,
    /// The columns, in order.
    pub fields: Vec<ConfigField>,
    /// How the tasks of some flows become rows.
    #[serde(default)]
    pub flows: Vec<FlowScript>,
    /// The zone of its date cells, by IANA name.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What a fault in a script does; none for what the settings say.
    #[serde(default, rename = "on_fault")]
    pub on_fault: Option<OnFault>,
    /// Whose it is.
    pub organization_id: Id,
    /// 1 when it was made, one more with each change.
    pub version: u64,
    /// The e-mail of who made it.
    #[serde(default)]
    pub created_by: Option<String>,
    /// The e-mail of who changed it last.
    #[serde(default)]
    pub updated_by: Option<String>,
    /// When it was made, in the long form of contract 1.
    pub created_time: String,
    /// When it was last changed, in the long form of contract 1.
    pub updated_time: String,
}

/// A column of a config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigField {
    /// The task key, or for a script the column's own name.
    pub id: String,
    /// A component's kind, [`SCRIPT`], or whatever the client calls a built-in key.
    pub component: String,
    /// What stands above it, unless there is a `uniqueTitle`.
    pub title: String,
    /// A title that no other column has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_title: Option<String>,
    /// More columns, out of a bill: `<billId>.<cost name>` or `<billId>.totalCost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_field: Vec<String>,
    /// The field script that computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Rhai that computes it, in place of a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// What the script or expression is given beside the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Map<String, Value>>,
    /// An Excel number format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Its width in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// Everything else (`source`, `type` or `inputType`, `flowId`, `page`, ...), kept and echoed as sent.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The script that shapes the tasks of one flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowScript {
    /// The flow.
    pub flow_id: Id,
    /// The flow script, by name.
    pub script: String,
    /// What it is given beside the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Map<String, Value>>,
}

/// What a fault in a script does to an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// The cell is empty, or the row keeps the task's plain values; the fault is counted and told.
    Continue,
    /// The export fails.
    Fail,
}

/// The `component` of a column that is computed.
pub const SCRIPT: &str = "script";

impl ConfigField {
    /// What stands above the column.
    pub fn header(&self) -> &str {
        let titles = [self.unique_title.as_deref(), Some(self.title.as_str()), Some(self.id.as_str())];
        titles.into_iter().flatten().map(str::trim).find(|title| !title.is_empty()).unwrap_or_default()
    }

    /// What an input takes: `type`, or `inputType` as older clients say.
    pub fn kind(&self) -> Option<&str> {
        self.more.get("type").or_else(|| self.more.get("inputType")).and_then(Value::as_str)
    }

    /// Whether a script or an expression computes it.
    pub fn is_computed(&self) -> bool {
        self.component == SCRIPT
    }
}
