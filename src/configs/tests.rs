#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::domain::Moment;
use crate::domain::json::{compact, pairs, quote};
use crate::kit::clock::Clock;
use crate::settings::Settings;

const NOW: Moment = Moment(1_750_000_000_000);

fn caller() -> Caller {
    Caller {
        user: "ana".to_owned(),
        email: "ana@example.org".to_owned(),
        name: "Ana".to_owned(),
        organization: Id([1; 12]),
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    }
}

fn house() -> (TempDir, std::sync::Arc<App>) {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.data.dir = data.path().join("data");
    settings.scripts.dir = data.path().join("scripts");
    let app = App::open(settings, Clock::fixed(NOW)).unwrap();
    (data, app)
}

/// Any JSON, with numbers that no double holds and white space where it may be.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec!["null", "true", "0", "-1.50", "1e2", "123456789012345678901234567890", "0.12345678901234567890"])
            .prop_map(str::to_owned),
        any::<String>().prop_map(|text| quote(&text)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|list| format!("[ {} ]", list.join(" , "))),
            vec(inner, 0..4).prop_map(|list| {
                let entries = list.iter().enumerate().map(|(place, value)| format!("\"k{place}\": {value}"));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(",\n"))
            }),
        ]
    })
}

/// The pairs of a column, the required ones among them, in any order.
fn any_column() -> impl Strategy<Value = Vec<(String, String)>> {
    let text = || "[a-zA-Z ]{0,8}".prop_map(|text| quote(&text));
    let or_null = |text| prop_oneof![Just("null".to_owned()), text];
    let known = (
        option::of(or_null(text().boxed())),
        option::of(or_null(text().boxed())),
        option::of(or_null(text().boxed())),
        option::of(or_null(Just(r#"["b.Fuel"]"#.to_owned()).boxed())),
        option::of(or_null(Just("12.50".to_owned()).boxed())),
    );
    (known, vec(any_json(), 0..4), select(vec!["input", "bill", "photo", "whatever"]))
        .prop_map(|((kind, input, unique, costs, width), more, component)| {
            let keys = ["type", "inputType", "uniqueTitle", "additionalField", "width"];
            let known = keys.into_iter().zip([kind, input, unique, costs, width]);
            let mut pairs: Vec<(String, String)> =
                known.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
            pairs.push(("component".to_owned(), quote(component)));
            pairs.push(("title".to_owned(), quote("Title")));
            pairs.extend(more.into_iter().enumerate().map(|(place, value)| (format!("more{place}"), value)));
            pairs
        })
        .prop_shuffle()
}

fn object(pairs: &[(String, String)]) -> String {
    let entries: Vec<String> = pairs.iter().map(|(key, value)| format!("{}:\t{value}", quote(key))).collect();
    format!("{{ {} }}", entries.join(" ,\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_goes_in_comes_out_with_nothing_but_the_documented_additions(
        name in "[a-zA-Zé][a-zA-Z é]{0,20}[a-z]",
        description in option::of(any::<String>()),
        columns in vec(any_column(), 1..4),
    ) {
        let (_data, app) = house();
        let fields: Vec<String> = columns.iter().enumerate().map(|(place, pairs)| {
            let mut pairs = pairs.clone();
            pairs.insert(place % pairs.len(), ("id".to_owned(), quote(&format!("c{place}"))));
            for (key, value) in &mut pairs {
                if key == "additionalField" && value != "null" {
                    *value = format!("[\"b{place}.Fuel\"]");
                }
            }
            object(&pairs)
        }).collect();
        let fields = format!("[{}]", fields.join(", "));
        let body = format!("{{\"fields\": {fields}, \"name\": {}, \"description\": {}}}", quote(&name), json!(description));

        let made = add(&app, &caller(), body.as_bytes()).unwrap();
        let kept = one(&app, &caller(), made.id).unwrap();
        prop_assert_eq!(&kept, &made);
        let shown = serde_json::to_string(&kept).unwrap();
        let pairs = pairs(&shown).unwrap();
        let raw = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, raw)| *raw).unwrap();
        prop_assert_eq!(raw("fields"), compact(&fields));
        prop_assert_eq!(raw("name"), quote(&name));
        prop_assert_eq!(raw("description"), json!(description).to_string());
        for (key, value) in [("flowIds", json!([])), ("flows", json!([])), ("timezone", Value::Null),
            ("on_fault", Value::Null), ("collection", json!("task")), ("version", json!(1))] {
            prop_assert_eq!(raw(key), value.to_string());
        }

        // What an answer says may be sent as it is.
        let changed = change(&app, &caller(), made.id, shown.as_bytes()).unwrap();
        prop_assert_eq!(changed, ExportConfig { version: 2, ..kept });
    }
}
