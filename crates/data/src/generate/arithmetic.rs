//! `add` and `mod-add`: sums of random numbers, every number with the same count of digits.
//!
//! `012+345=0357`. The answer follows from the prompt: floor 0 on answers. Digits of a prompt of `add`
//! cost ln 10 each; numbers below a modulus m that is no power of ten cost ln m together, digit by digit
//! as [`Phrases`] share it. Learning `mod-add` from part of all pairs is the picture of sudden
//! generalisation long after memorising ("grokking", Power et al., arXiv 2201.02177).

use super::params::{Param, count};
use super::pen::{Pen, Writing, Written};
use super::{Entry, Field, Layout, Phrases};

/// The line of the registry for sums.
pub const ADD: Entry = Entry {
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

/// The line of the registry for sums modulo m.
pub const MOD_ADD: Entry = Entry {
    name: "mod-add",
    aliases: &["mod"],
    about: "sums modulo a number: 61+52=16 for 97",
    layout: Layout::PromptAnswer,
    parameters: MOD_PARAMS,
    build: |params| {
        let modulus = params.get("modulus");
        let width = (modulus - 1).to_string().len();
        let numbers: Vec<String> = (0..modulus).map(|n| format!("{n:0width$}")).collect();
        let sum = Sum { part: Phrases::uniform(&numbers), parts: 1, modulus: Some(modulus), width };
        Ok(Box::new(Written::new(sum)))
    },
};

const MOD_PARAMS: &[Param] = &[count("modulus", 97, 2, 1000, "m; answers are below it")];

/// A number is written as `parts` texts, each drawn from `part`.
struct Sum {
    part: Phrases,
    parts: usize,
    modulus: Option<u64>,
    /// Digits of the answer.
    width: usize,
}

const PROMPT: u8 = 0;
const ANSWER: u8 = 1;

impl Sum {
    fn number(&self, pen: &mut dyn Pen) -> u64 {
        let text: String =
            (0..self.parts).map(|_| pen.pick(&self.part, PROMPT)).map(|i| self.part.text(i)).collect();
        text.parse().expect("at most 18 digits")
    }
}

impl Writing for Sum {
    const PARTS: &'static [(&'static str, bool)] = &[("prompt", false), ("answer", true)];

    fn write(&self, pen: &mut dyn Pen) {
        pen.field(Field::Prompt);
        let a = self.number(pen);
        pen.write("+", PROMPT);
        let b = self.number(pen);
        pen.field(Field::Separator);
        pen.write("=", PROMPT);
        pen.field(Field::Answer);
        let sum = self.modulus.map_or(a + b, |m| (a + b) % m);
        pen.write(&format!("{sum:0width$}", width = self.width), ANSWER);
        pen.field(Field::Separator);
        pen.write("\n", ANSWER);
    }
}
