//! The threads that send what is owed, one for each lane, the oldest notice first.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::app::outbox::Lane;
use crate::domain::{Channel, Error, Kind, Moment, Notice, Result};
use crate::export::{self, Tried};
use crate::kit::fail;

/// Between two looks when nothing rings: clocks are set, and stores are repaired.
const LOOK: Duration = Duration::from_secs(30);
/// Notices of a pass.
const BATCH: usize = 1000;
/// How long a store that cannot be written is left alone.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two looks whether a thread has ended.
const GLANCE: Duration = Duration::from_millis(10);

/// The threads, until they are told to leave.
#[derive(Debug)]
pub(super) struct Senders(Vec<JoinHandle<()>>);

impl Senders {
    pub(super) fn start(app: &Arc<App>) -> Result<Self> {
        let threads = Lane::ALL.into_iter().map(|lane| {
            let app = Arc::clone(app);
            let thread = std::thread::Builder::new().name(format!("outbox-{}", lane.name()));
            thread.spawn(move || tend(&app, lane)).map_err(|error| Error::internal("jobs", error))
        });
        Ok(Self(threads.collect::<Result<_>>()?))
    }

    /// Waits for what is on its way, but no longer than until then: what is cut off is sent again.
    pub(super) fn leave(self, until: Instant) {
        while Instant::now() < until && self.0.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(GLANCE);
        }
    }
}

fn tend(app: &App, lane: Lane) {
    while !app.outbox.is_closed() {
        let heard = app.outbox.rings();
        let sending = std::panic::AssertUnwindSafe(|| pass(app, lane));
        let next = match std::panic::catch_unwind(sending) {
            Ok(Ok(next)) => next,
            Ok(Err(error)) => {
                tracing::error!(lane = lane.name(), cause = error.chain(), "notices cannot be sent");
                None
            }
            Err(_) => {
                tracing::error!(lane = lane.name(), "sending a notice panicked");
                None
            }
        };
        let pause = next.map_or(LOOK, |next| until(next, app.clock.now()).min(LOOK));
        app.outbox.wait(heard, pause);
    }
}

fn until(next: Moment, now: Moment) -> Duration {
    Duration::from_millis(u64::try_from(next.0.saturating_sub(now.0)).unwrap_or_default())
}

/// Tries every notice of the lane that is due, and says when the next one will be.
///
/// Where a server is out of order, the first notice finds out, and the others to the same place count
/// as tried: nobody waits for its deadline once for each of them.
///
/// # Errors
/// When the store cannot be read.
pub fn pass(app: &App, lane: Lane) -> Result<Option<Moment>> {
    let (due, mut next) = due(app, lane)?;
    let mut down: HashSet<String> = HashSet::new();
    for notice in due {
        if app.outbox.is_closed() {
            break;
        }
        let place = place(&notice);
        let tried = match down.contains(place) {
            true => Tried::Failed(crate::notice::Error::Unreachable {
                place: place.to_owned(),
                why: "the notice before this one did not get there".to_owned(),
            }),
            false => export::tell(app, &notice)?,
        };
        fail::place("notice-sent");
        let again = settle(app, lane, &notice, &tried);
        next = next.into_iter().chain(again).min();
        if let Tried::Failed(error) = &tried
            && error.is_of_the_way()
        {
            down.insert(place.to_owned());
        }
    }
    Ok(next)
}

/// The notices that are due, the longest due first, and when the next of the others will be.
fn due(app: &App, lane: Lane) -> Result<(Vec<Notice>, Option<Moment>)> {
    let now = app.clock.now();
    let (mut due, mut next) = (Vec::new(), None);
    app.store.view()?.each_notice(&mut |notice| {
        if lane.takes(&notice.channel) {
            match notice.is_due(now) && due.len() < BATCH {
                true => due.push(notice),
                false => next = next.into_iter().chain([notice.next]).min(),
            }
        }
        Ok(())
    })?;
    // Those of one moment stay in the order of their making.
    due.sort_by_key(|notice: &Notice| notice.next);
    Ok((due, next))
}

/// What is out of order together.
fn place(notice: &Notice) -> &str {
    match &notice.channel {
        Channel::Mail(_) => "the mail server",
        Channel::Webhook(url) => url,
    }
}

/// Writes what came of a try, however long the store cannot be written: otherwise what has got through
/// would be sent again and again. Says when it is tried again, if it is.
fn settle(app: &App, lane: Lane, notice: &Notice, tried: &Tried) -> Option<Moment> {
    tell(app, lane, notice, tried);
    loop {
        match export::tried(app, notice, tried) {
            Err(error) if error.kind == Kind::Unavailable && !app.outbox.is_closed() => std::thread::sleep(PAUSE),
            Err(error) => {
                tracing::error!(notice = %notice.id, cause = error.chain(), "what came of a notice could not be written");
                return None;
            }
            Ok(again) => return again,
        }
    }
}

fn tell(app: &App, lane: Lane, notice: &Notice, tried: &Tried) {
    app.metrics.tried(lane, outcome(tried));
    let (name, export, attempt) = (lane.name(), notice.export.to_string(), notice.attempts + 1);
    match tried {
        Tried::Sent => {
            app.outbox.works(lane);
            tracing::info!(lane = name, export, attempt, "a notice has been sent");
        }
        Tried::Moot => tracing::info!(lane = name, export, "a notice is moot: its export has been deleted"),
        Tried::NoWay => tracing::warn!(lane = name, export, "a notice is given up: nobody carries it any more"),
        Tried::Failed(error) => {
            if !error.is_permanent() {
                app.outbox.fails(lane, app.clock.now());
            }
            let (cause, cure) = (error.to_string(), error.cure());
            tracing::warn!(lane = name, export, attempt, cause, cure, "a notice has not been sent");
        }
    }
}

fn outcome(tried: &Tried) -> &'static str {
    match tried {
        Tried::Sent => "sent",
        Tried::Moot => "moot",
        Tried::NoWay => "given_up",
        Tried::Failed(error) if error.is_permanent() => "given_up",
        Tried::Failed(_) => "failed",
    }
}
