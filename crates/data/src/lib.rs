//! From a text file to the batches a language model is trained on.
//!
//! The way of the data, one module a step:
//!
//! 1. [`read_text`] reads a UTF-8 file into a `String` and explains what is wrong if it cannot.
//! 2. [`CharTokenizer`] numbers the distinct characters: text becomes token ids and back.
//! 3. [`train_val_split`] keeps the end of the text aside, for measuring on text never trained on.
//! 4. [`WindowSampler`] cuts the training part into random windows, [`sequential_batches`] the
//!    validation part into consecutive ones. The answer (label) to each id is the id after it.
//! 5. To train on something else than each next token, [`objective`] makes other examples of the same windows.
//!
//! Around that way stand, a module each:
//!
//! | to | module |
//! |---|---|
//! | read documents of any format and encoding, and pages | [`read`], `html` |
//! | clean them, find duplicates and leaks | [`clean`] |
//! | divide, pack and batch them | [`dataset`] |
//! | number characters, words or pieces of words; cut Chinese into words | [`tokenizer`], [`segment`] |
//! | put dialogues, pairs and labels into tokens | [`chat`], [`seq2seq`], [`pattern`] |
//! | know what simpler models reach, and score answers | [`ngram`], [`baseline`], [`metrics`], [`drift`] |
//! | make more examples, train word vectors | [`augment`], [`word_vectors`] |
//!
//! This crate knows nothing of tensors or models: it hands over plain vectors of integers.
//!
//! ```
//! use data::{CharTokenizer, SamplingMode, WindowSampler, sequential_batches, train_val_split};
//! use random::{Rng, Stream};
//!
//! let text = "to be, or not to be, that is the question: ".repeat(3);
//! let tokenizer = CharTokenizer::from_text(&text)?;
//! let ids = tokenizer.encode(&text)?;
//! let (train, val) = train_val_split(&ids, 0.9)?;
//!
//! let (block_size, batch_size) = (8, 4);
//! let rng = Rng::new(1337, Stream::Data);
//! let mut sampler = WindowSampler::new(train.len(), block_size, batch_size, SamplingMode::Epoch, rng)?;
//! let batch = sampler.next_batch(train);
//! assert_eq!(batch.ids.len(), 4 * 8);
//! assert_eq!(batch.ids[1], batch.labels[0]); // the label of an id is the next id
//!
//! let targets: f64 = sequential_batches(val, block_size, batch_size)?.map(|b| b.total_weight()).sum();
//! assert_eq!(targets, (val.len() - 1) as f64); // every character but the first is predicted once
//! # Ok::<(), data::DataError>(())
//! ```
//!
//! Whatever comes from outside (files, texts, saved states) is checked and answered with a
//! [`DataError`] that says what was expected, what was found, where, and what to do. Only a mistake
//! in the calling program, such as a batch cut at a row it does not have, panics.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod augment;
pub mod baseline;
pub mod chat;
pub mod clean;
pub mod dataset;
mod dialogue;
pub mod drift;
mod error;
pub mod extract;
mod han;
#[cfg(feature = "html")]
pub mod html;
pub mod metrics;
mod new_file;
pub mod ngram;
pub mod objective;
pub mod pattern;
pub mod read;
pub mod segment;
pub mod seq2seq;
mod stop_words;
pub mod tokenizer;
pub mod word_vectors;

pub use dataset::{
    Batch, Example, MaskSpec, SamplerState, SamplingMode, WindowSampler, sequential_batches,
    sequential_windows, train_val_split, train_val_split_text,
};
pub use error::{DataError, UnknownCharacters, listed};
pub use new_file::NewFile;
pub use read::read_text;
pub use stop_words::StopWords;
pub use tokenizer::{CharTokenizer, Tokenizer};
