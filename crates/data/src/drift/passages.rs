//! A text in pieces: what a split or a sample may move about without tearing sentences apart.

use random::Rng;

/// Cuts a text where a line is blank, shuffles these passages (poems, speeches, articles), and deals the
/// first `train_fraction` of them to the first text and the rest to the second, joined by blank lines.
///
/// Both parts then have the same authors and topics. Compared with a cut at one place, whose second
/// part is the end of a collection, the difference in loss is the shift between them. No text is lost
/// and none is in both, but passages that are repeated in the text can land on both sides.
///
/// # Panics
/// If the fraction is above 1.
pub fn shuffled_split(text: &str, train_fraction: f64, rng: &mut Rng) -> (String, String) {
    let mut passages: Vec<&str> = text.split("\n\n").filter(|passage| !passage.is_empty()).collect();
    rng.shuffle(&mut passages);
    let (train, test) = passages.split_at((train_fraction * passages.len() as f64) as usize);
    (train.join("\n\n"), test.join("\n\n"))
}

/// Cuts a text into chunks of about `size` characters, at a line's end where there is one before twice
/// that size. A last piece of less than half the size is left out.
pub(super) fn chunks(text: &str, size: usize) -> Vec<&str> {
    let (mut chunks, mut start, mut length) = (Vec::new(), 0, 0);
    for (i, c) in text.char_indices() {
        length += 1;
        if (length >= size && c == '\n') || length >= 2 * size {
            let end = i + c.len_utf8();
            chunks.push(&text[start..end]);
            (start, length) = (end, 0);
        }
    }
    if 2 * length >= size {
        chunks.push(&text[start..]);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::Stream;

    #[test]
    fn a_split_loses_nothing() {
        let text = (0..100).map(|i| format!("passage {i}\nof two lines")).collect::<Vec<_>>().join("\n\n");
        let (train, test) = shuffled_split(&text, 0.9, &mut Rng::new(1, Stream::Data));
        assert_eq!((train.split("\n\n").count(), test.split("\n\n").count()), (90, 10));
        let mut all: Vec<&str> = train.split("\n\n").chain(test.split("\n\n")).collect();
        let mut expected: Vec<&str> = text.split("\n\n").collect();
        assert_ne!(all, expected);
        all.sort_unstable();
        expected.sort_unstable();
        assert_eq!(all, expected);
    }

    #[test]
    fn chunks_end_with_lines() {
        assert_eq!(chunks("ab\ncd\nef\n", 3), ["ab\n", "cd\n", "ef\n"]);
        assert_eq!(chunks("ab\ncd\nef\n", 4), ["ab\ncd\n", "ef\n"]);
        assert_eq!(chunks("那么长一行没有换行", 2), ["那么长一", "行没有换", "行"]);
        assert!(chunks("", 10).is_empty() && chunks("abcd", 10).is_empty());
    }
}
