//! What went wrong in scripts: faults are results that are counted and told, not errors that stop.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Id;
use super::limits::MAX_TOLD_FAULTS;

/// What is wrong with a script, or went wrong in a call of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptFault {
    /// The script: `fields/minutes`, `flows/delivery`, `lib/geo`, or `expression of <column>`.
    pub script: String,
    /// The line, from 1, where it is known.
    pub line: Option<u32>,
    /// The column in that line, from 1, where it is known.
    pub column: Option<u32>,
    /// What is wrong, in a sentence.
    pub text: String,
}

/// A fault in one task's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFault {
    /// The task.
    pub task: Id,
    /// The column whose cell is empty because of it; none where the row keeps the task's plain values.
    pub column: Option<String>,
    /// What went wrong.
    pub fault: ScriptFault,
}

/// The faults of a run: all of them counted by script, the first of them kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultTally {
    counts: BTreeMap<String, u64>,
    first: Vec<RowFault>,
}

impl fmt::Display for ScriptFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.script)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, ", line {line}, column {column}: ")?,
            (Some(line), None) => write!(f, ", line {line}: ")?,
            _ => write!(f, ": ")?,
        }
        f.write_str(&self.text)
    }
}

impl FaultTally {
    /// One more fault.
    pub fn add(&mut self, fault: RowFault) {
        *self.counts.entry(fault.fault.script.clone()).or_default() += 1;
        if self.first.len() < MAX_TOLD_FAULTS {
            self.first.push(fault);
        }
    }

    /// Adds those of the part that follows.
    pub fn append(&mut self, later: Self) {
        for (script, count) in later.counts {
            *self.counts.entry(script).or_default() += count;
        }
        self.first.extend(later.first);
        self.first.truncate(MAX_TOLD_FAULTS);
    }

    /// How many there are, by script.
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// The first of them, in the order of the rows.
    pub fn first(&self) -> &[RowFault] {
        &self.first
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// A sentence for each script at fault.
    pub fn warnings(&self) -> Vec<String> {
        let sentence = |(script, count): (&String, &u64)| {
            let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
            let first = self.first.iter().find(|fault| fault.fault.script == *script);
            let example = first.map(|first| format!(", first at task {}: {}", first.task, first.fault));
            format!("The script {script} failed {times}{}", example.unwrap_or_default())
        };
        self.counts.iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_all_counted_and_the_first_of_them_kept_in_order() {
        let fault = |number: u8, script: &str| RowFault {
            task: Id([number; 12]),
            column: None,
            fault: ScriptFault { script: script.to_owned(), line: Some(2), column: None, text: "no".to_owned() },
        };
        let (mut tally, mut later) = (FaultTally::default(), FaultTally::default());
        tally.add(fault(1, "fields/a"));
        (0..MAX_TOLD_FAULTS).for_each(|_| later.add(fault(2, "fields/b")));
        tally.append(later);
        assert_eq!(tally.first().len(), MAX_TOLD_FAULTS);
        assert_eq!(tally.first().first().map(|first| first.task), Some(Id([1; 12])));
        assert_eq!(tally.counts().get("fields/b"), Some(&(MAX_TOLD_FAULTS as u64)));
        assert!(tally.warnings()[0].starts_with("The script fields/a failed once, first at task 0101"));
    }
}
