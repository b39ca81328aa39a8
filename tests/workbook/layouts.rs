//! The workbooks that people get, one of each kind.

use std::sync::Arc;

use tempfile::TempDir;
use waybill::app::App;
use waybill::demo;
use waybill::domain::{Caller, Column, ColumnKind, FaultTally, Id, Link, RowFault, ScriptFault, Time, Value};
use waybill::export;
use waybill::intake;
use waybill::kit::clock::Clock;
use waybill::kit::meter::Meter;
use waybill::render::{About, Spec};
use waybill::settings::Settings;

use crate::files::{File, NOW, auto, column, json, spec, task, text};

/// Every layout with its name.
pub fn all() -> Vec<(&'static str, File)> {
    vec![("default", default(5)), ("config", config()), ("scripts", scripts()), ("lists", lists()), ("empty", empty())]
}

fn caller() -> Caller {
    Caller {
        user: "ana".to_owned(),
        email: "ana@example.com".to_owned(),
        name: "Ana".to_owned(),
        organization: Id([1; 12]),
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    }
}

/// A house with the tasks of the demonstration.
fn house(tasks: u64) -> (TempDir, Arc<App>) {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.data.dir = data.path().join("data");
    let app = App::open(settings, Clock::fixed(NOW)).unwrap();
    let ana = caller();
    app.store
        .edit(|edit| {
            demo::hubs(NOW).iter().try_for_each(|hub| edit.put_hub(ana.organization, hub))?;
            demo::flows(NOW).iter().try_for_each(|flow| edit.put_flow(ana.organization, flow))
        })
        .unwrap();
    let lines: String = demo::tasks(tasks, NOW).map(|task| task + "\n").collect();
    intake::load(&app, &ana, &mut lines.as_bytes(), &mut |_| {}).unwrap();
    (data, app)
}

