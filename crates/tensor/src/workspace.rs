//! Where the numbers live: aligned buffers, and the pool they return to.
//!
//! A training step allocates the same few dozen buffers every time. The pool keeps them by exact
//! size, so from the second step on nothing is allocated, no page is touched for the first time,
//! and nothing is filled with zeros: whoever takes a buffer writes all of it.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cache lines, and one AVX-512 register, are 64 bytes: 16 floats.
const ALIGN_BYTES: usize = 64;
const ALIGN_FLOATS: usize = ALIGN_BYTES / size_of::<f32>();

/// A slice of floats that begins on a cache line, so that no vector load straddles two.
#[derive(Default)]
pub struct AlignedVec {
    data: Vec<f32>, // a few floats longer than `len`
    start: usize,
    len: usize,
}

impl AlignedVec {
    /// `len` zeros.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        let data = vec![0.0; len + ALIGN_FLOATS - 1];
        // A Vec's heap block does not move when the Vec does, so the offset stays right.
        let start = data.as_ptr().align_offset(ALIGN_BYTES).min(ALIGN_FLOATS - 1);
        Self { data, start, len }
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
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedVec {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
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
    free: HashMap<usize, Vec<AlignedVec>>, // by length
    stats: PoolStats,
    poison: bool,
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
        let workspace = Self::new();
        workspace.lock().poison = true;
        workspace
    }

    /// A buffer of `len` floats with unspecified contents: whoever takes it writes all of it.
    #[must_use]
    pub fn take(&self, len: usize) -> Buffer {
        let mut pool = self.lock();
        let bytes = len * size_of::<f32>();
        let reused = pool.free.get_mut(&len).and_then(Vec::pop);
        if reused.is_some() {
            pool.stats.hits += 1;
            pool.stats.pooled_bytes -= bytes;
        } else {
            pool.stats.misses += 1;
        }
        pool.stats.live_bytes += bytes;
        pool.stats.peak_bytes = pool.stats.peak_bytes.max(pool.stats.live_bytes);
        let poison = pool.poison;
        drop(pool);
        let mut data = reused.unwrap_or_else(|| AlignedVec::zeros(len));
        if poison {
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
            let bytes = data.len * size_of::<f32>();
            let mut pool = self.home.lock();
            pool.stats.live_bytes -= bytes;
            pool.stats.pooled_bytes += bytes;
            pool.free.entry(data.len).or_default().push(data);
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
