//! A parallel map whose results come out in the order of its inputs.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use rayon::ThreadPool;

/// Results that may wait for their turn, for each thread of the pool.
const WAITING_PER_THREAD: usize = 3;

/// Who does the work.
#[derive(Debug, Clone, Copy)]
pub enum Hands<'a> {
    /// The calling thread: what is small takes longer to be handed over than to be done.
    Own,
    /// The threads of a pool.
    Pool(&'a ThreadPool),
}

impl<'a> From<&'a ThreadPool> for Hands<'a> {
    fn from(pool: &'a ThreadPool) -> Self {
        Self::Pool(pool)
    }
}

impl Hands<'_> {
    /// Does it, and waits for it.
    pub fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Own => work(),
            Self::Pool(pool) => pool.install(work),
        }
    }
}

/// Runs `work` for each input and hands the results to `place` on the calling thread, in order. The
/// caller had better not be one of the pool's threads, which would then do less of the work. Only a
/// few results exist at a time, however many inputs there are.
///
/// # Errors
/// The first error in the order of the inputs, of `work` or `place`; what has not started then
/// never starts.
///
/// # Panics
/// A panic in `work` goes on in the caller, after the others have ended; so does one in `place`.
pub fn ordered<'a, I, T, R, E>(
    hands: impl Into<Hands<'a>>,
    mut inputs: I,
    work: impl Fn(T) -> Result<R, E> + Sync,
    mut place: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E>
where
    I: Iterator<Item = T>,
    T: Send,
    R: Send,
    E: Send,
{
    let pool = match hands.into() {
        Hands::Own => return inputs.try_for_each(|input| place(work(input)?)),
        Hands::Pool(pool) => pool,
    };
    let most = pool.current_num_threads() * WAITING_PER_THREAD;
    let stop = AtomicBool::new(false);
    let (done, results) = mpsc::channel();
    let (work, stop) = (&work, &stop);
    let mut inputs = inputs.enumerate();
    let mut waiting = BTreeMap::new();
    let (mut started, mut placed) = (0, 0);
    pool.in_place_scope(|scope| {
        let outcome = loop {
            while started - placed < most
                && let Some((place, input)) = inputs.next()
            {
                let done = done.clone();
                scope.spawn(move |_| {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let result = catch_unwind(AssertUnwindSafe(|| work(input)));
                    // The receiver is gone only when nobody wants the result any more.
                    let _ = done.send((place, result));
                });
                started += 1;
            }
            if placed == started {
                break Ok(Ok(()));
            }
            let result = loop {
                if let Some(result) = waiting.remove(&placed) {
                    break result;
                }
                match receive(pool, &results) {
                    Ok((place, result)) => waiting.insert(place, result),
                    // Not reached while `done` lives, which it does here.
                    Err(_) => break Err(Box::new("a worker is lost") as Box<dyn std::any::Any + Send>),
                };
            };
            placed += 1;
            match result.map(|result| result.and_then(&mut place)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => break Ok(Err(error)),
                Err(panic) => break Err(panic),
            }
        };
        stop.store(true, Ordering::Relaxed);
        outcome
    })
    .unwrap_or_else(|panic| resume_unwind(panic))
}

