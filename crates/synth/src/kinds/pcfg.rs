//! `pcfg`: sums, products, signs and brackets over digits and letters, from a weighted grammar.

use crate::family::grammar_lines::GrammarLines;
use crate::process::grammar::Grammar;
use crate::{Entry, Layout};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "pcfg",
    aliases: &["pcfg-small"],
    about: "lines of arithmetic expressions from a weighted grammar",
    layout: Layout::Lines,
    parameters: &[],
    build: |_| Ok(Box::new(GrammarLines::new(Grammar::parse(EXPRESSIONS)?))),
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
