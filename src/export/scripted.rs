//! Rows by a config: columns that scripts compute, bills that are taken apart, and tasks that the
//! script of their flow leaves out or makes several rows of.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::{Error, Id, Result, RowFault, ScriptFault, ScriptUsed, Value, ValueRef};
use crate::render::Row;
use crate::script::{Program, Reads, Session, Task};
use crate::store::Record;

use super::bill::Cost;
use super::shape::{Fate, Told};
use super::template::{Drawn, Script, Source};

/// How many times longer than the settings say a call may take that has ended in time before.
const PATIENCE: u32 = 20;

/// The values that a row has in place of the task's own, by the place of the column.
type Given = Vec<(usize, Value)>;

/// How tasks become rows by a config.
pub(super) struct Scripted {
    /// What is read of each task; the keys that scripts look at come first.
    pub(super) keys: Vec<String>,
    /// The keys that scripts look at.
    looked_at: Arc<[String]>,
    /// Whether a script may look at any key.
    whole: bool,
    cells: Vec<Cell>,
    flows: HashMap<Id, Script>,
    /// The columns that flow scripts may give values to, each with its place if it is in the file.
    places: HashMap<String, Option<usize>>,
    session: Session,
    patient: Session,
}

/// Where the cells of a column come from; keys by their place among those that are read.
enum Cell {
    Key(usize),
    Cost(usize, Cost),
    /// With the column's id.
    Script(Script, String),
}

impl Scripted {
    /// Makes ready what was picked from a template; `known` are all the columns that it has.
    pub(super) fn new(picked: &[Drawn], known: &[Drawn], flows: HashMap<Id, Script>, session: Session) -> Self {
        let of_columns = picked.iter().filter_map(|drawn| match &drawn.source {
            Source::Script(script) => Some(&script.program),
            _ => None,
        });
        let reads: Vec<&Reads> =
            of_columns.chain(flows.values().map(|script| &script.program)).map(Program::reads).collect();
        let whole = reads.contains(&&Reads::Whole);
        let looked_at: BTreeSet<&String> = match whole {
            true => BTreeSet::new(),
            false => reads.into_iter().flat_map(keys_of).collect(),
        };
        let mut keys: Vec<String> = looked_at.into_iter().cloned().collect();
        let looked_at = keys.clone().into();
        let mut place = |key: &String| {
            keys.iter().position(|known| known == key).unwrap_or_else(|| {
                keys.push(key.clone());
                keys.len() - 1
            })
        };
        let cells = picked.iter().map(|drawn| match &drawn.source {
            Source::Key(key) => Cell::Key(place(key)),
            Source::Cost(bill, cost) => Cell::Cost(place(bill), cost.clone()),
            Source::Script(script) => Cell::Script(script.clone(), drawn.column.id.clone()),
        });
        let cells = cells.collect();
        let picked: HashMap<&str, usize> =
            picked.iter().enumerate().map(|(place, drawn)| (drawn.column.id.as_str(), place)).collect();
        let places = known.iter().map(|drawn| {
            let id = &drawn.column.id;
            (id.clone(), picked.get(id.as_str()).copied())
        });
        let places = places.collect();
        let patient = Session { patience: PATIENCE, ..session.clone() };
        Self { keys, looked_at, whole, cells, flows, places, session, patient }
    }

