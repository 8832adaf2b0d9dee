//! What the claims about texts from texts have in common: a model learns pairs, and answers.

use super::{Model, Result, Values};
use benches::machine::{forget_peak_memory, peak_memory};
use data::Example;
use data::metrics::AnswerScores;
use data::seq2seq::PairTemplate;
use gpt::Gpt;
use gpt::generate::{Beam, Sampler};
use gpt::tune::{Answerer, Complete, Room, TuneConfig, fit, grown};
use random::{Rng, Stream};
use std::ops::ControlFlow;
use tensor::Params;

/// Sources and targets.
pub(super) type Pairs = Vec<(String, String)>;

/// How pairs are learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lesson {
    /// Times that the pairs are read.
    pub(super) epochs: usize,
    /// Pairs in an update.
    pub(super) batch_size: usize,
    /// The largest learning rate.
    pub(super) learning_rate: f64,
}

impl std::fmt::Display for Lesson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epochs, batch_size, learning_rate } = self;
        write!(f, "{epochs} epochs of batches of {batch_size} pairs, learning rate {learning_rate}")
    }
}

/// A model that learned pairs.
pub(super) struct Answering {
    model: Model,
    template: PairTemplate,
    /// Tokens of the longest answer that it learned, with its end: so many are left to answers.
    longest: usize,
}

impl Lesson {
    /// Teaches pairs to a model; the `dev` pairs choose the weights.
    ///
    /// # Errors
    /// If a character is unknown, no pair fits into the context, or a loss is not finite.
    pub(super) fn learn(
        &self,
        base: Model,
        train: &Pairs,
        dev: &Pairs,
        seed: u64,
    ) -> Result<(Answering, Values)> {
        let tokenizer = base.tokenizer.with_specials(&PairTemplate::specials())?;
        let template = PairTemplate::new(&tokenizer)?;
        let mut rng = Rng::new(seed, Stream::Init);
        let (gpt, mut params) = grown(&base.gpt, &base.params, tokenizer.vocab_size(), &mut rng);
        let examples = |pairs: &Pairs| -> Result<Vec<Example>> {
            let example = |(source, target): &(String, String)| {
                let (source, target) = (tokenizer.encode(source)?, tokenizer.encode(target)?);
                Ok(template.example(&source, &target, gpt.config.block_size))
            };
            Ok(pairs.iter().map(example).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        };
        let (examples, dev) = (examples(train)?, examples(dev)?);
        let learned = |example: &Example| example.weights.iter().filter(|weight| **weight > 0.0).count();
        let longest = examples.iter().map(learned).max().unwrap_or(0);
        if examples.is_empty() || dev.is_empty() {
            return Err("no pair fits into the context".into());
        }
        let values = self.complete((&gpt, &mut params), &examples, &dev, seed)?;
        Ok((Answering { model: Model::new(gpt, params, tokenizer), template, longest }, values))
    }

    /// Trains on examples that say themselves what counts.
    ///
    /// # Errors
    /// If a loss is not finite.
    pub(super) fn complete(
        &self,
        (gpt, params): (&Gpt, &mut Params),
        examples: &[Example],
        dev: &[Example],
        seed: u64,
    ) -> Result<Values> {
        forget_peak_memory();
        let settings = TuneConfig {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            patience: None,
            seed,
            ..TuneConfig::default()
        };
        let task = Complete { gpt, examples, dev, label_smoothing: 0.0 };
        let outcome = fit(params, &task, &settings, |_| ControlFlow::Continue(()))?;
        Ok(vec![
            ("loss", -outcome.best_score),
            ("trained", outcome.trainable_parameters as f64),
            ("peak_bytes", peak_memory().map_or(f64::NAN, |bytes| bytes as f64)),
        ])
    }
}

impl Answering {
    /// Sources have what the longest answer that was learned leaves of the context.
    fn answerer(&self) -> Answerer<'_> {
        let Model { gpt, params, tokenizer, .. } = &self.model;
        let room = Room { reserved: self.longest, max: gpt.config.block_size };
        Answerer::new((gpt, params), tokenizer, self.template, room)
    }

    /// The likeliest answer that a beam of the usual settings finds.
    ///
    /// # Errors
    /// If a character of the source is unknown.
    pub(super) fn answer(&self, source: &str) -> Result<String> {
        let tokenizer = &self.model.tokenizer;
        let ids = self.answerer().best(&tokenizer.encode(source)?, &Beam::default());
        Ok(tokenizer.decode(&ids)?)
    }

    /// An answer drawn at random.
    ///
    /// # Errors
    /// As [`Answering::answer`].
    pub(super) fn draw(&self, source: &str, sampler: Sampler, rng: Rng) -> Result<String> {
        let tokenizer = &self.model.tokenizer;
        let ids = self.answerer().draw(&tokenizer.encode(source)?, sampler, rng);
        Ok(tokenizer.decode(&ids)?)
    }

    /// The scores of its answers to the sources of pairs.
    ///
    /// # Errors
    /// As [`Answering::answer`].
    pub(super) fn score(&self, pairs: &Pairs) -> Result<Values> {
        let answers: Result<Vec<String>> = pairs.iter().map(|(source, _)| self.answer(source)).collect();
        Ok(scores(&answers?, pairs))
    }
}

/// The scores of answers to the sources of pairs.
pub(super) fn scores<S: AsRef<str>>(answers: &[S], pairs: &Pairs) -> Values {
    let targets: Vec<&str> = pairs.iter().map(|(_, target)| target.as_str()).collect();
    let AnswerScores { exact_match, bleu, chrf, rouge_l, .. } = AnswerScores::of(answers, &targets);
    vec![("exact", exact_match), ("bleu", bleu), ("chrf", chrf), ("rouge_l", rouge_l)]
}
