//! Floors of masked objectives over a Markov chain of order 1.
//!
//! Filling in is easier than predicting: symbols on both sides are seen. For a stationary chain
//!
//! - **masked symbols** ([`masked_floor`]): each symbol is hidden with probability m, and what stands for it says
//!   only that it is hidden. The nearest seen symbols are at distances a and b with P(a) = (1-m) m^(a-1):
//!   sum_ab P(a) P(b) H(X_t | X_(t-a), X_(t+b)).
//! - **the same from the left only** ([`masked_causal_floor`]), for a model whose mask is causal:
//!   sum_a P(a) H(X_t | X_(t-a)). The difference is what seeing the right side is worth.
//! - **spans** ([`span_floor`]): n symbols in a row, both neighbours seen, written from left to right:
//!   ((n+1) h - H(X_(n+1) | X_0)) / n, since H(X_1..X_n | X_0, X_(n+1)) = H(X_1..X_(n+1) | X_0) - H(X_(n+1) | X_0).
//!
//! (BERT replaces a tenth of the hidden symbols by random ones and keeps another tenth. Then what is
//! seen may be wrong, and these are not the floors.)

use super::chain::MarkovChain;
use super::entropy::entropy;

/// The transition probabilities of the chain over d steps, row by row: (P^d)[i][j].
fn power(chain: &MarkovChain, d: usize) -> Vec<Vec<f64>> {
    let v = chain.symbols();
    assert_eq!(chain.stationary().len(), v, "a chain of order 1");
    let identity = |i: usize| (0..v).map(|j| if i == j { 1.0 } else { 0.0 }).collect();
    let step = |row: &Vec<f64>| -> Vec<f64> {
        (0..v).map(|j| (0..v).map(|k| row[k] * chain.row(k).probability(j)).sum()).collect()
    };
    (0..d).fold((0..v).map(identity).collect(), |rows: Vec<_>, _| rows.iter().map(step).collect())
}

/// H(X_d | X_0) in nats: what a symbol costs when the last one seen is d steps back.
///
/// # Panics
/// If the chain is not of order 1.
pub fn conditional_entropy(chain: &MarkovChain, d: usize) -> f64 {
    chain.stationary().iter().zip(power(chain, d)).map(|(p, row)| p * entropy(&row)).sum()
}

/// H(X_a | X_0, X_(a+b)) in nats: what a symbol costs between two that are seen.
///
/// # Panics
/// If the chain is not of order 1.
pub fn bridge_entropy(chain: &MarkovChain, a: usize, b: usize) -> f64 {
    // H(X_a | X_0, X_(a+b)) = H(X_a | X_0) + H(X_(a+b) | X_a) - H(X_(a+b) | X_0)
    conditional_entropy(chain, a) + conditional_entropy(chain, b) - conditional_entropy(chain, a + b)
}

/// The best loss a masked symbol when each is hidden with probability `mask_rate`, both sides seen.
///
/// # Panics
/// If the chain is not of order 1 or the rate not in [0, 0.9].
pub fn masked_floor(chain: &MarkovChain, mask_rate: f64) -> f64 {
    let distances = distances(mask_rate);
    let entropy: Vec<f64> = (0..=2 * distances.len()).map(|d| conditional_entropy(chain, d)).collect();
    let mut sum = 0.0;
    for (a, pa) in (1..).zip(&distances) {
        for (b, pb) in (1..).zip(&distances) {
            sum += pa * pb * (entropy[a] + entropy[b] - entropy[a + b]);
        }
    }
    sum
}

/// The best loss a masked symbol for a model that sees the left side only.
///
/// # Panics
/// As [`masked_floor`].
pub fn masked_causal_floor(chain: &MarkovChain, mask_rate: f64) -> f64 {
    (1..).zip(distances(mask_rate)).map(|(a, p)| p * conditional_entropy(chain, a)).sum()
}

/// The best loss a symbol of a hidden span of `n`, written from left to right with both neighbours seen.
///
/// # Panics
/// If the chain is not of order 1 or `n` is 0.
pub fn span_floor(chain: &MarkovChain, n: usize) -> f64 {
    assert!(n > 0, "a span has at least one symbol");
    let n_f64 = n as f64;
    ((n_f64 + 1.0) * chain.entropy_rate() - conditional_entropy(chain, n + 1)) / n_f64
}

/// P(a) = (1-m) m^(a-1) for a = 1, 2, ..., until what is left is below rounding.
#[track_caller]
fn distances(mask_rate: f64) -> Vec<f64> {
    assert!((0.0..=0.9).contains(&mask_rate), "mask rate {mask_rate}: expected 0 to 0.9");
    let powers = std::iter::successors(Some(1.0), |p| Some(p * mask_rate)).take_while(|&p| p > 1e-16);
    powers.map(|p| (1.0 - mask_rate) * p).collect()
}
