//! `add`: sums of two numbers. Floor: [`sums`](crate::family::sums).

use crate::family::sums::Sum;
use crate::params::count;
use crate::pen::Written;
use crate::{Entry, Layout, Phrases};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "add",
    aliases: &["arithmetic"],
    about: "sums of two numbers: 012+345=0357",
    layout: Layout::PromptAnswer,
    parameters: &[count("digits", 3, 1, 18, "digits of each number")],
    build: |params| {
        let digits = params.size("digits");
        let digit = (0..10).map(|d| d.to_string()).collect::<Vec<_>>();
        let sum = Sum { part: Phrases::uniform(&digit), parts: digits, modulus: None, width: digits + 1 };
        Ok(Box::new(Written::new(sum)))
    },
};
