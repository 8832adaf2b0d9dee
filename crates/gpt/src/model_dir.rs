//! A model that is ready to use, and its directory.

use crate::Gpt;
use crate::card::ModelCard;
use crate::config::GptConfig;
use crate::files::CheckpointError;
use crate::files::tensors;
use crate::formats::{self, Format, Loaded, Parts, TOKENIZER};
use data::Tokenizer;
use data::dataset::END_OF_DOCUMENT;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tensor::Params;

/// A model with its weights and its tokenizer.
///
/// ```no_run
/// use gpt::{Model, ModelCard, formats::GPT2};
/// let model = Model::load("my/best".as_ref())?;
/// let (ids, unknown) = model.encode_known("Once upon a time");
/// model.save("exported".as_ref(), &GPT2, &ModelCard::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Model {
    /// Where it was read from; empty, if it was not.
    pub path: PathBuf,
    /// The layers.
    pub gpt: Gpt,
    /// The weights.
    pub params: Params,
    /// The tokenizer, which has as many tokens as the model or fewer: [`spare_tokens`].
    pub tokenizer: Tokenizer,
    /// What was left out or converted when it was read, a sentence each: for the person who reads it.
    pub notes: Vec<String>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, gpt, .. } = self; // not all the numbers
        f.debug_struct("Model").field("path", path).field("config", &gpt.config).finish_non_exhaustive()
    }
}

impl Model {
    /// A model that was made and not read.
    #[must_use]
    pub fn new(gpt: Gpt, params: Params, tokenizer: Tokenizer) -> Self {
        Self { path: PathBuf::new(), gpt, params, tokenizer, notes: Vec::new() }
    }

    /// Reads a model directory of any of the [`FORMATS`](formats::FORMATS). Where there is a manifest, config, weights and
    /// tokenizer must be what it says (the card may be edited and files added); without one they are read as they are.
    ///
    /// # Errors
    /// Whatever the files are, a [`CheckpointError`] that names the one at fault. Sizes are checked against the config, and
    /// the config against the machine's memory, before the weights are read.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let Loaded { config, tensors, tokenizer, mut notes } = formats::load(path)?;
        let (found, expected) = (tokenizer.vocab_size(), config.vocab_size);
        if found > expected {
            return Err(CheckpointError::Format {
                path: path.join(TOKENIZER),
                problem: format!(
                    "{found} tokens, but the model has weights for {expected}, the vocab_size in config.json: the last {} \
                     have none",
                    found - expected
                ),
                remedy: "use the tokenizer saved with the weights, or call resize_token_embeddings in Python before saving",
            });
        }
        if found < expected {
            notes.push(format!(
                "the model has {expected} rows for the {found} tokens of its tokenizer: the last {} are never generated",
                expected - found
            ));
        }
        let mut params = Params::new();
        let gpt = Gpt::zeros(&config, &mut params);
        tensors::into_params(&tensors, &mut params)
            .map_err(|source| CheckpointError::Tensors { path: path.to_path_buf(), source })?;
        Ok(Self { path: path.to_path_buf(), gpt, params, tokenizer, notes })
    }

    /// Writes the model durably, replacing an older directory.
    ///
    /// # Errors
    /// As [`Format::save`].
    pub fn save(&self, path: &Path, format: &Format, card: &ModelCard) -> Result<(), CheckpointError> {
        self.save_with(path, format, card, &[])
    }

    /// [`Model::save`], with more files beside the model's.
    ///
    /// # Errors
    /// As [`Format::save`].
    pub fn save_with(
        &self,
        path: &Path,
        format: &Format,
        card: &ModelCard,
        more: &[(&str, &[u8])],
    ) -> Result<(), CheckpointError> {
        let tokenizer = self.tokenizer.to_json();
        let parts = Parts { config: &self.gpt.config, params: &self.params, tokenizer: &tokenizer };
        format.save(path, parts, card, more)
    }

    /// [`encode_known`] with this model's tokenizer.
    #[must_use]
    pub fn encode_known(&self, text: &str) -> (Vec<u32>, usize) {
        encode_known(&self.tokenizer, text)
    }

    /// [`first_prompt`] of this model's tokenizer.
    #[must_use]
    pub fn first_prompt(&self) -> String {
        first_prompt(&self.tokenizer)
    }

    /// The token that ends a document, if the tokenizer has one.
    #[must_use]
    pub fn end_of_document(&self) -> Option<u32> {
        self.tokenizer.special(END_OF_DOCUMENT)
    }

    /// [`never_generated`] of this model and its tokenizer.
    #[must_use]
    pub fn never_generated(&self) -> Vec<u32> {
        never_generated(&self.gpt.config, &self.tokenizer)
    }
}

/// Encodes a text and skips the characters that the tokenizer does not know. Returns at least one id, and the number of
/// characters skipped.
#[must_use]
pub fn encode_known(tokenizer: &Tokenizer, text: &str) -> (Vec<u32>, usize) {
    let (mut ids, unknown) = tokenizer.encode_known(text);
    if ids.is_empty() {
        ids.push(0);
    }
    (ids, unknown)
}

/// Where a text begins if nobody says so: with a new line, or with a tokenizer that has none, with its first token that is
/// no unknown word.
///
/// # Panics
/// If the tokenizer has a single token, an unknown word.
#[must_use]
pub fn first_prompt(tokenizer: &Tokenizer) -> String {
    let knows = |text: &str| {
        tokenizer.encode(text).is_ok_and(|ids| ids.iter().all(|&id| Some(id) != tokenizer.unknown_id()))
    };
    let first = u32::from(tokenizer.unknown_id() == Some(0));
    let first = || tokenizer.decode(&[first]).expect("a tokenizer has two tokens");
    if knows("\n") { "\n".to_string() } else { first() }
}

/// The tokens that no sample holds: special ones, such as the marks of hidden words, the word that stands for all unknown
/// ones, and those that are spare. The end of a document may be generated.
#[must_use]
pub fn never_generated(config: &GptConfig, tokenizer: &Tokenizer) -> Vec<u32> {
    let specials = tokenizer.specials().into_iter();
    let specials = specials.filter(|(name, _)| *name != END_OF_DOCUMENT).map(|(_, id)| id);
    specials.chain(tokenizer.unknown_id()).chain(spare_tokens(config, tokenizer)).collect()
}

/// The ids that a model has weights for and its tokenizer has no token: others pad vocabularies to a multiple of 64. They are
/// part of every softmax, as where the model was made, and never generated.
#[must_use]
pub fn spare_tokens(config: &GptConfig, tokenizer: &Tokenizer) -> Range<u32> {
    tokenizer.vocab_size() as u32..config.vocab_size as u32
}

#[cfg(test)]
#[path = "model_dir_tests.rs"]
mod tests;
