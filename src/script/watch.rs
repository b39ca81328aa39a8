//! Looks at the folder of scripts whenever something in it changes. The system tells of changes where
//! it can; a listing each second finds what it does not tell: mounts over a network, folders that
//! come or are replaced, watches that are used up.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::ScriptKind;
use super::folder;

/// Between two listings.
const LISTED_EVERY: Duration = Duration::from_secs(1);
/// Between two looks without any news.
const LOOKED_EVERY: Duration = Duration::from_secs(30);
/// Without news for so long, what was being written is taken to be whole.
const QUIET: Duration = Duration::from_millis(300);
/// Who writes all the time is not waited for any longer.
const LONGEST_BURST: Duration = Duration::from_secs(1);

/// The thread that watches the folder, until this is dropped.
#[derive(Debug)]
pub struct Watch {
    over: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl Watch {
    /// Calls `look` now, after each change of the folder, and now and then.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(dir: &Path, look: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        // One word of news is enough, however much there is.
        let (wake, news) = mpsc::sync_channel(1);
        let over = Arc::new(AtomicBool::new(false));
        let eye = Eye { dir: dir.to_owned(), watcher: None, wake: wake.clone(), told: false };
        let watching = {
            let over = Arc::clone(&over);
            move || watch(eye, &news, &over, look)
        };
        std::thread::Builder::new().name("scripts".to_owned()).spawn(watching)?;
        Ok(Self { over, wake })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Where there is news already, the thread wakes for that.
        let _ = self.wake.try_send(());
    }
}

fn watch(mut eye: Eye, news: &Receiver<()>, over: &AtomicBool, mut look: impl FnMut()) {
    let is_over = || over.load(Ordering::Acquire);
    while !is_over() {
        // Armed and listed before the look, so that what happens meanwhile is news.
        eye.arm();
        let listed = folder::listing(&eye.dir);
        if std::panic::catch_unwind(AssertUnwindSafe(&mut look)).is_err() {
            tracing::error!("the look at the scripts folder panicked");
        }
        if has_news(&eye.dir, news, listed) && !is_over() {
            settle(news, is_over);
        }
    }
}

/// Waits for news, and says whether there was any before the next look is due.
fn has_news(dir: &Path, news: &Receiver<()>, listed: u64) -> bool {
    let since = Instant::now();
    loop {
        match news.recv_timeout(LISTED_EVERY) {
            Err(RecvTimeoutError::Timeout) if folder::listing(dir) == listed => {}
            _ => return true,
        }
        if since.elapsed() >= LOOKED_EVERY {
            return false;
        }
    }
}

/// Waits until nothing is written any more.
fn settle(news: &Receiver<()>, is_over: impl Fn() -> bool) {
    let since = Instant::now();
    loop {
        let left = LONGEST_BURST.saturating_sub(since.elapsed());
        if left.is_zero() || news.recv_timeout(QUIET.min(left)).is_err() || is_over() {
            return;
        }
    }
}

/// What the system tells of the folder and of the three in it.
struct Eye {
    dir: PathBuf,
    watcher: Option<RecommendedWatcher>,
    wake: SyncSender<()>,
    /// Whether it was said already that nothing is told.
    told: bool,
}

impl Eye {
    /// Watches the folders that are there now, which may be others than before.
    fn arm(&mut self) {
        match self.try_arm() {
            Ok(()) => self.told = false,
            Err(why) if !self.told => {
                self.told = true;
                tracing::warn!(%why, "the scripts folder cannot be watched; it is listed every second instead");
            }
            Err(_) => {}
        }
    }

    fn try_arm(&mut self) -> notify::Result<()> {
        let watcher = match &mut self.watcher {
            Some(watcher) => watcher,
            none => none.insert(watcher(self.wake.clone())?),
        };
        // Four folders and no more, whatever else lies in them.
        let folders = ScriptKind::ALL.map(|kind| self.dir.join(kind.folder()));
        for folder in [&self.dir].into_iter().chain(&folders) {
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(error) if !is_missing(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn watcher(wake: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_reading(event.kind)) {
            return;
        }
        // Full, there is news already; without anybody to hear it, it is over.
        let _ = wake.try_send(());
    })
}

/// Our own looks read the folder, and must not be news of it.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use notify::event::{CreateKind, ModifyKind};

    use super::*;

    /// Longer than any machine takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn reading_a_file_is_no_news_and_writing_it_is() {
        assert!(is_reading(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(is_reading(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(!is_reading(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(!is_reading(EventKind::Create(CreateKind::File)));
        assert!(!is_reading(EventKind::Modify(ModifyKind::Any)));
    }

    #[test]
    fn each_change_is_followed_by_a_look_also_where_the_system_tells_nothing() {
        let home = tempfile::tempdir().unwrap();
        let (wake, news) = mpsc::sync_channel(1);
        let listed = folder::listing(home.path());
        std::fs::create_dir(home.path().join("fields")).unwrap();
        assert!(has_news(home.path(), &news, listed));
        let listed = folder::listing(home.path());
        wake.send(()).unwrap();
        assert!(has_news(home.path(), &news, listed));
    }

    #[test]
    fn a_watch_that_is_dropped_looks_no_more_and_neither_does_a_panic_end_it() {
        let home = tempfile::tempdir().unwrap();
        let (looked, looks) = mpsc::channel();
        let look = move || {
            let _ = looked.send(());
            std::panic::resume_unwind(Box::new("a look that goes wrong"));
        };
        let watch = Watch::start(home.path(), look).unwrap();
        looks.recv_timeout(PATIENCE).unwrap();
        std::fs::create_dir(home.path().join("fields")).unwrap();
        looks.recv_timeout(PATIENCE).unwrap();
        drop(watch);
        // Ends when the thread does, and with it all that it holds.
        while looks.recv_timeout(PATIENCE).is_ok() {}
        assert_eq!(looks.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
