//! Encoding pieces, with a memory for those that come again: most words of a text are repeated.

use super::BpeTokenizer;
use super::merge::{SHORT, merge_long, merge_short};
use std::collections::HashMap;
use std::ops::Range;

/// What is remembered is forgotten when it is larger than this.
const CACHE_BYTES: usize = 32 << 20;

/// Longer pieces are not remembered: they hardly ever come again.
const LONGEST_REMEMBERED: usize = 128;

/// Longer pieces are cut into parts of this length, so that places fit into 32 bits.
const LONGEST: usize = 1 << 30;

/// Encodes pieces and remembers them. Belongs to one tokenizer.
#[derive(Debug, Default)]
pub(crate) struct PieceEncoder {
    /// Where the ids of a piece are in `remembered`. The standard hash function: keys are from outside.
    places: HashMap<Box<[u8]>, Range<u32>>,
    remembered: Vec<u32>,
    cached_bytes: usize,
    tokens: Vec<u32>,
    ranks: Vec<u32>,
}

impl PieceEncoder {
    /// Appends the ids of a piece.
    pub(crate) fn encode(&mut self, bpe: &BpeTokenizer, piece: &str, ids: &mut Vec<u32>) {
        let piece = piece.as_bytes();
        if let &[byte] = piece {
            ids.push(bpe.byte_ids[usize::from(byte)]);
        } else if piece.len() > SHORT {
            for part in piece.chunks(LONGEST) {
                self.begin(bpe, part);
                merge_long(bpe, &mut self.tokens);
                ids.extend_from_slice(&self.tokens);
            }
        } else if let Some(place) = self.places.get(piece) {
            ids.extend_from_slice(&self.remembered[place.start as usize..place.end as usize]);
        } else {
            self.begin(bpe, piece);
            merge_short(bpe, &mut self.tokens, &mut self.ranks);
            ids.extend_from_slice(&self.tokens);
            if piece.len() <= LONGEST_REMEMBERED {
                self.remember(piece);
            }
        }
    }

    /// One token a byte.
    fn begin(&mut self, bpe: &BpeTokenizer, piece: &[u8]) {
        self.tokens.clear();
        self.tokens.extend(piece.iter().map(|&byte| bpe.byte_ids[usize::from(byte)]));
    }

    fn remember(&mut self, piece: &[u8]) {
        const ENTRY: usize = size_of::<(Box<[u8]>, Range<u32>)>();
        self.cached_bytes += 2 * ENTRY + piece.len() + 4 * self.tokens.len();
        if self.cached_bytes > CACHE_BYTES {
            *self = PieceEncoder { tokens: std::mem::take(&mut self.tokens), ..PieceEncoder::default() };
        }
        let start = self.remembered.len() as u32;
        self.remembered.extend_from_slice(&self.tokens);
        self.places.insert(piece.into(), start..self.remembered.len() as u32);
    }
}
