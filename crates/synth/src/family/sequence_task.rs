//! Random symbols, and the same in another order: `copy`, `reverse`, `sort`.
//!
//! `prompt=answer`: the answer follows from the prompt, so its floor is 0 and a model must reach exact
//! match. The prompt has a length that is uniform in min..=max. With n symbols written, it stops with
//! probability 1 / (max - n + 1) once n >= min, so a prompt costs ln(max - min + 1) + length * ln V.

use crate::document::plain_alphabet;
use crate::params::{conflict, count};
use crate::pen::{Pen, Writing, Written};
use crate::{Choice, Field, Generator, Param, Params, Phrases};
use data::DataError;

/// The parameters of each.
pub(crate) const PARAMS: &[Param] = &[
    count("symbols", 10, 2, 26, "V, size of the alphabet"),
    count("min", 4, 1, 1000, "shortest prompt"),
    count("max", 12, 1, 1000, "longest prompt"),
];

struct SequenceTask {
    symbols: Phrases,
    min: usize,
    /// stop[n - min]: whether a prompt of n symbols goes on (0) or is complete (1)
    stop: Vec<Choice>,
    answer: fn(&mut Vec<usize>),
}

/// The task whose answer is the prompt after `answer`.
pub(crate) fn build(params: &Params, answer: fn(&mut Vec<usize>)) -> Result<Box<dyn Generator>, DataError> {
    let (min, max) = (params.size("min"), params.size("max"));
    if min > max {
        return Err(conflict(
            "the lengths",
            format!("min={min} max={max}"),
            "min up to max",
            "set another max",
        ));
    }
    let letters: Vec<String> = plain_alphabet(params.size("symbols")).into_iter().map(String::from).collect();
    let stop = (min..=max).map(|n| Choice::new(&[(max - n) as u64, 1])).collect();
    Ok(Box::new(Written::new(SequenceTask { symbols: Phrases::uniform(&letters), min, stop, answer })))
}

const PROMPT: u8 = 0;
const ANSWER: u8 = 1;

impl Writing for SequenceTask {
    const PARTS: &'static [(&'static str, bool)] = &[("prompt", false), ("answer", true)];

    fn write(&self, pen: &mut dyn Pen) {
        pen.field(Field::Prompt);
        let mut symbols = Vec::new();
        while symbols.len() < self.min || pen.decide(&self.stop[symbols.len() - self.min]) == 0 {
            symbols.push(pen.pick(&self.symbols, PROMPT));
        }
        pen.field(Field::Separator);
        pen.write("=", PROMPT);
        (self.answer)(&mut symbols);
        pen.field(Field::Answer);
        let answer: String = symbols.iter().map(|&i| self.symbols.text(i)).collect();
        pen.write(&answer, ANSWER);
        pen.field(Field::Separator);
        pen.write("\n", ANSWER); // a model must also know where to stop
    }
}
