//! The threads that run background exports, those that tell of them, the one that sweeps, and the one
//! that watches the scripts.

mod outbox;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::app::queue::{Lane, Queue};
use crate::domain::{Error, Result};
use crate::export;
use crate::kit::clock::ClockWatch;
use crate::kit::meter::Stop;
use crate::script::Watch;
use crate::sweep;

use outbox::Senders;
pub use outbox::pass as send_due;

/// How long a run that was told to stop may take to see it.
const LAST_WORD: Duration = Duration::from_secs(10);

/// The threads, until they are told to leave.
pub struct Workers {
    queue: Queue,
    threads: Vec<JoinHandle<()>>,
    app: Arc<App>,
    senders: Senders,
    /// Dropped, it ends the sweeper.
    sweeping: Sender<()>,
    watching: Watch,
}

impl Workers {
    /// Takes up what is owed from before, and starts as many threads as the settings say and one for
    /// small exports, so that these do not wait behind large ones.
    ///
    /// # Errors
    /// When the store or the system refuses.
    pub fn start(app: &Arc<App>) -> Result<Self> {
        look_for_bucket(app)?;
        export::rescue(app)?;
        let lanes = std::iter::repeat_n(Lane::Any, app.settings.export.worker_count()).chain([Lane::Small]);
        let threads = lanes.enumerate().map(|(number, lane)| {
            let app = Arc::clone(app);
            let thread = std::thread::Builder::new().name(format!("export-{number}"));
            thread.spawn(move || work(&app, lane)).map_err(|error| Error::internal("jobs", error))
        });
        let threads = threads.collect::<Result<_>>()?;
        let (senders, sweeping, watching) = (Senders::start(app)?, sweeper(app)?, watcher(app)?);
        Ok(Self { queue: app.queue.clone(), threads, app: Arc::clone(app), senders, sweeping, watching })
    }

    /// Begins nothing any more, lets what runs come to its end for so long, hands the rest back to
    /// the queue on disk, and returns when no thread is left.
    pub fn leave(self, grace: Duration) {
        let until = Instant::now() + grace;
        self.queue.close();
        self.app.outbox.close();
        // A pass or a look that runs is safe to be cut off anywhere, so that nobody waits for it.
        drop((self.sweeping, self.watching));
        if !self.queue.wait_idle(until) {
            tracing::info!("exports that did not end in time are handed back to the queue");
            self.queue.stop_running(Stop::Leaving);
            self.queue.wait_idle(Instant::now() + LAST_WORD);
        }
        for thread in self.threads {
            if thread.is_finished() || self.queue.running() == 0 {
                // It ends by itself; a panic of its own has been told already.
                let _ = thread.join();
            }
        }
        self.senders.leave(until);
    }
}

/// Says at the start what is wrong with the bucket, which need not be there yet: exports wait for it.
fn look_for_bucket(app: &Arc<App>) -> Result<()> {
    let app = Arc::clone(app);
    let look = move || {
        if let Err(error) = app.storage.prepare() {
            tracing::error!(cause = error.chain(), "files cannot be put into the bucket");
        }
    };
    let thread = std::thread::Builder::new().name("look".to_owned());
    thread.spawn(look).map(drop).map_err(|error| Error::internal("jobs", error))
}

/// Sweeps at the start and then on a schedule.
fn sweeper(app: &Arc<App>) -> Result<Sender<()>> {
    let (sweeping, over) = mpsc::channel::<()>();
    let pause = Duration::from_secs(u64::from(app.settings.retention.sweep_minutes) * 60);
    let app = Arc::clone(app);
    let sweep = move || {
        let mut watch = ClockWatch::new(&app.clock);
        loop {
            let pass = std::panic::AssertUnwindSafe(|| sweep::pass(&app, &mut watch));
            match std::panic::catch_unwind(pass) {
                Ok(Ok(swept)) => tracing::info!(%swept, "swept"),
                Ok(Err(error)) => tracing::error!(cause = error.chain(), "the sweep failed"),
                Err(_) => tracing::error!("the sweep panicked"),
            }
            if over.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("sweeper".to_owned());
    thread.spawn(sweep).map_err(|error| Error::internal("jobs", error))?;
    Ok(sweeping)
}

/// Takes up what changes in the folder of scripts.
fn watcher(app: &Arc<App>) -> Result<Watch> {
    let looking = Arc::clone(app);
    let look = move || {
        looking.scripts.look(looking.clock.now());
    };
    Watch::start(&app.settings.scripts.dir, look).map_err(|error| Error::internal("jobs", error))
}

fn work(app: &App, lane: Lane) {
    while let Some(running) = app.queue.take(lane) {
        // A run's own panics are caught where they are settled; this net is for the settling.
        let attempt = std::panic::AssertUnwindSafe(|| export::attempt(app, &running));
        if std::panic::catch_unwind(attempt).is_err() {
            tracing::error!(export = %running.job.id, "an export could not be settled; the next start takes it up");
        }
    }
}
