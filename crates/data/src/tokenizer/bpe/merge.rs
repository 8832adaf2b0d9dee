//! Encoding one piece: merging pairs of neighbours, the earliest learned first.
//!
//! The definition ([`merge_naively`] in the tests): as long as two neighbours are a known pair, merge the
//! pair of lowest rank, and of several such the leftmost. Two ways to the same result:
//!
//! - [`merge_short`] searches the smallest rank again after every merge: n² steps, but of the simplest
//!   kind (sixteen at a time in vector registers), for pieces of up to [`SHORT`] bytes. Nearly all are.
//! - [`merge_long`] goes through the ranks once, from the lowest to the highest, and merges at all places
//!   of each: a million times the same letter costs a million steps, not their square.

use super::vocabulary::{BpeTokenizer, NONE};

/// Pieces up to this length are merged by searching. Beyond, looking through all ranks once is cheaper.
pub(super) const SHORT: usize = 1024;

/// Merges the tokens of a short piece in place; `ranks` is scratch.
pub(super) fn merge_short(bpe: &BpeTokenizer, tokens: &mut Vec<u32>, ranks: &mut Vec<u32>) {
    ranks.clear(); // ranks[i] is that of tokens[i] and tokens[i + 1]
    ranks.extend(tokens.windows(2).map(|pair| bpe.rank(pair[0], pair[1])));
    loop {
        let lowest = ranks.iter().fold(NONE, |lowest, &rank| lowest.min(rank));
        let Some(at) = ranks.iter().position(|&rank| rank == lowest && rank != NONE) else { return };
        tokens[at] = bpe.merges[lowest as usize].product;
        tokens.remove(at + 1);
        ranks.remove(at);
        if at > 0 {
            ranks[at - 1] = bpe.rank(tokens[at - 1], tokens[at]);
        }
        if at < ranks.len() {
            ranks[at] = bpe.rank(tokens[at], tokens[at + 1]);
        }
    }
}

/// Merges the tokens of a piece of any length, in time proportional to it (and, once, to the number of
/// merges there are).
///
/// Usually a merge makes new pairs of higher ranks only, since they contain a token that was not there
/// before. Then a bucket of places for every rank, emptied from the lowest to the highest, is all that it
/// takes. Some vocabularies learned the same token in two ways; where a merge makes a pair of a lower
/// rank, that pair is the only such one in the piece, and is merged at once.
pub(super) fn merge_long(bpe: &BpeTokenizer, tokens: &mut Vec<u32>) {
    let mut chain = Chain::new(std::mem::take(tokens));
    let mut buckets: Vec<Vec<u32>> = vec![Vec::new(); bpe.merges.len()];
    for at in 0..chain.tokens.len() as u32 {
        put(&mut buckets, bpe.rank_at(&chain, at), at);
    }
    for rank in 0..buckets.len() {
        let mut places = std::mem::take(&mut buckets[rank]);
        places.sort_unstable(); // several sorted runs, one for each rank that put something here
        for at in places {
            if bpe.rank_at(&chain, at) != rank as u32 {
                continue; // an earlier merge took one of the two
            }
            merge_around(bpe, &mut chain, &mut buckets, at, rank as u32);
        }
    }
    *tokens = chain.into_tokens();
}

/// Merges the pair at a place, then for as long as there is one a new pair of a rank that is not above
/// `rank`; pairs of higher ranks go to their buckets.
fn merge_around(bpe: &BpeTokenizer, chain: &mut Chain, buckets: &mut [Vec<u32>], at: u32, rank: u32) {
    let (mut at, mut of) = (at, rank);
    loop {
        chain.merge(at, bpe.merges[of as usize].product);
        let before = chain.previous[at as usize];
        let left = if before == END { NONE } else { bpe.rank_at(chain, before) };
        let right = bpe.rank_at(chain, at);
        if left.min(right) > rank {
            put(buckets, left, before);
            put(buckets, right, at);
            return;
        }
        (at, of) = if left <= right { (before, left) } else { (at, right) };
    }
}

fn put(buckets: &mut [Vec<u32>], rank: u32, at: u32) {
    if rank != NONE {
        buckets[rank as usize].push(at);
    }
}

/// No place.
const END: u32 = u32::MAX;

/// The tokens of a piece as a doubly linked list: a merge is a few assignments, and places stay valid.
struct Chain {
    /// The token that begins at a place, or [`END`] if that place is inside of a longer token.
    tokens: Vec<u32>,
    previous: Vec<u32>,
    next: Vec<u32>,
}

impl Chain {
    fn new(tokens: Vec<u32>) -> Self {
        let n = tokens.len() as u32;
        let previous = (0..n).map(|at| at.wrapping_sub(1)).collect(); // END before the first
        let next = (1..=n).map(|at| if at == n { END } else { at }).collect();
        Chain { tokens, previous, next }
    }

    /// The token at a place becomes `product`, and the one after it goes away.
    fn merge(&mut self, at: u32, product: u32) {
        let gone = self.next[at as usize];
        let after = self.next[gone as usize];
        self.tokens[at as usize] = product;
        self.tokens[gone as usize] = END;
        self.next[at as usize] = after;
        if after != END {
            self.previous[after as usize] = at;
        }
    }

    fn into_tokens(self) -> Vec<u32> {
        let mut tokens = self.tokens;
        tokens.retain(|&token| token != END);
        tokens
    }
}

impl BpeTokenizer {
    /// The rank of the pair at a place, [`NONE`] if there is none.
    fn rank_at(&self, chain: &Chain, at: u32) -> u32 {
        let next = chain.next[at as usize];
        if chain.tokens[at as usize] == END || next == END {
            return NONE;
        }
        self.rank(chain.tokens[at as usize], chain.tokens[next as usize])
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
