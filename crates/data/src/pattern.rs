//! Labels as words in a text: a pattern and a word for each label (Schick and Schütze 2021, arXiv 2001.07676; Gao et al. 2021,
//! arXiv 2012.15723).
//!
//! ```text
//! {text} It was {mask}.    good=great,bad=terrible
//! ```
//!
//! A language model that has read many reviews knows what goes on better: "The soup was cold. It was great." or "The soup was
//! cold. It was terrible." So the score of a label is the log-probability of its word, and of what the pattern has behind it,
//! given what stands before. No layer is put on the model, and nothing needs to be learned first.
//!
//! The pieces of a pattern are encoded one by one, so that the tokens of a text are the same whatever stands around it. A
//! space before `{text}` or `{mask}` goes with what is put there: byte-level BPE has " great" as one token.

use crate::{DataError, Tokenizer};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const TEXT: &str = "{text}";
const MASK: &str = "{mask}";

/// A sentence with a place for a text and one for a label's word.
///
/// ```
/// use data::pattern::Pattern;
/// let pattern: Pattern = "{text} It was {mask}.".parse()?;
/// assert_eq!(pattern.fill("Cold soup.", "terrible"), "Cold soup. It was terrible.");
/// assert!("{text} It was great.".parse::<Pattern>().is_err());
/// # Ok::<(), data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    /// Before the first place, between the two, and behind the second.
    literals: [String; 3],
    /// Whether the word comes before the text.
    mask_first: bool,
}

impl FromStr for Pattern {
    type Err = DataError;

    fn from_str(pattern: &str) -> Result<Self, DataError> {
        let refuse = |found: String| {
            Err(DataError::Malformed {
                what: format!("the pattern {pattern:?}"),
                place: String::new(),
                found,
                expected: format!(
                    "{TEXT} once, where the text stands, and {MASK} once, where the label's word stands"
                ),
                remedy: "write it as '{text} It was {mask}.'".into(),
            })
        };
        for slot in [TEXT, MASK] {
            match pattern.matches(slot).count() {
                1 => {}
                0 => return refuse(format!("no {slot}")),
                many => return refuse(format!("{slot} {many} times")),
            }
        }
        let (text, mask) = (pattern.find(TEXT), pattern.find(MASK));
        let mask_first = mask < text;
        let (first, second) = if mask_first { (MASK, TEXT) } else { (TEXT, MASK) };
        let (before, rest) = pattern.split_once(first).expect("it is there once");
        let (between, behind) = rest.split_once(second).expect("it is there once");
        if mask_first && without_space(before).0.is_empty() {
            return refuse(format!("{MASK} at the very beginning, where a model has read nothing yet"));
        }
        Ok(Self { literals: [before, between, behind].map(String::from), mask_first })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fill(TEXT, MASK))
    }
}

impl TryFrom<String> for Pattern {
    type Error = DataError;

    fn try_from(pattern: String) -> Result<Self, DataError> {
        pattern.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl Pattern {
    /// The pattern with both in their places.
    #[must_use]
    pub fn fill(&self, text: &str, word: &str) -> String {
        let [before, between, behind] = &self.literals;
        let (first, second) = if self.mask_first { (word, text) } else { (text, word) };
        [before, first, between, second, behind].concat()
    }

    /// What is encoded of a text: it, and the space before it, if the pattern has one.
    #[must_use]
    pub fn text_piece(&self, text: &str) -> String {
        let before = &self.literals[usize::from(self.mask_first)];
        format!("{}{text}", without_space(before).1)
    }

    /// The tokens around a text, if this is the word.
    ///
    /// # Errors
    /// If the tokenizer does not know a character of the pattern or the word.
    pub fn frame(&self, tokenizer: &Tokenizer, word: &str) -> Result<Frame, DataError> {
        let encode = |piece: &str| tokenizer.encode(piece);
        let [before, between, behind] = &self.literals;
        let ((before, first_space), (between, second_space)) =
            (without_space(before), without_space(between));
        let mut left = encode(before)?;
        let (right, scored_from) = if self.mask_first {
            let scored_from = left.len();
            left.extend(encode(&format!("{first_space}{word}{between}"))?);
            (encode(behind)?, scored_from)
        } else {
            let mut right = encode(between)?;
            let scored_from = left.len() + right.len();
            right.extend(encode(&format!("{second_space}{word}{behind}"))?);
            (right, scored_from)
        };
        Ok(Frame { left, right, scored_from, mask_first: self.mask_first })
    }
}

/// The literal, and the space at its end by itself.
fn without_space(literal: &str) -> (&str, &str) {
    match literal.strip_suffix(' ') {
        Some(rest) => (rest, " "),
        None => (literal, ""),
    }
}

/// The tokens of a pattern with a word in it, left and right of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Before the text.
    pub left: Vec<u32>,
    /// Behind it.
    pub right: Vec<u32>,
    /// How many tokens of these come before the first that is scored.
    scored_from: usize,
    mask_first: bool,
}

impl Frame {
    /// Tokens without those of the text.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left.len() + self.right.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens with a text among them, and the place of the first that is scored; all behind it are, too.
    #[must_use]
    pub fn around(&self, text: &[u32]) -> (Vec<u32>, usize) {
        let before = if self.mask_first { 0 } else { text.len() };
        ([&self.left, text, &self.right].concat(), before + self.scored_from)
    }

