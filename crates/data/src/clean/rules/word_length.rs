//! Gopher's rule on words: their mean length lies in 3 to 10 characters. Less is a table of figures, more
//! is a list of addresses. It says nothing on a text in a script without spaces between words (Han, kana, Thai, ...).

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use crate::clean::script::is_mostly_unspaced;

struct WordLength;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, WordLength)
}

impl Rule for WordLength {
    fn apply(&mut self, text: &mut String) -> Verdict {
        if is_mostly_unspaced(text) {
            return Verdict::Unchanged;
        }
        let (mut words, mut characters) = (0usize, 0usize);
        for word in text.split_whitespace() {
            words += 1;
            characters += word.chars().count();
        }
        Verdict::drop_if(characters < 3 * words || characters > 10 * words)
    }
}
