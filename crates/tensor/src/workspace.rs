//! Where the numbers live: aligned buffers, and the pool they return to.
//!
//! A training step allocates the same few dozen buffers every time. The pool keeps them by size, so from the second step
//! on nothing is allocated, no page is touched for the first time, and nothing is filled with zeros: whoever takes a
//! buffer writes all of it. Where steps differ, as with texts of different lengths in fine-tuning, a slightly larger
//! buffer is used instead: a pool of exact sizes would keep a set of buffers for every length there is.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cache lines, and one AVX-512 register, are 64 bytes: 16 floats.
const ALIGN_BYTES: usize = 64;
pub(crate) const ALIGN_FLOATS: usize = ALIGN_BYTES / size_of::<f32>();

/// A slice of floats that begins on a cache line, so that no vector load straddles two.
#[derive(Default)]
pub struct AlignedVec {
    data: Vec<f32>, // a few floats longer than the capacity
    len: usize,
}

/// A buffer in the pool has at most this many times the length that it is taken for: so much memory may lie unused.
const LARGEST_RATIO: usize = 2;

impl AlignedVec {
    /// `len` zeros.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self { data: vec![0.0; len + ALIGN_FLOATS - 1], len }
    }

    /// Where the slice is in the block: from its first cache line on.
    fn range(&self) -> Range<usize> {
        let start = self.data.as_ptr().align_offset(ALIGN_BYTES).min(self.data.len() - self.len);
        start..start + self.len
    }

    /// Floats that it has room for.
    fn capacity(&self) -> usize {
        self.data.len().saturating_sub(ALIGN_FLOATS - 1)
    }
}

impl Clone for AlignedVec {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len); // not the derived clone: its block may be aligned otherwise
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for AlignedVec {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.range()]
    }
}

impl DerefMut for AlignedVec {
    fn deref_mut(&mut self) -> &mut [f32] {
        let range = self.range();
        &mut self.data[range]
    }
}

/// What the pool has done so far. After the first step of a training loop `misses` stays constant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Buffers handed out that were waiting in the pool.
    pub hits: u64,
    /// Buffers that had to be allocated.
    pub misses: u64,
    /// Bytes in use now.
    pub live_bytes: usize,
    /// The largest `live_bytes` so far.
    pub peak_bytes: usize,
    /// Bytes waiting to be used again.
    pub pooled_bytes: usize,
}

#[derive(Default)]
struct Pool {
    free: BTreeMap<usize, Vec<AlignedVec>>, // by capacity
    stats: PoolStats,
}

impl Pool {
    /// The smallest buffer that is waiting and does for `len` floats.
    fn reuse(&mut self, len: usize) -> Option<AlignedVec> {
        let mut fitting = self.free.range_mut(len..=len * LARGEST_RATIO);
        let mut found = fitting.find_map(|(_, waiting)| waiting.pop())?;
        found.len = len;
        Some(found)
    }
}

/// A pool of buffers. It outlives the tapes that use it, and threads may share it.
///
/// ```
/// let workspace = tensor::Workspace::new();
/// drop(workspace.take(1000));            // allocated, then returned
/// let buffer = workspace.take(1000);     // the same memory again
/// assert_eq!(buffer.len(), 1000);
/// assert_eq!(workspace.stats().misses, 1);
/// assert_eq!(workspace.stats().hits, 1);
/// ```
#[derive(Clone, Default)]
pub struct Workspace {
    pool: Arc<Mutex<Pool>>,
    poison: bool,
}

impl Workspace {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A pool whose buffers are full of NaN when taken, so that an operation which does not write all
    /// of its output, or reads before it writes, cannot go unnoticed. For tests.
    #[must_use]
    pub fn poisoned() -> Self {
        Self { poison: true, ..Self::default() }
    }

    /// A buffer of `len` floats with unspecified contents: whoever takes it writes all of it.
    #[must_use]
    pub fn take(&self, len: usize) -> Buffer {
        let mut pool = self.lock();
        let bytes = len * size_of::<f32>();
        let reused = pool.reuse(len);
        if let Some(buffer) = &reused {
            pool.stats.hits += 1;
            pool.stats.pooled_bytes -= buffer.capacity() * size_of::<f32>();
        } else {
            pool.stats.misses += 1;
        }
        pool.stats.live_bytes += bytes;
        pool.stats.peak_bytes = pool.stats.peak_bytes.max(pool.stats.live_bytes);
        drop(pool);
        let mut data = reused.unwrap_or_else(|| AlignedVec::zeros(len));
        if self.poison {
            data.fill(f32::NAN);
        }
        Buffer { data: Some(data), home: self.clone() }
    }

    /// Counts of what was taken, allocated and is in use.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.lock().stats
    }

    /// A panic elsewhere (a wrong shape) cannot leave the pool half-changed, so a poisoned lock is used on.
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slice of floats on loan from a [`Workspace`]; dropping it gives it back.
pub struct Buffer {
    data: Option<AlignedVec>, // None only while dropping
    home: Workspace,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(data) = self.data.take() {
            let (bytes, capacity) = (data.len * size_of::<f32>(), data.capacity());
            let mut pool = self.home.lock();
            pool.stats.live_bytes -= bytes;
            pool.stats.pooled_bytes += capacity * size_of::<f32>();
            pool.free.entry(capacity).or_default().push(data);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        self.data.as_deref().unwrap_or(&[])
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.data.as_deref_mut().unwrap_or(&mut [])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_larger_does_and_much_larger_does_not() {
        let workspace = Workspace::new();
        drop(workspace.take(1000));
        drop(workspace.take(499));
        assert_eq!(workspace.stats().misses, 2);
        let buffers = [workspace.take(500), workspace.take(300)];
        assert_eq!((buffers[0].len(), buffers[1].len(), workspace.stats().hits), (500, 300, 2));
        assert_eq!(workspace.stats().live_bytes, 3200);
        assert!(buffers.iter().all(|buffer| buffer.as_ptr().align_offset(ALIGN_BYTES) == 0));
        drop(buffers);
        drop(workspace.take(1000));
        assert_eq!(workspace.stats().misses, 2, "its room is still there");
        assert_eq!(workspace.stats().pooled_bytes, 4 * 1499);
    }

    /// Steps of any length need little more memory than the longest, however many lengths there are.
    #[test]
    fn many_lengths_share_their_buffers() {
        let workspace = Workspace::new();
        let step = |length: usize| drop([1, 3, 3, 8, 64].map(|width| workspace.take(width * length)));
        step(1000);
        let one = workspace.stats().pooled_bytes;
        for i in 0..1000 {
            step(100 + (i * 7919) % 900);
        }
        let many = workspace.stats().pooled_bytes;
        assert!(many <= 4 * one, "{many} {one}");
        let misses = workspace.stats().misses;
        (0..1000).for_each(|i| step(100 + (i * 7919) % 900));
        assert_eq!(workspace.stats().misses, misses);
    }
}
