//! From logits to a token: greedy, or at random by temperature, top-k, top-p and min-p.

use crate::config::{Check, ConfigError};
use random::Rng;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use tensor::Accum;
use tensor::kernels::vmath;

/// How the next token is chosen. The settings work in the order of the fields: the logits are divided
/// by the temperature, then each of the others removes unlikely tokens from what is left, and one of
/// the rest is drawn by its probability.
///
/// [`Sampler::sample`] answers for any logits and any settings; [`Sampler::validate`] says whether
/// settings make sense.
///
/// ```
/// use gpt::sampling::Sampler;
/// use random::{Rng, Stream};
/// let mut rng = Rng::new(1, Stream::Sampling);
/// let logits = [0.1, 2.0, -1.0, 1.9];
/// assert_eq!(Sampler::greedy().sample(&logits, &mut rng), 1);
/// let two = Sampler { temperature: 0.8, top_k: Some(2), ..Sampler::default() };
/// assert!([1, 3].contains(&two.sample(&logits, &mut rng)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampler {
    /// Below 1 the likely become likelier, above 1 all become more alike. 0: always the likeliest.
    pub temperature: f32,
    /// Only the k likeliest (of equals, the lower id). `None` or 0: all.
    pub top_k: Option<usize>,
    /// Only the likeliest whose probabilities reach p together, the one that crosses p included
    /// (nucleus sampling, arXiv 1904.09751). `None` or 1: all.
    pub top_p: Option<f32>,
    /// Only those at least this many times as likely as the likeliest (arXiv 2407.01082). `None` or 0: all.
    pub min_p: Option<f32>,
}

impl Default for Sampler {
    /// The model's own distribution: temperature 1, nothing removed.
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None, min_p: None }
    }
}

/// A token that may be drawn. `weight` is its probability but for a common factor.
#[derive(Clone, Copy)]
struct Candidate {
    id: u32,
    logit: f32,
    weight: f64,
}

impl Sampler {
    /// Always the likeliest token; of equals, the lowest id.
    #[must_use]
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        let t = self.temperature;
        let fine = t.is_finite() && t >= 0.0;
        check.that(fine, "temperature", t, "a finite number, at least 0", "0.8 is usual, 0 is greedy");
        if let Some(p) = self.top_p {
            check.that(p > 0.0 && p <= 1.0, "top_p", p, "above 0 and at most 1", "0.9 is usual, 1 keeps all");
        }
        if let Some(p) = self.min_p {
            check.that((0.0..=1.0).contains(&p), "min_p", p, "0 to 1", "0.05 is usual, 0 keeps all");
        }
        check.done()
    }

    /// The next token. Greedy choice draws nothing from `rng`, any other exactly one `f64`.
    ///
    /// NaN counts as minus infinity: it is never chosen over a number. If there is no number at all
    /// the answer is 0. A temperature that is negative or NaN is greedy.
    #[must_use]
    pub fn sample(&self, logits: &[f32], rng: &mut Rng) -> u32 {
        if self.is_greedy() {
            return likeliest(logits);
        }
        let candidates = self.candidates(logits);
        let total: f64 = candidates.iter().map(|c| c.weight).sum();
        let mut left = rng.f64() * total;
        let mut chosen = 0;
        // The last of positive weight is the answer if rounding leaves a little over.
        for candidate in candidates.iter().filter(|c| c.weight > 0.0) {
            chosen = candidate.id;
            left -= candidate.weight;
            if left < 0.0 {
                break;
            }
        }
        chosen
    }

    /// The tokens that [`Sampler::sample`] chooses from, with their probabilities, the likeliest first.
    /// The probabilities add up to 1.
    #[must_use]
    pub fn distribution(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        if self.is_greedy() {
            return vec![(likeliest(logits), 1.0)];
        }
        let mut candidates = self.candidates(logits);
        candidates.sort_unstable_by(by_rank);
        let total: f64 = candidates.iter().map(|c| c.weight).sum();
        candidates.iter().map(|c| (c.id, c.weight / total)).filter(|(_, p)| *p > 0.0).collect()
    }

    fn is_greedy(&self) -> bool {
        !(self.temperature > 0.0) // NaN too
    }

    fn candidates(&self, logits: &[f32]) -> Vec<Candidate> {
        let mut candidates = weigh(logits, self.temperature);
        if let Some(k) = self.top_k.filter(|&k| k > 0 && k < candidates.len()) {
            candidates.select_nth_unstable_by(k - 1, by_rank);
            candidates.truncate(k);
        }
        if let Some(p) = self.top_p.filter(|&p| p < 1.0) {
            candidates.sort_unstable_by(by_rank);
            let total: f64 = candidates.iter().map(|c| c.weight).sum();
            let enough = f64::from(p) * total;
            let mut sum = 0.0;
            let crossing = candidates.iter().position(|c| {
                sum += c.weight;
                sum >= enough
            });
            candidates.truncate(crossing.map_or(candidates.len(), |crossing| crossing + 1));
        }
        if let Some(p) = self.min_p {
            // The likeliest weighs 1; it stays whatever p is.
            let least = f64::from(p).min(1.0);
            candidates.retain(|c| !(c.weight < least));
        }
        // Which one a random number hits depends on the order, so fix it.
        candidates.sort_unstable_by_key(|c| c.id);
        candidates
    }
}

/// The likelier first; of equals, the lower id. No two candidates are equal in this order.
fn by_rank(a: &Candidate, b: &Candidate) -> Ordering {
    b.logit.partial_cmp(&a.logit).unwrap_or(Ordering::Equal).then(a.id.cmp(&b.id))
}

/// NaN as the lowest, plus infinity as the largest number, so that differences are defined.
fn ordered(logit: f32) -> f32 {
    if logit.is_nan() { f32::NEG_INFINITY } else { logit.min(f32::MAX) }
}

fn likeliest(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (id, logit) in (0..).zip(logits.iter().copied().map(ordered)) {
        if logit > best.1 {
            best = (id, logit);
        }
    }
    best.0
}

/// Every token with e^((logit - largest logit) / temperature): the softmax but for its divisor, and
/// without overflow.
fn weigh(logits: &[f32], temperature: f32) -> Vec<Candidate> {
    let highest = logits.iter().copied().map(ordered).fold(f32::NEG_INFINITY, f32::max);
    if highest == f32::NEG_INFINITY {
        return vec![Candidate { id: 0, logit: highest, weight: 1.0 }];
    }
    // In f64: the difference of two finite f32 can overflow.
    let scale =
        |&logit: &f32| ((f64::from(ordered(logit)) - f64::from(highest)) / f64::from(temperature)) as f32;
    // -infinity stays what it is at an infinite temperature, where the quotient is NaN.
    let scaled: Vec<f32> =
        logits.iter().map(scale).map(|x| if x.is_nan() { f32::NEG_INFINITY } else { x }).collect();
    let mut weights = vec![0.0; scaled.len()];
    vmath::map(vmath::Exp, [&scaled], &mut weights, Accum::Replace);
    let all = (0..).zip(logits).zip(weights);
    all.map(|((id, &logit), weight)| Candidate { id, logit: ordered(logit), weight: f64::from(weight) })
        .collect()
}

#[cfg(test)]
#[path = "sampling_tests.rs"]
mod tests;
