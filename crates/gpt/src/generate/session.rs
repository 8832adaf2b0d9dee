//! A dialogue with a model.

use super::{Decoder, Never, Sampler};
use crate::model::Gpt;
use crate::model_dir::spare_tokens;
use data::chat::{ChatTemplate, Message, Role};
use data::{DataError, Tokenizer};
use random::{Rng, Stream};
use tensor::Params;

/// A dialogue that goes on: what was said, and the keys and values of it that were computed already. A turn costs what is new
/// in it; only where old messages no longer fit into the context is what follows them computed again.
pub struct Session<'m> {
    /// What was said, oldest first. May be changed between turns.
    pub messages: Vec<Message>,
    tokenizer: &'m Tokenizer,
    template: ChatTemplate,
    decoder: Decoder<'m>,
    room: usize,
    max_new_tokens: usize,
    sampler: Sampler,
    rng: Rng,
}

impl<'m> Session<'m> {
    /// With a model that was fine-tuned for dialogues, and its tokenizer. An answer has at most `max_new_tokens`, and no more
    /// than leaves half of the context to what was said.
    ///
    /// # Errors
    /// If the tokenizer lacks a marker of dialogues.
    pub fn new(
        (gpt, params): (&'m Gpt, &'m Params),
        tokenizer: &'m Tokenizer,
        max_new_tokens: usize,
        sampler: Sampler,
        rng: Rng,
    ) -> Result<Self, DataError> {
        let template = ChatTemplate::new(tokenizer)?;
        let specials = tokenizer.specials().into_iter().map(|(_, id)| id);
        let never = specials.filter(|id| *id != template.end);
        let never = never.chain(spare_tokens(&gpt.config, tokenizer)).collect();
        let context = gpt.max_tokens(params);
        let max_new_tokens = max_new_tokens.min(context / 2);
        Ok(Self {
            messages: Vec::new(),
            tokenizer,
            template,
            decoder: Decoder::new(gpt, params),
            room: context - max_new_tokens,
            max_new_tokens,
            sampler: sampler.with(Never(never)),
            rng,
        })
    }

    /// Says before anything is said whether the messages leave room for a dialogue.
    ///
    /// # Errors
    /// If what the system says is too long, or has characters that the tokenizer does not know.
    pub fn check(&self) -> Result<(), DataError> {
        self.template.prompt(self.tokenizer, &self.messages, self.room).map(drop)
    }

    /// Takes what the user says, and returns the answer. `show` gets it piece by piece, as it comes.
    ///
    /// # Errors
    /// If the tokenizer does not know a character of what was said: then it was not said. Or what `show` returns.
    pub fn say<E: From<DataError>>(
        &mut self,
        said: &str,
        show: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<String, E> {
        self.messages.push(Message { role: Role::User, content: said.into() });
        match self.read() {
            Ok(()) => self.answer(show),
            Err(error) => {
                self.messages.pop();
                Err(error.into())
            }
        }
    }

    /// The answer to the messages as they are.
    ///
    /// # Errors
    /// As [`Session::say`].
    pub fn reply<E: From<DataError>>(
        &mut self,
        show: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<String, E> {
        self.read()?;
        self.answer(show)
    }

    /// Has the decoder see the messages that fit, and the marker of the assistant.
    fn read(&mut self) -> Result<(), DataError> {
        let prompt = self.template.prompt(self.tokenizer, &self.messages, self.room)?;
        let seen = self.decoder.tokens().iter().zip(&prompt).take_while(|(a, b)| a == b).count();
        let seen = seen.min(prompt.len() - 1); // the last token's logits are needed
        self.decoder.truncate(seen);
        self.decoder.push_all(&prompt[seen..]);
        Ok(())
    }

    fn answer<E: From<DataError>>(
        &mut self,
        mut show: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<String, E> {
        let mut rng = Rng::new(self.rng.next_u64(), Stream::Sampling);
        let (mut text, mut characters) = (String::new(), self.tokenizer.decoder());
        let mut history = self.decoder.tokens().to_vec();
        for _ in 0..self.max_new_tokens {
            let token = self.sampler.sample(&history, self.decoder.logits(), &mut rng);
            if token == self.template.end {
                break;
            }
            let piece = characters.push(token)?;
            show(&piece)?;
            text += &piece;
            history.push(token);
            self.decoder.push(token);
        }
        let rest = characters.finish();
        show(&rest)?;
        text += &rest;
        self.messages.push(Message { role: Role::Assistant, content: text.clone() });
        Ok(text)
    }
}
