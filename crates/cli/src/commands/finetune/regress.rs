//! `newleaf finetune regress`: numbers for texts.

use super::tuning::{Goal, Part, TuneArgs, Tuning};
use crate::commands::print;
use crate::flags::labelled::Answers;
use crate::screen::failure::Failure;
use data::metrics::{pearson, spearman};
use gpt::tune::{Metric, Target, Targets};
use serde_json::{Value, json};
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Fine-tune a model to predict a number for each text

  newleaf finetune regress --model my --train ratings.csv --label-column stars --out ratings
  echo 'the soup was cold' | newleaf classify --model ratings

As newleaf finetune classify, but the label is a number, learned by the squared error.";

/// Which score chooses the weights.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum By {
    Pearson,
    Loss,
}

/// What `newleaf finetune regress` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    tuning: TuneArgs,
    /// The score that chooses the weights
    #[arg(long, value_name = "SCORE", default_value = "loss")]
    metric: By,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut tuning = Tuning::new(&args.tuning, Answers::Others, None, None)?;
    let numbers = |part: &Part, name: &str| -> Result<Vec<f64>, Failure> {
        let number = |answer: &String| {
            answer.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| {
                let file = args.tuning.labelled.file(name).display();
                Failure::input(format!(
                    "{file}: expected a number as the label of each text, found {answer:?}"
                ))
            })
        };
        part.answers.iter().map(number).collect()
    };
    let train = numbers(&tuning.train, "training")?;
    let (validation, test) = (numbers(&tuning.validation, "validation")?, numbers(&tuning.test, "test")?);
    let mean = train.iter().sum::<f64>() / train.len() as f64;
    let deviation = (train.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / train.len() as f64).sqrt();
    if deviation == 0.0 {
        let file = args.tuning.labelled.train.display();
        return Err(Failure::input(format!("{file}: all numbers are {mean}: there is nothing to learn")));
    }
    let learned =
        |numbers: &[f64]| Targets::Numbers(numbers.iter().map(|y| ((y - mean) / deviation) as f32).collect());
    let goal = Goal {
        target: Target::Number { mean, deviation },
        head: args.tuning.linear(),
        train: learned(&train),
        validation: learned(&validation),
        metric: match args.metric {
            By::Pearson => Metric::Pearson,
            By::Loss => Metric::Loss,
        },
    };
    let tuned = tuning.train(&goal)?;
    let told = tuned.classifier.numbers(&tuned.params, &tuning.test.texts).expect("it tells numbers");
    let scores = scores(&told, &test, mean);
    let predictions: Vec<Value> = (tuning.test.raw.iter().zip(&test).zip(&told))
        .map(|((text, number), told)| json!({ "text": text, "number": number, "predicted": told }))
        .collect();
    let more = json!({ "task": "regress", "metric": goal.metric });
    let result = tuning.save(&tuned, None, (&scores, &predictions), more)?;
    let float = |name: &str| scores[name].as_f64().unwrap_or(f64::NAN);
    print(&match args.tuning.fit.json {
        true => format!("{result}\n"),
        false => format!(
            "test: correlation {:.4}, mean absolute error {:.4} (always {mean:.4}: {:.4}), on {} texts\n{}",
            float("pearson"),
            float("mean_absolute_error"),
            float("mean_absolute_error_of_the_mean"),
            test.len(),
            tuning.summary(&tuned)
        ),
    })
}

/// The numbers of the test part; beside the errors those of always telling the mean of the training part.
fn scores(told: &[f64], right: &[f64], mean: f64) -> Value {
    let n = right.len() as f64;
    let errors = |told: &dyn Fn(usize) -> f64| -> (f64, f64) {
        let off = (0..right.len()).map(|i| told(i) - right[i]);
        let (squares, sizes) = off.fold((0.0, 0.0), |(s, a), d| (s + d * d, a + d.abs()));
        (squares / n, sizes / n)
    };
    let (squared, absolute) = errors(&|i| told[i]);
    let (squared_of_mean, absolute_of_mean) = errors(&|_| mean);
    json!({
        "pearson": pearson(told, right), "spearman": spearman(told, right),
        "mean_squared_error": squared, "mean_absolute_error": absolute,
        "mean_squared_error_of_the_mean": squared_of_mean, "mean_absolute_error_of_the_mean": absolute_of_mean,
        "texts": right.len(),
    })
}
