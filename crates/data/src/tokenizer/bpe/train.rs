//! Learning the merges of a byte-level BPE.
//!
//! What must be known after every merge is how often each pair of neighbours occurs. Counting again would
//! cost a pass over the corpus for each merge. Instead the counts are kept up to date: a merge changes
//! only the pieces that contain its pair, and in each only the pairs around it:
//!
//! ```text
//! … x l r y …   →   … x lr y …      (x,l) and (r,y) lose, (x,lr) and (lr,y) gain the piece's count
//! ```
//!
//! The most frequent pair comes from a heap whose entries may be too high (counts of old pairs only
//! fall): one that is gets its true count and goes back. Of pairs with equal counts the one with the
//! smaller ids is taken, as in Hugging Face's `BpeTrainer`, whose vocabularies come out the same.

use super::pairs::{Pair, PairMap, key, pair};
use super::vocabulary::{BpeTokenizer, Merge};
use crate::DataError;
use crate::tokenizer::added::AddedTokens;
use crate::tokenizer::byte_alphabet;
use crate::tokenizer::counts::PieceCounts;
use crate::tokenizer::specials::check_special_names;
use crate::tokenizer::tokens::{MAX_TOKENS, Tokens};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// No token is longer, in bytes: a text that repeats itself is not learned by heart.
const LONGEST_TOKEN: usize = 1024;

/// How to learn a [`BpeTokenizer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpeTrainer {
    /// Tokens wanted: the special ones, the 256 bytes, and as many merges as there is room for. The
    /// vocabulary is smaller if the text has no more pairs to merge.
    pub vocab_size: usize,
    /// Pairs that occur less often are not merged.
    pub min_count: u64,
    /// Special tokens; they get the ids from 0 on.
    pub special: Vec<String>,
}

impl Default for BpeTrainer {
    fn default() -> Self {
        BpeTrainer { vocab_size: 1024, min_count: 2, special: Vec::new() }
    }
}

impl BpeTrainer {
    /// Learns from the counts of a corpus. The result depends on nothing else.
    ///
    /// # Errors
    /// If the vocabulary has no room for the bytes and the special tokens or is larger than 1,048,576, or a
    /// special token is empty, a single character, or there twice.
    pub fn train(&self, counts: &PieceCounts) -> Result<BpeTokenizer, DataError> {
        self.train_with(counts, &mut |_| {})
    }

    /// As [`BpeTrainer::train`], telling `progress` the size of the vocabulary after every merge.
    ///
    /// # Errors
    /// As [`BpeTrainer::train`].
    pub fn train_with(
        &self,
        counts: &PieceCounts,
        progress: &mut dyn FnMut(usize),
    ) -> Result<BpeTokenizer, DataError> {
        self.check()?;
        let mut tokens: Tokens = self.special.iter().collect();
        let mut byte_ids = [0; 256];
        for byte in byte_alphabet::in_order() {
            byte_ids[usize::from(byte)] = tokens.push(&[byte]);
        }
        let mut corpus = Corpus::new(counts, &byte_ids);
        let mut made: HashMap<Vec<u8>, u32> = HashMap::new(); // two merges may make the same token
        let mut merged = HashSet::new(); // and a pair may come back, beside a token made in a second way
        let mut merges = Vec::new();
        while tokens.len() < self.vocab_size {
            let Some(best) = corpus.most_frequent(self.min_count.max(1)) else { break };
            let bytes = [best.0, best.1].map(|id| tokens.get(id).unwrap_or_default()).concat();
            if bytes.len() > LONGEST_TOKEN || self.special.contains(&byte_alphabet::to_chars(&bytes)) {
                continue; // it stays two tokens
            }
            let product = *made.entry(bytes).or_insert_with_key(|bytes| tokens.push(bytes));
            corpus.merge(best, product);
            if merged.insert(best) {
                merges.push(Merge { left: best.0, right: best.1, product });
            }
            progress(tokens.len());
        }
        let special = (0..self.special.len() as u32).collect();
        let tokenizer = BpeTokenizer::new(tokens, merges, special, AddedTokens::NONE.clone());
        Ok(tokenizer.expect("all bytes, distinct merges, checked names"))
    }

    fn check(&self) -> Result<(), DataError> {
        check_special_names(&self.special)?;
        let least = 256 + self.special.len();
        if (least..=MAX_TOKENS).contains(&self.vocab_size) {
            return Ok(());
        }
        Err(DataError::InvalidSetting {
            name: "vocab_size",
            found: format!("{} with {} special tokens", self.vocab_size, self.special.len()),
            expected: "at least 256 (one for each byte) and one more for each special token, and at most 1048576",
        })
    }
}

