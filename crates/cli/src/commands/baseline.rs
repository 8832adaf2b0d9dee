//! `newleaf baseline`: how well simple classifiers predict the labels of texts.

use super::print;
use crate::flags::labelled::{Answers, LabelledArgs, Rows};
use crate::screen::failure::Failure;
use data::baseline::{
    Classifier, Counted, Labelled, LogisticRegression, MIN_DOCUMENTS, Majority, NaiveBayes,
};
use data::metrics::LabelScores;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Instant;

pub(crate) const ABOUT: &str = "Measure how well simple classifiers predict labels

  newleaf baseline --train reviews.csv --text-column review --label-column label
  newleaf baseline --train train.jsonl --test test.jsonl --ngrams 1 --json

Majority (always the most frequent label), naive Bayes, and logistic regression on TF-IDF features. Words
are counted, and every Chinese character is one; --ngrams 2 counts pairs of neighbours too. A second logistic
regression counts runs of 2 to 5 characters instead.
Without --test, a text of the file goes by its hash: 8 in 10 train, 1 in 10 chooses the strength of the
logistic regression, 1 in 10 tests, as newleaf data split divides. A text that was there before is left out.";

/// What `newleaf baseline` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    labelled: LabelledArgs,
    /// Count runs of up to N neighbouring words
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=5))]
    ngrams: u8,
    /// One JSON object: {"rows": .., "majority": {"accuracy": .., "macro_f1": ..}, "naive_bayes": .., ..}
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let parts = args.labelled.parts(Answers::Labels)?;
    let names = Labelled::new(parts.train.clone())?.names().to_vec();
    let labelled = |rows: Rows, part: &str| {
        let file = args.labelled.file(part).display();
        let missing = |e: data::DataError| Failure::input(format!("{file}: the {part} part: {e}"));
        Labelled::with_names(rows, &names).map_err(missing)
    };
    let train = labelled(parts.train, "training")?;
    let validation = labelled(parts.validation, "validation")?;
    let test = labelled(parts.test, "test")?;
    let n = usize::from(args.ngrams);

    let begin = Instant::now();
    let mut result = json!({
        "rows": { "train": train.texts().len(), "validation": validation.texts().len(), "test": test.texts().len() },
        "dropped": parts.dropped,
        "labels": names,
        "ngrams": n,
        "majority": scored(begin, &Majority::fit(&train), &test),
    });
    let begin = Instant::now();
    let bayes = NaiveBayes::fit(&train, n, MIN_DOCUMENTS);
    result["naive_bayes"] = scored(begin, &bayes, &test);
    result["naive_bayes"]["features"] = bayes.features().into();
    for (name, counted) in
        [("logistic_regression", Counted::Words(n)), ("logistic_regression_characters", Counted::CHARACTERS)]
    {
        let begin = Instant::now();
        let (c, regression) = LogisticRegression::choose(&train, &validation, counted);
        result[name] = scored(begin, &regression, &test);
        result[name]["features"] = regression.features().len().into();
        result[name]["c"] = c.into();
    }
    let text = if args.json { result.to_string() } else { table(&result) };
    print(&text)
}

/// The scores of a classifier on the test part, and the seconds since fitting it began.
fn scored(begin: Instant, classifier: &impl Classifier, test: &Labelled) -> Value {
    let scores = LabelScores::of(classifier, test);
    let mut value = serde_json::to_value(scores).unwrap_or_default(); // three numbers: it cannot fail
    value["seconds"] = begin.elapsed().as_secs_f64().into();
    value
}

/// The result for a person.
fn table(result: &Value) -> String {
    let rows = &result["rows"];
    let mut text = format!(
        "{} texts to train, {} to validate, {} to test; {} left out that were there before\n{:22}{:>9}{:>10}{:>8}{:>9}\n",
        rows["train"],
        rows["validation"],
        rows["test"],
        result["dropped"],
        "",
        "accuracy",
        "macro F1",
        "AUC",
        "seconds"
    );
    for (name, key) in [
        ("majority", "majority"),
        ("naive Bayes", "naive_bayes"),
        ("logistic regression", "logistic_regression"),
        ("the same, characters", "logistic_regression_characters"),
    ] {
        let float = |field: &str| result[key][field].as_f64().unwrap_or(f64::NAN);
        let (accuracy, f1, auc) = (float("accuracy"), float("macro_f1"), float("auc"));
        text += &format!("{name:22}{accuracy:>9.4}{f1:>10.4}{auc:>8.4}{:>9.2}\n", float("seconds"));
    }
    text.trim_end().to_string()
}
