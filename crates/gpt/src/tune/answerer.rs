//! Asking a model for what pairs of texts taught it ([`super::Complete`]).

use crate::Gpt;
use crate::generate::{Beam, Decoder, Generator, Limits, Never, Sampler};
use crate::model_dir::spare_tokens;
use data::Tokenizer;
use data::seq2seq::PairTemplate;
use random::Rng;
use tensor::Params;

/// Answers sources, in tokens.
#[derive(Clone)]
pub struct Answerer<'m> {
    gpt: &'m Gpt,
    params: &'m Params,
    template: PairTemplate,
    /// Special tokens that are no end of an answer.
    never: Vec<u32>,
    room: Room,
}

/// How many tokens there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// That are kept for an answer: of a source that is too long for them the beginning is read.
    pub reserved: usize,
    /// Of the longest answer, if the source leaves room for them.
    pub max: usize,
}

impl<'m> Answerer<'m> {
    /// Of a model and its tokenizer, whose markers the template has.
    ///
    /// # Panics
    /// If the context has no room beside what is reserved.
    #[must_use]
    pub fn new(
        (gpt, params): (&'m Gpt, &'m Params),
        tokenizer: &Tokenizer,
        template: PairTemplate,
        room: Room,
    ) -> Self {
        assert!(room.reserved < gpt.max_tokens(params), "room for a source");
        let specials = tokenizer.specials().into_iter().map(|(_, id)| id);
        let never = specials.filter(|id| *id != template.end);
        let never = never.chain(spare_tokens(&gpt.config, tokenizer)).collect();
        Self { gpt, params, template, never, room }
    }

    /// A decoder that has seen the source, and how many tokens there may be.
    fn begin(&self, source: &[u32]) -> (Decoder<'m>, usize) {
        let (prompt, _) = self.template.prompt(source, self.longest_prompt());
        let mut decoder = Decoder::new(self.gpt, self.params);
        decoder.push_prefix(&prompt);
        (decoder, self.room.max.min(self.gpt.max_tokens(self.params) - prompt.len()))
    }

    fn longest_prompt(&self) -> usize {
        self.gpt.max_tokens(self.params) - self.room.reserved
    }

    /// Whether only the beginning of a source is read.
    #[must_use]
    pub fn cuts(&self, source: &[u32]) -> bool {
        source.len() >= self.longest_prompt()
    }

    /// The best answer that a beam finds.
    #[must_use]
    pub fn best(&self, source: &[u32], beam: &Beam) -> Vec<u32> {
        let (decoder, max) = self.begin(source);
        let limits = Limits { end: self.template.end, never: &self.never, max };
        beam.search(decoder, limits, 1).swap_remove(0).ids
    }

    /// An answer drawn at random.
    #[must_use]
    pub fn draw(&self, source: &[u32], sampler: Sampler, rng: Rng) -> Vec<u32> {
        let (decoder, max) = self.begin(source);
        let tokens = Generator::after(decoder, sampler.with(Never(self.never.clone())), rng);
        tokens.take(max).take_while(|&token| token != self.template.end).collect()
    }
}
