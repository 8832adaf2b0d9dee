//! Answers of a model that learned pairs of texts: translations, summaries.

use crate::flags::sampling::SamplerArgs;
use crate::screen::failure::Failure;
use crate::work::model::{self, Model};
use data::augment::Translate;
use data::extract::extract;
use data::seq2seq::PairTemplate;
use data::{DataError, Tokenizer};
use gpt::Gpt;
use gpt::generate::{Beam, Sampler, Temperature};
use gpt::tune::{self, Room};
use random::{Rng, Stream};
use rayon::prelude::*;
use std::io::IsTerminal;
use std::path::PathBuf;
use tensor::Params;

/// Tokens of the longest answer, unless somebody says otherwise.
const MOST: usize = 200;

/// How the likeliest answer is looked for.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct BeamArgs {
    /// Beginnings of answers that are kept; 1 takes the likeliest token each time
    #[arg(long, value_name = "N", default_value_t = 4)]
    beam: usize,
    /// Length penalty: an answer of n tokens is scored log P / ((5 + n) / 6)^ALPHA, so 0 prefers short ones
    #[arg(long, value_name = "ALPHA", default_value_t = 0.6)]
    length_penalty: f64,
    /// The longest answer, in tokens
    #[arg(long, alias = "max_new_tokens", value_name = "N", default_value_t = MOST, value_parser = at_least_one)]
    pub(crate) max_new_tokens: usize,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a whole number above 0".into())
}

impl BeamArgs {
    pub(crate) fn beam(&self) -> Result<Beam, Failure> {
        let beam = Beam { width: self.beam, length_penalty: self.length_penalty };
        beam.validate()?;
        Ok(beam)
    }
}

/// The flags of commands that answer.
#[derive(Debug, clap::Args)]
pub(crate) struct AnswerArgs {
    /// A model of newleaf finetune seq2seq
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// An adapter to put on it
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    #[command(flatten)]
    beam: BeamArgs,
    /// Draw an answer at random instead of looking for the likeliest: --temperature and the like say how
    #[arg(long)]
    sample: bool,
    #[command(flatten)]
    sampling: SamplerArgs,
}

impl AnswerArgs {
    /// The model, with its adapter.
    pub(crate) fn load(&self) -> Result<Model, Failure> {
        model::load_with_adapter(&self.model, self.adapter.as_deref())
    }

    /// Who answers.
    pub(crate) fn answerer<'m>(&self, model: &'m Model) -> Result<Answerer<'m>, Failure> {
        let beam = self.beam.beam()?;
        let how = if self.sample { How::Sample(self.sampling.sampler()?) } else { How::Beam(beam) };
        let (most, seed) = (self.beam.max_new_tokens, self.sampling.seed().0);
        let answerer = Answerer::new((&model.gpt, &model.params), &model.tokenizer, how, most, seed);
        answerer.map_err(|e| Failure::from(e).about(self.model.display()))
    }
}

/// How an answer comes about.
pub(crate) enum How {
    Beam(Beam),
    Sample(Sampler),
}

/// Answers texts one after the other.
pub(crate) struct Answerer<'m> {
    tokens: tune::Answerer<'m>,
    tokenizer: &'m Tokenizer,
    how: How,
    /// Whether of a source that is too long the most telling sentences are read, and not the beginning.
    extracts: bool,
    rng: Rng,
}

/// An answer, and what was not read of its source.
pub(crate) struct Answer {
    pub(crate) text: String,
    /// The source is longer than the context: only its beginning was read.
    pub(crate) cut: bool,
    /// Characters that the tokenizer does not know.
    pub(crate) unknown: usize,
    /// Characters of the source.
    source: usize,
}

impl Answer {
    /// The text in one line.
    pub(crate) fn line(&self) -> String {
        self.text.replace(['\n', '\r'], " ")
    }
}

impl<'m> Answerer<'m> {
    /// Of a model with its tokenizer. A quarter of the context is for the answer, or less if none is as long.
    pub(crate) fn new(
        model: (&'m Gpt, &'m Params),
        tokenizer: &'m Tokenizer,
        how: How,
        max: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        let template = PairTemplate::new(tokenizer)?;
        let room = Room { reserved: max.min(model.0.max_tokens(model.1) / 4), max };
        let tokens = tune::Answerer::new(model, tokenizer, template, room);
        Ok(Self { tokens, tokenizer, how, extracts: false, rng: Rng::new(seed, Stream::Sampling) })
    }

