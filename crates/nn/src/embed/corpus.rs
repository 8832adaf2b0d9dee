//! A text as numbers of words, cut into sentences.

/// The longest sentence: a longer one is cut, as by word2vec.c. A text on one line would otherwise be one window
/// list as long as itself.
const LONGEST: usize = 1000;

/// Sentences of word numbers. Windows do not reach over the end of a sentence.
///
/// ```
/// let mut corpus = nn::embed::Corpus::new();
/// corpus.push(&[0, 1, 2]);
/// corpus.push(&[2, 1]);
/// assert_eq!(corpus.counts(3), [1, 2, 2]);
/// assert_eq!(corpus.sentence(1), [2, 1]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    words: Vec<u32>,
    /// Where in `words` each sentence ends.
    ends: Vec<usize>,
}

impl Corpus {
    /// No sentences yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sentence, or several if it is longer than 1000 words; an empty one is left out.
    pub fn push(&mut self, sentence: &[u32]) {
        for piece in sentence.chunks(LONGEST) {
            self.words.extend_from_slice(piece);
            self.ends.push(self.words.len());
        }
    }

    /// How many sentences there are.
    #[must_use]
    pub fn sentences(&self) -> usize {
        self.ends.len()
    }

    /// One of them.
    ///
    /// # Panics
    /// If there is no sentence of this number.
    #[must_use]
    pub fn sentence(&self, i: usize) -> &[u32] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.words[start..self.ends[i]]
    }

    /// How many words there are in all sentences together.
    #[must_use]
    pub fn words(&self) -> usize {
        self.words.len()
    }

    /// How often each word occurs, in a vocabulary of this size.
    ///
    /// # Panics
    /// If a word's number is not below `vocab_size`.
    #[must_use]
    pub fn counts(&self, vocab_size: usize) -> Vec<u64> {
        let mut counts = vec![0; vocab_size];
        self.words.iter().for_each(|&word| counts[word as usize] += 1);
        counts
    }
}
