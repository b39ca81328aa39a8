//! Filtered selection, against decoding every task to a `serde_json::Value` and looking at that.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NOW, ORGANIZATION, filled, line, median, once, sizes};
use serde_json::Value;
use waybill::domain::{Filter, Moment, Order, Status, TimeField, TimeRange};
use waybill::store::Selection;

fn main() {
    for rows in sizes() {
        let (_data, app) = filled(rows);
        let view = app.store.view().unwrap();
        let from = Moment(NOW.0 - 120 * 86_400_000);
        let time = TimeRange { by: TimeField::Created, from: Some(from), until: None };
        let filter = Filter { status: Some(vec![Status::Done]), time: Some(time), ..Filter::default() };
        let everything = |filter: Filter| Selection {
            organization: ORGANIZATION,
            filter,
            order: Order::default(),
            skip: 0,
            take: None,
        };
        let selection = everything(filter);
        let mut matched = 0;
        let ours = median(|| matched = app.pool.install(|| view.select(&selection)).unwrap().ids.len());

        let all = app.pool.install(|| view.select(&everything(Filter::default()))).unwrap().ids;
        let earliest = from.text();
        let mut found = Vec::new();
        let theirs = once(|| {
            found.clear();
            view.read(ORGANIZATION, &all, &[], &mut |record| {
                let task: Value = serde_json::from_str(record.json().unwrap()).unwrap();
                let created = task["createdTime"].as_str().unwrap();
                if task["status"] == "DONE" && created >= earliest.as_str() && task["isDeleted"] != true {
                    found.push((created.to_owned(), task["_id"].as_str().unwrap().to_owned()));
                }
                Ok(())
            })
            .unwrap();
            found.sort_unstable_by(|a, b| b.cmp(a));
        });
        assert_eq!(found.len(), matched);
        line(&format!("select {matched} of {rows}"), ours, theirs, 20.0);
    }
}
