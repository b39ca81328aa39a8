//! A request resolved against what is stored: which rows, which columns, which file.

use crate::app::App;
use crate::domain::limits::SMALL_EXPORT_ROWS;
use crate::domain::{Caller, Column, Download, Error, Id, Moment, OnFault, Result, Used, Zone};
use crate::kit::memory;
use crate::kit::meter::{Meter, Stage};
use crate::render;
use crate::store::{Reordered, View};

use super::ask::{Ask, Configured, Wish, ask, session};
use super::scripted::Scripted;
use super::shape::Shape;
use super::source::Source;
use super::spans::Counts;
use super::{about, columns};

/// Everything that is decided before the first byte: nothing in it changes during the run, and the
/// view it holds is the one moment that the file shows.
pub struct Plan {
    /// The export's id.
    pub id: Id,
    /// When it was asked for.
    pub asked: Moment,
    /// The moment that the file shows.
    pub snapshot: Moment,
    /// Whose tasks.
    pub organization: Id,
    /// The file format.
    pub download: Download,
    /// The columns; empty when whole tasks are copied.
    pub columns: Vec<Column>,
    /// The ids of the tasks, in their final order.
    pub ids: Vec<Id>,
    /// How many tasks match, whatever page was asked for.
    pub matched: u64,
    /// What the caller should know about the selection.
    pub warnings: Vec<String>,
    /// The zone that date cells are shown in.
    pub zone: Zone,
    /// The file title that was asked for.
    pub name: Option<String>,
    /// The config and the scripts it is made with.
    pub used: Used,
    pub(super) shape: Shape,
    /// How many rows each task becomes, where scripts decide.
    pub(super) counts: Option<Counts>,
    /// Whether the first fault of a script ends it.
    pub(super) fails: bool,
    /// What was asked for, in words, for the sheet `About`.
    pub(super) facts: Vec<(String, String)>,
    /// What is wanted of the tasks in their final order, if they lie in another.
    pub(super) copies: Option<Reordered>,
    pub(super) view: View,
}

impl Plan {
    /// Rows that will be in the file.
    pub fn rows(&self) -> u64 {
        self.counts.as_ref().map_or(self.ids.len() as u64, Counts::total)
    }

    /// Tasks that will be in the file.
    pub fn tasks(&self) -> u64 {
        self.counts.as_ref().map_or(self.ids.len() as u64, |counts| counts.tasks().count() as u64)
    }

    /// Where the tasks are read from.
    pub(super) fn source(&self) -> Source<'_> {
        Source { view: &self.view, organization: self.organization, ids: &self.ids, copies: self.copies.as_ref() }
    }

    /// The last task that will be in the file.
    pub(super) fn last_id(&self) -> Option<Id> {
        match &self.counts {
            None => self.ids.last().copied(),
            Some(counts) => counts.tasks().next_back().and_then(|place| self.ids.get(place).copied()),
        }
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
/// or when more rows are asked for than one export may have; `Canceled` when told to stop.
pub fn plan(app: &App, caller: &Caller, body: &[u8], meter: &Meter) -> Result<Plan> {
    let asked = app.clock.now();
    resolve(app, Wish { caller, body, pinned: None }, app.ids.id(asked), asked, meter)
}

/// Resolves the request of an export that was asked for before, against what is stored now.
///
/// # Errors
/// Those of [`plan`].
pub(super) fn resolve(app: &App, wish: Wish<'_>, id: Id, asked: Moment, meter: &Meter) -> Result<Plan> {
    meter.enter(Stage::Selecting);
    let mut ask = ask(app, wish)?;
    let pool = app.pool_for(ask.selection.take);
    let selected = ask.view.select_on(pool, &ask.selection)?;
    ask.check_rows(app, selected.ids.len() as u64, selected.matched)?;
    if selected.ids.len() as u64 > SMALL_EXPORT_ROWS {
        // Keys of all that match were made and are gone.
        memory::give_back_what_is_free();
    }
    let organization = wish.caller.organization;
    let facts = about::asked(&ask.view, wish.caller, &ask, asked, ask.snapshot)?;
    let on_fault = ask.config.as_ref().and_then(|configured| configured.config.on_fault);
    let fails = on_fault.unwrap_or(app.settings.scripts.on_fault) == OnFault::Fail;
    let mut used = Used::default();
    let (columns, shape) = match ask.config.take() {
        Some(configured) => {
            used.config = Some((&configured.config).into());
            scripted(app, &ask, configured)
        }
        None => {
            let hands = app.hands_for(selected.ids.len() as u64, false);
            hands.run(|| unshaped(&mut ask, &selected.ids))?
        }
    };
    if let Shape::Scripted(scripted) = &shape {
        used.scripts = scripted.used();
    }
    let tasks = Source { view: &ask.view, organization, ids: &selected.ids, copies: None };
    let copies = tasks.copied(app, &shape, meter)?;
    let tasks = Source { copies: copies.as_ref(), ..tasks };
    let counts = shape.flows().map(|scripted| Counts::take(app, tasks, scripted, fails, meter)).transpose()?;
    if let Some(counts) = &counts {
        ask.check_made(app, counts.total())?;
    }
    let rows = counts.as_ref().map_or(selected.ids.len() as u64, Counts::total);
    ask.check_cells(rows, columns.len())?;
    Ok(Plan {
        id,
        asked,
        snapshot: ask.snapshot,
        organization,
        download: ask.request.download,
        columns,
        ids: selected.ids,
        matched: selected.matched,
        warnings: ask.warnings,
        zone: ask.request.zone,
        name: ask.request.name,
        used,
        facts,
        shape,
        counts,
        fails,
        copies,
        view: ask.view,
    })
}

/// The columns and rows of a config.
fn scripted(app: &App, ask: &Ask, configured: Configured) -> (Vec<Column>, Shape) {
    let Configured { template, picked, .. } = configured;
    let session = session(app, ask.selection.organization, ask.snapshot, &ask.request.zone);
    let columns = picked.iter().map(|drawn| drawn.column.clone()).collect();
    let keys: Option<Vec<String>> = picked.iter().map(|drawn| drawn.source.key().map(str::to_owned)).collect();
    if let Some(keys) = keys
        && template.flows.is_empty()
    {
        return (columns, Shape::Keys(keys));
    }
    (columns, Shape::Scripted(Box::new(Scripted::new(&picked, &template.columns, template.flows, session))))
}

/// The columns and rows of tasks that no config shapes.
fn unshaped(ask: &mut Ask, ids: &[Id]) -> Result<(Vec<Column>, Shape)> {
    let (download, fields) = (ask.request.download, ask.request.selecting.fields.take());
    let columns = resolve_columns(&ask.view, ask.selection.organization, download, fields, ids)?;
    let shape = match columns.is_empty() {
        true => Shape::Copied,
        false => Shape::Keys(columns.iter().map(|column| column.id.clone()).collect()),
    };
    Ok((columns, shape))
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
            let columns = columns::chosen(&fields, view.flows(organization)?.iter(), &seen);
            if columns.is_empty() {
                return Err(Error::invalid("The fields field leaves no column. Name at least one field to write."));
            }
            Ok(columns)
        }
        None if copied => Ok(Vec::new()),
        None => {
            let seen = view.seen(organization, ids)?;
            let flows = view.flows(organization)?;
            let flows = flows.iter().filter(|flow| seen.flows.contains(&flow.id));
            let seen: Vec<String> =
                seen.keys.into_iter().filter(|key| crate::domain::field::reserved(key).is_none()).collect();
            Ok(columns::default(flows, &seen))
        }
    }
}
