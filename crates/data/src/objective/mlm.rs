//! `mlm`, masked language modelling: some tokens are hidden and predicted from both sides. Devlin et al.
//! (BERT, arXiv 1810.04805), section 3.1.
//!
//! Each token is chosen with probability `mask_rate`, independently of the others, as RoBERTa does (BERT
//! chooses a fixed number). A draw that chooses none is drawn again: for what is asked, given that it is
//! asked, nothing changes by that.
//!
//! `mlm-causal` is its control: the same questions under a causal mask. What it loses is what the right side is worth.

use super::masking::{Change, MASK, Masking};
use super::{Entry, ObjectiveSettings, Puzzle, Task, Vocabulary};
use crate::{DataError, Example, MaskSpec};
use random::Rng;
use std::sync::Arc;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "mlm",
    about: "predict hidden tokens from both sides",
    specials: |_, _| vec![MASK.into()],
    build: |settings, vocabulary| Ok(Arc::new(Mlm::new(settings, vocabulary, false)?)),
};

/// The line of the control.
pub(super) const CAUSAL: Entry = Entry {
    name: "mlm-causal",
    about: "the same from the left side only, to see what the right side is worth",
    specials: |_, _| vec![MASK.into()],
    build: |settings, vocabulary| Ok(Arc::new(Mlm::new(settings, vocabulary, true)?)),
};

#[derive(Debug)]
struct Mlm {
    rate: f64,
    masking: Masking,
    causal: bool,
}

impl Mlm {
    fn new(settings: &ObjectiveSettings, vocabulary: &Vocabulary, causal: bool) -> Result<Mlm, DataError> {
        Ok(Mlm { rate: settings.mask_rate, masking: Masking::new(settings, vocabulary)?, causal })
    }
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
        let example = self.masking.example(text, &changes, rng);
        if self.causal { Example { mask: MaskSpec::Causal, ..example } } else { example }
    }

    fn puzzle(&self, example: &Example) -> Option<Puzzle> {
        // What is said and asked does not depend on who may look.
        let mask = MaskSpec::Bidirectional { len: example.ids.len() as u32 };
        match &example.mask {
            MaskSpec::Causal if self.causal => {
                self.masking.puzzle(&Example { mask, ..example.clone() }, self.rate)
            }
            _ => self.masking.puzzle(example, self.rate),
        }
    }
}
