//! What BLEU and ROUGE take for words.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// How a segment is cut into tokens for [`Bleu`](super::Bleu). The names are sacrebleu's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tokenization {
    /// As `mteval-v13a`, the standard of WMT: punctuation stands alone, but for . and , between digits.
    #[default]
    V13a,
    /// For Chinese, as sacrebleu does it: each character stands alone, the rest as `13a`. Its table has two ranges that
    /// were meant to be U+20000 to U+2A6D6 and U+2F800 to U+2FA1D and are U+2001 to U+2A6D (dashes, quotation marks,
    /// arrows, ...) and a part of that; rare characters beyond U+FFFF are not cut apart.
    Zh,
    /// As `Zh`, with the ranges that were meant.
    ZhFixed,
    /// Every character that is no space.
    Char,
    /// At spaces only.
    None,
}

impl Tokenization {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::V13a, Self::Zh, Self::ZhFixed, Self::Char, Self::None];

    /// Its name in a signature.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::Zh => "zh",
            Self::ZhFixed => "zh-fixed",
            Self::Char => "char",
            Self::None => "none",
        }
    }

    /// The tokens of a segment.
    #[must_use]
    pub fn tokens(self, segment: &str) -> Vec<String> {
        let text = match self {
            Self::V13a => separate_punctuation(&format!(" {} ", unescape(segment.trim_end()))),
            Self::Zh => separate_punctuation(&separate(segment.trim(), chinese_as_sacrebleu)),
            Self::ZhFixed => separate_punctuation(&separate(segment.trim(), chinese)),
            Self::Char => separate(segment, |_| true),
            Self::None => segment.to_string(),
        };
        text.split_whitespace().map(str::to_string).collect()
    }
}

/// The four characters that SGML, in which test sets were kept, writes as entities.
fn unescape(segment: &str) -> String {
    let text = segment.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
}

/// Spaces around the characters that are so.
fn separate(text: &str, is_so: impl Fn(char) -> bool) -> String {
    let mut separated = String::with_capacity(2 * text.len());
    for c in text.chars() {
        match is_so(c) {
            true => separated.extend([' ', c, ' ']),
            false => separated.push(c),
        }
    }
    separated
}

/// The four replacements of `mteval-v13a`, one after the other.
fn separate_punctuation(text: &str) -> String {
    // Everything in ASCII that is no letter, digit, apostrophe, comma, hyphen or full stop.
    let stands_alone = |c: char| {
        c.is_ascii()
            && !c.is_ascii_alphanumeric()
            && !c.is_ascii_control()
            && !matches!(c, '\'' | ',' | '-' | '.')
    };
    let digit = |c: char| c.is_ascii_digit();
    let stop = |c: char| matches!(c, '.' | ',');
    let text = separate(text, stands_alone);
    let text = replace_pairs(&text, |a, b| !digit(a) && stop(b), |a, b| [a, ' ', b, ' ']);
    let text = replace_pairs(&text, |a, b| stop(a) && !digit(b), |a, b| [' ', a, ' ', b]);
    replace_pairs(&text, |a, b| digit(a) && b == '-', |a, b| [a, ' ', b, ' '])
}

/// From left to right, each pair that is so is replaced; characters of one pair are in no other.
fn replace_pairs(
    text: &str,
    is_so: impl Fn(char, char) -> bool,
    by: impl Fn(char, char) -> [char; 4],
) -> String {
    let (mut replaced, mut rest) = (String::with_capacity(2 * text.len()), text.chars());
    while let Some(a) = rest.next() {
        match rest.clone().next() {
            Some(b) if is_so(a, b) => {
                replaced.extend(by(a, b));
                rest.next();
            }
            _ => replaced.push(a),
        }
    }
    replaced
}

/// Blocks of Chinese characters, their parts, and the punctuation and symbols set in their width.
fn in_blocks(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fbb}' // unified ideographs as of Unicode 4.1
        | '\u{f900}'..='\u{fa2d}' | '\u{fa30}'..='\u{fa6a}' | '\u{fa70}'..='\u{fad9}' // compatibility ideographs
        | '\u{2e80}'..='\u{2eff}' | '\u{2f00}'..='\u{2fdf}' | '\u{2ff0}'..='\u{303f}' // radicals, structure, punctuation
        | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31c0}'..='\u{31ef}' // bopomofo, strokes
        | '\u{3200}'..='\u{33ff}' // enclosed, squared
        | '\u{2600}'..='\u{27bf}' // symbols
        | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffef}') // vertical and wide forms
}

