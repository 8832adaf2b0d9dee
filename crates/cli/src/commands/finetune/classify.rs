//! `newleaf finetune classify`: labels for texts.

use super::tuning::{Goal, Part, TuneArgs, Tuning};
use crate::commands::print;
use crate::flags::labelled::Answers;
use crate::screen::failure::Failure;
use data::baseline::{
    Counted, Labelled, LogisticRegression, MIN_DOCUMENTS, NaiveBayes, Taught, WEIGHT, likeliest,
    self_training,
};
use data::metrics::{Calibration, Confusion, LabelScores};
use data::pattern::{Cloze, Pattern, Verbalizer};
use gpt::tune::{HeadConfig, Metric, Target, Targets, Wide, find_cloze};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

pub(crate) const ABOUT: &str = "Fine-tune a model to predict the labels of texts

  newleaf finetune classify --model my --train reviews.csv --text-column review --out reviews
  newleaf finetune classify --model my --train a.csv --dev b.csv --test c.csv --peft lora:r=8,alpha=16 --out reviews
  newleaf finetune classify --model my --train reviews.csv --k-shot 16 --seed 21 --out few
  newleaf finetune classify --model my --train reviews.csv --k-shot 16 --out few \
    --pattern '{text} It was {mask}.' --verbalizer good=great,bad=terrible
  newleaf finetune classify --model my --train few.csv --unlabelled all.txt --out more
  newleaf finetune classify --model my --train reviews.csv --tune 8 --out tuned
  echo 'the soup was cold' | newleaf classify --model reviews

The best weights are chosen on the --dev texts, which stop the training when they get no better; the --test texts are
looked at once, at the end. Without these files one text in ten of the training file is either, the same as for `newleaf
baseline`, which says what simple classifiers reach. OUT/result.json has the numbers and all settings.

Without --pattern a new layer predicts the label. With it the model does, by how likely it finds the label's word after the
text, which it knows something of before it has seen a label: better with few texts, if it was trained on such sentences.";

/// Which score chooses the weights.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum By {
    MacroF1,
    Accuracy,
    Loss,
}

impl From<By> for Metric {
    fn from(by: By) -> Self {
        match by {
            By::MacroF1 => Self::MacroF1,
            By::Accuracy => Self::Accuracy,
            By::Loss => Self::Loss,
        }
    }
}

/// What a label's texts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Weights {
    /// Every text the same
    Equal,
    /// Every label the same: texts of rare ones more
    Balanced,
}

/// A pattern, or the wish for one.
#[derive(Clone, Debug)]
enum PatternArg {
    Given(Pattern),
    Auto,
}

impl FromStr for PatternArg {
    type Err = data::DataError;

    fn from_str(text: &str) -> Result<Self, data::DataError> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Given) }
    }
}

impl PatternArg {
    /// The pattern, if it is known before the texts are.
    fn given(&self) -> Option<&Pattern> {
        match self {
            Self::Given(pattern) => Some(pattern),
            Self::Auto => None,
        }
    }
}

/// What `newleaf finetune classify` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    tuning: TuneArgs,
    /// Learn from K texts of each label only, and choose the weights by K others (--seed says which); with several seeds
    /// the spread shows how much depends on them
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    k_shot: Option<u32>,
    /// A sentence with {text} and {mask} in it, where the model finds the label's word likely or not, instead of a new layer; auto:
    /// the best of some usual ones
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["pool", "attention", "pieces", "dropout"])]
    pattern: Option<PatternArg>,
    /// The words that stand for labels in the pattern: good=great,bad=terrible [default: the labels themselves; with --pattern
    /// auto, and labels that are no words, some that the model finds]
    #[arg(long, value_name = "LABEL=WORD,..", requires = "pattern")]
    verbalizer: Option<Verbalizer>,
    /// What a text counts
    #[arg(long, value_name = "HOW", default_value = "equal")]
    class_weights: Weights,
    /// Mix in logistic regressions on runs of up to N words and on runs of characters, as much as the validation texts say; 0 for
    /// the model alone
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=5))]
    wide: u8,
    /// Texts without labels, to learn from the surest of them, too: with few labels, the rest of your texts [several files may be
    /// given]
    #[arg(long, alias = "unlabeled", value_name = "FILE", num_args = 1..)]
    unlabelled: Vec<PathBuf>,
    /// The score that chooses the weights
    #[arg(long, value_name = "SCORE", default_value = "macro-f1")]
    metric: By,
}

/// Of more texts without labels some are read, from everywhere: more make no better labels, and take longer to learn from.
const MOST_UNLABELLED: usize = 20_000;

