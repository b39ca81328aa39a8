//! What is asked for, as far as it can be told without reading a task.

use crate::app::App;
use crate::domain::export::ExportRequest;
use crate::domain::limits::MAX_EXPORT_ROWS;
use crate::domain::request::Params;
use crate::domain::{Caller, Error, Id, Permission, Result};
use crate::store::{Selection, View};

use super::{field_names, narrow};

/// A valid request with what it selects; the filter and the order have moved into the selection.
pub(super) struct Ask {
    pub request: ExportRequest,
    pub selection: Selection,
    /// What the caller should know about the selection.
    pub warnings: Vec<String>,
}

/// Reads a request body.
///
/// # Errors
/// `Forbidden` without the permission or for a foreign hub, `Invalid` with every fault of the body.
pub(super) fn ask(app: &App, view: &View, caller: &Caller, body: &[u8]) -> Result<Ask> {
    caller.demand(Permission::ExportTask)?;
    let organization = caller.organization;
    let names = field_names(view, organization)?;
    let mut request = ExportRequest::read(Params::from_body(body)?, &app.settings.timezone, &names)?;
    let mut warnings = narrow(&mut request.selecting.filter, caller)?;
    warnings.extend(unknown_ids(view, organization, &request.given_flow_ids, &request.given_hub_ids)?);
    let (skip, take) = page(&request, app.settings.export.direct_default_limit);
    let filter = std::mem::take(&mut request.selecting.filter);
    let order = std::mem::take(&mut request.selecting.order);
    let selection = Selection { organization, filter, order, skip, take };
    Ok(Ask { request, selection, warnings })
}

impl Ask {
    /// How many of the tasks that match will be rows.
    pub(super) fn rows(&self, matched: u64) -> u64 {
        matched.saturating_sub(self.selection.skip).min(self.selection.take.unwrap_or(u64::MAX))
    }

    /// # Errors
    /// `Invalid` when one export may not have so many rows.
    pub(super) fn check_rows(&self, app: &App, rows: u64, matched: u64) -> Result<()> {
        if rows > MAX_EXPORT_ROWS {
            return Err(Error::invalid(format!(
                "This export matches {matched} tasks; the most is {MAX_EXPORT_ROWS}. Narrow the filters, or use page and limit."
            )));
        }
        let most = app.settings.export.direct_max_rows;
        if !self.request.background && rows > most {
            return Err(Error::invalid(format!(
                "This export has {rows} tasks; the most for a direct export is {most}. Use background, or page and limit."
            )));
        }
        Ok(())
    }
}

/// Rows to leave out and to take. With neither `page` nor `limit` a background export has
/// everything, a direct one the default; with one of them the other has its documented default.
fn page(request: &ExportRequest, default_limit: u64) -> (u64, Option<u64>) {
    const DOCUMENTED_LIMIT: u64 = 30;
    match (request.selecting.page, request.selecting.limit) {
        (None, None) if request.background => (0, None),
        (None, None) => (0, (default_limit > 0).then_some(default_limit)),
        (page, limit) => {
            let limit = limit.unwrap_or(DOCUMENTED_LIMIT);
            ((page.unwrap_or(1) - 1).saturating_mul(limit), Some(limit))
        }
    }
}

fn unknown_ids(view: &View, organization: Id, flow_ids: &[String], hub_ids: &[String]) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for text in flow_ids {
        let known = text.parse().ok().map(|id| view.flow(organization, id)).transpose()?.flatten();
        if known.is_none() {
            warnings.push(format!("The flowId {text} does not exist and matches nothing."));
        }
    }
    for text in hub_ids {
        let known = text.parse().ok().map(|id| view.hub(organization, id)).transpose()?.flatten();
        if known.is_none() {
            warnings.push(format!("The hubId {text} does not exist and matches nothing."));
        }
    }
    Ok(warnings)
}