    /// The same, which reads the most telling sentences of a source that is too long instead of its beginning.
    pub(crate) fn extracting(self, extracts: bool) -> Self {
        Self { extracts, ..self }
    }

    /// One that draws answers at random, for whoever has randomness of its own.
    pub(crate) fn sampling(model: &'m Model, temperature: f32) -> Result<Self, Failure> {
        let sampler = Sampler::default().with(Temperature(temperature));
        sampler.validate()?;
        let answerer =
            Self::new((&model.gpt, &model.params), &model.tokenizer, How::Sample(sampler), MOST, 0);
        answerer.map_err(|e| Failure::from(e).about(model.path.display()))
    }

    /// Answers, in the order of the sources, computed side by side.
    pub(crate) fn answers<S: AsRef<str> + Sync>(&mut self, sources: &[S]) -> Result<Vec<Answer>, DataError> {
        let seeds: Vec<u64> = sources.iter().map(|_| self.rng.next_u64()).collect();
        sources.par_iter().zip(seeds).map(|(source, seed)| self.answer(source.as_ref(), seed)).collect()
    }

    fn answer(&self, text: &str, seed: u64) -> Result<Answer, DataError> {
        let characters = text.chars().count();
        let (mut source, mut unknown) = model::encode_known(self.tokenizer, text);
        let cut = self.tokens.cuts(&source);
        if cut && self.extracts {
            let fits = |part: &str| !self.tokens.cuts(&model::encode_known(self.tokenizer, part).0);
            let part = extract(text, fits);
            if !part.is_empty() {
                (source, unknown) = model::encode_known(self.tokenizer, &part);
            }
        }
        let ids = match &self.how {
            How::Beam(beam) => self.tokens.best(&source, beam),
            How::Sample(sampler) => {
                self.tokens.draw(&source, sampler.clone(), Rng::new(seed, Stream::Sampling))
            }
        };
        Ok(Answer { text: self.tokenizer.decode(&ids)?, cut, unknown, source: characters })
    }
}

impl Translate for Answerer<'_> {
    fn translate(&self, text: &str, rng: &mut Rng) -> Result<String, DataError> {
        Ok(self.answer(text, rng.next_u64())?.line())
    }
}

/// Gives the lines of standard input to `answer`, so many at a time; to somebody who types, each at once.
pub(crate) fn lines_of_stdin(
    together: usize,
    mut answer: impl FnMut(&[String]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    let terminal = stdin.is_terminal();
    if terminal {
        eprintln!("type a line; Ctrl-D ends");
    }
    let together = if terminal { 1 } else { together };
    let mut lines = Vec::new();
    for line in stdin.lines() {
        lines
            .push(line.map_err(|e| Failure::input(format!("standard input: {e}: expected lines of UTF-8")))?);
        if lines.len() == together {
            answer(&lines)?;
            lines.clear();
        }
    }
    answer(&lines)
}

/// What was not read of all sources.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// Whether the most telling sentences were read of those that were cut.
    extracts: bool,
    cut: usize,
    unknown: usize,
    unreadable: usize,
}

impl LeftOut {
    /// Of an answerer that reads the most telling sentences of what is too long.
    pub(crate) fn extracting() -> Self {
        Self { extracts: true, ..Self::default() }
    }

    pub(crate) fn add(&mut self, answer: &Answer) {
        self.count(answer.cut, answer.unknown, answer.source);
    }

    /// One text more: whether only its beginning was read, and how many of its characters were not.
    pub(crate) fn count(&mut self, cut: bool, unknown: usize, of: usize) {
        self.cut += usize::from(cut);
        self.unknown += unknown;
        self.unreadable += usize::from(unknown == of);
    }

    /// Says so on stderr, if there is anything to say.
    pub(crate) fn tell(&self) {
        if self.cut > 0 {
            let read = match self.extracts {
                true => "the sentences that say most of them were read",
                false => "only their beginning was read",
            };
            eprintln!("{} texts are longer than the model's context has room for: {read}", self.cut);
        }
        if self.unknown > 0 {
            eprintln!("{} characters are not in the model's vocabulary and were left out", self.unknown);
        }
        if self.unreadable > 0 {
            eprintln!(
                "warning: {} texts have no character of the model's vocabulary: what it says of them is no answer",
                self.unreadable
            );
        }
    }
}
