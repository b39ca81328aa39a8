//! The pen: whoever holds it writes. Edits that may stand beside others share a page, which becomes
//! durable with one commit: while one page is being committed the next edits come, each writes when
//! it gets the pen, and the last of them commits for all.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redb::WriteTransaction;

use super::Edit;
use super::catalog::{Catalog, Catalogs};
use super::error::Error;
use super::handle::Handle;
use crate::domain::{self, Id};
use crate::kit::fail;

/// Edits of a page: the first of them waits for the last.
const MOST_EDITS: usize = 64;

/// The one that writes into a store.
#[derive(Debug)]
pub(super) struct Pen {
    handle: Handle,
    catalogs: Arc<Catalogs>,
    /// Edits that are about to have the pen: a page that is begun can be left to them.
    coming: AtomicUsize,
    begun: Mutex<Option<Page>>,
    tally: Tally,
}

/// What was written since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Commits that are on disk.
    pub commits: u64,
    /// Edits in them.
    pub edits: u64,
    /// Commits that failed.
    pub failed: u64,
    /// What all commits together took.
    pub took: Duration,
}

#[derive(Debug, Default)]
struct Tally {
    commits: AtomicU64,
    edits: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
}

/// What becomes durable at once.
struct Page {
    transaction: WriteTransaction,
    grown: HashMap<Id, Arc<Catalog>>,
    edits: usize,
    fate: Arc<Fate>,
}

/// What became of a page, for those whose edits are on it.
#[derive(Debug, Default)]
struct Fate {
    told: Mutex<Option<Told>>,
    bell: Condvar,
}

#[derive(Debug, Clone)]
enum Told {
    /// It is on disk.
    Durable,
    /// It could not be committed.
    Failed(Arc<redb::Error>),
    /// Another edit on it failed, and nothing of it is left.
    Torn,
}

impl Pen {
    pub(super) fn new(handle: Handle, catalogs: Arc<Catalogs>) -> Self {
        Self { handle, catalogs, coming: AtomicUsize::new(0), begun: Mutex::default(), tally: Tally::default() }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What was written so far.
    pub(super) fn written(&self) -> Written {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Tally { commits, edits, failed, nanos } = &self.tally;
        let took = Duration::from_nanos(read(nanos));
        Written { commits: read(commits), edits: read(edits), failed: read(failed), took }
    }

    /// Makes a change on a page of its own.
    pub(super) fn alone<T>(&self, change: impl FnOnce(&mut Edit<'_>) -> domain::Result<T>) -> domain::Result<T> {
        let mut begun = self.take();
        self.close(&mut begun);
        self.fresh(&begun, change)
    }

    /// Makes a change on the page that is begun. Where another on it fails, it is made again by
    /// itself; so is one that fails beside others, since they may have been in its way.
    pub(super) fn together<T>(&self, mut change: impl FnMut(&mut Edit<'_>) -> domain::Result<T>) -> domain::Result<T> {
        let mut begun = self.take();
        let page = match &mut *begun {
            Some(page) => page,
            none => none.insert(Page::new(self.handle.begin()?)),
        };
        let written = catch_unwind(AssertUnwindSafe(|| change(&mut page.edit(&self.catalogs))));
        let answer = match written {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) if tear(&mut begun) => return self.fresh(&begun, change),
            Ok(Err(error)) => return self.handle.ended(Err(error)),
            Err(panic) => {
                tear(&mut begun);
                resume_unwind(panic);
            }
        };
        page.edits += 1;
        let fate = Arc::clone(&page.fate);
        if page.edits == MOST_EDITS || self.coming.load(Ordering::SeqCst) == 0 {
            self.close(&mut begun);
        }
        drop(begun);
        match fate.wait() {
            Told::Durable => Ok(answer),
            Told::Failed(why) => Err(Error::Redb(why).into()),
            Told::Torn => self.alone(change),
        }
    }

    /// Waits for the pen. Whoever has it sees to the page that is begun: adds to it, or closes it.
    fn take(&self) -> MutexGuard<'_, Option<Page>> {
        self.coming.fetch_add(1, Ordering::SeqCst);
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        self.coming.fetch_sub(1, Ordering::SeqCst);
        begun
    }

    /// Makes a change on a page of its own, for who has the pen.
    fn fresh<T>(
        &self,
        _pen: &MutexGuard<'_, Option<Page>>,
        change: impl FnOnce(&mut Edit<'_>) -> domain::Result<T>,
    ) -> domain::Result<T> {
        let mut page = Page::new(self.handle.begin()?);
        let written = change(&mut page.edit(&self.catalogs));
        page.edits = 1;
        let durable =
            written.and_then(|answer| self.commit(page).map_err(Error::Redb).map(|()| answer).map_err(Into::into));
        self.handle.ended(durable)
    }

    /// Commits the page that is begun, if there is one, and tells those whose edits are on it.
    fn close(&self, begun: &mut Option<Page>) {
        let Some(page) = begun.take() else { return };
        let fate = Arc::clone(&page.fate);
        let committed = self.commit(page);
        let told = match &committed {
            Ok(()) => Told::Durable,
            Err(why) => Told::Failed(Arc::clone(why)),
        };
        // Those who are told find a store that has been opened anew. What failed is theirs to answer.
        drop(self.handle.ended(committed.map_err(|why| Error::Redb(why).into())));
        fate.tell(told);
    }

    fn commit(&self, page: Page) -> Result<(), Arc<redb::Error>> {
        let started = Instant::now();
        let committed = match fail::error("store-commit") {
            Some(error) => Err(redb::Error::Io(error)),
            None => page.transaction.commit().map_err(redb::Error::from),
        };
        let add = |count: &AtomicU64, more: u64| count.fetch_add(more, Ordering::Relaxed);
        add(&self.tally.nanos, u64::try_from(started.elapsed().as_nanos()).unwrap_or_default());
        if let Err(error) = committed {
            add(&self.tally.failed, 1);
            return Err(Arc::new(error));
        }
        add(&self.tally.commits, 1);
        add(&self.tally.edits, page.edits as u64);
        for (organization, catalog) in page.grown {
            self.catalogs.publish(organization, catalog);
        }
        Ok(())
    }
}

/// Throws the page away that is begun, and says whether edits of others were on it.
fn tear(begun: &mut Option<Page>) -> bool {
    let Some(Page { transaction, edits, fate, .. }) = begun.take() else { return false };
    // Rolled back first: those who are told write anew.
    drop(transaction);
    fate.tell(Told::Torn);
    edits > 0
}

impl Page {
    fn new(transaction: WriteTransaction) -> Self {
        Self { transaction, grown: HashMap::new(), edits: 0, fate: Arc::default() }
    }

    fn edit<'a>(&'a mut self, catalogs: &'a Catalogs) -> Edit<'a> {
        Edit { transaction: &self.transaction, catalogs, grown: &mut self.grown }
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("edits", &self.edits).finish_non_exhaustive()
    }
}

impl Fate {
    fn tell(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        self.bell.notify_all();
    }

    fn wait(&self) -> Told {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*told {
                Some(told) => return told.clone(),
                None => told = self.bell.wait(told).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
