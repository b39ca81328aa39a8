//! What is asked for, as far as it can be told without reading a task.

use crate::app::App;
use crate::domain::export::ExportRequest;
use crate::domain::limits::{MAX_EXPORT_ROWS, MAX_SHEET_CELLS};
use crate::domain::request::Params;
use crate::domain::{Caller, Download, Error, ExportConfig, Id, Moment, Permission, Result, Zone};
use crate::script::Session;
use crate::store::{Selection, View};

use super::template::{Drawn, Template};
use super::{field_names, narrow};

/// What somebody asks for.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// The request's body.
    pub body: &'a [u8],
    /// The config as it was when it was asked for; none for the one that is stored now.
    pub pinned: Option<&'a ExportConfig>,
}

/// A valid request with what it selects; the filter and the order have moved into the selection.
pub(super) struct Ask {
    /// What is stored, at one moment.
    pub view: View,
    /// That moment.
    pub snapshot: Moment,
    pub request: ExportRequest,
    pub selection: Selection,
    /// The config it asks for.
    pub config: Option<Configured>,
    /// What the caller should know about the selection.
    pub warnings: Vec<String>,
}

/// A config with what was picked of it.
pub(super) struct Configured {
    pub config: ExportConfig,
    pub template: Template,
    pub picked: Vec<Drawn>,
}

/// Reads a request body.
///
/// # Errors
/// `Forbidden` without the permission or for a foreign hub, `Invalid` with every fault of the body, or
/// with the fault of a script that its config cannot do without.
pub(super) fn ask(app: &App, wish: Wish<'_>) -> Result<Ask> {
    wish.caller.demand(Permission::ExportTask)?;
    let organization = wish.caller.organization;
    let snapshot = app.clock.now();
    let view = app.store.view()?;
    let names = field_names(&view, organization)?;
    let mut params = Params::from_body(wish.body)?;
    let config = config(&view, organization, &mut params, wish.pinned)?;
    let of_config = config.as_ref().and_then(|config| config.timezone.as_deref()).and_then(Zone::named);
    let zone = of_config.unwrap_or_else(|| app.settings.timezone.clone());
    let session = session(app, organization, snapshot, &zone);
    let template = config.as_ref().map(|config| template(app, &view, config, &session)).transpose()?;
    let columns = template.as_ref().map(Template::names);
    let mut request = ExportRequest::read(params, &zone, &names, columns.as_ref().unwrap_or(&names))?;
    let mut warnings = narrow(&mut request.selecting.filter, wish.caller)?;
    warnings.extend(unknown_ids(&view, organization, &request.given_flow_ids, &request.given_hub_ids)?);
    let (skip, take) = page(&request, app.settings.export.direct_default_limit);
    let config = match config.zip(template) {
        Some((config, template)) => {
            let picked = template.pick(request.selecting.fields.as_deref().unwrap_or_default())?;
            Some(Configured { config, template, picked })
        }
        None => None,
    };
    let mut filter = std::mem::take(&mut request.selecting.filter);
    if let Some(Configured { config, .. }) = &config
        && !config.flow_ids.is_empty()
    {
        filter.flow_ids.get_or_insert_with(|| config.flow_ids.clone());
    }
    let order = std::mem::take(&mut request.selecting.order);
    let selection = Selection { organization, filter, order, skip, take };
    Ok(Ask { view, snapshot, request, selection, config, warnings })
}

/// What all calls of scripts in one export have in common: `now()` is the moment whose tasks are shown,
/// whenever they were asked for.
pub(super) fn session(app: &App, organization: Id, snapshot: Moment, zone: &Zone) -> Session {
    let digest_key = app.keys.digest_secret(organization);
    Session { now: snapshot, zone: zone.clone(), digest_key, patience: 1 }
}

/// The config that is asked for; one that there is not becomes a fault of the body.
fn config(
    view: &View,
    organization: Id,
    params: &mut Params,
    pinned: Option<&ExportConfig>,
) -> Result<Option<ExportConfig>> {
    let Some(given) = params.string("exportConfigId") else { return Ok(None) };
    let config = match (pinned, given.parse()) {
        (Some(pinned), _) => Some(pinned.clone()),
        (None, Ok(id)) => view.config(organization, id)?,
        (None, Err(_)) => None,
    };
    Ok(config.or_else(|| params.invalid("exportConfigId", "")))
}

/// The config at the versions of its scripts that are live. Scripts run on the threads of the pool,
/// whose stacks are wide enough.
fn template(app: &App, view: &View, config: &ExportConfig, session: &Session) -> Result<Template> {
    let organization = config.organization_id;
    let seen: Vec<String> = view.catalog(organization)?.names().map(str::to_owned).collect();
    let (flows, generation) = (view.flows(organization)?, app.scripts.current());
    app.small_pool.install(|| Template::new(config, &generation, session, &flows, &seen))
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
        self.check_direct(app, rows, "has", "tasks")
    }

    /// # Errors
    /// `Invalid` when scripts make more rows than one export may have.
    pub(super) fn check_made(&self, app: &App, rows: u64) -> Result<()> {
        if rows > MAX_EXPORT_ROWS {
            return Err(Error::invalid(format!(
                "This export makes {rows} rows; the most is {MAX_EXPORT_ROWS}. Narrow the filters, or use page and limit."
            )));
        }
        self.check_direct(app, rows, "makes", "rows")
    }

    /// # Errors
    /// `Invalid` when a workbook would have more cells than any program opens.
    pub(super) fn check_cells(&self, rows: u64, columns: usize) -> Result<()> {
        match self.request.download {
            Download::Xlsx => fits_a_sheet(rows, columns),
            _ => Ok(()),
        }
    }

    fn check_direct(&self, app: &App, rows: u64, verb: &str, what: &str) -> Result<()> {
        let most = app.settings.export.direct_max_rows;
        if !self.request.background && rows > most {
            return Err(Error::invalid(format!(
                "This export {verb} {rows} {what}; the most for a direct export is {most}. Use background, or page and limit."
            )));
        }
        Ok(())
    }
}

fn fits_a_sheet(rows: u64, columns: usize) -> Result<()> {
    let cells = rows.saturating_mul(columns as u64);
    if cells <= MAX_SHEET_CELLS {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "This workbook would have {cells} cells, {rows} rows of {columns} columns; the most is {MAX_SHEET_CELLS}. \
         Choose columns with fields or a config, narrow the filters, or take csv or json."
    )))
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

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_that_no_program_opens_is_refused_with_its_numbers() {
        assert!(fits_a_sheet(1_000_000, 500).is_ok());
        let error = fits_a_sheet(1_000_000, 16_384).expect_err("too many");
        assert!(error.message.contains("16384000000 cells, 1000000 rows of 16384 columns"), "{}", error.message);
    }
}
