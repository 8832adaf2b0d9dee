//! Gopher's rule on letters: at least 80 % of the words have one. A text in Han characters has no words
//! between spaces; there at least half of the visible characters must be letters (Han or other), which
//! leaves room for the punctuation of short sentences.

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use crate::clean::script::is_mostly_unspaced;
use crate::han::is_han;

struct Alphabetic;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Alphabetic)
}

impl Rule for Alphabetic {
    fn apply(&mut self, text: &mut String) -> Verdict {
        if is_mostly_unspaced(text) {
            let visible = text.chars().filter(|c| !c.is_whitespace()).count();
            let letters = text.chars().filter(|&c| is_han(c) || c.is_alphabetic()).count();
            return Verdict::drop_if(2 * letters < visible);
        }
        let (mut words, mut lettered) = (0usize, 0usize);
        for word in text.split_whitespace() {
            words += 1;
            lettered += usize::from(word.contains(char::is_alphabetic));
        }
        Verdict::drop_if(10 * lettered < 8 * words)
    }
}