fn chinese_as_sacrebleu(c: char) -> bool {
    in_blocks(c) || matches!(c, '\u{2001}'..='\u{2a6d}')
}

fn chinese(c: char) -> bool {
    in_blocks(c) || matches!(c, '\u{20000}'..='\u{2a6d6}' | '\u{2f800}'..='\u{2fa1d}')
}

/// The tokens of ROUGE: runs of letters and digits in lower case, as `rouge-score` has them for a-z and 0-9, here of any
/// script, composed (NFC), with the marks that belong to them; and each character of writing without spaces (Chinese,
/// Japanese, Thai, Lao, Burmese, Khmer) by itself.
pub(super) fn words_and_characters(text: &str) -> Vec<String> {
    let without_spaces = |c: char| {
        chinese(c) || matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
    };
    let alone = |c: char| without_spaces(c) && c.is_alphanumeric() || matches!(c, '\u{3041}'..='\u{30ff}');
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut ends = true; // whether a letter begins the next token
    for c in text.nfc().flat_map(char::to_lowercase) {
        if is_mark(c) {
            if !word.is_empty() {
                word.push(c);
            }
            continue;
        }
        let letter = c.is_alphanumeric() || alone(c);
        if (ends || !letter || alone(c)) && !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if letter {
            word.push(c);
        }
        ends = alone(c);
    }
    tokens.extend(Some(word).filter(|word| !word.is_empty()));
    tokens
}

/// A vowel sign, an accent: what is written on the letter before it.
fn is_mark(c: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    !c.is_ascii() && matches!(get_general_category(c), NonspacingMark | SpacingMark | EnclosingMark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(tokenization: Tokenization, segment: &str) -> String {
        tokenization.tokens(segment).join(" ")
    }

    #[test]
    fn punctuation_stands_alone_but_not_within_numbers() {
        let by_13a = |segment| joined(Tokenization::V13a, segment);
        assert_eq!(by_13a("Hello, world!"), "Hello , world !");
        assert_eq!(by_13a("It's 3.14, or 1,000.5."), "It's 3.14 , or 1,000.5 .");
        assert_eq!(by_13a("1990-95 well-known"), "1990 - 95 well-known");
        assert_eq!(by_13a("a &amp; b &lt;c&gt; &quot;d&quot;"), "a & b < c > \" d \"");
        assert_eq!(by_13a("wait... no"), "wait . . . no");
    }

    #[test]
    fn chinese_characters_stand_alone() {
        assert_eq!(joined(Tokenization::Zh, "我有3.5个apple，好。"), "我 有 3.5 个 apple ， 好 。");
        assert_eq!(joined(Tokenization::Char, "我有 ab"), "我 有 a b");
        // The two ranges: a dash is cut off by the bug only, a rare character by the correction only.
        assert_eq!(joined(Tokenization::Zh, "a\u{2014}b\u{20000}c"), "a \u{2014} b\u{20000}c");
        assert_eq!(joined(Tokenization::ZhFixed, "a\u{2014}b\u{20000}c"), "a\u{2014}b \u{20000} c");
    }

    #[test]
    fn rouge_has_words_and_chinese_characters() {
        assert_eq!(
            words_and_characters("The dog's No. 7, 我们！"),
            ["the", "dog", "s", "no", "7", "我", "们"]
        );
    }

    /// Letters of any script make words, with their marks; composed or not, they are the same (evaluate 256).
    #[test]
    fn rouge_has_words_of_every_script() {
        for (text, words) in [
            ("Frau Müller, Straße", &["frau", "müller", "straße"][..]),
            ("Мама мыла раму.", &["мама", "мыла", "раму"]),
            ("मैं घर जाता हूँ।", &["मैं", "घर", "जाता", "हूँ"]),
            ("나는 집에 간다", &["나는", "집에", "간다"]),
            ("กินข้าว", &["กิ", "น", "ข้", "า", "ว"]),
            ("カタカナ1つ", &["カ", "タ", "カ", "ナ", "1", "つ"]),
        ] {
            assert_eq!(words_and_characters(text), words, "{text}");
            let taken_apart: String = text.nfd().collect();
            assert_eq!(words_and_characters(&taken_apart), words, "{text}");
        }
    }
}