    /// The same with other tokens before everything.
    #[must_use]
    pub fn after(&self, tokens: &[u32]) -> Self {
        let left = [tokens, &self.left].concat();
        Self { left, scored_from: self.scored_from + tokens.len(), ..self.clone() }
    }
}

/// A word for each label: `good=great,bad=terrible`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verbalizer {
    /// Labels and their words.
    pairs: Vec<(String, String)>,
}

impl FromStr for Verbalizer {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in text.split(',') {
            let pair = part.split_once('=').map(|(label, word)| (label.trim(), word.trim()));
            let Some((label, word)) = pair.filter(|(label, word)| !label.is_empty() && !word.is_empty())
            else {
                return Err(refused(text, format!("{part:?}"), "a label, =, and its word"));
            };
            if pairs.iter().any(|(other, _)| other == label) {
                return Err(refused(text, format!("the label {label:?} twice"), "each label once"));
            }
            if let Some((other, _)) = pairs.iter().find(|(_, other)| other == word) {
                let found = format!("the word {word:?} for {other:?} and for {label:?}");
                return Err(refused(text, found, "a word of its own for each label"));
            }
            pairs.push((label.into(), word.into()));
        }
        Ok(Self { pairs })
    }
}

impl fmt::Display for Verbalizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.pairs.iter().map(|(label, word)| format!("{label}={word}")).collect();
        f.write_str(&pairs.join(","))
    }
}

impl Verbalizer {
    /// The words of these labels, in their order.
    ///
    /// # Errors
    /// If a label has no word, or a word belongs to none of them.
    pub fn words(&self, labels: &[String]) -> Result<Vec<String>, DataError> {
        if let Some((label, _)) = self.pairs.iter().find(|(label, _)| !labels.contains(label)) {
            let expected = format!("the labels of the texts, {}", labels.join(", "));
            return Err(refused(&self.to_string(), format!("the label {label:?}"), &expected));
        }
        let word = |label: &String| {
            let pair = self.pairs.iter().find(|(other, _)| other == label);
            pair.map(|(_, word)| word.clone()).ok_or_else(|| {
                refused(
                    &self.to_string(),
                    format!("none for {label:?}"),
                    "a word for each label of the texts",
                )
            })
        };
        labels.iter().map(word).collect()
    }
}

fn refused(verbalizer: &str, found: String, expected: &str) -> DataError {
    DataError::Malformed {
        what: format!("the verbalizer {verbalizer:?}"),
        place: String::new(),
        found,
        expected: expected.into(),
        remedy: "write it as good=great,bad=terrible".into(),
    }
}

/// A pattern with the words of all labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloze {
    /// The pattern.
    pub pattern: Pattern,
    /// A word for each label.
    pub words: Vec<String>,
}

impl Cloze {
    /// The pattern for these labels; without a verbalizer each is its own word.
    ///
    /// # Errors
    /// As [`Verbalizer::words`].
    pub fn new(
        pattern: Pattern,
        verbalizer: Option<&Verbalizer>,
        labels: &[String],
    ) -> Result<Self, DataError> {
        let words = verbalizer.map_or(Ok(labels.to_vec()), |verbalizer| verbalizer.words(labels))?;
        Ok(Self { pattern, words })
    }

