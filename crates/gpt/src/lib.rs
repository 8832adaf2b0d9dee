//! The model, its training, its files, and generating with it.
//!
//! | to | read |
//! |---|---|
//! | see the model | [`Gpt`], side by side with nanoGPT's `model.py` |
//! | train it | [`train::Trainer`] for one update at a time, [`train::Run`] for a whole run |
//! | generate with it | [`generate`]: a [`Decoder`] has the logits, a [`generate::Sampler`] chooses |
//! | save and load it | [`model_dir`] for a finished model, [`checkpoint`] to resume, [`run_dir`] for a run |
//! | teach it a task | [`tune`], and [`peft`] to train a few numbers instead of all |
//! | exchange it with Hugging Face's transformers | [`gpt2_dir`] |
//! | set it up | [`config`] |

pub mod checkpoint;
pub mod config;
pub mod generate;
pub mod gpt2_dir;
pub mod machine;
pub mod model_dir;
pub mod peft;
pub mod plan;
pub mod run_dir;
pub mod train;
pub mod tune;

mod json;
mod model;
mod parameters;

pub use generate::{Decoder, Generator};
pub use model::{Block, Gpt};
