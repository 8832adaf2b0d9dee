//! Saving so that a crash, a full disk or a flipped bit never costs more than the last interval.
//!
//! Four layers, each its own module:
//!
//! 1. [`store`]: a directory written all or nothing, with sizes and checksums in `manifest.json`.
//! 2. [`tensors`]: named f32 tensors as safetensors bytes, read more strictly than the format asks.
//! 3. [`Checkpoint`]: everything that training needs to go on as if it had never stopped.
//! 4. [`History`]: the checkpoints of a run; the newest that verifies, and never fewer than two.

mod contents;
mod error;
#[cfg(test)]
mod faults;
mod format;
mod fs;
mod history;
pub(crate) mod memory;
pub mod store;
pub mod tensors;

pub use error::CheckpointError;
pub use format::Checkpoint;
pub use history::{History, Restored};
pub use store::Manifest;
pub use tensors::{Tensor, Tensors, TensorsError};

pub(crate) use error::io_error;
#[cfg(test)]
pub(crate) use format::small_checkpoint;
pub(crate) use fs::{Disk, Fs, create_dirs, split_sibling, write_file};
