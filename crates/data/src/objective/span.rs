//! `span`, span corruption: spans are cut out of a text, and written after it. Raffel et al. (T5, arXiv
//! 1910.10683), section 3.1.4.
//!
//! ```text
//! a b <extra_id_0> e f g <extra_id_1> j | <extra_id_0> c d <extra_id_1> h i <extra_id_2>
//! ```
//!
//! Everything before the bar is seen in both directions, everything after it is predicted, the last token to
//! mark the end. Of a text of L tokens with S spans there are L + 2S + 1 tokens, the last one only a label. L is the
//! largest for which that fits, so that no row is padded.

use super::spans::{Lengths, Spans};
use super::{Entry, ObjectiveSettings, Puzzle, Question, Seen, Task, Vocabulary};
use crate::{DataError, Example, MaskSpec};
use random::Rng;
use std::sync::Arc;

/// The line of the registry.
pub(super) const ENTRY: Entry = Entry {
    name: "span",
    about: "write the spans that were cut out of the text",
    specials: |settings, block_size| Span::sentinel_names(spans(settings), block_size),
    build: |settings, vocabulary| Ok(Arc::new(Span::new(spans(settings), vocabulary)?)),
};

fn spans(settings: &ObjectiveSettings) -> Spans {
    let lengths = settings.span_length.map_or(Lengths::Segments, Lengths::Fixed);
    Spans { rate: settings.mask_rate, mean: settings.span_mean, lengths }
}

/// The token that stands for span number `k`.
pub(super) fn sentinel(k: usize) -> String {
    format!("<extra_id_{k}>")
}

/// The ids of the tokens that stand for spans, as many as the vocabulary has.
pub(super) fn sentinels(vocabulary: &Vocabulary) -> Vec<u32> {
    (0..).map_while(|k| vocabulary.special(&sentinel(k)).ok()).collect()
}

#[derive(Clone, Debug)]
pub(super) struct Span {
    spans: Spans,
    sentinels: Vec<u32>,
}

/// Positions that each span takes besides its tokens: a sentinel in the text and one in the answer.
const EXTRA: usize = 2;

impl Span {
    pub(super) fn new(spans: Spans, vocabulary: &Vocabulary) -> Result<Span, DataError> {
        vocabulary.special(&sentinel(1))?; // for one span and for the end
        Ok(Span { spans, sentinels: sentinels(vocabulary) })
    }

    pub(super) fn sentinel_names(spans: Spans, block_size: usize) -> Vec<String> {
        let len = spans.fitting(block_size, EXTRA, usize::MAX);
        let most = if len == 0 { 1 } else { spans.counts(len).1 };
        (0..=most).map(sentinel).collect()
    }

    /// The row of a text with some tokens before it, which are seen.
    pub(super) fn row(&self, before: &[u32], text: &[u32], rng: &mut Rng) -> Example {
        let (mut row, mut answer) = (before.to_vec(), Vec::new());
        let mut at = 0;
        let ranges = self.spans.draw(text.len(), rng);
        for (range, &sentinel) in ranges.iter().zip(&self.sentinels) {
            row.extend(&text[at..range.start]);
            row.push(sentinel);
            answer.push(sentinel);
            answer.extend(&text[range.clone()]);
            at = range.end;
        }
        row.extend(&text[at..]);
        answer.push(self.sentinels[ranges.len()]);
        let known = row.len();
        row.extend(answer);
        Example::predict_from(&row, known, MaskSpec::Prefix { len: known as u32 })
    }
}

impl Task for Span {
    fn source_len(&self, room: usize) -> usize {
        self.spans.fitting(room, EXTRA, self.sentinels.len() - 1)
    }

    fn least(&self) -> usize {
        self.spans.least()
    }

    fn example(&self, text: &[u32], room: usize, rng: &mut Rng) -> Example {
        self.row(&[], &text[..text.len().min(self.source_len(room))], rng)
    }

    /// Only with spans of a fixed length: else how long each span is, is part of what is asked.
    fn puzzle(&self, example: &Example) -> Option<Puzzle> {
        let (Lengths::Fixed(n), MaskSpec::Prefix { len }) = (self.spans.lengths, &example.mask) else {
            return None;
        };
        let known = *len as usize;
        let mut seen = Vec::new();
        let mut asked = Vec::new();
        for &id in &example.ids[..known] {
            match self.sentinels.iter().position(|&sentinel| sentinel == id) {
                None => seen.push(Seen::Token(id)),
                Some(k) => {
                    // The answer is n+1 tokens a span, and its position `known - 1` asks for its first sentinel.
                    let first = known + k * (n + 1);
                    let question =
                        |i| Question { position: first + i, place: seen.len() + i, seen: Seen::Hidden };
                    asked.extend((0..n).map(question));
                    seen.extend(vec![Seen::Hidden; n]);
                }
            }
        }
        Some(Puzzle { seen, asked, reveals: true })
    }
}
