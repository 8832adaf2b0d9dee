//! What all augmentation has in common, and back-translation, which needs a model.

use crate::DataError;
use random::Rng;

/// Something that says a text in other words.
pub trait Paraphrase {
    /// At most `n` texts that mean the same, all different from each other and from `text`. Fewer, or
    /// none, if there is not much to change.
    ///
    /// # Errors
    /// If the text cannot be read by what does the work, such as a model.
    fn paraphrases(&self, text: &str, n: usize, rng: &mut Rng) -> Result<Vec<String>, DataError>;
}

/// Something that translates, in one direction: a model, or a table.
pub trait Translate {
    /// The text in the other language. A translation may be drawn at random: sampled ones make better
    /// training data than the likeliest one (Edunov 2018, arXiv 1808.09381).
    ///
    /// # Errors
    /// If the text cannot be read by the model.
    fn translate(&self, text: &str, rng: &mut Rng) -> Result<String, DataError>;
}

impl<F: Fn(&str, &mut Rng) -> Result<String, DataError>> Translate for F {
    fn translate(&self, text: &str, rng: &mut Rng) -> Result<String, DataError> {
        self(text, rng)
    }
}

/// Paraphrases by a translation into another language and back.
#[derive(Clone, Debug)]
pub struct BackTranslation<F, B> {
    /// Into the other language.
    pub forth: F,
    /// Back again.
    pub back: B,
}

impl<F: Translate, B: Translate> Paraphrase for BackTranslation<F, B> {
    fn paraphrases(&self, text: &str, n: usize, rng: &mut Rng) -> Result<Vec<String>, DataError> {
        let mut variants = Variants::of(text);
        for _ in 0..n {
            let there = self.forth.translate(text, rng)?;
            variants.add(self.back.translate(&there, rng)?);
        }
        Ok(variants.texts)
    }
}

/// Texts that differ from the original and from each other.
pub(super) struct Variants<'a> {
    original: &'a str,
    pub(super) texts: Vec<String>,
}

impl<'a> Variants<'a> {
    pub(super) fn of(original: &'a str) -> Self {
        Variants { original, texts: Vec::new() }
    }

    /// Takes a text if it is new, and says whether it was.
    pub(super) fn add(&mut self, text: String) -> bool {
        let new = text != self.original && !self.texts.contains(&text);
        if new {
            self.texts.push(text);
        }
        new
    }
}