/// So many texts say which pattern suits: nine are tried on each.
const MOST_FOR_A_PATTERN: usize = 500;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    // How texts are encoded: the patterns that are found have nothing before the text.
    let pattern = args.pattern.as_ref().and_then(PatternArg::given);
    let mut tuning = Tuning::new(&args.tuning, Answers::Labels, args.k_shot.map(|k| k as usize), pattern)?;
    let labels = Labels::of(args, &tuning)?;
    let weights = labels.weights(args.class_weights);
    let set = |part: &Part| Labelled::with_names(part.rows(), &labels.names);
    let (labelled, validation, test) = (set(&tuning.train)?, set(&tuning.validation)?, set(&tuning.test)?);
    let taught = match &args.unlabelled[..] {
        [] => Vec::new(),
        files => taught(args, files, &tuning, &labelled, &validation)?,
    };
    let rows = taught.iter().map(|(text, label)| (text.clone(), labels.names[*label].clone()));
    tuning.teach(rows.collect(), pattern);
    let of_labels: Vec<f64> = weights.iter().copied().map(f64::from).collect();
    let train = labelled.clone().and(taught.iter().cloned(), WEIGHT).weighted(&of_labels);
    let validation = validation.weighted(&of_labels);
    let of_examples = train.weights().iter().map(|&weight| weight as f32).collect();
    let head = match &args.pattern {
        Some(PatternArg::Given(pattern)) => {
            HeadConfig::Words(Cloze::new(pattern.clone(), args.verbalizer.as_ref(), &labels.names)?)
        }
        Some(PatternArg::Auto) => HeadConfig::Words(found(args, &tuning, &labels)?),
        None => args.tuning.linear(),
    };
    let goal = Goal {
        target: Target::Label { names: labels.names.clone() },
        head,
        train: Targets::Labels(train.labels().to_vec(), of_examples),
        validation: Targets::labels(labels.validation.clone(), &weights),
        metric: args.metric.into(),
    };
    let tuned = tuning.train(&goal)?;
    let deep = |part: &Part| tuned.classifier.probabilities(&tuned.params, &part.texts);
    let mut p = deep(&tuning.test);
    // What others reach on the same texts, in the order in which they are shown.
    let mut beside = vec![("the model alone", LabelScores::of_probabilities(&p, &labels.test))];
    let wide = match args.wide {
        0 => None,
        n => {
            eprintln!("fitting logistic regressions on words and characters ...");
            Some(Wide::fit(&train, &validation, n.into(), &deep(&tuning.validation)))
        }
    };
    if let Some(wide) = &wide {
        p = p.iter().zip(test.texts()).map(|(p, text)| wide.probabilities(p, text)).collect();
        for regression in &wide.regressions {
            let name = match regression.features().counted() {
                Counted::Words(_) => "logistic regression, words",
                Counted::Characters(..) => "the same, characters",
            };
            beside.push((name, LabelScores::of(regression, &test)));
        }
    }
    if !taught.is_empty() {
        let (_, alone) = LogisticRegression::choose(&labelled, &validation, Counted::Words(2));
        beside.push(("words of the labelled alone", LabelScores::of(&alone, &test)));
    }
    beside.push(("naive Bayes", LabelScores::of(&NaiveBayes::fit(&labelled, 2, MIN_DOCUMENTS), &test)));
    let test = scores(&p, &labels.test);
    let predictions: Vec<Value> = (tuning.test.raw.iter().zip(&labels.test).zip(&p))
        .map(|((text, &label), p)| prediction(text, &labels.names, label, p))
        .collect();
    let class_weights = format!("{:?}", args.class_weights).to_lowercase();
    let more = json!({
        "task": "classify", "labels": labels.names, "class_weights": class_weights, "metric": goal.metric, "k_shot": args.k_shot,
        "wide": wide.as_ref().map(|wide| json!({ "max_n": args.wide, "mixture": wide.mixture })),
        "unlabelled": (!args.unlabelled.is_empty()).then(|| json!({ "files": args.unlabelled, "taught": taught.len() })),
        "beside": beside.iter().map(|(name, scores)| (name.to_string(), json!(scores))).collect::<Map<_, _>>(),
    });
    let result = tuning.save(&tuned, wide.as_ref(), (&test, &predictions), more)?;
    print(&match args.tuning.fit.json {
        true => format!("{result}\n"),
        false => table(&test, &beside) + &tuning.summary(&tuned),
    })
}

/// The pattern and the words that the model tells the labels apart by before it has learnt anything.
fn found(args: &Args, tuning: &Tuning<'_>, labels: &Labels) -> Result<Cloze, Failure> {
    let words = args.verbalizer.as_ref().map(|verbalizer| verbalizer.words(&labels.names)).transpose()?;
    // Of many texts some, from everywhere.
    let some = |part: &Part, labels: &[usize]| -> (Vec<Vec<u32>>, Vec<usize>) {
        let step = labels.len().div_ceil(MOST_FOR_A_PATTERN);
        part.texts.iter().cloned().zip(labels.iter().copied()).step_by(step).unzip()
    };
    let (train, validation) =
        (some(&tuning.train, &labels.train), some(&tuning.validation, &labels.validation));
    let cloze = find_cloze(
        tuning.model(),
        tuning.tokenizer(),
        (&labels.names, words.as_deref()),
        (&train.0, &train.1),
        (&validation.0, &validation.1),
    )?;
    let pairs = labels.names.iter().zip(&cloze.words).map(|(label, word)| format!("{label}={word}"));
    eprintln!("--pattern '{}' --verbalizer {}", cloze.pattern, pairs.collect::<Vec<_>>().join(","));
    Ok(cloze)
}

