//! How often words stand near each other.

use super::Corpus;
use std::collections::HashMap;

/// The table X of co-occurrences, without its zeros: X_ij adds 1/d for every time that the words i and j stand d
/// words apart, within a window (Pennington et al. 2014, section 4.2). Symmetric.
///
/// ```
/// use nn::embed::{Cooccurrence, Corpus};
/// let mut corpus = Corpus::new();
/// corpus.push(&[0, 1, 0, 2]);
/// let x = Cooccurrence::count(&corpus, 2);
/// assert_eq!(x.get(0, 1), 2.0); // twice side by side
/// assert_eq!(x.get(1, 2), 0.5); // two apart
/// assert_eq!(x.get(0, 0), 1.0); // two apart, and each is a neighbour of the other
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cooccurrence {
    /// (i, j, X_ij), in the order of (i, j), both (i, j) and (j, i).
    entries: Vec<(u32, u32, f64)>,
}

impl Cooccurrence {
    /// Counts pairs of at most `window` words apart. About 40 bytes of memory for each pair of words that meets.
    #[must_use]
    pub fn count(corpus: &Corpus, window: usize) -> Self {
        Self::count_watched(corpus, window, |_| ())
    }

    /// [`Cooccurrence::count`] of a text that takes a while: after each sentence `watch` gets the words read so far.
    #[must_use]
    pub fn count_watched(corpus: &Corpus, window: usize, mut watch: impl FnMut(usize)) -> Self {
        let mut pairs: HashMap<(u32, u32), f64> = HashMap::new(); // i <= j
        let mut words = 0;
        for i in 0..corpus.sentences() {
            let sentence = corpus.sentence(i);
            words += sentence.len();
            watch(words);
            for (at, &word) in sentence.iter().enumerate() {
                for (d, &before) in (1..=window).zip(sentence[..at].iter().rev()) {
                    // Sums of 1/d are made in the order of the text: the same bits every time.
                    *pairs.entry((word.min(before), word.max(before))).or_default() += 1.0 / d as f64;
                }
            }
        }
        let both = pairs.into_iter().flat_map(|((i, j), x)| [(i, j, x), (j, i, x)]);
        Self::new(both.collect())
    }

    /// A table from its entries (i, j, X_ij) in any order; those at the same place add up. The table need not be
    /// symmetric.
    ///
    /// # Panics
    /// If an entry is not a finite number above 0.
    #[must_use]
    pub fn new(mut entries: Vec<(u32, u32, f64)>) -> Self {
        let fine = entries.iter().all(|&(_, _, x)| x > 0.0 && x.is_finite());
        assert!(fine, "Cooccurrence: expected finite numbers above 0");
        entries.sort_by_key(|&(i, j, _)| (i, j));
        entries.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        Self { entries }
    }

    /// X_ij.
    #[must_use]
    pub fn get(&self, i: u32, j: u32) -> f64 {
        let found = self.entries.binary_search_by_key(&(i, j), |&(i, j, _)| (i, j));
        found.map_or(0.0, |at| self.entries[at].2)
    }

    /// What is not zero: (i, j, X_ij), in the order of (i, j).
    #[must_use]
    pub fn entries(&self) -> &[(u32, u32, f64)] {
        &self.entries
    }
}
