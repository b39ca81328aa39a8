//! What was measured, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::machine;

/// One work, measured.
pub(super) struct Measured {
    pub work: &'static str,
    /// The word that programs know it by.
    pub key: &'static str,
    pub took: Duration,
    /// On the processors, of the process that did it.
    pub processor: Option<Duration>,
    pub rows: u64,
    /// The most memory that process had.
    pub peak_bytes: Option<u64>,
    pub file_bytes: Option<u64>,
    /// Seconds of each stage of an export.
    pub stages: BTreeMap<String, f64>,
}

impl Measured {
    fn rows_per_second(&self) -> u64 {
        (self.rows as f64 / self.took.as_secs_f64().max(f64::EPSILON)) as u64
    }

    fn line(&self) -> String {
        let cells = [
            format!("{:.2}", self.took.as_secs_f64()),
            shown(self.processor, |time| format!("{:.2}", time.as_secs_f64())),
            grouped(self.rows_per_second()),
            shown(self.peak_bytes, megabytes),
            shown(self.file_bytes, megabytes),
        ];
        row(self.work, &cells)
    }

    fn json(&self) -> Value {
        json!({
            "work": self.key,
            "rows": self.rows,
            "seconds": self.took.as_secs_f64(),
            "processorSeconds": self.processor.map(|time| time.as_secs_f64()),
            "rowsPerSecond": self.rows_per_second(),
            "peakBytes": self.peak_bytes,
            "fileBytes": self.file_bytes,
            "stages": self.stages,
        })
    }
}

/// What a run measured, and on which machine.
pub(super) struct Report {
    pub tasks: u64,
    pub task_bytes: u64,
    pub runs: u32,
    pub measured: Vec<Measured>,
}

impl Report {
    /// For people.
    pub(super) fn table(&self) -> String {
        let head = format!("Waybill {}, {}", env!("CARGO_PKG_VERSION"), machine_line());
        let task_bytes = self.task_bytes / self.tasks.max(1);
        let tasks = format!("{} tasks of {} bytes", grouped(self.tasks), grouped(task_bytes));
        let columns = ["seconds", "processor", "rows/second", "peak MB", "file MB"].map(str::to_owned);
        let mut lines = vec![head, tasks, String::new(), row("", &columns)];
        lines.extend(self.measured.iter().map(Measured::line));
        let ratio = |ours: &str, theirs: &str| {
            let took = |key: &str| self.measured.iter().find(|one| one.key == key).map(|one| one.took.as_secs_f64());
            Some(took(theirs)? / took(ours)?.max(f64::EPSILON))
        };
        if let (Some(book), Some(zip)) = (ratio("xlsx", "rustXlsxwriter"), ratio("json", "oneThread")) {
            lines.push(String::new());
            lines.push(format!("The workbook is made {book:.1} times as fast, the zip of JSON {zip:.1} times."));
        }
        lines.join("\n")
    }

    /// For programs: the same, in bytes and seconds.
    pub(super) fn json(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "machine": {
                "processor": machine::processor(),
                "threads": threads(),
                "memoryBytes": machine::memory_bytes(),
                "system": machine::system(),
            },
            "tasks": self.tasks,
            "taskBytes": self.task_bytes,
            "runs": self.runs,
            "measured": self.measured.iter().map(Measured::json).collect::<Vec<_>>(),
        })
    }
}

fn machine_line() -> String {
    let processor = machine::processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = shown(machine::memory_bytes(), |bytes| format!("{} GiB", bytes.div_ceil(1 << 30)));
    format!("{} threads of {processor}, {memory}, {}", threads(), machine::system())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn row(first: &str, cells: &[String; 5]) -> String {
    let [seconds, processor, rows, peak, file] = cells;
    format!("{first:<36} {seconds:>8} {processor:>10} {rows:>12} {peak:>8} {file:>8}")
}

fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// `1,000,000`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(work: &'static str, key: &'static str, seconds: u64) -> Measured {
        let took = Duration::from_secs(seconds);
        let (rows, file_bytes) = (1_000_000, Some(98_765_432));
        let stages = BTreeMap::from([("selecting".to_owned(), 0.5)]);
        Measured { work, key, took, processor: None, rows, peak_bytes: Some(123_456_789), file_bytes, stages }
    }

    #[test]
    fn a_table_has_a_line_for_each_work_and_the_ratios_below() {
        let measured = vec![
            measured("xlsx", "xlsx", 2),
            measured("json", "json", 4),
            measured("by the library", "rustXlsxwriter", 21),
            measured("by one thread", "oneThread", 10),
        ];
        let report = Report { tasks: 1_000_000, task_bytes: 1_190_000_000, runs: 3, measured };
        let table = report.table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[1], "1,000,000 tasks of 1,190 bytes");
        let words: Vec<&str> = lines[4].split_whitespace().collect();
        assert_eq!(words, ["xlsx", "2.00", "-", "500,000", "123.5", "98.8"]);
        assert_eq!(lines[9], "The workbook is made 10.5 times as fast, the zip of JSON 2.5 times.");
        let json = report.json();
        assert_eq!(json["measured"][0]["rowsPerSecond"], 500_000);
        assert_eq!(json["measured"][2]["work"], "rustXlsxwriter");
        assert!(json["measured"][0]["processorSeconds"].is_null());
        assert_eq!(json["measured"][0]["stages"]["selecting"], 0.5);
    }
}
