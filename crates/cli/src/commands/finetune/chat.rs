//! `newleaf finetune chat`: a model learns to answer.

use super::completing::{Completed, Completing};
use super::fitting::FitArgs;
use crate::commands::print;
use crate::flags::reading::{FileArgs, Reading};
use crate::flags::sampling::usual_sampler;
use crate::screen::failure::Failure;
use crate::work::model::{known_text, tell_unknown};
use data::chat::{ChatTemplate, Dialogue, EXPECTED, Message, Role};
use data::dataset::{PARTS, SplitRule};
use data::read::{Options, Wanted, format_of};
use data::{DataError, Example, Tokenizer};
use gpt::generate::Session;
use random::{Rng, Stream};
use serde_json::json;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Fine-tune a model on dialogues

  newleaf finetune chat --model my --train dialogues.jsonl --out talks
  newleaf finetune chat --model talks --train more.jsonl --peft lora:r=8 --out polite
  newleaf chat --model talks

A dialogue is a line: {\"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}, {\"role\": \"assistant\", \"content\": ..}, ..]}, with
the roles system, user and assistant. {\"conversations\": [{\"from\": .., \"value\": ..}, ..]} and {\"instruction\": .., \"input\": ..,
\"output\": ..} are read too. Only what the assistant says is learned. Without --dev, one dialogue in ten chooses the
weights.";

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
    file: FileArgs,
    #[command(flatten)]
    fit: FitArgs,
}

/// The learning rate of full fine-tuning over that for labels: the same, because dialogues are seldom many.
const RATE: f64 = 1.0;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut completing = Completing::new(&args.fit, &ChatTemplate::specials(), RATE)?;
    let template = ChatTemplate::new(&completing.model.tokenizer)?;
    let Divided { train, dev, asked } = examples(args, &completing, &template)?;
    eprintln!("{} dialogues to train, {} to validate", train.len(), dev.len());
    args.fit.warn_of_few(train.len(), "dialogues");
    let completed = completing.train(&train, &dev, 0.0)?;
    let more = json!({
        "task": "chat", "train_dialogues": train.len(), "validation_dialogues": dev.len(),
        "data": { "train": args.train, "dev": args.dev },
    });
    let result = completing.save(&completed, &args.train, &[], more)?;
    if args.fit.json {
        return print(&format!("{result}\n"));
    }
    let answer = answer(&completing.model.tokenizer, &completed, &asked, args.fit.seed)?;
    let question = asked.last().map_or("", |message| &message.content);
    print(&format!(
        "it was asked: {question}\nand answers:  {answer}\n{}",
        completing.summary(&completed, "chat")
    ))
}

/// What the model answers, as `newleaf chat` has it answer: the loss does not say whether that makes sense.
fn answer(
    tokenizer: &Tokenizer,
    Completed { gpt, params, .. }: &Completed,
    asked: &[Message],
    seed: u64,
) -> Result<String, Failure> {
    let rng = Rng::new(seed, Stream::Sampling);
    let mut session = Session::new((gpt, params), tokenizer, SHOWN, usual_sampler(), rng)?;
    session.messages = asked.to_vec();
    Ok(session.reply::<DataError>(|_| Ok(()))?)
}

/// Tokens of the answer that is shown.
const SHOWN: usize = 100;

/// The examples, divided.
struct Divided {
    /// To learn from.
    train: Vec<Example>,
    /// To choose the weights by.
    dev: Vec<Example>,
    /// What the first dialogue of the latter asks last.
    asked: Vec<Message>,
}

