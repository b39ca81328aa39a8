//! A task as JSON: copied whole, or the chosen keys with their values as stored.

use super::Row;
use super::block::Shared;

pub(super) fn row(shared: &Shared, row: &Row<'_>, out: &mut Vec<u8>) {
    let cells = match row {
        Row::Task(json) => return out.extend_from_slice(json.as_bytes()),
        Row::Cells(cells) => *cells,
    };
    out.push(b'{');
    let start = out.len();
    for (key, value) in shared.keys.iter().zip(cells) {
        let Some(value) = value else { continue };
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'}');
}
