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
//! The ladder is [`LADDER`]: the same function again and again, each time faster, each rung a file whose header says what
//! changes, and why. All rungs are compared with the first for every kind of intervals (`tests/attention.rs`), are run at the
//! end of readable memory and on every SIMD path (`kernels/simd/guard`), and are timed in turn by
//! `cargo bench -p benches --bench attention`.
//!
//! A new rung is a file beside the others, with `forward` and `backward` of the same signatures, and its name in `ladder!`.
//!
//! All rungs divide the work among threads in the same way, a task for each head, in the backward for each head of keys and
//! values with the heads of queries that it serves; except for the backward of [`v3_blocked`] where these are too few for the
//! threads: it makes smaller ones. [`forward`] and [`backward`] are those of [`TRAINING`]. [`decode`] is no rung: one query of
//! each head against a cache.

mod decode;
mod intervals;
mod problem;

pub use decode::decode;
pub use intervals::Intervals;
pub use problem::{Dropout, Heads, Problem};

use crate::grad::Grad;

/// A kernel for attention: one file of this folder.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// Its module's name.
    pub name: &'static str,
    /// Writes y (B, T, C) and the log-sum-exp of each row, lse (B, NH, T).
    pub forward: fn(&Problem<'_>, y: &mut [f32], lse: &mut [f32]),
    /// Writes dqkv, as large as `qkv`, from y and lse of the forward and dy (B, T, C).
    pub backward: fn(&Problem<'_>, y: &[f32], lse: &[f32], dy: &[f32], dqkv: &mut Grad<'_>),
}

/// Declares the modules of all rungs, lists them, and names the one that training uses.
macro_rules! ladder {
    ($($name:ident),* ; training: $training:ident) => {
        $(pub mod $name;)*
        /// Every rung, from the naive formula, which is the reference for all others, upwards.
        pub const LADDER: &[Rung] = &[$(Rung {
            name: stringify!($name),
            forward: $name::forward,
            backward: $name::backward,
        }),*];
        /// The rung that training uses.
        pub const TRAINING: Rung = Rung { name: stringify!($training), forward, backward };
        pub use $training::{backward, forward};
    };
}

ladder! { v0_naive, v1_intervals, v2_rows, v3_blocked; training: v3_blocked }