/// Waits for a message. A thread of the pool itself works meanwhile: asleep, it could be the very
/// thread that the message is to come from.
fn receive<M>(pool: &ThreadPool, messages: &mpsc::Receiver<M>) -> Result<M, mpsc::RecvError> {
    if pool.current_thread_index().is_none() {
        return messages.recv();
    }
    loop {
        match messages.try_recv() {
            Ok(message) => return Ok(message),
            Err(mpsc::TryRecvError::Disconnected) => return Err(mpsc::RecvError),
            Err(mpsc::TryRecvError::Empty) => {
                if pool.yield_now() != Some(rayon::Yield::Executed) {
                    std::thread::yield_now();
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn results_come_in_the_order_of_the_inputs_with_one_thread_and_with_many() {
        let pools = [1, 2, 7].map(pool);
        for hands in pools.iter().map(Hands::from).chain([Hands::Own]) {
            let mut placed = Vec::new();
            let work = |n: u64| {
                std::thread::sleep(std::time::Duration::from_micros(n * 37 % 400));
                Ok::<_, ()>(n)
            };
            ordered(hands, 0..500, work, |n| {
                placed.push(n);
                Ok(())
            })
            .unwrap();
            assert!(placed.into_iter().eq(0..500));
        }
    }

    #[test]
    fn own_hands_stop_at_the_first_error_too() {
        let mut started = 0;
        let place = |n| if n == 2 { Err("full") } else { Ok(()) };
        assert_eq!(ordered(Hands::Own, (0..10).inspect(|_| started += 1), Ok::<u32, &str>, place), Err("full"));
        assert_eq!(started, 3);
    }

    #[test]
    fn only_a_few_results_exist_at_a_time() {
        let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |_: u32| {
            most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Ok::<_, ()>(())
        };
        ordered(&pool(2), 0..1000, work, |()| {
            std::thread::sleep(std::time::Duration::from_micros(50));
            alive.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
        assert!(most.load(Ordering::SeqCst) <= 2 * WAITING_PER_THREAD);
    }

    #[test]
    fn the_first_error_in_order_ends_it_and_later_inputs_are_not_started() {
        let started = AtomicUsize::new(0);
        let work = |n: u32| {
            started.fetch_add(1, Ordering::SeqCst);
            if n >= 3 { Err(n) } else { Ok(n) }
        };
        assert_eq!(ordered(&pool(2), 0..10_000, work, |_| Ok(())), Err(3));
        assert!(started.load(Ordering::SeqCst) < 100);
        assert_eq!(
            ordered(&pool(2), 0..10, Ok::<u32, &str>, |n| if n == 5 { Err("full") } else { Ok(()) }),
            Err("full")
        );
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = pool(2);
        let work = |n: u32| if n == 4 { panic!("lost") } else { Ok::<_, ()>(n) };
        let caught = catch_unwind(AssertUnwindSafe(|| ordered(&pool, 0..100, work, |_| Ok(()))));
        assert!(caught.is_err());
        assert_eq!(ordered(&pool, 0..100, Ok::<u32, ()>, |_| Ok(())), Ok(()));
    }

    #[test]
    fn an_error_in_placing_ends_it_too_and_so_does_a_panic() {
        let started = AtomicUsize::new(0);
        let work = |n: u32| {
            started.fetch_add(1, Ordering::SeqCst);
            Ok(n)
        };
        let pool = pool(2);
        assert_eq!(ordered(&pool, 0..10_000, work, |n| if n == 7 { Err("full") } else { Ok(()) }), Err("full"));
        assert!(started.load(Ordering::SeqCst) <= 7 + 2 * WAITING_PER_THREAD);
        let place = |n: u32| if n == 7 { panic!("out of order") } else { Ok::<_, &str>(()) };
        let caught = catch_unwind(AssertUnwindSafe(|| ordered(&pool, 0..10_000, work, place)));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"out of order"));
    }

    #[test]
    fn nobody_works_any_more_when_a_panic_reaches_the_caller() {
        for threads in [1, 4] {
            let running = AtomicUsize::new(0);
            let work = |n: u32| {
                running.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(u64::from(n % 3)));
                running.fetch_sub(1, Ordering::SeqCst);
                if n == 6 { panic!("row 6") } else { Ok::<_, ()>(n) }
            };
            let mut placed = 0;
            let caught = catch_unwind(AssertUnwindSafe(|| {
                ordered(&pool(threads), 0..100, work, |_| {
                    placed += 1;
                    Ok(())
                })
            }));
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"row 6"));
            assert_eq!((running.into_inner(), placed), (0, 6), "{threads} threads");
        }
    }

    #[test]
    fn called_from_inside_the_pool_it_does_not_wait_for_itself() {
        for threads in [1, 2] {
            let pool = pool(threads);
            let mut placed = Vec::new();
            let place = |n| {
                placed.push(n);
                Ok(())
            };
            assert_eq!(pool.install(|| ordered(&pool, 0..100, Ok::<u32, ()>, place)), Ok(()));
            assert!(placed.into_iter().eq(0..100));
        }
    }
}
