//! Characters that cannot be seen and only do harm: they split words, hide text and fill vocabularies.
//!
//! | characters | become |
//! |---|---|
//! | `\r\n`, `\r`, vertical tab, form feed, U+0085, U+2028, U+2029 | `\n` |
//! | other C0 and C1 controls but `\t`, and U+007F | nothing |
//! | zero-width space, marks of direction (U+200B, U+200E-200F, U+202A-202E, U+2060-2069), U+FEFF, soft hyphen, U+FFF9-FFFB, noncharacters | nothing |
//! | joiner and non-joiner (U+200C, U+200D) | stay between two letters of a script that joins (Arabic to Vedic) or emoji; else nothing |
//!
//! The joiner makes 👩‍🚀 of 👩 and 🚀, and Persian and the Indic scripts are misspelt without them.

use super::{Rule, Verdict, without_setting};
use crate::DataError;

struct Control;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Control)
}

impl Rule for Control {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let is_suspect = |c: char| (c < ' ' && c != '\n' && c != '\t') || (c >= '\u{7F}' && !is_plain(c));
        // Most texts have none, and finding that out is cheaper than building a copy.
        if !text.chars().any(is_suspect) {
            return Verdict::Unchanged;
        }
        Verdict::replaced(text, cleaned(text))
    }
}

/// Certainly left as it is.
fn is_plain(c: char) -> bool {
    !matches!(u32::from(c),
        0x7F..=0x9F | 0xAD | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x2069 | 0xFDD0..=0xFDEF | 0xFEFF
        | 0xFFF9..=0xFFFB)
        && u32::from(c) & 0xFFFE != 0xFFFE
}

fn cleaned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let kept = match c {
            '\r' if characters.peek() == Some(&'\n') => continue,
            '\r' | '\x0B' | '\x0C' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            '\t' | '\n' => c,
            '\u{200C}' | '\u{200D}' if joins(previous) && characters.peek().is_some_and(|&c| joins(c)) => c,
            c if c < ' ' || !is_plain(c) => continue,
            c => c,
        };
        out.push(kept);
        previous = kept;
    }
    out
}

/// A character that a joiner can stand beside: a letter from Arabic to Vedic, an emoji, or its variation mark.
/// NFKC makes none of these into anything else than these, so cleaning twice changes nothing.
fn joins(c: char) -> bool {
    matches!(u32::from(c),
        0x600..=0x10FF | 0x1200..=0x1CFF | 0x2194..=0x2199 | 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0xFE0F
        | 0x1F300..=0x1FAFF)
}
