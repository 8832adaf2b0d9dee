//! `iid-zipf`: independent symbols with Zipf frequencies; what a model of single words can learn.
//!
//! p_i = w_i / W with w_i = floor(2^40 / (i + offset)^exponent), i = 0, 1, ...: integer arithmetic, so
//! the exponent is a whole number. Floor: the entropy H(p) = -sum p ln p.
//!
//! Mandelbrot's form of Zipf's law (1953).

use crate::document::plain_alphabet;
use crate::params::count;
use crate::{Choice, Document, Entry, Floor, Generator, Layout, Method, Param, Params, STREAM_PIECE};
use random::Rng;

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "iid-zipf",
    aliases: &["zipf"],
    about: "independent symbols with Zipf frequencies",
    layout: Layout::Stream,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Zipf::new(params))),
};

const PARAMS: &[Param] = &[
    count("symbols", 50, 2, 10_000, "size of the alphabet"),
    count("exponent", 1, 0, 3, "how steeply frequencies fall; 0 makes all equal"),
    count("offset", 1, 1, 1000, "added to the rank: flattens the head"),
];

struct Zipf {
    choice: Choice,
    alphabet: Vec<char>,
    floor: Floor,
}

impl Zipf {
    fn new(params: &Params) -> Zipf {
        let (symbols, exponent) = (params.size("symbols"), params.get("exponent") as u32);
        let weight = |i: usize| (1_u64 << 40) / (i as u64 + params.get("offset")).pow(exponent);
        // 10_000 symbols at most: 2^40 / (10_999)^3 would be 0, and what never happens has no cost.
        let choice = Choice::new(&(0..symbols).map(|i| weight(i).max(1)).collect::<Vec<_>>());
        let floor = Floor::stream(choice.entropy(), Method::Closed);
        Zipf { choice, alphabet: plain_alphabet(symbols), floor }
    }
}

impl Generator for Zipf {
    fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    fn floor(&self) -> &Floor {
        &self.floor
    }

    fn append(&mut self, rng: &mut Rng, document: &mut Document) {
        for _ in 0..STREAM_PIECE {
            let symbol = self.choice.draw(rng);
            document.push(symbol as u32, self.choice.nats(symbol), 0);
        }
    }
}
