//! Numbers as people write them, grouped: `+86 138 0013 8000`, `(555) 010-9999`, `4111 1111 1111 1111`.
//! The masks for telephone numbers and for long numbers look at the same groups with other eyes.

use std::ops::Range;

/// A number in a text: groups of digits with one separator between them.
#[derive(Default)]
pub(super) struct Number {
    /// The digits of each group, as ASCII.
    pub(super) groups: Vec<String>,
    /// Whether a `+` stands before the first.
    pub(super) plus: bool,
    /// The place of each group in the text, in bytes.
    places: Vec<Range<usize>>,
}

/// The most groups that `choose` of [`mask`] looks at to decide about one.
pub(super) const LOOKED_AT: usize = 6;

/// From so many groups on, a number is read in pieces: a whole file may be one list.
const MANY: usize = 64;

/// Replaces in each number the groups that `choose` answers: ranges in ascending order, without overlap.
/// Answers whether there were any.
pub(super) fn mask(text: &mut String, label: &str, choose: impl Fn(&Number) -> Vec<Range<usize>>) -> bool {
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    let mut number = Number::default();
    while let Some(i) = text[at..].find(is_digit) {
        let before = &text[at..at + i];
        at = number.read(text, at + i);
        number.plus = before.ends_with(['+', '＋']);
        // Digits after "." are a fraction, and those in a word are part of it: not the first group then.
        if before.ends_with(|c: char| c.is_ascii_alphabetic() || c == '.' || c == '_') {
            number.groups.remove(0);
            number.places.remove(0);
        }
        // A list of many numbers is looked at in pieces, each from where the one before ended.
        let cut = number.groups.len() >= MANY;
        let last = if cut { number.groups.len() - LOOKED_AT } else { usize::MAX };
        if cut {
            at = number.places[last].start;
        }
        for groups in choose(&number).into_iter().take_while(|groups| groups.start < last) {
            let opening = if groups.start == 0 { opening(before) } else { 0 };
            out.push_str(&text[copied..number.places[groups.start].start - opening]);
            out.push_str(label);
            copied = number.places[groups.end - 1].end;
            at = at.max(copied);
        }
    }
    if copied == 0 {
        return false;
    }
    out.push_str(&text[copied..]);
    *text = out;
    true
}

impl Number {
    /// Reads the groups of a number that begins at `start`, and answers where it ends.
    fn read(&mut self, text: &str, start: usize) -> usize {
        self.groups.clear();
        self.places.clear();
        let mut at = start;
        loop {
            let length: usize = text[at..].chars().take_while(|&c| is_digit(c)).map(char::len_utf8).sum();
            let end = at + length;
            self.groups.push(text[at..end].chars().filter_map(ascii_digit).collect());
            self.places.push(at..end);
            if self.groups.len() == 1 && end - at == 3 && is_dotted(&text[end..]) {
                for group in [end + 1..end + 4, end + 5..end + 9] {
                    self.groups.push(text[group.clone()].into());
                    self.places.push(group);
                }
                return end + 9;
            }
            let separator = separator(&text[end..]);
            let goes_on = separator > 0 && text[end + separator..].starts_with(is_digit);
            if !goes_on || self.groups.len() > MANY {
                return end;
            }
            at = end + separator;
        }
    }
}

/// Bytes of a `+` or `(` that belong to the number behind them.
fn opening(before: &str) -> usize {
    let rest = before.strip_suffix(['(', '（']).unwrap_or(before);
    let rest = rest.strip_suffix(['+', '＋']).unwrap_or(rest);
    before.len() - rest.len()
}

/// Returns true for what follows 555 in 555.010.9999: elsewhere a dot is no separator, but belongs to a fraction, a
/// version or an address.
fn is_dotted(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    bytes.len() >= 9
        && (bytes[0], bytes[4]) == (b'.', b'.')
        && [1, 2, 3, 5, 6, 7, 8].into_iter().all(digit)
        && !digit(9)
        && !(bytes.get(9) == Some(&b'.') && digit(10))
}

/// Bytes of what may stand between two groups: a space, a hyphen, `) `, `)-`, or an opening parenthesis.
fn separator(rest: &str) -> usize {
    [") ", ")-", " (", "） ", ")", "）", "(", "（", "-", " ", "－"]
        .into_iter()
        .find(|separator| rest.starts_with(separator))
        .map_or(0, str::len)
}

fn is_digit(c: char) -> bool {
    ascii_digit(c).is_some()
}

/// A digit, ASCII or full-width, as ASCII.
fn ascii_digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10),
        _ => None,
    }
}
