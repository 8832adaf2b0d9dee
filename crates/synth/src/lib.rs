//! Texts whose best possible loss is known exactly.
//!
//! On a real text nobody knows how low a loss can go. A generator is a random process that we wrote
//! ourselves: with every symbol it hands over -ln p, what that symbol costs someone who knows the
//! process and has seen the symbols before it. The mean of these costs is a floor that no model beats:
//!
//! excess = mean over the same symbols of (cost under the model - cost under the process) >= 0
//!
//! A model with an excess near 0 has learnt all there is. One with a *negative* excess beyond chance
//! has a leak: a mask that shows the future, labels shifted by one, a test text seen in training.
//!
//! - **Randomness is integers only.** Every choice has integer weights ([`Choice`], [`Phrases`]) and is
//!   drawn with [`random::Rng::below`]: the same bytes, and sha256, on every machine.
//! - **Costs come from the same integers**: -ln p = ln(sum of weights) - ln(weight), by [`random::ln`].
//! - **A floor is a calculation, not a measurement** ([`Floor`]): an entropy rate, the solution of linear
//!   equations, or an expectation over all ways to write a document ([`pen`]). Only one process here,
//!   mess3, has no closed form; its floor lies between two bounds that meet, and says how near they are.
//! - **The two check each other**: the measured mean must lie within four standard errors of the floor.
//!
//! A symbol is a number below the size of the generator's alphabet and has one character as its text,
//! so a character tokenizer gives the symbols back. Cut otherwise, the nats of a document stay the same.
//!
//! ```
//! use synth::{Format, find, run};
//!
//! let entry = find("markov-k")?;
//! let mut text = Vec::new();
//! let report = run(entry, &entry.defaults(), 1, 20_000, Format::Text, &mut text, |_, _| Ok(()))?;
//! assert_eq!(text.len(), 20_000);
//! assert!((report.floor_nats - 0.909637).abs() < 1e-6); // the entropy rate of the chain
//! assert!((report.mean_nats - report.floor_nats).abs() < 4.0 * report.standard_error.unwrap());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Shannon, A Mathematical Theory of Communication (1948): entropy rate of a source, n-gram sources.

//!
//! The mathematics is in [`process`], a generator is a file in [`kinds`], and what several share in [`family`] and
//! [`pen`]. This crate knows texts and objectives, but neither tensors nor models.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod document;
pub mod family;
mod floor;
mod generator;
pub mod kinds;
mod measure;
mod output;
mod params;
pub mod pen;
pub mod process;
mod run;
mod spec;

pub use document::{Document, Field, STREAM_PIECE};
pub use floor::{Floor, Method, PartFloor};
pub use generator::{Entry, Generator};
pub use kinds::{GENERATORS, find};
pub use measure::Measure;
pub use output::{Format, Layout};
pub use params::{Kind, ONE, Param, Params};
pub use process::choice::{Choice, Phrases};
pub use run::{PartReport, Report, RunError, Sample, documents, run, sample};
pub use spec::{Extent, Part, Spec};
