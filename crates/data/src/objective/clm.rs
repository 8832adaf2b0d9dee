//! `clm`, causal language modelling: predict each next token. Radford et al. (2018), as in nanoGPT.

use super::{Entry, Puzzle, Task};
use crate::{Example, MaskSpec};
use random::Rng;
use std::sync::Arc;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "clm",
    about: "predict each next token",
    specials: |_, _| Vec::new(),
    build: |_, _| Ok(Arc::new(Clm)),
};

#[derive(Debug)]
struct Clm;

impl Task for Clm {
    fn source_len(&self, room: usize) -> usize {
        room.saturating_add(1)
    }

    fn least(&self) -> usize {
        2
    }

    fn overlap(&self) -> usize {
        1
    }

    fn example(&self, text: &[u32], room: usize, _: &mut Rng) -> Example {
        Example::next_token(&text[..text.len().min(self.source_len(room))])
    }

    fn puzzle(&self, example: &Example) -> Option<Puzzle> {
        (example.mask == MaskSpec::Causal).then(|| Puzzle::continuation(example, 1))
    }
}
