//! The arithmetic: functions from slices to slices. No tape, no allocation in loops, and the same bits on
//! every processor path and for every number of threads.

pub mod activation;
pub mod attention;
pub mod blend;
pub(crate) mod broadcast;
pub mod columns;
pub mod cross_entropy;
pub(crate) mod dot;
pub mod element_loss;
pub mod embedding;
pub mod feed_forward;
pub mod gemm;
pub mod int8;
pub mod layer_norm;
pub mod mask;
pub mod matvec;
pub(crate) mod pack;
pub mod parallel;
pub mod rms_norm;
pub mod rotary;
pub(crate) mod rows;
mod scratch;
pub mod simd;
pub mod soft_cap;
pub mod softmax;
pub mod vmath;
