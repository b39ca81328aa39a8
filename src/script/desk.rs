//! Where a thread calls a program: what it finds there from the calls before, and what they came to.
//!
//! Rhai looks for each function that a script names by a hash of the name and of the types that it is given,
//! in one module after another, and forgets where it was when the call ends. Here it is kept for the next.
//! What a hash stands for is the same as long as the engine and the functions of scripts around it are the
//! same, so each program keeps its own; and one that imports libs keeps nothing, because then the functions
//! around are now those of the script and now those of a lib.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use rhai::{Caches, GlobalRuntimeState};

use super::Counters;
use super::entry::{Given, Place};

/// Threads that have a desk of their own; others find theirs taken now and then, and make do without.
const DESKS: usize = 16;
/// Functions that are kept at a desk. A script has no more, but can make up names of them without end.
const MOST_FOUND: usize = 128;
/// Closures inside each other for which what is found is kept.
const MOST_CLOSURES: usize = 2;

thread_local! {
    /// What is kept for the closures of the call on this thread; nothing where nothing is to be kept.
    static CLOSURES: RefCell<Option<Vec<Caches>>> = const { RefCell::new(None) };
}

/// The desks of a program.
#[derive(Debug)]
pub(super) struct Desks {
    desks: [Desk; DESKS],
    /// What each call starts from: the functions of the script, its imports and its constants.
    around: GlobalRuntimeState,
    /// Whether what is found in a call holds for the next.
    keeps: bool,
    /// Bytes that the calls have left behind: closures and what they share can hold each other, and then
    /// nobody lets them go. What lies on the desks is among them, and is little.
    left: AtomicI64,
}

/// So far from the next that no thread waits for what another writes.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Desk {
    things: Mutex<Things>,
    calls: AtomicU64,
    faults: AtomicU64,
    micros: AtomicU64,
}

/// What lies on a desk.
#[derive(Debug, Default)]
struct Things {
    place: Option<Place>,
    /// Where functions were found for each depth of closures: while one is called, its caller is at work.
    closures: Vec<Caches>,
}

/// Whether the call on this thread keeps what it finds.
pub(super) fn keeps() -> bool {
    CLOSURES.with_borrow(Option::is_some)
}

/// Calls closures with what was found for those before them.
pub(super) fn in_closures<T>(call: impl FnOnce(&mut Caches) -> T) -> T {
    let mut found = CLOSURES.with_borrow_mut(|kept| kept.as_mut().and_then(Vec::pop)).unwrap_or_default();
    let result = call(&mut found);
    tidy(&mut found);
    CLOSURES.with_borrow_mut(|kept| {
        if let Some(kept) = kept.as_mut().filter(|kept| kept.len() < MOST_CLOSURES) {
            kept.push(found);
        }
    });
    result
}

/// What is kept is little, whatever a script did.
fn tidy(found: &mut Caches) {
    // A block that imports puts its own on top, where a fault may have left them.
    found.rewind_fn_resolution_caches(1);
    if found.fn_resolution_cache_mut().dict.len() > MOST_FOUND {
        *found = Caches::new();
    }
}

impl Desks {
    /// Desks without anything on them, for functions with this around them.
    pub fn new(around: GlobalRuntimeState, keeps: bool) -> Self {
        Self { desks: <_>::default(), around, keeps, left: AtomicI64::new(0) }
    }

    /// Makes a call, which gives nothing when the engine panicked.
    pub fn call(&self, call: impl FnOnce(&mut Place) -> Option<Given>) -> Option<Given> {
        let Ok(mut things) = self.mine().things.try_lock() else { return call(&mut Place::new(&self.around)) };
        let Things { place, closures } = &mut *things;
        let place = place.get_or_insert_with(|| Place::new(&self.around));
        CLOSURES.set(self.keeps.then(|| std::mem::take(closures)));
        let given = call(place);
        *closures = CLOSURES.take().unwrap_or_default();
        place.tidy();
        tidy(&mut place.found);
        match given {
            Some(Ok(_)) if self.keeps => {}
            // Rhai puts everything back after a fault too, and is not relied upon for it.
            Some(Err(_)) if self.keeps => place.renew(&self.around),
            _ => things.place = None,
        }
        given
    }

    /// Counts a call.
    pub fn count(&self, is_fault: bool, micros: u64, left_bytes: isize) {
        let desk = self.mine();
        desk.calls.fetch_add(1, Relaxed);
        desk.faults.fetch_add(u64::from(is_fault), Relaxed);
        desk.micros.fetch_add(micros, Relaxed);
        if left_bytes != 0 {
            self.left.fetch_add(left_bytes as i64, Relaxed);
        }
    }

    /// Counts from here on. Bytes that were left behind are still there.
    pub fn count_anew(&self) {
        for Desk { calls, faults, micros, .. } in &self.desks {
            [calls, faults, micros].into_iter().for_each(|counter| counter.store(0, Relaxed));
        }
    }

    /// What the calls came to.
    pub fn counters(&self) -> Counters {
        let sum = |of: fn(&Desk) -> &AtomicU64| self.desks.iter().map(|desk| of(desk).load(Relaxed)).sum();
        Counters { calls: sum(|desk| &desk.calls), faults: sum(|desk| &desk.faults), micros: sum(|desk| &desk.micros) }
    }

    /// Whether the calls have left more bytes behind than this.
    pub fn left_more_than(&self, bytes: usize) -> bool {
        usize::try_from(self.left.load(Relaxed)).is_ok_and(|left| left > bytes)
    }

    fn mine(&self) -> &Desk {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static PLACE: usize = THREADS.fetch_add(1, Relaxed) % DESKS;
        }
        &self.desks[PLACE.with(|place| *place)]
    }
}
