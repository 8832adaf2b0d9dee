//! All randomness of the project: the same numbers on every machine, in every release.
//!
//! A training run should be repeatable: the same seed gives the same initial weights, the same
//! batches, the same dropout, the same samples, and a run that is stopped and resumed continues
//! exactly where it was. Three decisions make that so.
//!
//! 1. **The raw bits come from ChaCha8**, a stream cipher used as a generator. Its output is fixed
//!    by a published specification, so no library update can change it. It is also *seekable*: the
//!    whole state is a seed, a stream number and a position, three numbers in a checkpoint.
//! 2. **Each purpose has a stream of its own** ([`Stream`]). Drawing one more dropout mask does not
//!    shift the data order.
//! 3. **Everything made from the bits is written here** with `+ - * / sqrt` only, the operations
//!    whose results IEEE 754 fixes to the last bit: bounded integers, floats, normals, shuffles.
//!    The `rand` crate changes these between releases, and the precision of `f64::ln` and
//!    `f64::cos` is explicitly unspecified.
//!
//! ```
//! use random::{Rng, Stream};
//!
//! let mut rng = Rng::new(1337, Stream::Init);
//! let weights: Vec<f32> = (0..4).map(|_| 0.02 * rng.normal()).collect();
//!
//! // Save the position, draw on, go back: the same numbers again.
//! let saved = rng.state();
//! let die = 1 + rng.below(6);
//! assert_eq!(1 + Rng::from_state(&saved).below(6), die);
//! # assert!((1..=6).contains(&die) && weights.len() == 4);
//! ```
//!
//! None of this is meant for secrets: for keys and passwords use the operating system's generator.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod elementary;
mod normal;
mod rng;
mod shuffle;

pub use elementary::{exp, ln, sin_cos_turns};
pub use rng::{Rng, RngState, Stream};
