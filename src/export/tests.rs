use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::app::App;
use crate::app::queue::Lane;
use crate::demo;
use crate::domain::export_log::State;
use crate::domain::limits::MAX_ATTEMPTS;
use crate::domain::{ExportLog, LogFilter, LogOrder, Moment};
use crate::intake;
use crate::kit::clock::Clock;
use crate::kit::meter::{Meter, Stop};
use crate::settings::Settings;

const NOW: Moment = Moment(1_750_000_000_000);
const EVERYTHING: &[u8] = br#"{"download":"csv","background":true}"#;

fn caller(user: &str) -> Caller {
    Caller {
        user: user.to_owned(),
        email: format!("{user}@example.com"),
        name: user.to_owned(),
        organization: Id([1; 12]),
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    }
}

/// A house with 300 tasks.
fn house() -> (TempDir, Arc<App>) {
    let data = tempfile::tempdir().unwrap();
    let app = open(&data);
    let lines: String = demo::tasks(300, NOW).map(|task| task + "\n").collect();
    intake::load(&app, &caller("ana"), &mut lines.as_bytes(), &mut |_| {}).unwrap();
    (data, app)
}

fn open(data: &TempDir) -> Arc<App> {
    let mut settings = Settings::default();
    settings.data.dir = data.path().join("data");
    settings.export.queue_per_user = 3;
    App::open(settings, Clock::fixed(NOW)).unwrap()
}

fn stored(app: &App, log: &ExportLog) -> ExportLog {
    app.store.view().unwrap().export(log.organization(), log.id).unwrap().unwrap()
}

fn run_next(app: &App) {
    let running = app.queue.take(Lane::Any).unwrap();
    attempt(app, &running);
}

