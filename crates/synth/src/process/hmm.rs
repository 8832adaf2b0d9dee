//! Hidden Markov models: the state that decides what comes next is not seen.
//!
//! A state emits a symbol and moves on, both in one draw from its edges (symbol, next state). Who knows
//! the model follows a *belief* b, the distribution of the state given the symbols so far:
//!
//! p(x) = sum_ij b_i T_x(i, j),   b'_j = sum_i b_i T_x(i, j) / p(x)
//!
//! If each state has at most one edge a symbol (*unifilar*), the belief sooner or later is one state and
//! stays one, and the floor is closed: h = sum_s pi(s) H(edges of s). Otherwise beliefs spread over
//! infinitely many values, and there is no formula. But whoever sees k symbols only loses at least h, and
//! whoever is told the state before them besides loses at most h:
//!
//! H(X_k | X_0..X_(k-1), S_0) <= h <= H(X_k | X_0..X_(k-1))
//!
//! (Cover and Thomas, Elements of Information Theory, theorem 4.5.1). The two meet geometrically: for mess3
//! they are 5e-7 apart at k = 10.
//!
//! - The golden mean process: no two 0 in a row. One symbol back is enough.
//! - The even process: 1 come in runs of even length. How long a run has been may matter without limit: the
//!   model of the last k symbols misses h by a gap that [`Hmm::conditional_entropy`] computes.
//!   Both have h = (2/3) ln 2 = 0.462098 for p = 1/2.
//! - mess3: three states that hide behind one another; not unifilar. Its beliefs form a fractal
//!   (Shai et al., arXiv 2405.15943). h = 0.793458.
//!
//! Crutchfield and Feldman, Regularities Unseen, Randomness Observed (2003).

use super::choice::Choice;
use super::entropy::{entropy, stationary};
use crate::document::STREAM_PIECE;
use crate::measure::Measure;
use crate::params::ONE;
use random::{Rng, Stream};

/// What a state can do: emit a symbol and go to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The symbol emitted.
    pub symbol: u32,
    /// The state after it.
    pub next: usize,
    /// How likely, against the other edges of the state.
    pub weight: u64,
}

/// A hidden Markov model with integer weights.
#[derive(Clone, Debug)]
pub struct Hmm {
    edges: Vec<Vec<Edge>>,
    choices: Vec<Choice>,
    symbols: usize,
    stationary: Vec<f64>,
}

impl Hmm {
    /// The model whose state s has the edges `edges[s]`.
    ///
    /// # Panics
    /// If a state has no edge or one leads nowhere, or as [`Choice::new`].
    #[track_caller]
    pub fn new(edges: Vec<Vec<Edge>>) -> Hmm {
        assert!(edges.iter().flatten().all(|e| e.next < edges.len()), "an edge leads nowhere");
        let weights = |edges: &Vec<Edge>| edges.iter().map(|e| e.weight).collect::<Vec<_>>();
        let choices: Vec<Choice> = edges.iter().map(|e| Choice::new(&weights(e))).collect();
        let symbols = 1 + edges.iter().flatten().map(|e| e.symbol as usize).max().unwrap_or(0);
        let mut hmm = Hmm { edges, choices, symbols, stationary: Vec::new() };
        hmm.stationary = stationary(hmm.edges.len(), |from| {
            let mut to = vec![0.0; from.len()];
            hmm.flow(from, |_| true, &mut to);
            to
        });
        hmm
    }

    /// No two 0 in a row; a 1 with probability `p` millionths where both are possible.
    pub fn golden_mean(p: u64) -> Hmm {
        let edge = |symbol, next, weight| Edge { symbol, next, weight };
        Hmm::new(vec![vec![edge(1, 0, p), edge(0, 1, ONE - p)], vec![edge(1, 0, 1)]])
    }

