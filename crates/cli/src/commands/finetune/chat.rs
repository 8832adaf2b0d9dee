//! `newleaf finetune chat`: a model learns to answer.

use super::super::print;
use super::fitting::{FitArgs, watched};
use crate::failure::Failure;
use crate::model::Model;
use data::Example;
use data::chat::{ChatTemplate, Dialogue};
use gpt::checkpoint::tensors::from_params;
use gpt::model_dir::{ModelCard, save_model_dir_with};
use gpt::peft::{Method, fingerprint, save_adapter};
use gpt::tune::{Complete, grown, mean_loss};
use random::{Rng, Stream};
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
    let settings = args.fit.config()?;
    if args.fit.peft == Method::Head {
        return Err(Failure::input(
            "--peft head: a model that writes has no head of its own to train: take full or lora",
        ));
    }
    let base = args.fit.model()?;
    let base_sha256 = fingerprint(&base.gpt.config, &base.params);
    let model = with_markers(base, &args.fit)?;
    let template = ChatTemplate::new(&model.tokenizer)?;
    let (train, dev) = examples(args, &model, &template)?;
    eprintln!("{} dialogues to train, {} to validate", train.len(), dev.len());
    let (mut gpt, mut params) = (model.gpt.clone(), model.params.clone());
    let before = mean_loss(&gpt, &params, &dev);
    let mut rng = Rng::new(args.fit.seed, Stream::Init);
    gpt.tune(&args.fit.peft, &mut params, &mut rng).map_err(|error| Failure::input(error.to_string()))?;
    let outcome =
        watched(&mut params, &Complete { gpt: &gpt, examples: &train, dev: &dev }, &settings, &gpt)?;

    let mut result = args.fit.record(&settings, &outcome, &base_sha256);
    result["validation"] =
        json!({ "loss": -outcome.best_score, "loss_before": before, "dialogues": dev.len() });
    result["train_dialogues"] = train.len().into();
    result["data"] = json!({ "train": args.train, "dev": args.dev });
    let bytes = serde_json::to_string_pretty(&result).expect("an object") + "\n";
    let more: [(&str, &[u8]); 1] = [("result.json", bytes.as_bytes())];
    let (out, method) = (&args.fit.out, &args.fit.peft);
    if *method == Method::Full {
        let card = ModelCard {
            data: args.train.display().to_string(),
            val_loss: Some(-outcome.best_score),
            iter: outcome.best_update as u64,
            command: std::env::args().collect(),
            ..ModelCard::default()
        };
        let tokenizer = model.tokenizer.to_json();
        save_model_dir_with(out, &gpt.config, &from_params(&params), &tokenizer, &card, &more)?;
    } else {
        let path = model.path.canonicalize().unwrap_or_else(|_| model.path.clone());
        save_adapter(out, &gpt, &params, method, (&path, &base_sha256), &more)?;
    }
    print(&match args.fit.json {
        true => format!("{result}\n"),
        false => format!(
            "loss of the answers: {:.4} nats a token, {before:.4} before\n{}",
            -outcome.best_score,
            args.fit.summary(&outcome)
        ),
    })
}

/// The model with the markers of dialogues in its vocabulary.
fn with_markers(model: Model, fit: &FitArgs) -> Result<Model, Failure> {
    if ChatTemplate::new(&model.tokenizer).is_ok() {
        return Ok(model);
    }
    if fit.peft != Method::Full {
        return Err(Failure::input(format!(
            "{}: its vocabulary has no markers of dialogues, and with --peft {} nothing could learn them: fine-tune it once \
             with --peft full, then the result with {0}",
            model.path.display(),
            fit.peft
        )));
    }
    let Model { path, gpt, params, tokenizer } = model;
    let tokenizer = tokenizer.with_specials(&ChatTemplate::specials())?;
    let mut rng = Rng::new(fit.seed, Stream::Other(0));
    let (gpt, params) = grown(&gpt, &params, tokenizer.vocab_size(), &mut rng);
    Ok(Model { path, gpt, params, tokenizer })
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
