use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::domain::export_log::File;
use crate::domain::{Answered, Caller};
use crate::kit::clock::Clock;
use crate::settings::Settings;
use crate::storage::Patience;

const NOW: Moment = Moment(1_750_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// A house whose store and files are filled by hand.
struct House {
    data: TempDir,
    app: Arc<App>,
    watch: ClockWatch,
}

fn house() -> House {
    house_with(|_| {})
}

fn house_with(choose: impl FnOnce(&mut Settings)) -> House {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.data.dir = data.path().to_owned();
    choose(&mut settings);
    let app = App::open(settings, Clock::fixed(NOW)).unwrap();
    let watch = ClockWatch::new(&app.clock);
    House { data, app, watch }
}

fn caller(organization: u8) -> Caller {
    Caller {
        user: "ana".to_owned(),
        email: "ana@example.com".to_owned(),
        name: "Ana".to_owned(),
        organization: Id([organization; 12]),
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    }
}

impl House {
    fn pass(&mut self) -> Swept {
        let preview = preview(&self.app).unwrap();
        let swept = pass(&self.app, &mut self.watch).unwrap();
        assert!(swept.skipped.is_some() || preview == swept, "{preview:?} was foreseen, not {swept:?}");
        swept
    }

    fn wait(&self, time: Duration) {
        self.app.clock.pass(time);
    }

    fn set(&self, log: &ExportLog) {
        self.app.store.edit(|edit| edit.put_export(log)).unwrap();
    }

    fn queued(&self, organization: u8) -> ExportLog {
        let now = self.app.clock.now();
        let body = r#"{"download":"csv"}"#.to_owned();
        let log = ExportLog::queued(self.app.ids.id(now), caller(organization), now, "x".to_owned(), body);
        self.set(&log);
        log
    }

    /// An export that is done, with a file of 5 bytes.
    fn done(&self, organization: u8) -> ExportLog {
        let mut log = self.queued(organization);
        let key = format!("{}.csv", self.app.key_stem(log.organization(), log.id, log.asked));
        self.put(&key);
        let expires = Moment(log.asked.0 + i64::from(self.app.settings.retention.days) * DAY_MS);
        let [name, kind, sha256] = ["x.csv", "csv", "00"].map(str::to_owned);
        log.file = Some(File { key, place: Place::Folder, name, kind, size: 5, sha256, expires });
        (log.state, log.completed) = (State::Done, Some(log.asked));
        self.set(&log);
        log
    }

    fn failed(&self) -> ExportLog {
        let mut log = self.queued(1);
        (log.state, log.completed) = (State::Failed, Some(log.asked));
        self.set(&log);
        log
    }

    /// A file of 5 bytes that was written now.
    fn put(&self, key: &str) {
        let mut draft = self.app.storage.folder().create().unwrap();
        draft.write_all(b"bytes").unwrap();
        self.app.storage.put(draft, key, "text/csv", &Patience::none()).unwrap();
        let now = u64::try_from(self.app.clock.now().0).unwrap();
        let file = fs::File::options().write(true).open(self.path(key)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(now)).unwrap();
    }

    fn path(&self, key: &str) -> PathBuf {
        self.data.path().join("files").join(key)
    }

    fn state(&self, log: &ExportLog) -> Option<State> {
        self.app.store.view().unwrap().export(log.organization(), log.id).unwrap().map(|log| log.state)
    }
}

fn key(log: &ExportLog) -> &str {
    &log.file.as_ref().unwrap().key
}

#[test]
fn a_file_is_kept_to_the_end_of_its_time_and_not_longer() {
    let mut house = house();
    let logs = [house.done(1), house.done(2)];
    house.wait(30 * DAY - Duration::from_millis(1));
    assert_eq!(house.pass(), Swept::default());
    assert!(logs.iter().all(|log| house.path(key(log)).exists() && house.state(log) == Some(State::Done)));
    house.wait(Duration::from_millis(1));
    assert_eq!(house.pass(), Swept { expired: 2, bytes: 10, ..Swept::default() });
    assert!(logs.iter().all(|log| !house.path(key(log)).exists() && house.state(log) == Some(State::Expired)));
    assert_eq!(house.pass(), Swept::default());
}

#[test]
fn an_entry_goes_when_it_has_been_over_for_as_long_as_the_log_is_kept() {
    let mut house = house();
    let old = [house.done(1), house.failed()];
    house.wait(DAY);
    let young = house.failed();
    house.wait(89 * DAY);
    assert_eq!(house.pass(), Swept { entries: 2, bytes: 5, ..Swept::default() });
    assert!(old.iter().all(|log| house.state(log).is_none()));
    assert!(!house.path(key(&old[0])).exists());
    assert_eq!(house.state(&young), Some(State::Failed));
}

#[test]
fn the_time_of_an_entry_begins_when_it_has_ended() {
    let mut house = house();
    let mut log = house.queued(1);
    house.wait(60 * DAY);
    (log.state, log.completed) = (State::Canceled, Some(house.app.clock.now()));
    house.set(&log);
    house.wait(60 * DAY);
    assert_eq!(house.pass().entries, 0);
    house.wait(30 * DAY);
    assert_eq!(house.pass().entries, 1);
}

#[test]
fn a_log_that_is_kept_shorter_than_files_takes_its_files_along() {
    let mut house = house_with(|settings| settings.retention.log_days = 7);
    let log = house.done(1);
    house.wait(7 * DAY - Duration::from_millis(1));
    assert_eq!(house.pass(), Swept::default());
    house.wait(Duration::from_millis(1));
    assert_eq!(house.pass(), Swept { entries: 1, bytes: 5, ..Swept::default() });
    assert_eq!((house.path(key(&log)).exists(), house.state(&log)), (false, None));
}

#[test]
fn what_is_owed_is_never_touched_nor_is_the_file_that_it_has_put_already() {
    let mut house = house();
    let log = house.queued(1);
    let stem = house.app.key_stem(log.organization(), log.id, log.asked);
    house.put(&format!("{stem}.zip"));
    house.wait(1000 * DAY);
    assert_eq!(house.pass(), Swept::default());
    assert_eq!(house.state(&log), Some(State::Queued));
    assert!(house.path(&format!("{stem}.zip")).exists());
    fs::remove_file(house.path(&format!("{stem}.zip"))).unwrap();
    assert_eq!(
        (house.pass(), house.app.storage.days(Shelf::Folder).unwrap()),
        (Swept::default(), vec![log.asked.day()])
    );
}

#[test]
fn a_file_without_an_entry_goes_after_a_day_and_its_folder_once_the_day_is_past() {
    let mut house = house();
    let (kept, day) = (house.done(1), NOW.day());
    let other = format!("{}.xlsx", key(&kept).split_once('.').unwrap().0);
    house.put(&other);
    house.put(&format!("{day}/task_0_0_x.csv"));
    house.wait(DAY);
    assert_eq!(house.pass(), Swept::default());
    house.wait(Duration::from_millis(1));
    assert_eq!(house.pass(), Swept { orphans: 2, bytes: 10, ..Swept::default() });
    assert_eq!(fs::read_dir(house.path(&day)).unwrap().count(), 1);
    house.wait(30 * DAY);
    assert_eq!(house.pass().expired, 1);
    assert!(house.app.storage.days(Shelf::Folder).unwrap().is_empty());
}

#[test]
fn the_folder_of_a_day_that_is_not_long_past_stays_for_those_who_may_put_a_file_there() {
    let mut house = house();
    for days in 0..4 {
        let day = Moment(NOW.0 - days * DAY_MS).day();
        fs::create_dir(house.path(&day)).unwrap();
    }
    house.pass();
    let left = [2, 1, 0].map(|days| Moment(NOW.0 - days * DAY_MS).day());
    assert_eq!(house.app.storage.days(Shelf::Folder).unwrap(), left);
}

#[test]
fn what_lies_there_and_is_no_file_of_ours_is_left_alone() {
    let mut house = house();
    let strange = ["20200101/.hidden", "20200101/a b.csv", "lost+found/a.csv", "note"].map(|name| house.path(name));
    for path in &strange {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
        fs::File::options().write(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    assert_eq!(house.pass(), Swept::default());
    assert!(strange.iter().all(|path| path.exists()));
}

#[test]
fn unfinished_files_are_none_of_its_business() {
    let mut house = house();
    let mut draft = house.app.storage.folder().create().unwrap();
    draft.write_all(b"half").unwrap();
    house.wait(400 * DAY);
    assert_eq!(house.pass(), Swept::default());
    let today = house.app.clock.now().day();
    house.app.storage.put(draft, &format!("{today}/whole.csv"), "text/csv", &Patience::none()).unwrap();
    assert!(house.path(&format!("{today}/whole.csv")).exists());
}

#[test]
fn an_idempotency_key_is_forgotten_when_it_does_not_hold_any_more() {
    let mut house = house();
    let answered = Answered { export: Id([7; 12]), body_sha256: String::new(), at: NOW };
    house.app.store.edit(|edit| edit.put_answered(Id([1; 12]), "ana", "monday", &answered)).unwrap();
    house.wait(DAY);
    assert!(answered.holds(house.app.clock.now()));
    assert_eq!(house.pass().answers, 0);
    house.wait(Duration::from_millis(1));
    assert!(!answered.holds(house.app.clock.now()));
    assert_eq!((house.pass().answers, house.pass().answers), (1, 0));
}

#[test]
fn a_clock_that_jumps_makes_one_pass_skipped_and_the_next_works_again() {
    let mut house = house();
    let log = house.done(1);
    house.wait(DAY);
    let today = house.app.clock.now();
    house.app.clock.set(Moment(today.0 + 40 * DAY_MS));
    let swept = house.pass();
    assert_eq!(swept, Swept { skipped: Some(Jump { by: 40 * DAY_MS }), ..Swept::default() });
    assert_eq!(swept.to_string(), "nothing, because the clock went forward by 960 h 0 min");
    house.app.clock.set(today);
    assert_eq!(house.pass().skipped, Some(Jump { by: -40 * DAY_MS }));
    house.wait(29 * DAY - Duration::from_millis(1));
    assert_eq!(house.pass(), Swept::default());
    assert!(house.path(key(&log)).exists());
    house.wait(Duration::from_millis(1));
    assert_eq!(house.pass().expired, 1);
}

#[test]
fn a_clock_that_is_set_back_deletes_nothing() {
    let mut house = house();
    let log = house.done(1);
    house.put(&format!("{}/orphan.csv", NOW.day()));
    for at in [0, i64::MIN, NOW.0 - 400 * DAY_MS] {
        house.app.clock.set(Moment(at));
        house.watch = ClockWatch::new(&house.app.clock);
        assert_eq!(house.pass(), Swept::default());
    }
    assert!(house.path(key(&log)).exists());
}

#[test]
fn an_interrupted_pass_is_made_good_by_the_next() {
    let mut house = house();
    let log = house.done(1);
    house.wait(30 * DAY);
    fs::remove_file(house.path(key(&log))).unwrap();
    assert_eq!(house.pass(), Swept { expired: 1, ..Swept::default() });
    assert_eq!(house.state(&log), Some(State::Expired));
    // A power cut may bring a deleted file back.
    house.put(key(&log));
    house.wait(2 * DAY);
    assert_eq!(house.pass(), Swept { orphans: 1, bytes: 5, ..Swept::default() });
}

#[test]
fn an_entry_that_is_another_by_the_time_of_the_edit_is_left_as_it_is() {
    let house = house();
    let logs = [house.queued(1), house.done(1), house.failed()];
    let mut found: Vec<Found> =
        logs.iter().map(|log| Found { entry: entry(log), file: None, due: Due::Entry }).collect();
    found.push(Found { entry: (Id([9; 12]), Id([9; 12])), file: None, due: Due::File });
    house.wait(29 * DAY);
    let sweep = Sweep::new(&house.app, house.app.clock.now(), true);
    assert_eq!(house.app.store.edit(|edit| sweep.settle(edit, &found)).unwrap(), (0, 0));
    let left = logs.each_ref().map(|log| house.state(log));
    assert_eq!(left, [State::Queued, State::Done, State::Failed].map(Some));
}

#[test]
fn a_file_that_cannot_be_deleted_keeps_its_entry_and_does_not_keep_the_others() {
    let mut house = house();
    let (stuck, other) = (house.done(1), house.done(1));
    fs::remove_file(house.path(key(&stuck))).unwrap();
    fs::create_dir(house.path(key(&stuck))).unwrap();
    house.wait(30 * DAY);
    let swept = pass(&house.app, &mut house.watch).unwrap();
    assert_eq!((swept.expired, swept.failed, swept.bytes), (1, 1, 5));
    assert_eq!((house.state(&stuck), house.state(&other)), (Some(State::Done), Some(State::Expired)));
    fs::remove_dir(house.path(key(&stuck))).unwrap();
    assert_eq!(house.pass(), Swept { expired: 1, ..Swept::default() });
}

#[test]
fn a_download_that_has_begun_completes() {
    let mut house = house();
    let log = house.done(1);
    let kept = house.app.storage.read(key(&log), &Place::Folder).unwrap().unwrap();
    let mut kept = kept.reader(0).unwrap();
    let mut bytes = [0; 2];
    kept.read_exact(&mut bytes).unwrap();
    house.wait(30 * DAY);
    assert_eq!(house.pass().expired, 1);
    assert!(house.app.storage.read(key(&log), &Place::Folder).unwrap().is_none());
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();
    assert_eq!((&bytes, rest.as_str()), (b"by", "tes"));
}

#[test]
fn more_entries_than_one_edit_takes_go_in_one_pass() {
    let mut house = house();
    let many = u64::try_from(BATCH).unwrap() * 2 + 1;
    let app = Arc::clone(&house.app);
    app.store
        .edit(|edit| {
            (0..many).try_for_each(|number| {
                let mut log =
                    ExportLog::queued(app.ids.id(NOW), caller(u8::from(number % 2 == 0)), NOW, "x".into(), "{}".into());
                log.state = if number % 3 == 0 { State::Queued } else { State::Failed };
                edit.put_export(&log)
            })
        })
        .unwrap();
    house.wait(90 * DAY);
    assert_eq!(house.pass().entries, many - many.div_ceil(3));
    assert_eq!(app.store.view().unwrap().owed().unwrap().len() as u64, many.div_ceil(3));
}

#[test]
fn what_was_swept_is_told_in_one_line() {
    let swept = Swept { expired: 3, entries: 1, orphans: 2, answers: 5, bytes: 1234, failed: 0, skipped: None };
    let line = "3 expired files, 1 old entries, 2 files without an entry, 5 idempotency keys; 1234 bytes";
    assert_eq!(swept.to_string(), line);
    let failed = Swept { failed: 1, ..swept };
    assert_eq!(failed.to_string(), format!("{line}; 1 files could not be deleted"));
}
