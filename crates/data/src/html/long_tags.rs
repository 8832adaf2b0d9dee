//! Tags with thousands of attributes are cut short before they are parsed.
//!
//! The tokenizer compares each attribute of a tag with all before it, to find those that are there twice:
//! k attributes cost k^2 / 2 comparisons, and a hostile page of 10 MB is one tag with a million. Attributes
//! are not text, so whatever a tag has beyond the first [`MOST`] is left out, and all is linear.
//!
//! Comments and scripts may hold what looks like such a tag. There the same is left out, which does no
//! harm: it is no text either, and a `-->` at the end of it stays.

use std::borrow::Cow;

/// Attributes that a tag keeps; no page made for people has as many.
const MOST: usize = 512;

/// The page without the attributes that are too many.
pub(super) fn shortened(page: &str) -> Cow<'_, str> {
    let bytes = page.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(i) = memchr::memchr(b'<', &bytes[at..]) {
        at += i + 1;
        let name = if bytes.get(at) == Some(&b'/') { at + 1 } else { at };
        if !bytes.get(name).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        let tag = Tag::scan(bytes, name);
        at = tag.end;
        if let Some(cut) = tag.cut {
            // "--" before the ">" may end a comment, so it stays.
            let tail = if page[cut..tag.end].ends_with("-->") { 3 } else { 1 };
            out.push_str(&page[copied..cut]);
            copied = if page[..tag.end].ends_with('>') { tag.end - tail } else { tag.end };
        }
    }
    if copied == 0 {
        return Cow::Borrowed(page);
    }
    out.push_str(&page[copied..]);
    Cow::Owned(out)
}

/// Where a tag ends, and where its attributes become too many.
///
/// Both are at ASCII characters, so the page can be cut there; at the end of the page there is no `>`.
struct Tag {
    end: usize,
    cut: Option<usize>,
}

impl Tag {
    /// Follows the attribute states of the standard (13.2.5.32 to 39) from the tag's name to behind its `>`.
    fn scan(bytes: &[u8], name: usize) -> Tag {
        let is_space = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'\x0C' | b'/');
        let (mut at, mut attributes, mut cut) = (name, 0, None);
        while at < bytes.len() && !is_space(bytes[at]) && bytes[at] != b'>' {
            at += 1;
        }
        while at < bytes.len() {
            match bytes[at] {
                b'>' => return Tag { end: at + 1, cut },
                b if is_space(b) => at += 1,
                _ => {
                    attributes += 1;
                    if attributes > MOST && cut.is_none() {
                        cut = Some(at);
                    }
                    at = attribute_end(bytes, at, is_space);
                }
            }
        }
        Tag { end: at, cut }
    }
}

/// Behind an attribute that begins at `at`: its name and, after `=`, its value.
fn attribute_end(bytes: &[u8], mut at: usize, is_space: fn(u8) -> bool) -> usize {
    let skip = |mut at: usize, within: &dyn Fn(u8) -> bool| {
        while at < bytes.len() && within(bytes[at]) {
            at += 1;
        }
        at
    };
    at = skip(at + 1, &|b| !is_space(b) && b != b'>' && b != b'='); // a name may begin with `=`
    let equals = skip(at, &|b| is_space(b) && b != b'/');
    if bytes.get(equals) != Some(&b'=') {
        return at;
    }
    at = skip(equals + 1, &|b| is_space(b) && b != b'/');
    match bytes.get(at) {
        Some(&quote @ (b'"' | b'\'')) => match memchr::memchr(quote, &bytes[at + 1..]) {
            Some(i) => at + 1 + i + 1,
            None => bytes.len(),
        },
        _ => skip(at, &|b| (!is_space(b) || b == b'/') && b != b'>'),
    }
}
