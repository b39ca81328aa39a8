//! What was changed so that a file opens everywhere, counted.

use crate::domain::limits::MAX_CELL_UNITS;

/// Counts of cells that are not exactly as stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Texts longer than a cell can hold, cut.
    pub cut: u64,
    /// Numbers with more digits than a number cell keeps, or out of its range, written as text.
    pub numbers_as_text: u64,
    /// Times before March 1900 or after 9999, written as text.
    pub times_as_text: u64,
}

impl Repairs {
    /// Adds the counts of another part of the file.
    pub fn add(&mut self, other: &Self) {
        self.cut += other.cut;
        self.numbers_as_text += other.numbers_as_text;
        self.times_as_text += other.times_as_text;
    }

    /// A sentence for each kind that occurred.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut tell = |count: u64, what: &str| {
            if count > 0 {
                let cells = if count == 1 { "cell" } else { "cells" };
                warnings.push(format!("{count} {cells} {what}"));
            }
        };
        tell(self.cut, &format!("with more than {MAX_CELL_UNITS} characters cut, which is marked at the end."));
        tell(self.numbers_as_text, "with a number that Excel would round written as text.");
        tell(self.times_as_text, "with a time outside of Excel's years written as text.");
        warnings
    }
}
