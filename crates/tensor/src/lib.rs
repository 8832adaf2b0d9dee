#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod gradcheck;
pub mod kernels;
pub mod ops;

mod case;
mod display;
mod draw;
mod error;
mod grad;
mod op;
mod params;
mod saved;
mod shape;
mod tape;
mod workspace;

pub use display::{MemoryReport, MemoryRow};
pub use error::ShapeError;
pub use grad::{Accum, Grad};
pub use op::Op;
pub use params::{Grads, ParamId, Params};
pub use saved::Saved;
pub use shape::{MAX_RANK, Shape, View};
pub use tape::{DropoutSeeds, Tape, Var};
pub use workspace::{AlignedVec, Buffer, PoolStats, Workspace};
