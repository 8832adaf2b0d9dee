//! EDA: four small changes that mostly keep the meaning (Wei and Zou 2019, arXiv 1901.11196).
//!
//! For a text of L words and a strength α (the paper: 0.1):
//!
//! 1. **Replacement**: max(1, ⌊αL⌋) words become one of their synonyms.
//! 2. **Insertion**: as often, a synonym of some word of the text is put in beside a word of the same clause.
//! 3. **Swap**: as often, two words of a clause change places.
//! 4. **Deletion**: every word goes with probability α, and one if none did.
//!
//! A variant comes of one operation; the four take turns in random order. Where the paper changes any word,
//! here [`Protection`] leaves alone those that decide the label. Words are matched as they are written: "runs"
//! is found only if the list has "runs". The article before a replaced word is not adapted ("a old").

use super::paraphrase::Variants;
use super::pieces::{Piece, join, pieces};
use super::{Paraphrase, Protection, Synonyms};
use crate::DataError;
use crate::segment::Segmenter;
use random::Rng;
use std::collections::BTreeMap;

/// Easy data augmentation for English and Chinese.
#[derive(Clone, Debug)]
pub struct Eda {
    alpha: f64,
    synonyms: Synonyms,
    protection: Protection,
    segmenter: Segmenter,
}

#[derive(Clone, Copy)]
enum Operation {
    Replace,
    Insert,
    Swap,
    Delete,
}

const OPERATIONS: [Operation; 4] =
    [Operation::Replace, Operation::Insert, Operation::Swap, Operation::Delete];

impl Eda {
    /// With the synonyms, the protected words and the Chinese words that ship inside. `alpha` is the share of
    /// words to change.
    ///
    /// # Errors
    /// If `alpha` is not above 0 and at most 1.
    pub fn new(alpha: f64) -> Result<Eda, DataError> {
        Eda::with(alpha, Synonyms::built_in(), Protection::built_in(), Segmenter::built_in())
    }

    /// With lists of one's own. The segmenter is taught the Chinese words of the lists.
    ///
    /// # Errors
    /// If `alpha` is not above 0 and at most 1.
    pub fn with(
        alpha: f64,
        synonyms: Synonyms,
        protection: Protection,
        mut segmenter: Segmenter,
    ) -> Result<Eda, DataError> {
        if !(alpha > 0.0 && alpha <= 1.0) {
            return Err(DataError::InvalidSetting {
                name: "alpha",
                found: alpha.to_string(),
                expected: "a share of the words above 0 and at most 1 (usually 0.1)",
            });
        }
        segmenter.add_words(synonyms.words());
        segmenter.add_words(protection.words());
        Ok(Eda { alpha, synonyms, protection, segmenter })
    }

    fn apply(&self, operation: Operation, pieces: &[Piece], rng: &mut Rng) -> Vec<Piece> {
        let mut pieces = pieces.to_vec();
        let words = pieces.iter().filter(|piece| piece.word).count();
        let times = ((self.alpha * words as f64) as usize).max(1);
        match operation {
            Operation::Replace => self.replace(&mut pieces, times, rng),
            Operation::Insert => (0..times).for_each(|_| self.insert(&mut pieces, rng)),
            Operation::Swap => swap(&mut pieces, times, rng),
            Operation::Delete => self.delete(&mut pieces, rng),
        }
        pieces
    }

    fn replace(&self, pieces: &mut [Piece], times: usize, rng: &mut Rng) {
        let has_synonyms = |piece: &Piece| !piece.fixed() && !self.synonyms.of(&piece.text).is_empty();
        let mut places = places(pieces, has_synonyms);
        rng.shuffle(&mut places);
        for &place in places.iter().take(times) {
            let piece = &pieces[place];
            let synonym = choose(self.synonyms.of(&piece.text), rng);
            pieces[place] = piece.replaced_by(synonym);
        }
    }

    fn insert(&self, pieces: &mut Vec<Piece>, rng: &mut Rng) {
        let has_synonyms = |piece: &Piece| piece.movable() && !self.synonyms.of(&piece.text).is_empty();
        let sources = places(pieces, has_synonyms);
        if sources.is_empty() {
            return;
        }
        let source = &pieces[*choose(&sources, rng)];
        let synonym = choose(self.synonyms.of(&source.text), rng);
        let anchors = places(pieces, |piece| piece.movable() && piece.clause == source.clause);
        let anchor = *choose(&anchors, rng); // the source itself is one
        let new = pieces[anchor].followed_by(synonym);
        pieces.insert(anchor + 1, Piece { class: self.protection.class(synonym), ..new });
    }

    fn delete(&self, pieces: &mut Vec<Piece>, rng: &mut Rng) {
        let deletable = places(pieces, Piece::deletable);
        let mut chosen: Vec<usize> = deletable.iter().copied().filter(|_| rng.f64() < self.alpha).collect();
        if chosen.is_empty() && !deletable.is_empty() {
            chosen.push(*choose(&deletable, rng));
        }
        if chosen.len() == pieces.iter().filter(|piece| piece.word).count() {
            chosen.pop(); // a word stays
        }
        for &place in chosen.iter().rev() {
            let removed = pieces.remove(place);
            if place == 0 && !pieces.is_empty() {
                pieces[0].space = removed.space; // the text begins as it began
            }
        }
    }
}

impl Paraphrase for Eda {
    fn paraphrases(&self, text: &str, n: usize, rng: &mut Rng) -> Result<Vec<String>, DataError> {
        let pieces = pieces(text, &self.segmenter, &self.protection);
        let mut variants = Variants::of(text.trim_end());
        let mut operations = OPERATIONS;
        rng.shuffle(&mut operations);
        for i in 0..n {
            // The operation whose turn it is, or one of the others if nothing new comes of it.
            let mut turns = (0..OPERATIONS.len()).map(|k| operations[(i + k) % OPERATIONS.len()]);
            turns.any(|operation| variants.add(join(&self.apply(operation, &pieces, rng))));
        }
        Ok(variants.texts)
    }
}

/// Exchanges two words of a clause, so many times.
fn swap(pieces: &mut [Piece], times: usize, rng: &mut Rng) {
    // The places of each clause's words that may move, in order; exchanging two of them changes no list.
    let mut clauses: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in places(pieces, Piece::movable) {
        clauses.entry(pieces[place].clause).or_default().push(place);
    }
    clauses.retain(|_, places| places.len() > 1);
    let sociable: Vec<usize> = clauses.values().flatten().copied().collect();
    if sociable.is_empty() {
        return;
    }
    for _ in 0..times {
        let a = *choose(&sociable, rng);
        let clause = &clauses[&pieces[a].clause];
        // One of the others of the clause.
        let other = rng.below(clause.len() as u64 - 1) as usize;
        let b = clause[other + usize::from(clause[other] >= a)];
        // Words change places, the spaces around them stay.
        let (space_a, space_b) = (pieces[a].space.clone(), pieces[b].space.clone());
        pieces.swap(a, b);
        (pieces[a].space, pieces[b].space) = (space_a, space_b);
    }
}

fn places(pieces: &[Piece], keep: impl Fn(&Piece) -> bool) -> Vec<usize> {
    (0..pieces.len()).filter(|&i| keep(&pieces[i])).collect()
}

/// An element at random.
fn choose<'a, T>(items: &'a [T], rng: &mut Rng) -> &'a T {
    &items[rng.below(items.len() as u64) as usize]
}
