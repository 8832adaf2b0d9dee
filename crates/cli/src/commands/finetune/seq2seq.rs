//! `newleaf finetune seq2seq`: sequence-to-sequence tasks.

use super::completing::{Completed, Completing};
use super::fitting::FitArgs;
use crate::commands::print;
use crate::flags::answering::{Answerer, BeamArgs, How};
use crate::flags::labelled::{Answers, Keyed, Parts, Rows, beside, malformed, open};
use crate::flags::reading::FileArgs;
use crate::screen::failure::Failure;
use crate::screen::progress::update_bar;
use crate::work::model::{self, Model};
use data::Example;
use data::extract::{extract, first_sentence, most_telling};
use data::metrics::AnswerScores;
use data::seq2seq::PairTemplate;
use gpt::generate::Beam;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Fine-tune a model on pairs of texts: translation, summaries

  newleaf finetune seq2seq --model my --train pairs.tsv --source-column zh --target-column en --out zh-en
  newleaf finetune seq2seq --model my --train reports.jsonl --source-column text --target-column summary --out sum
  echo '昨天三只猫在花园里看见一本书。' | newleaf translate --model zh-en
  newleaf summarize --model sum report.txt

The weights are chosen by the loss of the --dev targets; the --test sources are answered once, at the end, and compared with
their targets: exact matches, BLEU, chrF, ROUGE-L, beside what the source itself, its first and its most telling sentence would score. Without
these files one pair in ten of the training file is either. More pairs with sources that a model wrote (back-translation,
see newleaf translate --pairs) are given with --synthetic: they are only trained on.";

/// What `newleaf finetune seq2seq` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pairs: .csv or .tsv with a first line that names the columns, or .jsonl
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Pairs to choose by [default: 1 in 10 of the others]
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// Pairs to test on [default: 1 in 10 of the others]
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// More pairs to train on, of newleaf translate --pairs
    #[arg(long, value_name = "FILE")]
    synthetic: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
    /// The column (or JSON field) with the text that is given
    #[arg(long, alias = "text-column", value_name = "NAME", default_value = "source")]
    source_column: String,
    /// The column (or JSON field) with the text that is wanted
    #[arg(long, alias = "label-column", value_name = "NAME", default_value = "target")]
    target_column: String,
    #[command(flatten)]
    fit: FitArgs,
    #[command(flatten)]
    beam: BeamArgs,
    /// Summaries: of a source that is longer than the context has room for, take the sentences that say most of it, instead of leaving
    /// the pair out
    #[arg(long)]
    extract: bool,
    /// The part of the right token's probability that is spread over all tokens while learning
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 0.0)]
    label_smoothing: f32,
}

/// The learning rate of full fine-tuning over that for labels, where there are many pairs: there is far more to learn than a label.
/// On 17,732 pairs of sentences, from a base that had read little more than these, three epochs reach BLEU 5.5 at 1 and 10.7 at 3,
/// and four 14.2 at 4 and 15.3 at 8; on 300 and on 2,000 of them the loss is least at 1.
const RATE: f64 = 6.0;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let beam = args.beam.beam()?;
    if !(0.0..1.0).contains(&args.label_smoothing) {
        let found = args.label_smoothing;
        return Err(Failure::input(format!("--label-smoothing {found}: expected from 0 to less than 1")));
    }
    let mut completing = Completing::new(&args.fit, &PairTemplate::specials(), RATE)?;
    let mut parts = parts(args)?;
    let synthetic = synthetic(args, &parts)?;
    let counts = [&parts.train, &synthetic, &parts.validation, &parts.test].map(Vec::len);
    let [train, more, validation, test] = counts;
    eprintln!(
        "{train} pairs and {more} synthetic ones to train, {validation} to validate, {test} to test; {} left out that \
         were there before",
        parts.dropped
    );
    args.fit.warn_of_few(train + more, "pairs");
    parts.train.extend(synthetic);
    let template = PairTemplate::new(&completing.model.tokenizer)?;
    let (train, dev) = (
        examples(args, &args.train, &parts.train, &completing, template)?,
        examples(args, args.dev.as_ref().unwrap_or(&args.train), &parts.validation, &completing, template)?,
    );
    let completed = completing.train(&train, &dev, args.label_smoothing)?;
    let answers = answers(args, beam, &completing.model, &completed, &parts.test)?;
    let test = scores(&answers, &parts.test);
    let predictions: Vec<Value> = parts
        .test
        .iter()
        .zip(&answers)
        .map(|((source, target), answer)| json!({ "source": source, "target": target, "answer": answer }))
        .collect();
    let more = json!({
        "task": "seq2seq", "test": test, "beam": beam, "label_smoothing": args.label_smoothing, "extract": args.extract, "train_pairs": counts[0], "synthetic_pairs": counts[1],
        "dropped": parts.dropped, "data": { "train": args.train, "dev": args.dev, "test": args.test },
    });
    let result = completing.save(&completed, &args.train, &predictions, more)?;
    print(&match args.fit.json {
        true => format!("{result}\n"),
        false => told(&result["test"]) + &completing.summary(&completed, "translate"),
    })
}

