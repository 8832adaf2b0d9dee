//! HTML to text, with the tokenizer of html5ever, which follows the WHATWG standard.
//!
//! | in the page | in the text |
//! |---|---|
//! | `<script>`, `<style>`, `<iframe>`, comments | nothing |
//! | block tags (`p`, `div`, `h1`, `li`, `tr`, ...), `<br>`, `</br>` | a line end |
//! | table cells | a tab between them; an empty cell keeps its tab, but no row ends with one |
//! | inline tags (`b`, `a`, `span`, unknown ones) | nothing: `un<b>believ</b>able` is one word |
//! | entities | their character, decoded once: `&amp;lt;` is `&lt;` |
//! | `a < b` | itself: a tag begins with a letter |
//! | white space | one space; as it is in `<pre>` and `<textarea>` |
//! | white space with a line end, between Han, kana or their punctuation | nothing: such lines are wrapped anywhere |
//!
//! Only the tokenizer is used, not the tree: text needs no tree, and the repairs of badly nested tags that
//! building one demands take quadratic time on hostile pages. What is left of that is in long_tags.rs.
//!
//! Source: WHATWG HTML Standard, section 13.2.5 (tokenization) and 13.2.6.4.7 (`</br>`); `innerText` for the tab and
//! the line ends; CSS Text Module Level 3, section 4.1.3 (line ends between wide characters).

mod long_tags;

use crate::han::is_wide;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use std::cell::RefCell;

/// The text of a page, in time linear in its length. Any string is a page: HTML has no syntax errors.
///
/// ```
/// let page = "<title>Zoo</title><p>Lions &amp; <b>ti</b>gers<p>if a < b<script>alert(1)</script>";
/// assert_eq!(data::html::html_to_text(page), "Zoo\nLions & tigers\nif a < b");
/// ```
pub fn html_to_text(page: &str) -> String {
    text_of(&long_tags::shortened(page, long_tags::MOST))
}

/// The text of a page whose tags have few attributes.
fn text_of(page: &str) -> String {
    let input = BufferQueue::default();
    // A tendril counts its bytes in 32 bits.
    for piece in pieces(page, 1 << 30) {
        input.push_back(StrTendril::from_slice(piece));
    }
    let options = TokenizerOpts { discard_bom: false, ..TokenizerOpts::default() };
    let tokenizer = Tokenizer::new(Extractor::default(), options);
    let _ = tokenizer.feed(&input); // stops early only for scripts that run, of which there are none
    tokenizer.end();
    tokenizer.sink.0.into_inner().out
}

/// Consecutive pieces of about `size` bytes.
fn pieces(mut text: &str, size: usize) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let end = (0..=size.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Takes the tokens of a page and writes its text.
#[derive(Default)]
struct Extractor(RefCell<Text>);

impl TokenSink for Extractor {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut text = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(characters) => text.characters(&characters),
            Token::TagToken(tag) => return text.tag(&tag),
            _ => {} // comments, the doctype, zero characters, parse errors
        }
        TokenSinkResult::Continue
    }
}

/// What is to be written before the next character.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
enum Gap {
    #[default]
    None,
    Space,
    /// A space that has a line end in it.
    Wrapped,
    /// Cells ended, and so many began: as many tabs, at least one.
    Tabs(usize),
    /// So many line ends.
    Lines(usize),
}

/// The text so far.
#[derive(Default)]
struct Text {
    out: String,
    gap: Gap,
    /// Cells that began since the row did, if nothing was written in it yet.
    first_cells: Option<usize>,
    /// Within an element whose content is not text, up to its end tag.
    dropped: bool,
    /// Depth of elements with white space as it is.
    preformatted: usize,
    /// The next character is the first of such an element; a line end there does not count.
    at_start_of_pre: bool,
}

impl Text {
    fn characters(&mut self, characters: &str) {
        if self.dropped {
            return;
        }
        for c in characters.chars() {
            let first = std::mem::take(&mut self.at_start_of_pre);
            match c {
                '\n' if first => {}
                '\n' if self.preformatted == 0 => self.widen(Gap::Wrapped),
                ' ' | '\t' | '\r' | '\x0C' if self.preformatted == 0 => self.widen(Gap::Space),
                _ => {
                    self.close_gap(c);
                    self.out.push(c);
                }
            }
        }
    }

    /// Writes what is between the last character and `next`.
    fn close_gap(&mut self, next: char) {
        let gap = std::mem::take(&mut self.gap);
        // Nothing is before the first character, but for the tabs of empty cells.
        if let Some(last) = self.out.chars().next_back() {
            match gap {
                Gap::Wrapped if is_wide(last) && is_wide(next) => {}
                Gap::None => {}
                Gap::Space | Gap::Wrapped => self.out.push(' '),
                Gap::Tabs(n) => self.out.extend(std::iter::repeat_n('\t', n.max(1))),
                Gap::Lines(n) => self.out.extend(std::iter::repeat_n('\n', n)),
            }
        }
        let empty_cells = self.first_cells.take().map_or(0, |cells| cells.saturating_sub(1));
        self.out.extend(std::iter::repeat_n('\t', empty_cells));
    }

    /// The wider of two gaps is the one that is seen.
    fn widen(&mut self, gap: Gap) {
        if gap > self.gap {
            self.gap = gap;
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        self.dropped = false; // between `<script>` and `</script>` there is no other tag
        self.at_start_of_pre = false;
        let start = tag.kind == TagKind::StartTag;
        let name = &*tag.name;
        match name {
            "br" => match self.gap {
                Gap::Lines(1) => self.gap = Gap::Lines(2), // two make a blank line, more do not make more
                gap => self.widen(if gap < Gap::Lines(1) { Gap::Lines(1) } else { gap }),
            },
            "td" | "th" => self.cell(start),
            "pre" | "textarea" | "listing" | "xmp" | "plaintext" => {
                self.widen(Gap::Lines(1));
                self.at_start_of_pre = start;
                self.preformatted =
                    if start { self.preformatted + 1 } else { self.preformatted.saturating_sub(1) };
            }
            _ if BLOCKS.contains(&name) => self.widen(Gap::Lines(1)),
            _ => {}
        }
        match name {
            "tr" if start => self.first_cells = Some(0),
            "tr" | "table" | "tbody" | "thead" | "tfoot" => self.first_cells = None,
            _ => {}
        }
        if start { self.raw_content(name) } else { TokenSinkResult::Continue }
    }

    /// A cell begins or ends. What is shown of an empty one is the tab before it.
    fn cell(&mut self, start: bool) {
        match (&mut self.first_cells, self.gap) {
            (Some(cells), _) => *cells += usize::from(start),
            (None, Gap::Tabs(cells)) => self.gap = Gap::Tabs(cells + usize::from(start)),
            (None, _) => self.widen(Gap::Tabs(usize::from(start))),
        }
    }

    /// Elements whose content is not markup: the tokenizer is told, and some are no text either.
    fn raw_content(&mut self, name: &str) -> TokenSinkResult<()> {
        self.dropped = matches!(name, "script" | "style" | "iframe" | "noembed" | "noframes");
        match name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "iframe" | "noembed" | "noframes" | "xmp" => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }
}

/// Elements that begin and end a line.
const BLOCKS: [&str; 56] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "button",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "main",
    "menu",
    "nav",
    "noscript",
    "ol",
    "optgroup",
    "option",
    "p",
    "search",
    "section",
    "select",
    "summary",
    "table",
    "tbody",
    "template",
    "tfoot",
    "thead",
    "title",
    "tr",
    "ul",
    "video",
    "audio",
    "canvas",
];

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
