//! Every cell of a large workbook, from tasks as they were loaded to values as another library reads them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Write};

use calamine::{DataRef, Xlsx};
use waybill::app::App;
use waybill::domain::{Caller, Id, Moment};
use waybill::export;
use waybill::intake;
use waybill::kit::clock::Clock;
use waybill::kit::meter::Meter;
use waybill::settings::Settings;

use crate::files::NOW;

const COLUMNS: [&str; 12] = [
    "_id",
    "title",
    "status",
    "refId",
    "address",
    "remark",
    "createdTime",
    "doneTime",
    "duration",
    "weight",
    "balance",
    "isUrgent",
];
/// Rows without `WAYBILL_TEST_ROWS`.
const ROWS: u64 = 12_000;
/// The most rows, which share no divisor with it but one.
const STRIDE: u64 = 999_983;
/// Days from the first of a workbook to 1970, and milliseconds of a day.
const EPOCH: f64 = 25_569.0;
const DAY: f64 = 86_400_000.0;
/// A tenth of a millisecond.
const CLOSE: f64 = 0.1 / DAY;

#[derive(Debug)]
enum Expected {
    Nothing,
    Text(String),
    Number(f64),
    /// Milliseconds since 1970.
    Time(i64),
    Flag(bool),
}

/// One task of so many, all of them different, with the text of each key and what its cell must be.
fn task(number: u64) -> [(String, Expected); 12] {
    use Expected::{Flag, Nothing, Number, Text, Time};
    let text = |text: String| (serde_json::to_string(&text).unwrap(), Text(text));
    let nothing = || (String::new(), Nothing);
    let time = |at: u64| {
        let text = Moment(at as i64).text().replace("+00:00", &format!(".{:03}Z", at % 1_000));
        (format!("\"{text}\""), Time(at as i64))
    };
    let number_of = |raw: String| (raw.clone(), Number(raw.parse().unwrap()));
    let created = 1_600_000_000_000 + number * 61_001;
    [
        text(Id::from_parts(number as u32 + 1, [7; 5], 3).to_string()),
        text(format!("Visit {number} <{}> & \"more\"", number * 31 % 1_009)),
        text(["UNASSIGNED", "ONGOING", "DONE"][number as usize % 3].to_owned()),
        text(format!("{:09}", number * 17)),
        text(match number % 7 {
            0 => format!("{number} Straße der Einheit\nHof {}", number % 90),
            1 => format!("=SUM(A{number})"),
            2 => format!("倉庫 {number} 号 🚚"),
            _ => format!("Jl. Melati No. {}, Blok {}", number % 413, number % 37),
        }),
        match number % 5 {
            0 => nothing(),
            1 => text(format!("  {number}\t_x0041_ ")),
            _ => text(format!("as agreed with {}", number % 211)),
        },
        time(created),
        if number % 3 == 2 { time(created + number * 977 % 90_000_000) } else { nothing() },
        number_of((number % 7_919).to_string()),
        number_of(format!("{}.{:03}", number % 500, number % 1_000)),
        number_of(format!("-{}.{}e{}", number % 9 + 1, number % 97 + 1, number % 12)),
        (number.is_multiple_of(2).to_string(), Flag(number.is_multiple_of(2))),
    ]
}

fn line(number: u64) -> String {
    let cells = COLUMNS.iter().zip(task(number)).filter(|(_, (raw, _))| !raw.is_empty());
    let pairs: Vec<String> = cells.map(|(name, (raw, _))| format!("\"{name}\":{raw}")).collect();
    format!("{{{}}}\n", pairs.join(","))
}

fn house() -> (tempfile::TempDir, std::sync::Arc<App>, Caller) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.data.dir = folder.path().join("data");
    settings.scripts.dir = folder.path().join("scripts");
    let app = App::open(settings, Clock::fixed(NOW)).unwrap();
    let caller = Caller {
        user: "me".to_owned(),
        email: "me@example.org".to_owned(),
        name: "Me".to_owned(),
        organization: app.settings.organization.id,
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    };
    (folder, app, caller)
}

#[test]
fn every_value_of_a_large_workbook_is_what_was_loaded() {
    let rows = std::env::var("WAYBILL_TEST_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    let (folder, app, caller) = house();
    // In no order that the workbook could have by chance.
    let mut numbers = (0..rows).map(|place| place * STRIDE % rows);
    loop {
        let lines: String = numbers.by_ref().take(20_000).map(line).collect();
        if lines.is_empty() {
            break;
        }
        let report = intake::load(&app, &caller, &mut BufReader::new(Cursor::new(lines)), &mut |_| {}).unwrap();
        assert_eq!((report.failed, report.replaced), (0, 0));
    }
    let body = format!(
        r#"{{"download":"xlsx","limit":1000000,"sortBy":"createdTime","sortOrder":"asc","timezone":"UTC","fields":"{}"}}"#,
        COLUMNS.join(",")
    );
    let path = folder.path().join("whole.xlsx");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let plan = export::plan(&app, &caller, body.as_bytes(), &Meter::new()).unwrap();
    let outcome = export::stream(&app, plan, &mut file, &Meter::new()).unwrap();
    file.flush().unwrap();
    assert_eq!((outcome.rows, outcome.warnings), (rows, Vec::new()));

    let mut book: Xlsx<_> = calamine::open_workbook(&path).unwrap();
    let mut cells = book.worksheet_cells_reader("main").unwrap();
    let mut next = || cells.next_cell().unwrap().map(|cell| (cell.get_position(), cell.get_value().clone()));
    for (place, name) in (0..).zip(COLUMNS) {
        let (position, value) = next().unwrap();
        assert_eq!(position, (0, place));
        assert!(matches!(&value, DataRef::SharedString(header) if !header.is_empty()), "{name}: {value:?}");
    }
    for number in 0..rows {
        for (place, (raw, expected)) in (0..).zip(task(number)) {
            if matches!(expected, Expected::Nothing) {
                continue;
            }
            let (position, value) = next().unwrap_or_else(|| panic!("row {number} ends early"));
            assert_eq!(position, (number as u32 + 1, place));
            assert!(is(&value, &expected), "row {number}, {}: {raw} is {value:?}", COLUMNS[place as usize]);
        }
    }
    assert!(next().is_none(), "nothing stands below the last row");
}

fn is(value: &DataRef<'_>, expected: &Expected) -> bool {
    match (value, expected) {
        (DataRef::String(found), Expected::Text(text)) => found == text,
        (DataRef::Float(found), Expected::Number(number)) => found == number,
        (DataRef::Int(found), Expected::Number(number)) => *found as f64 == *number,
        (DataRef::Bool(found), Expected::Flag(flag)) => found == flag,
        (DataRef::DateTime(found), Expected::Time(millis)) => {
            (found.as_f64() - EPOCH - *millis as f64 / DAY).abs() < CLOSE
        }
        _ => false,
    }
}
