//! An export config made ready: its columns with what their cells come from, and the scripts that
//! shape the tasks of its flows, each at the version that is live.

use std::collections::{HashMap, HashSet};

use crate::domain::field::{FieldKind, FieldNames, SWITCHES, reserved};
use crate::domain::{Column, ColumnKind, Component, ConfigField, Error, ExportConfig, Flow, Id, Result, ScriptFault};
use crate::script::{Args, ExtraColumn, Generation, Program, ScriptKind, Session};

use super::bill::Cost;
use super::columns::{Media, companions, format_of, kind_of, tell_apart};

/// A config made ready.
pub(super) struct Template {
    /// Every column it can give, in its order.
    pub columns: Vec<Drawn>,
    /// The script that shapes the tasks of each flow.
    pub flows: HashMap<Id, Script>,
}

/// A column with what its cells come from.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    /// The column.
    pub column: Column,
    /// The name by which `fields` may ask for it beside its id: that of the config's field.
    field: String,
    /// Where its cells come from.
    pub source: Source,
    /// For a key of a media component its kind and what the key adds to the component's id.
    media: Option<(String, String)>,
}

/// Where the cells of a column come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A key of the task.
    Key(String),
    /// The costs of the bill under a key.
    Cost(String, Cost),
    /// What a script makes of the task.
    Script(Script),
}

/// A script with what the config gives it.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// The script.
    pub program: Program,
    /// What it is given beside the task.
    pub args: Args,
}

impl Source {
    /// The key of the task that the cells are, where they are one.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            _ => None,
        }
    }
}

impl Template {
    /// Makes a config ready: `flows` and `seen` are the flows of the organisation and every key its
    /// tasks have.
    ///
    /// # Errors
    /// `Invalid` with the fault of a script that is not there or was never good.
    pub(super) fn new(
        config: &ExportConfig,
        generation: &Generation,
        session: &Session,
        flows: &[Flow],
        seen: &[String],
    ) -> Result<Self> {
        Self::draw(config, generation, session, flows, seen)
            .map_err(|fault| Error::invalid(format!("The export config {} cannot be used: {fault}", config.name)))
    }

    fn draw(
        config: &ExportConfig,
        generation: &Generation,
        session: &Session,
        flows: &[Flow],
        seen: &[String],
    ) -> Result<Self, ScriptFault> {
        let mut columns = Vec::new();
        for field in &config.fields {
            draw_field(field, generation, flows, seen, &mut columns)?;
        }
        let mut shapers = HashMap::new();
        for flow in &config.flows {
            let program = generation.program(ScriptKind::Flow, &flow.script)?;
            let script = Script { program, args: Args::new(flow.args.as_ref()) };
            for extra in script.program.columns(session, &script.args).result? {
                let ExtraColumn { id, title, format } = extra;
                let kind = reserved_kind(&id).unwrap_or(ColumnKind::Auto);
                // Tasks that its rows say nothing of have what stands under that key, if anything.
                let source = Source::Key(id.clone());
                let column = Column { id: id.clone(), header: title, kind, format, width: None };
                columns.push(Drawn { field: id, column, source, media: None });
            }
            shapers.entry(flow.flow_id).or_insert(script);
        }
        let mut known = HashSet::new();
        columns.retain(|drawn| known.insert(drawn.column.id.clone()));
        Ok(Self { columns, flows: shapers })
    }

    /// What a request may name in `fields`.
    pub(super) fn names(&self) -> FieldNames {
        let names = self.columns.iter().flat_map(|drawn| [&drawn.field, &drawn.column.id]);
        FieldNames::exactly(names.map(|name| name.as_str().into()))
    }

    /// The columns that are asked for, in that order; all of them without a name among `fields`.
    ///
    /// # Errors
    /// `Invalid` when none is left.
    pub(super) fn pick(&self, fields: &[String]) -> Result<Vec<Drawn>> {
        let media = Media::from_switches(fields);
        let shown = |drawn: &&Drawn| match &drawn.media {
            Some((component, rest)) => media.shows(component, rest),
            None => true,
        };
        let is_name = |field: &&String| !SWITCHES.contains(&field.as_str());
        let mut picked: Vec<Drawn> = Vec::new();
        for name in fields.iter().filter(is_name) {
            let meant = |drawn: &&Drawn| drawn.field == *name || drawn.column.id == *name;
            for drawn in self.columns.iter().filter(meant).filter(shown) {
                if picked.iter().all(|before| before.column.id != drawn.column.id) {
                    picked.push(drawn.clone());
                }
            }
        }
        if !fields.iter().any(|field| is_name(&field)) {
            picked.extend(self.columns.iter().filter(shown).cloned());
        }
        if picked.is_empty() {
            return Err(Error::invalid("The fields field leaves no column. Name at least one field to write."));
        }
        tell_apart(picked.iter_mut().map(|drawn| &mut drawn.column));
        Ok(picked)
    }
}

