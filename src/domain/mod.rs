//! What the product is about, knowing no technology: tasks, what selects and orders them,
//! what an export is asked for, what became of it, and who asks.

pub mod config;
pub mod error;
pub mod export;
pub mod export_log;
pub mod fault;
pub mod field;
pub mod filter;
mod fingerprint;
pub mod flow;
pub mod hub;
pub mod id;
pub mod json;
pub mod limits;
pub mod moment;
pub mod notice;
pub mod number_format;
pub mod order;
pub mod request;
pub mod task;
pub mod used;
pub mod user;
pub mod value;

pub use config::{ConfigField, ConfigHead, ExportConfig, FlowScript, OnFault};
pub use error::{Error, Kind, Result};
pub use export::{Column, ColumnKind, Download};
pub use export_log::{Answered, ExportLog, LogFilter, LogOrder};
pub use fault::{FaultTally, RowFault, ScriptFault};
pub use filter::{Filter, TimeRange};
pub use flow::{Component, Flow, Page};
pub use hub::Hub;
pub use id::Id;
pub use moment::{Moment, Zone};
pub use notice::{Channel, Language, Mailbox, Notice, Notification, Told};
pub use number_format::is_number_format;
pub use order::Order;
pub use request::Faults;
pub use task::{Header, Status, Task, TaskRead, TimeField};
pub use used::{ConfigUsed, ScriptUsed, Used};
pub use user::{Caller, Permission};
pub use value::{Link, Raw, Time, Value, ValueRef};
