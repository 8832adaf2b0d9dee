//! `glm`, autoregressive blank filling: spans are cut out of a text and written after it, in random order. Du et
//! al. (GLM, arXiv 2103.10360), section 2.1.
//!
//! ```text
//! a b <extra_id_0> e f g <extra_id_1> j | [sop] <extra_id_1> h i | [sop] <extra_id_0> c d
//! ```
//!
//! Part A, before the first bar, is seen in both directions; part B is predicted, each span from its marker
//! on and with an `[eop]` after it: the position of `<extra_id_1>` asks for h, that of i for `[eop]`. In the paper
//! all blanks are one `[MASK]`, and a second position number says which one a span fills; here numbered
//! markers do, so that the model needs no second positions. Span lengths are Poisson(3) in the paper; see
//! `Lengths::Poisson` for what they are here.

use super::span::{sentinel, sentinels};
use super::spans::{Lengths, Spans};
use super::{Entry, ObjectiveSettings, Puzzle, Question, Seen, Task, Vocabulary};
use crate::{DataError, Example, MaskSpec};
use random::Rng;
use std::sync::Arc;

const START: &str = "[sop]";
const END: &str = "[eop]";

/// Positions that each span takes besides its tokens: a marker in part A, `[sop]` and a marker in part B.
const EXTRA: usize = 3;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "glm",
    about: "write the spans that were cut out of the text, in random order",
    specials: |settings, block_size| {
        let len = spans(settings).fitting(block_size, EXTRA, usize::MAX);
        let most = if len == 0 { 1 } else { spans(settings).counts(len).1 };
        [START, END].map(String::from).into_iter().chain((0..most).map(sentinel)).collect()
    },
    build: |settings, vocabulary| Ok(Arc::new(Glm::new(settings, vocabulary)?)),
};

fn spans(settings: &ObjectiveSettings) -> Spans {
    let lengths = settings.span_length.map_or(Lengths::Poisson, Lengths::Fixed);
    Spans { rate: settings.mask_rate, mean: settings.glm_mean, lengths }
}

#[derive(Debug)]
struct Glm {
    spans: Spans,
    start: u32,
    end: u32,
    markers: Vec<u32>,
}

impl Glm {
    fn new(settings: &ObjectiveSettings, vocabulary: &Vocabulary) -> Result<Glm, DataError> {
        vocabulary.special(&sentinel(0))?;
        Ok(Glm {
            spans: spans(settings),
            start: vocabulary.special(START)?,
            end: vocabulary.special(END)?,
            markers: sentinels(vocabulary),
        })
    }
}

impl Task for Glm {
    fn source_len(&self, room: usize) -> usize {
        self.spans.fitting(room, EXTRA, self.markers.len())
    }

    fn least(&self) -> usize {
        self.spans.least()
    }

    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example {
        let text = &text[..text.len().min(self.source_len(room))];
        let ranges = self.spans.draw(text.len(), rng);
        let (mut ids, mut at) = (Vec::new(), 0);
        for (range, &marker) in ranges.iter().zip(&self.markers) {
            ids.extend(&text[at..range.start]);
            ids.push(marker);
            at = range.end;
        }
        ids.extend(&text[at..]);
        let known = ids.len();
        let (mut labels, mut weights) = (vec![0; known], vec![0.0; known]);
        for k in rng.permutation(ranges.len() as u32) {
            let span = &text[ranges[k as usize].clone()];
            ids.extend([self.start, self.markers[k as usize]]);
            ids.extend(span);
            labels.push(0); // which span is next is nobody's business
            labels.extend(span);
            labels.push(self.end);
            weights.push(0.0);
            weights.resize(ids.len(), 1.0);
        }
        Example { ids, labels, weights, mask: MaskSpec::Prefix { len: known as u32 } }
    }

    /// Only with spans of a fixed length, as for `span`.
    fn puzzle(&self, example: &Example) -> Option<Puzzle> {
        let (Lengths::Fixed(n), MaskSpec::Prefix { len }) = (self.spans.lengths, &example.mask) else {
            return None;
        };
        let (text, answers) = example.ids.split_at(*len as usize);
        let mut seen = Vec::new();
        let mut places = Vec::new();
        for &id in text {
            if self.markers.contains(&id) {
                places.push(seen.len());
                seen.extend(vec![Seen::Hidden; n]);
            } else {
                seen.push(Seen::Token(id));
            }
        }
        let mut asked = Vec::new();
        for (i, answer) in answers.chunks(n + 2).enumerate() {
            let place = places[self.markers.iter().position(|marker| *marker == answer[1])?];
            let marker = text.len() + i * (n + 2) + 1;
            let question = |j| Question { position: marker + j, place: place + j, seen: Seen::Hidden };
            asked.extend((0..n).map(question));
        }
        Some(Puzzle { seen, asked, reveals: true })
    }
}