/// The columns of one field: itself, or the keys of a photo or signature; then those out of a bill.
fn draw_field(
    field: &ConfigField,
    generation: &Generation,
    flows: &[Flow],
    seen: &[String],
    columns: &mut Vec<Drawn>,
) -> Result<(), ScriptFault> {
    let component = flows.iter().flat_map(Flow::components).find(|component| component.id == field.id);
    let input = field.kind().or(component.and_then(|component| component.kind.as_deref()));
    let column = |id: &str, header: String, kind| Column {
        id: id.to_owned(),
        header,
        kind,
        format: field.format.clone().or_else(|| format_of(input)),
        width: field.width.map(|width| width.round().clamp(1.0, 255.0) as u16),
    };
    let mut add = |column: Column, field: &str, source, media| {
        columns.push(Drawn { column, field: field.to_owned(), source, media });
    };
    if field.is_computed() {
        let source = Source::Script(computed(field, generation)?);
        add(column(&field.id, field.header().to_owned(), ColumnKind::Auto), &field.id, source, None);
        return Ok(());
    }
    let is_media = |kind: &str| matches!(kind, "photo" | "signature");
    let kinds = [Some(field.component.as_str()), component.map(|component| component.component.as_str())];
    let media = kinds.into_iter().flatten().find(|kind| is_media(kind));
    let keys = media.map(|_| companions(&field.id, seen)).unwrap_or_default();
    if keys.is_empty() {
        let kind = kind(field, component, input);
        add(column(&field.id, field.header().to_owned(), kind), &field.id, Source::Key(field.id.clone()), None);
    }
    for (key, rest) in keys {
        let header = format!("{} {}", field.header(), rest.replace('_', " "));
        let media = media.map(|kind| (kind.to_owned(), rest.to_owned()));
        let kind = if rest.ends_with("url") { ColumnKind::Url } else { ColumnKind::Auto };
        add(column(key, header, kind), &field.id, Source::Key(key.to_owned()), media);
    }
    for id in &field.additional_field {
        let Some((bill, cost)) = of_bill(field, id) else { continue };
        let header = format!("{} {cost}", field.header());
        add(column(id, header, ColumnKind::Auto), id, Source::Cost(bill.to_owned(), Cost::of_name(cost)), None);
    }
    Ok(())
}

/// The bill and the cost that a column out of a bill is about; ids of components may have dots too.
fn of_bill<'a>(field: &'a ConfigField, id: &'a str) -> Option<(&'a str, &'a str)> {
    let own = id.strip_prefix(field.id.as_str()).and_then(|rest| rest.strip_prefix('.'));
    own.map(|cost| (field.id.as_str(), cost)).or_else(|| id.split_once('.'))
}

fn kind(field: &ConfigField, component: Option<&Component>, input: Option<&str>) -> ColumnKind {
    reserved_kind(&field.id).unwrap_or_else(|| match (kind_of(&field.component, input), component) {
        // Clients have names of their own for components.
        (ColumnKind::Auto, Some(component)) => kind_of(&component.component, input),
        (kind, _) => kind,
    })
}

/// How a reserved key is shown; nothing for any other.
fn reserved_kind(key: &str) -> Option<ColumnKind> {
    reserved(key).map(|kind| if kind == FieldKind::Time { ColumnKind::Time } else { ColumnKind::Auto })
}

fn computed(field: &ConfigField, generation: &Generation) -> Result<Script, ScriptFault> {
    let label = format!("expression of {}", field.id);
    let program = match (&field.script, &field.expression) {
        (Some(name), _) => generation.program(ScriptKind::Field, name)?,
        (None, Some(text)) => generation.expression(&label, text)?,
        (None, None) => {
            let text = "The field names neither a script nor an expression.".to_owned();
            return Err(ScriptFault { script: label, line: None, column: None, text });
        }
    };
    Ok(Script { program, args: Args::new(field.args.as_ref()) })
}
