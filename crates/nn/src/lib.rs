//! What models are built from and trained with: layers, initial values, optimizers and schedules.
//!
//! A layer is a struct of parameter ids with a `forward`; the numbers are in `tensor::Params`. A model is
//! a struct of layers, and its forward reads like nanoGPT's:
//!
//! ```
//! use nn::{LayerNorm, Linear, Init, ParamBuilder};
//! use random::{Rng, Stream};
//! use tensor::{Params, Tape, Workspace};
//!
//! let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
//! let mut builder = ParamBuilder::new(&mut params, &mut rng);
//! let ln = LayerNorm::new(builder.pp("ln"), 8, true);
//! let fc = Linear::new(builder.pp("fc"), 8, 8, true, Init::GPT2);
//!
//! let workspace = Workspace::new();
//! let tape = Tape::new(&params, &workspace);
//! let x = tape.constant(&ndarray::ArrayD::ones(vec![2, 3, 8]));
//! let x = x + fc.forward(ln.forward(x));
//! assert_eq!(&x.shape()[..], [2, 3, 8]);
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod builder;
pub mod embed;
mod init;
mod layers;
pub mod optim;
pub mod peft;
mod schedule;

pub use builder::ParamBuilder;
pub use init::Init;
pub use layers::{
    Cache, Context, Dropout, Embedding, FeedForward, FeedForwardConfig, Growing, LayerNorm, Linear,
    NgramEmbedding, NgramEmbeddingConfig, NgramTable, Norm, NormKind, RmsNorm, SelfAttention,
    SelfAttentionConfig, Sinusoids, ValueResidual, Visibility, frequent_ngrams, hidden_width,
};
pub use schedule::Schedule;
