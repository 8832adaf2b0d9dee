//! Self-attention, from the naive formula to a blocked kernel: a ladder to climb and to measure.
//!
//! For each head, with queries Q, keys K and values V of (T, hs) each (Vaswani et al. 2017, equation 1):
//!
//! $$ S = Q K^\top / \sqrt{hs}, \qquad P = \mathrm{softmax}(S), \qquad O = P V $$
//!
//! where query row i sees the keys of one interval, `lo[i] <= j < hi[i]`, and no others. There is no mask
//! tensor: causal and bidirectional attention, prefixes, packed documents, sliding windows, padding and a
//! cache of keys are all [`Intervals`].
//!
//! Backward, with dO given (the derivation of FlashAttention, Dao et al. 2022, appendix B):
//!
//! $$ dV = P^\top dO, \quad dP = dO\, V^\top, \quad dS = P \odot (dP - D), \quad D_i = \sum_j dO_{ij} O_{ij} $$
//! $$ dQ = dS\, K / \sqrt{hs}, \qquad dK = dS^\top Q / \sqrt{hs} $$
//!
//! The ladder, each rung checked against the first before it is timed (`cargo bench --bench attention`):
//!
//! | version | what changes | memory beside inputs and outputs |
//! |---|---|---|
//! | [`v0_naive`] | the formulas as they stand, with whole (T, T) matrices | O(T^2) |
//! | [`v1_intervals`] | only keys inside the interval; log-sum-exp kept, P computed again | O(T) |
//! | [`v2_rows`] | sixteen lanes at a time, no index arithmetic inside of the loop over keys | O(T) |
//! | [`v3_blocked`] | blocks of queries and keys through the tile kernels, online softmax | O(T) |
//!
//! All rungs work on the same threads: a task is a head, in the backward a head of keys and values with the heads of
//! queries that it serves. [`forward`] and [`backward`] are the last rung. [`decode`] is no rung: one query of each head
//! against a cache.

mod decode;
mod intervals;
mod problem;
pub mod v0_naive;
pub mod v1_intervals;
pub mod v2_rows;
pub mod v3_blocked;

pub use decode::decode;
pub use intervals::Intervals;
pub use problem::{Dropout, Heads, Problem};
pub use v3_blocked::{backward, forward};
