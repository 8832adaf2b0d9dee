//! `markov-k`: each symbol depends on the k before it. Method, floor and the worked example:
//! [`chain`](crate::process::chain).

use crate::document::plain_alphabet;
use crate::params::{conflict, count};
use crate::process::chain::MarkovChain;
use crate::process::hmm::Hmm;
use crate::process::objectives::{masked_causal_floor, masked_floor, span_floor};
use crate::{Document, Entry, Floor, Generator, Layout, Method, Param, Params, STREAM_PIECE};
use data::DataError;
use random::Rng;

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "markov-k",
    aliases: &["markov", "markov3"],
    about: "each symbol depends on the k before it",
    layout: Layout::Stream,
    parameters: PARAMS,
    build: |params| Ok(Box::new(Source::new(chain(params)?))),
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

fn chain(params: &Params) -> Result<MarkovChain, DataError> {
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
        Source { alphabet: plain_alphabet(chain.symbols()), floor, chain, context: None }
    }

    /// Writes the first context. It is drawn by running the chain until it has forgotten where it began;
    /// pi itself has no integer weights. No model can know it: it is not counted.
    fn start(&self, rng: &mut Rng, document: &mut Document) -> usize {
        const FORGOTTEN: usize = 256;
        let draw = |context, _| self.chain.after(context, self.chain.row(context).draw(rng));
        let context = (0..FORGOTTEN).fold(0, draw);
        let (v, order) = (self.chain.symbols(), self.chain.order());
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
        if self.chain.order() == 1 && self.chain.symbols() <= 32 {
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
        (self.chain.stationary().len() * self.chain.symbols() <= MANY).then(|| self.chain.process())
    }

    fn append(&mut self, rng: &mut Rng, document: &mut Document) {
        let end = document.symbols.len() + STREAM_PIECE;
        let mut context = match self.context {
            Some(context) => context,
            None => self.start(rng, document),
        };
        while document.symbols.len() < end {
            let row = self.chain.row(context);
            let symbol = row.draw(rng);
            document.push(symbol as u32, row.nats(symbol), 0);
            context = self.chain.after(context, symbol);
        }
        self.context = Some(context);
    }
}
