//! A stream of lines of a grammar as a process with states.
//!
//! What can follow depends on what is left to derive: the stack of items that [`Grammar::draw`] has not yet come to. So
//! stacks are the states, and an edge is a character (or the end of the line), the rules that lead to it, and the stack
//! after it. There are infinitely many; but brackets in a bracket in a bracket are rare, and stacks longer than some n so
//! rare that nothing is lost without them:
//!
//! lost(n) = sum over stacks s of pi(s) (probability of the edges from s to stacks longer than n)
//!
//! n is doubled until less than [`LOST`] is. What comes out is an [`Oracle`]: with it tokens cost, whatever objective hides
//! them, what the inside-outside algorithm would say, for pieces from anywhere in the stream too.

use super::entropy::stationary;
use super::grammar::{Grammar, Item};
use super::oracle::{Edge, Oracle};
use std::collections::BTreeMap;

/// The probability, a symbol, of going where no state is.
const LOST: f64 = 1e-11;
/// Items of the longest stacks that are tried.
const LONGEST: usize = 1024;

/// The oracle of endlessly many lines of a grammar, `symbol` numbering the characters and the end of a line (None).
/// `None` if even stacks of [`LONGEST`] items are too short.
pub(crate) fn oracle(grammar: &Grammar, symbol: impl Fn(Option<char>) -> u32) -> Option<Oracle> {
    let mut longest = 8;
    while longest <= LONGEST {
        let (edges, states, lost) = edges(grammar, &symbol, longest);
        let stationary = stationary(states, |from| {
            let mut to = vec![0.0; states];
            edges.iter().for_each(|edge| to[edge.to] += from[edge.from] * edge.p);
            to
        });
        if stationary.iter().zip(&lost).map(|(pi, lost)| pi * lost).sum::<f64>() < LOST {
            return Some(Oracle::of_edges(edges, stationary));
        }
        longest *= 2;
    }
    None
}

/// The edges between stacks of at most `longest` items, the number of stacks, and for each the probability of going to a
/// longer one, by which its other edges are more probable here.
fn edges(
    grammar: &Grammar,
    symbol: impl Fn(Option<char>) -> u32,
    longest: usize,
) -> (Vec<Edge>, usize, Vec<f64>) {
    let start = grammar.start();
    let mut states = BTreeMap::from([(start.clone(), 0)]);
    let (mut open, mut edges, mut lost) = (vec![start.clone()], Vec::new(), Vec::new());
    let mut from = 0; // stacks are looked at in the order of their numbers
    while from < open.len() {
        let mut next = Vec::new();
        grammar.next(open[from].clone(), 1.0, &mut |character, stack, p| next.push((character, stack, p)));
        let kept = |stack: &Vec<Item>| stack.len() <= longest;
        let share: f64 = next.iter().filter(|(_, stack, _)| kept(stack)).map(|(_, _, p)| p).sum();
        for (character, stack, p) in next.into_iter().filter(|(_, stack, _)| kept(stack)) {
            // After the end of a line another one begins.
            let stack = if character.is_none() { start.clone() } else { stack };
            let to = *states.entry(stack).or_insert_with_key(|stack| {
                open.push(stack.clone());
                open.len() - 1
            });
            edges.push(Edge { from, symbol: symbol(character), to, p: p / share });
        }
        lost.push(1.0 - share);
        from += 1;
    }
    (edges, open.len(), lost)
}