/// The pieces of a corpus as sequences of tokens, and the pairs in them.
struct Corpus {
    /// The tokens of all pieces, one piece after the other.
    tokens: Vec<u32>,
    pieces: Vec<Piece>,
    pairs: PairMap<Occurrences>,
    /// Counts of pairs, true or too high. The largest count first, then the smallest pair.
    heap: BinaryHeap<(u64, Reverse<u64>)>,
}

/// A piece that occurs `count` times: `tokens[start..start + len]`.
struct Piece {
    start: usize,
    len: usize,
    count: u64,
}

/// Where a pair is.
#[derive(Default)]
struct Occurrences {
    count: u64,
    /// Pieces that have it or had it, ascending except where a merge began a new series.
    pieces: Vec<u32>,
}

impl Corpus {
    fn new(counts: &PieceCounts, byte_ids: &[u32; 256]) -> Self {
        let mut corpus = Corpus {
            tokens: Vec::new(),
            pieces: Vec::new(),
            pairs: PairMap::default(),
            heap: BinaryHeap::new(),
        };
        for (piece, count) in counts.sorted() {
            let (start, len) = (corpus.tokens.len(), piece.len());
            corpus.tokens.extend(piece.bytes().map(|byte| byte_ids[usize::from(byte)]));
            for two in corpus.tokens[start..].windows(2) {
                gain(&mut corpus.pairs, (two[0], two[1]), corpus.pieces.len() as u32, count);
            }
            corpus.pieces.push(Piece { start, len, count });
        }
        corpus.heap = corpus.pairs.iter().map(|(&key, found)| (found.count, Reverse(key))).collect();
        corpus
    }

    /// The most frequent pair, if it occurs at least `min_count` times.
    fn most_frequent(&mut self, min_count: u64) -> Option<Pair> {
        loop {
            let (count, Reverse(key)) = self.heap.pop()?;
            let truly = self.pairs.get(&key).map_or(0, |found| found.count);
            if truly < min_count {
                continue;
            }
            if truly == count {
                return Some(pair(key));
            }
            self.heap.push((truly, Reverse(key)));
        }
    }

    /// Replaces a pair by its product in all pieces.
    fn merge(&mut self, (left, right): Pair, product: u32) {
        let Some(found) = self.pairs.remove(&key((left, right))) else { return };
        let mut grown = Vec::new();
        for piece in found.pieces {
            let Piece { start, len, count } = self.pieces[piece as usize];
            let tokens = &mut self.tokens[start..start + len];
            let mut kept = 0; // tokens[..kept] are done
            let mut at = 0;
            while at < len {
                let is_pair = at + 1 < len && (tokens[at], tokens[at + 1]) == (left, right);
                if is_pair {
                    if kept > 0 {
                        lose(&mut self.pairs, (tokens[kept - 1], left), count);
                        grown.push(gain(&mut self.pairs, (tokens[kept - 1], product), piece, count));
                    }
                    if at + 2 < len {
                        lose(&mut self.pairs, (right, tokens[at + 2]), count);
                        grown.push(gain(&mut self.pairs, (product, tokens[at + 2]), piece, count));
                    }
                }
                tokens[kept] = if is_pair { product } else { tokens[at] };
                at += 1 + usize::from(is_pair);
                kept += 1;
            }
            self.pieces[piece as usize].len = kept;
        }
        grown.sort_unstable();
        grown.dedup();
        let count = |key| self.pairs.get(&key).map_or(0, |found| found.count);
        self.heap.extend(grown.into_iter().map(|key| (count(key), Reverse(key))));
    }
}

/// A pair occurs `count` times more, in this piece. Answers its key.
fn gain(pairs: &mut PairMap<Occurrences>, pair: Pair, piece: u32, count: u64) -> u64 {
    let found = pairs.entry(key(pair)).or_default();
    found.count += count;
    if found.pieces.last() != Some(&piece) {
        found.pieces.push(piece);
    }
    key(pair)
}

/// A pair occurs `count` times less. The pair that is being merged is no longer among them.
fn lose(pairs: &mut PairMap<Occurrences>, pair: Pair, count: u64) {
    if let Some(found) = pairs.get_mut(&key(pair)) {
        found.count -= count;
    }
}
