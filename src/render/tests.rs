use std::io::{Cursor, Read as _};

use calamine::{Data, Reader, Xlsx};

use super::*;
use crate::domain::limits::MAX_SHEET_COLUMNS;
use crate::domain::{ColumnKind, Raw};

fn column(id: &str, kind: ColumnKind) -> Column {
    Column { id: id.to_owned(), header: id.to_uppercase(), kind, format: None, width: None }
}

fn spec(download: Download, columns: Vec<Column>, rows: u64) -> Spec {
    Spec {
        download,
        columns,
        rows,
        zone: Zone::utc(),
        dates_as_text: false,
        by_layout: true,
        csv_neutralise: true,
        created: Moment(1_750_000_000_000),
        title: "A title".to_owned(),
        part_stem: "task_x".to_owned(),
        scratch: std::env::temp_dir(),
    }
}

/// A file of these rows, and what was changed in them.
fn rendered(spec: &Spec, rows: &[Vec<Option<&str>>]) -> (Vec<u8>, Repairs) {
    let rows: Vec<Vec<ValueRef<'_>>> = rows
        .iter()
        .map(|row| row.iter().map(|raw| raw.map_or(ValueRef::Empty, |raw| ValueRef::Json(raw.into()))).collect())
        .collect();
    of_values(spec, &rows, &About::default())
}

fn of_values(spec: &Spec, rows: &[Vec<ValueRef<'_>>], about: &About) -> (Vec<u8>, Repairs) {
    let sample: Vec<Vec<Value>> =
        rows.iter().take(3).map(|row| row.iter().map(|value| value.owned().unwrap()).collect()).collect();
    let mut renderer = Renderer::new(spec.clone(), &sample).unwrap();
    let mut out = Vec::new();
    renderer.begin(&mut out).unwrap();
    let encoder = renderer.encoder();
    let size = rows_per_block(spec.download, spec.columns.len(), spec.rows);
    for (place, rows) in rows.chunks(size).enumerate() {
        let mut block = encoder.block((place * size) as u64);
        for (number, cells) in rows.iter().enumerate() {
            let row = match (spec.columns.is_empty(), cells.first()) {
                (true, Some(ValueRef::Json(json))) => Row::Task(json.text().unwrap()),
                _ => Row::Of(task(place * size + number), cells),
            };
            block.row(&row).unwrap();
        }
        renderer.place(block.finish().unwrap(), &mut out).unwrap();
    }
    for part in renderer.parts().unwrap() {
        renderer.place(part.encode().unwrap(), &mut out).unwrap();
    }
    let repairs = renderer.finish(about, &mut out).unwrap();
    (out, repairs)
}

/// The id of the task of a row.
fn task(number: usize) -> Id {
    Id::from_parts(number as u32 + 1, [0; 5], 0)
}

fn sheet(file: &[u8]) -> calamine::Range<Data> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file.to_vec())).unwrap();
    book.worksheet_range("main").unwrap()
}

