//! How often each piece occurs in a corpus: all that a tokenizer learns from.

use super::split::pieces;
use crate::han::is_han;
use std::collections::HashMap;

/// The pieces of a corpus with the number of times each occurs. Memory is proportional to the number of
/// distinct pieces, not to the corpus, which may come in parts.
#[derive(Clone, Debug)]
pub struct PieceCounts {
    counts: HashMap<Box<str>, u64>,
    total: u64,
    max_han_run: Option<usize>,
}

impl PieceCounts {
    /// No pieces yet.
    ///
    /// Chinese has no spaces, so that a piece reaches from one punctuation mark to the next, and
    /// frequent clauses would become single tokens, hardly ever seen again. With `max_han_run` pieces are
    /// cut wherever that many Chinese characters (Han) stand in a row, and no token learned from them is
    /// longer. Without, the pieces are exactly GPT-2's.
    pub fn new(max_han_run: Option<usize>) -> Self {
        PieceCounts { counts: HashMap::new(), total: 0, max_han_run }
    }

    /// Counts the pieces of a text, such as a document. No piece reaches beyond its end.
    pub fn add(&mut self, text: &str) {
        for piece in pieces(text) {
            match self.max_han_run {
                Some(max) if !piece.is_ascii() => cut_han_runs(piece, max, |part| self.count(part)),
                _ => self.count(piece),
            }
        }
    }

    fn count(&mut self, piece: &str) {
        self.total += 1;
        match self.counts.get_mut(piece) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(piece.into(), 1);
            }
        }
    }

    /// How many different pieces there are.
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// How many pieces there are in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The pieces and their counts, the most frequent first; of equally frequent ones the smaller bytes.
    pub(crate) fn sorted(&self) -> Vec<(&str, u64)> {
        let mut sorted: Vec<_> = self.counts.iter().map(|(piece, &count)| (&**piece, count)).collect();
        sorted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        sorted
    }
}

/// Cuts a piece before every Han character that has `max` of them before it in its part.
fn cut_han_runs<'a>(piece: &'a str, max: usize, mut each: impl FnMut(&'a str)) {
    let (mut start, mut run) = (0, 0);
    for (at, c) in piece.char_indices() {
        run = if is_han(c) { run + 1 } else { 0 };
        if run > max.max(1) {
            each(&piece[start..at]);
            (start, run) = (at, 1);
        }
    }
    each(&piece[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn han_runs_are_cut() {
        let cut = |text: &str, max| {
            let mut parts = Vec::new();
            cut_han_runs(text, max, |part| parts.push(part.to_string()));
            parts
        };
        assert_eq!(cut("春眠不觉晓", 2), ["春眠", "不觉", "晓"]);
        assert_eq!(cut("春眠不觉晓", 5), ["春眠不觉晓"]);
        assert_eq!(cut("a春眠b不觉晓c", 2), ["a春眠b不觉", "晓c"]);
        assert_eq!(cut(" 春眠", 0), [" 春", "眠"]);
        assert_eq!(cut("かなカナ한글한글", 1), ["かなカナ한글한글"]);
    }

    #[test]
    fn counting() {
        let mut counts = PieceCounts::new(Some(2));
        counts.add("to be or not to be");
        counts.add("to 春眠春眠");
        assert_eq!((counts.total(), counts.distinct()), (9, 7));
        let expected =
            [(" be", 2), ("to", 2), (" not", 1), (" or", 1), (" to", 1), (" 春眠", 1), ("春眠", 1)];
        assert_eq!(counts.sorted(), expected);
    }
}
