//! How good a segmentation is: words are right if both their ends are (Emerson 2005, SIGHAN bakeoff).

use super::{Gold, Method, Segmenter};
use std::ops::AddAssign;

/// Counts of words, and the ratios made from them. A punctuation mark is a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Words of the gold text.
    pub gold: usize,
    /// Words that the method found.
    pub found: usize,
    /// Words in both, at the same place.
    pub correct: usize,
    /// Words of the gold text that the dictionary lacks (out of vocabulary).
    pub oov: usize,
    /// Those of them that were found.
    pub oov_correct: usize,
}

impl Score {
    /// Compares a method with gold text.
    pub fn of(segmenter: &Segmenter, gold: &Gold, method: Method) -> Score {
        let mut score = Score::default();
        for sentence in &gold.sentences {
            let text: String = sentence.concat();
            let found = spans(segmenter.segment(&text, method));
            let is_found = |span: &(usize, usize)| found.binary_search(span).is_ok();
            score.gold += sentence.len();
            score.found += found.len();
            for (word, span) in sentence.iter().zip(spans(sentence.iter().map(String::as_str))) {
                let (oov, correct) = (!segmenter.dict().contains(word), is_found(&span));
                score.correct += usize::from(correct);
                score.oov += usize::from(oov);
                score.oov_correct += usize::from(oov && correct);
            }
        }
        score
    }

    /// The share of the words found that is right.
    pub fn precision(&self) -> f64 {
        ratio(self.correct, self.found)
    }

    /// The share of the gold words that was found.
    pub fn recall(&self) -> f64 {
        ratio(self.correct, self.gold)
    }

    /// The harmonic mean of precision P and recall R: 2PR / (P+R) = 2 correct / (gold + found).
    pub fn f1(&self) -> f64 {
        ratio(2 * self.correct, self.gold + self.found)
    }

    /// The share of the words that the dictionary lacks.
    pub fn oov_rate(&self) -> f64 {
        ratio(self.oov, self.gold)
    }

    /// The share of those that was found.
    pub fn oov_recall(&self) -> f64 {
        ratio(self.oov_correct, self.oov)
    }
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Score) {
        self.gold += other.gold;
        self.found += other.found;
        self.correct += other.correct;
        self.oov += other.oov;
        self.oov_correct += other.oov_correct;
    }
}

/// The score of each fold: sentences `fold, fold + folds, ...` after training on all others.
///
/// # Panics
/// If `folds` is below 2: there would be nothing to train on.
pub fn cross_validate(gold: &Gold, folds: usize, method: Method) -> Vec<Score> {
    assert!(folds >= 2, "cross_validate: expected at least 2 folds, found {folds}");
    let score = |fold| {
        let (train, held_out) = gold.split(fold, folds);
        Score::of(&Segmenter::from_gold(&train), &held_out, method)
    };
    (0..folds).map(score).collect()
}

/// Where words begin and end, in bytes of the text without spaces; in rising order.
fn spans<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<(usize, usize)> {
    let mut end = 0;
    let span = |word: &str| {
        let start = end;
        end += word.len();
        (start, end)
    };
    words.into_iter().map(span).collect()
}

/// 0 of 0 is 0: nothing was found.
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
