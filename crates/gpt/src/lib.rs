//! The model, its training, its files, and generating with it.
//!
//! | to | read |
//! |---|---|
//! | see the model | [`Gpt`], side by side with nanoGPT's `model.py` |
//! | train it | [`train::Trainer`] for one update at a time, [`train::Run`] for a whole run |
//! | generate with it | [`generate`]: a [`Decoder`] has the logits, a [`generate::Sampler`] chooses |
//! | save and load it | [`Model`] for a finished model, in one of the [`formats`]; [`train::Checkpoint`] to resume, [`run_dir`] for a run |
//! | teach it a task | [`tune`], and [`peft`] to train a few numbers instead of all |
//! | set it up | [`config`] |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod card;
pub mod config;
pub mod files;
pub mod formats;
pub mod generate;
pub mod machine;
pub mod peft;
pub mod plan;
pub mod run_dir;
pub mod train;
pub mod tune;

mod model;
mod model_dir;
mod parameters;

pub use card::ModelCard;
pub use generate::{Decoder, Generator};
pub use model::{Block, Gpt};
pub use model_dir::{Model, encode_known, first_prompt, never_generated, spare_tokens};
