//! Splitting work over threads so that the result does not depend on how many there are.
//!
//! Two rules make that so. What is computed for one element never depends on where a chunk begins; and
//! where partial sums are combined, the chunks have a fixed size and are combined in order.

use rayon::prelude::*;

/// Elements below which a loop over floats stays on one thread: a fork costs about as much.
const CHUNK: usize = 16 * 1024;

/// Rows per chunk for work on rows of `width` floats, from the shape alone.
#[must_use]
pub fn rows_per_chunk(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

/// Runs `task(item)` for each item, on as many threads as there are.
pub fn for_each_of<T: Send>(items: Vec<T>, task: impl Fn(T) + Sync + Send) {
    if items.len() <= 1 || rayon::current_num_threads() == 1 {
        items.into_iter().for_each(task);
    } else {
        items.into_par_iter().with_max_len(1).for_each(task);
    }
}

/// Cuts `y` into chunks of `chunk` floats and runs `task(index, chunk)` for each.
pub fn for_each_chunk(y: &mut [f32], chunk: usize, task: impl Fn(usize, &mut [f32]) + Sync + Send) {
    if y.len() <= chunk || rayon::current_num_threads() == 1 {
        y.chunks_mut(chunk.max(1)).enumerate().for_each(|(i, y)| task(i, y));
    } else {
        y.par_chunks_mut(chunk).enumerate().with_max_len(1).for_each(|(i, y)| task(i, y));
    }
}

/// Computes `part(i)` for each i below `count` on as many threads as there are, in order of i.
pub fn collect<T: Send>(count: usize, part: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    if count <= 1 || rayon::current_num_threads() == 1 {
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