fn files(data: &TempDir) -> usize {
    let days = std::fs::read_dir(data.path().join("data/files")).unwrap();
    days.map(|day| std::fs::read_dir(day.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn what_is_submitted_is_on_disk_and_ends_with_a_whole_file() {
    let (data, app) = house();
    let log = submit(&app, &caller("ana"), EVERYTHING, None).unwrap();
    assert_eq!((stored(&app, &log).state, log.rows, log.matched), (State::Queued, 300, 300));
    run_next(&app);
    let done = stored(&app, &log);
    assert_eq!((done.state, done.attempts, done.rows), (State::Done, 1, 300));
    let file = done.file.unwrap();
    let kept = app.storage.read(&file.key, &file.place).unwrap().unwrap();
    assert_eq!((kept.size, file.sha256.len(), files(&data)), (file.size, 64, 1));
}

#[test]
fn a_run_shows_the_moment_at_which_it_began_whatever_is_written_meanwhile() {
    let (_data, app) = house();
    let ana = caller("ana");
    let csv = |plan: Plan| {
        let mut out = Vec::new();
        stream(&app, plan, &mut out, &Default::default()).unwrap();
        String::from_utf8(out).unwrap()
    };
    let body = br#"{"download":"csv","limit":1000,"fields":"_id,title"}"#;
    let before = csv(plan(&app, &ana, body, &Default::default()).unwrap());
    let running = plan(&app, &ana, body, &Default::default()).unwrap();
    let first = before.lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    let changed = format!("{{\"_id\":\"{first}\",\"title\":\"changed\"}}\n{{\"title\":\"new\"}}\n");
    intake::load(&app, &ana, &mut changed.as_bytes(), &mut |_| {}).unwrap();
    assert_eq!(csv(running), before);
    let after = csv(plan(&app, &ana, body, &Default::default()).unwrap());
    assert_eq!((after.lines().count(), after.contains("changed")), (before.lines().count() + 1, true));
}

#[test]
fn the_same_wish_is_not_started_twice_while_it_is_on_its_way() {
    let (_data, app) = house();
    let first = submit(&app, &caller("ana"), EVERYTHING, None).unwrap();
    assert_eq!(submit(&app, &caller("ana"), EVERYTHING, None).unwrap().id, first.id);
    assert_ne!(submit(&app, &caller("bob"), EVERYTHING, None).unwrap().id, first.id);
    run_next(&app);
    assert_ne!(submit(&app, &caller("ana"), EVERYTHING, None).unwrap().id, first.id);
}

#[test]
fn a_key_stands_for_one_export_for_a_day() {
    let (_data, app) = house();
    let submit = |body: &[u8]| submit(&app, &caller("ana"), body, Some("monday"));
    let first = submit(EVERYTHING).unwrap();
    run_next(&app);
    assert_eq!(submit(EVERYTHING).unwrap().state, State::Done);
    assert_eq!(submit(br#"{"download":"json","background":true}"#).unwrap_err().kind, Kind::Conflict);
    app.clock.set(Moment(NOW.0 + 24 * 3_600_000 + 1));
    assert_ne!(submit(EVERYTHING).unwrap().id, first.id);
}

#[test]
fn a_second_key_for_what_is_on_its_way_stands_for_the_same_export() {
    let (_data, app) = house();
    let submit = |key| submit(&app, &caller("ana"), EVERYTHING, Some(key)).unwrap();
    let first = submit("one");
    assert_eq!(submit("two").id, first.id);
    run_next(&app);
    assert_eq!((submit("one").id, submit("two").id), (first.id, first.id));
}

#[test]
fn as_many_exports_of_one_caller_wait_as_the_settings_allow() {
    let (_data, app) = house();
    let ask = |user: &str, limit: u32| {
        let body = format!(r#"{{"download":"csv","background":true,"limit":{limit}}}"#);
        submit(&app, &caller(user), body.as_bytes(), None)
    };
    (1..=3).for_each(|limit| drop(ask("ana", limit).unwrap()));
    assert_eq!(ask("ana", 4).unwrap_err().kind, Kind::Busy);
    ask("bob", 4).unwrap();
    assert_eq!(app.store.view().unwrap().owed().unwrap().len(), 4);
}

#[test]
fn a_canceled_export_stays_canceled_and_leaves_no_file() {
    let (data, app) = house();
    let ana = caller("ana");
    let waiting = submit(&app, &ana, EVERYTHING, None).unwrap();
    cancel(&app, &ana, waiting.id).unwrap();
    assert_eq!(cancel(&app, &ana, waiting.id).unwrap_err().kind, Kind::Conflict);
    let running = submit(&app, &ana, EVERYTHING, None).unwrap();
    let run = app.queue.take(Lane::Any).unwrap();
    assert_eq!(run.job.id, running.id);
    cancel(&app, &ana, running.id).unwrap();
    attempt(&app, &run);
    for log in [waiting, running] {
        let log = stored(&app, &log);
        assert_eq!((log.state, log.file), (State::Canceled, None));
    }
    assert_eq!(files(&data), 0);
}

#[test]
fn a_server_that_leaves_hands_its_exports_back_without_counting_the_attempt() {
    let (data, app) = house();
    let log = submit(&app, &caller("ana"), EVERYTHING, None).unwrap();
    let run = app.queue.take(Lane::Any).unwrap();
    run.meter.stop(Stop::Leaving);
    attempt(&app, &run);
    drop(run);
    assert_eq!((stored(&app, &log).state, stored(&app, &log).attempts), (State::Queued, 0));
    drop(app);
    let app = open(&data);
    rescue(&app).unwrap();
    run_next(&app);
    assert_eq!(stored(&app, &log).state, State::Done);
}

#[test]
fn an_export_that_was_interrupted_too_often_fails_and_says_so() {
    let (_data, app) = house();
    let mut log = submit(&app, &caller("ana"), EVERYTHING, None).unwrap();
    log.attempts = MAX_ATTEMPTS;
    app.store.edit(|edit| edit.put_export(&log)).unwrap();
    rescue(&app).unwrap();
    let failed = stored(&app, &log);
    assert_eq!(failed.state, State::Failed);
    assert_eq!(failed.error.unwrap(), "The export was interrupted 3 times. Run it again, or export less at once.");
}

#[test]
fn an_export_is_run_again_as_a_new_entry_and_deleted_with_its_file() {
    let (data, app) = house();
    let ana = caller("ana");
    let body = br#"{"download":"csv","limit":7}"#;
    let plan = plan(&app, &ana, body, &Default::default()).unwrap();
    let first = direct(&app, &ana, body, plan, &Default::default(), None, ()).unwrap();
    assert_eq!((first.state, first.rows, first.matched, files(&data)), (State::Done, 7, 300, 1));
    let again = retry(&app, &ana, first.id).unwrap();
    assert_eq!(retry(&app, &ana, again.id).unwrap_err().kind, Kind::Conflict);
    assert_eq!(delete(&app, &ana, again.id).unwrap_err().kind, Kind::Conflict);
    run_next(&app);
    assert_eq!(stored(&app, &again).rows, 7);
    delete(&app, &ana, first.id).unwrap();
    assert_eq!((entry(&app, &ana, first.id).unwrap_err().kind, files(&data)), (Kind::NotFound, 1));
}

#[test]
fn entries_are_for_their_owner_and_for_those_who_may_see_them() {
    let (_data, app) = house();
    let log = submit(&app, &caller("ana"), EVERYTHING, None).unwrap();
    let other = Caller { permissions: vec!["export/task".to_owned()], ..caller("bob") };
    let foreign = Caller { organization: Id([2; 12]), ..caller("ana") };
    assert_eq!(entry(&app, &other, log.id).unwrap_err().kind, Kind::NotFound);
    assert_eq!(entry(&app, &foreign, log.id).unwrap_err().kind, Kind::NotFound);
    assert!(entry(&app, &caller("bob"), log.id).unwrap().may_fetch);
    let lead = Caller { permissions: vec!["view/export-log".to_owned()], ..caller("eve") };
    assert_eq!(entry(&app, &lead, log.id).unwrap().log.id, log.id);
    assert_eq!(cancel(&app, &lead, log.id).unwrap_err().kind, Kind::Forbidden);
    let all = LogFilter { user: None, email: None, data_name: None, data_type: None, status: None, since: Moment(0) };
    let count = |caller: &Caller| list(&app, caller, &all, &LogOrder::default(), 0, 10).unwrap().0;
    assert_eq!((count(&caller("ana")), count(&foreign)), (1, 0));
}

/// Each task becomes as many rows as its `k` says; with 3 it fails, with 4 it is left out.
const EXPLODE: &str = r#"
fn include(task, args) { task.k != 4 }
fn rows(task, args) {
    if task.k == 3 { throw "three"; }
    let rows = [];
    for part in 0..task.k { rows.push(#{ part: part }); }
    rows
}
fn columns(args) { [#{ id: "part" }] }
"#;
const FLOW: Id = Id([7; 12]);

/// A house whose tasks have these `k`, oldest first, and a config that explodes them; its column `odd`
/// fails for every tenth task.
fn exploding(ks: &[u64], on_fault: &str) -> (TempDir, Arc<App>, Id) {
    let data = tempfile::tempdir().unwrap();
    let scripts = data.path().join("scripts/flows");
    std::fs::create_dir_all(&scripts).unwrap();
    std::fs::write(scripts.join("explode.rhai"), EXPLODE).unwrap();
    let mut settings = Settings::default();
    settings.data.dir = data.path().join("data");
    settings.scripts.dir = data.path().join("scripts");
    settings.scripts.max_call_ms = 60_000;
    let app = App::open(settings, Clock::fixed(NOW)).unwrap();
    let task = |(n, k)| format!("{{\"_id\":\"{:024x}\",\"flowId\":\"{FLOW}\",\"n\":{n},\"k\":{k}}}\n", n + 1);
    let lines: String = ks.iter().enumerate().map(task).collect();
    intake::load(&app, &caller("ana"), &mut lines.as_bytes(), &mut |_| {}).unwrap();
    let odd = "if task.n % 10 == 0 { throw \"ten\" } task.n % 2 == 1";
    let config = serde_json::json!({
        "_id": Id([8; 12]), "name": "Exploded", "collection": "task", "organizationId": Id([1; 12]), "version": 3,
        "fields": [{"id": "n", "component": "input", "title": "N"},
            {"id": "odd", "component": "script", "title": "Odd", "expression": odd}],
        "flows": [{"flowId": FLOW, "script": "explode"}], "on_fault": on_fault, "createdTime": "", "updatedTime": "",
    });
    let config: crate::domain::ExportConfig = serde_json::from_value(config).unwrap();
    app.store.edit(|edit| edit.put_config(Id([1; 12]), &config)).unwrap();
    (data, app, config.id)
}

/// What a plain loop makes of them.
fn exploded(ks: &[u64]) -> Vec<String> {
    let row = |n: usize, part: String| {
        let odd = if n.is_multiple_of(10) { String::new() } else { (n % 2 == 1).to_string() };
        format!("{n},{odd},{part}")
    };
    let rows = |(n, k): (usize, &u64)| match k {
        3 => vec![row(n, String::new())],
        4 => Vec::new(),
        k => (0..*k).map(|part| row(n, part.to_string())).collect(),
    };
    ks.iter().enumerate().flat_map(rows).collect()
}

#[test]
fn the_rows_of_many_tasks_are_those_of_a_plain_loop_whatever_the_blocks() {
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    for count in [0, 1, 499, 1_600] {
        let ks: Vec<u64> = (0..count).map(|_| [0, 1, 1, 2, 3, 4, 40][next() as usize % 7]).collect();
        let (_data, app, config) = exploding(&ks, "continue");
        let body = format!(
            r#"{{"download":"csv","limit":100000,"sortBy":"_id","sortOrder":"asc","exportConfigId":"{config}"}}"#
        );
        let plan = plan(&app, &caller("ana"), body.as_bytes(), &Default::default()).unwrap();
        let wanted = exploded(&ks);
        assert_eq!(plan.rows(), wanted.len() as u64);
        let (mut out, meter) = (Vec::new(), Default::default());
        let outcome = stream(&app, plan, &mut out, &meter).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().skip(1).eq(wanted.iter().map(String::as_str)), "{count} tasks");
        let has_rows = |k: &&u64| !matches!(**k, 0 | 4);
        let tasks = ks.iter().filter(has_rows).count() as u64;
        assert_eq!((outcome.total, outcome.rows, outcome.truncated), (tasks, wanted.len() as u64, false));
        assert_eq!((outcome.left_out, meter.rows().0), (count - tasks, outcome.rows));
        let threes = ks.iter().filter(|k| **k == 3).count() as u64;
        let tens = ks.iter().enumerate().filter(|(n, k)| n % 10 == 0 && has_rows(k)).count() as u64;
        let counts = outcome.faults.counts();
        let of = |script: &str| counts.get(script).copied().unwrap_or_default();
        assert_eq!((of("flows/explode"), of("expression of odd")), (threes, tens));
        assert!(outcome.faults.first().is_sorted_by_key(|fault| fault.task), "in the order of the rows");
    }
}

/// More tasks than are read where they lie, in an order in which they do not lie.
#[test]
fn rows_are_in_the_order_of_a_text_wherever_their_tasks_lie() {
    let data = tempfile::tempdir().unwrap();
    let app = open(&data);
    let mut tasks: Vec<(String, String)> = (0..24_000_u64)
        .map(|n| (format!("{:08x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32), format!("{n:024x}")))
        .collect();
    let line = |(k, id): &(String, String)| format!("{{\"_id\":\"{id}\",\"flow\":\"A\",\"k\":\"{k}\"}}\n");
    let lines: String = tasks.iter().map(line).collect();
    intake::load(&app, &caller("ana"), &mut lines.as_bytes(), &mut |_| {}).unwrap();
    tasks.sort();
    let view = app.store.view().unwrap();
    let whole = |(_, id): &(String, String)| view.task(Id([1; 12]), id.parse().unwrap()).unwrap().unwrap();
    let chosen = |(k, id): &(String, String)| format!("{k},{id}");
    for (fields, wanted) in [
        (r#","fields":"k,_id""#, tasks.iter().map(chosen).collect::<Vec<_>>()),
        ("", tasks.iter().map(whole).collect()),
    ] {
        let download = if fields.is_empty() { "ndjson" } else { "csv" };
        let body = format!(r#"{{"download":"{download}","limit":30000,"sortBy":"k","sortOrder":"asc"{fields}}}"#);
        let plan = plan(&app, &caller("ana"), body.as_bytes(), &Meter::new()).unwrap();
        assert!(plan.copies.is_some());
        let mut out = Vec::new();
        stream(&app, plan, &mut out, &Meter::new()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows = text.lines().skip(usize::from(download == "csv"));
        assert!(rows.eq(wanted.iter().map(String::as_str)), "{download}");
    }
}

#[test]
fn a_fault_of_a_flow_script_that_is_to_end_the_export_does_so_before_the_first_byte() {
    let (_data, app, config) = exploding(&[1, 2, 1, 3, 3], "fail");
    let body = format!(r#"{{"download":"csv","sortBy":"_id","sortOrder":"asc","exportConfigId":"{config}"}}"#);
    let stopped = plan(&app, &caller("ana"), body.as_bytes(), &Default::default()).err().unwrap();
    assert_eq!(stopped.kind, Kind::Invalid);
    let task = format!("{:024x}", 4);
    assert!(
        stopped.message.contains(&task) && stopped.message.contains("flows/explode, line 4"),
        "{}",
        stopped.message
    );
}

#[test]
fn a_submitted_export_carries_its_config_until_it_has_ended() {
    let (_data, app, config) = exploding(&[1, 2], "continue");
    let body = format!(r#"{{"download":"csv","background":true,"exportConfigId":"{config}"}}"#);
    let log = submit(&app, &caller("ana"), body.as_bytes(), None).unwrap();
    assert_eq!(stored(&app, &log).pinned.map(|pinned| (pinned.id, pinned.version)), Some((config, 3)));
    app.store.edit(|edit| edit.delete_config(Id([1; 12]), config)).unwrap();
    run_next(&app);
    let done = stored(&app, &log);
    assert_eq!((done.state, done.pinned, done.rows, done.tasks), (State::Done, None, 3, Some(2)));
    let scripts: Vec<_> = done.used.scripts.iter().map(|script| script.name.as_str()).collect();
    assert_eq!((scripts, done.used.config.unwrap().version), (vec!["expression of odd", "flows/explode"], 3));
}