    /// The scripts it calls, each once.
    pub(super) fn used(&self) -> Vec<ScriptUsed> {
        let of_columns = self.cells.iter().filter_map(|cell| match cell {
            Cell::Script(script, _) => Some(script),
            _ => None,
        });
        let used = of_columns.chain(self.flows.values()).map(|script| {
            let program = &script.program;
            ScriptUsed { name: program.label().to_owned(), hash: program.hash().to_owned() }
        });
        used.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The keys that are read of each task; none when a script looks at all of them.
    pub(super) fn wanted(&self) -> Option<&[String]> {
        (!self.whole).then_some(self.keys.as_slice())
    }

    /// The keys that [`count`](Self::count) needs.
    pub(super) fn looked_at(&self) -> &[String] {
        &self.looked_at
    }

    /// Whether a task may become another number of rows than one.
    pub(super) fn shapes_flows(&self) -> bool {
        !self.flows.is_empty()
    }

    /// How many rows a task becomes, or what went wrong in the script of its flow.
    ///
    /// # Errors
    /// `Internal` when the task cannot be read.
    pub(super) fn count(&self, record: &Record<'_>) -> Result<Result<u32, ScriptFault>> {
        let Some(script) = self.script_of(record) else { return Ok(Ok(1)) };
        let task = self.task(record)?;
        Ok(self.made(script, &task, &mut Told::default()).map(|rows| rows.len() as u32))
    }

    /// Shows the rows of a task to `each`.
    ///
    /// # Errors
    /// Those of `each`, which stop it; `Internal` when the rows are not as many as they were counted.
    pub(super) fn rows(
        &self,
        record: &Record<'_>,
        fate: Fate<'_>,
        told: &mut Told,
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let script = self.script_of(record);
        let calls = script.is_some() || self.cells.iter().any(|cell| matches!(cell, Cell::Script(..)));
        let task = if calls { Some(self.task(record)?) } else { None };
        let made = match (script, &task) {
            (Some(script), Some(task)) => self.shaped(script, task, fate, told)?,
            _ => Ok(vec![Given::new()]),
        };
        let rows = made.unwrap_or_else(|fault| {
            told.faults.add(RowFault { task: record.id, column: None, fault });
            vec![Given::new()]
        });
        let own = self.own(record, task.as_ref(), &rows, told)?;
        let mut cells = Vec::with_capacity(self.cells.len());
        for row in &rows {
            cells.clear();
            cells.extend(self.cells.iter().zip(&own).map(|(cell, own)| match cell {
                Cell::Key(key) => record.cells.get(*key).copied().unwrap_or_default(),
                _ => own.borrowed(),
            }));
            for (place, value) in row {
                if let Some(cell) = cells.get_mut(*place) {
                    *cell = value.borrowed();
                }
            }
            each(&Row::Of(record.id, &cells))?;
        }
        Ok(())
    }

    fn script_of(&self, record: &Record<'_>) -> Option<&Script> {
        self.flows.get(&record.flow()?)
    }

    fn task<'a>(&'a self, record: &'a Record<'a>) -> Result<Task<'a>> {
        if self.whole {
            return Ok(Task::whole(record.json()?));
        }
        let values = record.cells.iter().take(self.looked_at.len());
        let values: Vec<_> = values.map(|value| value.json()).collect::<Result<_>>()?;
        Ok(Task::of_keys(&self.looked_at, values))
    }

    /// What the columns have where no row says otherwise; those of keys are taken from the task.
    fn own(&self, record: &Record<'_>, task: Option<&Task>, rows: &[Given], told: &mut Told) -> Result<Vec<Value>> {
        let is_wanted = |place: usize| rows.iter().any(|row| row.iter().all(|(given, _)| *given != place));
        let mut own = Vec::with_capacity(self.cells.len());
        for (place, cell) in self.cells.iter().enumerate() {
            own.push(match (cell, task) {
                (Cell::Script(script, id), Some(task)) if is_wanted(place) => {
                    let ran = script.program.value(&self.session, task, &script.args);
                    told.note(script.program.label(), ran).unwrap_or_else(|fault| {
                        told.faults.add(RowFault { task: record.id, column: Some(id.clone()), fault });
                        Value::Empty
                    })
                }
                (Cell::Cost(key, cost), _) => match record.cells.get(*key).map(ValueRef::json) {
                    Some(bill) => bill?.map_or(Value::Empty, |bill| cost.of(bill)),
                    None => Value::Empty,
                },
                _ => Value::Empty,
            });
        }
        Ok(own)
    }

    /// The rows that the script of its flow makes of a task, as far as they are not known before.
    fn shaped(
        &self,
        script: &Script,
        task: &Task,
        fate: Fate<'_>,
        told: &mut Told,
    ) -> Result<Result<Vec<Given>, ScriptFault>> {
        match fate {
            Fate::Open => Ok(self.made(script, task, told)),
            Fate::Counted(count) => self.again(script, task, count, told).map(Ok),
            Fate::Failed(fault) => Ok(Err(fault.clone())),
        }
    }

    /// The rows that the script of its flow makes of a task.
    fn made(&self, script: &Script, task: &Task, told: &mut Told) -> Result<Vec<Given>, ScriptFault> {
        let included = script.program.include(&self.session, task, &script.args);
        if !told.note(script.program.label(), included)? {
            return Ok(Vec::new());
        }
        let rows = script.program.rows(&self.session, task, &script.args);
        self.placed(script, told.note(script.program.label(), rows)?)
    }

    /// The same once more, where it is known to have become so many rows.
    fn again(&self, script: &Script, task: &Task, count: u32, told: &mut Told) -> Result<Vec<Given>> {
        let rows = script.program.rows(&self.patient, task, &script.args);
        let rows = told.note(script.program.label(), rows).and_then(|rows| self.placed(script, rows));
        match rows {
            Ok(rows) if rows.len() as u64 == u64::from(count) => Ok(rows),
            Ok(rows) => Err(differs(script, &format!("{count} rows became {}", rows.len()))),
            Err(fault) => Err(differs(script, &fault.text)),
        }
    }

    fn placed(&self, script: &Script, rows: Vec<Vec<(String, Value)>>) -> Result<Vec<Given>, ScriptFault> {
        rows.into_iter().map(|row| self.given(script, row)).collect()
    }

    fn given(&self, script: &Script, row: Vec<(String, Value)>) -> Result<Given, ScriptFault> {
        let mut given = Given::with_capacity(row.len());
        for (key, value) in row {
            match self.places.get(&key) {
                Some(Some(place)) => given.push((*place, value)),
                // A column of the config that was not asked for.
                Some(None) => {}
                None => {
                    let script = script.program.label().to_owned();
                    let text = format!("A row has the key {key}, which is no column of the export config.");
                    return Err(ScriptFault { script, line: None, column: None, text });
                }
            }
        }
        Ok(given)
    }
}

/// The keys that a script is known to look at.
fn keys_of(reads: &Reads) -> impl Iterator<Item = &String> {
    let keys = match reads {
        Reads::Whole => None,
        Reads::Keys(keys) => Some(keys.iter()),
    };
    keys.into_iter().flatten()
}

fn differs(script: &Script, what: &str) -> Error {
    Error::internal("export", format!("{} made other rows of a task than before: {what}", script.program.label()))
}
