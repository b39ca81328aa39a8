//! Times as date cells, in the export's zone.

use calamine::Data;
use waybill::domain::{ColumnKind, Moment, Time, Value, Zone};
use waybill::render::{About, Repair};

use crate::files::{File, column, spec, text};

const DAY_MILLIS: f64 = 86_400_000.0;
/// From 1899-12-30, whence Excel counts, to 1970.
const EPOCH_DAYS: f64 = 25_569.0;

fn times(zone: &str, kind: ColumnKind, texts: &[&str]) -> File {
    let rows: Vec<_> = texts.iter().map(|t| vec![text(t)]).collect();
    let spec = spec(vec![column("t", "t", kind)], rows.len());
    File::with(waybill::render::Spec { zone: Zone::named(zone).unwrap(), ..spec }, &rows, &About::default())
}

/// `2025-06-15 12:00:00`, or the text of a cell that is no date.
fn read(file: &File) -> Vec<String> {
    let cells = file.main();
    let shown = |cell: &Data| match cell {
        Data::DateTime(at) => {
            let since = jiff::SignedDuration::from_millis(((at.as_f64() - EPOCH_DAYS) * DAY_MILLIS).round() as i64);
            let time = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0) + since;
            time.strftime("%Y-%m-%d %H:%M:%S%.f").to_string()
        }
        other => format!("text {other}"),
    };
    cells.rows().skip(1).map(|row| shown(&row[0])).collect()
}

#[test]
fn the_hour_that_a_clock_shows_twice_is_told_apart_and_the_one_it_skips_is_not_there() {
    let file = times(
        "Europe/Berlin",
        ColumnKind::Time,
        &[
            "2025-03-30T00:59:59+00:00",
            "2025-03-30T01:00:00+00:00",
            "2025-10-25T23:59:59+00:00",
            "2025-10-26T00:30:00+00:00",
            "2025-10-26T01:30:00Z",
            "2025-10-26T02:00:00+00:00",
        ],
    );
    assert_eq!(
        read(&file),
        [
            "2025-03-30 01:59:59",
            "2025-03-30 03:00:00",
            "2025-10-26 01:59:59",
            "text 2025-10-26T02:30:00+02:00",
            "text 2025-10-26T02:30:00+01:00",
            "2025-10-26 03:00:00",
        ]
    );
    assert_eq!(file.repaired(Repair::TimeTwice), 2);
    assert!(file.repairs.warnings()[0].contains("in the hour that the clock shows twice"));
}

#[test]
fn times_that_excels_calendar_does_not_have_are_texts() {
    let given = [
        "1900-03-01T00:00:00Z",
        "1900-02-28T23:59:59Z",
        "1899-12-31T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2025-06-15T23:59:60Z",
        "2025-06-15T24:00:00Z",
        "2025-02-30T00:00:00Z",
        "soon",
        "2025-06-15T12:00:00.123Z",
    ];
    let file = times("UTC", ColumnKind::Time, &given);
    let found = read(&file);
    assert_eq!((found[0].as_str(), found[3].as_str()), ("1900-03-01 00:00:00", "9999-12-31 23:59:59"));
    assert_eq!(found[8], "2025-06-15 12:00:00.123");
    for place in [1, 2, 5, 6, 7] {
        assert_eq!(found[place], format!("text {}", given[place]));
    }
    let dates = times(
        "Asia/Jakarta",
        ColumnKind::Date,
        &["1900-03-01", "1900-02-28", "2024-02-29", "2025-02-29", "9999-12-31"],
    );
    let midnight = |date: &str| format!("{date} 00:00:00");
    assert_eq!(
        read(&dates),
        [
            midnight("1900-03-01"),
            "text 1900-02-28".into(),
            midnight("2024-02-29"),
            "text 2025-02-29".into(),
            midnight("9999-12-31")
        ]
    );
    assert_eq!(dates.repaired(Repair::TimeAsText), 2);
}

#[test]
fn a_script_may_show_a_moment_by_another_clock() {
    let at = Moment(1_750_000_000_000);
    let time = |offset_seconds| vec![Value::Time(Time { at, offset_seconds })];
    let rows = [time(None), time(Some(25_200)), time(Some(-12_600))];
    let file = File::of(vec![column("t", "t", ColumnKind::Auto)], &rows);
    assert_eq!(read(&file), ["2025-06-15 15:06:40", "2025-06-15 22:06:40", "2025-06-15 11:36:40"]);
}

#[test]
fn dates_may_be_texts_as_stored() {
    let rows = [vec![text("2025-06-15T12:00:00+00:00")]];
    let spec = waybill::render::Spec { dates_as_text: true, ..spec(vec![column("t", "t", ColumnKind::Time)], 1) };
    assert_eq!(read(&File::with(spec, &rows, &About::default())), ["text 2025-06-15T12:00:00+00:00"]);
}
