//! Which script a character is of, and the units a text is made of: words, or single characters where a
//! script has no spaces.

use crate::han::{has_no_spaces, stands_alone};
use unicode_normalization::UnicodeNormalization;

/// Returns true if most letters are of scripts without spaces between words: rules on words between spaces do not apply to
/// such a text.
pub(crate) fn is_mostly_unspaced(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let (mut unspaced, mut others) = (0usize, 0usize);
    for c in text.chars() {
        if has_no_spaces(c) {
            unspaced += 1;
        } else if c.is_alphabetic() {
            others += 1;
        }
    }
    unspaced > others
}

/// The number of words; a Han character or kana counts as one.
pub(crate) fn count_words(text: &str) -> usize {
    let (mut words, mut within) = (0, false);
    for c in text.chars() {
        let word = c.is_alphanumeric();
        words += usize::from(word && (stands_alone(c) || !within));
        within = word && !stands_alone(c);
    }
    words
}

/// A hash of each unit of a text, in order. A unit is a run of letters and digits, or one Han character or
/// kana. Width (NFKC), case, punctuation and white space make no difference.
pub(crate) fn unit_hashes(text: &str) -> Vec<u64> {
    let mut units = Units::default();
    // NFKC leaves unified Han characters as they are, whatever stands beside them, and so can be left out.
    let is_unified = |c: char| matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}');
    let mut rest = text;
    while !rest.is_empty() {
        let (run, others) = rest.split_at(rest.find(is_unified).unwrap_or(rest.len()));
        if run.is_ascii() {
            run.bytes().for_each(|b| units.push(b.to_ascii_lowercase().into()));
        } else {
            run.nfkc().flat_map(char::to_lowercase).for_each(|c| units.push(c));
        }
        let (han, others) = others.split_at(others.find(|c| !is_unified(c)).unwrap_or(others.len()));
        han.chars().for_each(|c| units.push_alone(c));
        rest = others;
    }
    units.end();
    units.hashes
}

/// Hashes units as their characters come.
#[derive(Default)]
struct Units {
    hashes: Vec<u64>,
    /// Hash of the unit so far; 0 if none has begun.
    unit: u64,
}

impl Units {
    fn push(&mut self, c: char) {
        if !c.is_alphanumeric() {
            return self.end();
        }
        if stands_alone(c) {
            return self.push_alone(c);
        }
        self.unit = mix64(self.unit ^ u64::from(c)).max(1);
    }

    /// A character that is a unit by itself.
    fn push_alone(&mut self, c: char) {
        self.end();
        self.hashes.push(mix64(u64::from(c)).max(1));
    }

    fn end(&mut self) {
        if self.unit != 0 {
            self.hashes.push(std::mem::take(&mut self.unit));
        }
    }
}

/// A hash of each run of `n` units. A shorter text is one run; one without units has none.
pub(crate) fn ngram_hashes(units: &[u64], n: usize) -> Vec<u64> {
    let hash = |run: &[u64]| run.iter().fold(0, |hash, &unit| mix64(hash ^ unit));
    match units.len() {
        0 => Vec::new(),
        len if len < n => vec![hash(units)],
        _ => units.windows(n).map(hash).collect(),
    }
}

/// Spreads 64 bits over 64 bits, one to one: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn mix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A 64-bit hash of bytes, the same on every machine: eight bytes at a time through [`mix64`].
pub(crate) fn hash64(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mut hash = mix64(bytes.len() as u64);
    for word in words.by_ref() {
        hash = mix64(hash ^ u64::from_le_bytes(word.try_into().expect("eight bytes")));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    mix64(hash ^ u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_ignore_what_makes_no_difference() {
        let same = |a: &str, b: &str| unit_hashes(a) == unit_hashes(b);
        assert!(same("The cat, the DOG!", "the cat the dog"));
        assert!(same("你好，世界！", "你好世界"));
        assert!(same("ＡＢＣ１２３", "abc123"));
        assert!(!same("the cat", "cat the"));
        assert!(!same("thecat", "the cat"));
        assert_eq!(unit_hashes("GPT模型 is 好").len(), 5);
        assert!(unit_hashes(" ,.! ").is_empty());
        assert_eq!(count_words("GPT模型 is 好"), 5);
        // Characters that join with others under NFKC also do so beside Han.
        assert!(same("中e\u{301}文ｶﾞ", "中\u{E9}文ガ"));
        assert_eq!(
            unit_hashes("Ｇ中\u{F900}"),
            [unit_hashes("g"), unit_hashes("中"), unit_hashes("豈")].concat()
        );
    }

    #[test]
    fn ngrams_of_short_texts() {
        assert_eq!(ngram_hashes(&[], 5).len(), 0);
        assert_eq!(ngram_hashes(&[1, 2], 5).len(), 1);
        assert_eq!(ngram_hashes(&[1, 2, 3, 4, 5, 6], 5).len(), 2);
    }

    /// Fixed for ever: hashes may be saved.
    #[test]
    fn hashes_are_the_same_everywhere() {
        assert_eq!(mix64(0), 0xE220_A839_7B1D_CDAF); // first output of SplitMix64 with seed 0
        assert_ne!(hash64(b"a"), hash64(b"a\0"));
        assert_ne!(hash64(b""), hash64(b"\0\0\0\0\0\0\0\0"));
    }
}
