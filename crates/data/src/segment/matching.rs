//! Maximum matching: always take the longest word. The baseline, known since Liang Nanyuan (1984).
//!
//! It needs no counts and is right for nine words of ten, but it is greedy: 研究生命 ("study life") becomes
//! 研究生|命 from the left, because 研究生 (postgraduate) is longer than 研究 (study). A character that begins
//! no word is a word by itself.

use super::Dict;

/// Lengths of the words, in characters, the longest match from the left.
pub fn forward(dict: &Dict, chars: &[char]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        let longest = dict.beginning(&chars[start..]).last().map_or(1, |(length, _)| length);
        lengths.push(longest);
        start += longest;
    }
    lengths
}

/// Lengths of the words, in characters and in the order of the text, the longest match from the right.
pub fn backward(dict: &Dict, chars: &[char]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut end = chars.len();
    while end > 0 {
        let mut candidates = (2..=dict.longest().min(end)).rev();
        let longest = candidates.find(|&n| dict.count(&chars[end - n..end]).is_some()).unwrap_or(1);
        lengths.push(longest);
        end -= longest;
    }
    lengths.reverse();
    lengths
}
