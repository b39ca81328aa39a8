//! What Rhai says of a script, in our words: which script, where, and what is wrong.

use rhai::{Dynamic, EvalAltResult, ParseError, Position};

use crate::domain::ScriptFault;

use super::call::{Allowance, Excess};
use super::convert::kind;
use super::interpolation::{Inserted, column_before};

/// Characters of a fault's text.
const MAX_TEXT_CHARS: usize = 500;

/// Where a text came from, so that lines and columns are those of the operator's text.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The script's label.
    pub label: String,
    /// Lines that stand before the operator's text.
    pub lines_before: usize,
    /// Lines of the operator's text.
    pub lines: usize,
    /// What was put into its lines.
    pub inserted: Vec<Inserted>,
}

impl Origin {
    /// A whole file.
    pub fn file(label: &str, text: &str) -> Self {
        Self { label: label.to_owned(), lines_before: 0, lines: text.lines().count(), inserted: Vec::new() }
    }

    /// A fault of the whole script.
    pub fn fault(&self, text: impl Into<String>) -> ScriptFault {
        self.fault_at(Position::NONE, text)
    }

    /// A fault at a place of it.
    pub fn fault_at(&self, position: Position, text: impl Into<String>) -> ScriptFault {
        let column = |line| position.position().map(|column| column_before(&self.inserted, line, column));
        let column = position.line().and_then(column);
        let line = position.line().map(|line| line.saturating_sub(self.lines_before));
        let inside = line.is_none_or(|line| (1..=self.lines.max(1)).contains(&line));
        let line = line.map(|line| line.clamp(1, self.lines.max(1)));
        let column = column.filter(|_| inside);
        let small = |number: usize| u32::try_from(number).ok();
        ScriptFault {
            script: self.label.clone(),
            line: line.and_then(small),
            column: column.and_then(small),
            text: short(text.into()),
        }
    }

    /// What the parser found.
    pub fn of_parsing(&self, error: &ParseError) -> ScriptFault {
        self.fault_at(error.position(), sentence(&error.err_type().to_string()))
    }

    /// What a call took more of than it may; where in the script, nobody knows.
    pub fn of_excess(&self, excess: Excess, most: Allowance) -> ScriptFault {
        self.fault(too_much(excess, most))
    }

    /// What ended a call.
    pub fn of_running(&self, error: Box<EvalAltResult>, excess: Option<Excess>, most: Allowance) -> ScriptFault {
        let (mut error, mut source) = (error, None);
        loop {
            error = match *error {
                EvalAltResult::ErrorInFunctionCall(_, label, inner, _) => {
                    source = Some(label).filter(|label| !label.is_empty()).or(source);
                    inner
                }
                EvalAltResult::ErrorInModule(label, inner, _) => {
                    source = Some(label).filter(|label| !label.is_empty()).or(source);
                    inner
                }
                _ => break,
            };
        }
        let position = error.take_position();
        if let Some(excess) = excess {
            return self.of_excess(excess, most);
        }
        let text = text(&error, most);
        match source.filter(|source| *source != self.label) {
            Some(label) => {
                Self { label, lines_before: 0, lines: usize::MAX, inserted: Vec::new() }.fault_at(position, text)
            }
            None => self.fault_at(position, text),
        }
    }
}

fn too_much(excess: Excess, most: Allowance) -> String {
    match excess {
        Excess::Operations => format!("The call took more than {} operations.", most.operations),
        Excess::Time => format!("The call took more than {} ms.", most.millis),
        Excess::Memory => format!("The call held more than {} bytes.", most.bytes),
        Excess::Text => "A list or map would make too long a text.".to_owned(),
    }
}

fn text(error: &EvalAltResult, most: Allowance) -> String {
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => too_much(Excess::Operations, most),
        EvalAltResult::ErrorStackOverflow(_) => "Too many functions call each other.".to_owned(),
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_text(thrown),
        // These show a value, which may be of any size.
        EvalAltResult::ErrorIndexNotFound(index, _) => format!("There is nothing at {}.", kind(index)),
        other => sentence(&other.to_string()),
    }
}

fn thrown_text(thrown: &Dynamic) -> String {
    if let Ok(text) = thrown.as_immutable_string_ref() {
        return text.chars().take(MAX_TEXT_CHARS).collect();
    }
    match (thrown.as_int(), thrown.as_bool()) {
        (Ok(number), _) => format!("The script threw {number}."),
        (_, Ok(truth)) => format!("The script threw {truth}."),
        _ => format!("The script threw {}.", kind(thrown)),
    }
}

/// A sentence ends with a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let ends = text.is_empty() || text.ends_with(['.', '!', '?']);
    format!("{text}{}", if ends { "" } else { "." })
}

fn short(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
