//! Choices with integer weights: drawn with integers, their cost known exactly.
//!
//! A choice takes i with probability w_i / W, W = sum of the w_i. Its cost is ln W - ln w_i nats.
//!
//! A choice between *texts* shows character by character. With W(u) the weight of all texts that begin
//! with u, the character c after u has probability W(uc) / W(u) and costs ln W(u) - ln W(uc): "good"
//! and "great" share a g, and only the second letter tells them apart. The costs of the characters of a
//! text add up to the cost of choosing it. For the end of a text to be visible, no text may begin with
//! another (a *prefix code*).

use random::{Rng, ln};

/// A distribution over `0..n` given by integer weights.
#[derive(Clone, Debug)]
pub struct Choice {
    /// cumulative[i] = w_0 + ... + w_i
    cumulative: Vec<u64>,
    /// nats[i] = -ln p_i; meaningless where w_i = 0
    nats: Vec<f64>,
}

impl Choice {
    /// The distribution with probabilities proportional to the weights.
    ///
    /// # Panics
    /// If there is no weight above 0, or their sum does not fit into 63 bits.
    #[track_caller]
    pub fn new(weights: &[u64]) -> Choice {
        let mut total = 0_u64;
        let add = |&w: &u64| {
            total = total.checked_add(w).filter(|&t| t < 1 << 63).expect("a sum of weights below 2^63");
            total
        };
        let cumulative: Vec<u64> = weights.iter().map(add).collect();
        assert!(total > 0, "a choice needs a weight above 0");
        let cost = |&w: &u64| if w == 0 { f64::INFINITY } else { ln(total as f64) - ln(w as f64) };
        Choice { nats: weights.iter().map(cost).collect(), cumulative }
    }

    /// All of `n` equally likely.
    #[track_caller]
    pub fn uniform(n: usize) -> Choice {
        Choice::new(&vec![1; n])
    }

    /// How many there are to choose from.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.nats.len()
    }

    /// Draws one.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let at = rng.below(self.total());
        self.cumulative.partition_point(|&c| c <= at)
    }

    /// -ln p of `i`, in nats; infinite if it never happens.
    pub fn nats(&self, i: usize) -> f64 {
        self.nats[i]
    }

    /// The weight of `i`.
    pub fn weight(&self, i: usize) -> u64 {
        self.cumulative[i] - if i == 0 { 0 } else { self.cumulative[i - 1] }
    }

    /// The probability of `i`.
    pub fn probability(&self, i: usize) -> f64 {
        self.weight(i) as f64 / self.total() as f64
    }

    /// H = -sum p ln p, in nats.
    pub fn entropy(&self) -> f64 {
        self.mean(|i| self.nats[i])
    }

    /// The expectation of f over what can happen.
    pub fn mean(&self, f: impl Fn(usize) -> f64) -> f64 {
        let possible = (0..self.len()).filter(|&i| self.weight(i) > 0);
        possible.map(|i| self.probability(i) * f(i)).sum()
    }

    fn total(&self) -> u64 {
        self.cumulative[self.cumulative.len() - 1]
    }
}

/// Weighted texts of which none begins with another, each character with its cost.
#[derive(Clone, Debug)]
pub struct Phrases {
    texts: Vec<String>,
    /// costs[i][j]: nats of character j of text i
    costs: Vec<Vec<f64>>,
    choice: Choice,
    /// group[i]: what the rest of a document depends on, where that is less than i itself
    groups: Vec<usize>,
}

impl Phrases {
    /// Texts and weights, each text a group of its own.
    ///
    /// # Panics
    /// If a text is empty or begins with another one, or as [`Choice::new`].
    #[track_caller]
    pub fn new<S: AsRef<str>>(weighted: &[(S, u64)]) -> Phrases {
        let grouped: Vec<_> = weighted.iter().enumerate().map(|(i, (text, w))| (text, *w, i)).collect();
        Phrases::grouped(&grouped)
    }

    /// Texts, weights and groups: what follows in the document may depend on the group of the text.
    ///
    /// # Panics
    /// As [`Phrases::new`].
    #[track_caller]
    pub fn grouped<S: AsRef<str>>(weighted: &[(S, u64, usize)]) -> Phrases {
        let texts: Vec<String> = weighted.iter().map(|(text, ..)| text.as_ref().to_string()).collect();
        let choice = Choice::new(&weighted.iter().map(|&(_, w, _)| w).collect::<Vec<_>>());
        let characters: Vec<Vec<char>> = texts.iter().map(|text| text.chars().collect()).collect();
        let mut costs: Vec<Vec<f64>> = characters.iter().map(|c| vec![0.0; c.len()]).collect();
        let mut order: Vec<usize> = (0..texts.len()).filter(|&i| choice.weight(i) > 0).collect();
        order.sort_by_key(|&i| &characters[i]);
        share_costs(&characters, &choice, &order, 0, &mut costs);
        Phrases { costs, choice, groups: weighted.iter().map(|&(.., g)| g).collect(), texts }
    }

    /// Texts with weights falling as 1, 1/2, 1/3, ... (Zipf's law).
    #[track_caller]
    pub fn zipf<S: AsRef<str>>(texts: &[S]) -> Phrases {
        let weighted: Vec<_> = texts.iter().enumerate().map(|(i, text)| (text, zipf_weight(i))).collect();
        Phrases::new(&weighted)
    }