/// What a request makes of the demonstration's tasks; nobody chose columns.
fn default(tasks: u64) -> File {
    exported(tasks, r#""timezone":"Asia/Jakarta","name":"Everything""#)
}

/// Many tasks, with columns of every kind.
pub fn large(tasks: u64) -> File {
    exported(tasks, r#""fields":"_id,status,createdTime,customer,phone,address,items,bill,deliveryPhoto,weight""#)
}

fn exported(tasks: u64, more: &str) -> File {
    let (_data, app) = house(tasks);
    let body = format!(r#"{{"download":"xlsx","background":true,"sortBy":"_id","sortOrder":"asc",{more}}}"#);
    let plan = export::plan(&app, &caller(), body.as_bytes(), &Meter::new()).unwrap();
    let mut bytes = Vec::new();
    export::stream(&app, plan, &mut bytes, &Meter::new()).unwrap();
    File { bytes, repairs: Default::default() }
}

fn empty() -> File {
    default(0)
}

fn about(facts: &[(&str, &str)]) -> About {
    let facts = facts.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
    About { facts, faults: FaultTally::default() }
}

/// Columns as a config has them: titles, formats and widths of its own.
fn config() -> File {
    let shaped =
        |column: Column, format: &str, width: Option<u16>| Column { format: Some(format.to_owned()), width, ..column };
    let columns = vec![
        auto("_id"),
        column("orderNo", "Order", ColumnKind::Auto),
        shaped(column("weight", "Weight", ColumnKind::Auto), "#,##0.0 \"kg\"", None),
        shaped(column("total", "Total", ColumnKind::Auto), "#,##0.00;[Red]-#,##0.00", Some(14)),
        shaped(column("rate", "Rate", ColumnKind::Auto), "0.0%", None),
        column("size", "Size", ColumnKind::Auto),
        column("doors", "Size", ColumnKind::Auto),
        shaped(column("doneTime", "Done", ColumnKind::Time), "dd mmm yyyy hh:mm", Some(20)),
        column("date", "Delivery date", ColumnKind::Date),
        column("place", "Coordinates", ColumnKind::Auto),
        column("notes", "Notes of the driver and of whoever received the parcels at the door", ColumnKind::Auto),
        column("photo_0_url", "Photo 0 url", ColumnKind::Url),
    ];
    let row = |n: usize| {
        let notes = [
            "Left with the neighbour",
            "Gate code 4711\nRing twice",
            "The lift is out of order, so that everything had to be carried up to the fifth floor by hand.",
            "=not a formula",
        ];
        vec![
            text(&task(n).to_string()),
            text(&format!("{:010}", n * 7919)),
            json(&format!("{}.{}", n * 3, n % 10)),
            json(&format!("{}", 1250.5 - 400.25 * n as f64)),
            json(&format!("0.{n}25")),
            json(["1", "2.5", "true", "\"L\""][n % 4]),
            if n.is_multiple_of(3) { Value::Empty } else { json("3") },
            text(&format!("2025-06-{:02}T0{}:30:00+00:00", n + 1, n % 10)),
            text(&format!("2025-07-{:02}", n + 1)),
            text("-6.2088,106.8456"),
            text(notes[n % 4]),
            text(&format!("https://files.example.com/task/{n}/door.jpg")),
        ]
    };
    let rows: Vec<_> = (0..8).map(row).collect();
    let facts = [("Asked for by", "ana@example.com"), ("Export config", "Deliveries, version 3"), ("Time zone", "UTC")];
    File::with(spec(columns, rows.len()), &rows, &about(&facts))
}

/// Cells of scripts' making, some of which failed.
fn scripts() -> File {
    let columns = vec![
        auto("_id"),
        auto("minutes"),
        column("map", "Map", ColumnKind::Auto),
        column("local", "Local time", ColumnKind::Auto),
        auto("tags"),
    ];
    let row = |n: usize| {
        let link = Link { url: format!("https://maps.example.com/?q=-6.{n},106.8#pin"), text: format!("Map {n}") };
        let time = Time { at: NOW, offset_seconds: [None, Some(25_200), Some(-12_600)][n % 3] };
        let minutes = if n == 2 { Value::Empty } else { json(&(n * 15).to_string()) };
        vec![text(&task(n).to_string()), minutes, Value::Link(Box::new(link)), Value::Time(time), json("[\"a\",\"b\"]")]
    };
    let rows: Vec<_> = (0..5).map(row).collect();
    let mut about = about(&[("Asked for by", "ana@example.com"), ("Script fields/minutes", "9f2c4e")]);
    let fault = ScriptFault {
        script: "fields/minutes".to_owned(),
        line: Some(3),
        column: Some(9),
        text: "Division by zero".to_owned(),
    };
    about.faults.add(RowFault { task: task(2), column: Some("minutes".to_owned()), fault: fault.clone() });
    about.faults.add(RowFault {
        task: task(3),
        column: None,
        fault: ScriptFault { script: "flows/delivery".to_owned(), line: None, column: None, text: "=1+1".to_owned() },
    });
    File::with(spec(columns, rows.len()), &rows, &about)
}

/// Lists, bills, and a cell for each repair.
fn lists() -> File {
    let columns = vec![
        auto("_id"),
        column("items", "Items: 'parts'", ColumnKind::List),
        column("bill", "Bill", ColumnKind::List),
        column("time", "Time", ColumnKind::Time),
        column("url", "Photo url", ColumnKind::Url),
        auto("odd"),
    ];
    let bill = r#"[{"title":"Goods","cost":1250.5},{"title":"Delivery fee","cost":4}]"#;
    let items = r#"[{"title":"Bolt","qty":12,"unitPrice":0.25},{"title":"=Nut","qty":"007","data":{"name":"steel"}}]"#;
    let row = |n: usize, time: &str, url: &str, odd: Value| {
        vec![text(&task(n).to_string()), json(items), json(bill), text(time), text(url), odd]
    };
    let rows = [
        row(0, "2025-10-25T23:30:00+00:00", "https://files.example.com/a b/ü.jpg", text("a\r\nb")),
        row(1, "2025-10-26T00:30:00+00:00", "file:///etc/passwd", json("12345678901234567890")),
        row(2, "2025-10-26T01:30:00+00:00", "https://files.example.com/?a=1&b=<2>", text("bell \u{7} and _x0007_")),
        row(3, "1899-12-31T00:00:00+00:00", "", json("NaN")),
        row(4, "soon", "http://", text(&"x".repeat(120))),
    ];
    let spec = Spec { zone: waybill::domain::Zone::named("Europe/Berlin").unwrap(), ..spec(columns, rows.len()) };
    File::with(spec, &rows, &about(&[("Asked for by", "ana@example.com"), ("Time zone", "Europe/Berlin")]))
}
