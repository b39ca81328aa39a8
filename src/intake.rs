//! The way of tasks into the store: what they are given at the door, and who may bring them.

mod lines;
mod load;

pub use load::{Report, load};

use std::borrow::Cow;
use std::collections::HashMap;

use crate::app::App;
use crate::domain::task::{Intake, Keys};
use crate::domain::{Caller, Error, Filter, Id, Kind, Moment, Permission, Result, Task, TaskRead, json};
use crate::store::{Edit, View};

/// What a caller brings tasks to: the flows and hubs of the organisation, at one moment.
pub struct Desk<'a> {
    app: &'a App,
    caller: &'a Caller,
    scope: Filter,
    now: Moment,
    flows: HashMap<String, String>,
    flow_ids: HashMap<String, Id>,
    hubs: HashMap<String, String>,
}

/// What becomes of the task that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The new one takes its place; what it does not bring is gone.
    Replace,
    /// The keys that come take the place of those that are there.
    Merge,
}

impl<'a> Desk<'a> {
    /// Opens the desk.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(app: &'a App, caller: &'a Caller) -> Result<Self> {
        let view = app.store.view()?;
        let flows = view.flows(caller.organization)?;
        let hubs = view.hubs(caller.organization)?;
        Ok(Self {
            app,
            caller,
            scope: scope(caller),
            now: app.clock.now(),
            flow_ids: flows.iter().map(|flow| (flow.name.to_lowercase(), flow.id)).collect(),
            flows: flows.iter().map(|flow| (flow.id.to_string(), flow.name.clone())).collect(),
            hubs: hubs.into_iter().map(|hub| (hub.id.to_string(), hub.name)).collect(),
        })
    }

    /// Takes in a task of a list: it is checked, and given the names and ids of its flow and hub
    /// where the organisation knows them.
    ///
    /// # Errors
    /// `Invalid` with every fault, `Forbidden` outside the caller's scope.
    pub fn admit(&self, text: &str, keys: &mut Keys) -> Result<Task> {
        let now = self.now;
        let intake = Intake {
            organization: self.caller.organization,
            zone: &self.app.settings.timezone,
            now,
            fresh_id: self.app.ids.id(now),
        };
        let task = self.name(Task::parse(text, intake, keys)?)?;
        self.check_scope(&task)?;
        Ok(task)
    }

    /// Takes in a task that somebody makes now.
    ///
    /// # Errors
    /// As [`Desk::admit`], and `Invalid` when it has no flow or no hub.
    pub fn admit_new(&self, text: &str) -> Result<Task> {
        let task = self.admit(text, &mut Keys::default())?;
        let has = |key: &str| task.raw(key).is_some_and(|raw| raw != "null" && raw != "\"\"");
        let mut faults = crate::domain::Faults::default();
        if !has("flow") && !has("flowId") {
            faults.add("flowId", "The flowId field is required.");
        }
        if !has("hubId") {
            faults.add("hubId", "The hubId field is required.");
        }
        faults.into_result()?;
        if has("createdBy") {
            return Ok(task);
        }
        Task::stored(&with(task.json(), &[("createdBy", &json::quote(&self.caller.email))]))
    }

    /// Takes in a change of a stored task.
    ///
    /// # Errors
    /// As [`Desk::admit`].
    pub fn admit_change(&self, stored: &str, id: Id, text: &str, change: Change) -> Result<Task> {
        json::check(text).map_err(|why| Error::invalid(format!("The task is not valid JSON: {why}.")))?;
        let compact = json::compact(text);
        let new = json::pairs(&compact).map_err(|_| Error::invalid("A task must be a JSON object."))?;
        let old = json::pairs(stored).map_err(|why| Error::internal("store", why))?;
        let (id, by) = (json::quote(&id.to_string()), json::quote(&self.caller.email));
        let now = json::quote(&self.now.text());
        let fixed = [("_id", id.as_str()), ("updatedTime", now.as_str()), ("updatedBy", by.as_str())];
        let made = ["createdTime", "createdBy"];
        let moved = self.moved(&new);
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for (key, value) in &old {
            match moved.iter().find(|(other, _)| other == key) {
                _ if change == Change::Replace && !made.contains(&&**key) => {}
                None => pairs.push((key, value)),
                Some((_, None)) => {}
                Some((_, Some(value))) => pairs.push((key, value)),
            }
        }
        for (key, value) in new.iter().map(|(key, value)| (&**key, *value)).chain(fixed) {
            match pairs.iter_mut().find(|(known, _)| *known == key) {
                Some(pair) => pair.1 = value,
                None => pairs.push((key, value)),
            }
        }
        let task = self.admit(&with("{}", &pairs), &mut Keys::default())?;
        self.check_deletion(&task)?;
        Ok(task)
    }

    /// A task that moves by name or id alone takes the other along: what it becomes, or nothing
    /// where the organisation knows no such flow or hub.
    fn moved(&self, new: &[(Cow<'_, str>, &str)]) -> Vec<(&'static str, Option<String>)> {
        let given =
            |name: &str| new.iter().find(|(key, _)| key == name).map(|(_, raw)| json::text(raw).unwrap_or_default());
        let mut moved = Vec::new();
        match (given("flow"), given("flowId")) {
            (None, Some(id)) => moved.push(("flow", self.flows.get(&*id).map(|name| json::quote(name)))),
            (Some(name), None) => {
                let id = self.flow_ids.get(&name.to_lowercase());
                moved.push(("flowId", id.map(|id| json::quote(&id.to_string()))));
            }
            _ => {}
        }
        if let (None, Some(id)) = (given("hub"), given("hubId")) {
            moved.push(("hub", self.hubs.get(&*id).map(|name| json::quote(name))));
        }
        moved
    }

    /// To store a task as deleted is to delete it, by whichever way it comes.
    fn check_deletion(&self, task: &Task) -> Result<()> {
        if task.header().deleted { self.caller.demand(Permission::DeleteTask) } else { Ok(()) }
    }

    fn name(&self, task: Task) -> Result<Task> {
        let text = |key: &str| task.raw(key).and_then(json::text);
        let mut more: Vec<(&str, String)> = Vec::new();
        match (text("flow"), text("flowId")) {
            (None, Some(id)) => more.extend(self.flows.get(&*id).map(|name| ("flow", json::quote(name)))),
            (Some(name), None) => {
                more.extend(self.flow_ids.get(&name.to_lowercase()).map(|id| ("flowId", json::quote(&id.to_string()))));
            }
            _ => {}
        }
        if let (None, Some(id)) = (text("hub"), text("hubId")) {
            more.extend(self.hubs.get(&*id).map(|name| ("hub", json::quote(name))));
        }
        if more.is_empty() {
            return Ok(task);
        }
        let more: Vec<(&str, &str)> = more.iter().map(|(key, value)| (*key, value.as_str())).collect();
        // A key may be there as null; then the name takes its place.
        let known = json::pairs(task.json()).map_err(|why| Error::internal("intake", why))?;
        let kept: Vec<(&str, &str)> = known.iter().map(|(key, value)| (&**key, *value)).collect();
        let kept: Vec<_> = kept.into_iter().filter(|(key, _)| more.iter().all(|(added, _)| added != key)).collect();
        Task::stored(&with("{}", &[kept, more].concat()))
    }

    fn check_scope(&self, task: &Task) -> Result<()> {
        if self.scope.accepts(task) || task.header().deleted {
            return Ok(());
        }
        Err(Error::new(Kind::Forbidden, "You do not have permission to write tasks outside of your hubs"))
    }
}

/// The tasks that a caller may see.
pub fn scope(caller: &Caller) -> Filter {
    Filter {
        scope_hubs: caller.hubs.clone(),
        scope_own: caller.own.then(|| caller.email.to_lowercase()),
        ..Filter::default()
    }
}

/// The JSON of a task that the caller may see.
///
/// # Errors
/// `NotFound` for any other id.
pub fn find(view: &View, caller: &Caller, id: Id) -> Result<String> {
    let json = view.task(caller.organization, id)?;
    visible(caller, json)
}

/// Makes a task.
///
/// # Errors
/// As [`Desk::admit_new`]; `Conflict` when there is one of its id.
pub fn add(app: &App, caller: &Caller, text: &str) -> Result<Task> {
    caller.demand(Permission::AddTask)?;
    let task = Desk::open(app, caller)?.admit_new(text)?;
    app.store.edit(|edit| put_new(edit, caller, &task))?;
    Ok(task)
}

/// Makes the good ones of some tasks, in one edit.
///
/// # Errors
/// When the store cannot be written; a fault of one task is its own result.
pub fn add_all(app: &App, caller: &Caller, texts: &[&str]) -> Result<Vec<Result<Task>>> {
    caller.demand(Permission::AddTask)?;
    let desk = Desk::open(app, caller)?;
    let admitted: Vec<Result<Task>> = texts.iter().map(|text| desk.admit_new(text)).collect();
    app.store.edit(|edit| {
        Ok(admitted.into_iter().map(|task| task.and_then(|task| put_new(edit, caller, &task).map(|()| task))).collect())
    })
}

/// Changes the good ones of some tasks, each named by its id, in one edit.
///
/// # Errors
/// When the store cannot be written; a fault of one task is its own result.
pub fn change_all(app: &App, caller: &Caller, changes: &[(Id, &str)], how: Change) -> Result<Vec<Result<Task>>> {
    caller.demand(Permission::EditTask)?;
    let desk = Desk::open(app, caller)?;
    app.store.edit(|edit| {
        let change = |edit: &mut Edit<'_>, id: Id, text: &str| {
            let stored = visible(caller, edit.task(caller.organization, id)?)?;
            let task = desk.admit_change(&stored, id, text, how)?;
            edit.put_tasks(caller.organization, std::slice::from_ref(&task))?;
            Ok(task)
        };
        Ok(changes.iter().map(|(id, text)| change(edit, *id, text)).collect())
    })
}

