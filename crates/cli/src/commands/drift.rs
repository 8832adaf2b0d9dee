//! `newleaf drift`: how far a text is from the one that a model learnt from.

mod picture;

use super::print;
use crate::flags::reading::ReadArgs;
use crate::screen::failure::Failure;
use data::NewFile;
use data::drift::{Options, Report, compare};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) const ABOUT: &str = "Measure how far apart two texts are (distribution shift)

  newleaf drift --train my.txt --test other.txt
  newleaf drift --train my.txt --test other.txt --json
  newleaf drift --train my.txt --test other.txt --html drift.html

New words and characters; KL divergence of character n-grams above its noise floor; what a Kneser-Ney
model of the first text loses on the second; how well a classifier tells passages of the two apart; what helps.";

/// What `newleaf drift` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text that a model learns from: plain, rows with a text column, or a token file
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// The text that it meets
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// Write a page with a picture and the figures; it needs nothing else to be shown
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Order of the Kneser-Ney model, in characters
    #[arg(long, value_name = "N", default_value_t = data::ngram::ORDER)]
    order: usize,
    /// Where the randomness of the resampling starts
    #[arg(long, value_name = "N", default_value_t = 1337)]
    seed: u64,
    /// One JSON object: {"vocabulary": .., "divergence": [..], "perplexity": .., "domain": .., "remedies": [..]}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    [&args.svg, &args.html].into_iter().flatten().try_for_each(|path| check_output(path, args))?;
    if let (Some(svg), Some(html)) = (&args.svg, &args.html) {
        Failure::if_one_file(svg, html)?;
    }
    let (train, test) = (args.read.text(&args.train)?, args.read.text(&args.test)?);
    let options = Options { order: args.order, seed: args.seed, ..Options::default() };
    let spinner = spinner();
    let report = compare(&train, &test, &options, |stage| spinner.set_message(stage));
    spinner.finish_and_clear();
    let names = (args.train.display().to_string(), args.test.display().to_string());
    let report = report.map_err(|e| Failure::from(e).about(format!("{} and {}", names.0, names.1)))?;
    if let Some(path) = &args.svg {
        write(path, &picture::svg(&report, &names))?;
    }
    if let Some(path) = &args.html {
        write(path, &picture::html(&report, &names, &text(&report)))?;
    }
    let text = match args.json {
        true => json!(report).to_string(),
        false => text(&report),
    };
    print(&text)
}

/// Shows what is being measured, on a terminal.
fn spinner() -> ProgressBar {
    let terminal = std::io::stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let spinner = ProgressBar::with_draw_target(Some(4), target);
    spinner.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("a valid template"));
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// Refuses, before anything is measured, a picture that could not be written or would replace one of the texts.
fn check_output(path: &Path, args: &Args) -> Result<(), Failure> {
    NewFile::check(path)?;
    [&args.train, &args.test].into_iter().try_for_each(|text| Failure::if_same(path, text))
}

/// Writes a file whole or not at all.
fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let mut file = NewFile::create(path)?;
    file.write_all(content.as_bytes()).map_err(|e| file.unwritable(e))?;
    Ok(file.finish()?)
}

/// The report for a person.
fn text(report: &Report) -> String {
    let v = &report.vocabulary;
    let mut text = format!(
        "words:       {:.2} % of the test's {} words are new, {:.1} % of its {} different ones; Jaccard {:.3}\n",
        v.oov_words_percent, v.test_words, v.oov_types_percent, v.test_types, v.jaccard
    );
    if !v.new_words.is_empty() {
        let words: Vec<String> =
            v.new_words.iter().take(8).map(|(word, n)| format!("{word} ({n})")).collect();
        text += &format!("             the most frequent: {}\n", words.join(", "));
    }
    let chars: Vec<String> = v.new_chars.iter().take(12).map(|(c, _)| format!("{c:?}")).collect();
    text += &format!(
        "characters:  {:.3} % are new, {} different ones{}{}\n",
        v.oov_chars_percent,
        v.new_char_types,
        if chars.is_empty() { "" } else { ": " },
        chars.join(" ")
    );
    for d in &report.divergence {
        text += &format!(
            "{}-grams:     KL {:.4} +- {:.4} nats a character (floor {:.4}, 95 % below {:.4}); JS {:.4} (floor {:.4})\n",
            d.order, d.kl, d.standard_error, d.floor, d.floor_95, d.js, d.js_floor
        );
    }
    let p = &report.perplexity;
    text += &format!(
        "perplexity:  Kneser-Ney of order {}: {:.4} nats a character on held-out training text, {:.4} on the test: \
         {:+.4} +- {:.4}\n",
        p.order, p.in_distribution, p.test, p.gap, p.standard_error
    );
    if let Some(change) = p.change_by_mixing {
        text += &format!(
            "             {change:+.4} on half of the test after learning from the other half too\n"
        );
    }
    text += &match &report.domain {
        Some(d) => format!(
            "classifier:  AUC {:.3} (0.5 +- {:.3} without a shift) on {} passages of each\n",
            d.auc, d.null_deviation, d.passages
        ),
        None => "classifier:  too little text for passages to be told apart\n".to_string(),
    };
    text += "what helps:\n";
    report.remedies.iter().for_each(|remedy| text += &format!("  - {remedy}\n"));
    text
}
