//! Beam search: the likeliest answer, as far as a few beginnings kept at a time can tell.

use crate::config::{Check, ConfigError};
use crate::decode::Decoder;
use serde::{Deserialize, Serialize};

/// How answers are looked for. An answer Y, its end token included, has the score
///
///   log P(Y) / ((5 + |Y|) / 6)^alpha
///
/// (Wu et al. 2016, arXiv 1609.08144, equation 14): longer answers are less likely, token by token, and would always lose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Beam {
    /// Beginnings that are kept; 1 is greedy.
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

/// What may be written.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// The token that ends an answer.
    pub end: u32,
    /// Tokens that are never written.
    pub never: &'a [u32],
    /// Tokens of the longest answer.
    pub most: usize,
}

/// A beginning that is kept.
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
        check.that((1..=1024).contains(&width), "beam", width, "1 to 1024", "4 is usual, 1 is greedy");
        check.that((0.0..=10.0).contains(&alpha), "length_penalty", alpha, "0 to 10", "0.6 is usual");
        check.done()
    }

    fn score(&self, log_p: f64, length: usize) -> f64 {
        log_p / random::exp(self.length_penalty * random::ln((5 + length) as f64 / 6.0))
    }

    /// The `n_best` best answers that it finds, the best first. `logits` are the scores that `decoder`, which has seen the
    /// prompt, gave for the next token.
    ///
    /// It stops as soon as nothing that is kept can become better than they are: no answer gains by going on, and none is
    /// longer than `most`, so log P / penalty(most) bounds what a beginning can still reach.
    ///
    /// # Panics
    /// If `n_best` or the width is 0.
    #[must_use]
    pub fn search(
        &self,
        decoder: Decoder<'_>,
        logits: &[f32],
        limits: Limits<'_>,
        n_best: usize,
    ) -> Vec<Hypothesis> {
        assert!(n_best > 0 && self.width > 0, "an answer and a beam to look for it with");
        let next = log_softmax(logits, limits.never);
        let mut live = vec![Live { ids: Vec::new(), log_p: 0.0, decoder, next }];
        let (mut done, mut spare): (Vec<Hypothesis>, Vec<Decoder<'_>>) = (Vec::new(), Vec::new());
        for length in 1..=limits.most {
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
            let bound = self.score(best, limits.most);
            if steps.is_empty() || (done.len() == n_best && done[n_best - 1].score >= bound) {
                return done;
            }
            live = advance(live, &steps, limits.never, &mut spare);
        }
        for Live { ids, log_p, .. } in live {
            let score = self.score(log_p, ids.len());
            keep(&mut done, Hypothesis { ids, ended: false, log_p, score }, n_best);
        }
        done
    }

    /// The likeliest next tokens of all beginnings, (place in `live`, token, log P), the best first; of equals the one that
    /// comes first. Twice as many as beginnings are kept: each can end, and as many must be left to go on.
    fn candidates(&self, live: &[Live<'_>]) -> Vec<(usize, u32, f64)> {
        let mut all: Vec<(usize, u32, f64)> = Vec::new();
        for (place, beginning) in live.iter().enumerate() {
            let tokens = beginning.next.iter().enumerate().filter(|(_, log_p)| **log_p > f64::NEG_INFINITY);
            all.extend(tokens.map(|(token, log_p)| (place, token as u32, beginning.log_p + log_p)));
        }
        all.sort_by(|a, b| b.2.total_cmp(&a.2)); // stable
        all.truncate(2 * self.width);
        all
    }
}

/// The beginnings that go on. A decoder with several of them is copied; one with none is kept for that.
fn advance<'m>(
    live: Vec<Live<'m>>,
    steps: &[(usize, u32, f64)],
    never: &[u32],
    spare: &mut Vec<Decoder<'m>>,
) -> Vec<Live<'m>> {
    let mut children: Vec<usize> = vec![0; live.len()];
    steps.iter().for_each(|step| children[step.0] += 1);
    let mut parents: Vec<Option<Live<'m>>> = live.into_iter().map(Some).collect();
    for (parent, children) in parents.iter_mut().zip(&children) {
        if *children == 0 {
            spare.extend(parent.take().map(|parent| parent.decoder));
        }
    }
    let mut grown = Vec::with_capacity(steps.len());
    for &(place, token, log_p) in steps {
        children[place] -= 1;
        let parent = parents[place].as_ref().expect("a parent until its last child");
        let mut ids = parent.ids.clone();
        ids.push(token);
        let mut decoder = match (children[place], spare.pop()) {
            (0, unused) => {
                spare.extend(unused);
                parents[place].take().expect("a parent").decoder
            }
            (_, Some(mut decoder)) => {
                decoder.copy_from(&parent.decoder);
                decoder
            }
            (_, None) => parent.decoder.fork(),
        };
        let next = log_softmax(decoder.push(token), never);
        grown.push(Live { ids, log_p, decoder, next });
    }
    grown
}

/// Puts an answer among the `most` best.
fn keep(done: &mut Vec<Hypothesis>, answer: Hypothesis, most: usize) {
    let place = done.partition_point(|other| other.score >= answer.score);
    done.insert(place, answer);
    done.truncate(most);
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
