//! White space: one space where there are several, none at the ends of a line, one blank line where there
//! are several, none at the ends of the text.
//!
//! A single ideographic space (U+3000) stays: Chinese sets names and verses apart with it. Every other space
//! within a line becomes U+0020. Indentation goes too, so for program text switch this rule off.

use super::{Rule, Verdict, without_setting};
use crate::DataError;

struct Whitespace;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Whitespace)
}

impl Rule for Whitespace {
    fn apply(&mut self, text: &mut String) -> Verdict {
        if is_clean(text) {
            return Verdict::Unchanged;
        }
        let mut out = String::with_capacity(text.len());
        let mut line_ends = 0;
        for line in text.split(['\n', '\r']) {
            let line = line.trim();
            if !line.is_empty() {
                if !out.is_empty() {
                    out.extend(std::iter::repeat_n('\n', line_ends.min(2)));
                }
                line_ends = 0;
                collapse(line, &mut out);
            }
            line_ends += 1;
        }
        Verdict::replaced(text, out)
    }
}

/// Whether the rule would change nothing, for texts without other spaces than U+0020 and single U+3000.
fn is_clean(text: &str) -> bool {
    let space = |c: char| c == ' ' || c == '\u{3000}';
    let mut previous = '\n';
    let mut blank = true; // the line before this one is blank, or there is none
    for c in text.chars() {
        match c {
            '\n' if space(previous) => return false,
            '\n' => {
                if previous == '\n' {
                    if blank {
                        return false;
                    }
                    blank = true;
                }
            }
            ' ' | '\u{3000}' if space(previous) || previous == '\n' => return false,
            ' ' | '\u{3000}' => {}
            _ if c.is_whitespace() => return false,
            _ => blank = false,
        }
        previous = c;
    }
    text.is_empty() || !(space(previous) || previous == '\n')
}

/// Appends a line with one space for each run of white space.
fn collapse(line: &str, out: &mut String) {
    let mut spaces = 0;
    let mut first = ' ';
    for c in line.chars() {
        if c.is_whitespace() {
            spaces += 1;
            first = c;
            continue;
        }
        match (spaces, first) {
            (0, _) => {}
            (1, '\u{3000}') => out.push('\u{3000}'),
            _ => out.push(' '),
        }
        spaces = 0;
        out.push(c);
    }
}