fn part(file: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn cells_come_back_with_their_types() {
    let columns = vec![column("a", ColumnKind::Auto), column("t", ColumnKind::Time), column("d", ColumnKind::Date)];
    let rows = vec![
        vec![Some(r#""0012""#), Some(r#""2025-06-15T12:00:00+00:00""#), Some(r#""2025-06-15""#)],
        vec![Some("-12.5"), None, Some("null")],
        vec![Some("true"), Some(r#""soon""#), Some(r#""1899-12-31""#)],
        vec![Some("12345678901234567890"), None, None],
    ];
    let (file, repairs) = rendered(&spec(Download::Xlsx, columns, 4), &rows);
    let sheet = sheet(&file);
    let at = |row, column| sheet.get_value((row, column)).cloned().unwrap_or(Data::Empty);
    assert_eq!(at(0, 0), Data::String("A".into()));
    assert_eq!(at(1, 0), Data::String("0012".into()));
    assert!(matches!(at(1, 1), Data::DateTime(time) if time.as_f64() == 45_823.5));
    assert!(matches!(at(1, 2), Data::DateTime(date) if date.as_f64() == 45_823.0));
    assert_eq!(at(2, 0), Data::Float(-12.5));
    assert_eq!((at(2, 1), at(2, 2)), (Data::Empty, Data::Empty));
    assert_eq!(at(3, 0), Data::Bool(true));
    assert_eq!((at(3, 1), at(3, 2)), (Data::String("soon".into()), Data::String("1899-12-31".into())));
    assert_eq!(at(4, 0), Data::String("12345678901234567890".into()));
    let counts = [Repair::NumberAsText, Repair::TimeAsText, Repair::Cut].map(|repair| repairs.count(repair));
    assert_eq!(counts, [1, 2, 0]);
}

#[test]
fn texts_come_back_as_they_were_whatever_is_in_them() {
    let texts =
        ["=1+1", "@x", "-5", " lead", "trail ", "\ttab", "two\nlines", "<&>", "_x0041_", "😀 ünï", "\u{1}\u{b}", ""];
    let quoted: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
    let rows: Vec<Vec<Option<&str>>> = quoted.iter().map(|text| vec![Some(text.as_str())]).collect();
    let (file, _) = rendered(&spec(Download::Xlsx, vec![column("a", ColumnKind::Auto)], rows.len() as u64), &rows);
    let sheet = sheet(&file);
    for (row, text) in texts.iter().enumerate() {
        let found = sheet.get_value((row as u32 + 1, 0)).map(ToString::to_string).unwrap_or_default();
        assert_eq!(&found, text, "row {row}");
    }
    let xml = part(&file, "xl/worksheets/sheet1.xml");
    assert!(!xml.contains("<f>"));
    let styles = part(&file, "xl/styles.xml");
    assert!(styles.contains("quotePrefix=\"1\""));
}

#[test]
fn a_long_text_is_cut_between_characters_and_says_so() {
    let long = serde_json::to_string(&"😀".repeat(20_000)).unwrap();
    let just = serde_json::to_string(&"é".repeat(32_767)).unwrap();
    let rows = vec![vec![Some(long.as_str())], vec![Some(just.as_str())]];
    let (file, repairs) = rendered(&spec(Download::Xlsx, vec![column("a", ColumnKind::Auto)], 2), &rows);
    let sheet = sheet(&file);
    let text = sheet.get_value((1, 0)).unwrap().to_string();
    assert!(text.ends_with("…[cut, 20000 characters]"));
    assert!((32_766..=32_767).contains(&text.encode_utf16().count()));
    assert_eq!(sheet.get_value((2, 0)).unwrap().to_string().chars().count(), 32_767);
    assert_eq!(repairs.count(Repair::Cut), 1);
    assert_eq!(repairs.warnings(), ["1 cell with more than 32767 characters cut, which is marked at the end."]);
}

#[test]
fn rows_are_the_same_whoever_deflates_them() {
    let columns = vec![column("a", ColumnKind::Auto), column("b", ColumnKind::Time), column("c", ColumnKind::Auto)];
    let by_layout = spec(Download::Xlsx, columns, 3_000);
    let by_library = Spec { by_layout: false, ..by_layout.clone() };
    let text = |n: usize| format!("\"{}\"", ["DONE", "a & b", "two\\nlines", "=1"][n % 4].repeat(1 + n % 7));
    let texts: Vec<String> = (0..3_000).map(text).collect();
    let rows: Vec<Vec<Option<&str>>> =
        texts.iter().map(|text| vec![Some(text.as_str()), Some("\"2025-06-15T08:00:00Z\""), Some("12.50")]).collect();
    let (ours, theirs) = (rendered(&by_layout, &rows).0, rendered(&by_library, &rows).0);
    assert_ne!(ours, theirs);
    let sheet = part(&ours, "xl/worksheets/sheet1.xml");
    assert!(sheet.len() > 3 * 128 * 1024 && sheet == part(&theirs, "xl/worksheets/sheet1.xml"));
}

#[test]
fn dimension_and_filter_reach_to_the_last_row_and_no_further() {
    for rows in [0_usize, 1, 5_000] {
        let cells = vec![vec![Some("1"), Some("2")]; rows];
        let columns = vec![column("a", ColumnKind::Auto), column("b", ColumnKind::Auto)];
        let (file, _) = rendered(&spec(Download::Xlsx, columns, rows as u64), &cells);
        let xml = part(&file, "xl/worksheets/sheet1.xml");
        let last = rows + 1;
        assert!(xml.contains(&format!("<dimension ref=\"A1:B{last}\"/>")), "{}", &xml[..400]);
        assert!(xml.contains(&format!("<autoFilter ref=\"A1:B{last}\"/>")));
        assert!(part(&file, "xl/workbook.xml").contains(&format!("main!$A$1:$B${last}<")));
        assert_eq!(xml.matches("<row ").count(), last);
        assert_eq!(sheet(&file).height(), last);
    }
}

#[test]
fn a_zip_has_parts_of_exactly_ten_thousand_tasks() {
    let json: Vec<String> = (0..20_001).map(|number| format!(r#"{{"n":{number}}}"#)).collect();
    let rows: Vec<Vec<Option<&str>>> = json.iter().map(|json| vec![Some(json.as_str())]).collect();
    let (file, _) = rendered(&spec(Download::Json, Vec::new(), 20_001), &rows);
    let mut found = 0;
    for (number, tasks) in [(1, 10_000), (2, 10_000), (3, 1)] {
        let text = part(&file, &format!("task_x_{number:04}.json"));
        let list: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(list.len(), tasks);
        for value in list {
            assert_eq!(value["n"], found);
            found += 1;
        }
    }
    assert_eq!(zip::ZipArchive::new(Cursor::new(&file)).unwrap().len(), 3);
}

#[test]
fn one_json_file_is_a_list_and_none_is_an_empty_one() {
    let text = |rows: &[Vec<Option<&str>>], columns: Vec<Column>| {
        String::from_utf8(rendered(&spec(Download::Json, columns, rows.len() as u64), rows).0).unwrap()
    };
    assert_eq!(text(&[], Vec::new()), "[]\n");
    let rows = vec![vec![Some(r#"{"a":1.0}"#)], vec![Some(r#"{"b":18446744073709551616}"#)]];
    assert_eq!(text(&rows, Vec::new()), "[{\"a\":1.0},\n{\"b\":18446744073709551616}]\n");
    let columns = vec![column("x\"", ColumnKind::Auto), column("y", ColumnKind::Auto)];
    let rows = vec![vec![Some("1.0"), None], vec![None, Some("null")], vec![None, None]];
    assert_eq!(text(&rows, columns), "[{\"x\\\"\":1.0},\n{\"y\":null},\n{}]\n");
}

#[test]
fn csv_and_ndjson_are_one_file_each() {
    let rows = vec![vec![Some(r#""a,b""#)], vec![None]];
    let columns = vec![column("x", ColumnKind::Auto)];
    let (file, _) = rendered(&spec(Download::Csv, columns.clone(), 2), &rows);
    assert_eq!(String::from_utf8(file).unwrap(), "\u{feff}X\r\n\"a,b\"\r\n\r\n");
    let (file, _) = rendered(&spec(Download::Ndjson, columns, 2), &rows);
    assert_eq!(String::from_utf8(file).unwrap(), "{\"x\":\"a,b\"}\n{}\n");
}

#[test]
fn a_row_too_few_too_many_or_out_of_turn_is_an_error() {
    let spec = spec(Download::Csv, vec![column("x", ColumnKind::Auto)], 2);
    let block = |renderer: &Renderer, first| {
        let mut block = renderer.encoder().block(first);
        block.row(&Row::Cells(&[ValueRef::Empty])).unwrap();
        block.finish().unwrap()
    };
    let mut renderer = Renderer::new(spec.clone(), &[]).unwrap();
    let late = block(&renderer, 1);
    assert!(renderer.place(late, &mut Vec::new()).is_err());
    let first = block(&renderer, 0);
    renderer.place(first, &mut Vec::new()).unwrap();
    assert!(renderer.parts().is_err());
}

#[test]
fn bytes_that_are_no_text_reach_no_file() {
    let kinds = [ColumnKind::Auto, ColumnKind::Time, ColumnKind::Date, ColumnKind::Url, ColumnKind::List];
    for (download, kind) in [Download::Xlsx, Download::Csv, Download::Json, Download::Ndjson]
        .into_iter()
        .flat_map(|download| kinds.map(|kind| (download, kind)))
    {
        let renderer = Renderer::new(spec(download, vec![column("x", kind)], 1), &[]).unwrap();
        let row = |bytes| renderer.encoder().block(0).row(&Row::Cells(&[ValueRef::Json(Raw::new(bytes))]));
        row(b"\"text\"").unwrap();
        for bytes in [&b"\"a\xff\""[..], b"\"longer than a look takes in, \xff\"", b"[\"\xc3\"]", b"1\x80", b"\xfe"] {
            assert_eq!(row(bytes).unwrap_err().kind, domain::Kind::Internal, "{download:?} {kind:?} {bytes:?}");
        }
    }
}

#[test]
fn too_many_columns_are_refused_with_their_number() {
    let columns = (0..=MAX_SHEET_COLUMNS).map(|n| column(&n.to_string(), ColumnKind::Auto)).collect();
    let error = Renderer::new(spec(Download::Xlsx, columns, 0), &[]).err().unwrap();
    assert!(error.message.contains("16385 columns"), "{}", error.message);
}
