//! A task as JSON: copied whole, or the chosen keys with their values as stored.

use super::Row;
use super::block::Shared;
use super::cell::time_text;
use crate::domain::{Result, ValueRef, json};

/// # Errors
/// `Internal` when raw JSON is no text.
pub(super) fn row(shared: &Shared, row: &Row<'_>, out: &mut Vec<u8>) -> Result<()> {
    let cells = match row {
        Row::Task(json) => {
            out.extend_from_slice(json.as_bytes());
            return Ok(());
        }
        Row::Cells(cells) | Row::Of(_, cells) => *cells,
    };
    out.push(b'{');
    let start = out.len();
    for (key, value) in shared.keys.iter().zip(cells) {
        if *value == ValueRef::Empty {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        match value {
            ValueRef::Empty => {}
            ValueRef::Json(json) => out.extend_from_slice(json.text()?.as_bytes()),
            ValueRef::Time(time) => out.extend_from_slice(json::quote(&time_text(*time)).as_bytes()),
            ValueRef::Link(link) => out.extend_from_slice(json::quote(&link.url).as_bytes()),
        }
    }
    out.push(b'}');
    Ok(())
}
