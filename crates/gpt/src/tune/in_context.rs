//! Learning from examples that stand before the question, without changing a weight (Brown et al. 2020, arXiv 2005.14165).
//!
//! Which words a model likes, whatever is asked, and which label the last examples have, moves its scores more than the
//! question may. Calibration (Zhao et al. 2021, arXiv 2102.09690) measures it with texts that say nothing and takes it off:
//!
//! calibrated score of a label = score - ln mean of P(label | a text that says nothing)

use super::rows::in_batches;
use super::target::softmax;
use super::words::Words;
use crate::Gpt;
use std::collections::BTreeMap;
use tensor::Params;

/// A model that is shown examples before each question.
pub struct InContext<'a> {
    /// The model.
    pub gpt: &'a Gpt,
    /// Its numbers.
    pub params: &'a Params,
    /// The labels.
    pub words: &'a Words,
    /// The examples, each with what separates it from what comes next.
    pub shots: &'a [Vec<u32>],
    /// Texts that say nothing, to calibrate with; none for scores as they are.
    pub content_free: &'a [Vec<u32>],
}

/// What a model says of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// A score for each label.
    pub scores: Vec<f64>,
    /// How many examples had room before the question.
    pub shots: usize,
}

impl InContext<'_> {
    /// The scores of texts. Where not all examples have room, the first ones are left out, and the question stays whole.
    #[must_use]
    pub fn tell(&self, texts: &[Vec<u32>]) -> Vec<Told> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, text) in texts.iter().enumerate() {
            groups.entry(self.fitting(text.len())).or_default().push(i);
        }
        let mut told = vec![Told { scores: Vec::new(), shots: 0 }; texts.len()];
        for (shots, group) in groups {
            let words = self.words.after(&self.shots[self.shots.len() - shots..].concat());
            let biases = self.biases(&words);
            let texts: Vec<&[u32]> = group.iter().map(|&i| &texts[i][..]).collect();
            for (i, scores) in group.into_iter().zip(self.scores(&words, &texts)) {
                let scores =
                    scores.iter().zip(&biases).map(|(&score, bias)| f64::from(score) - bias).collect();
                told[i] = Told { scores, shots };
            }
        }
        told
    }

    /// How many of the last examples have room before a text of so many tokens.
    fn fitting(&self, tokens: usize) -> usize {
        let mut room = self.words.room(self.gpt.max_tokens(self.params)).saturating_sub(tokens);
        let fits = |shot: &&Vec<u32>| {
            let left = room.checked_sub(shot.len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        self.shots.iter().rev().take_while(fits).count()
    }

    fn scores(&self, words: &Words, texts: &[&[u32]]) -> Vec<Vec<f32>> {
        in_batches(self.params, texts, |_| words.labels(), |tape, texts| words.scores(self.gpt, tape, texts))
    }

    /// What each label scores when nothing is asked.
    fn biases(&self, words: &Words) -> Vec<f64> {
        if self.content_free.is_empty() {
            return vec![0.0; words.labels()];
        }
        let texts: Vec<&[u32]> = self.content_free.iter().map(|text| &text[..]).collect();
        let p: Vec<Vec<f64>> = self.scores(words, &texts).iter().map(|scores| softmax(scores)).collect();
        let mean = |label| p.iter().map(|p: &Vec<f64>| p[label]).sum::<f64>() / p.len() as f64;
        (0..words.labels()).map(|label| random::ln(mean(label).max(1e-300))).collect()
    }
}
