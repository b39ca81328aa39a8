//! A request resolved against what is stored: which rows, which columns, which file.

use crate::app::App;
use crate::domain::export::ExportRequest;
use crate::domain::limits::MAX_EXPORT_ROWS;
use crate::domain::request::Params;
use crate::domain::{Caller, Column, Download, Error, Id, Moment, Permission, Result, Zone};
use crate::render;
use crate::store::{Selection, View};

use super::{columns, field_names, narrow};

/// Everything that is decided before the first byte: nothing in it changes during the run, and the
/// view it holds is the one moment that the file shows.
pub struct Plan {
    /// The export's id.
    pub id: Id,
    /// When it was asked for.
    pub asked: Moment,
    /// Whose tasks.
    pub organization: Id,
    /// The file format.
    pub download: Download,
    /// The columns; empty when whole tasks are copied.
    pub columns: Vec<Column>,
    /// The ids of the rows, in their final order.
    pub ids: Vec<Id>,
    /// How many tasks match, whatever page was asked for.
    pub matched: u64,
    /// What the caller should know about the selection.
    pub warnings: Vec<String>,
    /// The zone that date cells are shown in.
    pub zone: Zone,
    /// The file title that was asked for.
    pub name: Option<String>,
    pub(super) view: View,
}

impl Plan {
    /// Rows that will be in the file.
    pub fn rows(&self) -> u64 {
        self.ids.len() as u64
    }

    /// `xlsx`, `json`, `zip`, `csv` or `ndjson`.
    pub fn extension(&self) -> &'static str {
        render::extension(self.download, self.rows())
    }

    /// `task_<organisation>_<unix time>`
    pub fn stem(&self) -> String {
        format!("task_{}_{}", self.organization, self.asked.seconds())
    }

    /// The name a browser saves the file under.
    pub fn file_name(&self) -> String {
        format!("{}.{}", self.name.clone().unwrap_or_else(|| self.stem()), self.extension())
    }
}

/// Resolves a request body.
///
/// # Errors
/// `Forbidden` without the permission or for a foreign hub, `Invalid` with every fault of the body,
/// or when more rows are asked for than one export may have.
pub fn plan(app: &App, caller: &Caller, body: &[u8]) -> Result<Plan> {
    caller.demand(Permission::ExportTask)?;
    let view = app.store.view()?;
    let organization = caller.organization;
    let names = field_names(&view, organization)?;
    let request = ExportRequest::read(Params::from_body(body)?, &app.settings.timezone, &names)?;

    let mut selecting = request.selecting;
    let mut warnings = narrow(&mut selecting.filter, caller)?;
    warnings.extend(unknown_ids(&view, organization, &request.given_flow_ids, &request.given_hub_ids)?);

    let (skip, take) = page(selecting.page, selecting.limit, app.settings.export.direct_default_limit);
    let selection = Selection { organization, filter: selecting.filter, order: selecting.order, skip, take };
    let selected = app.pool.install(|| view.select(&selection))?;
    let rows = selected.ids.len() as u64;
    if rows > MAX_EXPORT_ROWS {
        return Err(Error::invalid(format!(
            "This export matches {} tasks; the most is {MAX_EXPORT_ROWS}. Narrow the filters, or use page and limit.",
            selected.matched
        )));
    }
    if rows > app.settings.export.direct_max_rows {
        return Err(Error::invalid(format!(
            "This export has {rows} tasks; the most for a direct export is {}. Use background, or page and limit.",
            app.settings.export.direct_max_rows
        )));
    }
    let columns =
        app.pool.install(|| resolve_columns(&view, organization, request.download, selecting.fields, &selected.ids))?;
    let asked = app.clock.now();
    Ok(Plan {
        id: app.ids.id(asked),
        asked,
        organization,
        download: request.download,
        columns,
        ids: selected.ids,
        matched: selected.matched,
        warnings,
        zone: request.zone,
        name: request.name,
        view,
    })
}

/// Rows to leave out and to take: with neither `page` nor `limit` the default of direct exports,
/// with one of them the other's documented default.
fn page(page: Option<u64>, limit: Option<u64>, default_limit: u64) -> (u64, Option<u64>) {
    const DOCUMENTED_LIMIT: u64 = 30;
    match (page, limit) {
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

/// Whole tasks are copied when JSON is asked for without `fields`; then there are no columns.
fn resolve_columns(
    view: &View,
    organization: Id,
    download: Download,
    fields: Option<Vec<String>>,
    ids: &[Id],
) -> Result<Vec<Column>> {
    let copied = matches!(download, Download::Json | Download::Ndjson);
    match fields {
        Some(fields) => {
            let catalog = view.catalog(organization)?;
            let seen: Vec<String> = catalog.names().map(str::to_owned).collect();
            let columns = columns::chosen(&fields, &view.flows(organization)?, &seen);
            if columns.is_empty() {
                return Err(Error::invalid("The fields field leaves no column. Name at least one field to write."));
            }
            Ok(columns)
        }
        None if copied => Ok(Vec::new()),
        None => {
            let seen = view.seen(organization, ids)?;
            let mut flows = view.flows(organization)?;
            flows.retain(|flow| seen.flows.contains(&flow.id));
            let seen: Vec<String> =
                seen.keys.into_iter().filter(|key| crate::domain::field::reserved(key).is_none()).collect();
            Ok(columns::default(&flows, &seen))
        }
    }
}
