//! The model, its training, its files, and writing with it.
//!
//! | to | read |
//! |---|---|
//! | see the model | [`Gpt`], side by side with nanoGPT's `model.py` |
//! | train it | [`train::Trainer`] for one update at a time, [`train::Run`] for a whole run |
//! | write with it | [`Generator`], which feeds a [`Decoder`] and chooses by a [`sampling::Sampler`] |
//! | find the likeliest answer | [`beam`] |
//! | save and load it | [`Model`] for a finished model, in any of the [`formats`], Hugging Face's GPT-2 among them; [`train::Checkpoint`] to resume, [`run_dir`] for a run |
//! | teach it a task | [`tune`], and [`peft`] to train a few numbers instead of all |
//! | set it up | [`config`] |

pub mod beam;
pub mod card;
pub mod config;
pub mod files;
pub mod formats;
pub mod machine;
pub mod peft;
pub mod plan;
pub mod run_dir;
pub mod sampling;
pub mod train;
pub mod tune;

mod decode;
mod generate;
mod model;
mod model_dir;
mod parameters;

pub use card::ModelCard;
pub use decode::{Decoder, Int8Weights};
pub use generate::Generator;
pub use model::{Block, Gpt};
pub use model_dir::{Model, encode_known, first_prompt, never_generated};