/// Texts without labels that are to be learned from, and the numbers of the labels that what is labelled gives them.
fn taught(
    args: &Args,
    files: &[PathBuf],
    tuning: &Tuning<'_>,
    labelled: &Labelled,
    validation: &Labelled,
) -> Result<Vec<(String, usize)>, Failure> {
    let parts = [&tuning.train, &tuning.validation, &tuning.test];
    let others: HashSet<&str> = parts.iter().flat_map(|part| &part.raw).map(|text| text.trim()).collect();
    let mut texts = args.tuning.labelled.unlabelled(files, &others, MOST_UNLABELLED)?;
    eprintln!("giving labels to the surest of them ...");
    let taught: Vec<(String, usize)> = self_training(labelled, validation, &texts)
        .into_iter()
        .map(|Taught { text, label }| (std::mem::take(&mut texts[text]), label))
        .collect();
    if taught.is_empty() {
        eprintln!("the validation texts are predicted no better with them: they are left out");
        return Ok(taught);
    }
    let count = |(label, name): (usize, &String)| {
        let texts = taught.iter().filter(|(_, of)| *of == label).count();
        format!("{name}: {texts}")
    };
    let counts: Vec<String> = labelled.names().iter().enumerate().map(count).collect();
    eprintln!(
        "{} of them are learned from with a label, each as {WEIGHT} of a text: {}",
        taught.len(),
        counts.join(", ")
    );
    Ok(taught)
}

/// A text of the test part, its label, the likeliest one, and the probabilities of all in the order of `labels`.
fn prediction(text: &str, names: &[String], label: usize, p: &[f64]) -> Value {
    let rounded: Vec<f64> = p.iter().map(|p| (p * 1e6).round() / 1e6).collect();
    json!({ "text": text, "label": names[label], "predicted": names[likeliest(p)], "p": rounded })
}

/// The scores of the test part for a person, beside those of others.
fn table(test: &Value, beside: &[(&str, LabelScores)]) -> String {
    let float = |name: &str| test[name].as_f64().unwrap_or(f64::NAN);
    let mut text = format!(
        "{:28}{:>8}{:>10}\n{:28}{:8.4}{:10.4}\n",
        format!("test: {} texts", test["texts"]),
        "accuracy",
        "macro F1",
        "this classifier",
        float("accuracy"),
        float("macro_f1")
    );
    for (name, scores) in beside {
        text += &format!("{name:28}{:8.4}{:10.4}\n", scores.accuracy, scores.macro_f1);
    }
    text + &format!("calibration error {:.3}\n", float("expected_calibration_error"))
}

/// The labels of the three parts, as numbers.
struct Labels {
    names: Vec<String>,
    train: Vec<usize>,
    validation: Vec<usize>,
    test: Vec<usize>,
}

impl Labels {
    fn of(args: &Args, tuning: &Tuning<'_>) -> Result<Self, Failure> {
        let names = Labelled::new(tuning.train.rows())?.names().to_vec();
        if names.len() < 2 {
            return Err(Failure::input(format!(
                "{}: expected texts of at least two labels, found only {:?}: there is nothing to tell apart",
                args.tuning.labelled.train.display(),
                names[0]
            )));
        }
        let numbers = |part: &Part, name: &str| {
            let about =
                |e: data::DataError| Failure::from(e).about(args.tuning.labelled.file(name).display());
            Ok::<_, Failure>(Labelled::with_names(part.rows(), &names).map_err(about)?.labels().to_vec())
        };
        Ok(Self {
            train: numbers(&tuning.train, "training")?,
            validation: numbers(&tuning.validation, "validation")?,
            test: numbers(&tuning.test, "test")?,
            names,
        })
    }

    /// The weight of each label.
    fn weights(&self, how: Weights) -> Vec<f32> {
        let count = |name: usize| self.train.iter().filter(|&&label| label == name).count().max(1);
        let balanced = |name| self.train.len() as f32 / (self.names.len() * count(name)) as f32;
        (0..self.names.len())
            .map(|name| if how == Weights::Balanced { balanced(name) } else { 1.0 })
            .collect()
    }
}

/// The numbers of the test part.
fn scores(p: &[Vec<f64>], labels: &[usize]) -> Value {
    let told: Vec<usize> = p.iter().map(|p| likeliest(p)).collect();
    let confusion = Confusion::new(p.first().map_or(0, Vec::len), &told, labels);
    let calibration = Calibration::of(p, labels);
    json!({
        "accuracy": confusion.accuracy(), "macro_f1": confusion.macro_f1(), "texts": labels.len(),
        "expected_calibration_error": calibration.map(|c| c.expected_error), "brier": calibration.map(|c| c.brier),
        "confusion": confusion,
    })
}
