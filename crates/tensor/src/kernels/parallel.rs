//! Splitting work over threads so that the result does not depend on how many there are.
//!
//! Two rules make that so. What is computed for one element never depends on where a chunk begins; and
//! where partial sums are combined, the chunks have a fixed size and are combined in order.

use rayon::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Elements below which a loop over floats stays on one thread: a fork costs about as much.
const CHUNK: usize = 16 * 1024;

/// How long a thread of [`awake`] looks for work in vain. Between two kernels lie some microseconds.
const PATIENCE: Duration = Duration::from_micros(300);

/// Runs `work`, which calls many kernels one after the other, on a thread of the pool, while the pool's other threads
/// stay awake for the next kernel. By themselves they would go to sleep after each, and waking them up costs tens of
/// microseconds, as much as a small kernel.
pub fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if threads() == 1 {
        return work();
    }
    let done = &AtomicBool::new(false);
    rayon::scope(|scope| {
        let _done = SetOnDrop(done); // also if `work` panics
        let this_thread = rayon::current_thread_index();
        scope.spawn_broadcast(move |_, context| {
            if Some(context.index()) != this_thread {
                look_for_work(done);
            }
        });
        work()
    })
}

/// Takes other tasks of the pool until `done`, or until there was none for long: the task that waits for this thread
/// may be one that this thread was in the middle of.
fn look_for_work(done: &AtomicBool) {
    let mut last = Instant::now();
    while !done.load(Ordering::Relaxed) && last.elapsed() < PATIENCE {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            last = Instant::now();
        } else {
            std::hint::spin_loop();
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    /// Whether this thread computes its kernels by itself: see [`side_by_side`].
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// How many threads a kernel that is called here may use.
#[must_use]
pub fn threads() -> usize {
    if ALONE.get() { 1 } else { rayon::current_num_threads() }
}

/// Runs `task(item)` for a few items that call many kernels each, such as the parts of a batch. With enough items for all
/// threads, each item has one thread for itself, whose caches keep what one kernel leaves to the next. (A tenth off the
/// step of the preset `shakespeare`: docs/performance.md.) With fewer, one item comes after the other and its kernels use
/// all threads. The results have the same bits.
pub fn side_by_side<T: Send>(items: Vec<T>, task: impl Fn(T) + Sync + Send) {
    if items.len() < threads().max(2) {
        return items.into_iter().for_each(task);
    }
    for_each_of(items, |item| {
        let _alone = Alone::new();
        task(item);
    });
}

/// While this lives, its thread is alone.
struct Alone(bool);

impl Alone {
    fn new() -> Self {
        Self(ALONE.replace(true))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        ALONE.set(self.0);
    }
}

/// Rows per chunk for work on rows of `width` floats, from the shape alone.
#[must_use]
pub fn rows_per_chunk(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

/// Runs `task(item)` for each item, on as many threads as there are.
pub fn for_each_of<T: Send>(items: Vec<T>, task: impl Fn(T) + Sync + Send) {
    if items.len() <= 1 || threads() == 1 {
        items.into_iter().for_each(task);
    } else {
        items.into_par_iter().with_max_len(1).for_each(task);
    }
}

/// Cuts `y` into chunks of `chunk` floats and runs `task(index, chunk)` for each.
pub fn for_each_chunk(y: &mut [f32], chunk: usize, task: impl Fn(usize, &mut [f32]) + Sync + Send) {
    if y.len() <= chunk || threads() == 1 {
        y.chunks_mut(chunk.max(1)).enumerate().for_each(|(i, y)| task(i, y));
    } else {
        y.par_chunks_mut(chunk).enumerate().with_max_len(1).for_each(|(i, y)| task(i, y));
    }
}

/// Computes `part(i)` for each i below `count` on as many threads as there are, in order of i.
pub fn collect<T: Send>(count: usize, part: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    if count <= 1 || threads() == 1 {
        (0..count).map(part).collect()
    } else {
        (0..count).into_par_iter().with_max_len(1).map(part).collect()
    }
}

/// The size of chunks for element-wise work.
#[must_use]
pub fn chunk_len() -> usize {
    CHUNK
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of squares, by way of many small tasks.
    fn work() -> u64 {
        (0..50).map(|round| collect(40, |i| (i * round) as u64).iter().sum::<u64>()).sum()
    }

    #[test]
    fn awake_runs_the_work_inside_and_outside_of_the_pool_and_inside_of_itself() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool");
        let expected = work();
        assert_eq!(awake(work), expected);
        assert_eq!(pool.install(|| awake(work)), expected);
        assert_eq!(pool.install(|| awake(|| awake(work))), expected);
    }

    #[test]
    fn many_may_be_awake_in_one_pool() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
        let expected = work();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(pool.install(|| awake(work)), expected);
                    }
                });
            }
        });
    }

    #[test]
    fn items_side_by_side_have_a_thread_each_if_they_are_enough() {
        for (threads_of_pool, count, each) in [(1, 3, 1), (2, 3, 1), (4, 4, 1), (4, 2, 4), (3, 1, 3)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads_of_pool).build().expect("a pool");
            let mut found = vec![(0, 0); count];
            pool.install(|| {
                side_by_side(found.iter_mut().collect(), |found| *found = (threads(), work()));
                assert_eq!(threads(), threads_of_pool, "nobody is alone afterwards");
            });
            assert_eq!(found, vec![(each, work()); count], "{threads_of_pool} threads");
        }
    }

    #[test]
    fn a_panic_comes_through_and_lets_the_others_rest() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool");
        let attempt = std::panic::AssertUnwindSafe(|| pool.install(|| awake(|| panic!("as asked"))));
        assert!(std::panic::catch_unwind(attempt).is_err());
        assert_eq!(pool.install(|| awake(work)), work());
    }
}
