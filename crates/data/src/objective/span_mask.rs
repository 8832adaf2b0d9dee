//! `span-mask`: whole spans are hidden where they stand, and predicted from both sides. Joshi et al. (SpanBERT,
//! arXiv 1907.10529), section 3.1.
//!
//! Spans with lengths from Geo(0.2), at most 10 (3.8 in the mean), are hidden until 15 % of the tokens are,
//! the last one cut to fit. A span becomes `[MASK]` tokens, random tokens, or stays, as a whole.

use super::masking::{Change, MASK, Masking};
use super::{Entry, Puzzle, Task};
use crate::Example;
use random::Rng;
use std::sync::Arc;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "span-mask",
    about: "predict hidden spans, where they stand, from both sides",
    specials: |_, _| vec![MASK.into()],
    build: |settings, vocabulary| {
        Ok(Arc::new(SpanMask {
            rate: settings.mask_rate,
            geometric: settings.geometric,
            longest: settings.longest_span,
            masking: Masking::new(settings, vocabulary)?,
        }))
    },
};

#[derive(Debug)]
struct SpanMask {
    rate: f64,
    geometric: f64,
    longest: usize,
    masking: Masking,
}

impl SpanMask {
    /// 1, 2, 3, ... with probabilities p, (1-p) p, (1-p)^2 p, ..., drawn again beyond the longest.
    fn draw_length(&self, rng: &mut Rng) -> usize {
        loop {
            let goes_on = |_: &usize| rng.f64() >= self.geometric;
            let length = 1 + (0..self.longest).take_while(goes_on).count();
            if length <= self.longest {
                return length;
            }
        }
    }
}

impl Task for SpanMask {
    fn source_len(&self, room: usize) -> usize {
        room
    }

    fn least(&self) -> usize {
        2
    }

    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example {
        let text = &text[..text.len().min(room)];
        let first = self.masking.first();
        let free = text.len() - first;
        let wanted = ((free as f64 * self.rate).round_ties_even() as usize).clamp(1, free);
        let mut change_of = vec![None; text.len()];
        let mut hidden = 0;
        while hidden < wanted {
            let mut length = self.draw_length(rng).min(wanted - hidden);
            let start = first + rng.below(free as u64) as usize;
            let change = self.masking.draw_change(rng);
            // From a token that still shows, as far as the next hidden one.
            for place in start..text.len() {
                if length == 0 || change_of[place].is_some() {
                    break;
                }
                change_of[place] = Some(change);
                (hidden, length) = (hidden + 1, length - 1);
            }
        }
        let changes = change_of.iter().enumerate().filter_map(|(place, change)| Some((place, (*change)?)));
        let changes: Vec<(usize, Change)> = changes.collect();
        self.masking.example(text, &changes, rng)
    }

    /// With random or kept tokens, what is seen tells about the whole span around it: no exact answer.
    fn puzzle(&self, example: &Example) -> Option<Puzzle> {
        self.masking.is_pure().then(|| self.masking.puzzle(example, self.rate)).flatten()
    }
}
