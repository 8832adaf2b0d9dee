//! What keeps a classifier from learning its examples by heart.
//!
//! Two readings of a text, each without some of its tokens and with dropout masks of its own, are to agree with the label and with
//! each other (R-Drop: Wu et al. 2021, arXiv 2106.14448). With s and t the scores of the two, and P and Q their softmax:
//!
//! L = (L(s) + L(t)) / 2 + alpha/4 (KL(P || Q) + KL(Q || P))
//!
//! which is half of the paper's, so that a learning rate means the same. The logarithms need no softmax: the normalizers of
//! ln P - ln Q = s - t - (lse s - lse t) cancel, since P and Q have the same sum:
//!
//! KL(P || Q) + KL(Q || P) = sum over labels of (P - Q)(ln P - ln Q) = sum over labels of (P - Q)(s - t)

use super::target::Targets;
use ndarray::ArrayD;
use random::{Rng, Stream};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tensor::{Tape, Var};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The share of a text's tokens that are left out, others in each reading: word dropout (Iyyer et al. 2015, section 3.2).
    pub token_dropout: f32,
    /// alpha: how much it counts that two readings agree; 0 for one reading.
    pub r_drop: f32,
}

impl Noise {
    /// Readings of each text in an update.
    pub(super) fn readings(&self) -> usize {
        if self.r_drop > 0.0 { 2 } else { 1 }
    }

    /// The texts without the tokens that are left out this time. One of which nothing would be left stays as it is.
    pub(super) fn read<'a>(&self, tape: &Tape<'_>, texts: &[&'a [u32]]) -> Vec<Cow<'a, [u32]>> {
        let seed = Some(tape).filter(|_| self.token_dropout > 0.0).and_then(Tape::next_dropout_seed);
        let Some(seed) = seed else { return texts.iter().copied().map(Cow::Borrowed).collect() };
        let mut rng = Rng::new(seed, Stream::Data);
        let mut read = |&text: &&'a [u32]| {
            let kept: Vec<u32> = text.iter().copied().filter(|_| rng.f32() >= self.token_dropout).collect();
            if kept.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(kept) }
        };
        texts.iter().map(&mut read).collect()
    }

    /// The loss of some examples, whose scores (B, outputs) `scores` has for a reading of their texts.
    pub(super) fn loss<'t>(
        &self,
        tape: &'t Tape<'_>,
        texts: &[&[u32]],
        (targets, examples, total_weight): (&Targets, &[usize], f32),
        scores: impl Fn(&[&[u32]]) -> Var<'t>,
    ) -> Var<'t> {
        let reading = || {
            let read = self.read(tape, texts);
            scores(&read.iter().map(|text| &text[..]).collect::<Vec<_>>())
        };
        let s = reading();
        let loss = targets.loss(s, examples, total_weight);
        if self.readings() == 1 {
            return loss;
        }
        let t = reading();
        let both = (loss + targets.loss(t, examples, total_weight)) * 0.5;
        let rows = examples.len(); // (B, 1, outputs) or (B, outputs)
        let [s, t] = [s, t].map(|scores| scores.reshape([rows, scores.shape().elements() / rows]));
        let apart = match targets {
            Targets::Labels(..) => (s.softmax() - t.softmax()) * (s - t), // (B, labels)
            Targets::Numbers(_) => (s - t) * (s - t), // (B, 1): of two normal distributions
        };
        let weights: Vec<f32> = examples.iter().map(|&i| targets.weight(i)).collect();
        let weights = ArrayD::from_shape_vec(vec![rows, 1], weights).expect("a weight an example");
        let weights = tape.constant(&weights).broadcast_to(apart.shape());
        both + (apart * weights).sum() * (0.25 * self.r_drop / total_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::{DropoutSeeds, Params, Workspace};

    #[test]
    fn other_tokens_are_left_out_in_each_reading_and_none_of_a_text_that_is_measured() {
        let (params, workspace) = (Params::new(), Workspace::new());
        let text: Vec<u32> = (0..10_000).collect();
        let noise = Noise { token_dropout: 0.2, r_drop: 0.0 };
        let tape = Tape::new(&params, &workspace).with_dropout(DropoutSeeds::new(1, 2));
        let [a, b] = [0, 1].map(|_| noise.read(&tape, &[&text, &text[..1]]));
        assert!((a[0].len() as f32 - 8000.0).abs() < 200.0 && a[0] != b[0], "{}", a[0].len());
        assert!(a[0].windows(2).all(|pair| pair[0] < pair[1]), "in their order");
        assert!(a[1].len() == 1 && b[1].len() == 1, "never nothing");
        let again = Tape::new(&params, &workspace).with_dropout(DropoutSeeds::new(1, 2));
        assert_eq!(noise.read(&again, &[&text, &text[..1]]), a, "a function of the pass");
        for tape in [Tape::no_grad(&params, &workspace), Tape::new(&params, &workspace)] {
            assert_eq!(noise.read(&tape, &[&text])[0], text);
        }
    }

    /// The formula with logarithms, as the paper has it.
    #[test]
    fn readings_are_apart_by_both_divergences() {
        let (params, workspace) = (Params::new(), Workspace::new());
        let tape = Tape::new(&params, &workspace);
        let rows = |numbers: &[f32]| {
            tape.constant(&ArrayD::from_shape_vec(vec![2, 3], numbers.to_vec()).expect("two texts"))
        };
        let scores = [rows(&[1.0, -0.5, 2.0, 0.0, 3.0, 1.0]), rows(&[0.5, 0.5, -1.0, 2.0, 2.5, 0.0])];
        let targets = Targets::labels(vec![2, 1], &[1.0, 0.5, 2.0]);
        let weights = [2.0, 0.5];
        let noise = Noise { token_dropout: 0.0, r_drop: 3.0 };
        let next = std::cell::Cell::new(0);
        let loss = noise.loss(&tape, &[&[1], &[2]], (&targets, &[0, 1], 2.5), |_| {
            next.set(next.get() + 1);
            scores[next.get() - 1]
        });
        let p = |reading: usize, text: usize, label: usize| {
            let value = scores[reading].value();
            let sum: f64 = (0..3).map(|i| f64::from(value[[text, i]]).exp()).sum();
            f64::from(value[[text, label]]).exp() / sum
        };
        let mut expected = 0.0;
        for (text, label) in [(0, 2), (1, 1)] {
            let cross = -(p(0, text, label).ln() + p(1, text, label).ln()) / 2.0;
            let kl = |a: usize, b: usize| -> f64 {
                (0..3).map(|i| p(a, text, i) * (p(a, text, i) / p(b, text, i)).ln()).sum()
            };
            expected += weights[text] / 2.5 * (cross + 0.75 * (kl(0, 1) + kl(1, 0)));
        }
        assert!((f64::from(loss.item()) - expected).abs() < 1e-5, "{} {expected}", loss.item());
    }
}