    /// 1 in runs of even length; a 0 with probability `p` millionths where both are possible.
    pub fn even_process(p: u64) -> Hmm {
        let edge = |symbol, next, weight| Edge { symbol, next, weight };
        Hmm::new(vec![vec![edge(0, 0, p), edge(1, 1, ONE - p)], vec![edge(1, 0, 1)]])
    }

    /// Three states; `x` millionths to each of the other states, and the state arrived at emits its own
    /// symbol with `alpha` millionths, each other one with half of the rest.
    pub fn mess3(x: u64, alpha: u64) -> Hmm {
        let go = |i: usize, j: usize| if i == j { ONE - 2 * x } else { x };
        let emit = |j: usize, symbol: usize| if j == symbol { 2 * alpha } else { ONE - alpha };
        let edge = |i: usize, n: usize| {
            let (next, symbol) = (n / 3, n % 3);
            Edge { symbol: symbol as u32, next, weight: go(i, next) * emit(next, symbol) }
        };
        Hmm::new((0..3).map(|i| (0..9).map(|n| edge(i, n)).collect()).collect())
    }

    /// The probability of each state far from the start.
    pub fn stationary(&self) -> &[f64] {
        &self.stationary
    }

    /// (state, edge, probability of the edge) of all edges.
    pub fn edges(&self) -> impl Iterator<Item = (usize, &Edge, f64)> {
        let states = self.edges.iter().zip(&self.choices).enumerate();
        states.flat_map(|(state, (edges, choice))| {
            edges.iter().enumerate().map(move |(i, edge)| (state, edge, choice.probability(i)))
        })
    }

    /// Whether a state and a symbol leave only one next state.
    pub fn is_unifilar(&self) -> bool {
        let once = |edges: &Vec<Edge>| {
            edges.iter().enumerate().all(|(i, e)| edges[..i].iter().all(|f| f.symbol != e.symbol))
        };
        self.edges.iter().all(once)
    }

    /// sum_s pi(s) H(edges of s): the entropy rate of a unifilar model, none for another.
    pub fn entropy_rate(&self) -> Option<f64> {
        let h = || self.stationary.iter().zip(&self.choices).map(|(p, choice)| p * choice.entropy()).sum();
        self.is_unifilar().then(h)
    }

    /// Lower and upper bound of the entropy rate of any model, by summing over all words of `k` symbols; see the
    /// module. Takes (states) (symbols)^k steps.
    pub fn entropy_bounds(&self, k: usize) -> (f64, f64) {
        let told = |state: usize| {
            let mut from = vec![0.0; self.stationary.len()];
            from[state] = 1.0;
            self.stationary[state] * self.entropy_after(&from, k)
        };
        ((0..self.stationary.len()).map(told).sum(), self.conditional_entropy(k))
    }

    /// The entropy rate of any model, measured: the mean of H(p(.)) along a run of `steps` symbols after
    /// the start is forgotten, and its standard error. An independent check of the bounds.
    pub fn measured_entropy_rate(&self, steps: usize, seed: u64) -> (f64, f64) {
        let mut rng = Rng::new(seed, Stream::Init);
        let (mut state, mut belief) = (0, self.stationary.clone());
        let mut measure = Measure::new(1.0);
        for block in 0..=steps.div_ceil(STREAM_PIECE) {
            let mut nats = 0.0;
            for _ in 0..STREAM_PIECE {
                nats += entropy(&self.predict(&belief));
                let (symbol, next) = self.draw(state, &mut rng);
                self.update(&mut belief, symbol);
                state = next;
            }
            if block > 0 {
                measure.add(nats, STREAM_PIECE as f64);
            }
        }
        (measure.mean(), measure.standard_error().unwrap_or(f64::INFINITY))
    }

    /// H(X_k | X_0 .. X_(k-1)) in nats: the loss of the best model of the last k symbols. It falls to the
    /// entropy rate as k grows; the difference is what such a model cannot learn. Takes (symbols)^k steps.
    pub fn conditional_entropy(&self, k: usize) -> f64 {
        self.entropy_after(&self.stationary, k)
    }

