//! Lists and bills: a count in `main`, and a sheet of their own.

use calamine::Data;
use waybill::domain::limits::MAX_SHEET_COLUMNS;
use waybill::domain::{ColumnKind, Value};
use waybill::render::{Renderer, Row};

use crate::files::{File, auto, column, json, spec, task, text};

fn list(id: &str, header: &str) -> waybill::domain::Column {
    column(id, header, ColumnKind::List)
}

#[test]
fn items_have_a_sheet_with_their_task_their_row_and_typed_columns() {
    let rows = [
        vec![text("a"), json(r#"[{"title":"Bolt","qty":2,"unitPrice":1.5},{"title":"Nut","ok":true}]"#)],
        vec![text("b"), json("[]")],
        vec![text("c"), Value::Empty],
        vec![text("d"), json(r#"[{"qty":"007","data":{"name":"N"}},"loose",12]"#)],
        vec![text("e"), text("no list")],
    ];
    let file = File::of(vec![auto("t"), list("items", "Items / parts")], &rows);
    assert_eq!(file.names(), ["main", "Items parts", "About"]);
    let counts: Vec<Data> = (1..=5).map(|row| file.at(row, 1)).collect();
    let number = Data::Float;
    assert_eq!(counts, [number(2.0), number(0.0), Data::Empty, number(3.0), Data::String("no list".to_owned())]);
    let sheet = file.sheet("Items parts");
    let rows: Vec<Vec<String>> = sheet.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect();
    let (first, fourth) = (task(0).to_string(), task(3).to_string());
    assert_eq!(rows[0], ["_id", "row", "title", "qty", "unitPrice", "ok", "data", "value"]);
    assert_eq!(rows[1], [&first, "2", "Bolt", "2", "1.5", "", "", ""]);
    assert_eq!(rows[2], [&first, "2", "Nut", "", "", "true", "", ""]);
    assert_eq!(rows[3], [&fourth, "5", "", "007", "", "", "N", ""]);
    assert_eq!(rows[4], [&fourth, "5", "", "", "", "", "", "loose"]);
    assert_eq!(rows[5], [&fourth, "5", "", "", "", "", "", "12"]);
    assert_eq!(sheet.get_value((1, 3)), Some(&Data::Float(2.0)));
    let xml = file.part("xl/worksheets/sheet2.xml").unwrap();
    assert!(xml.contains("<dimension ref=\"A1:H6\"/>") && xml.contains("<autoFilter ref=\"A1:H6\"/>"), "{xml}");
}

#[test]
fn each_list_has_its_sheet_and_an_empty_one_none() {
    let rows = [vec![json(r#"[{"a":1}]"#), json("[]"), json(r#"[{"b":2}]"#), json(r#"[{"c":3}]"#)]];
    let columns = vec![list("x", "History"), list("y", "Nothing"), list("z", "ABOUT"), list("w", "")];
    let file = File::of(columns, &rows);
    assert_eq!(file.names(), ["main", "History (2)", "ABOUT (2)", "w", "About"]);
    assert_eq!(file.sheet("w").get_value((1, 2)), Some(&Data::Float(3.0)));
}

#[test]
fn items_of_many_blocks_are_all_there_in_order() {
    let rows: Vec<_> = (0..20_000).map(|n| vec![json(&format!("[{{\"n\":{n}}},{{\"n\":-{n}}}]"))]).collect();
    let file = File::of(vec![list("x", "X")], &rows);
    let sheet = file.sheet("X");
    assert_eq!(sheet.height(), 40_001);
    for (row, cells) in sheet.rows().skip(1).enumerate() {
        let n = (row / 2) as f64 * if row % 2 == 0 { 1.0 } else { -1.0 };
        assert_eq!(cells[1..], [Data::Float((row / 2 + 2) as f64), Data::Float(n)]);
    }
}

#[test]
fn more_keys_than_a_sheet_has_columns_are_refused_with_their_list() {
    let keys: Vec<String> = (0..MAX_SHEET_COLUMNS).map(|n| format!("\"k{n}\":1")).collect();
    let list_of_many = json(&format!("[{{{}}}]", keys.join(",")));
    let mut renderer = Renderer::new(spec(vec![list("x", "Parts")], 1), &[]).unwrap();
    let mut out = Vec::new();
    renderer.begin(&mut out).unwrap();
    let mut block = renderer.encoder().block(0);
    block.row(&Row::Of(task(0), &[list_of_many.borrowed()])).unwrap();
    renderer.place(block.finish().unwrap(), &mut out).unwrap();
    let error = renderer.parts().err().unwrap();
    assert!(error.message.starts_with("The sheet of Parts has 16386 columns"), "{}", error.message);
}