/// The examples to learn from and to choose by.
fn examples(args: &Args, completing: &Completing<'_>, template: &ChatTemplate) -> Result<Divided, Failure> {
    let mut seen = HashSet::new();
    let mut read = |path: &Path| read(path, args, completing, template, &mut seen);
    let own = read(&args.train)?;
    let (mut train, mut dev) = (Vec::new(), Vec::new());
    if let Some(path) = &args.dev {
        dev = read(path)?;
        train = own;
    } else {
        let rule = SplitRule::usual();
        for dialogue in own {
            let part = if PARTS[rule.part(&dialogue.said)] == "val" { &mut dev } else { &mut train };
            part.push(dialogue);
        }
        if dev.is_empty() && train.len() >= FEWEST {
            // By chance none of so few fell there: the one whose hash is the greatest.
            let fraction = |i: &usize| rule.fraction(&train[*i].said);
            let last = (0..train.len()).max_by(|a, b| fraction(a).total_cmp(&fraction(b)));
            dev.extend(last.map(|i| train.remove(i)));
        }
    }
    if dev.is_empty() {
        let path = args.train.display();
        return Err(Failure::input(format!(
            "{path}: expected at least {FEWEST} different dialogues, or others with --dev"
        )));
    }
    let asked = dev[0].asked.clone();
    let examples = |part: Vec<Said>| part.into_iter().map(|dialogue| dialogue.example).collect();
    Ok(Divided { train: examples(train), dev: examples(dev), asked })
}

/// Fewer dialogues are not divided into a training and a validation part.
const FEWEST: usize = 10;

/// A dialogue that was read.
struct Said {
    /// What is said in it, which is its own in the file.
    said: String,
    /// What is said before the last answer.
    asked: Vec<Message>,
    /// What is learned.
    example: Example,
}

/// The dialogues of a file. What is left out or cut is counted on stderr.
fn read(
    path: &Path,
    args: &Args,
    completing: &Completing<'_>,
    template: &ChatTemplate,
    seen: &mut HashSet<String>,
) -> Result<Vec<Said>, Failure> {
    let (max, tokenizer) = (completing.max_tokens(), &completing.model.tokenizer);
    let mut options = Options { wanted: Wanted::Fields, ..args.file.options(None)? };
    if options.format.is_none() && !format_of(path).has_fields {
        options.format = Some("jsonl".into());
    }
    let mut found = Vec::new();
    let [mut bad, mut not_text, mut again, mut unanswered, mut cut] = [0; 5];
    let [mut unknown, mut characters] = [0; 2];
    for document in Reading::open(&[path.to_path_buf()], &options)? {
        let document = document?;
        let about =
            |problem: &str| Failure::input(format!("{}, line {}: {problem}", path.display(), document.line));
        let dialogue = match Dialogue::from_fields(&document.fields) {
            Ok(dialogue) => dialogue,
            Err(_) if options.skip_bad => {
                bad += 1;
                continue;
            }
            Err(found) => return Err(about(&format!("expected {EXPECTED}, found {found}"))),
        };
        let Some(Dialogue { mut messages }) = dialogue else {
            not_text += 1;
            continue;
        };
        for message in &mut messages {
            characters += message.content.chars().count();
            let (known, left_out) = known_text(tokenizer, &message.content);
            (message.content, unknown) = (known, unknown + left_out);
        }
        let rendered = template.render(tokenizer, &messages).map_err(|e| about(&e.to_string()))?;
        let Some(example) = rendered.example(max) else {
            unanswered += 1;
            continue;
        };
        let said: String = messages.iter().map(|m| format!("{:?}: {}\n", m.role, m.content)).collect();
        if !seen.insert(said.clone()) {
            again += 1;
            continue;
        }
        cut += usize::from(rendered.ids.len() > max + 1);
        let last = messages.iter().rposition(|message| message.role == Role::Assistant);
        messages.truncate(last.unwrap_or(0));
        found.push(Said { said, asked: messages, example });
    }
    for (count, what) in [
        (bad, "rows that are no dialogues, left out (--skip-bad)".to_string()),
        (not_text, "dialogues with calls of tools or pictures, left out: only text is learned".into()),
        (
            unanswered,
            format!("dialogues in which the assistant says nothing in the last {max} tokens, left out"),
        ),
        (again, "dialogues that were there before, left out".into()),
        (cut, format!("dialogues longer than the {max} tokens that have room: only their end is read")),
    ] {
        if count > 0 {
            eprintln!("note: {}: {what}: {count}", path.display());
        }
    }
    tell_unknown(&path.display().to_string(), unknown, characters)?;
    if found.is_empty() {
        let path = path.display();
        return Err(Failure::input(format!(
            "{path}: expected dialogues in which the assistant says something, found none"
        )));
    }
    Ok(found)
}