    /// H(X_k | X_0 .. X_(k-1)) when S_0 is distributed as `joint`: the sum over all words w of k symbols of
    /// p(w) H(next | w) = sum_x -p(wx) ln p(wx) + p(w) ln p(w). (Within the recursion `joint` has the
    /// probabilities that a word was written and ended in each state.)
    fn entropy_after(&self, joint: &[f64], k: usize) -> f64 {
        if k == 0 {
            return entropy(&self.predict(joint)) - entropy(&[joint.iter().sum()]);
        }
        let continued = |symbol| {
            let mut to = vec![0.0; joint.len()];
            self.flow(joint, |e| e.symbol == symbol, &mut to);
            self.entropy_after(&to, k - 1)
        };
        (0..self.symbols as u32).map(continued).sum()
    }

    /// The distribution of the next symbol under a belief.
    pub fn predict(&self, belief: &[f64]) -> Vec<f64> {
        let mut p = vec![0.0; self.symbols];
        for ((b, edges), choice) in belief.iter().zip(&self.edges).zip(&self.choices) {
            for (i, edge) in edges.iter().enumerate() {
                p[edge.symbol as usize] += b * choice.probability(i);
            }
        }
        p
    }

    /// The belief after a symbol; returns the probability that it had.
    pub fn update(&self, belief: &mut Vec<f64>, symbol: u32) -> f64 {
        let mut to = vec![0.0; belief.len()];
        self.flow(belief, |e| e.symbol == symbol, &mut to);
        let p: f64 = to.iter().sum();
        if p > 0.0 {
            *belief = to.iter().map(|x| x / p).collect();
        }
        p
    }

    /// The entropy rate of this model (of a test text), its divergence rate from another (of the training
    /// text) with the same edges, and their sum, the loss of a perfect model of the other one:
    /// CE = H(Q) + KL(Q || P) with KL = sum_s pi_Q(s) sum_e Q(e) ln(Q(e) / P(e)).
    ///
    /// # Panics
    /// If they differ in more than weights, or are not unifilar.
    #[track_caller]
    pub fn shift_from(&self, trained: &Hmm) -> Shift {
        let ends = |edges: &Vec<Edge>| edges.iter().map(|e| (e.symbol, e.next)).collect::<Vec<_>>();
        let same = self.edges.iter().map(ends).eq(trained.edges.iter().map(ends));
        assert!(same && self.is_unifilar(), "two unifilar models that differ in weights only");
        let divergence = |(q, p): (&Choice, &Choice)| q.mean(|i| p.nats(i) - q.nats(i));
        let by_state = self.choices.iter().zip(&trained.choices).map(divergence);
        let kl = self.stationary.iter().zip(by_state).map(|(p, kl)| p * kl).sum::<f64>();
        let entropy = self.entropy_rate().expect("it is unifilar");
        Shift { entropy, kl, cross_entropy: entropy + kl }
    }

    /// A symbol and the state after it.
    pub(crate) fn draw(&self, state: usize, rng: &mut Rng) -> (u32, usize) {
        let edge = self.edges[state][self.choices[state].draw(rng)];
        (edge.symbol, edge.next)
    }

    /// to_j += sum_i from_i P(edge i -> j), over some of the edges.
    fn flow(&self, from: &[f64], along: impl Fn(&Edge) -> bool, to: &mut [f64]) {
        for ((p, edges), choice) in from.iter().zip(&self.edges).zip(&self.choices) {
            for (i, edge) in edges.iter().enumerate().filter(|(_, e)| along(e)) {
                to[edge.next] += p * choice.probability(i);
            }
        }
    }
}

/// What a distribution shift costs, in nats a symbol; see [`Hmm::shift_from`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The entropy rate of the test text: what one who knew it would pay.
    pub entropy: f64,
    /// The price of knowing the training text instead.
    pub kl: f64,
    /// Their sum.
    pub cross_entropy: f64,
}
