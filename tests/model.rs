//! The store's selection against the definition of truth: filter, sort and page a plain list.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};
use waybill::domain::{Filter, Id, Moment, Order, Status, Task, TaskRead, TimeField, TimeRange};
use waybill::store::{Selection, Store};

const ORGANIZATIONS: [Id; 2] = [Id([1; 12]), Id([2; 12])];
/// Fields that tasks have or lack here, and `nowhere`, which none has.
const ORDERS: [&str; 12] = [
    "_id",
    "createdTime",
    "startTime",
    "doneTime",
    "endTime",
    "updatedTime",
    "status",
    "title",
    "answer",
    "assignee",
    "flowId",
    "nowhere",
];

fn id(number: u8) -> Id {
    let mut bytes = [number % 3; 12];
    bytes[11] = number;
    Id(bytes)
}

/// Few different values of each, so that ties, hits and misses are all frequent.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        select(vec![json!(1.0), json!(-0.5), json!(u64::MAX), json!(9_007_199_254_740_993_u64), json!(1e300)]),
        select(vec!["", "a", "A", "Zoë", "10", "9", "quote \" and \\"]).prop_map(Value::from),
        select(vec![json!([]), json!([1]), json!(["a"]), json!({}), json!({"a": 1})]),
    ]
}

fn time() -> impl Strategy<Value = Value> {
    let times = [
        "2025-06-15T08:00:00+00:00",
        "2025-06-15T15:00:00+07:00",
        "2025-06-15T08:00:00.001Z",
        "1960-01-01T00:00:00Z",
        "2030-12-31 23:59:59Z",
        "",
    ];
    prop_oneof![1 => Just(Value::Null), 5 => select(times.to_vec()).prop_map(Value::from)]
}

fn email() -> impl Strategy<Value = &'static str> {
    select(vec!["ana@example.com", "Ana@Example.com", "bo@example.com", "ÇA@example.com"])
}

fn task() -> impl Strategy<Value = Task> {
    let front = (0_u8..40, select(vec!["UNASSIGNED", "ONGOING", "DONE"]), option::weighted(0.2, any::<bool>()));
    let places = (option::of(0_u8..3), option::of(0_u8..3), option::of(select(vec!["Visit", "visit", "Survey"])));
    let times = prop::collection::vec(option::of(time()), 5);
    let texts = (option::of(value()), option::of(value()), option::of(value()), option::of(value()));
    let people = (option::of(prop::collection::vec(email(), 0..3)), option::of(email()));
    (front, places, times, texts, people, any::<bool>()).prop_map(|(front, places, times, texts, people, backwards)| {
        let mut fields: Vec<(&str, Option<Value>)> = vec![
            ("_id", Some(json!(id(front.0)))),
            ("status", Some(json!(front.1))),
            ("isDeleted", front.2.map(Value::from)),
            ("flowId", places.0.map(|number| json!(id(number)))),
            ("hubId", places.1.map(|number| json!(id(number)))),
            ("flow", places.2.map(Value::from)),
            ("title", texts.0),
            ("content", texts.1),
            ("refId", texts.2),
            ("answer", texts.3),
            ("assignee", people.0.map(Value::from)),
            ("doneBy", people.1.map(Value::from)),
        ];
        fields.extend(TimeField::ALL.iter().map(|field| field.name()).zip(times));
        if backwards {
            fields.reverse();
        }
        let object: Map<String, Value> =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Task::stored(&Value::from(object).to_string()).unwrap()
    })
}

fn ids(highest: u8) -> impl Strategy<Value = Vec<Id>> {
    subsequence((0..highest).collect::<Vec<u8>>(), 0..=usize::from(highest)).prop_map(|numbers| {
        let mut ids: Vec<Id> = numbers.into_iter().map(id).collect();
        ids.sort_unstable();
        ids
    })
}

fn range() -> impl Strategy<Value = TimeRange> {
    let moment = || option::of(select(vec![Moment(1_749_974_400_000), Moment(1_749_974_400_001), Moment(0)]));
    (select(TimeField::ALL.to_vec()), moment(), moment()).prop_map(|(by, from, until)| TimeRange { by, from, until })
}