/// The parts of the pairs.
fn parts(args: &Args) -> Result<Parts, Failure> {
    let read = |path: &Path| read(path, args, &args.source_column, &args.target_column);
    Parts::divide(&args.train, [args.dev.as_deref(), args.test.as_deref()], Answers::Others, read)
}

/// The pairs whose sources a model wrote, without those that would tell what is measured on.
fn synthetic(args: &Args, parts: &Parts) -> Result<Rows, Failure> {
    let Some(path) = &args.synthetic else { return Ok(Rows::new()) };
    let rows = read(path, args, "source", "target")?.into_iter();
    let mut rows: Rows = rows.map(|keyed| keyed.row).collect();
    let held_out: HashSet<&str> =
        [&parts.validation, &parts.test].into_iter().flatten().map(|(_, target)| target.as_str()).collect();
    let all = rows.len();
    rows.retain(|(_, target)| !held_out.contains(target.as_str()));
    if rows.len() < all {
        let (left_out, path) = (all - rows.len(), path.display());
        eprintln!(
            "note: {path}: pairs whose targets are in the validation or test part, left out: {left_out}"
        );
    }
    Ok(rows)
}

/// The pairs of a file.
fn read(path: &Path, args: &Args, source: &str, target: &str) -> Result<Vec<Keyed>, Failure> {
    let documents = open(path, &args.file.options(Some(source))?)?;
    let is_table = documents.layout().format != "jsonl";
    let (mut rows, mut incomplete) = (Vec::new(), 0);
    for document in documents {
        let document = document?;
        let target = beside(&document, target, path, is_table, "--source-column and --target-column")?;
        if document.text.trim().is_empty() || target.is_empty() {
            incomplete += 1;
            continue;
        }
        rows.push(Keyed { row: (document.text.trim().to_string(), target), group: None });
    }
    if incomplete > 0 {
        eprintln!(
            "note: {}: pairs without a source or a target, which are left out: {incomplete}",
            path.display()
        );
    }
    if rows.is_empty() {
        let found = "no row with a source and a target";
        return Err(malformed(path, "", found, "pairs of texts", "use another file").into());
    }
    Ok(rows)
}

/// The examples of pairs. Those that do not fit into the context are left out.
fn examples(
    args: &Args,
    path: &Path,
    rows: &Rows,
    completing: &Completing<'_>,
    template: PairTemplate,
) -> Result<Vec<Example>, Failure> {
    let max = completing.max_tokens();
    let tokens = |text: &str| model::encode_known(&completing.model.tokenizer, text);
    let mut examples = Vec::with_capacity(rows.len());
    let [mut unknown, mut characters] = [[0; 2]; 2]; // of sources and of targets
    let mut extracted = 0;
    for (source, target) in rows {
        let ((source_ids, left_out), (target_ids, missing)) = (tokens(source), tokens(target));
        for (i, (text, left_out)) in [(source, left_out), (target, missing)].into_iter().enumerate() {
            unknown[i] += left_out;
            characters[i] += text.chars().count();
        }
        let mut example = template.example(&source_ids, &target_ids, max);
        if example.is_none() && args.extract {
            // As long as a source may be where it is answered.
            let room = max - max / 4;
            let fits = |ids: &[u32]| ids.len() < room && template.example(ids, &target_ids, max).is_some();
            let part = tokens(&extract(source, |part| fits(&tokens(part).0))).0;
            example = template.example(&part, &target_ids, max).filter(|_| !part.is_empty());
            extracted += usize::from(example.is_some());
        }
        examples.extend(example);
    }
    for (i, side) in ["sources", "targets"].into_iter().enumerate() {
        model::tell_unknown(&format!("{}: {side}", path.display()), unknown[i], characters[i])?;
    }
    if extracted > 0 {
        eprintln!(
            "{extracted} sources are longer than the model's context of {max} tokens: the sentences that say most of them are taken"
        );
    }
    let long = rows.len() - examples.len();
    if long > 0 {
        eprintln!("{long} pairs are longer than the model's context of {max} tokens and are left out");
    }
    if examples.is_empty() {
        return Err(Failure::input(format!(
            "{}: expected pairs that fit into the model's context of {max} tokens, found none: train a model with a \
             larger --block-size",
            path.display()
        )));
    }
    Ok(examples)
}

