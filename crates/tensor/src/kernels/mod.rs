//! The arithmetic: functions from slices to slices. No tape, no allocation in loops, and the same bits on
//! every processor path and for every number of threads.

pub mod activation;
pub(crate) mod broadcast;
pub mod columns;
pub mod feed_forward;
pub mod gemm;
pub mod simd;
pub mod vmath;

pub mod parallel;
mod scratch;
