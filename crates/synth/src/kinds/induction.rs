//! `induction`: L random symbols, a mark, and the same L again.
//!
//! The first half costs ln V a symbol and teaches nothing; the second is known from the first. Frequencies
//! and n-grams do not help: what is needed is "find where this symbol stood before, and copy the next
//! one" (induction heads, Olsson et al., arXiv 2209.11895). Floor:
//!
//! L ln V / (2 L + 1) nats a symbol: 1.352482 for V = 16, L = 20; 2.047450 for V = 64, L = 32.
//!
//! The line end between documents is not counted.

use crate::document::plain_alphabet;
use crate::params::count;
use crate::pen::{Pen, Writing, Written};
use crate::{Entry, Layout, Param, Params, Phrases};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "induction",
    aliases: &[],
    about: "random symbols, then the same again",
    layout: Layout::Lines,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Written::new(Induction::new(params)))),
};

const PARAMS: &[Param] = &[
    count("symbols", 16, 2, 94, "V, size of the alphabet"),
    count("length", 20, 1, 10_000, "L, symbols before they repeat"),
];

struct Induction {
    symbols: Phrases,
    length: usize,
}

const FIRST: u8 = 0;
const MARK: u8 = 1;
const AGAIN: u8 = 2;
const END: u8 = 3;

impl Induction {
    fn new(params: &Params) -> Induction {
        let symbols: Vec<String> =
            plain_alphabet(params.size("symbols")).into_iter().map(String::from).collect();
        Induction { symbols: Phrases::uniform(&symbols), length: params.size("length") }
    }
}

impl Writing for Induction {
    const PARTS: &'static [(&'static str, bool)] =
        &[("first", true), ("mark", true), ("again", true), ("end", false)];

    fn write(&self, pen: &mut dyn Pen) {
        let text: String =
            (0..self.length).map(|_| pen.pick(&self.symbols, FIRST)).map(|i| self.symbols.text(i)).collect();
        pen.write(" ", MARK);
        pen.write(&text, AGAIN);
        pen.write("\n", END);
    }
}
