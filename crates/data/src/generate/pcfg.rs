//! `dyck-1` and `pcfg`: texts from a weighted grammar, one a line. Method and floor: [`grammar`](super::grammar).
//!
//! - `dyck-1`: S -> ( S ) S with probability p, or nothing. Every character and the end cost H(p) on
//!   average; texts have 2p / (1 - 2p) brackets (4 for p = 0.4).
//! - `pcfg`: sums, products, signs and brackets over digits and letters.

use super::grammar::Grammar;
use super::oracle::Oracle;
use super::params::{ONE, conflict, share};
use super::{Document, Entry, Floor, Generator, Layout, Method, PartFloor, pushdown};
use random::Rng;

/// The line of the registry for brackets of one kind.
pub const DYCK_1: Entry = Entry {
    name: "dyck-1",
    aliases: &["dyck", "dyck1"],
    about: "lines of matching brackets, as deep as it comes: S -> (S)S or nothing",
    layout: Layout::Lines,
    parameters: &[share("p", 400_000, "probability of another pair; less than 0.5")],
    build: |params| {
        let p = params.get("p");
        if p == 0 || p >= ONE / 2 {
            let (found, expected) = (params.probability("p").to_string(), "more than 0 and less than 0.5");
            return Err(conflict(
                "the parameter p",
                found,
                expected,
                "at 0.5 texts are infinitely long on average",
            ));
        }
        let rules = format!("S {p}: ( S ) S\nS {}:", ONE - p);
        Ok(Box::new(Lines::new(Grammar::parse(&rules)?)))
    },
};

/// The line of the registry for arithmetic expressions.
pub const PCFG: Entry = Entry {
    name: "pcfg",
    aliases: &["pcfg-small"],
    about: "lines of arithmetic expressions from a weighted grammar",
    layout: Layout::Lines,
    parameters: &[],
    build: |_| Ok(Box::new(Lines::new(Grammar::parse(EXPRESSIONS)?))),
};

/// The grammar of `pcfg`. A sum is a product and what may follow; a product is a factor and what may follow; so `2+3*x` has
/// one derivation only.
pub const EXPRESSIONS: &str = "\
Sum 1: Product More
More 28: + Product More
More 12: - Product More
More 60:
Product 1: Factor Times
Times 20: * Factor Times
Times 5: / Factor Times
Times 75:
Factor 50: Digit
Factor 30: Letter
Factor 12: ( Sum )
Factor 8: ~ Factor
Digit 30: 1
Digit 18: 2
Digit 12: 3
Digit 9: 4
Digit 8: 5
Digit 6: 6
Digit 5: 7
Digit 5: 8
Digit 4: 9
Digit 3: 0
Letter 5: x
Letter 3: y
Letter 2: z
";

/// Texts of a grammar, each ended by a line end.
struct Lines {
    grammar: Grammar,
    alphabet: Vec<char>,
    floor: Floor,
}

impl Lines {
    fn new(grammar: Grammar) -> Lines {
        let mut alphabet = grammar.characters();
        alphabet.insert(0, '\n'); // below every printable character
        let (nats, symbols) = (grammar.entropy(), grammar.mean_length() + 1.0);
        let part = PartFloor { name: "text", counted: true, nats, symbols };
        Lines { grammar, alphabet, floor: Floor { parts: vec![part], method: Method::Closed } }
    }

    /// The number of a character, or of the end of the line.
    fn symbol(&self, character: Option<char>) -> u32 {
        self.alphabet.binary_search(&character.unwrap_or('\n')).expect("a character of the rules") as u32
    }
}

impl Generator for Lines {
    fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    fn floor(&self) -> &Floor {
        &self.floor
    }

    fn facts(&self) -> Vec<(&'static str, f64)> {
        vec![("mean_length", self.grammar.mean_length()), ("nats_per_text", self.grammar.entropy())]
    }

    fn oracle(&self) -> Option<Oracle> {
        pushdown::oracle(&self.grammar, |character| self.symbol(character))
    }

    fn append(&mut self, rng: &mut Rng, document: &mut Document) {
        self.grammar.draw(rng, |character, nats| document.push(self.symbol(character), nats, 0));
    }
}
