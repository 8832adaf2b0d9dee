//! `newleaf chat`: talk with a model.

use crate::flags::sampling::{SamplerArgs, print_at_once};
use crate::screen::failure::Failure;
use crate::work::model;
use data::chat::{Message, Role};
use gpt::generate::Session;
use random::{Rng, Stream};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Chat with a model of finetune chat

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
    let rng = Rng::new(args.sampling.seed().0, Stream::Sampling);
    let session =
        Session::new((&model.gpt, &model.params), &model.tokenizer, args.max_new_tokens, sampler, rng);
    let mut session = session.map_err(|e| Failure::from(e).about(args.model.display()))?;
    let known = |text: &str| {
        let (text, unknown) = model::known_text(&model.tokenizer, text);
        if unknown > 0 {
            eprintln!(
                "{unknown} of the characters of this message are not in the model's vocabulary: left out"
            );
        }
        text
    };
    let message = |content: &String| Message { role: Role::System, content: known(content) };
    session.messages.extend(args.system.iter().map(message));
    session.check().map_err(|e| Failure::from(e).about("--system"))?;
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        eprintln!("an empty line, or Ctrl-D, ends the dialogue");
    }
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
        // Shown as it comes, whole characters at a time.
        match session.say(&known(line), print_at_once).and_then(|_| print_at_once("\n")) {
            // Somebody who types may try again.
            Err(failure) if terminal => _ = failure.report(),
            other => other?,
        }
    }
}
