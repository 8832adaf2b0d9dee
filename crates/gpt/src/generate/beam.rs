//! Beam search: the likeliest answer, as far as a few hypotheses kept at a time can tell.

use super::Decoder;
use crate::config::{Check, ConfigError};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// How answers are looked for. An answer Y, its end token included, has the score
///
///   log P(Y) / ((5 + |Y|) / 6)^alpha
///
/// (Wu et al. 2016, arXiv 1609.08144, equation 14): longer answers are less likely, token by token, and would always lose.
///
/// A beam of one follows the likeliest tokens like greedy sampling, but does not stop at an end token where a longer answer
/// can still get a better score: with a length penalty it may return another answer than greedy sampling, one with a
/// score at least as good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Beam {
    /// Hypotheses that are kept.
    pub width: usize,
    /// alpha, the length penalty: 0 scores by probability alone.
    pub length_penalty: f64,
}

impl Default for Beam {
    fn default() -> Self {
        Self { width: 4, length_penalty: 0.6 }
    }
}

/// An answer that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, without the end token.
    pub ids: Vec<u32>,
    /// Whether it ended, rather than having become as long as an answer may be.
    pub ended: bool,
    /// log P of its tokens and of its end, if it ended, in nats.
    pub log_p: f64,
    /// [`Beam`]'s score.
    pub score: f64,
}

/// What may be generated.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// The token that ends an answer.
    pub end: u32,
    /// Tokens that are never generated.
    pub never: &'a [u32],
    /// Tokens of the longest answer.
    pub max: usize,
}

/// A hypothesis that goes on.
struct Live<'m> {
    ids: Vec<u32>,
    log_p: f64,
    /// Has seen the prompt and `ids`.
    decoder: Decoder<'m>,
    /// log P of each next token: (V,)
    next: Vec<f64>,
}

impl Beam {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        let (width, alpha) = (self.width, self.length_penalty);
        check.that((1..=1024).contains(&width), "beam", width, "1 to 1024", "4 is usual");
        check.that((0.0..=10.0).contains(&alpha), "length_penalty", alpha, "0 to 10", "0.6 is usual");
        check.done()
    }

    fn score(&self, log_p: f64, length: usize) -> f64 {
        log_p / random::exp(self.length_penalty * random::ln((5 + length) as f64 / 6.0))
    }

    /// The `n_best` best answers that it finds, the best first, after the prompt that `decoder` has seen.
    ///
    /// It stops as soon as nothing that is kept can become better than they are: no answer gains by going on, and none is
    /// longer than `max`, so log P / penalty(max) bounds what a hypothesis can still reach.
    ///
    /// # Panics
    /// If `n_best` or the width is 0.
    #[must_use]
    pub fn search(&self, decoder: Decoder<'_>, limits: Limits<'_>, n_best: usize) -> Vec<Hypothesis> {
        assert!(n_best > 0 && self.width > 0, "an answer and a beam to look for it with");
        let next = log_softmax(decoder.logits(), limits.never);
        let mut live = vec![Live { ids: Vec::new(), log_p: 0.0, decoder, next }];
        let mut done: Vec<Hypothesis> = Vec::new();
        for length in 1..=limits.max {
            let mut steps = Vec::new();
            for (rank, (place, token, log_p)) in self.candidates(&live).into_iter().enumerate() {
                if token != limits.end {
                    steps.push((place, token, log_p));
                } else if rank < self.width {
                    let (ids, score) = (live[place].ids.clone(), self.score(log_p, length));
                    keep(&mut done, Hypothesis { ids, ended: true, log_p, score }, n_best);
                }
            }
            steps.truncate(self.width);
            let best = steps.iter().map(|step| step.2).fold(f64::NEG_INFINITY, f64::max);
            let bound = self.score(best, limits.max);
            if steps.is_empty() || (done.len() == n_best && done[n_best - 1].score >= bound) {
                return done;
            }
            live = advance(live, &steps, limits.never);
        }
        for Live { ids, log_p, .. } in live {
            let score = self.score(log_p, ids.len());
            keep(&mut done, Hypothesis { ids, ended: false, log_p, score }, n_best);
        }
        done
    }

    /// The likeliest next tokens of all hypotheses, (place in `live`, token, log P), the best first; of equals the one that
    /// comes first. Twice as many as hypotheses are kept: each can end, and as many must be left to go on.
    fn candidates(&self, live: &[Live<'_>]) -> Vec<(usize, u32, f64)> {
        let count = 2 * self.width;
        let mut all: Vec<(usize, u32, f64)> = Vec::new();
        for (place, hypothesis) in live.iter().enumerate() {
            let tokens = hypothesis.next.iter().enumerate().filter(|(_, log_p)| **log_p > f64::NEG_INFINITY);
            all.extend(tokens.map(|(token, log_p)| (place, token as u32, hypothesis.log_p + log_p)));
            if all.len() > count {
                all.select_nth_unstable_by(count - 1, by_rank);
                all.truncate(count);
            }
        }
        all.sort_unstable_by(by_rank);
        all
    }
}

/// The likelier first; of equals the hypothesis, then the token, that comes first.
fn by_rank(a: &(usize, u32, f64), b: &(usize, u32, f64)) -> Ordering {
    b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1)))
}

/// The hypotheses that go on, computed together. One that goes on in several ways is copied.
fn advance<'m>(live: Vec<Live<'m>>, steps: &[(usize, u32, f64)], never: &[u32]) -> Vec<Live<'m>> {
    let mut children: Vec<usize> = vec![0; live.len()];
    steps.iter().for_each(|step| children[step.0] += 1);
    let mut parents: Vec<Option<Live<'m>>> = live.into_iter().map(Some).collect();
    let mut grown = Vec::with_capacity(steps.len());
    for &(place, token, log_p) in steps {
        children[place] -= 1;
        let parent = parents[place].as_ref().expect("a parent until its last child");
        let mut ids = parent.ids.clone();
        ids.push(token);
        let decoder = match children[place] {
            0 => parents[place].take().expect("a parent").decoder,
            _ => parent.decoder.clone(),
        };
        grown.push(Live { ids, log_p, decoder, next: Vec::new() });
    }
    let tokens: Vec<u32> = steps.iter().map(|step| step.1).collect();
    Decoder::push_each(&mut grown.iter_mut().map(|live| &mut live.decoder).collect::<Vec<_>>(), &tokens);
    grown.iter_mut().for_each(|live| live.next = log_softmax(live.decoder.logits(), never));
    grown
}

/// Puts an answer among the `n_best` best.
fn keep(done: &mut Vec<Hypothesis>, answer: Hypothesis, n_best: usize) {
    let place = done.partition_point(|other| other.score >= answer.score);
    done.insert(place, answer);
    done.truncate(n_best);
}

/// log P of each token, those of `never` left out.
fn log_softmax(logits: &[f32], never: &[u32]) -> Vec<f64> {
    let mut logits: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
    never.iter().for_each(|&token| logits[token as usize] = f64::NEG_INFINITY);
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| random::exp(x - max)).sum();
    let lse = max + random::ln(sum);
    logits.iter_mut().for_each(|x| *x -= lse);
    logits
}
