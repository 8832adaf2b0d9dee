//! The arithmetic: functions from slices to slices. No tape, no allocation in loops, and the same bits on
//! every processor path and for every number of threads.

pub mod activation;
pub mod attention;
pub(crate) mod broadcast;
pub mod columns;
pub mod feed_forward;
pub mod gemm;
pub mod embedding;
pub mod layer_norm;
pub mod rms_norm;
pub mod matvec;
pub mod cross_entropy;
pub mod softmax;
pub mod simd;
pub mod vmath;

pub mod mask;
pub mod parallel;
pub(crate) mod rows;
mod scratch;
