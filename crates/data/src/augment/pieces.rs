//! A text as pieces that can be exchanged, each knowing what may be done with it.

use super::{Class, Protection};
use crate::han::is_han;
use crate::segment::{Method, Segmenter};

/// A word or a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The white space before it.
    pub(super) space: String,
    pub(super) text: String,
    pub(super) class: Option<Class>,
    /// Letters or digits, as opposed to a punctuation mark.
    pub(super) word: bool,
    /// The clause it belongs to.
    pub(super) clause: usize,
    /// After a negation, in the same clause.
    pub(super) negated: bool,
}

impl Piece {
    /// Must stay where it is, as it is.
    pub(super) fn fixed(&self) -> bool {
        !self.word || matches!(self.class, Some(Class::Negation | Class::Contrast | Class::Degree))
    }

    /// May change places, and may have a new neighbour on its right.
    pub(super) fn movable(&self) -> bool {
        !self.fixed() && !self.negated
    }

    pub(super) fn deletable(&self) -> bool {
        self.movable() && self.class != Some(Class::Polarity)
    }

    /// The word in place of this one: a capital stays a capital.
    pub(super) fn replaced_by(&self, word: &str) -> Piece {
        let mut chars = word.chars();
        let capital = self.text.chars().next().is_some_and(char::is_uppercase);
        let text = match chars.next() {
            Some(first) if capital => first.to_uppercase().chain(chars).collect(),
            _ => word.to_string(),
        };
        Piece { text, ..self.clone() }
    }

    /// A new word to the right of this one.
    pub(super) fn followed_by(&self, word: &str) -> Piece {
        let chinese = |text: &str| text.chars().all(is_han);
        let space = if chinese(word) && chinese(&self.text) { "" } else { " " };
        Piece { space: space.into(), text: word.into(), class: None, ..self.clone() }
    }
}

/// The pieces of a text: Chinese words by the segmenter, others by spaces and punctuation.
pub(super) fn pieces(text: &str, segmenter: &Segmenter, protection: &Protection) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut rest, mut clause, mut negated) = (text, 0, false);
    for text in segmenter.segment(text, Method::DagHmm) {
        let trimmed = rest.trim_start();
        let (space, after) = (&rest[..rest.len() - trimmed.len()], &trimmed[text.len()..]);
        let class = protection.class(text);
        let word = text.chars().next().is_some_and(char::is_alphanumeric);
        if !word || class == Some(Class::Contrast) {
            (clause, negated) = (clause + 1, false);
        }
        let (space, text) = (space.to_string(), text.to_string());
        pieces.push(Piece { space, text, class, word, clause, negated });
        negated |= class == Some(Class::Negation);
        rest = after;
    }
    pieces
}

/// The text of pieces. White space at the end of the original is gone.
pub(super) fn join(pieces: &[Piece]) -> String {
    pieces.iter().flat_map(|piece| [piece.space.as_str(), &piece.text]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Vec<Piece> {
        pieces(text, &Segmenter::built_in(), &Protection::built_in())
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text in "[a-z不好的, .，\\s\\PC]{0,30}") {
            prop_assert_eq!(join(&of(&text)), text.trim_end());
        }
    }

    #[test]
    fn clauses_and_scopes() {
        let words = |keep: fn(&Piece) -> bool| -> Vec<String> {
            let pieces = of("The food wasn't really good, but I love very fresh soup.");
            pieces.into_iter().filter(keep).map(|piece| piece.text).collect()
        };
        assert_eq!(words(|p| p.negated), ["really", "good"]);
        assert_eq!(words(|p| p.movable()), ["The", "food", "I", "love", "fresh", "soup"]);
        assert_eq!(words(|p| p.deletable()), ["The", "food", "I", "soup"]);
        assert_eq!(words(|p| p.clause == 0), ["The", "food", "wasn't", "really", "good"]);
        let chinese: Vec<_> =
            of("汤不好喝，但是便宜").into_iter().filter(Piece::fixed).map(|p| p.text).collect();
        assert_eq!(chinese, ["不", "，", "但是"]);
    }

    #[test]
    fn capitals_and_spaces() {
        let pieces = of("Big soup好");
        assert_eq!(pieces[0].replaced_by("huge").text, "Huge");
        assert_eq!(pieces[1].followed_by("dish").space, " ");
        assert_eq!(pieces[2].followed_by("棒").space, "");
    }
}
