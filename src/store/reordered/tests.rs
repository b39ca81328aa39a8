#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::laying::MOST_BYTES;
use super::*;
use crate::domain::Task;
use crate::store::Record;
use crate::store::Store;

const OURS: Id = Id([1; 12]);

fn id(number: u64) -> Id {
    let mut bytes = [7; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Id(bytes)
}

/// Another order of the numbers below, each time the same.
fn shuffled(count: u64) -> Vec<Id> {
    let mut ids: Vec<Id> = (0..count).map(id).collect();
    ids.sort_by_key(|id| id.0[8..].iter().fold(0_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x9E37_79B1)));
    ids
}

/// A store with so many tasks, some of them too large to be copied.
fn store(count: u64) -> (tempfile::TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(&data.path().join("waybill.redb"), 8 << 20).unwrap();
    let task = |number: u64| {
        let long = "x".repeat(if number.is_multiple_of(97) { MOST_BYTES } else { number as usize % 50 });
        let json = format!(r#"{{"_id":"{}","k":{number},"long":"{long}","{}":"own"}}"#, id(number), number % 7);
        Task::stored(&json).unwrap()
    };
    let tasks: Vec<Task> = (0..count).map(task).collect();
    store.edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
    (data, store)
}

type Told = (Id, Vec<Option<Vec<u8>>>, Option<String>);

fn told(record: &Record<'_>, whole: bool) -> Told {
    let cells = record.cells.iter().map(|cell| cell.json().unwrap().map(|json| json.as_bytes().to_vec())).collect();
    (record.id, cells, whole.then(|| record.json().unwrap().to_owned()))
}

#[test]
fn few_tasks_and_those_that_lie_nearly_in_order_are_read_where_they_lie() {
    let ascending: Vec<Id> = (0..30_000).map(id).collect();
    let jumping: Vec<Id> = (0..30_000).map(|number| id(number ^ 63)).collect();
    let descending: Vec<Id> = ascending.iter().rev().copied().collect();
    for near in [&ascending, &jumping, &descending, &shuffled(FEW_TASKS as u64 - 1), &vec![id(1); 30_000]] {
        assert!(!is_scattered(near));
    }
    let in_passes = |passes: u64| -> Vec<Id> {
        (0..passes).flat_map(|pass| (0..30_000 / passes).map(move |number| id(number * passes + pass))).collect()
    };
    let with_some_far: Vec<Id> =
        (0..30_000).map(|number| id(if number % 100 == 0 { number * 7_919 % 30_000 } else { number })).collect();
    assert!(!is_scattered(&in_passes(3)) && !is_scattered(&with_some_far));
    assert!(is_scattered(&in_passes(100)) && is_scattered(&shuffled(30_000)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn copies_tell_what_the_tasks_tell(
        count in 1_u64..2_500,
        whole in any::<bool>(),
        run_bytes in prop_oneof![Just(1_usize), 1_000_usize..200_000],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        step in 1_usize..700,
    ) {
        let (_data, store) = store(count);
        let (view, ids) = (store.view().unwrap(), shuffled(count));
        let fields = ["3", "k", "nowhere", "long", "_id"].map(str::to_owned);
        let wanted = (!whole).then_some(&fields[..]);
        let copies = view.reordered_in_runs(OURS, &ids, wanted, run_bytes, &|| Ok(())).unwrap();
        let mut there = Vec::new();
        view.read(OURS, &ids, &fields, &mut |record| { there.push(told(record, whole)); Ok(()) }).unwrap();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(ids.len())).collect();
        ends.sort_unstable();
        ends.push(ids.len());
        let mut start = 0;
        for end in ends {
            let places = || (start..end).step_by(step);
            let mut here = Vec::new();
            view.read_reordered((&copies, OURS, &ids), &mut places(), &fields, &mut |record| {
                here.push(told(record, whole));
                Ok(())
            }).unwrap();
            let wanted: Vec<Told> = places().map(|place| there[place].clone()).collect();
            prop_assert_eq!(here, wanted);
            start = end;
        }
    }
}

#[test]
fn whoever_is_told_to_stop_does() {
    let (_data, store) = store(100);
    let stop = || Err(domain::Error::invalid("enough"));
    let stopped = store.view().unwrap().reordered(OURS, &shuffled(100), None, &stop).unwrap_err();
    assert_eq!(stopped.message, "enough");
}