/// The answers to the test sources, by the best weights.
fn answers(
    args: &Args,
    beam: Beam,
    model: &Model,
    completed: &Completed,
    test: &Rows,
) -> Result<Vec<String>, Failure> {
    const TOGETHER: usize = 16;
    let (mut gpt, mut params) = (completed.gpt.clone(), completed.params.clone());
    if gpt.is_mergeable() {
        gpt.merge(&mut params);
    }
    let (most, seed) = (args.beam.max_new_tokens, args.fit.seed);
    let answerer = Answerer::new((&gpt, &params), &model.tokenizer, How::Beam(beam), most, seed)?;
    let mut answerer = answerer.extracting(args.extract);
    let bar = update_bar(Some(test.len() as u64)).with_message("answers");
    let mut answers = Vec::with_capacity(test.len());
    for part in test.chunks(TOGETHER) {
        let sources: Vec<&str> = part.iter().map(|(source, _)| source.as_str()).collect();
        answers.extend(answerer.answers(&sources)?.into_iter().map(|answer| answer.text));
        bar.set_position(answers.len() as u64);
    }
    bar.finish_and_clear();
    Ok(answers)
}

/// The numbers of the test part, beside those of answers that take no model.
fn scores(answers: &[String], test: &Rows) -> Value {
    let targets: Vec<&str> = test.iter().map(|(_, target)| target.as_str()).collect();
    let sources = || test.iter().map(|(source, _)| source.as_str());
    let mut result = scores_of(answers, &targets);
    result["source_itself"] = scores_of(&sources().collect::<Vec<_>>(), &targets);
    let telling = |source| most_telling(source).first().copied().unwrap_or(source);
    result["most_telling_sentence"] = scores_of(&sources().map(telling).collect::<Vec<_>>(), &targets);
    result["first_sentence"] = scores_of(&sources().map(first_sentence).collect::<Vec<_>>(), &targets);
    result["pairs"] = test.len().into();
    result
}

fn scores_of<S: AsRef<str>>(answers: &[S], targets: &[&str]) -> Value {
    let AnswerScores { exact_match, bleu, bleu_signature, chrf, rouge_l } =
        AnswerScores::of(answers, targets);
    json!({
        "exact_match": exact_match, "bleu": bleu, "bleu_signature": bleu_signature, "chrf": chrf, "rouge_l": rouge_l,
    })
}

/// The table for people.
fn told(test: &Value) -> String {
    let row = |name: &str, scores: &Value| {
        let number = |metric: &str| scores[metric].as_f64().unwrap_or(f64::NAN);
        let exact = 100.0 * number("exact_match");
        let [bleu, chrf, rouge] = ["bleu", "chrf", "rouge_l"].map(number);
        format!("{name:<18}{exact:7.2}{bleu:8.2}{chrf:8.2}{rouge:9.2}\n")
    };
    format!(
        "{:<18}{:>7}{:>8}{:>8}{:>9}\n",
        format!("{} test pairs", test["pairs"]),
        "exact",
        "BLEU",
        "chrF",
        "ROUGE-L"
    ) + &row("the model", test)
        + &row("the source itself", &test["source_itself"])
        + &row("its first sentence", &test["first_sentence"])
        + &row("its most telling", &test["most_telling_sentence"])
}
