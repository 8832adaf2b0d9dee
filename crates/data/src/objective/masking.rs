//! What `mlm` and `span-mask` have in common: tokens are hidden where they stand.

use super::{MaskSplit, ObjectiveSettings, Puzzle, Question, Seen, Vocabulary};
use crate::{DataError, Example, MaskSpec};
use random::Rng;

/// The token that stands for a hidden one.
pub(super) const MASK: &str = "[MASK]";

/// Hides tokens where they stand.
#[derive(Clone, Debug)]
pub(super) struct Masking {
    mask: u32,
    split: MaskSplit,
    /// Whether a token is asked for at the position before it.
    pub(super) mntp: bool,
    vocabulary: Vocabulary,
}

/// What is put where a token was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Mask,
    Random,
    Keep,
}

impl Masking {
    pub(super) fn new(settings: &ObjectiveSettings, vocabulary: &Vocabulary) -> Result<Masking, DataError> {
        Ok(Masking {
            mask: vocabulary.special(MASK)?,
            split: settings.mask_split,
            mntp: settings.mntp,
            vocabulary: vocabulary.clone(),
        })
    }

    pub(super) fn is_pure(&self) -> bool {
        self.split.is_pure()
    }

    /// The first token that can be asked for.
    pub(super) fn first(&self) -> usize {
        usize::from(self.mntp)
    }

    pub(super) fn draw_change(&self, rng: &mut Rng) -> Change {
        let at = rng.f64();
        match at {
            _ if at < self.split.mask => Change::Mask,
            _ if at < self.split.mask + self.split.random => Change::Random,
            // Without a share nothing is kept, whatever the rounding of the sum.
            _ if self.split.keep > 0.0 => Change::Keep,
            _ => Change::Mask,
        }
    }

    /// The example of a text with these changes, (place, change).
    pub(super) fn example(&self, text: &[u32], changes: &[(usize, Change)], rng: &mut Rng) -> Example {
        let mut ids = text.to_vec();
        let (mut labels, mut weights) = (vec![0; text.len()], vec![0.0; text.len()]);
        for &(place, change) in changes {
            match change {
                Change::Mask => ids[place] = self.mask,
                Change::Random => ids[place] = self.vocabulary.random(rng),
                Change::Keep => {}
            }
            labels[place - self.first()] = text[place];
            weights[place - self.first()] = 1.0;
        }
        Example { ids, labels, weights, mask: MaskSpec::Bidirectional { len: text.len() as u32 } }
    }

    /// The puzzle of an example in which each token had been chosen with the probability `rate`, independently
    /// of the others. Someone who sees a token cannot know whether it was chosen, unless it is asked.
    pub(super) fn puzzle(&self, example: &Example, rate: f64) -> Option<Puzzle> {
        if !matches!(example.mask, MaskSpec::Bidirectional { .. }) {
            return None;
        }
        let other = self.split.random / self.vocabulary.ordinary() as f64;
        let doubtful = |token, rate: f64| Seen::Doubtful {
            token,
            if_right: 1.0 - rate + rate * (self.split.keep + other),
            if_wrong: rate * other,
        };
        let show = |place: usize, rate| match example.ids[place] {
            id if id == self.mask => Seen::Hidden,
            id if self.is_pure() || place < self.first() => Seen::Token(id),
            id => doubtful(id, rate),
        };
        let places = 0..example.ids.len();
        let asked = places.clone().filter_map(|place| {
            let position = place.checked_sub(self.first())?;
            let question = Question { position, place, seen: show(place, 1.0) };
            (example.weights[position] > 0.0).then_some(question)
        });
        Some(Puzzle {
            seen: places.map(|place| show(place, rate)).collect(),
            asked: asked.collect(),
            reveals: false,
        })
    }
}
