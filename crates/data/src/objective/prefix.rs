//! `prefix`, a prefix language model: the first part of a text is read in both directions, the rest is
//! predicted token by token. The place of the cut is uniform. Raffel et al. (T5, arXiv 1910.10683), section 3.2.

use super::{Entry, Puzzle, Task};
use crate::{Example, MaskSpec};
use random::Rng;
use std::sync::Arc;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "prefix",
    about: "read the first part in both directions, predict the rest",
    specials: |_, _| Vec::new(),
    build: |_, _| Ok(Arc::new(Prefix)),
};

#[derive(Debug)]
struct Prefix;

impl Task for Prefix {
    fn source_len(&self, room: usize) -> usize {
        room.saturating_add(1)
    }

    fn least(&self) -> usize {
        2
    }

    fn overlap(&self) -> usize {
        1
    }

    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example {
        let text = &text[..text.len().min(self.source_len(room))];
        let known = 1 + rng.below(text.len() as u64 - 1) as usize; // something to see, something to predict
        Example::predict_from(text, known, MaskSpec::Prefix { len: known as u32 })
    }

    fn puzzle(&self, example: &Example) -> Option<Puzzle> {
        match example.mask {
            MaskSpec::Prefix { len } => Some(Puzzle::continuation(example, len as usize)),
            _ => None,
        }
    }
}
