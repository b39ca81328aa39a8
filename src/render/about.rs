//! The last sheet of a workbook: what the file is, and what became of cells that are not as stored.

use std::fmt::Write as _;

use crate::domain::limits::MAX_CELL_UNITS;
use crate::domain::{FaultTally, RowFault};

use super::names::start;
use super::repairs::{Repair, Repairs};
use super::sheet::letters;
use super::skeleton::{ABOUT_WIDTHS, Frame, with_dimension};
use super::styles::Style;
use super::widths::{height, lines};
use super::{Error, escape};

/// What is told about a file beside its rows.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// What people may ask, and the answers, in order.
    pub facts: Vec<(String, String)>,
    /// What went wrong in scripts.
    pub faults: FaultTally,
}

/// The whole sheet; `sheets` are the names of all sheets, which the places of repairs refer to.
pub(super) fn sheet(about: &About, repairs: &Repairs, sheets: &[String], frame: &Frame) -> Result<Vec<u8>, Error> {
    let mut lines = Lines { frame, rows: Vec::new(), number: 0 };
    lines.pair(Style::Title, "About this file", None);
    for (label, value) in &about.facts {
        lines.pair(Style::Label, label, Some((Style::Wrapped, value)));
    }
    counted(&mut lines, repairs);
    faulty(&mut lines, &about.faults);
    places(&mut lines, repairs, sheets);
    first_faults(&mut lines, &about.faults);
    let last = format!("B{}", lines.number);
    let mut xml = with_dimension(&frame.head, &last)?.into_bytes();
    xml.append(&mut lines.rows);
    xml.extend_from_slice(frame.tail.as_bytes());
    Ok(xml)
}

fn counted(lines: &mut Lines<'_>, repairs: &Repairs) {
    lines.section("Cells", "Repairs, so that the file opens everywhere");
    let mut told = Repair::ALL.into_iter().filter(|repair| repairs.count(*repair) > 0).peekable();
    if told.peek().is_none() {
        lines.pair(Style::Label, "0", Some((Style::Wrapped, "Every cell is as stored.")));
    }
    for repair in told {
        let count = repairs.count(repair).to_string();
        lines.pair(Style::Label, &count, Some((Style::Wrapped, &format!("cells {}", repair.sentence()))));
    }
}

fn faulty(lines: &mut Lines<'_>, faults: &FaultTally) {
    if !faults.is_empty() {
        lines.section("Times", "Scripts that failed");
    }
    for (script, count) in faults.counts() {
        lines.pair(Style::Label, &count.to_string(), Some((Style::Wrapped, script)));
    }
}

fn places(lines: &mut Lines<'_>, repairs: &Repairs, sheets: &[String]) {
    let places = repairs.first();
    if !places.is_empty() {
        lines.section("Cell", &format!("The first {} repairs", places.len()));
    }
    for place in places {
        let name = sheets.get(place.sheet).map(String::as_str).unwrap_or_default();
        let cell = format!("{name}!{}{}", letters(place.column), place.row);
        lines.pair(Style::Label, &cell, Some((Style::Wrapped, &format!("cell {}", place.repair.sentence()))));
    }
}

fn first_faults(lines: &mut Lines<'_>, faults: &FaultTally) {
    if !faults.is_empty() {
        lines.section("Task", &format!("The first {} failures of scripts", faults.first().len()));
    }
    for fault in faults.first() {
        lines.pair(Style::Label, &fault.task.to_string(), Some((Style::Wrapped, &sentence(fault))));
    }
}

fn sentence(fault: &RowFault) -> String {
    match &fault.column {
        Some(column) => format!("{column} is empty: {}", fault.fault),
        None => format!("has its plain values: {}", fault.fault),
    }
}

struct Lines<'a> {
    frame: &'a Frame,
    rows: Vec<u8>,
    number: u64,
}

impl Lines<'_> {
    /// A table's header below an empty line.
    fn section(&mut self, left: &str, right: &str) {
        self.number += 1;
        self.pair(Style::Header, left, Some((Style::Header, right)));
    }

    fn pair(&mut self, style: Style, left: &str, right: Option<(Style, &str)>) {
        self.number += 1;
        let number = self.number;
        let lines = |(width, text): (&usize, &str)| lines(text, *width);
        let texts = [left, right.map_or("", |(_, text)| text)];
        let most = ABOUT_WIDTHS.iter().zip(texts).map(lines).max().unwrap_or(1);
        // The title is in larger letters.
        let most = if number == 1 { 2 } else { most };
        match most {
            1 => self.put(format_args!("<row r=\"{number}\">")),
            most => self.put(format_args!("<row r=\"{number}\" ht=\"{}\">", height(most))),
        }
        self.cell('A', style, left);
        if let Some((style, text)) = right {
            self.cell('B', style, text);
        }
        self.put(format_args!("</row>"));
    }

    /// Texts are never run: no style here is without the quote prefix that needs it.
    fn cell(&mut self, column: char, style: Style, text: &str) {
        let style = if super::cell::is_risky(text) { Style::QuotedWrapped } else { style };
        let (number, style) = (self.number, self.frame.styles.of(style));
        self.put(format_args!(
            "<c r=\"{column}{number}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">"
        ));
        escape::text(start(text, MAX_CELL_UNITS), &mut self.rows);
        self.put(format_args!("</t></is></c>"));
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        let mut text = String::new();
        let _ = text.write_fmt(arguments);
        self.rows.extend_from_slice(text.as_bytes());
    }
}
