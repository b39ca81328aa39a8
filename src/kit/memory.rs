//! What each thread holds: an allocator that counts the bytes that live and leaves all else to the system.
//!
//! Rhai's own limits do not bound what a script holds (a map that grows by index is never measured), and
//! a process that cannot get memory is aborted, not told. So every allocation of the process is counted
//! here, by thread, and whoever runs foreign work looks at [`held_bytes`] while it runs.
//!
//! # Safety
//! This is the one module with `unsafe`, because `GlobalAlloc` cannot be implemented without.
//!
//! - Each method hands its arguments to the method of the same name of [`System`], unchanged, and its result
//!   back, unchanged. What `GlobalAlloc` demands of callers is thus what `System` gets, and what it promises
//!   is what `System` promises: blocks of one are blocks of the other.
//! - Counting cannot allocate, fail, unwind or call back: it reads and writes a `Cell<isize>` in a
//!   `thread_local!` that is initialised by a constant and has no destructor, so that it is usable from the
//!   first allocation of a thread to its last, also while other thread-locals are being destroyed; and the
//!   sum wraps.
//! - The functions of C, `mallopt` and `malloc_trim`, take numbers and touch no memory of ours; glibc has them for
//!   any thread at any time.
//! - A count is never used to decide about memory: were it wrong, scripts would be ended too early or too
//!   late, and nothing else.
//!
//! A block that one thread makes and another frees makes the first seem to hold more and the other less:
//! the count is a difference between two moments of one thread, not a truth about the process.
#![allow(unsafe_code)] // A global allocator cannot be written without; see Safety above.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

#[cfg(test)]
thread_local! {
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator with a count for each thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Has the system's allocator keep little of what is freed. It takes blocks of 1 MiB and more from the system one
/// by one, and gives them back: by itself glibc does so only until the first of them is freed; what large exports
/// free then stays with the process in pieces (benches/README.md has how much). And it has one heap for each core
/// instead of eight, since what is freed in one is of no use to the threads of another. Elsewhere this does nothing.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::ffi::c_int;
        // <malloc.h>
        const M_TRIM_THRESHOLD: c_int = -1;
        const M_MMAP_THRESHOLD: c_int = -3;
        const M_ARENA_MAX: c_int = -8;
        const LARGE_BYTES: c_int = 1 << 20;
        unsafe extern "C" {
            safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        // It answers 0 where it does not know the parameter, and then nothing has changed.
        mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        mallopt(M_ARENA_MAX, c_int::try_from(cores).unwrap_or(c_int::MAX));
    }
}

/// Has the system's allocator give back the pages that nobody uses, between those that somebody does. What many
/// small things leave behind when they are freed it keeps otherwise. It takes milliseconds, in which others wait
/// for memory. Elsewhere this does nothing.
pub fn give_back_what_is_free() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            safe fn malloc_trim(kept_bytes: usize) -> std::ffi::c_int;
        }
        // It answers whether anything was given back.
        malloc_trim(0);
    }
}

/// Bytes that this thread has allocated less those that it has freed. Only differences mean something.
pub fn held_bytes() -> isize {
    HELD.get()
}

/// The most that [`held_bytes`] was above its value before `work`, while `work` ran.
#[cfg(test)]
pub fn most_held<T>(work: impl FnOnce() -> T) -> (T, isize) {
    let before = held_bytes();
    MOST.set(before);
    let result = work();
    (result, MOST.get().wrapping_sub(before))
}

/// `Layout` holds no more than `isize::MAX` bytes, so that no size is cut.
#[expect(clippy::cast_possible_wrap, reason = "no allocation is larger than isize::MAX")]
fn count(more: usize, less: usize) {
    let held = HELD.get().wrapping_add(more as isize).wrapping_sub(less as isize);
    HELD.set(held);
    #[cfg(test)]
    MOST.set(MOST.get().max(held));
}

// SAFETY: the module's documentation says why each method keeps what `GlobalAlloc` promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that `System` asks for.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            count(layout.size(), 0);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that `System` asks for.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            count(layout.size(), 0);
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is the one that `System` asks for; the block came from it.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        if !moved.is_null() {
            count(new_size, layout.size());
        }
        moved
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the one that `System` asks for; the block came from it.
        unsafe { System.dealloc(block, layout) };
        count(0, layout.size());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
