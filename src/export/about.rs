//! What the last sheet of a workbook tells of the export, in words.

use crate::domain::{Caller, Filter, Id, Moment, Order, Result, Status, TimeRange, Zone};
use crate::store::View;

use super::Plan;
use super::ask::Ask;

type Facts = Vec<(String, String)>;

/// Who asked for what and when, and the moment whose tasks are shown.
pub(super) fn asked(view: &View, caller: &Caller, ask: &Ask, asked: Moment, shown: Moment) -> Result<Facts> {
    let (zone, selection) = (&ask.request.zone, &ask.selection);
    let who = match caller.name.trim() {
        name if name.is_empty() || name == caller.email => caller.email.clone(),
        name => format!("{name} <{}>", caller.email),
    };
    let facts = [
        ("Asked for by", who),
        ("Asked for", clock(asked, zone)),
        ("Shows the tasks as of", clock(shown, zone)),
        ("Filters", filters(view, caller.organization, &selection.filter, zone)?),
        ("Order", order(&selection.order)),
        ("Page", page(selection.skip, selection.take)),
        ("Time zone", format!("{}, whose clock the date cells show", zone.name())),
    ];
    Ok(facts.map(|(label, value)| (label.to_owned(), value)).into())
}

impl Plan {
    /// Everything that is told of the export.
    pub(super) fn facts(&self) -> Facts {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.id.as_str()).collect();
        let (selected, tasks) = (self.ids.len() as u64, self.tasks());
        let numbers = [
            ("Columns", format!("{}: {}", columns.len(), columns.join(", "))),
            ("Tasks that match", self.matched.to_string()),
            ("Tasks in this file", tasks.to_string()),
            ("Tasks left out by page and limit", self.matched.saturating_sub(selected).to_string()),
        ];
        let mut facts = self.facts.clone();
        facts.extend(numbers.map(|(label, value)| (label.to_owned(), value)));
        facts.extend(self.shaped(tasks).map(|(label, value)| (label.to_owned(), value)));
        facts.extend(self.warnings.iter().map(|warning| ("Note".to_owned(), warning.clone())));
        facts
    }
}

impl Plan {
    /// What a config and its scripts have to do with it.
    fn shaped(&self, tasks: u64) -> impl Iterator<Item = (&'static str, String)> {
        let config =
            self.used.config.iter().map(|config| {
                ("Export config", format!("{}, version {} ({})", config.name, config.version, config.id))
            });
        let scripts = self.used.scripts.iter().map(|script| ("Script", format!("{}, {}", script.name, script.hash)));
        let rows = self.counts.iter().flat_map(move |counts| {
            let left_out = self.ids.len() as u64 - tasks;
            [("Tasks left out by scripts", left_out.to_string()), ("Rows in this file", counts.total().to_string())]
        });
        config.chain(scripts).chain(rows)
    }
}

fn clock(moment: Moment, zone: &Zone) -> String {
    match zone.civil(moment) {
        Some(local) => format!("{} ({})", local.strftime("%Y-%m-%d %H:%M:%S"), zone.name()),
        None => moment.text(),
    }
}

fn order(order: &Order) -> String {
    let direction = if order.descending { "the highest first" } else { "the lowest first" };
    format!("by {}, {direction}; those that are equal by _id", order.by)
}

fn page(skip: u64, take: Option<u64>) -> String {
    match (skip, take) {
        (0, None) => "everything that matches".to_owned(),
        (0, Some(take)) => format!("the first {take}"),
        (skip, Some(take)) => format!("{take} behind the first {skip}"),
        (skip, None) => format!("everything behind the first {skip}"),
    }
}

/// One line for each part of the filter.
fn filters(view: &View, organization: Id, filter: &Filter, zone: &Zone) -> Result<String> {
    let flow = |id: Id| Ok(view.flow(organization, id)?.map(|flow| flow.name));
    let hub = |id: Id| Ok(view.hub(organization, id)?.map(|hub| hub.name));
    let status = filter.status.as_ref().map(|list| list.iter().map(|status| Status::name(*status)).collect::<Vec<_>>());
    let lines = [
        ("status is", status.map(|names| names.join(", "))),
        ("flow is", names(filter.flow_ids.as_deref(), flow)?),
        ("flow is called", filter.flows.as_ref().map(|names| names.join(", "))),
        ("hub is", names(filter.hub_ids.as_deref(), hub)?),
        ("assigned to", filter.assignee.clone()),
        ("done by", filter.done_by.as_ref().map(|names| names.join(", "))),
        ("time is", filter.time.as_ref().map(|range| span(range, zone))),
        ("text has", filter.text.clone()),
        ("_id is", filter.ids.as_ref().map(|ids| format!("one of {} that were named", ids.len()))),
        ("only hubs that the caller may see:", names(filter.scope_hubs.as_deref(), hub)?),
        ("only tasks of the caller,", filter.scope_own.clone()),
    ];
    let told = lines.into_iter().filter_map(|(what, value)| Some(format!("{what} {}", value?)));
    let told: Vec<String> = told.collect();
    Ok(if told.is_empty() { "none".to_owned() } else { told.join("\n") })
}

fn names(ids: Option<&[Id]>, name: impl Fn(Id) -> Result<Option<String>>) -> Result<Option<String>> {
    let Some(ids) = ids else { return Ok(None) };
    let named = |id: &Id| Ok(name(*id)?.map_or_else(|| id.to_string(), |name| format!("{name} ({id})")));
    let names: Vec<String> = ids.iter().map(named).collect::<Result<_>>()?;
    Ok(Some(if names.is_empty() { "one that does not exist".to_owned() } else { names.join(", ") }))
}

fn span(range: &TimeRange, zone: &Zone) -> String {
    let from = range.from.map(|from| format!(" from {}", clock(from, zone)));
    let until = range.until.map(|until| format!(" until {}", clock(until, zone)));
    format!("{}{}{}", range.by.name(), from.unwrap_or_default(), until.unwrap_or_default())
}
