//! Cutting a text where no dictionary is needed.
//!
//! A run is the longest stretch of one kind: Chinese characters; letters and digits of other scripts
//! (with `.`, `,`, `'`, `-`, `%` inside or after them: `3.5`, `don't`, `80%`); equal marks in a row (`……`,
//! `——`, `!!!`). Any other mark is a run of its own. White space separates and disappears.

use crate::han::is_han;

/// A stretch of text of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// The stretch itself, never empty.
    pub text: &'a str,
    /// Whether it is of Chinese characters, and so may be several words.
    pub han: bool,
}

/// The runs of a text, in order.
///
/// ```
/// use data::segment::runs::runs;
/// let found: Vec<&str> = runs("他跑了3.5公里……OK!").map(|run| run.text).collect();
/// assert_eq!(found, ["他跑了", "3.5", "公里", "……", "OK", "!"]);
/// ```
pub fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut rest = text.trim_start();
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = length_of_first(rest, first);
        let (text, after) = rest.split_at(length);
        rest = after.trim_start();
        Some(Run { text, han: is_han(first) })
    })
}

/// How many bytes the first run has; `first` is its first character.
fn length_of_first(text: &str, first: char) -> usize {
    if is_han(first) {
        return text.find(|c| !is_han(c)).unwrap_or(text.len());
    }
    if !is_letter(first) {
        return text.find(|c| c != first).unwrap_or(text.len());
    }
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        let followed = chars.peek().is_some_and(|&(_, next)| is_letter(next));
        if !(is_letter(c) || c == '%' || (".,'’-".contains(c) && followed)) {
            break;
        }
        end = i + c.len_utf8();
    }
    end
}

/// Returns true for a letter or a digit that is no Chinese character.
pub(super) fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_han(c)
}
