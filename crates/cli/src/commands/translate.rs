//! `newleaf translate`: a line of text for each line.

use crate::flags::answering::{AnswerArgs, Answerer, LeftOut, lines_of_stdin};
use crate::screen::failure::Failure;
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Translate lines, by a model of finetune seq2seq

  echo '昨天三只猫在花园里看见一本书。' | newleaf translate --model zh-en
  newleaf translate --model zh-en < zh.txt > en.txt
  newleaf translate --model zh-en < zh.txt | newleaf translate --model en-zh --sample     the same in other words
  newleaf translate --model en-zh --pairs < en.txt > more.jsonl    more pairs to learn zh-en from (--synthetic)

The likeliest translation is looked for with a beam; with --sample one is drawn at random. An empty line stays one.";

/// What `newleaf translate` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    answers: AnswerArgs,
    /// Write pairs for the way back, {"source": translation, "target": line} a line: back-translation (Sennrich et al. 2016)
    #[arg(long)]
    pairs: bool,
}

/// Lines that are computed together; somebody who types gets each answer at once.
const LINES: usize = 16;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let model = args.answers.load()?;
    let mut answerer = args.answers.answerer(&model)?;
    let mut left_out = LeftOut::default();
    lines_of_stdin(LINES, |lines| {
        let lines: Vec<String> = lines.iter().map(|line| line.trim().to_string()).collect();
        write(args, &mut answerer, &lines, &mut left_out)
    })?;
    left_out.tell();
    Ok(ExitCode::SUCCESS)
}

fn write(
    args: &Args,
    answerer: &mut Answerer<'_>,
    lines: &[String],
    left_out: &mut LeftOut,
) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let texts: Vec<&String> = lines.iter().filter(|line| !line.is_empty()).collect();
    let mut answers = answerer.answers(&texts)?.into_iter();
    for line in lines {
        // Line n of the answer belongs to line n of the text: an empty one stays empty. It is no pair.
        let written = if line.is_empty() {
            if args.pairs { Ok(()) } else { writeln!(out) }
        } else {
            let answer = answers.next().expect("an answer for each text");
            left_out.add(&answer);
            match args.pairs {
                true => writeln!(out, "{}", json!({ "source": answer.line(), "target": line })),
                false => writeln!(out, "{}", answer.line()),
            }
        };
        written.map_err(|e| Failure::output(&e))?;
    }
    out.flush().map_err(|e| Failure::output(&e))
}
