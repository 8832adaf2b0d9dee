//! Generating text with a model.
//!
//! | to | read |
//! |---|---|
//! | get logits for a sequence that grows | [`Decoder`], on [`Gpt::extend`](crate::Gpt::extend) |
//! | say how a token is chosen | [`Sampler`] and its [rules](RULES), one file each |
//! | sample a text | [`Generator`] |
//! | find the likeliest answer | [`Beam`] |
//! | talk | [`Session`] |

mod beam;
mod decoder;
mod generator;
mod rules;
mod session;

pub use beam::{Beam, Hypothesis, Limits};
pub use decoder::Decoder;
pub use generator::Generator;
pub use rules::*;
pub use session::Session;
