//! `newleaf finetune chat`: a model learns to answer.

use super::completing::Completing;
use super::fitting::FitArgs;
use crate::commands::print;
use crate::screen::failure::Failure;
use crate::work::model::Model;
use data::Example;
use data::chat::{ChatTemplate, Dialogue};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Teach a model to answer

  newleaf finetune chat --model my --train dialogues.jsonl --out talks
  newleaf finetune chat --model talks --train more.jsonl --peft lora:r=8 --out polite
  newleaf chat --model talks

A dialogue is a line: {\"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}, {\"role\": \"assistant\", \"content\": ..}, ..]}, with
the roles system, user and assistant. Only what the assistant says is learned. Without --dev, one dialogue in ten chooses
the weights.";

/// What `newleaf finetune chat` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Dialogues, one a line of JSON
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Dialogues to choose the weights by [default: one in ten of the others]
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    #[command(flatten)]
    fit: FitArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let completing = Completing::new(&args.fit, &ChatTemplate::specials())?;
    let template = ChatTemplate::new(&completing.model.tokenizer)?;
    let (train, dev) = examples(args, &completing.model, &template)?;
    eprintln!("{} dialogues to train, {} to validate", train.len(), dev.len());
    let completed = completing.train(&train, &dev)?;
    let more = json!({
        "train_dialogues": train.len(), "validation_dialogues": dev.len(),
        "data": { "train": args.train, "dev": args.dev },
    });
    let result = completing.save(&completed, &args.train, more)?;
    print(&if args.fit.json { format!("{result}\n") } else { completing.summary(&completed) })
}

/// The examples to learn from and to choose by.
fn examples(
    args: &Args,
    model: &Model,
    template: &ChatTemplate,
) -> Result<(Vec<Example>, Vec<Example>), Failure> {
    let read = |path: &Path| -> Result<Vec<Example>, Failure> {
        let text = data::read_text(path)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut examples = Vec::new();
        for (i, line) in lines {
            let about =
                |problem: String| Failure::input(format!("{}, line {}: {problem}", path.display(), i + 1));
            let dialogue: Dialogue = serde_json::from_str(line).map_err(|e| {
                about(format!("expected {{\"messages\": [{{\"role\": .., \"content\": ..}}, ..]}}: {e}"))
            })?;
            let rendered =
                template.render(&model.tokenizer, &dialogue.messages).map_err(|e| about(e.to_string()))?;
            examples.extend(rendered.example(model.gpt.config.block_size));
        }
        if examples.is_empty() {
            let path = path.display();
            return Err(Failure::input(format!(
                "{path}: expected dialogues in which the assistant says something"
            )));
        }
        Ok(examples)
    };
    let mut train = read(&args.train)?;
    let dev = match &args.dev {
        Some(path) => read(path)?,
        None => {
            let (dev, rest) = train.into_iter().enumerate().partition::<Vec<_>, _>(|(i, _)| i % 10 == 9);
            train = rest.into_iter().map(|(_, example)| example).collect();
            dev.into_iter().map(|(_, example)| example).collect()
        }
    };
    if dev.is_empty() {
        let path = args.train.display();
        return Err(Failure::input(format!("{path}: expected at least ten dialogues, or others with --dev")));
    }
    Ok((train, dev))
}
