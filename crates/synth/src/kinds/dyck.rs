//! `dyck-k`: brackets of k kinds that match, never more than D deep.
//!
//! At depth 0 a bracket opens, at depth D the last one closes, between them one opens with probability
//! p. An opening bracket is of each kind equally likely; a closing one must match. The depth is a walk on
//! 0..=D; with pi its stationary distribution and u_d the probability of opening at depth d
//! (u_0 = 1, u_D = 0, else p),
//!
//! pi_(d+1) / pi_d = u_d / (1 - u_(d+1)),   h = sum_d pi_d (H(u_d) + u_d ln k)
//!
//! Knowing the past one knows all open brackets, so every cost is exact; keeping track of depth is what
//! a model has to learn.

use crate::params::{conflict, count, share};
use crate::process::hmm::{Edge, Hmm};
use crate::{Choice, Document, Entry, Floor, Generator, Layout, Method, ONE, Param, Params, STREAM_PIECE};
use data::DataError;
use random::{Rng, ln};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "dyck-k",
    aliases: &[],
    about: "an endless stream of matching brackets of k kinds, D deep at most",
    layout: Layout::Stream,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Dyck::new(params)?)),
};

const PARAMS: &[Param] = &[
    count("kinds", 2, 1, 4, "k, kinds of brackets"),
    count("depth", 4, 1, 64, "D, how deep they nest at most"),
    share("p", ONE / 2, "probability of opening where both are possible"),
];

/// Opening and closing brackets in the order of the alphabet, ascending.
const BRACKETS: [(char, char); 4] = [('(', ')'), ('<', '>'), ('[', ']'), ('{', '}')];

struct Dyck {
    kinds: usize,
    alphabet: Vec<char>,
    /// open[d]: whether the next bracket opens (0) or closes (1) at depth d.
    open: Vec<Choice>,
    floor: Floor,
    stack: Vec<usize>,
}

impl Dyck {
    fn new(params: &Params) -> Result<Dyck, DataError> {
        let (kinds, depth, p) = (params.size("kinds"), params.size("depth"), params.get("p"));
        if p == 0 || p == ONE {
            return Err(conflict(
                "the parameter p",
                format!("{}", p / ONE),
                "more than 0 and less than 1",
                "set a share in between",
            ));
        }
        let weights = |d: usize| match d {
            0 => [ONE, 0],
            d if d == depth => [0, ONE],
            _ => [p, ONE - p],
        };
        let open: Vec<Choice> = (0..=depth).map(|d| Choice::new(&weights(d))).collect();
        let floor = Floor::stream(entropy_rate(&open, kinds), Method::Closed);
        let alphabet = BRACKETS[..kinds].iter().flat_map(|&(a, b)| [a, b]).collect();
        Ok(Dyck { kinds, alphabet, open, floor, stack: Vec::new() })
    }
}

fn entropy_rate(open: &[Choice], kinds: usize) -> f64 {
    let mut pi = vec![1.0];
    for d in 1..open.len() {
        pi.push(pi[d - 1] * open[d - 1].probability(0) / open[d].probability(1));
    }
    let at = |d: usize| open[d].entropy() + open[d].probability(0) * ln(kinds as f64);
    let total: f64 = pi.iter().sum();
    pi.iter().enumerate().map(|(d, p)| p / total * at(d)).sum()
}

impl Generator for Dyck {
    fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    fn floor(&self) -> &Floor {
        &self.floor
    }

    /// A state is what is open: the kinds on the stack, as the digits of a number, after the states of fewer.
    fn process(&self) -> Option<Hmm> {
        const MANY: usize = 1 << 12;
        let mut first = vec![0]; // of each depth
        for _ in &self.open {
            let d = first.len() as u32 - 1;
            first.push(first[d as usize] + self.kinds.checked_pow(d)?);
            if first[d as usize + 1] > MANY {
                return None;
            }
        }
        let mut states = Vec::new();
        for (d, open) in self.open.iter().enumerate() {
            for code in 0..first[d + 1] - first[d] {
                let mut edges = Vec::new();
                if open.weight(0) > 0 {
                    edges.extend((0..self.kinds).map(|kind| Edge {
                        symbol: 2 * kind as u32,
                        next: first[d + 1] + code * self.kinds + kind,
                        weight: open.weight(0),
                    }));
                }
                if open.weight(1) > 0 {
                    edges.push(Edge {
                        symbol: 2 * (code % self.kinds) as u32 + 1,
                        next: first[d - 1] + code / self.kinds,
                        weight: open.weight(1) * self.kinds as u64,
                    });
                }
                states.push(edges);
            }
        }
        Some(Hmm::new(states))
    }

    fn append(&mut self, rng: &mut Rng, document: &mut Document) {
        for _ in 0..STREAM_PIECE {
            let open = &self.open[self.stack.len()];
            let which = open.draw(rng);
            if which == 0 {
                let kind = rng.below(self.kinds as u64) as usize;
                self.stack.push(kind);
                document.push(2 * kind as u32, open.nats(0) + ln(self.kinds as f64), 0);
            } else {
                let kind = self.stack.pop().expect("at depth 0 a bracket opens");
                document.push(2 * kind as u32 + 1, open.nats(1), 0);
            }
        }
    }
}
