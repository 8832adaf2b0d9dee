//! `ul2`, a mixture of denoisers, each announced by a token. Tay et al. (UL2, arXiv 2205.05131), section 3.1.
//!
//! | mode | what | how often |
//! |---|---|---|
//! | `[R]` regular | `span` with a mean of 3 or 8, 15 % cut out | 2 in 7 |
//! | `[X]` extreme | `span` with a mean of 3 or 8 and 50 %, or of 64 and 15 % or 50 % | 4 in 7 |
//! | `[S]` sequential | `prefix`: the last quarter in the mean (uniform up to half) is predicted | 1 in 7 |

use super::span::Span;
use super::spans::{Lengths, Spans};
use super::{Entry, Puzzle, Task, Vocabulary};
use crate::{DataError, Example, MaskSpec};
use random::Rng;
use std::sync::Arc;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "ul2",
    about: "a mixture of short spans, long or many spans, and continuation, each announced by a token",
    specials: |_, block_size| {
        let sentinels = DENOISERS
            .iter()
            .map(|&(_, mean, rate)| Span::sentinel_names(spans(mean, rate), block_size.saturating_sub(1)));
        let sentinels = sentinels.max_by_key(Vec::len).unwrap_or_default();
        MODES.map(String::from).into_iter().chain(sentinels).collect()
    },
    build: |_, vocabulary| Ok(Arc::new(Ul2::new(vocabulary)?)),
};

const MODES: [&str; 3] = ["[R]", "[X]", "[S]"];
const SEQUENTIAL: usize = 2;

/// The span denoisers of table 1: (index of the mode, mean length, share that is cut out).
const DENOISERS: [(usize, f64, f64); 6] =
    [(0, 3.0, 0.15), (0, 8.0, 0.15), (1, 3.0, 0.5), (1, 8.0, 0.5), (1, 64.0, 0.15), (1, 64.0, 0.5)];

fn spans(mean: f64, rate: f64) -> Spans {
    Spans { rate, mean, lengths: Lengths::Segments }
}

#[derive(Debug)]
struct Ul2 {
    modes: [u32; 3],
    denoisers: Vec<(u32, Span)>,
}

impl Ul2 {
    fn new(vocabulary: &Vocabulary) -> Result<Ul2, DataError> {
        let mut modes = [0; 3];
        for (mode, name) in modes.iter_mut().zip(MODES) {
            *mode = vocabulary.special(name)?;
        }
        let denoiser = |&(mode, mean, rate): &(usize, f64, f64)| -> Result<(u32, Span), DataError> {
            Ok((modes[mode], Span::new(spans(mean, rate), vocabulary)?))
        };
        Ok(Ul2 { modes, denoisers: DENOISERS.iter().map(denoiser).collect::<Result<_, _>>()? })
    }

    /// The text with at most half of it to be predicted.
    fn sequential(&self, text: &[u32], rng: &mut Rng) -> Example {
        let predicted = 1 + rng.below(text.len() as u64 / 2) as usize;
        let row = [&[self.modes[SEQUENTIAL]], text].concat();
        let known = row.len() - predicted;
        Example::predict_from(&row, known, MaskSpec::Prefix { len: known as u32 })
    }
}

impl Task for Ul2 {
    fn source_len(&self, room: usize) -> usize {
        // The mode and all tokens but the last, which is only a label. The least of a span denoiser must fit, too.
        let room_for_spans =
            self.denoisers.iter().all(|(_, span)| span.source_len(room.saturating_sub(1)) > 0);
        if room_for_spans { room } else { 0 }
    }

    fn least(&self) -> usize {
        2
    }

    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example {
        let which = rng.below(self.denoisers.len() as u64 + 1) as usize;
        match self.denoisers.get(which) {
            Some((mode, span)) => {
                let len = text.len().min(span.source_len(room - 1));
                span.row(&[*mode], &text[..len], rng)
            }
            None => self.sequential(&text[..text.len().min(room)], rng),
        }
    }

    /// How the text was cut is part of what is asked.
    fn puzzle(&self, _: &Example) -> Option<Puzzle> {
        None
    }
}
