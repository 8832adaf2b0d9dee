//! Tags with thousands of attributes are cut short before they are parsed.
//!
//! The tokenizer compares each attribute of a tag with all before it, to find those that are there twice:
//! k attributes cost k^2 / 2 comparisons, and a hostile page of 10 MB is one tag with a million. Attributes
//! are not text, so whatever a tag has beyond the first [`MOST`] is left out, and all is linear.
//!
//! What looks like such a tag within a comment, a script or another element whose content is no markup is none: the
//! scanner follows the states of the standard that decide it.

use std::borrow::Cow;

/// Attributes that a tag keeps; no page made for people has as many.
pub(super) const MOST: usize = 512;

/// The page, of whose tags each keeps at most `most` attributes.
pub(super) fn shortened(page: &str, most: usize) -> Cow<'_, str> {
    let bytes = page.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(i) = memchr::memchr(b'<', &bytes[at..]) {
        let open = at + i;
        let closes = bytes.get(open + 1) == Some(&b'/');
        let name = open + 1 + usize::from(closes);
        match bytes.get(name) {
            Some(b) if b.is_ascii_alphabetic() => {}
            Some(b'!') if !closes => {
                at = declaration_end(bytes, open);
                continue;
            }
            Some(b'?') if !closes => {
                at = behind(bytes, open, b'>');
                continue;
            }
            Some(b'>') if closes => {
                at = name + 1;
                continue;
            }
            Some(_) if closes => {
                at = behind(bytes, name, b'>'); // a comment of a kind
                continue;
            }
            _ => {
                at = open + 1; // a character
                continue;
            }
        }
        let tag = Tag::scan(bytes, name, most);
        if let Some(cut) = tag.cut {
            out.push_str(&page[copied..cut]);
            copied = if tag.closed { tag.end - 1 } else { tag.end };
        }
        at = tag.end;
        if !closes && tag.closed {
            at = content_end(bytes, &bytes[name..tag.name_end], at);
        }
    }
    if copied == 0 {
        return Cow::Borrowed(page);
    }
    out.push_str(&page[copied..]);
    Cow::Owned(out)
}

/// Behind the next `byte`, or the end of the page.
fn behind(bytes: &[u8], at: usize, byte: u8) -> usize {
    memchr::memchr(byte, &bytes[at..]).map_or(bytes.len(), |i| at + i + 1)
}

/// Behind what begins with `<!` (13.2.5.42 to 55): a comment, a doctype, or what is taken for a comment.
fn declaration_end(bytes: &[u8], open: usize) -> usize {
    let Some(content) = bytes[open..].strip_prefix(b"<!--") else { return behind(bytes, open, b'>') };
    let start = open + 4;
    for abrupt in [&b">"[..], b"->"] {
        if content.starts_with(abrupt) {
            return start + abrupt.len();
        }
    }
    // Each `>` is looked at once.
    memchr::memchr_iter(b'>', content)
        .find(|&i| content[..i].ends_with(b"--") || content[..i].ends_with(b"--!"))
        .map_or(bytes.len(), |i| start + i + 1)
}

/// Where the content of an element ends if it is no markup, which the tag before `at` with this name decides: before
/// the end tag. Of any other element it is `at`.
fn content_end(bytes: &[u8], name: &[u8], at: usize) -> usize {
    const RAW: [&[u8]; 7] = [b"style", b"iframe", b"noembed", b"noframes", b"xmp", b"title", b"textarea"];
    let name = name.to_ascii_lowercase();
    match &name[..] {
        b"script" => script_end(bytes, at),
        b"plaintext" => bytes.len(),
        name if RAW.contains(&name) => {
            let closing = |at: &usize| is_tag(bytes, *at, b"</", name);
            tags(bytes, at).find(closing).unwrap_or(bytes.len())
        }
        _ => at,
    }
}

/// The places of `<` from `at` on.
fn tags(bytes: &[u8], at: usize) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(b'<', &bytes[at..]).map(move |i| at + i)
}

/// Returns true if `opening` and this name stand there, and the name ends.
fn is_tag(bytes: &[u8], at: usize, opening: &[u8], name: &[u8]) -> bool {
    let Some(rest) = bytes[at..].strip_prefix(opening) else { return false };
    rest.len() > name.len()
        && rest[..name.len()].eq_ignore_ascii_case(name)
        && matches!(rest[name.len()], b' ' | b'\t' | b'\n' | b'\r' | b'\x0C' | b'/' | b'>')
}

/// Before the end tag of a script (13.2.5.4 and 15 to 31): within `<!--` and `-->` there may be a `<script>` with an end
/// of its own.
fn script_end(bytes: &[u8], at: usize) -> usize {
    #[derive(PartialEq)]
    enum Within {
        Script,
        Comment,
        ScriptInComment,
    }
    let mut within = Within::Script;
    for place in memchr::memchr2_iter(b'<', b'>', &bytes[at..]).map(|i| at + i) {
        if bytes[place] == b'>' {
            // Two dashes of `<!--` itself may end it.
            if within != Within::Script && bytes[at..place].ends_with(b"--") {
                within = Within::Script;
            }
        } else if is_tag(bytes, place, b"</", b"script") {
            match within {
                Within::ScriptInComment => within = Within::Comment,
                _ => return place,
            }
        } else if within == Within::Script && bytes[place..].starts_with(b"<!--") {
            within = Within::Comment;
        } else if within == Within::Comment && is_tag(bytes, place, b"<", b"script") {
            within = Within::ScriptInComment;
        }
    }
    bytes.len()
}

/// Where a tag ends, and where its attributes become too many.
///
/// Both are at ASCII characters, so the page can be cut there; at the end of the page there is no `>`.
struct Tag {
    name_end: usize,
    end: usize,
    /// It ends with a `>`, and not with the page.
    closed: bool,
    cut: Option<usize>,
}

impl Tag {
    /// Follows the attribute states of the standard (13.2.5.32 to 39) from the tag's name to behind its `>`.
    fn scan(bytes: &[u8], name: usize, most: usize) -> Tag {
        let is_space = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'\x0C' | b'/');
        let (mut at, mut attributes, mut cut) = (name, 0, None);
        while at < bytes.len() && !is_space(bytes[at]) && bytes[at] != b'>' {
            at += 1;
        }
        let name_end = at;
        while at < bytes.len() {
            match bytes[at] {
                b'>' => return Tag { name_end, end: at + 1, closed: true, cut },
                b if is_space(b) => at += 1,
                _ => {
                    attributes += 1;
                    if attributes > most && cut.is_none() {
                        cut = Some(at);
                    }
                    at = attribute_end(bytes, at, is_space);
                }
            }
        }
        Tag { name_end, end: at, closed: false, cut }
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
