//! `dyck-1`: brackets of one kind that match, from the grammar S -> ( S ) S with probability p, or nothing.
//!
//! Every character and the end cost H(p) on average; texts have 2p / (1 - 2p) brackets (4 for p = 0.4).

use crate::family::grammar_lines::GrammarLines;
use crate::params::{conflict, share};
use crate::process::grammar::Grammar;
use crate::{Entry, Layout, ONE};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
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
        Ok(Box::new(GrammarLines::new(Grammar::parse(&rules)?)))
    },
};
