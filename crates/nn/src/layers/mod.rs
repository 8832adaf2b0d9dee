//! Layers: structs of parameter ids, with a `forward` that puts them to work on a tape.
//!
//! A layer owns no numbers. It is made once, by a [`ParamBuilder`](crate::ParamBuilder) that adds its
//! parameters to a `Params`, and is then read-only: threads share it, each with a tape of its own.

mod cache;
mod context;
mod dropout;
mod embedding;
mod feed_forward;
mod layer_norm;
mod linear;
mod ngram_embedding;
mod ngram_table;
mod norm;
mod rms_norm;
mod self_attention;
mod sinusoids;
mod visibility;

pub use cache::{Cache, Growing};
pub use context::Context;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use feed_forward::{FeedForward, FeedForwardConfig, hidden_width};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use ngram_embedding::{NgramEmbedding, NgramEmbeddingConfig};
pub use ngram_table::{NgramTable, frequent_ngrams};
pub use norm::{Norm, NormKind};
pub use rms_norm::RmsNorm;
pub use self_attention::{SelfAttention, SelfAttentionConfig, ValueResidual};
pub use sinusoids::Sinusoids;
pub use visibility::Visibility;
