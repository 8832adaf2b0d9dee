//! Encoding pieces, with a memory for those that come again: most words of a text are repeated.

use super::merge::{SHORT, merge_long, merge_short};
use super::vocabulary::BpeTokenizer;
use crate::DataError;
use crate::tokenizer::added::AddedTokens;
use crate::tokenizer::kind::{Coding, EncodePiece};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// What is remembered is forgotten when it is larger than this.
const CACHE_BYTES: usize = 32 << 20;

/// Longer pieces are not remembered: they hardly ever come again.
const LONGEST_REMEMBERED: usize = 128;

/// Longer pieces are cut into parts of this length, so that places fit into 32 bits.
const LONGEST: usize = 1 << 30;

impl BpeTokenizer {
    /// The ids of a text; never a special token's.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        PieceEncoder::new(self).encode_text(text, self.added(), &mut ids);
        ids
    }
}

impl Coding for BpeTokenizer {
    fn vocab_size(&self) -> usize {
        self.vocab_size()
    }
    fn token_bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        self.token_bytes(id).map(Cow::Borrowed)
    }
    fn encode_known(&self, text: &str) -> (Vec<u32>, usize) {
        (self.encode(text), 0)
    }
    fn piece_encoder(&self) -> Option<Box<dyn EncodePiece + '_>> {
        Some(Box::new(PieceEncoder::new(self)))
    }
    fn added(&self) -> &AddedTokens {
        self.added()
    }
    fn specials(&self) -> Vec<(&str, u32)> {
        self.specials().collect()
    }
    fn add_special(&mut self, name: &str) -> Result<u32, DataError> {
        self.add_special(name)
    }
    fn to_json(&self) -> String {
        self.to_json()
    }
}

/// Encodes pieces and remembers them.
#[derive(Debug)]
struct PieceEncoder<'t> {
    bpe: &'t BpeTokenizer,
    /// Where the ids of a piece are in `remembered`. The standard hash function: keys are from outside.
    places: HashMap<Box<[u8]>, Range<u32>>,
    remembered: Vec<u32>,
    cached_bytes: usize,
    tokens: Vec<u32>,
    ranks: Vec<u32>,
}

impl EncodePiece for PieceEncoder<'_> {
    fn encode(&mut self, piece: &str, ids: &mut Vec<u32>) {
        let (bpe, piece) = (self.bpe, piece.as_bytes());
        if let &[byte] = piece {
            ids.push(bpe.byte_ids[usize::from(byte)]);
        } else if piece.len() > SHORT {
            for part in piece.chunks(LONGEST) {
                self.begin(part);
                merge_long(bpe, &mut self.tokens);
                ids.extend_from_slice(&self.tokens);
            }
        } else if let Some(place) = self.places.get(piece) {
            ids.extend_from_slice(&self.remembered[place.start as usize..place.end as usize]);
        } else {
            self.begin(piece);
            merge_short(bpe, &mut self.tokens, &mut self.ranks);
            ids.extend_from_slice(&self.tokens);
            if piece.len() <= LONGEST_REMEMBERED {
                self.remember(piece);
            }
        }
    }
}

impl<'t> PieceEncoder<'t> {
    fn new(bpe: &'t BpeTokenizer) -> Self {
        let (places, remembered, cached_bytes) = (HashMap::new(), Vec::new(), 0);
        PieceEncoder { bpe, places, remembered, cached_bytes, tokens: Vec::new(), ranks: Vec::new() }
    }

    /// One token a byte.
    fn begin(&mut self, piece: &[u8]) {
        let bpe = self.bpe;
        self.tokens.clear();
        self.tokens.extend(piece.iter().map(|&byte| bpe.byte_ids[usize::from(byte)]));
    }

    fn remember(&mut self, piece: &[u8]) {
        const ENTRY: usize = size_of::<(Box<[u8]>, Range<u32>)>();
        self.cached_bytes += 2 * ENTRY + piece.len() + 4 * self.tokens.len();
        if self.cached_bytes > CACHE_BYTES {
            *self = PieceEncoder { tokens: std::mem::take(&mut self.tokens), ..PieceEncoder::new(self.bpe) };
        }
        let start = self.remembered.len() as u32;
        self.remembered.extend_from_slice(&self.tokens);
        self.places.insert(piece.into(), start..self.remembered.len() as u32);
    }
}
