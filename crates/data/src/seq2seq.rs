//! Pairs of texts as tokens: a sentence and its translation, a document and its summary.
//!
//! ```text
//! It rained . <|sep|> 下雨了 。 <|end|>
//! ```
//!
//! One decoder does it, as a prefix language model (Raffel et al. 2020, arXiv 1910.10683, section 3.2.1): the source and
//! `<|sep|>` see each other from both sides, the target sees them and what of itself stands before. Only the target and its
//! `<|end|>` are learned. The two markers are special tokens, which no text is ever encoded as.

use crate::{DataError, Example, MaskSpec, Tokenizer};

/// Between source and target.
const SEP: &str = "<|sep|>";
/// After the target.
const END: &str = "<|end|>";

/// Turns pairs into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairTemplate {
    /// The token between source and target.
    pub sep: u32,
    /// The token after the target: where an answer ends.
    pub end: u32,
}

impl PairTemplate {
    /// The special tokens that a tokenizer needs.
    #[must_use]
    pub fn specials() -> Vec<&'static str> {
        vec![SEP, END]
    }

    /// The template for a tokenizer that has the markers.
    ///
    /// # Errors
    /// If it lacks one.
    pub fn new(tokenizer: &Tokenizer) -> Result<PairTemplate, DataError> {
        let [sep, end] =
            tokenizer.required_specials([SEP, END], "use a model of newleaf finetune seq2seq")?;
        Ok(PairTemplate { sep, end })
    }

    /// What the model is given to find the target of a source: its first tokens, at most `most` with the marker, and whether
    /// that is less than all.
    ///
    /// # Panics
    /// If `most` is 0.
    #[must_use]
    pub fn prompt(&self, source: &[u32], most: usize) -> (Vec<u32>, bool) {
        let kept = source.len().min(most - 1);
        ([&source[..kept], &[self.sep]].concat(), kept < source.len())
    }

    /// The example that teaches a pair to a model whose context is `block_size` tokens. `None` if they do not fit: half of a
    /// target would teach to stop in the middle, and half of a source to invent the rest.
    ///
    /// ```
    /// use data::seq2seq::PairTemplate;
    /// let template = PairTemplate { sep: 8, end: 9 };
    /// let example = template.example(&[1, 2], &[5], 8).unwrap();
    /// assert_eq!((example.ids, example.labels[2..].to_vec()), (vec![1, 2, 8, 5], vec![5, 9]));
    /// assert_eq!(example.weights, [0.0, 0.0, 1.0, 1.0]);
    /// assert_eq!(example.mask, data::MaskSpec::Prefix { len: 3 });
    /// assert_eq!(template.example(&[1, 2], &[5], 3), None);
    /// ```
    #[must_use]
    pub fn example(&self, source: &[u32], target: &[u32], block_size: usize) -> Option<Example> {
        let prefix = source.len() + 1;
        let row = [source, &[self.sep], target, &[self.end]].concat();
        (row.len() <= block_size + 1)
            .then(|| Example::predict_from(&row, prefix, MaskSpec::Prefix { len: prefix as u32 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CharTokenizer;
    use proptest::prelude::*;

    #[test]
    fn a_vocabulary_without_markers_is_refused() {
        let plain = Tokenizer::Char(CharTokenizer::from_text("ab").unwrap());
        assert!(PairTemplate::new(&plain).unwrap_err().to_string().contains("<|sep|>"));
        let with = plain.with_specials(&PairTemplate::specials()).unwrap();
        assert_eq!(PairTemplate::new(&with).unwrap(), PairTemplate { sep: 2, end: 3 });
    }

    proptest! {
        /// What is learned is the target and its end, from what the prompt is; and the prefix is the prompt.
        #[test]
        fn the_prompt_is_what_training_shows(
            source in prop::collection::vec(0..8_u32, 0..9), target in prop::collection::vec(0..8_u32, 0..9), room in 1..20_usize,
        ) {
            let template = PairTemplate { sep: 8, end: 9 };
            let (prompt, cut) = template.prompt(&source, room);
            prop_assert!(prompt.len() <= room && prompt.last() == Some(&8));
            prop_assert_eq!(cut, prompt.len() <= source.len());
            let fits = source.len() + target.len() < room; // with both markers, and one position less than tokens
            let example = template.example(&source, &target, room);
            prop_assert_eq!(example.is_some(), fits);
            if let Some(example) = example {
                let prefix = template.prompt(&source, usize::MAX).0;
                prop_assert_eq!(&example.ids[..prefix.len()], &prefix[..]);
                let learned: Vec<u32> =
                    (0..example.ids.len()).filter(|&i| example.weights[i] > 0.0).map(|i| example.labels[i]).collect();
                prop_assert_eq!(learned, [&target[..], &[9]].concat());
                prop_assert_eq!(example.mask, MaskSpec::Prefix { len: prefix.len() as u32 });
            }
        }
    }
}
