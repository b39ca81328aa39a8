//! The threads that run background exports.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::app::queue::{Lane, Queue};
use crate::domain::{Error, Result};
use crate::export;
use crate::kit::meter::Stop;

/// How long a run that was told to stop may take to see it.
const LAST_WORD: Duration = Duration::from_secs(10);

/// The threads, until they are told to leave.
#[derive(Debug)]
pub struct Workers {
    queue: Queue,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Takes up what is owed from before, and starts as many threads as the settings say and one for
    /// small exports, so that these do not wait behind large ones.
    ///
    /// # Errors
    /// When the store or the system refuses.
    pub fn start(app: &Arc<App>) -> Result<Self> {
        export::rescue(app)?;
        let lanes = std::iter::repeat_n(Lane::Any, app.settings.export.worker_count()).chain([Lane::Small]);
        let threads = lanes.enumerate().map(|(number, lane)| {
            let app = Arc::clone(app);
            let thread = std::thread::Builder::new().name(format!("export-{number}"));
            thread.spawn(move || work(&app, lane)).map_err(|error| Error::internal("jobs", error))
        });
        Ok(Self { queue: app.queue.clone(), threads: threads.collect::<Result<_>>()? })
    }

    /// Begins nothing any more, lets what runs come to its end for so long, hands the rest back to
    /// the queue on disk, and returns when no thread is left.
    pub fn leave(self, grace: Duration) {
        self.queue.close();
        if !self.queue.wait_idle(Instant::now() + grace) {
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
    }
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
