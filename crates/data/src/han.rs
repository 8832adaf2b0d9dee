//! Is this character Chinese? One answer for everything here that cuts, counts or cleans text.
//!
//! Two places have tables of their own, because others define what is in them: metrics/tokenize.rs follows sacrebleu,
//! read/encoding.rs asks what texts in old encodings consist of.

/// Whether a character is a Chinese one (also among Japanese kanji and Korean hanja): the unified ideographs and
/// compatibility forms, with all of the planes 2 and 3, which Unicode keeps for more of them, and 〇 々.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c,
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFD}' | '\u{3005}' | '\u{3007}')
}

/// Returns true for a character of writing without spaces between words, which is a word by itself where nobody
/// segments: Han, hiragana and katakana. Korean has spaces.
pub(crate) fn stands_alone(c: char) -> bool {
    is_han(c) || matches!(c, '\u{3040}'..='\u{30FF}')
}

/// Returns true for a character of a script without spaces between words: Han and kana, Thai, Lao, Tibetan, Burmese, Khmer.
pub(crate) fn has_no_spaces(c: char) -> bool {
    stands_alone(c)
        || matches!(c, '\u{0E00}'..='\u{0FFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

/// Returns true for a character that takes the room of a Han character beside it: Han, kana, their punctuation,
/// full-width forms. Lines of these are wrapped without regard to words. Korean is wide too, but has spaces; quotes,
/// dashes and dots that Chinese shares with English are not.
#[cfg(feature = "html")]
pub(crate) fn is_wide(c: char) -> bool {
    stands_alone(c)
        || matches!(u32::from(c), 0x3000..=0x303F | 0x31F0..=0x31FF | 0xFF01..=0xFF9F | 0xFFE0..=0xFFE6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::words;
    use crate::metrics::AnswerScores;
    use crate::segment::runs::runs;
    use crate::word_vectors::Split;

    /// Of each block one character at its ends, with marks that stand for a character, and neighbours that are none.
    #[test]
    fn blocks_and_their_neighbours() {
        let han = "\u{4E00}\u{9FFF}\u{3400}\u{4DBF}\u{F900}\u{FAFF}\u{20000}\u{2A6DF}\u{323AF}\u{33479}々〇";
        assert!(han.chars().all(|c| is_han(c) && stands_alone(c)));
        let kana = "ぁんァー";
        assert!(kana.chars().all(|c| !is_han(c) && stands_alone(c)));
        let neither = "aé1，。\u{33FF}\u{4DC0}\u{A000}\u{F8FF}\u{FB00}\u{1FFFF}한ａ";
        assert!(neither.chars().all(|c| !is_han(c) && !stands_alone(c)));
    }

    /// Everything that cuts a text agrees on what stands alone.
    #[test]
    fn all_who_ask_get_the_same_answer() {
        for c in "中〇々豈\u{20000}\u{33479}".chars() {
            let text = format!("{c}{c}a");
            let one = c.to_string();
            assert_eq!(words(&text).collect::<Vec<_>>(), [&one, &one, "a"], "{c:?}");
            let mut split = Vec::new();
            Split::Words.for_each(&text, |word| split.push(word.to_string()));
            assert_eq!(split, [&one, &one, "a"], "{c:?}");
            assert!(runs(&text).next().unwrap().han, "{c:?}");
            assert!(AnswerScores::of(&[&one], &[&one]).bleu_signature.contains("tok:zh"), "{c:?}");
        }
    }
}
