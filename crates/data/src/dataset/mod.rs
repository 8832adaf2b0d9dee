//! Datasets: from token ids to the batches a model is trained on.

pub(crate) mod batch;
mod example;
mod sampler;
mod split;

pub use batch::{Batch, sequential_batches, sequential_windows};
pub use example::{Example, MaskSpec};
pub use sampler::{SamplerState, SamplingMode, WindowSampler};
pub use split::{train_val_split, train_val_split_text};
