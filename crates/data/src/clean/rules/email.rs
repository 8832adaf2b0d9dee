//! E-mail addresses to `[EMAIL]`: a person's address has no business in a model.
//!
//! An address is `local@domain`: up to 64 of `A-Z a-z 0-9 . _ % + -`, then labels of letters, digits and
//! hyphens joined by dots, the last of at least two letters. That is what people write; the quoted and
//! commented forms of RFC 5322 are not looked for.

use super::{Rule, Verdict, without_setting};
use crate::DataError;

struct Email;

pub(super) fn build(setting: &str) -> Result<Box<dyn Rule>, DataError> {
    without_setting(setting, Email)
}

impl Rule for Email {
    fn apply(&mut self, text: &mut String) -> Verdict {
        let (mut out, mut copied) = (String::new(), 0);
        for at in memchr::memchr_iter(b'@', text.as_bytes()) {
            if at < copied {
                continue;
            }
            if let (Some(start), Some(end)) = (local_start(text, at, copied), domain_end(text, at + 1)) {
                out.push_str(&text[copied..start]);
                out.push_str("[EMAIL]");
                copied = end;
            }
        }
        if copied == 0 {
            return Verdict::Unchanged;
        }
        out.push_str(&text[copied..]);
        *text = out;
        Verdict::Changed
    }
}

/// Where the part before the `@` begins, not before `from`.
fn local_start(text: &str, at: usize, from: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[from..at];
    let local = |b: &&u8| b.is_ascii_alphanumeric() || b"._%+-".contains(b);
    let length = bytes.iter().rev().take(64).take_while(local).count();
    // "..." before an address is punctuation.
    let dots = bytes[bytes.len() - length..].iter().take_while(|&&b| b == b'.').count();
    (length > dots).then(|| at - length + dots)
}

/// Where the domain that begins at `start` ends.
fn domain_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut end = None;
    let mut at = start;
    loop {
        let label = bytes[at..].iter().take(64).take_while(|b| b.is_ascii_alphanumeric() || **b == b'-');
        let length = label.count();
        let last = &bytes[at..at + length];
        if length == 0 || length > 63 || last[0] == b'-' {
            return end;
        }
        let letters = last.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        if at > start && letters >= 2 && letters == length {
            end = Some(at + length);
        }
        at += length;
        if bytes.get(at) != Some(&b'.') || at - start > 255 {
            return end;
        }
        at += 1;
    }
}
