//! Sums of random numbers, every number with the same count of digits: `add` and `mod-add`.
//!
//! `012+345=0357`. The answer follows from the prompt: floor 0 on answers. Digits of a prompt of `add`
//! cost ln 10 each; numbers below a modulus m that is no power of ten cost ln m together, digit by digit
//! as [`Phrases`] share it.

use crate::pen::{Pen, Writing};
use crate::{Field, Phrases};

/// A number is written as `parts` texts, each drawn from `part`.
pub(crate) struct Sum {
    pub(crate) part: Phrases,
    pub(crate) parts: usize,
    pub(crate) modulus: Option<u64>,
    /// Digits of the answer.
    pub(crate) width: usize,
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
