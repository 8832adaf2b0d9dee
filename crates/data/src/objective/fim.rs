//! `fim`, fill in the middle: a causal language model that learns to write what is missing between two
//! texts. Bavarian et al. (arXiv 2207.14255).
//!
//! Two uniform cuts divide a text into prefix p, middle m and suffix s. Half of the rows are rearranged:
//!
//! ```text
//! <fim_prefix> p <fim_suffix> s <fim_middle> m <fim_end>       PSM
//! <fim_prefix> <fim_suffix> s <fim_middle> p m <fim_end>       SPM
//! ```
//!
//! All tokens are predicted, those of the marks too. A rearranged text is cut so that its four marks fit.

use super::{Entry, Puzzle, Task};
use crate::{Example, MaskSpec};
use random::Rng;
use std::sync::Arc;

const MARKS: [&str; 4] = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_end>"];

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "fim",
    about: "predict each next token, in half of the rows with the middle of the text at the end",
    specials: |_, _| MARKS.map(String::from).into(),
    build: |settings, vocabulary| {
        let mut marks = [0; 4];
        for (mark, name) in marks.iter_mut().zip(MARKS) {
            *mark = vocabulary.special(name)?;
        }
        Ok(Arc::new(Fim { rate: settings.fim_rate, spm: settings.spm_rate, marks }))
    },
};

#[derive(Debug)]
struct Fim {
    rate: f64,
    spm: f64,
    marks: [u32; 4],
}

impl Task for Fim {
    fn source_len(&self, room: usize) -> usize {
        // With less there is no room for the marks and a token.
        if room < MARKS.len() { 0 } else { room.saturating_add(1) }
    }

    fn least(&self) -> usize {
        2
    }

    fn overlap(&self) -> usize {
        1
    }

    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example {
        if rng.f64() >= self.rate {
            return Example::next_token(&text[..text.len().min(room + 1)]);
        }
        let text = &text[..text.len().min(room + 1 - MARKS.len())];
        let mut cuts = [0, 0].map(|_: usize| rng.below(text.len() as u64 + 1) as usize);
        cuts.sort_unstable();
        let (prefix, rest) = text.split_at(cuts[0]);
        let (middle, suffix) = rest.split_at(cuts[1] - cuts[0]);
        let [p, s, m, end] = self.marks.map(|mark| [mark]);
        let row: Vec<u32> = if rng.f64() < self.spm {
            [&p[..], &s, suffix, &m, prefix, middle, &end].concat()
        } else {
            [&p[..], prefix, &s, suffix, &m, middle, &end].concat()
        };
        Example::predict_from(&row, 1, MaskSpec::Causal)
    }

    /// Where the cuts are is part of what is asked.
    fn puzzle(&self, _: &Example) -> Option<Puzzle> {
        None
    }
}
