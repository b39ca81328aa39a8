use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::thread::{scope, yield_now};

use tempfile::TempDir;

use super::*;
use crate::domain::{Caller, Error, ExportLog, Kind, Moment, Result};
use crate::store::Store;

const OURS: Id = Id([1; 12]);
const EDITS: usize = 8;

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("waybill.redb"), 1 << 20).unwrap();
    (folder, store)
}

fn log(number: usize) -> ExportLog {
    let caller = Caller {
        user: "ana".to_owned(),
        email: "ana@example.com".to_owned(),
        name: "Ana".to_owned(),
        organization: OURS,
        permissions: Vec::new(),
        hubs: None,
        own: false,
    };
    ExportLog::queued(id(number), caller, Moment(0), "a".to_owned(), "{}".to_owned())
}

fn id(number: usize) -> Id {
    Id([u8::try_from(number).unwrap(); 12])
}

/// The numbers of the records that everybody sees.
fn seen(store: &Store) -> Vec<usize> {
    let view = store.view().unwrap();
    (0..EDITS).filter(|number| view.export(OURS, id(*number)).unwrap().is_some()).collect()
}

/// Puts a record in each of several edits that come at once: the first keeps the pen until all the
/// others want it. `then` is what each does besides.
fn at_once(store: &Store, then: impl Fn(usize) -> Result<()> + Sync) -> Vec<std::thread::Result<Result<usize>>> {
    let is_held = AtomicBool::new(false);
    let edit = |number: usize| {
        let mut runs = 0;
        let put = store.edit_together(|edit| {
            runs += 1;
            if number == 0 && !is_held.swap(true, Ordering::SeqCst) {
                while store.pen.coming.load(Ordering::SeqCst) < EDITS - 1 {
                    yield_now();
                }
            }
            edit.put_export(&log(number))?;
            then(number)
        });
        put.map(|()| runs)
    };
    scope(|scope| {
        let first = scope.spawn(|| edit(0));
        while !is_held.load(Ordering::SeqCst) {
            yield_now();
        }
        let others: Vec<_> = (1..EDITS).map(|number| scope.spawn(move || edit(number))).collect();
        std::iter::once(first).chain(others).map(|thread| thread.join()).collect()
    })
}

#[test]
fn edits_that_come_at_once_become_durable_with_one_commit() {
    let (folder, store) = store();
    let before = store.written();
    let all = at_once(&store, |_| {
        assert_eq!(seen(&store), [0; 0], "nobody sees what is not durable");
        Ok(())
    });
    assert!(all.into_iter().all(|edit| edit.unwrap().unwrap() == 1), "each has run once");
    let after = store.written();
    assert_eq!((after.commits - before.commits, after.edits - before.edits), (1, EDITS as u64));
    drop(store);
    let store = Store::open(&folder.path().join("waybill.redb"), 1 << 20).unwrap();
    assert_eq!(seen(&store), (0..EDITS).collect::<Vec<_>>());
}

#[test]
fn of_edits_that_come_at_once_the_one_that_fails_leaves_nothing_and_the_others_are_whole() {
    for failing in [0, 3] {
        let (_folder, store) = store();
        let fails = |number| match number == failing {
            true => Err(Error::new(Kind::Conflict, "The name is taken.")),
            false => Ok(()),
        };
        for (number, edit) in at_once(&store, fails).into_iter().enumerate() {
            match edit.unwrap() {
                Ok(runs) => assert!(number != failing && runs <= 2, "{number} has run {runs} times"),
                Err(error) => assert_eq!((number, error.kind), (failing, Kind::Conflict)),
            }
        }
        assert_eq!(seen(&store), (0..EDITS).filter(|number| *number != failing).collect::<Vec<_>>());
    }
}

#[test]
fn of_edits_that_come_at_once_one_may_panic_and_the_others_are_whole() {
    let (_folder, store) = store();
    let all = at_once(&store, |number| {
        assert!(number != 3, "this one panics");
        Ok(())
    });
    for (number, edit) in all.into_iter().enumerate() {
        assert_eq!(edit.is_ok_and(|edit| edit.is_ok()), number != 3, "{number}");
    }
    assert_eq!(seen(&store), [0, 1, 2, 4, 5, 6, 7]);
}

#[test]
fn a_commit_that_fails_is_told_to_all_who_share_it_and_none_of_them_is_half_done() {
    const TEST: &str =
        "store::pen::tests::a_commit_that_fails_is_told_to_all_who_share_it_and_none_of_them_is_half_done";
    // Failures are for a whole process, so that this test runs again in one of its own.
    let Some(fail) = std::env::var_os("WAYBILL_FAIL_FILE") else {
        let folder = tempfile::tempdir().unwrap();
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", TEST, "--nocapture"]).env("WAYBILL_FAIL_FILE", folder.path().join("fail"));
        let output = again.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    };
    let (_folder, store) = store();
    std::fs::write(&fail, "store-commit").unwrap();
    for edit in at_once(&store, |_| Ok(())) {
        let error = edit.unwrap().unwrap_err();
        assert_eq!((error.kind, error.part), (Kind::Unavailable, "store"));
        assert!(error.message.starts_with("The disk is full"), "{error}");
    }
    assert_eq!(seen(&store), [0; 0]);
    assert!(store.pen.handle().check().is_err());
    std::fs::write(&fail, "").unwrap();
    while store.edit_together(|edit| edit.put_export(&log(0))).is_err() {
        yield_now();
    }
    assert_eq!(seen(&store), [0]);
}

#[test]
fn what_a_caller_wrote_is_there_for_its_next_edit_and_no_edit_of_others_is_lost() {
    let (_folder, store) = store();
    let next = |edit: &mut Edit<'_>, number: usize| {
        let mut record = edit.export(OURS, id(number))?.unwrap_or_else(|| log(number));
        record.rows += 1;
        edit.put_export(&record).map(|()| record.rows)
    };
    scope(|scope| {
        for caller in 1..EDITS {
            let store = &store;
            scope.spawn(move || {
                for round in 1..=30 {
                    let both = |edit: &mut Edit<'_>| Ok((next(edit, caller)?, next(edit, 0)?));
                    let (own, _) = if round % 7 == 0 { store.edit(both) } else { store.edit_together(both) }.unwrap();
                    assert_eq!(own, round);
                    assert_eq!(store.view().unwrap().export(OURS, id(caller)).unwrap().unwrap().rows, own);
                }
            });
        }
    });
    assert_eq!(store.view().unwrap().export(OURS, id(0)).unwrap().unwrap().rows, 30 * (EDITS as u64 - 1));
}
