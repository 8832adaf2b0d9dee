//! The numbers of the objectives, with the values of their papers.

use crate::DataError;
use serde::{Deserialize, Serialize};

/// What can be set about objectives. The defaults are those of the papers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveSettings {
    /// The share of the tokens that is hidden, by `mlm`, `span`, `span-mask` and `glm`: 0.15 (BERT, T5).
    pub mask_rate: f64,
    /// What is put where a token was, by `mlm` and `span-mask`: `[MASK]`, a random token, or the token
    /// itself: 0.8, 0.1, 0.1 (BERT).
    pub mask_split: MaskSplit,
    /// Whether `mlm` and `span-mask` ask for a token at the position before it, as a language model is asked,
    /// so that both use the same output layer: false (BehnamGhader et al., LLM2Vec, arXiv 2404.05961).
    pub mntp: bool,
    /// The mean length of the spans of `span`: 3 (T5).
    pub span_mean: f64,
    /// The length of every span of `span` and `glm` instead of random ones: none. The best possible loss
    /// is then known exactly, see `span_floor` in `synth::process::objectives`.
    pub span_length: Option<usize>,
    /// The mean length of the spans of `glm`: 3 (GLM).
    pub glm_mean: f64,
    /// The probability with which a span of `span-mask` ends after each token: 0.2 (SpanBERT).
    pub geometric: f64,
    /// The longest span of `span-mask`: 10 (SpanBERT).
    pub longest_span: usize,
    /// The share of the rows that `fim` rearranges: 0.5 (FIM; the paper tried up to 0.9).
    pub fim_rate: f64,
    /// The share of those in the order suffix, prefix, middle instead of prefix, suffix, middle: 0.5 (FIM).
    pub spm_rate: f64,
}

impl Default for ObjectiveSettings {
    fn default() -> Self {
        ObjectiveSettings {
            mask_rate: 0.15,
            mask_split: MaskSplit::BERT,
            mntp: false,
            span_mean: 3.0,
            span_length: None,
            glm_mean: 3.0,
            geometric: 0.2,
            longest_span: 10,
            fim_rate: 0.5,
            spm_rate: 0.5,
        }
    }
}

impl ObjectiveSettings {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self) -> Result<(), DataError> {
        let split = self.mask_split;
        let shares = [split.mask, split.random, split.keep];
        let is_share = |x: f64| (0.0..=1.0).contains(&x);
        let is_split = shares.iter().all(|&x| is_share(x)) && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9;
        let is_rate = 0.0 < self.mask_rate && self.mask_rate <= 0.9;
        let is_mean = |x: f64| (1.0..=1e6).contains(&x);
        let is_geometric = (0.001..=1.0).contains(&self.geometric); // with less, hardly a span is short enough
        let show = |x: f64| x.to_string();
        let length = self.span_length.map_or_else(String::new, |n| n.to_string());
        let checks = [
            ("mask_rate", is_rate, show(self.mask_rate), "more than 0 and at most 0.9"),
            ("mask_split", is_split, split.to_string(), "three shares of 0 to 1 that add up to 1"),
            ("span_mean", is_mean(self.span_mean), show(self.span_mean), "1 to 1000000"),
            ("span_length", self.span_length != Some(0), length, "at least 1"),
            ("glm_mean", is_mean(self.glm_mean), show(self.glm_mean), "1 to 1000000"),
            ("geometric", is_geometric, show(self.geometric), "0.001 to 1"),
            ("longest_span", self.longest_span > 0, self.longest_span.to_string(), "at least 1"),
            ("fim_rate", is_share(self.fim_rate), show(self.fim_rate), "0 to 1"),
            ("spm_rate", is_share(self.spm_rate), show(self.spm_rate), "0 to 1"),
        ];
        match checks.into_iter().find(|(_, is_right, ..)| !is_right) {
            Some((name, _, found, expected)) => Err(DataError::InvalidSetting { name, found, expected }),
            None => Ok(()),
        }
    }
}

/// What is put where a chosen token was.
///
/// ```
/// use data::objective::MaskSplit;
/// assert_eq!("0.8,0.1,0.1".parse::<MaskSplit>()?, MaskSplit::BERT);
/// assert_eq!("1,0,0".parse::<MaskSplit>()?, MaskSplit::PURE);
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MaskSplit {
    /// The share of `[MASK]`.
    pub mask: f64,
    /// The share of random tokens, all equally likely and never special ones.
    pub random: f64,
    /// The share that stays as it is, though it is asked for.
    pub keep: f64,
}

impl MaskSplit {
    /// 80 %, 10 %, 10 %.
    pub const BERT: MaskSplit = MaskSplit { mask: 0.8, random: 0.1, keep: 0.1 };
    /// Always `[MASK]`.
    pub const PURE: MaskSplit = MaskSplit { mask: 1.0, random: 0.0, keep: 0.0 };

    /// Whether nothing but `[MASK]` is put.
    pub fn is_pure(&self) -> bool {
        self.random == 0.0 && self.keep == 0.0
    }
}

impl TryFrom<String> for MaskSplit {
    type Error = DataError;

    fn try_from(text: String) -> Result<MaskSplit, DataError> {
        text.parse()
    }
}

impl From<MaskSplit> for String {
    fn from(split: MaskSplit) -> String {
        split.to_string()
    }
}

impl std::fmt::Display for MaskSplit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},{}", self.mask, self.random, self.keep)
    }
}

impl std::str::FromStr for MaskSplit {
    type Err = DataError;

    fn from_str(text: &str) -> Result<MaskSplit, DataError> {
        let shares: Result<Vec<f64>, _> = text.split(',').map(|share| share.trim().parse()).collect();
        let split = match shares.as_deref() {
            Ok(&[mask, random, keep]) => Some(MaskSplit { mask, random, keep }),
            _ => None,
        };
        let is_right = |split: &MaskSplit| {
            ObjectiveSettings { mask_split: *split, ..ObjectiveSettings::default() }.check().is_ok()
        };
        split.filter(is_right).ok_or_else(|| DataError::InvalidSetting {
            name: "mask_split",
            found: format!("{text:?}"),
            expected: "three shares that add up to 1 (mask, random, keep), such as 0.8,0.1,0.1",
        })
    }
}