/// Deletes some tasks in one edit: they are kept, marked, and never shown again.
///
/// # Errors
/// When the store cannot be written; that a task is not there is its own result.
pub fn delete_all(app: &App, caller: &Caller, ids: &[Id]) -> Result<Vec<Result<Task>>> {
    caller.demand(Permission::DeleteTask)?;
    let now = json::quote(&app.clock.now().text());
    app.store.edit(|edit| {
        let delete = |edit: &mut Edit<'_>, id: Id| {
            let stored = visible(caller, edit.task(caller.organization, id)?)?;
            let pairs = json::pairs(&stored).map_err(|why| Error::internal("store", why))?;
            let gone = [("isDeleted", "true"), ("updatedTime", now.as_str())];
            let kept = pairs.iter().map(|(key, value)| (&**key, *value));
            let kept = kept.filter(|(key, _)| gone.iter().all(|(set, _)| set != key));
            let task = Task::stored(&with("{}", &kept.chain(gone).collect::<Vec<_>>()))?;
            edit.put_tasks(caller.organization, std::slice::from_ref(&task))?;
            Task::stored(&stored)
        };
        Ok(ids.iter().map(|id| delete(edit, *id)).collect())
    })
}

fn put_new(edit: &mut Edit<'_>, caller: &Caller, task: &Task) -> Result<()> {
    if edit.task(caller.organization, task.id())?.is_some() {
        let message = format!("There is a task with the _id {} already. Use PUT or PATCH to change it.", task.id());
        return Err(Error::new(Kind::Conflict, message));
    }
    edit.put_tasks(caller.organization, std::slice::from_ref(task)).map(|_| ())
}

fn visible(caller: &Caller, json: Option<String>) -> Result<String> {
    let json = json.ok_or_else(Error::not_found)?;
    match scope(caller).accepts(&Task::stored(&json)?) {
        true => Ok(json),
        false => Err(Error::not_found()),
    }
}

/// An object with more pairs at its end; their values are raw JSON.
fn with(object: &str, more: &[(&str, &str)]) -> String {
    let mut text = object.strip_suffix('}').unwrap_or(object).to_owned();
    for (key, value) in more {
        if !text.ends_with('{') {
            text.push(',');
        }
        text.push_str(&json::quote(key));
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
}
