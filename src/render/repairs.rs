//! What was done to cells so that a file opens everywhere, counted, with the first places.

use crate::domain::limits::{MAX_CELL_UNITS, MAX_SHEET_LINKS, MAX_TOLD_REPAIRS};

/// Why a cell is not exactly as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// A text longer than a cell can hold.
    Cut,
    /// A number with more digits than a number cell keeps, or out of its range.
    NumberAsText,
    /// A number of a script's making that is none.
    NotANumber,
    /// A time before March 1900 or after 9999, or no time at all.
    TimeAsText,
    /// A time in the hour that the clock shows twice.
    TimeTwice,
    /// Line ends of Windows, or of old Macintoshes.
    LineEnds,
    /// Characters that XML cannot hold.
    Controls,
    /// An address that cannot be clicked.
    LinkAsText,
}

/// A repaired cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What was done to it.
    pub repair: Repair,
    /// The number of its sheet, from 0.
    pub sheet: usize,
    /// Its row as the sheet counts, from 1.
    pub row: u64,
    /// Its column, from 0.
    pub column: usize,
}

/// The repairs of a part of a file: all of them counted, the first of them kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repairs {
    counts: [u64; Repair::ALL.len()],
    first: Vec<Place>,
}

impl Repair {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Self; 8] = [
        Self::Cut,
        Self::NumberAsText,
        Self::NotANumber,
        Self::TimeAsText,
        Self::TimeTwice,
        Self::LineEnds,
        Self::Controls,
        Self::LinkAsText,
    ];

    /// What was done, to follow the number of cells.
    pub fn sentence(self) -> String {
        match self {
            Self::Cut => format!("with more than {MAX_CELL_UNITS} characters cut, which is marked at the end."),
            Self::NumberAsText => "with a number that Excel would round written as text.".to_owned(),
            Self::NotANumber => "left empty, because a script made a number that is none.".to_owned(),
            Self::TimeAsText => "with a time that Excel's calendar does not have written as text.".to_owned(),
            Self::TimeTwice => {
                "with a time in the hour that the clock shows twice written as text, with its offset.".to_owned()
            }
            Self::LineEnds => "with carriage returns, which became line feeds.".to_owned(),
            Self::Controls => "with control characters, kept as Excel's escapes _xHHHH_.".to_owned(),
            Self::LinkAsText => format!(
                "with an address that cannot be clicked: not of the web, too long, or behind the first {MAX_SHEET_LINKS}."
            ),
        }
    }
}

impl Repairs {
    /// Counts a cell of the sheet that is being written.
    pub(super) fn add(&mut self, repair: Repair, row: u64, column: usize) {
        self.counts[repair as usize] += 1;
        if self.first.len() < MAX_TOLD_REPAIRS {
            self.first.push(Place { repair, sheet: 0, row, column });
        }
    }

    /// Adds those of a part that follows, which lies in this sheet.
    pub(super) fn append(&mut self, later: Self, sheet: usize) {
        for (count, more) in self.counts.iter_mut().zip(later.counts) {
            *count += more;
        }
        let room = MAX_TOLD_REPAIRS.saturating_sub(self.first.len());
        self.first.extend(later.first.into_iter().take(room).map(|place| Place { sheet, ..place }));
    }

    /// How many cells were repaired in this way.
    pub fn count(&self, repair: Repair) -> u64 {
        self.counts[repair as usize]
    }

    /// The first repaired cells, in the order in which they were written.
    pub fn first(&self) -> &[Place] {
        &self.first
    }

    /// A sentence for each kind that occurred.
    pub fn warnings(&self) -> Vec<String> {
        let told = Repair::ALL.into_iter().filter(|repair| self.count(*repair) > 0);
        told.map(|repair| {
            let count = self.count(repair);
            let cells = if count == 1 { "cell" } else { "cells" };
            format!("{count} {cells} {}", repair.sentence())
        })
        .collect()
    }
}
