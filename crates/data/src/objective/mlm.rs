//! `mlm`, masked language modelling: some tokens are hidden and predicted from both sides. Devlin et al.
//! (BERT, arXiv 1810.04805), section 3.1.
//!
//! Each token is chosen with probability `mask_rate`, independently of the others, as RoBERTa does (BERT
//! chooses a fixed number). A draw that chooses none is drawn again: for what is asked, given that it is
//! asked, nothing changes by that.

use super::masking::{Change, MASK, Masking};
use super::{Entry, Puzzle, Task};
use crate::Example;
use random::Rng;
use std::sync::Arc;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "mlm",
    about: "predict hidden tokens from both sides",
    specials: |_, _| vec![MASK.into()],
    build: |settings, vocabulary| {
        Ok(Arc::new(Mlm { rate: settings.mask_rate, masking: Masking::new(settings, vocabulary)? }))
    },
};

#[derive(Debug)]
struct Mlm {
    rate: f64,
    masking: Masking,
}

impl Task for Mlm {
    fn source_len(&self, room: usize) -> usize {
        room
    }

    fn least(&self) -> usize {
        2
    }

    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example {
        let text = &text[..text.len().min(room)];
        let mut changes: Vec<(usize, Change)> = Vec::new();
        while changes.is_empty() {
            for place in self.masking.first()..text.len() {
                if rng.f64() < self.rate {
                    changes.push((place, self.masking.draw_change(rng)));
                }
            }
        }
        self.masking.example(text, &changes, rng)
    }

    fn puzzle(&self, example: &Example) -> Option<Puzzle> {
        self.masking.puzzle(example, self.rate)
    }
}
