//! Gopher's rule on symbols: fewer than one `#` or ellipsis (`...`, `…`) for ten words. A Han character
//! counts as a word, and `……`, as Chinese writes it, is one ellipsis.

use super::{Rule, Verdict, without_setting};
use crate::DataError;
use crate::clean::script::count_words;

struct Symbols;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Symbols)
}

impl Rule for Symbols {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let symbols = count(text);
        Verdict::drop_if(symbols > 0 && 10 * symbols >= count_words(text))
    }
}

fn count(text: &str) -> usize {
    let (mut symbols, mut dots, mut previous) = (0, 0, ' ');
    for c in text.chars() {
        dots = if c == '.' { dots + 1 } else { 0 };
        symbols += usize::from(c == '#' || dots == 3 || (c == '…' && previous != '…'));
        previous = c;
    }
    symbols
}
