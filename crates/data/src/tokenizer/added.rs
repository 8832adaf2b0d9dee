//! Added tokens: words of a text that are one token each, whatever the tokenizer would make of them.
//!
//! `tokenizers` keeps them beside the vocabulary, cuts a text at them first, and encodes what lies between by itself: the
//! longest of those that begin at a place, from left to right. Those that are searched in the text as it is come before
//! those that are searched in the normalized text. Nothing is normalized here, but the order remains.

use aho_corasick::{AhoCorasick, MatchKind};

/// An added token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Added {
    /// Its id.
    pub(super) id: u32,
    /// How it stands in texts.
    pub(super) content: String,
    /// Whether it is searched after those that are not.
    pub(super) normalized: bool,
    /// Whether it is a byte or the product of a merge, too: what BPE makes of other texts.
    pub(super) of_bpe: bool,
}

/// The added tokens of a tokenizer, in the order of their ids.
#[derive(Clone, Debug)]
pub(crate) struct AddedTokens {
    all: Vec<Added>,
    searches: [Option<Search>; 2],
    /// Bytes of the longest.
    longest: usize,
}

#[derive(Clone, Debug)]
struct Search {
    automaton: AhoCorasick,
    ids: Vec<u32>,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// What lies between added tokens; not empty.
    Text(&'a str),
    /// An added token of so many bytes.
    Token {
        /// Its id.
        id: u32,
        /// Its length in the text.
        bytes: usize,
    },
}

impl PartialEq for AddedTokens {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl AddedTokens {
    /// None.
    pub(super) const NONE: &'static AddedTokens =
        &AddedTokens { all: Vec::new(), searches: [None, None], longest: 0 };
    /// All of them together are not longer: searching costs some hundred times as much memory.
    const MAX_BYTES: usize = 1 << 20;

    /// These, in any order.
    ///
    /// # Errors
    /// If one is empty, or they are too long; as part of a sentence.
    pub(super) fn new(mut all: Vec<Added>) -> Result<Self, String> {
        if all.iter().any(|added| added.content.is_empty()) {
            return Err("an added token is empty".into());
        }
        let bytes: usize = all.iter().map(|added| added.content.len()).sum();
        if bytes > Self::MAX_BYTES {
            return Err(format!("added tokens of {bytes} bytes, more than the limit of {}", Self::MAX_BYTES));
        }
        all.sort_unstable_by_key(|added| added.id);
        let search = |normalized: bool| {
            let those: Vec<&Added> = all.iter().filter(|added| added.normalized == normalized).collect();
            if those.is_empty() {
                return Ok(None);
            }
            let mut builder = AhoCorasick::builder();
            let automaton =
                builder.match_kind(MatchKind::LeftmostLongest).build(those.iter().map(|a| &a.content));
            let automaton =
                automaton.map_err(|error| format!("added tokens that cannot be searched: {error}"))?;
            Ok::<_, String>(Some(Search { automaton, ids: those.iter().map(|added| added.id).collect() }))
        };
        let searches = [search(false)?, search(true)?];
        let longest = all.iter().map(|added| added.content.len()).max().unwrap_or(0);
        Ok(AddedTokens { all, searches, longest })
    }

    /// All, in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Added> {
        self.all.iter()
    }

    /// Whether BPE may make a token: false of those that are added tokens only.
    pub(super) fn of_bpe(&self, id: u32) -> bool {
        self.all.binary_search_by_key(&id, |added| added.id).map_or(true, |place| self.all[place].of_bpe)
    }

    /// The parts of a text in its order: together they are the text.
    pub(super) fn cut<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Part<'a>> {
        let [first, second] = &self.searches;
        split(first.as_ref(), text).flat_map(move |part| {
            let (text, token) = match part {
                Part::Text(text) => (text, None),
                token => ("", Some(token)),
            };
            split(second.as_ref(), text).chain(token)
        })
    }

    /// Of the beginning of a text, `bytes` long: the tokens that begin before this place are certain, however the text
    /// goes on. One can be part of a longer one, or give way to one of the first search.
    pub(super) fn certain(&self, bytes: usize) -> usize {
        match self.longest {
            0 => bytes,
            longest => (bytes + 2).saturating_sub(2 * longest),
        }
    }
}

/// The parts of a text by one search.
fn split<'a>(search: Option<&'a Search>, text: &'a str) -> impl Iterator<Item = Part<'a>> {
    let found = search.into_iter().flat_map(move |search| {
        let token =
            |found: aho_corasick::Match| (found.start(), found.end(), Some(search.ids[found.pattern()]));
        search.automaton.find_iter(text).map(token)
    });
    let mut at = 0;
    found.chain(std::iter::once((text.len(), text.len(), None))).flat_map(move |(start, end, id)| {
        let before = &text[at..start];
        at = end;
        let token = id.map(|id| Part::Token { id, bytes: end - start });
        [(!before.is_empty()).then_some(Part::Text(before)), token].into_iter().flatten()
    })
}

#[cfg(test)]
#[path = "added_tests.rs"]
mod tests;
