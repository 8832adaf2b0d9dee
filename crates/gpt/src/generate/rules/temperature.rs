//! Weights from scores.

use super::rule::{Candidate, Candidates, Rule, RuleKind, number};
use crate::config::Check;
use tensor::Accum;
use tensor::kernels::vmath;

/// Scores are divided by the temperature before they become probabilities: below 1 the likely become likelier, above 1 all
/// become more alike. At 0, below or NaN only the likeliest is left (of equals, the lowest id).
///
/// Weights are e^((logit - largest logit) / temperature): the softmax but for its divisor, and without overflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature(pub f32);

/// For [`super::RULES`].
pub(super) const KIND: RuleKind = RuleKind {
    name: "temperature",
    value: "T",
    help: "Below 1 bolder choices become rarer, above 1 more frequent; 0 always takes the likeliest token",
    default: Some("0.8"),
    parse: |text| number(text, "a number, such as 0.8", Temperature),
};

impl Rule for Temperature {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn apply(&self, _: &[u32], candidates: &mut Candidates) {
        let likeliest = candidates.all.iter().copied().reduce(|a, b| if b.logit > a.logit { b } else { a });
        let highest = likeliest.map_or(f32::NEG_INFINITY, |c| c.logit);
        let greedy = !(self.0 > 0.0); // NaN too
        if greedy || highest == f32::NEG_INFINITY {
            let id = likeliest.filter(|c| c.logit > f32::NEG_INFINITY).map_or(0, |c| c.id);
            candidates.all = vec![Candidate { id, logit: highest, weight: 1.0 }];
            candidates.certain = greedy;
            return;
        }
        // In f64: the difference of two finite f32 can overflow. -infinity stays what it is at an infinite temperature,
        // where the quotient is NaN.
        let scale = |c: &Candidate| {
            let x = ((f64::from(c.logit) - f64::from(highest)) / f64::from(self.0)) as f32;
            if x.is_nan() { f32::NEG_INFINITY } else { x }
        };
        let scaled: Vec<f32> = candidates.all.iter().map(scale).collect();
        let mut weights = vec![0.0; scaled.len()];
        vmath::map(vmath::Exp, [&scaled], &mut weights, Accum::Replace);
        candidates.all.iter_mut().zip(weights).for_each(|(c, weight)| c.weight = f64::from(weight));
    }

    fn check(&self, check: &mut Check) {
        let fine = self.0.is_finite() && self.0 >= 0.0;
        check.that(fine, KIND.name, self.0, "a finite number, at least 0", "0.8 is usual, 0 is greedy");
    }
}
