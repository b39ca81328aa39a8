//! Export configs: saved templates of which columns an export has and which scripts shape it
//! (contract 5).

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Id, json};

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

/// What a list of configs is chosen and sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigHead {
    /// The config's id.
    #[serde(rename = "_id")]
    pub id: Id,
    /// Its name.
    pub name: String,
    /// What it exports.
    pub collection: String,
    /// When it was made, in the long form of contract 1.
    pub created_time: String,
}

/// A column of a config.
///
/// It is kept and shown as it was sent, key by key: clients put more into it than is read here.
// `remote` gives the derived reading to `Deserialize` below instead of being it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct ConfigField {
    /// The task key, or for a script the column's own name.
    pub id: String,
    /// A component's kind, [`SCRIPT`], or whatever the client calls a built-in key.
    pub component: String,
    /// What stands above it, unless there is a `uniqueTitle`.
    pub title: String,
    /// A title that no other column has.
    pub unique_title: Option<String>,
    /// More columns, out of a bill: `<billId>.<cost name>` or `<billId>.totalCost`.
    #[serde(default, deserialize_with = "null_is_none")]
    pub additional_field: Vec<String>,
    /// The field script that computes it.
    pub script: Option<String>,
    /// Rhai that computes it, in place of a script.
    pub expression: Option<String>,
    /// What the script or expression is given beside the task.
    pub args: Option<Map<String, Value>>,
    /// An Excel number format.
    pub format: Option<String>,
    /// Its width in characters.
    pub width: Option<f64>,
    #[serde(rename = "type")]
    kind: Option<String>,
    input_type: Option<String>,
    #[serde(skip)]
    sent: Box<str>,
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

impl OnFault {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Continue, Self::Fail];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Fail => "fail",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// The one `collection` there is.
pub const TASK: &str = "task";
/// The `source` of a column that is a reserved key of tasks.
pub const RESERVED_KEY: &str = "reservedKey";
/// The `component` of a column that is computed.
pub const SCRIPT: &str = "script";

impl<'de> Deserialize<'de> for ConfigField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Box::<RawValue>::deserialize(deserializer)?;
        let mut reader = serde_json::Deserializer::from_str(sent.get());
        let field = Self::deserialize(&mut reader).map_err(D::Error::custom)?;
        Ok(Self { sent: json::compact(sent.get()).into(), ..field })
    }
}

impl Serialize for ConfigField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.sent).map_err(S::Error::custom)?.serialize(serializer)
    }
}

fn null_is_none<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl ConfigField {
    /// What stands above the column.
    pub fn header(&self) -> &str {
        let titles = [self.unique_title.as_deref(), Some(self.title.as_str()), Some(self.id.as_str())];
        titles.into_iter().flatten().map(str::trim).find(|title| !title.is_empty()).unwrap_or_default()
    }

    /// What an input takes: `type`, or `inputType` as older clients say.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref().or(self.input_type.as_deref())
    }

    /// Whether a script or an expression computes it.
    pub fn is_computed(&self) -> bool {
        self.component == SCRIPT
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_kept_as_it_was_sent_and_read_for_what_it_means() {
        let sent = concat!(
            r#"{"title":"Weight","zoom":1.50,"inputType":"number","id":"w","component":"input","page":[1e2],"#,
            r#""additionalField":null,"big":123456789012345678901234567890}"#
        );
        let field: ConfigField = serde_json::from_str(&sent.replace(',', " ,\n")).unwrap();
        assert_eq!(serde_json::to_string(&field).unwrap(), sent);
        assert_eq!((field.kind(), field.header(), field.is_computed()), (Some("number"), "Weight", false));
        assert!(field.additional_field.is_empty());
        let both: ConfigField =
            serde_json::from_str(r#"{"id":"a","component":"input","title":"","type":"date","inputType":"text"}"#)
                .unwrap();
        assert_eq!((both.kind(), both.header()), (Some("date"), "a"));
    }
}
