//! From a line of text to its words.

use crate::han::stands_alone;

/// How a line is cut into words. Control characters separate as white space does: no file of vectors could hold a word
/// with one in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// Letters, digits and other signs apart, as GPT-2 cuts before it merges; every Chinese character, kana or
    /// Korean syllable a word of its own.
    #[default]
    Words,
    /// At white space only: for text that is cut into words already.
    Whitespace,
    /// Every character but white space.
    Chars,
}

impl Split {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("words", Self::Words), ("whitespace", Self::Whitespace), ("chars", Self::Chars)];

    /// Calls `word` for each word of a line, in order.
    ///
    /// ```
    /// use data::word_vectors::Split;
    /// let mut words = vec![];
    /// Split::Words.for_each("Don't stop: 42 ÷ 7, 你好", |word| words.push(word.to_string()));
    /// assert_eq!(words.join("|"), "Don|'|t|stop|:|42|÷|7|,|你|好");
    /// ```
    pub fn for_each<'a>(self, line: &'a str, mut word: impl FnMut(&'a str)) {
        match self {
            Self::Whitespace => line.split(separates).filter(|word| !word.is_empty()).for_each(word),
            Self::Chars => {
                let chars = line.char_indices().filter(|&(_, c)| !separates(c));
                chars.for_each(|(start, c)| word(&line[start..start + c.len_utf8()]));
            }
            Self::Words => {
                let mut start = 0;
                let mut before = Kind::Space;
                for (at, c) in line.char_indices() {
                    let kind = Kind::of(c);
                    if kind != before || kind == Kind::Alone {
                        if before != Kind::Space {
                            word(&line[start..at]);
                        }
                        start = at;
                    }
                    before = kind;
                }
                if before != Kind::Space {
                    word(&line[start..]);
                }
            }
        }
    }
}

fn separates(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Characters of one kind stay together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    Letter,
    Digit,
    Sign,
    /// A character of a script that does not put spaces between words.
    Alone,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            _ if separates(c) => Self::Space,
            // and Korean syllables, which stay together where labels are told from words (baseline/features.rs)
            _ if stands_alone(c) || matches!(c, '\u{ac00}'..='\u{d7af}') => Self::Alone,
            _ if c.is_alphabetic() => Self::Letter,
            // combining accents belong to their letter
            '\u{300}'..='\u{36f}' => Self::Letter,
            _ if c.is_numeric() => Self::Digit,
            _ => Self::Sign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(split: Split, line: &str) -> Vec<&str> {
        let mut words = vec![];
        split.for_each(line, |word| words.push(word));
        words
    }

    #[test]
    fn examples() {
        assert_eq!(words(Split::Words, "  a1, b!!  ĉu "), ["a", "1", ",", "b", "!!", "ĉu"]);
        assert_eq!(words(Split::Words, "e\u{301}té 北京123"), ["e\u{301}té", "北", "京", "123"]);
        assert_eq!(words(Split::Whitespace, " 北京 很 大\t! "), ["北京", "很", "大", "!"]);
        assert_eq!(words(Split::Chars, "ab\u{3000}京"), ["a", "b", "京"]);
    }

    proptest! {
        /// Nothing but white space and control characters is lost, and no word has any.
        #[test]
        fn words_are_the_line_without_its_spaces(line in "(?s).*") {
            for (_, split) in Split::ALL {
                let words = words(split, &line);
                prop_assert!(words.iter().all(|w| !w.is_empty() && !w.contains(separates)));
                let kept: String = line.chars().filter(|&c| !separates(c)).collect();
                prop_assert_eq!(words.concat(), kept);
            }
        }
    }
}
