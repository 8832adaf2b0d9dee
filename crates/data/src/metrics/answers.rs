//! Answers in words beside the right ones, by the usual metrics at once.

use super::{Bleu, Chrf, Rouge, RougeKind, TextMetric, Tokenization};
use crate::han::is_han;

/// How near answers come to references, one each.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerScores {
    /// The share that is the same, but for space at the ends.
    pub exact_match: f64,
    /// [`Bleu`], from 0 to 100, with Chinese characters as tokens if there are any in the references.
    pub bleu: f64,
    /// How BLEU was computed.
    pub bleu_signature: String,
    /// [`Chrf`], from 0 to 100.
    pub chrf: f64,
    /// ROUGE-L, from 0 to 100.
    pub rouge_l: f64,
}

impl AnswerScores {
    /// Of answers and their references.
    ///
    /// ```
    /// use data::metrics::AnswerScores;
    /// let scores = AnswerScores::of(&["a b c d e", "x"], &["a b c d e", "y"]);
    /// assert_eq!((scores.exact_match, scores.rouge_l), (0.5, 50.0));
    /// ```
    ///
    /// # Panics
    /// If there are not as many answers as references.
    #[must_use]
    pub fn of<A: AsRef<str>, R: AsRef<str>>(answers: &[A], references: &[R]) -> Self {
        assert_eq!(answers.len(), references.len(), "a reference an answer");
        let pairs = || answers.iter().map(AsRef::as_ref).zip(references.iter().map(AsRef::as_ref));
        let segments: Vec<(&str, Vec<&str>)> = pairs().map(|(answer, right)| (answer, vec![right])).collect();
        let exact = pairs().filter(|(answer, right)| answer.trim() == right.trim()).count();
        let chinese = references.iter().any(|right| right.as_ref().contains(is_han));
        let tokenization = if chinese { Tokenization::Zh } else { Tokenization::default() };
        let bleu = Bleu { tokenization, references: 1 };
        let rouge =
            Rouge::ALL.into_iter().find(|rouge| rouge.kind == RougeKind::Longest).expect("one of all");
        Self {
            exact_match: exact as f64 / answers.len().max(1) as f64,
            bleu: bleu.corpus(&segments),
            bleu_signature: bleu.signature(),
            chrf: Chrf { references: 1 }.corpus(&segments),
            rouge_l: rouge.corpus(&segments),
        }
    }
}
