//! `mod-add`: sums modulo a number. Floor: [`sums`](crate::family::sums).
//!
//! Learning it from part of all pairs is the picture of sudden generalisation long after memorising ("grokking",
//! Power et al., arXiv 2201.02177).

use crate::family::sums::Sum;
use crate::params::count;
use crate::pen::Written;
use crate::{Entry, Layout, Param, Phrases};

/// The line of the registry.
pub const ENTRY: Entry = Entry {
    name: "mod-add",
    aliases: &["mod"],
    about: "sums modulo a number: 61+52=16 for 97",
    layout: Layout::PromptAnswer,
    parameters: PARAMS,
    build: |params| {
        let modulus = params.get("modulus");
        let width = (modulus - 1).to_string().len();
        let numbers: Vec<String> = (0..modulus).map(|n| format!("{n:0width$}")).collect();
        let sum = Sum { part: Phrases::uniform(&numbers), parts: 1, modulus: Some(modulus), width };
        Ok(Box::new(Written::new(sum)))
    },
};

const PARAMS: &[Param] = &[count("modulus", 97, 2, 1000, "m; answers are below it")];
