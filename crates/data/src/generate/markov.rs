//! `markov-k`: each symbol depends on the k before it.
//!
//! A context s (the last k symbols) has its own distribution P_s over the next symbol. With pi the
//! stationary distribution of contexts, the floor is the entropy rate
//!
//! h = sum_s pi(s) H(P_s)
//!
//! and a model that knows frequencies only scores H of the symbols' frequencies. The default is a chain
//! of three symbols small enough to follow by hand:
//!
//! P = [[.7 .2 .1] [.1 .6 .3] [.3 .3 .4]], pi = (3/8 3/8 1/4), h = 0.909637, H(pi) = 1.082196 nats.
//!
//! Other chains have random rows from Dirichlet(alpha), see [`dirichlet_weights`]. What filling in masked
//! symbols and spans of a chain costs at best is in [`objectives`](super::objectives).

use super::choice::dirichlet_weights;
use super::hmm::{Edge, Hmm};
use super::objectives::{masked_causal_floor, masked_floor, span_floor};
use super::params::{Param, conflict, count};
use super::{
    Choice, Document, Entry, Floor, Generator, Layout, Method, Params, STREAM_PIECE, plain_alphabet,
};
use crate::DataError;
use random::{Rng, Stream, ln};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "markov-k",
    aliases: &["markov", "markov3"],
    about: "each symbol depends on the k before it",
    layout: Layout::Stream,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Source::new(MarkovChain::from_params(params)?))),
};

const PARAMS: &[Param] = &[
    count("order", 1, 1, 8, "k, how many symbols back the next one depends on"),
    count("symbols", 3, 2, 256, "size of the alphabet"),
    count(
        "chain",
        0,
        0,
        u32::MAX as u64,
        "0: the worked example (order 1, 3 symbols); else the seed of random rows",
    ),
    count("alpha", 1, 1, 100, "random rows are from Dirichlet(alpha): larger is nearer to uniform"),
];

/// A table of this many numbers is the largest: more could not be learnt from a text of this size.
const MAX_TABLE: usize = 1 << 20;

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

    /// The chain of the module's example.
    pub fn worked() -> MarkovChain {
        MarkovChain::new(&[vec![7, 2, 1], vec![1, 6, 3], vec![3, 3, 4]])
    }

    /// A chain with random rows.
    ///
    /// # Panics
    /// If it is too large, see the parameters of the generator.
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

    fn from_params(params: &Params) -> Result<MarkovChain, DataError> {
        let (order, symbols) = (params.get("order") as u32, params.size("symbols"));
        let found = || format!("order={order} symbols={symbols}");
        if params.get("chain") == 0 {
            return match (order, symbols) {
                (1, 3) => Ok(MarkovChain::worked()),
                _ => Err(conflict(
                    "the worked example",
                    found(),
                    "order=1 symbols=3",
                    "set chain=1 for random rows",
                )),
            };
        }
        let table = symbols.checked_pow(order + 1).filter(|&n| n <= MAX_TABLE);
        if table.is_none() {
            let expected = format!("symbols^(order+1) up to {MAX_TABLE}");
            return Err(conflict("the chain", found(), &expected, "set a smaller order or fewer symbols"));
        }
        Ok(MarkovChain::random(order, symbols, params.size("alpha"), params.get("chain")))
    }

    /// How many symbols there are, V.
    pub fn symbols(&self) -> usize {
        self.symbols
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
    fn after(&self, context: usize, symbol: usize) -> usize {
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

/// The distribution that a step leaves as it is, by repeated averaging of before and after: the average
/// converges also where the process itself alternates.
pub(crate) fn stationary(n: usize, step: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut p = vec![1.0 / n as f64; n];
    for _ in 0..100_000 {
        let next: Vec<f64> = p.iter().zip(step(&p)).map(|(a, b)| 0.5 * (a + b)).collect();
        let moved: f64 = p.iter().zip(&next).map(|(a, b)| (a - b).abs()).sum();
        p = next;
        if moved < 1e-16 {
            break;
        }
    }
    let total: f64 = p.iter().sum();
    p.iter().map(|x| x / total).collect()
}

/// H = -sum p ln p in nats.
pub(crate) fn entropy(p: &[f64]) -> f64 {
    // What is rarer than any normal number contributes less than rounding does.
    p.iter().filter(|p| p.is_normal()).map(|&p| -p * ln(p)).sum()
}

/// The endless stream of a chain.
struct Source {
    chain: MarkovChain,
    alphabet: Vec<char>,
    floor: Floor,
    /// None before the first symbol.
    context: Option<usize>,
}

impl Source {
    fn new(chain: MarkovChain) -> Source {
        let floor = Floor::stream(chain.entropy_rate(), Method::Closed);
        Source { alphabet: plain_alphabet(chain.symbols), floor, chain, context: None }
    }

    /// Writes the first context. It is drawn by running the chain until it has forgotten where it began;
    /// pi itself has no integer weights. No model can know it: it is not counted.
    fn start(&self, rng: &mut Rng, document: &mut Document) -> usize {
        const FORGOTTEN: usize = 256;
        let draw = |context, _| self.chain.after(context, self.chain.rows[context].draw(rng));
        let context = (0..FORGOTTEN).fold(0, draw);
        let (v, order) = (self.chain.symbols, self.chain.order);
        let text: Vec<u32> = (0..order).rev().map(|i| (context / v.pow(i) % v) as u32).collect();
        let nats = self.chain.score(&text).expect("a context that came up is possible");
        for (symbol, nats) in text.into_iter().zip(nats) {
            document.push(symbol, nats, 1);
        }
        context
    }
}

impl Generator for Source {
    fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    fn floor(&self) -> &Floor {
        &self.floor
    }

    fn facts(&self) -> Vec<(&'static str, f64)> {
        let mut facts = vec![("unigram_entropy_nats", self.chain.unigram_entropy())];
        // The other objectives' floors take powers of the matrix: for chains of one step, and small ones.
        if self.chain.order == 1 && self.chain.symbols <= 32 {
            facts.extend([
                ("masked_15_percent_nats", masked_floor(&self.chain, 0.15)),
                ("masked_15_percent_left_only_nats", masked_causal_floor(&self.chain, 0.15)),
                ("span_of_1_nats", span_floor(&self.chain, 1)),
                ("span_of_3_nats", span_floor(&self.chain, 3)),
                ("span_of_8_nats", span_floor(&self.chain, 8)),
            ]);
        }
        facts
    }

    fn process(&self) -> Option<Hmm> {
        const MANY: usize = 1 << 16; // entries of the table: each place of a text takes a pass over it
        (self.chain.rows.len() * self.chain.symbols <= MANY).then(|| self.chain.process())
    }

    fn append(&mut self, rng: &mut Rng, document: &mut Document) {
        let end = document.symbols.len() + STREAM_PIECE;
        let mut context = match self.context {
            Some(context) => context,
            None => self.start(rng, document),
        };
        while document.symbols.len() < end {
            let row = &self.chain.rows[context];
            let symbol = row.draw(rng);
            document.push(symbol as u32, row.nats(symbol), 0);
            context = self.chain.after(context, symbol);
        }
        self.context = Some(context);
    }
}
