//! GPT-2's way of cutting a text into pieces (words, numbers, punctuation, white space) before
//! anything is counted or merged.
//!
//! The definition is a regular expression (`encoder.py` of <https://github.com/openai/gpt-2>):
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```
//!
//! that is, at every place the first of these that fits:
//!
//! 1. an English contraction: `'s` `'t` `'re` `'ve` `'m` `'ll` `'d`;
//! 2. letters, as many as there are, with one space before them if there is one;
//! 3. numbers, likewise;
//! 4. other characters that are not white space, likewise;
//! 5. white space up to the last but one of its characters, so that the last can go with the word
//!    after it; all of it at the end of the text, or if there is just one.
//!
//! A hand-written scanner finds the same pieces in one pass, without a regular expression engine:
//! no back-tracking, so no text can slow it down. Letters (`\p{L}`) and numbers (`\p{N}`) are Unicode's
//! general categories. The standard library's `char::is_alphabetic` is another property that includes
//! vowel signs and circled letters, and would cut Hindi or Thai words at other places.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// The pieces of a text. Together they are the text.
///
/// ```
/// let pieces: Vec<_> = data::tokenizer::pieces("I'm 22,  you're not.").collect();
/// assert_eq!(pieces, ["I", "'m", " 22", ",", " ", " you", "'re", " not", "."]);
/// ```
pub fn pieces(text: &str) -> Pieces<'_> {
    Pieces { rest: text }
}

/// Iterator over the pieces of a text, see [`pieces`].
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (piece, rest) = self.rest.split_at(first_piece(self.rest));
        self.rest = rest;
        Some(piece)
    }
}

/// Hands over the pieces of a text that stay as they are whatever text may follow, and answers how many
/// bytes they are.
///
/// These are all but the last two. The end of a piece depends on the character after it, or on two in
/// a contraction, and white space is cut only where something follows: two more pieces show it all.
pub(crate) fn settled_pieces<'a>(text: &'a str, mut each: impl FnMut(&'a str)) -> usize {
    let (mut before_last, mut last) = ("", "");
    let mut settled = 0;
    for piece in pieces(text) {
        if !before_last.is_empty() {
            each(before_last);
            settled += before_last.len();
        }
        (before_last, last) = (last, piece);
    }
    settled
}

/// What the expression distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

/// The length in bytes of the first piece of a text that is not empty.
fn first_piece(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes[0] == b'\''
        && let Some(len) = contraction(bytes)
    {
        return len;
    }
    // ` ?`: one space, if what follows is not white space.
    let start = usize::from(bytes[0] == b' ');
    match class_at(text, start) {
        Some((Class::Space, _)) | None => white_space(text),
        Some((class, len)) => run(text, start + len, class),
    }
}

/// The length of the contraction at the beginning, if there is one.
fn contraction(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [_, b's' | b't' | b'm' | b'd', ..] => Some(2),
        [_, b'r', b'e', ..] | [_, b'v', b'e', ..] | [_, b'l', b'l', ..] => Some(3),
        _ => None,
    }
}

/// Where the characters of a class end that are at `from`.
fn run(text: &str, from: usize, class: Class) -> usize {
    let mut end = from;
    while let Some((next, len)) = class_at(text, end) {
        if next != class {
            break;
        }
        end += len;
    }
    end
}

/// The length of the piece of white space at the beginning.
fn white_space(text: &str) -> usize {
    let end = run(text, 0, Class::Space);
    let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
    if end == text.len() || end == last { end } else { end - last }
}

/// The class of the character at a byte, and the character's length in bytes.
#[inline]
fn class_at(text: &str, at: usize) -> Option<(Class, usize)> {
    let &first = text.as_bytes().get(at)?;
    if first < 0x80 {
        return Some((ASCII[usize::from(first)], 1));
    }
    let c = text[at..].chars().next()?;
    Some((class_of(c), c.len_utf8()))
}

/// The classes of the ASCII characters.
const ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut c = 0;
    while c < 128 {
        classes[c] = match c as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Number,
            b'\t'..=b'\r' | b' ' => Class::Space,
            _ => Class::Other,
        };
        c += 1;
    }
    classes
};

/// The class of any character.
fn class_of(c: char) -> Class {
    use Category::*;
    match get_general_category(c) {
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter => Class::Letter,
        DecimalNumber | LetterNumber | OtherNumber => Class::Number,
        _ if c.is_whitespace() => Class::Space,
        _ => Class::Other,
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
pub(super) mod tests;
