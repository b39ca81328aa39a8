#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::select;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};
use tempfile::TempDir;

use super::group::Group;
use super::*;
use crate::domain::export_log::{LogField, State, Status};
use crate::domain::{
    Answered, Caller, ExportConfig, ExportLog, Filter, Flow, Hub, Kind, LogFilter, LogOrder, Moment, Order, Task,
    TaskRead, ValueRef,
};

const CACHE: usize = 8 << 20;
const OURS: Id = Id([1; 12]);
const THEIRS: Id = Id([2; 12]);

struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("waybill.redb")
    }

    fn open(&self) -> Result<Store, Error> {
        Store::open(&self.path(), CACHE)
    }

    /// A store with tasks in it, closed again.
    fn filled() -> Self {
        let house = Self::new();
        let store = house.open().unwrap();
        let tasks: Vec<Task> = (0..2_000).map(|number| task(number, r#","k":"v""#)).collect();
        store.edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
        house
    }

    fn refusal(&self) -> Error {
        self.open().expect_err("this file must be refused")
    }

    /// Changes the closed store behind its back.
    fn with_redb(&self, change: impl FnOnce(&WriteTransaction)) {
        let database = redb::Database::open(self.path()).unwrap();
        let transaction = database.begin_write().unwrap();
        change(&transaction);
        transaction.commit().unwrap();
    }

    fn schema(&self) -> u32 {
        let database = redb::Database::open(self.path()).unwrap();
        let meta = database.begin_read().unwrap().open_table(schema::META).unwrap();
        let number = meta.get(schema::SCHEMA_KEY).unwrap().unwrap();
        u32::from_be_bytes(number.value().try_into().unwrap())
    }
}

fn set_schema(transaction: &WriteTransaction, number: u32) {
    let bytes = number.to_be_bytes();
    transaction.open_table(schema::META).unwrap().insert(schema::SCHEMA_KEY, bytes.as_slice()).unwrap();
}

/// What a release left behind whose records had their keys, and whose headers lay one by one.
fn make_schema_3(transaction: &WriteTransaction) {
    let fields = transaction.open_table(schema::FIELDS).unwrap();
    let mut headers = transaction.open_table(schema::HEADERS).unwrap();
    let mut old = Vec::new();
    for row in transaction.open_table(schema::TASK_GROUPS).unwrap().iter().unwrap() {
        let (key, bytes) = row.unwrap();
        let organization = schema::organization_of(key.value());
        let catalog = Catalog::load(organization, &fields).unwrap();
        let group = Group::read(schema::id_of(key.value()), bytes.value()).unwrap();
        let records = group.entries().map(|(id, record)| (id, with_keys(record, &catalog)));
        old.push((*key.value(), records.collect::<Vec<_>>()));
    }
    let mut groups = transaction.open_table(schema::TASK_GROUPS).unwrap();
    for (key, records) in old {
        let mut bytes = Vec::new();
        let entries: Vec<_> = records.iter().map(|(id, record)| (*id, record.as_slice())).collect();
        group::encode(&entries, &mut bytes);
        groups.insert(&key, bytes.as_slice()).unwrap();
        for (id, record) in entries {
            headers.insert(&schema::key(schema::organization_of(&key), id), codec::front(record)).unwrap();
        }
    }
    assert!(transaction.delete_table(schema::HEADER_GROUPS).unwrap());
    set_schema(transaction, 3);
}

/// A record as it was before schema 4.
fn with_keys(record: &[u8], catalog: &Catalog) -> Vec<u8> {
    let mut json = String::new();
    codec::Record::read(record).unwrap().write_json(catalog, &mut json).unwrap();
    let task = Task::stored(&json).unwrap();
    let numbers: Vec<u32> = task.names().map(|name| catalog.number(&name).unwrap()).collect();
    let mut bytes = Vec::new();
    // A catalogue without the keys makes it keep them.
    codec::encode(&task, &numbers, &Catalog::default(), &mut bytes);
    bytes
}

/// What a release before export configs left behind.
fn make_schema_2(transaction: &WriteTransaction) {
    make_schema_3(transaction);
    assert!(transaction.delete_table(schema::CONFIGS).unwrap());
    assert!(transaction.delete_table(schema::CONFIG_NAMES).unwrap());
    assert!(transaction.delete_table(schema::OUTBOX).unwrap());
    set_schema(transaction, 2);
}

/// What the first release left behind.
fn make_schema_1(transaction: &WriteTransaction) {
    make_schema_2(transaction);
    assert!(transaction.delete_table(schema::EXPORTS).unwrap());
    assert!(transaction.delete_table(schema::OWED).unwrap());
    assert!(transaction.delete_table(schema::ANSWERED).unwrap());
    let mut tasks = transaction.open_table(schema::TASKS).unwrap();
    each_record(transaction, |key, record| {
        tasks.insert(key, record).unwrap();
    });
    assert!(transaction.delete_table(schema::TASK_GROUPS).unwrap());
    set_schema(transaction, 1);
}

fn each_record(transaction: &WriteTransaction, mut each: impl FnMut(&TaskKey, &[u8])) {
    for row in transaction.open_table(schema::TASK_GROUPS).unwrap().iter().unwrap() {
        let (key, bytes) = row.unwrap();
        let (organization, bound) = (schema::organization_of(key.value()), schema::id_of(key.value()));
        for (id, record) in Group::read(bound, bytes.value()).unwrap().entries() {
            each(&schema::key(organization, id), record);
        }
    }
}

fn id(number: u64) -> Id {
    let mut bytes = [7; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Id(bytes)
}

fn task(number: u64, more: &str) -> Task {
    Task::stored(&format!(r#"{{"_id":"{}","status":"DONE"{more}}}"#, id(number))).unwrap()
}

fn everything(organization: Id) -> Selection {
    Selection { organization, filter: Filter::default(), order: Order::default(), skip: 0, take: None }
}

fn read(view: &View, ids: &[Id], fields: &[&str]) -> domain::Result<Vec<(String, Vec<Option<String>>)>> {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    let mut rows = Vec::new();
    view.read(OURS, ids, &fields, &mut |row| {
        let text = |cell: &ValueRef<'_>| Ok(cell.json()?.map(str::to_owned));
        rows.push((row.json()?.to_owned(), row.cells.iter().map(text).collect::<domain::Result<_>>()?));
        Ok(())
    })?;
    Ok(rows)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_store_is_for_its_owner_alone_and_opens_again() {
    let house = House::new();
    drop(house.open().unwrap());
    assert_eq!(mode(&house.path()), 0o600);
    assert_eq!(mode(&house.folder.path().join("waybill.pid")), 0o600);
    assert_eq!(house.open().unwrap().view().unwrap().select(&everything(OURS)).unwrap().matched, 0);
}

#[test]
fn a_start_that_was_cut_off_while_making_the_store_does_not_hinder_the_next() {
    let house = House::new();
    fs::write(house.folder.path().join("waybill.redb.new"), "half").unwrap();
    house.open().unwrap();
    assert!(!house.folder.path().join("waybill.redb.new").exists());
}

#[test]
fn a_second_opening_is_refused_and_names_the_process() {
    let house = House::new();
    let store = house.open().unwrap();
    let refusal = house.refusal();
    assert_eq!(refusal.fault(), Fault::InUse);
    assert!(refusal.to_string().contains(&format!("process {}", std::process::id())), "{refusal}");
    drop(store);
    house.open().unwrap();
}

#[test]
fn a_store_that_another_program_has_open_is_in_use_even_without_the_pid_file() {
    let house = House::filled();
    let holder = redb::Database::open(house.path()).unwrap();
    assert!(matches!(house.refusal(), Error::InUse { holder: None, .. }));
    drop(holder);
}

#[test]
fn an_empty_file_is_refused_and_left_alone() {
    let house = House::new();
    fs::write(house.path(), "").unwrap();
    let refusal = house.refusal();
    assert!(matches!(refusal, Error::Empty(_)), "{refusal:?}");
    assert_eq!(refusal.fault(), Fault::Unusable);
    assert_eq!(fs::read(house.path()).unwrap(), b"");
}

#[test]
fn a_truncated_file_is_refused() {
    let whole = fs::read(House::filled().path()).unwrap();
    for length in [1, 8, 9, 100, 320, 4096, 5000, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        let house = House::new();
        fs::write(house.path(), &whole[..length]).unwrap();
        let refusal = house.refusal();
        assert_eq!(refusal.fault(), Fault::Unusable, "{length}: {refusal:?}");
        assert!(matches!(refusal, Error::Truncated { .. }), "{length}: {refusal:?}");
    }
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    let house = House::new();
    for bytes in [b"SQLite format 3\0".to_vec(), b"x".to_vec(), vec![0; 8192]] {
        fs::write(house.path(), &bytes).unwrap();
        assert!(matches!(house.refusal(), Error::Foreign { .. }));
        assert_eq!(fs::read(house.path()).unwrap(), bytes);
    }
    fs::remove_file(house.path()).unwrap();
    fs::create_dir(house.path()).unwrap();
    assert!(matches!(house.refusal(), Error::Foreign { .. }));
}

#[test]
fn another_programs_redb_file_is_refused() {
    let house = House::new();
    let database = redb::Database::create(house.path()).unwrap();
    drop(database);
    assert!(matches!(house.refusal(), Error::Foreign { .. }));

    let database = redb::Database::create(house.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<u64, u64>::new("meta")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refusal = house.refusal();
    assert!(matches!(refusal, Error::Foreign { .. }), "{refusal:?}");
    assert_eq!(refusal.fault(), Fault::Unusable);
}

#[test]
fn a_newer_schema_is_refused_and_both_numbers_are_named() {
    for number in [schema::SCHEMA + 1, schema::SCHEMA + 5] {
        let house = House::filled();
        house.with_redb(|transaction| set_schema(transaction, number));
        let refusal = house.refusal();
        assert!(matches!(refusal, Error::Newer { found, known: schema::SCHEMA, .. } if found == number), "{refusal:?}");
        assert_eq!(refusal.fault(), Fault::Unusable);
        assert_eq!(house.schema(), number);
    }
}

#[test]
fn a_store_without_a_schema_number_that_means_something_is_damaged() {
    let house = House::filled();
    house.with_redb(|transaction| set_schema(transaction, 0));
    assert!(matches!(house.refusal(), Error::Damaged { .. }));
}

#[test]
fn a_store_of_schema_1_is_upgraded_once_and_keeps_its_tasks() {
    let house = House::filled();
    let before = everything_in(&house.open().unwrap());
    house.with_redb(make_schema_1);
    assert_eq!(house.schema(), 1);
    let store = house.open().unwrap();
    assert_eq!(everything_in(&store), before);
    let log = export(OURS, 1);
    store.edit(|edit| edit.put_export(&log)).unwrap();
    drop(store);
    assert_eq!(house.schema(), schema::SCHEMA);
    let store = house.open().unwrap();
    assert_eq!(store.view().unwrap().owed().unwrap(), [log]);
}

#[test]
fn a_store_of_schema_2_keeps_its_tasks_and_exports() {
    let house = House::filled();
    let store = house.open().unwrap();
    let log = export(OURS, 1);
    store.edit(|edit| edit.put_export(&log)).unwrap();
    let before = everything_in(&store);
    drop(store);
    house.with_redb(make_schema_2);
    let store = house.open().unwrap();
    assert_eq!(everything_in(&store), before);
    assert_eq!(store.view().unwrap().owed().unwrap(), [log]);
    drop(store);
    assert_eq!(house.schema(), schema::SCHEMA);
}

#[test]
fn a_store_of_schema_3_becomes_what_it_would_be_today_though_cut_off_in_between() {
    let house = House::filled();
    let groups = groups_in(&house.open().unwrap().view().unwrap(), OURS);
    let selected = |store: &Store| {
        let view = store.view().unwrap();
        let some = Filter { ids: Some((0..50).map(|number| id(number * 77)).collect()), ..Filter::default() };
        let some = Selection { filter: some, ..everything(OURS) };
        (view.select(&everything(OURS)).unwrap(), view.select(&some).unwrap())
    };
    let before = selected(&house.open().unwrap());
    assert_eq!((before.0.matched, before.1.matched), (2_000, 26));
    house.with_redb(make_schema_3);
    let database = redb::Database::open(house.path()).unwrap();
    upgrade::rewrite(&database.begin_write().unwrap(), 3).unwrap();
    drop(database);
    assert_eq!(house.schema(), 3);
    for _ in 0..2 {
        let store = house.open().unwrap();
        assert_eq!((selected(&store), groups_in(&store.view().unwrap(), OURS)), (before.clone(), groups.clone()));
    }
    assert_eq!(house.schema(), schema::SCHEMA);
    house.with_redb(|transaction| assert!(!transaction.delete_table(schema::HEADERS).unwrap()));
}

#[test]
fn a_store_of_schema_1_that_lost_a_table_is_refused_and_not_upgraded() {
    let house = House::filled();
    house.with_redb(|transaction| {
        make_schema_1(transaction);
        transaction.delete_table(schema::TASKS).unwrap();
    });
    assert!(matches!(house.refusal(), Error::Damaged { .. }));
    assert_eq!(house.schema(), 1);
}

#[test]
fn a_store_that_lost_a_table_is_damaged() {
    let lost: [fn(&WriteTransaction) -> bool; 8] = [
        |transaction| transaction.delete_table(schema::HEADER_GROUPS).unwrap(),
        |transaction| transaction.delete_table(schema::TASK_GROUPS).unwrap(),
        |transaction| transaction.delete_table(schema::EXPORTS).unwrap(),
        |transaction| transaction.delete_table(schema::OWED).unwrap(),
        |transaction| transaction.delete_table(schema::ANSWERED).unwrap(),
        |transaction| transaction.delete_table(schema::CONFIGS).unwrap(),
        |transaction| transaction.delete_table(schema::CONFIG_NAMES).unwrap(),
        |transaction| transaction.delete_table(schema::OUTBOX).unwrap(),
    ];
    for lose in lost {
        let house = House::filled();
        house.with_redb(|transaction| assert!(lose(transaction)));
        assert!(matches!(house.refusal(), Error::Damaged { .. }));
    }
}

#[test]
fn a_changed_byte_is_found_or_does_no_harm() {
    let house = House::filled();
    let whole = fs::read(house.path()).unwrap();
    let before = everything_in(&house.open().unwrap());
    let mut found = 0;
    for place in (9..whole.len()).step_by(whole.len() / 150) {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        fs::write(house.path(), &changed).unwrap();
        match house.open() {
            Ok(store) => assert_eq!(everything_in(&store), before, "byte {place}"),
            Err(refusal) => {
                assert_eq!(refusal.fault(), Fault::Unusable, "byte {place}: {refusal:?}");
                found += 1;
            }
        }
    }
    assert!(found > 10, "{found}");
}

#[test]
fn an_upgrade_makes_full_groups_of_the_tasks_of_every_organisation() {
    let house = House::new();
    let store = house.open().unwrap();
    let large = format!(r#","k":"{}""#, "x".repeat(700_000));
    let tasks = |seed: u64| -> Vec<Task> {
        let mut tasks: Vec<Task> = (0..600).map(|number| task(number * 7 + seed, &padding(1_300))).collect();
        tasks.extend([task(1_000_000, &large), task(1_000_001, &large), task(2_000_000, "")]);
        tasks
    };
    let organizations = [Id::MIN, OURS, THEIRS, Id::MAX];
    for (seed, organization) in (0..).zip(organizations) {
        for tasks in tasks(seed).chunks(3).rev() {
            store.edit(|edit| edit.put_tasks(organization, tasks)).unwrap();
        }
    }
    store.edit(|edit| edit.put_tasks(Id([9; 12]), &[task(1, "")])).unwrap();
    drop(store);
    house.with_redb(make_schema_1);
    drop(house.open().unwrap());
    let store = house.open().unwrap();
    let view = store.view().unwrap();
    for (seed, organization) in (0..).zip(organizations) {
        for task in tasks(seed) {
            assert_eq!(view.task(organization, task.id()).unwrap().as_deref(), Some(task.json()));
        }
        let counts: Vec<usize> = groups_in(&view, organization).into_iter().map(|(_, entries)| entries.len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 603);
        assert!(counts.len() <= 600 / 11 + 4, "{counts:?}");
    }
    assert_eq!(groups_in(&view, Id([9; 12])).len(), 1);
    drop((view, store));
    house.with_redb(|transaction| assert!(!transaction.delete_table(schema::TASKS).unwrap()));
}

fn padding(bytes: usize) -> String {
    format!(r#","k":"{}""#, "x".repeat(bytes))
}

/// A group: its bound, and what is in it.
type InGroup = (Id, Vec<(Id, Vec<u8>)>);

fn groups_in(view: &View, organization: Id) -> Vec<InGroup> {
    let (low, high) = (schema::key(organization, Id::MIN), schema::key(organization, Id::MAX));
    let rows = view.groups.range::<&TaskKey>(&low..=&high).unwrap();
    rows.map(|row| {
        let (key, bytes) = row.unwrap();
        let bound = schema::id_of(key.value());
        let entries = Group::read(bound, bytes.value()).unwrap().entries();
        (bound, entries.map(|(id, record)| (id, record.to_vec())).collect())
    })
    .collect()
}

#[test]
fn a_full_group_takes_a_page_of_sixteen_kib_and_one_byte_more_takes_two() {
    for (length, pages) in [(group::FULL, 1), (group::FULL + 1, 2)] {
        let house = House::new();
        drop(house.open().unwrap());
        house.with_redb(|transaction| {
            let mut groups = transaction.open_table(schema::TASK_GROUPS).unwrap();
            groups.insert(&schema::key(OURS, Id::MAX), vec![0; length].as_slice()).unwrap();
        });
        let database = redb::Database::open(house.path()).unwrap();
        let groups = database.begin_read().unwrap().open_table(schema::TASK_GROUPS).unwrap();
        let stats = groups.stats().unwrap();
        let total = stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
        assert_eq!((stats.leaf_pages(), total), (1, pages * 16_384));
    }
}

#[test]
fn a_load_in_order_leaves_full_groups_whether_its_batches_are_large_or_small() {
    for batch in [1, 10, 1_000] {
        let house = House::new();
        let store = house.open().unwrap();
        let tasks: Vec<Task> = (0..1_000).map(|number| task(number, &padding(1_300))).collect();
        store.edit(|edit| tasks.chunks(batch).try_for_each(|tasks| edit.put_tasks(OURS, tasks).map(|_| ()))).unwrap();
        let groups = groups_in(&store.view().unwrap(), OURS);
        let (last, full) = groups.split_last().unwrap();
        assert!(full.iter().all(|(bound, entries)| entries.len() == 11 && entries[10].0 == *bound), "{batch}");
        assert_eq!((last.0, last.1.len()), (Id::MAX, 1_000 % 11));
    }
}

#[test]
fn whoever_stumbles_over_bytes_that_are_no_text_is_told_of_which_task_they_are() {
    let house = House::new();
    let tasks = [task(1, ""), task(2, r#","k":"v""#)];
    house.open().unwrap().edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
    house.with_redb(|transaction| {
        let mut groups = transaction.open_table(schema::TASK_GROUPS).unwrap();
        let key = schema::key(OURS, Id::MAX);
        let mut bytes = groups.get(&key).unwrap().unwrap().value().to_vec();
        let place = bytes.len() - r#"v""#.len();
        bytes[place] = 0xff;
        groups.insert(&key, bytes.as_slice()).unwrap();
    });
    let store = house.open().unwrap();
    let read = |field: &str| {
        store.view().unwrap().read(OURS, &tasks.each_ref().map(Task::id), &[field.to_owned()], &mut |row| {
            row.cells[0].json().map(|_| ())
        })
    };
    assert!(read("status").is_ok());
    let error = read("k").unwrap_err();
    assert_eq!((error.kind, error.message), (Kind::Internal, Error::Record(tasks[1].id()).to_string()));
}

#[test]
fn a_changed_byte_in_a_group_is_an_error_or_changes_no_more_than_its_task() {
    let house = House::new();
    let tasks: Vec<Task> = (0..4).map(|number| task(number, r#","k":"v""#)).collect();
    house.open().unwrap().edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
    let key = schema::key(OURS, Id::MAX);
    let mut whole = Vec::new();
    house.with_redb(|transaction| {
        let groups = transaction.open_table(schema::TASK_GROUPS).unwrap();
        whole = groups.get(&key).unwrap().unwrap().value().to_vec();
    });
    let directory = 4 + tasks.len() * 16;
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0x81;
        house.with_redb(|transaction| {
            let mut groups = transaction.open_table(schema::TASK_GROUPS).unwrap();
            groups.insert(&key, changed.as_slice()).unwrap();
        });
        let store = house.open().unwrap();
        let view = store.view().unwrap();
        let ids: Vec<Id> = tasks.iter().map(Task::id).collect();
        let by_field = Selection { order: Order { by: "k".to_owned(), descending: false }, ..everything(OURS) };
        let results = [
            view.task(OURS, id(2)).map(|_| ()),
            read(&view, &ids, &["k"]).map(|_| ()),
            view.select(&by_field).map(|_| ()),
            view.seen(OURS, &ids).map(|_| ()),
            store.edit(|edit| edit.task(OURS, id(2))).map(|_| ()),
            store.edit(|edit| edit.put_tasks(OURS, &[task(2, "")]).map(|_| ())),
        ];
        assert!(results.iter().flat_map(|result| result.as_ref().err()).all(|error| error.kind == Kind::Internal));
        if place < 4 {
            assert!(results.iter().all(Result::is_err), "byte {place}");
        }
        // An id that is another one, or an end that is elsewhere, is seen by whoever reads all.
        if place < directory {
            assert!(results[1].is_err() || results[3].is_err(), "byte {place}");
        }
    }
}

fn everything_in(store: &Store) -> Vec<(String, Vec<Option<String>>)> {
    let view = store.view().unwrap();
    let selected = view.select(&everything(OURS)).unwrap();
    read(&view, &selected.ids, &["k"]).unwrap()
}

#[test]
fn a_view_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<View>();
    shared::<Store>();
}

#[test]
fn a_task_that_is_put_again_replaces_the_first_one() {
    let house = House::new();
    let store = house.open().unwrap();
    let put = |task: Task| store.edit(|edit| edit.put_tasks(OURS, &[task])).unwrap();
    assert_eq!(put(task(1, r#","a":1"#)), [Put::Added]);
    assert_eq!(put(task(1, r#","b":2"#)), [Put::Replaced]);
    let view = store.view().unwrap();
    assert_eq!(view.select(&everything(OURS)).unwrap().ids, [id(1)]);
    assert_eq!(view.task(OURS, id(1)).unwrap().unwrap(), task(1, r#","b":2"#).json());
}

#[test]
fn the_last_of_two_tasks_with_one_id_in_one_batch_stays() {
    let house = House::new();
    let store = house.open().unwrap();
    let puts = store.edit(|edit| edit.put_tasks(OURS, &[task(1, r#","a":1"#), task(1, r#","a":2"#)])).unwrap();
    assert_eq!(puts, [Put::Added, Put::Replaced]);
    assert!(store.view().unwrap().task(OURS, id(1)).unwrap().unwrap().contains(r#""a":2"#));
}

#[test]
fn a_deleted_task_is_not_shown_by_any_way_in() {
    let house = House::new();
    let store = house.open().unwrap();
    let deleted = task(1, r#","isDeleted":true"#);
    store.edit(|edit| edit.put_tasks(OURS, &[deleted])).unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.task(OURS, id(1)).unwrap(), None);
    assert_eq!(view.select(&everything(OURS)).unwrap().matched, 0);
    assert_eq!(read(&view, &[id(1)], &[]).unwrap_err().kind, Kind::Internal);
    assert_eq!(store.edit(|edit| edit.task(OURS, id(1))).unwrap(), None);
}

#[test]
fn an_edit_sees_what_it_wrote_and_a_failed_one_leaves_nothing() {
    let house = House::new();
    let store = house.open().unwrap();
    let failed: domain::Result<()> = store.edit(|edit| {
        edit.put_tasks(OURS, &[task(1, r#","lost":1"#)])?;
        assert!(edit.task(OURS, id(1))?.is_some());
        Err(domain::Error::invalid("no"))
    });
    assert_eq!(failed.unwrap_err().kind, Kind::Invalid);
    let view = store.view().unwrap();
    assert_eq!(view.task(OURS, id(1)).unwrap(), None);
    assert_eq!(view.catalog(OURS).unwrap().names().count(), 0);
}

#[test]
fn a_view_does_not_see_what_is_written_after_it_was_taken() {
    let house = House::new();
    let store = house.open().unwrap();
    store.edit(|edit| edit.put_tasks(OURS, &[task(1, r#","a":1"#)])).unwrap();
    let view = store.view().unwrap();
    store.edit(|edit| edit.put_tasks(OURS, &[task(1, r#","b":1"#), task(2, "")])).unwrap();
    assert_eq!(view.select(&everything(OURS)).unwrap().ids, [id(1)]);
    assert_eq!(read(&view, &[id(1)], &["a", "b"]).unwrap()[0].1, [Some("1".to_owned()), None]);
}

#[test]
fn another_organisation_sees_nothing_of_ours() {
    let house = House::new();
    let store = house.open().unwrap();
    for organization in [Id::MIN, OURS, THEIRS, Id::MAX] {
        let owned = format!(r#","of":"{organization}","only-{organization}":1"#);
        store.edit(|edit| edit.put_tasks(organization, &[task(1, &owned)])).unwrap();
    }
    store.edit(|edit| edit.put_tasks(OURS, &[task(2, "")])).unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.select(&everything(THEIRS)).unwrap().ids, [id(1)]);
    assert_eq!(view.task(THEIRS, id(2)).unwrap(), None);
    assert!(view.task(THEIRS, id(1)).unwrap().unwrap().contains(&format!(r#""of":"{THEIRS}""#)));
    let mut asked = everything(THEIRS);
    asked.filter.ids = Some(vec![id(1), id(2)]);
    assert_eq!(view.select(&asked).unwrap().ids, [id(1)]);
    let names: Vec<String> = view.catalog(THEIRS).unwrap().names().map(str::to_owned).collect();
    assert_eq!(names, ["_id", "status", "of", &format!("only-{THEIRS}")]);
    assert_eq!(view.select(&everything(Id([3; 12]))).unwrap().matched, 0);
}

#[test]
fn the_catalogue_keeps_its_order_over_a_restart_and_grows_on() {
    let house = House::new();
    let store = house.open().unwrap();
    store.edit(|edit| edit.put_tasks(OURS, &[task(1, r#","z":1,"a":2"#)])).unwrap();
    drop(store);
    let store = house.open().unwrap();
    store
        .edit(|edit| {
            edit.put_tasks(OURS, &[task(2, r#","m":{"inner":1}"#)])?;
            edit.put_tasks(OURS, &[task(3, r#","b":1,"a":0"#)])
        })
        .unwrap();
    let view = store.view().unwrap();
    let catalog = view.catalog(OURS).unwrap();
    assert_eq!(catalog.names().collect::<Vec<_>>(), ["_id", "status", "z", "a", "m", "b"]);
    assert!(catalog.contains("m") && !catalog.contains("inner"));
    let cells: Vec<_> = read(&view, &[id(3), id(1)], &["a", "z"]).unwrap().into_iter().map(|row| row.1).collect();
    assert_eq!(cells, [[Some("0".to_owned()), None], [Some("2".to_owned()), Some("1".to_owned())]]);
}

#[test]
fn tasks_are_read_in_any_order_and_as_often_as_asked() {
    let house = House::new();
    let store = house.open().unwrap();
    let tasks: Vec<Task> = (0..3_000).map(|number| task(number * 3, &format!(r#","n":{number}"#))).collect();
    store.edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
    let view = store.view().unwrap();
    let up: Vec<u64> = (0..3_000).collect();
    let nearly = up.chunks(10).flat_map(|ten| ten.iter().rev().take(2).chain(ten)).copied().collect();
    let scattered = (0..3_000).map(|number| number * 1_009 % 3_000).collect();
    let sparse = (0..3_000).step_by(40).collect();
    let clusters = up.iter().filter(|number| *number % 700 < 90).copied().collect();
    for numbers in [up.clone(), nearly, scattered, sparse, clusters, vec![5], vec![5, 5, 5], vec![]] {
        for numbers in [numbers.clone(), numbers.into_iter().rev().collect::<Vec<u64>>()] {
            let ids: Vec<Id> = numbers.iter().map(|number| id(number * 3)).collect();
            let rows = read(&view, &ids, &["n"]).unwrap();
            let read: Vec<u64> = rows.iter().map(|row| row.1[0].as_ref().unwrap().parse().unwrap()).collect();
            assert_eq!(read, numbers);
        }
    }
}

#[test]
fn a_task_that_is_not_there_fails_the_reading() {
    let house = House::filled();
    let store = house.open().unwrap();
    let view = store.view().unwrap();
    for missing in [[0, 1, 9_999], [9_999, 9_998, 1], [1, 9_999, 0]] {
        let ids = missing.map(id);
        assert_eq!(read(&view, &ids, &[]).unwrap_err().kind, Kind::Internal);
    }
    let mut ids: Vec<Id> = (0..100).map(id).collect();
    ids[50] = Id([7; 12]);
    assert_eq!(read(&view, &ids, &[]).unwrap_err().kind, Kind::Internal);
}

#[test]
fn an_error_of_the_reader_stops_the_reading() {
    let house = House::filled();
    let store = house.open().unwrap();
    let mut seen = 0;
    let stopped = store.view().unwrap().read(OURS, &[id(1), id(2), id(3)], &[], &mut |_| {
        seen += 1;
        if seen == 2 { Err(domain::Error::invalid("enough")) } else { Ok(()) }
    });
    assert_eq!((seen, stopped.unwrap_err().kind), (2, Kind::Invalid));
}

fn flow(number: u64, name: &str) -> Flow {
    serde_json::from_value(serde_json::json!({
        "_id": id(number), "name": name, "createdTime": "", "updatedTime": "",
        "pages": [{"id": "p", "components": [{"id": "c", "component": "input", "unit": "kg"}]}],
    }))
    .unwrap()
}

#[test]
fn flows_are_listed_by_name_and_keep_what_they_came_with() {
    let house = House::new();
    let store = house.open().unwrap();
    let flows = [flow(3, "apple"), flow(1, "Banana"), flow(2, "čaj")];
    store.edit(|edit| flows.iter().rev().try_for_each(|flow| edit.put_flow(OURS, flow))).unwrap();
    store.edit(|edit| edit.put_flow(THEIRS, &flow(9, "Banana"))).unwrap();
    let view = store.view().unwrap();
    assert_eq!(*view.flows(OURS).unwrap(), flows);
    assert_eq!(*view.flows(OURS).unwrap(), flows, "read before");
    assert_eq!(view.flow(OURS, id(1)).unwrap().unwrap(), flows[1]);
    assert_eq!(view.flow(OURS, id(9)).unwrap(), None);
    assert_eq!(view.hubs(OURS).unwrap(), []);
}

#[test]
fn flows_that_were_read_before_are_those_of_the_view_all_the_same() {
    let house = House::new();
    let store = house.open().unwrap();
    let names = |view: &View| view.flows(OURS).unwrap().iter().map(|flow| flow.name.clone()).collect::<Vec<_>>();
    store.edit(|edit| edit.put_flow(OURS, &flow(1, "apple"))).unwrap();
    let before = store.view().unwrap();
    assert_eq!(names(&before), ["apple"]);
    store.edit(|edit| edit.put_flow(OURS, &flow(1, "pear"))).unwrap();
    let after = store.view().unwrap();
    assert_eq!(
        (names(&after), names(&before), names(&after)),
        (vec!["pear".into()], vec!["apple".into()], vec!["pear".into()])
    );
    store.edit(|edit| edit.delete_flow(OURS, id(1))).unwrap();
    assert!(names(&store.view().unwrap()).is_empty());
}

#[test]
fn a_name_is_taken_without_regard_to_case_until_its_flow_goes_or_is_renamed() {
    let house = House::new();
    let store = house.open().unwrap();
    let put = |flow: Flow| store.edit(|edit| edit.put_flow(OURS, &flow));
    put(flow(1, "Straße")).unwrap();
    put(flow(1, "STRASSE")).unwrap();
    put(flow(2, "straße")).unwrap();
    let taken = put(flow(3, "StrasSe")).unwrap_err();
    assert_eq!((taken.kind, taken.message.as_str()), (Kind::Conflict, "The name has already been taken."));
    store.edit(|edit| edit.delete_flow(OURS, id(1))).unwrap().unwrap();
    put(flow(3, "StrasSe")).unwrap();
    assert_eq!(store.edit(|edit| edit.flow_named(OURS, "strasse")).unwrap().unwrap().id, id(3));
    assert_eq!(store.edit(|edit| edit.delete_flow(OURS, id(1))).unwrap(), None);
}

#[test]
fn hubs_and_flows_do_not_take_each_others_names() {
    let house = House::new();
    let store = house.open().unwrap();
    let hub = Hub {
        id: id(1),
        name: "North".into(),
        address: Some("Jl. Merdeka 1".into()),
        lat: Some(-6.2),
        lng: None,
        created_time: String::new(),
        updated_time: String::new(),
    };
    store
        .edit(|edit| {
            edit.put_flow(OURS, &flow(1, "North"))?;
            edit.put_hub(OURS, &hub)
        })
        .unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.hub(OURS, id(1)).unwrap(), Some(hub.clone()));
    assert_eq!(store.edit(|edit| edit.hub_named(OURS, "NORTH")).unwrap(), Some(hub.clone()));
    assert_eq!(store.edit(|edit| edit.delete_hub(OURS, id(1))).unwrap(), Some(hub));
    assert!(store.view().unwrap().hubs(OURS).unwrap().is_empty());
    assert_eq!(view.flows(OURS).unwrap().len(), 1);
}

fn config(number: u64, name: &str) -> ExportConfig {
    serde_json::from_value(serde_json::json!({
        "_id": id(number), "name": name, "collection": "task", "organizationId": OURS, "version": 1,
        "fields": [{"zoom": 1.5, "title": "Status", "id": "status", "component": "input"}],
        "createdTime": "2025-06-15T08:00:00.000000Z", "updatedTime": "",
    }))
    .unwrap()
}

#[test]
fn configs_keep_their_columns_as_they_came_and_are_listed_by_name_without_them() {
    let house = House::new();
    let store = house.open().unwrap();
    let configs = [config(3, "apple"), config(1, "Banana"), config(2, "čaj")];
    store.edit(|edit| configs.iter().rev().try_for_each(|config| edit.put_config(OURS, config))).unwrap();
    store.edit(|edit| edit.put_config(THEIRS, &config(9, "Banana"))).unwrap();
    let view = store.view().unwrap();
    let heads = view.config_heads(OURS).unwrap();
    assert_eq!(
        heads.iter().map(|head| (head.id, head.name.as_str())).collect::<Vec<_>>(),
        [(id(3), "apple"), (id(1), "Banana"), (id(2), "čaj")]
    );
    assert_eq!((heads[0].collection.as_str(), heads[0].created_time.as_str()), ("task", "2025-06-15T08:00:00.000000Z"));
    let stored = view.config(OURS, id(1)).unwrap().unwrap();
    assert_eq!(stored, configs[1]);
    let column = serde_json::to_string(&stored.fields[0]).unwrap();
    assert_eq!(column, r#"{"zoom":1.5,"title":"Status","id":"status","component":"input"}"#);
    assert_eq!(view.config(OURS, id(9)).unwrap(), None);
    assert_eq!(store.edit(|edit| edit.count_configs(OURS)).unwrap(), 3);
    assert_eq!(store.edit(|edit| edit.count_configs(id(7))).unwrap(), 0);
}

#[test]
fn the_name_of_a_config_is_taken_until_it_goes_or_is_renamed() {
    let house = House::new();
    let store = house.open().unwrap();
    let put = |config: ExportConfig| store.edit(|edit| edit.put_config(OURS, &config));
    put(config(1, "Straße")).unwrap();
    put(config(2, "Other")).unwrap();
    for again in [config(2, "straße"), config(3, "STRAßE")] {
        let taken = put(again).unwrap_err();
        assert_eq!((taken.kind, taken.message.as_str()), (Kind::Conflict, "The name has already been taken."));
    }
    put(config(1, "Road")).unwrap();
    put(config(2, "straße")).unwrap();
    assert_eq!(store.edit(|edit| edit.config(OURS, id(2))).unwrap().unwrap().name, "straße");
    assert_eq!(store.edit(|edit| edit.delete_config(THEIRS, id(2))).unwrap(), None);
    assert_eq!(store.edit(|edit| edit.delete_config(OURS, id(2))).unwrap().unwrap().name, "straße");
    put(config(4, "Straße")).unwrap();
}

#[test]
fn a_selection_on_many_threads_finds_ids_that_lie_in_far_clusters() {
    let house = House::new();
    let store = house.open().unwrap();
    let mut numbers: Vec<u64> = vec![0, 1, u64::MAX - 1, u64::MAX];
    numbers.extend(1 << 40..(1 << 40) + 6_000);
    numbers.extend((0..3_000).map(|step| (1 << 60) + step * 77));
    let tasks: Vec<Task> = numbers.iter().map(|number| task(*number, "")).collect();
    store.edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
    let mut wanted: Vec<Id> = numbers.into_iter().map(id).collect();
    wanted.sort_unstable_by(|a, b| b.cmp(a));
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let selected = pool.install(|| store.view().unwrap().select(&everything(OURS))).unwrap();
        assert_eq!(selected.ids, wanted);
    }
}

#[test]
fn what_occurs_among_some_tasks_is_that_of_these_tasks_alone() {
    let house = House::new();
    let store = house.open().unwrap();
    let flow = id(9_000);
    let mut tasks: Vec<Task> = (0..20_000).map(|number| task(number, &format!(r#","k{}":1"#, number % 7))).collect();
    tasks.push(task(30_000, &format!(r#","flowId":"{flow}","only":null"#)));
    store.edit(|edit| edit.put_tasks(OURS, &tasks)).unwrap();
    store.edit(|edit| edit.put_tasks(THEIRS, &[task(1, r#","theirs":1"#)])).unwrap();
    let view = store.view().unwrap();
    let sorted = |ids: &[Id]| {
        let mut seen = view.seen(OURS, ids).unwrap();
        seen.keys.sort_unstable();
        seen
    };
    let ids: Vec<Id> = (0..20_000).rev().map(id).collect();
    let seen = sorted(&ids);
    assert!(seen.flows.is_empty());
    assert_eq!(seen.keys, ["_id", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "status"]);
    let seen = sorted(&[id(3), id(30_000)]);
    assert_eq!(seen.flows.into_iter().collect::<Vec<_>>(), [flow]);
    assert_eq!(seen.keys, ["_id", "flowId", "k3", "only", "status"]);
    assert_eq!(sorted(&[]), Seen::default());
    assert!(view.seen(OURS, &[id(40_000)]).is_err());
}

fn export(organization: Id, number: u64) -> ExportLog {
    let caller = Caller {
        user: "ana".to_owned(),
        email: "ana@example.com".to_owned(),
        name: "Ana".to_owned(),
        organization,
        permissions: vec!["*".to_owned()],
        hubs: Some(vec![id(9)]),
        own: false,
    };
    ExportLog::queued(id(number), caller, Moment(1_000), "Visits".to_owned(), r#"{"download":"xlsx"}"#.to_owned())
}

fn every_export() -> LogFilter {
    LogFilter { user: None, email: None, data_name: None, data_type: None, status: None, since: Moment(i64::MIN) }
}

fn exports_of(view: &View, organization: Id) -> Vec<ExportLog> {
    view.exports(organization, &every_export(), &LogOrder::default(), 0, u64::MAX).unwrap().1
}

#[test]
fn an_export_reads_back_as_it_was_put_also_after_a_restart() {
    let house = House::new();
    let store = house.open().unwrap();
    let log = ExportLog { warnings: vec!["é \" \u{0}".to_owned()], once: Some("k".to_owned()), ..export(OURS, 1) };
    store
        .edit(|edit| {
            edit.put_export(&log)?;
            assert_eq!(edit.export(OURS, id(1))?.as_ref(), Some(&log));
            Ok(())
        })
        .unwrap();
    drop(store);
    let store = house.open().unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.export(OURS, id(1)).unwrap().as_ref(), Some(&log));
    assert_eq!(view.export(OURS, id(2)).unwrap(), None);
    assert_eq!(store.edit(|edit| edit.delete_export(OURS, id(1))).unwrap(), Some(log));
    assert_eq!(store.edit(|edit| edit.delete_export(OURS, id(1))).unwrap(), None);
    assert!(exports_of(&store.view().unwrap(), OURS).is_empty());
}

#[test]
fn an_export_is_owed_exactly_while_it_is_queued() {
    let house = House::new();
    let store = house.open().unwrap();
    for before in State::ALL {
        for after in State::ALL {
            for state in [before, after] {
                let log = ExportLog { state, ..export(OURS, 1) };
                store.edit(|edit| edit.put_export(&log)).unwrap();
                let owed = store.view().unwrap().owed().unwrap();
                assert_eq!(owed.len(), usize::from(state == State::Queued), "{before:?} to {after:?}");
            }
            store.edit(|edit| edit.delete_export(OURS, id(1))).unwrap().unwrap();
            assert_eq!(store.view().unwrap().owed().unwrap(), [], "{after:?}, deleted");
        }
    }
}

#[test]
fn an_edit_that_fails_leaves_nothing_owed() {
    let house = House::new();
    let store = house.open().unwrap();
    let failed: domain::Result<()> = store.edit(|edit| {
        edit.put_export(&export(OURS, 1))?;
        Err(domain::Error::invalid("no"))
    });
    assert_eq!(failed.unwrap_err().kind, Kind::Invalid);
    let view = store.view().unwrap();
    assert_eq!((view.owed().unwrap(), view.export(OURS, id(1)).unwrap()), (vec![], None));
}

#[test]
fn what_is_owed_comes_oldest_first_whosever_it_is() {
    let house = House::new();
    let store = house.open().unwrap();
    let logs = [export(THEIRS, 1), export(OURS, 2), export(THEIRS, 2), export(OURS, 3), export(THEIRS, 5)];
    for log in logs.iter().rev() {
        store.edit(|edit| edit.put_export(log)).unwrap();
    }
    assert_eq!(store.view().unwrap().owed().unwrap(), logs);
}

#[test]
fn another_organisation_sees_none_of_our_exports_and_cannot_take_them_away() {
    let house = House::new();
    let store = house.open().unwrap();
    for organization in [Id::MIN, OURS, THEIRS, Id::MAX] {
        store.edit(|edit| edit.put_export(&export(organization, 1))).unwrap();
    }
    store.edit(|edit| edit.put_export(&export(OURS, 2))).unwrap();
    assert_eq!(store.edit(|edit| edit.delete_export(THEIRS, id(2))).unwrap(), None);
    assert_eq!(store.edit(|edit| edit.export(THEIRS, id(2))).unwrap(), None);
    let view = store.view().unwrap();
    assert_eq!(view.export(THEIRS, id(2)).unwrap(), None);
    assert_eq!(exports_of(&view, THEIRS), [export(THEIRS, 1)]);
    assert_eq!(exports_of(&view, OURS), [export(OURS, 2), export(OURS, 1)]);
    assert_eq!(exports_of(&view, id(1)), []);
    store.edit(|edit| edit.delete_export(THEIRS, id(1))).unwrap().unwrap();
    let mut left = Vec::new();
    store
        .view()
        .unwrap()
        .each_export(&mut |log| {
            left.push((log.organization(), log.id));
            Ok(())
        })
        .unwrap();
    assert_eq!(left, [(Id::MIN, id(1)), (OURS, id(1)), (OURS, id(2)), (Id::MAX, id(1))]);
}

#[test]
fn an_error_of_whoever_looks_stops_the_walk_over_the_exports() {
    let house = House::new();
    let store = house.open().unwrap();
    store.edit(|edit| (0..3).try_for_each(|number| edit.put_export(&export(OURS, number)))).unwrap();
    let mut seen = 0;
    let stopped = store.view().unwrap().each_export(&mut |_| {
        seen += 1;
        if seen == 2 { Err(domain::Error::invalid("enough")) } else { Ok(()) }
    });
    assert_eq!((seen, stopped.unwrap_err().kind), (2, Kind::Invalid));
}

#[test]
fn a_damaged_record_of_an_export_is_an_error_by_every_way_in() {
    let stranger = serde_json::to_vec(&export(THEIRS, 1)).unwrap();
    let other = serde_json::to_vec(&export(OURS, 2)).unwrap();
    for bytes in [b"".as_slice(), b"{}", b"\xff", &stranger, &other] {
        let house = House::new();
        house.open().unwrap().edit(|edit| edit.put_export(&export(OURS, 1))).unwrap();
        house.with_redb(|transaction| {
            let mut rows = transaction.open_table(schema::EXPORTS).unwrap();
            rows.insert(&schema::key(OURS, id(1)), bytes).unwrap();
        });
        let store = house.open().unwrap();
        let view = store.view().unwrap();
        let internal = |error: domain::Error| assert_eq!((error.kind, error.part), (Kind::Internal, "store"));
        internal(view.export(OURS, id(1)).unwrap_err());
        internal(view.exports(OURS, &every_export(), &LogOrder::default(), 0, 0).unwrap_err());
        internal(view.owed().unwrap_err());
        internal(view.each_export(&mut |_| Ok(())).unwrap_err());
        internal(store.edit(|edit| edit.export(OURS, id(1))).unwrap_err());
        internal(store.edit(|edit| edit.delete_export(OURS, id(1))).unwrap_err());
    }
}

#[test]
fn what_is_owed_and_not_there_or_ended_is_an_error() {
    let damages: [fn(&WriteTransaction); 2] = [
        |transaction| {
            transaction.open_table(schema::EXPORTS).unwrap().remove(&schema::key(OURS, id(1))).unwrap();
        },
        |transaction| {
            let json = serde_json::to_vec(&ExportLog { state: State::Done, ..export(OURS, 1) }).unwrap();
            let mut rows = transaction.open_table(schema::EXPORTS).unwrap();
            rows.insert(&schema::key(OURS, id(1)), json.as_slice()).unwrap();
        },
    ];
    for damage in damages {
        let house = House::new();
        house.open().unwrap().edit(|edit| edit.put_export(&export(OURS, 1))).unwrap();
        house.with_redb(damage);
        let store = house.open().unwrap();
        assert_eq!(store.view().unwrap().owed().unwrap_err().kind, Kind::Internal);
    }
}

fn answered(number: u64, at: i64) -> Answered {
    Answered { export: id(number), body_sha256: "ab".repeat(32), at: Moment(at) }
}

#[test]
fn an_idempotency_key_belongs_to_one_user_of_one_organisation() {
    let house = House::new();
    let store = house.open().unwrap();
    let long = "k".repeat(10_000);
    store
        .edit(|edit| {
            edit.put_answered(OURS, "ana", "k", &answered(1, 10))?;
            edit.put_answered(OURS, "ana", &long, &answered(2, 10))?;
            edit.put_answered(THEIRS, "ana", "k", &answered(3, 10))?;
            edit.put_answered(OURS, "ana", "k", &answered(4, 20))?;
            assert_eq!(edit.answered(OURS, "ana", "k")?, Some(answered(4, 20)));
            assert_eq!(edit.answered(OURS, "bo", "k")?, None);
            Ok(())
        })
        .unwrap();
    let view = store.view().unwrap();
    let kept = |organization, user, once: &str| view.answered(organization, user, once).unwrap();
    assert_eq!(kept(OURS, "ana", "k"), Some(answered(4, 20)));
    assert_eq!(kept(OURS, "ana", &long), Some(answered(2, 10)));
    assert_eq!(kept(THEIRS, "ana", "k"), Some(answered(3, 10)));
    for (user, once) in [("bo", "k"), ("an", "ak"), ("anak", ""), ("", "anak"), ("ana", "K"), ("ana", "")] {
        assert_eq!(kept(OURS, user, once), None, "{user} {once}");
    }
}

#[test]
fn idempotency_keys_are_forgotten_everywhere_once_they_are_older_than_asked_for() {
    let house = House::new();
    let store = house.open().unwrap();
    store
        .edit(|edit| {
            edit.put_answered(OURS, "ana", "old", &answered(1, 9))?;
            edit.put_answered(THEIRS, "ana", "old", &answered(2, i64::MIN))?;
            edit.put_answered(OURS, "ana", "edge", &answered(3, 10))?;
            edit.put_answered(THEIRS, "ana", "new", &answered(4, 11))
        })
        .unwrap();
    let forget = |before| store.edit(|edit| edit.forget_answered(Moment(before))).unwrap();
    let old = |before| store.view().unwrap().answered_before(Moment(before)).unwrap();
    assert_eq!((old(i64::MIN), old(10), old(i64::MAX)), (0, 2, 4));
    assert_eq!((forget(10), forget(10), old(10)), (2, 0, 0));
    let view = store.view().unwrap();
    assert_eq!(view.answered(OURS, "ana", "old").unwrap(), None);
    assert_eq!(view.answered(THEIRS, "ana", "old").unwrap(), None);
    assert_eq!(view.answered(OURS, "ana", "edge").unwrap(), Some(answered(3, 10)));
    assert_eq!((forget(11), forget(i64::MAX)), (1, 1));
}

#[test]
fn a_damaged_answer_to_an_idempotency_key_is_an_error() {
    let house = House::new();
    house.open().unwrap().edit(|edit| edit.put_answered(OURS, "ana", "k", &answered(1, 9))).unwrap();
    house.with_redb(|transaction| {
        let mut rows = transaction.open_table(schema::ANSWERED).unwrap();
        rows.insert(&schema::answer_key(OURS, "ana", "k"), b"{}".as_slice()).unwrap();
    });
    let store = house.open().unwrap();
    assert_eq!(store.view().unwrap().answered(OURS, "ana", "k").unwrap_err().kind, Kind::Internal);
    assert_eq!(store.edit(|edit| edit.answered(OURS, "ana", "k")).unwrap_err().kind, Kind::Internal);
    assert_eq!(store.edit(|edit| edit.forget_answered(Moment(0))).unwrap_err().kind, Kind::Internal);
    assert_eq!(store.view().unwrap().answered_before(Moment(0)).unwrap_err().kind, Kind::Internal);
}

/// Few different values of each, so that ties, hits and misses are all frequent.
fn any_export() -> impl Strategy<Value = ExportLog> {
    let facts = (select(vec![OURS, THEIRS]), 0..40_u64, select(State::ALL.to_vec()));
    let times = (0..4_i64, proptest::option::of(0..3_i64));
    let texts = (
        select(vec!["Visits", "visits of May", "ÉTÉ", ""]),
        select(vec!["task", "data"]),
        select(vec!["ana@example.com", "Ana@Example.com", "bo@example.com"]),
    );
    (facts, times, texts).prop_map(|((organization, number, state), (asked, completed), (name, kind, email))| {
        let mut log = export(organization, number);
        log.caller.email = email.to_owned();
        let (data_name, data_type) = (name.to_owned(), kind.to_owned());
        ExportLog { state, asked: Moment(asked), completed: completed.map(Moment), data_name, data_type, ..log }
    })
}

fn any_listing() -> impl Strategy<Value = (Id, LogFilter, LogOrder, u64, u64)> {
    let rarely = |texts: Vec<&'static str>| proptest::option::weighted(0.2, select(texts).prop_map(str::to_owned));
    let filter = (
        rarely(vec!["ana@example.com", "BO@example.com", "nobody"]),
        rarely(vec!["may", "été", "S", "nowhere", ""]),
        rarely(vec!["task", "data", "other"]),
        proptest::option::weighted(0.2, select(Status::ALL.to_vec())),
        (0..5_i64).prop_map(Moment),
    );
    let filter = filter.prop_map(|(email, data_name, data_type, status, since)| LogFilter {
        user: None,
        email,
        data_name,
        data_type,
        status,
        since,
    });
    let order = (select(LogField::ALL.to_vec()), any::<bool>());
    let order = order.prop_map(|(by, descending)| LogOrder { by, descending });
    let from = prop_oneof![3 => Just(0), 2 => 0..50_u64, 1 => Just(u64::MAX)];
    let size = prop_oneof![3 => 0..20_u64, 1 => Just(u64::MAX)];
    (select(vec![OURS, THEIRS]), filter, order, from, size)
}

/// Tasks of some organisation: among others in between, or above them all; tiny ones and huge ones.
fn any_put() -> impl Strategy<Value = (Id, Vec<Task>)> {
    let size = prop_oneof![4 => 0_usize..30, 8 => 500_usize..2_000, 1 => 10_000_usize..40_000];
    let deleted = prop_oneof![5 => Just(""), 1 => Just(r#","isDeleted":true"#)];
    let task = (0..300_u64, size, deleted);
    let tasks = prop_oneof![
        2 => prop::collection::vec(task.clone(), 0..4),
        2 => prop::collection::vec(task.clone(), 20..100),
        1 => prop::collection::vec(task, 20..100).prop_map(|mut tasks| {
            tasks.sort_unstable();
            tasks
        }),
    ];
    let base = prop_oneof![3 => Just(0), 1 => (1..4_u64).prop_map(|base| base * 200)];
    (select(vec![Id::MIN, OURS, THEIRS, Id::MAX]), base, tasks).prop_map(|(organization, base, tasks)| {
        let made = tasks.into_iter().map(|(number, size, deleted)| {
            let id = match base + number {
                0 => Id::MIN,
                150 => Id::MAX,
                number => id(number),
            };
            let fill = format!("{}{}", size % 7, "x".repeat(size));
            Task::stored(&format!(r#"{{"_id":"{id}","status":"DONE"{deleted},"k":"{fill}"}}"#)).unwrap()
        });
        (organization, made.collect())
    })
}

/// The organisation has these tasks and no others, by every way in, and its groups are as they should be.
fn holds(view: &View, organization: Id, tasks: &BTreeMap<Id, Task>) -> Result<(), TestCaseError> {
    let shown: Vec<Id> = tasks.values().filter(|task| !task.header().deleted).map(Task::id).collect();
    let mut by_field: Vec<Id> = shown.clone();
    by_field.sort_by_key(|id| (Order { by: "k".to_owned(), descending: false }.key(&tasks[id]), *id));
    for (by, meant) in [("_id", &shown), ("k", &by_field)] {
        let order = Order { by: by.to_owned(), descending: false };
        let selected = view.select(&Selection { order: order.clone(), ..everything(organization) }).unwrap();
        prop_assert_eq!(&selected.ids, meant);
        let mut these = Selection { order, ..everything(organization) };
        let mut ids: Vec<Id> = shown.iter().step_by(3).copied().chain([id(77_777)]).collect();
        ids.sort_unstable();
        these.filter.ids = Some(ids);
        prop_assert_eq!(view.select(&these).unwrap().matched, shown.iter().step_by(3).count() as u64);
        let mut wanted = meant.iter();
        view.read(organization, meant, &["k".to_owned()], &mut |row| {
            let task = &tasks[wanted.next().unwrap()];
            assert_eq!((row.json().unwrap(), row.cells[0].json().unwrap()), (task.json(), task.raw("k")));
            Ok(())
        })
        .unwrap();
        prop_assert!(wanted.next().is_none());
    }
    for task in tasks.values() {
        let json = (!task.header().deleted).then(|| task.json().to_owned());
        prop_assert_eq!(view.task(organization, task.id()).unwrap(), json);
    }
    let groups = groups_in(view, organization);
    prop_assert_eq!(groups.last().map(|(bound, _)| *bound), (!tasks.is_empty()).then_some(Id::MAX));
    let mut below = None;
    for (bound, entries) in &groups {
        prop_assert!(below < entries.first().map(|(id, _)| *id));
        let size: usize = 4 + entries.iter().map(|(_, record)| record.len() + 16).sum::<usize>();
        prop_assert!(size <= group::FULL || entries.len() == 1);
        below = Some(*bound);
    }
    prop_assert!(groups.iter().flat_map(|(_, entries)| entries).map(|(id, _)| id).eq(tasks.keys()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_puts_leave_what_a_plain_map_has(puts in prop::collection::vec(any_put(), 1..12)) {
        let house = House::new();
        let store = house.open().unwrap();
        let mut model: BTreeMap<Id, BTreeMap<Id, Task>> = BTreeMap::new();
        for (organization, tasks) in puts {
            let known = model.entry(organization).or_default();
            let put = |task: Task| match known.insert(task.id(), task) {
                Some(_) => Put::Replaced,
                None => Put::Added,
            };
            let said = store.edit(|edit| edit.put_tasks(organization, &tasks)).unwrap();
            prop_assert_eq!(said, tasks.into_iter().map(put).collect::<Vec<Put>>());
        }
        drop(store);
        let store = house.open().unwrap();
        let view = store.view().unwrap();
        for (organization, tasks) in &model {
            holds(&view, *organization, tasks)?;
        }
    }

    #[test]
    fn a_list_of_exports_equals_filter_sort_page_over_a_plain_list(
        logs in prop::collection::vec(any_export(), 0..80),
        listings in prop::collection::vec(any_listing(), 30),
    ) {
        let house = House::new();
        let store = house.open().unwrap();
        store.edit(|edit| logs.iter().try_for_each(|log| edit.put_export(log))).unwrap();
        let mut model: HashMap<(Id, Id), ExportLog> = HashMap::new();
        model.extend(logs.into_iter().map(|log| ((log.id, log.organization()), log)));
        let view = store.view().unwrap();
        for (organization, filter, order, from, size) in listings {
            let ours = |log: &&ExportLog| log.organization() == organization;
            let mut meant: Vec<ExportLog> =
                model.values().filter(ours).filter(|log| filter.accepts(log)).cloned().collect();
            meant.sort_by(|a, b| order.compare(a, b));
            let total = meant.len() as u64;
            let (skip, take) = (usize::try_from(from).unwrap(), usize::try_from(size).unwrap());
            let page: Vec<ExportLog> = meant.into_iter().skip(skip).take(take).collect();
            let listed = view.exports(organization, &filter, &order, from, size).unwrap();
            prop_assert_eq!(listed, (total, page), "{:?} {:?} {} {}", &filter, &order, from, size);
        }
        let mut owed: Vec<ExportLog> = model.into_values().filter(|log| log.state == State::Queued).collect();
        owed.sort_by_key(|log| (log.id, log.organization()));
        prop_assert_eq!(view.owed().unwrap(), owed);
    }
}