fn filter() -> impl Strategy<Value = Filter> {
    let rarely = 0.15;
    let lower = || email().prop_map(str::to_lowercase);
    let facts = (
        option::weighted(rarely, subsequence(Status::ALL.to_vec(), 1..3)),
        option::weighted(rarely, ids(4)),
        option::weighted(rarely, ids(4)),
        option::weighted(rarely, range()),
        option::weighted(rarely, ids(45)),
        option::weighted(rarely, ids(4)),
    );
    let fields = (
        option::weighted(rarely, subsequence(vec!["Visit".to_owned(), "Survey".into()], 1..2)),
        option::weighted(rarely, lower()),
        option::weighted(rarely, prop::collection::vec(lower(), 1..3)),
        option::weighted(rarely, select(vec!["a", "zoë", "\"", "01", "\\"]).prop_map(str::to_owned)),
        option::weighted(rarely, lower()),
    );
    (facts, fields).prop_map(|(facts, fields)| Filter {
        status: facts.0,
        flow_ids: facts.1,
        hub_ids: facts.2,
        time: facts.3,
        ids: facts.4,
        scope_hubs: facts.5,
        flows: fields.0,
        assignee: fields.1,
        done_by: fields.2,
        text: fields.3,
        scope_own: fields.4,
    })
}

fn selection() -> impl Strategy<Value = Selection> {
    let page = (
        prop_oneof![3 => Just(0), 2 => 0..50_u64, 1 => Just(u64::MAX)],
        option::of(prop_oneof![0..50_u64, Just(u64::MAX)]),
    );
    let order =
        (select(ORDERS.to_vec()), any::<bool>()).prop_map(|(by, descending)| Order { by: by.to_owned(), descending });
    (select(ORGANIZATIONS.to_vec()), filter(), order, page)
        .prop_map(|(organization, filter, order, (skip, take))| Selection { organization, filter, order, skip, take })
}

/// What the contract says, said once more as plainly as can be.
fn plain(tasks: &BTreeMap<Id, Task>, selection: &Selection) -> (u64, Vec<Id>) {
    let mut meant: Vec<&Task> = tasks.values().filter(|task| selection.filter.accepts(*task)).collect();
    meant.sort_by(|a, b| selection.order.compare(*a, *b));
    let ids: Vec<Id> = meant.iter().map(|task| task.id()).collect();
    let skip = usize::try_from(selection.skip).unwrap();
    let take = usize::try_from(selection.take.unwrap_or(u64::MAX)).unwrap();
    (ids.len() as u64, ids.into_iter().skip(skip).take(take).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn selection_equals_filter_sort_page_over_a_plain_list(
        batches in prop::collection::vec((select(ORGANIZATIONS.to_vec()), prop::collection::vec(task(), 0..60)), 1..5),
        selections in prop::collection::vec(selection(), 40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("waybill.redb"), 4 << 20).unwrap();
        let mut model: BTreeMap<Id, BTreeMap<Id, Task>> = BTreeMap::new();
        for (organization, tasks) in batches {
            store.edit(|edit| edit.put_tasks(organization, &tasks)).unwrap();
            model.entry(organization).or_default().extend(tasks.into_iter().map(|task| (task.id(), task)));
        }
        let view = store.view().unwrap();
        for selection in selections {
            let tasks = model.entry(selection.organization).or_default();
            let (matched, ids) = plain(tasks, &selection);
            // In memory, and in runs on disk of a few tasks, or of one.
            for run_bytes in [1 << 20, 1_000, 1] {
                let selected = view.select_within(&selection, run_bytes).unwrap();
                prop_assert_eq!(selected.matched, matched, "{:?}", &selection);
                prop_assert_eq!(&selected.ids, &ids, "{:?} within {}", &selection, run_bytes);
            }

            let fields: Vec<String> = ORDERS.iter().map(|field| (*field).to_owned()).collect();
            let mut wanted = ids.iter();
            view.read(selection.organization, &ids, &fields, &mut |row| {
                let task = &tasks[wanted.next().unwrap()];
                assert_eq!(row.json().unwrap(), task.json());
                assert!(fields.iter().zip(row.cells).all(|(field, cell)| task.raw(field) == cell.json().unwrap()));
                Ok(())
            }).unwrap();
            prop_assert!(wanted.next().is_none());
        }
    }
}
