//! An export's way from a request to a file: ask, plan, select, render, keep; and, for those that
//! nobody waits for, the promise on disk and the log.
//!
//! In reading order: `ask` (the request), `template` (its config made ready), `plan` (resolved against
//! what is stored), `columns` (without a config), `shape`, `scripted` and `bill` (what a task becomes),
//! `source` (where it is read from), `spans` (which rows make a block), `about` (what the last sheet
//! tells), `run` (the file), `submit` (the promise), `once` (not twice), `attempt` (keeping it), `owing`
//! and `telling` (who is told), `log` (what the caller sees of it), `link` (how the file is fetched),
//! `preview` (before anything is asked for).

mod about;
mod ask;
mod attempt;
mod bill;
mod columns;
mod link;
mod log;
mod once;
mod owing;
mod plan;
mod preview;
mod run;
mod scripted;
mod shape;
mod source;
mod spans;
mod submit;
mod telling;
mod template;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use attempt::{attempt, rescue};
pub use link::{bucket_link, link, own_link};
pub use log::{Entry, cancel, delete, downloaded, entry, list, may_see_others, retry};
pub use once::replay;
pub use owing::again;
pub use plan::{Plan, plan};
pub use preview::{Estimate, Preview, preview};
pub use run::{Finished, Outcome, stream};
pub use submit::{broken_off, direct, direct_record, streamed, submit};
pub use telling::{Tried, tell, tried};

use std::sync::Arc;

use crate::domain::field::FieldNames;
use crate::domain::{Caller, Error, Filter, Id, Kind, Result};
use crate::store::View;

/// Every field name that a request of this organisation may use.
///
/// # Errors
/// `Internal` when the store cannot be read.
pub fn field_names(view: &View, organization: Id) -> Result<FieldNames> {
    let catalog = view.catalog(organization)?;
    let flows = view.flows(organization)?;
    // Most of the components' ids are keys of tasks already.
    let ids = flows.iter().flat_map(|flow| flow.components()).map(|component| component.id.as_str());
    let others = ids.filter(|id| !catalog.contains(id)).map(Arc::from);
    Ok(FieldNames::new(catalog.shared_names().cloned().chain(others)))
}

/// Narrows a filter to what the caller may see, and says so.
///
/// # Errors
/// `Forbidden` when a hub outside the caller's was asked for.
pub fn narrow(filter: &mut Filter, caller: &Caller) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if let Some(hubs) = &caller.hubs {
        if filter.hub_ids.iter().flatten().any(|asked| !hubs.contains(asked)) {
            return Err(Error::new(Kind::Forbidden, "You do not have permission to export tasks of this hub"));
        }
        filter.scope_hubs = Some(hubs.clone());
        warnings.push("Only tasks of the hubs you may see are included.".to_owned());
    }
    if caller.own {
        filter.scope_own = Some(caller.email.to_lowercase());
        warnings.push("Only tasks assigned to you are included.".to_owned());
    }
    Ok(warnings)
}