    /// Equally likely texts.
    #[track_caller]
    pub fn uniform<S: AsRef<str>>(texts: &[S]) -> Phrases {
        Phrases::new(&texts.iter().map(|text| (text, 1)).collect::<Vec<_>>())
    }

    /// The distribution of the number of the text.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Text `i`.
    pub fn text(&self, i: usize) -> &str {
        &self.texts[i]
    }

    /// The characters of text `i` with their costs in nats.
    pub fn characters(&self, i: usize) -> impl Iterator<Item = (char, f64)> + '_ {
        self.texts[i].chars().zip(self.costs[i].iter().copied())
    }

    /// The group of text `i`.
    pub fn group(&self, i: usize) -> usize {
        self.groups[i]
    }

    /// The first text of each group that can happen, in order of appearance.
    pub(crate) fn representatives(&self) -> Vec<usize> {
        let mut first: Vec<usize> = Vec::new();
        for i in (0..self.texts.len()).filter(|&i| self.choice.weight(i) > 0) {
            if first.iter().all(|&j| self.groups[j] != self.groups[i]) {
                first.push(i);
            }
        }
        first
    }

    /// For each text the text alone: to write again what was chosen before.
    pub fn same(&self) -> Vec<Phrases> {
        self.texts.iter().map(|text| Phrases::new(&[(text, 1)])).collect()
    }
}

/// The weight of rank `i` (from 0) under Zipf's law.
pub fn zipf_weight(i: usize) -> u64 {
    1_000_000 / (i as u64 + 1)
}

/// Fills in the costs from character `depth` on, of texts in ascending order that agree before it.
#[track_caller]
fn share_costs(texts: &[Vec<char>], choice: &Choice, order: &[usize], depth: usize, costs: &mut [Vec<f64>]) {
    let weight = |part: &[usize]| part.iter().map(|&i| choice.weight(i)).sum::<u64>() as f64;
    if texts[order[0]].len() == depth {
        assert!(
            order.len() == 1 && depth > 0,
            "the text {:?} is empty or begins another one",
            texts[order[0]]
        );
        return;
    }
    let all = ln(weight(order));
    for part in order.chunk_by(|&i, &j| texts[i][depth] == texts[j][depth]) {
        let cost = all - ln(weight(part));
        for &i in part {
            costs[i][depth] = cost;
        }
        share_costs(texts, choice, part, depth + 1, costs);
    }
}

/// Weights of a random distribution over `n`, from Dirichlet(alpha, ..., alpha): the lengths of the pieces
/// when an interval is cut at n alpha - 1 uniform places, alpha neighbouring pieces together. Every
/// weight is at least 1, so that everything can happen.
///
/// # Panics
/// If `n` or `alpha` is 0.
#[track_caller]
pub fn dirichlet_weights(rng: &mut Rng, n: usize, alpha: usize) -> Vec<u64> {
    assert!(n > 0 && alpha > 0);
    let length = 1_u64 << 32;
    let mut cuts: Vec<u64> = (1..n * alpha).map(|_| rng.below(length)).collect();
    cuts.extend([0, length]);
    cuts.sort_unstable();
    cuts.windows(alpha + 1).step_by(alpha).map(|w| w[alpha] - w[0] + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_assume, proptest};
    use random::Stream;

    #[test]
    fn characters_cost_what_they_tell() {
        let phrases = Phrases::new(&[("good", 1), ("great", 2), ("bad", 1)]);
        let costs: Vec<f64> = phrases.characters(1).map(|(_, nats)| nats).collect();
        let expected = [ln(4.0) - ln(3.0), ln(3.0) - ln(2.0), 0.0, 0.0, 0.0];
        assert_eq!(costs, expected);
        assert!((costs.iter().sum::<f64>() - phrases.choice().nats(1)).abs() < 1e-15);
    }

    #[test]
    #[should_panic(expected = "begins another")]
    fn a_prefix_is_refused() {
        Phrases::uniform(&["cat", "cattle"]);
    }

    #[test]
    #[should_panic(expected = "begins another")]
    fn a_text_twice_is_refused() {
        Phrases::uniform(&["cat", "cat"]);
    }

    proptest! {
        #[test]
        fn draws_have_positive_weight(weights in proptest::collection::vec(0_u64..5, 1..8), seed in any::<u64>()) {
            prop_assume!(weights.iter().sum::<u64>() > 0);
            let choice = Choice::new(&weights);
            let mut rng = Rng::new(seed, Stream::Data);
            for _ in 0..50 {
                prop_assert!(weights[choice.draw(&mut rng)] > 0);
            }
            let total: f64 = (0..weights.len()).map(|i| choice.probability(i)).sum();
            prop_assert!((total - 1.0).abs() < 1e-12);
            for i in (0..weights.len()).filter(|&i| weights[i] > 0) {
                prop_assert!((choice.nats(i) + choice.probability(i).ln()).abs() < 1e-12);
            }
        }

        #[test]
        fn dirichlet_weights_share_the_interval(n in 1_usize..20, alpha in 1_usize..5, seed in any::<u64>()) {
            let weights = dirichlet_weights(&mut Rng::new(seed, Stream::Init), n, alpha);
            prop_assert_eq!(weights.len(), n);
            prop_assert!(weights.iter().all(|&w| w > 0));
            prop_assert_eq!(weights.iter().sum::<u64>(), (1 << 32) + n as u64);
        }
    }
}