    /// The tokens around a text for each label.
    ///
    /// # Errors
    /// If the tokenizer does not know a character of them, or two labels are the same to it.
    pub fn frames(&self, tokenizer: &Tokenizer) -> Result<Vec<Frame>, DataError> {
        let frame = |word: &String| self.pattern.frame(tokenizer, word);
        let frames = self.words.iter().map(frame).collect::<Result<Vec<Frame>, _>>()?;
        for (i, word) in self.words.iter().enumerate() {
            if let Some(other) = (0..i).find(|&other| frames[other] == frames[i]) {
                return Err(DataError::Malformed {
                    what: format!("the pattern {:?}", self.pattern.to_string()),
                    place: String::new(),
                    found: format!("the same tokens for {:?} and for {word:?}", self.words[other]),
                    expected: "words that the model's tokenizer tells apart".into(),
                    remedy: "choose words that it knows".into(),
                });
            }
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CharTokenizer;
    use crate::tokenizer::{BpeTrainer, PieceCounts, WordTokenizer};
    use proptest::prelude::*;

    fn characters() -> Tokenizer {
        Tokenizer::Char(CharTokenizer::from_text(&(' '..='~').collect::<String>()).unwrap())
    }

    #[test]
    fn bad_patterns_are_refused() {
        for (pattern, found) in [
            ("It was {mask}.", "found no {text}"),
            ("{text} It was great.", "found no {mask}"),
            ("", "found no {text}"),
            ("{text} {mask} {mask}", "{mask} 2 times"),
            ("{text} or {text}: {mask}", "{text} 2 times"),
            ("{mask}: {text}", "at the very beginning"),
            (" {mask}: {text}", "at the very beginning"),
        ] {
            let message = pattern.parse::<Pattern>().unwrap_err().to_string();
            assert!(message.contains(found) && message.contains("'{text} It was {mask}.'"), "{message}");
        }
    }

    #[test]
    fn verbalizers_are_read_and_refused() {
        let verbalizer: Verbalizer = "good=great, bad = not good".parse().unwrap();
        assert_eq!(verbalizer.to_string(), "good=great,bad=not good");
        let labels = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(verbalizer.words(&labels(&["bad", "good"])).unwrap(), ["not good", "great"]);
        for (names, found) in [
            (&["bad"][..], "found the label \"good\""),
            (&["bad", "good", "so so"], "found none for \"so so\""),
        ] {
            let message = verbalizer.words(&labels(names)).unwrap_err().to_string();
            assert!(message.contains(found), "{message}");
        }
        for (text, found) in [
            ("", "found \"\""),
            ("good", "found \"good\""),
            ("good=", "found \"good=\""),
            ("good=great,", "found \"\""),
            ("good=great,good=fine", "the label \"good\" twice"),
            ("good=fine,bad=fine", "the word \"fine\" for \"good\" and for \"bad\""),
        ] {
            let message = text.parse::<Verbalizer>().unwrap_err().to_string();
            assert!(message.contains(found), "{message}");
        }
    }

    /// What is scored, for each kind of tokenizer and both orders.
    #[test]
    fn words_are_scored_with_what_follows() {
        let text = "a great review of it: the soup was cold. It was great. It was terrible. ";
        let mut counts = PieceCounts::new(None);
        counts.add(&text.repeat(3));
        counts.add("the soup"); // without a space before it
        let bpe = BpeTrainer { vocab_size: 400, ..BpeTrainer::default() }.train(&counts).unwrap();
        let words = WordTokenizer::from_counts(&counts, 1, None).unwrap();
        for tokenizer in [characters(), Tokenizer::Bpe(bpe), Tokenizer::Word(words)] {
            for (pattern, scored) in [
                ("{text} It was {mask}.", " great."),
                ("a {mask} review of it: {text}", " great review of it: the soup"),
            ] {
                let pattern: Pattern = pattern.parse().unwrap();
                let ids = tokenizer.encode(&pattern.text_piece("the soup")).unwrap();
                let (row, first) = pattern.frame(&tokenizer, "great").unwrap().around(&ids);
                assert_eq!(tokenizer.decode(&row).unwrap(), pattern.fill("the soup", "great"));
                assert_eq!(tokenizer.decode(&row[first..]).unwrap(), scored, "{}", tokenizer.kind());
                // Pieces that end at spaces are encoded as the whole is.
                assert_eq!(row, tokenizer.encode(&pattern.fill("the soup", "great")).unwrap());
            }
        }
        let words = ["good", "bad"].map(String::from).to_vec();
        let cloze = Cloze { pattern: "{text} It was {mask}.".parse().unwrap(), words };
        let mut counts = PieceCounts::new(None);
        counts.add(text);
        let tokenizer = Tokenizer::Word(WordTokenizer::from_counts(&counts, 1, None).unwrap());
        let message = cloze.frames(&tokenizer).unwrap_err().to_string();
        assert!(message.contains("the same tokens for \"good\" and for \"bad\""), "{message}");
    }

    proptest! {
        /// Whatever stands around the places: it is read back, and rows are what the pattern says.
        #[test]
        fn patterns_are_what_they_say(
            literals in prop::array::uniform3("[ -z|~]{0,6}"), mask_first: bool, text in "[ -z]{0,9}", word in "[a-z]{1,5}"
        ) {
            let [before, between, behind] = &literals;
            prop_assume!(!(mask_first && ["", " "].contains(&&before[..])));
            let (first, second) = if mask_first { (MASK, TEXT) } else { (TEXT, MASK) };
            let written = [before, first, between, second, behind].concat();
            let pattern: Pattern = written.parse().unwrap();
            prop_assert_eq!(pattern.to_string(), written);
            let tokenizer = characters();
            let ids = tokenizer.encode(&pattern.text_piece(&text)).unwrap();
            let frame = pattern.frame(&tokenizer, &word).unwrap();
            let (row, first) = frame.around(&ids);
            prop_assert_eq!(row.len(), frame.len() + ids.len());
            prop_assert_eq!(tokenizer.decode(&row).unwrap(), pattern.fill(&text, &word));
            let scored = tokenizer.decode(&row[first..]).unwrap();
            prop_assert!(scored.trim_start().starts_with(&word), "{:?}", scored);
            let (later, then) = frame.after(&[1, 2]).around(&ids);
            prop_assert_eq!((&later[2..], then), (&row[..], first + 2));
        }
    }
}
