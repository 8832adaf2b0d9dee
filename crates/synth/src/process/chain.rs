//! Markov chains: each symbol depends on the k before it.
//!
//! A context s (the last k symbols) has its own distribution P_s over the next symbol. With pi the stationary
//! distribution of contexts, the entropy rate is
//!
//! h = sum_s pi(s) H(P_s)
//!
//! and a model that knows frequencies only scores H of the symbols' frequencies. The worked example:
//!
//! P = [[.7 .2 .1] [.1 .6 .3] [.3 .3 .4]], pi = (3/8 3/8 1/4), h = 0.909637, H(pi) = 1.082196 nats.
//!
//! Other chains have random rows from Dirichlet(alpha), see [`dirichlet_weights`]. What filling in masked
//! symbols and spans of a chain costs at best is in [`objectives`](super::objectives).

use super::choice::{Choice, dirichlet_weights};
use super::entropy::{entropy, stationary};
use super::hmm::{Edge, Hmm};
use random::{Rng, Stream, ln};

/// A Markov chain of some order over symbols `0..V`, given by integer weights.
#[derive(Clone, Debug)]
pub struct MarkovChain {
    symbols: usize,
    order: u32,
    /// One distribution a context; context = x_{t-k} V^{k-1} + ... + x_{t-1}.
    rows: Vec<Choice>,
    stationary: Vec<f64>,
}

impl MarkovChain {
    /// The chain of order 1 with these rows of weights.
    ///
    /// # Panics
    /// If the rows are not as many as their entries, or as [`Choice::new`].
    #[track_caller]
    pub fn new(rows: &[Vec<u64>]) -> MarkovChain {
        assert!(rows.iter().all(|row| row.len() == rows.len()), "a square of weights");
        MarkovChain::of_order(1, rows.len(), rows.iter().map(|row| Choice::new(row)).collect())
    }

    /// The chain of three symbols that is small enough to follow by hand; see the module.
    pub fn worked() -> MarkovChain {
        MarkovChain::new(&[vec![7, 2, 1], vec![1, 6, 3], vec![3, 3, 4]])
    }

    /// A chain with random rows.
    ///
    /// # Panics
    /// If V^(k+1) numbers do not fit into memory.
    pub fn random(order: u32, symbols: usize, alpha: usize, seed: u64) -> MarkovChain {
        let mut rng = Rng::new(seed, Stream::Init);
        let row = |_| Choice::new(&dirichlet_weights(&mut rng, symbols, alpha));
        MarkovChain::of_order(order, symbols, (0..symbols.pow(order)).map(row).collect())
    }

    fn of_order(order: u32, symbols: usize, rows: Vec<Choice>) -> MarkovChain {
        let mut chain = MarkovChain { symbols, order, rows, stationary: Vec::new() };
        let step = |from: &[f64]| chain.step(from);
        chain.stationary = stationary(chain.rows.len(), step);
        chain
    }

    /// How many symbols there are, V.
    pub fn symbols(&self) -> usize {
        self.symbols
    }

    /// How many symbols back the next one depends on, k.
    pub fn order(&self) -> u32 {
        self.order
    }

    /// The distribution of the symbol after a context.
    pub fn row(&self, context: usize) -> &Choice {
        &self.rows[context]
    }

    /// pi: the probability of each context far from the start.
    pub fn stationary(&self) -> &[f64] {
        &self.stationary
    }

    /// h = sum_s pi(s) H(P_s), nats a symbol.
    pub fn entropy_rate(&self) -> f64 {
        self.stationary.iter().zip(&self.rows).map(|(p, row)| p * row.entropy()).sum()
    }

    /// H of the symbols' frequencies: the loss of a model that knows nothing else.
    pub fn unigram_entropy(&self) -> f64 {
        let mut frequency = vec![0.0; self.symbols];
        for (context, p) in self.stationary.iter().enumerate() {
            frequency[context % self.symbols] += p;
        }
        entropy(&frequency)
    }

    /// -ln p of each symbol of a text that this chain may or may not have written, from somewhere in the middle: the
    /// first `order` symbols are as likely as contexts that begin with them. None if some symbol cannot follow.
    pub fn score(&self, text: &[u32]) -> Option<Vec<f64>> {
        let (mut context, mut before) = (0, 1.0);
        let mut nats = Vec::with_capacity(text.len());
        for (t, &symbol) in (0..).zip(text) {
            let symbol = Some(symbol as usize).filter(|&s| s < self.symbols)?;
            let cost = if t < self.order {
                // Contexts that begin alike are neighbours: the first symbol is the highest digit.
                let alike = self.symbols.pow(self.order - 1 - t);
                let first = (context * self.symbols + symbol) * alike;
                let p: f64 = self.stationary[first..first + alike].iter().sum();
                if !p.is_normal() {
                    return None; // ln takes positive numbers only
                }
                let cost = ln(before) - ln(p);
                before = p;
                cost
            } else {
                self.rows[context].nats(symbol)
            };
            nats.push(cost);
            context = self.after(context, symbol);
        }
        nats.iter().all(|n| n.is_finite()).then_some(nats)
    }

    /// The chain as a model whose states are the contexts.
    pub fn process(&self) -> Hmm {
        let edges = |context: usize| -> Vec<Edge> {
            let edge = |symbol| Edge {
                symbol: symbol as u32,
                next: self.after(context, symbol),
                weight: self.rows[context].weight(symbol),
            };
            (0..self.symbols).map(edge).collect()
        };
        Hmm::new((0..self.rows.len()).map(edges).collect())
    }

    /// The context after one more symbol.
    pub(crate) fn after(&self, context: usize, symbol: usize) -> usize {
        (context * self.symbols + symbol) % self.rows.len()
    }

    /// The distribution of contexts one symbol later.
    fn step(&self, from: &[f64]) -> Vec<f64> {
        let mut to = vec![0.0; from.len()];
        for (context, row) in self.rows.iter().enumerate() {
            for symbol in 0..self.symbols {
                to[self.after(context, symbol)] += from[context] * row.probability(symbol);
            }
        }
        to
    }
}
