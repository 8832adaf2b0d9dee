//! Texts from a weighted grammar, one a line. Method and floor: [`grammar`](crate::process::grammar).

use crate::process::grammar::Grammar;
use crate::process::oracle::Oracle;
use crate::process::pushdown;
use crate::{Document, Floor, Generator, Method, PartFloor};
use random::Rng;

/// Texts of a grammar, each ended by a line end.
pub(crate) struct GrammarLines {
    grammar: Grammar,
    alphabet: Vec<char>,
    floor: Floor,
}

impl GrammarLines {
    pub(crate) fn new(grammar: Grammar) -> GrammarLines {
        let mut alphabet = grammar.characters();
        alphabet.insert(0, '\n'); // below every printable character
        let (nats, symbols) = (grammar.entropy(), grammar.mean_length() + 1.0);
        let part = PartFloor { name: "text", counted: true, nats, symbols };
        GrammarLines { grammar, alphabet, floor: Floor { parts: vec![part], method: Method::Closed } }
    }

    /// The number of a character, or of the end of the line.
    fn symbol(&self, character: Option<char>) -> u32 {
        self.alphabet.binary_search(&character.unwrap_or('\n')).expect("a character of the rules") as u32
    }
}

impl Generator for GrammarLines {
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
