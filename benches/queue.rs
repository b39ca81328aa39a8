//! Small background exports a second, each on disk three times: when it is taken in, when its attempt
//! is counted, when it is settled. The baseline is that many commits of one small record, one after
//! another, with no export between them: what the disk alone allows.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{ORGANIZATION, caller, filled, line, median, once};
use waybill::app::App;
use waybill::domain::{Caller, ExportLog, Id, LogFilter, LogOrder, Moment};
use waybill::export;
use waybill::jobs::Workers;

const EXPORTS: u64 = 400;
const CLIENTS: u64 = 8;
const COMMITS: u64 = 3;

fn main() {
    let (_data, app) = filled(2_000);
    let workers = Workers::start(&app).unwrap();
    let asked = AtomicU64::new(0);
    let ours = median(|| all_done(&app, &asked));
    workers.leave(Duration::from_secs(10));
    let theirs = once(|| commits(&app));
    line(&format!("{EXPORTS} background exports of 30 tasks"), ours, theirs, 0.5);
    println!("{:.0} exports a second, all durable", EXPORTS as f64 / ours.wall.as_secs_f64());
}

/// Submits from several clients at once and waits until every export has its file.
fn all_done(app: &Arc<App>, asked: &AtomicU64) {
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let caller = Caller { user: format!("client-{client}"), ..caller() };
                for _ in 0..EXPORTS / CLIENTS {
                    let number = asked.fetch_add(1, Ordering::Relaxed);
                    let body = format!(r#"{{"download":"csv","background":true,"limit":30,"name":"{number}"}}"#);
                    export::submit(app, &caller, body.as_bytes(), None).unwrap();
                }
            });
        }
    });
    while app.queue.waiting() + app.queue.running() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let done = LogFilter { user: None, email: None, data_name: None, data_type: None, status: None, since: Moment(0) };
    let view = app.store.view().unwrap();
    let (_, logs) = view.exports(ORGANIZATION, &done, &LogOrder::default(), 0, EXPORTS).unwrap();
    assert!(logs.iter().all(|log| log.file.is_some()));
}

fn commits(app: &App) {
    let mut log = ExportLog::queued(Id([9; 12]), caller(), Moment(0), "baseline".to_owned(), "{}".to_owned());
    for number in 0..EXPORTS * COMMITS {
        log.rows = number;
        app.store.edit(|edit| edit.put_export(&log)).unwrap();
    }
}
