//! A request resolved against what is stored: which rows, which columns, which file.

use crate::app::App;
use crate::domain::{Caller, Column, Download, Error, Id, Moment, Result, Zone};
use crate::render;
use crate::store::View;

use super::ask::ask;
use super::{about, columns};

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
    /// What was asked for, in words, for the sheet `About`.
    pub(super) facts: Vec<(String, String)>,
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

/// Resolves a request body, as asked for now.
///
/// # Errors
/// `Forbidden` without the permission or for a foreign hub, `Invalid` with every fault of the body,
/// or when more rows are asked for than one export may have.
pub fn plan(app: &App, caller: &Caller, body: &[u8]) -> Result<Plan> {
    let asked = app.clock.now();
    resolve(app, caller, body, app.ids.id(asked), asked)
}

/// Resolves the request of an export that was asked for before, against what is stored now.
///
/// # Errors
/// Those of [`plan`].
pub(super) fn resolve(app: &App, caller: &Caller, body: &[u8], id: Id, asked: Moment) -> Result<Plan> {
    let view = app.store.view()?;
    let ask = ask(app, &view, caller, body)?;
    let selected = app.pool.install(|| view.select(&ask.selection))?;
    ask.check_rows(app, selected.ids.len() as u64, selected.matched)?;
    let facts = about::asked(&view, caller, &ask, asked, app.clock.now())?;
    let request = ask.request;
    let organization = caller.organization;
    let resolve = || resolve_columns(&view, organization, request.download, request.selecting.fields, &selected.ids);
    let columns = app.pool.install(resolve)?;
    Ok(Plan {
        id,
        asked,
        organization,
        download: request.download,
        columns,
        ids: selected.ids,
        matched: selected.matched,
        warnings: ask.warnings,
        zone: request.zone,
        name: request.name,
        facts,
        view,
    })
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
