//! The model, its training, its files, and writing with it.
//!
//! | to | read |
//! |---|---|
//! | see the model | [`Gpt`], side by side with nanoGPT's `model.py` |
//! | train it | [`train::Trainer`] for one update at a time, [`train::Run`] for a whole run |
//! | write with it | [`Generator`], which feeds a [`Decoder`] and chooses by a [`sampling::Sampler`] |
//! | find the likeliest answer | [`beam`] |
//! | save and load it | [`model_dir`] for a finished model, [`checkpoint`] to resume, [`run_dir`] for a run |
//! | teach it a task | [`tune`], and [`peft`] to train a few numbers instead of all |
//! | exchange it with Hugging Face's transformers | [`gpt2_dir`] |
//! | set it up | [`config`] |

pub mod beam;
pub mod checkpoint;
pub mod config;
pub mod gpt2_dir;
pub mod machine;
pub mod model_dir;
pub mod peft;
pub mod plan;
pub mod run_dir;
pub mod sampling;
pub mod train;
pub mod tune;

mod decode;
mod generate;
mod json;
mod model;
mod parameters;

pub use decode::{Decoder, Int8Weights};
pub use generate::Generator;
pub use model::{Block, Gpt};
