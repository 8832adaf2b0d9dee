//! `newleaf chat`: talk with a model.

use crate::flags::sampling::{SamplerArgs, print_at_once};
use crate::screen::failure::Failure;
use crate::work::model::{self, Model};
use data::chat::{ChatTemplate, Message, Role};
use gpt::Generator;
use gpt::sampling::Sampler;
use random::{Rng, Stream};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Talk with a model that was fine-tuned for dialogues

  newleaf chat --model talks
  newleaf chat --model talks --adapter polite --system 'Be brief.'
  echo 'A table for two, please.' | newleaf chat --model talks --temperature 0

A line is a message; an empty one, or the end of the input, ends it. What was said before is remembered as far as it fits into
the model's context: the oldest messages are forgotten first, what --system says never.";

/// What `newleaf chat` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model of newleaf finetune chat
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// An adapter to put on it
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// What holds for the whole dialogue
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The longest answer, in tokens
    #[arg(long, alias = "max_new_tokens", value_name = "N", default_value_t = 200)]
    max_new_tokens: usize,
    #[command(flatten)]
    sampling: SamplerArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let sampler = args.sampling.sampler()?;
    let model = model::load_with_adapter(&args.model, args.adapter.as_deref())?;
    let template =
        ChatTemplate::new(&model.tokenizer).map_err(|e| Failure::from(e).about(args.model.display()))?;
    let mut talk = Talk::new(args, &model, template, sampler);
    let terminal = std::io::stdin().is_terminal();
    loop {
        if terminal {
            print_at_once("> ")?;
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let read =
            read.map_err(|e| Failure::input(format!("standard input: {e}: expected lines of UTF-8")))?;
        let line = line.trim();
        if read == 0 || line.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        match talk.answer(line) {
            // Somebody who types may try again.
            Err(failure) if terminal => _ = failure.report(),
            other => other?,
        }
    }
}

/// A dialogue that goes on.
struct Talk<'a> {
    model: &'a Model,
    template: ChatTemplate,
    messages: Vec<Message>,
    sampler: Sampler,
    rng: Rng,
    /// Tokens of the longest answer: no more than leaves half of the context to what was said.
    most: usize,
    /// Special tokens that are no end of an answer.
    never: Vec<u32>,
}

impl<'a> Talk<'a> {
    fn new(args: &Args, model: &'a Model, template: ChatTemplate, sampler: Sampler) -> Self {
        let message = |content: &String| Message { role: Role::System, content: content.clone() };
        let specials = model.tokenizer.specials().into_iter().map(|(_, id)| id);
        Self {
            model,
            template,
            messages: args.system.iter().map(message).collect(),
            sampler,
            rng: Rng::new(args.sampling.seed, Stream::Sampling),
            most: args.max_new_tokens.min(model.gpt.config.block_size / 2),
            never: specials.filter(|id| *id != template.end).collect(),
        }
    }

    /// Takes what the user says, and writes the answer as it comes, whole characters at a time.
    fn answer(&mut self, said: &str) -> Result<(), Failure> {
        self.messages.push(Message { role: Role::User, content: said.into() });
        let tokenizer = &self.model.tokenizer;
        let room = self.model.gpt.config.block_size - self.most;
        let prompt = match self.template.prompt(tokenizer, &self.messages, room) {
            Ok(prompt) => prompt,
            Err(error) => {
                self.messages.pop();
                return Err(error.into());
            }
        };
        let rng = Rng::new(self.rng.next_u64(), Stream::Sampling);
        let answer = Generator::new(&self.model.gpt, &self.model.params, &prompt, self.sampler, rng);
        let (mut decoder, mut text) = (tokenizer.decoder(), String::new());
        let mut show = |part: String| {
            text += &part;
            print_at_once(&part)
        };
        for token in
            answer.without(&self.never).take(self.most).take_while(|&token| token != self.template.end)
        {
            show(decoder.push(token)?)?;
        }
        show(decoder.finish())?;
        print_at_once("\n")?;
        self.messages.push(Message { role: Role::Assistant, content: text });
        Ok(())
    }
}
