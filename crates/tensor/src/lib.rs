#![doc = include_str!("../README.md")]

pub mod gradcheck;
pub mod kernels;
pub mod ops;

mod display;
mod dropout_seeds;
mod error;
mod op;
mod params;
mod recompute;
mod shape;
mod tape;
mod workspace;

pub use display::{MemoryReport, MemoryRow};
pub use dropout_seeds::DropoutSeeds;
pub use error::ShapeError;
pub use op::{Accum, Grad, Op, Saved, View};
pub use params::{Grads, ParamId, Params};
pub use shape::{MAX_RANK, Shape};
pub use tape::{Tape, Var};
pub use workspace::{AlignedVec, Buffer, PoolStats, Workspace};
