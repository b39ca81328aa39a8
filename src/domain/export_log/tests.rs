use std::cmp::Ordering;

use serde_json::json;

use super::*;

fn caller(user: &str) -> Caller {
    Caller {
        user: user.to_owned(),
        email: format!("{user}@Example.com"),
        name: user.to_uppercase(),
        organization: Id([1; 12]),
        permissions: vec!["export/task".to_owned()],
        hubs: Some(vec![Id([9; 12])]),
        own: true,
    }
}

fn log(number: u8) -> ExportLog {
    let body = r#"{"download":"xlsx"}"#.to_owned();
    ExportLog::queued(Id([number; 12]), caller("ana"), Moment(1_000), "Visits of May".to_owned(), body)
}

fn file() -> File {
    let text = str::to_owned;
    File {
        key: text("k"),
        place: Place::Folder,
        name: text("n"),
        kind: text("xlsx"),
        size: 3,
        sha256: text("00"),
        expires: Moment(5_000),
    }
}

fn all() -> LogFilter {
    LogFilter { user: None, email: None, data_name: None, data_type: None, status: None, since: Moment(0) }
}

#[test]
fn words_read_back_as_they_were_written_and_no_others_do() {
    for state in State::ALL {
        assert_eq!(State::named(state.name()), Some(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.name());
    }
    assert!(Status::ALL.into_iter().all(|status| Status::named(status.name()) == Some(status)));
    assert!(LogField::ALL.into_iter().all(|field| LogField::named(field.name()) == Some(field)));
    assert_eq!(Status::named("Available"), Some(Status::Done));
    assert_eq!((State::named("running"), State::named("Done")), (None, None));
    assert_eq!((Status::named("done"), LogField::named("asked")), (None, None));
}

#[test]
fn five_states_read_as_three_words_and_only_the_queued_has_not_ended() {
    let read: Vec<_> = State::ALL.into_iter().map(|state| (state.has_ended(), state.status())).collect();
    let (done, failed) = ((true, Status::Done), (true, Status::Failed));
    assert_eq!(read, [(false, Status::Processing), done, failed, failed, done]);
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let mut full = log(1);
    full.state = State::Done;
    (full.started, full.completed) = (Some(Moment(2_000)), Some(Moment(-1)));
    (full.attempts, full.rows, full.matched, full.downloads) = (2, 30, 1_200, u64::MAX);
    (full.file, full.error, full.once) = (Some(file()), Some("no".to_owned()), Some("key".to_owned()));
    full.warnings = vec!["The hubId x does not exist and matches nothing.".to_owned()];
    for log in [log(2), full] {
        let json = serde_json::to_string(&log).unwrap();
        assert_eq!(serde_json::from_str::<ExportLog>(&json).unwrap(), log);
    }
}

#[test]
fn the_form_on_disk_is_this_one() {
    let written = serde_json::to_value(log(1)).unwrap();
    let wanted = json!({
        "id": "010101010101010101010101",
        "caller": {
            "user": "ana", "email": "ana@Example.com", "name": "ANA", "organization": "010101010101010101010101",
            "permissions": ["export/task"], "hubs": ["090909090909090909090909"], "own": true,
        },
        "asked": 1_000, "data_type": "task", "data_name": "Visits of May", "body": "{\"download\":\"xlsx\"}",
        "background": true, "state": "queued", "attempts": 0, "started": null, "completed": null,
        "rows": 0, "tasks": null, "left_out": 0, "matched": 0, "file": null, "error": null, "warnings": [],
        "downloads": 0, "once": null, "last_id": null, "last_field": null, "pinned": null,
        "used": {"config": null, "scripts": [], "faults": {}},
        "notification": {"owed": 0, "sent": 0, "failed": 0, "error": null},
    });
    assert_eq!(written, wanted);
}

#[test]
fn what_a_record_must_say_cannot_be_missing_and_the_rest_can() {
    let whole = serde_json::to_value(log(1)).unwrap().as_object().unwrap().clone();
    let must = ["id", "caller", "asked", "data_type", "data_name", "body", "state"];
    for key in whole.keys() {
        let mut less = whole.clone();
        less.remove(key);
        let read: Result<ExportLog, _> = serde_json::from_value(less.into());
        assert_eq!(read.is_err(), must.contains(&key.as_str()), "{key}");
    }
}

#[test]
fn a_caller_without_a_word_on_hubs_is_not_read_as_one_of_all_hubs() {
    let mut whole = serde_json::to_value(Caller { hubs: None, ..caller("ana") }).unwrap();
    assert_eq!(serde_json::from_value::<Caller>(whole.clone()).unwrap().hubs, None);
    whole.as_object_mut().unwrap().remove("hubs");
    assert!(serde_json::from_value::<Caller>(whole).is_err());
}

#[test]
fn a_duration_is_never_negative_and_is_known_once_it_has_ended() {
    let mut log = log(1);
    assert_eq!(log.duration_ms(), None);
    log.started = Some(Moment(2_000));
    assert_eq!(log.duration_ms(), None);
    for (completed, duration) in [(2_345, 345), (2_000, 0), (1_000, 0), (i64::MIN, 0)] {
        log.completed = Some(Moment(completed));
        assert_eq!(log.duration_ms(), Some(duration));
    }
}

#[test]
fn a_record_belongs_to_its_user_within_its_organisation() {
    let (mut elsewhere, mut renamed) = (caller("ana"), caller("ana"));
    elsewhere.organization = Id([2; 12]);
    renamed.email = "ana.b@example.com".to_owned();
    assert!(log(1).is_mine(&caller("ana")) && log(1).is_mine(&renamed));
    assert!(!log(1).is_mine(&caller("bo")) && !log(1).is_mine(&elsewhere));
}

#[test]
fn a_file_can_be_fetched_while_its_export_is_done_and_its_time_not_over() {
    let mut log = log(1);
    log.file = Some(file());
    for state in State::ALL {
        log.state = state;
        assert_eq!(log.file_at(Moment(4_999)).is_some(), state == State::Done, "{state:?}");
        assert_eq!(log.file_at(Moment(5_000)), None);
    }
}

#[test]
fn rows_that_match_and_were_not_written_make_it_truncated() {
    let mut log = log(1);
    (log.rows, log.matched) = (30, 30);
    assert!(!log.truncated());
    log.matched = 31;
    assert!(log.truncated());
    (log.rows, log.tasks, log.left_out) = (90, Some(29), 2);
    assert!(!log.truncated());
}

#[test]
fn an_idempotency_key_is_remembered_for_a_day() {
    let answered = Answered { export: Id([1; 12]), body_sha256: String::new(), at: Moment(7) };
    assert!(answered.holds(Moment(0)) && answered.holds(Moment(7)) && answered.holds(Moment(7 + ANSWER_KEPT_MS)));
    assert!(!answered.holds(Moment(8 + ANSWER_KEPT_MS)) && !answered.holds(Moment(i64::MAX)));
}

#[test]
fn each_part_of_a_filter_demands_something_of_its_own() {
    let text = |text: &str| Some(text.to_owned());
    let accepted = [
        all(),
        LogFilter { user: text("ana"), ..all() },
        LogFilter { email: text("ANA@example.com"), ..all() },
        LogFilter { data_name: text("OF may"), ..all() },
        LogFilter { data_name: text(""), ..all() },
        LogFilter { data_type: text("task"), ..all() },
        LogFilter { status: Some(Status::Processing), ..all() },
        LogFilter { since: Moment(1_000), ..all() },
    ];
    for filter in accepted {
        assert!(filter.accepts(&log(1)), "{filter:?}");
    }
    let refused = [
        LogFilter { email: text("ana"), ..all() },
        LogFilter { email: text("bo@example.com"), ..all() },
        LogFilter { data_name: text("June"), ..all() },
        LogFilter { data_type: text("Task"), ..all() },
        LogFilter { status: Some(Status::Done), ..all() },
        LogFilter { since: Moment(1_001), ..all() },
    ];
    for filter in refused {
        assert!(!filter.accepts(&log(1)), "{filter:?}");
    }
}

#[test]
fn what_has_not_ended_sorts_below_and_ties_go_by_id_in_the_same_direction() {
    let mut ended = log(1);
    ended.completed = Some(Moment(i64::MIN));
    let sorted = |by, descending| {
        let mut logs = [log(3), ended.clone(), log(2)];
        let order = LogOrder { by, descending };
        logs.sort_by(|a, b| order.compare(a, b));
        logs.map(|log| log.id.0[0])
    };
    assert_eq!(sorted(LogField::CompletedAt, false), [2, 3, 1]);
    assert_eq!(sorted(LogField::CompletedAt, true), [1, 3, 2]);
    assert_eq!(sorted(LogField::DataName, false), [1, 2, 3]);
    assert_eq!(sorted(LogField::DataName, true), [3, 2, 1]);
}

#[test]
fn names_sort_by_code_point_and_states_by_the_word_they_read_as() {
    let named = |name: &str, state| ExportLog { data_name: name.to_owned(), state, ..log(1) };
    let by = |by| LogOrder { by, descending: false };
    let (a, b) = (named("Zoo", State::Queued), named("apple", State::Expired));
    assert_eq!(by(LogField::DataName).compare(&a, &b), Ordering::Less);
    assert_eq!(by(LogField::Status).compare(&a, &b), Ordering::Greater);
    assert_eq!(by(LogField::RequestAt).compare(&a, &b), Ordering::Equal);
}
