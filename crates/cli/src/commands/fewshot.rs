//! `newleaf fewshot`: what a model learns from a few examples that stand before the question.

use super::print;
use crate::flags::labelled::{ColumnArgs, Rows};
use crate::screen::failure::Failure;
use crate::work::model::{self, Model};
use data::baseline::{Labelled, likeliest};
use data::dataset::k_shot;
use data::pattern::{Cloze, Pattern, Verbalizer};
use gpt::tune::{InContext, Told, Words};
use random::{Rng, Stream};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Classify by a few examples in the prompt, without training

  newleaf fewshot --model my --train reviews.csv --test new.csv --pattern '{text} It was {mask}.' \\
    --verbalizer good=great,bad=terrible
  newleaf fewshot --model my --train reviews.csv --test new.csv --k 4 --orders 8 --calibrate --json

K texts of each label are drawn from --train and written before each text of --test, in the pattern; then the model says
which label's word it finds likeliest. No weight changes. Which texts are drawn matters, and in which order they stand: the
spread over --seeds and --orders says how much. Examples that have no room are left out, the first ones first.";

/// What `newleaf fewshot` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model directory, or the directory of a run (its best model is used)
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Labelled texts to draw the examples from: .csv or .tsv with a first line that names the columns, or .jsonl
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Labelled texts to ask for; those that --train has, too, are left out
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    #[command(flatten)]
    columns: ColumnArgs,
    /// A sentence with {text} and {mask} in it, where the label's word stands
    #[arg(long, value_name = "TEXT", default_value = "{text}: {mask}")]
    pattern: Pattern,
    /// The words that stand for labels in the pattern: good=great,bad=terrible [default: the labels themselves]
    #[arg(long, value_name = "LABEL=WORD,..")]
    verbalizer: Option<Verbalizer>,
    /// Examples of each label
    #[arg(long, value_name = "K,..", value_delimiter = ',', default_value = "0,1,2,4,8")]
    k: Vec<usize>,
    /// Which examples are drawn: the accuracy is a mean over these
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "13,21,42,87,100")]
    seeds: Vec<u64>,
    /// Orders in which the examples of a seed are tried
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    orders: u32,
    /// What stands between examples; \\n is a new line
    #[arg(long, value_name = "TEXT", default_value = "\\n")]
    separator: String,
    /// A score is the mean over a word's tokens instead of their sum
    #[arg(long)]
    normalize: bool,
    /// Divide by the probabilities that the labels have for a text that says nothing
    #[arg(long)]
    calibrate: bool,
    /// Such a text; several with several flags
    #[arg(long, value_name = "TEXT", default_value = "N/A", requires = "calibrate")]
    content_free: Vec<String>,
    /// One JSON object: {"k": [{"k": .., "accuracy": .., "sd": .., "order_sd": .., "shots_read": .., "seeds": [..]}, ..], ..}
    #[arg(long)]
    json: bool,
}

/// Texts in tokens, and the numbers of their labels.
struct Part {
    texts: Vec<Vec<u32>>,
    labels: Vec<usize>,
}

/// All that stays the same whatever examples are drawn.
struct Asking<'a> {
    args: &'a Args,
    model: &'a Model,
    names: &'a [String],
    words: Words,
    train: Part,
    test: Part,
    separator: Vec<u32>,
    content_free: Vec<Vec<u32>>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let model = model::load(&args.model)?;
    let train = args.columns.rows(&args.train)?;
    let seen: HashSet<&str> = train.iter().map(|(text, _)| text.trim()).collect();
    let mut test = args.columns.rows(&args.test)?;
    let before = test.len();
    test.retain(|(text, _)| !seen.contains(text.trim()));
    if test.is_empty() {
        let path = args.test.display();
        return Err(Failure::input(format!("{path}: expected texts that --train does not have, found none")));
    }
    let dropped = before - test.len();
    let (names, [train, test]) = numbered(args, train, test)?;
    let cloze = Cloze::new(args.pattern.clone(), args.verbalizer.as_ref(), &names)?;
    let mut words = Words::new(cloze, &model.tokenizer, model.gpt.max_tokens(&model.params))?;
    words.per_token = args.normalize;
    let encode = |text: &str| model::encode_text(&model.tokenizer, Some(&args.pattern), text).0;
    let part = |(texts, labels): (Vec<String>, Vec<usize>)| Part {
        texts: texts.iter().map(|text| encode(text)).collect(),
        labels,
    };
    let content_free = args.content_free.iter().filter(|_| args.calibrate);
    let asking = Asking {
        args,
        model: &model,
        names: &names,
        train: part(train),
        test: part(test),
        separator: model.tokenizer.encode(&args.separator.replace("\\n", "\n"))?,
        content_free: content_free.map(|text| encode(text)).collect(),
        words,
    };
    let rows = args.k.iter().map(|&k| asking.row(k)).collect::<Result<Vec<Value>, _>>()?;
    let result = json!({
        "k": rows, "labels": names, "words": asking.words.cloze.words, "pattern": args.pattern, "separator": args.separator,
        "calibrated": args.calibrate, "normalized": args.normalize, "orders": args.orders,
        "texts": asking.test.texts.len(), "dropped": dropped,
    });
    print(&if args.json { result.to_string() } else { table(&result) })
}

/// The names of the labels, and texts and labels of both parts.
type Numbered = (Vec<String>, [(Vec<String>, Vec<usize>); 2]);

fn numbered(args: &Args, train: Rows, test: Rows) -> Result<Numbered, Failure> {
    let train = Labelled::new(train)?;
    let names = train.names().to_vec();
    if names.len() < 2 {
        let path = args.train.display();
        return Err(Failure::input(format!(
            "{path}: expected texts of at least two labels, found only {:?}",
            names[0]
        )));
    }
    let about = |e: data::DataError| Failure::from(e).about(args.test.display());
    let test = Labelled::with_names(test, &names).map_err(about)?;
    let both = [train, test].map(|part| (part.texts().to_vec(), part.labels().to_vec()));
    Ok((names, both))
}

impl Asking<'_> {
    /// What is said of one k.
    fn row(&self, k: usize) -> Result<Value, Failure> {
        if k == 0 {
            let (accuracy, _) = self.accuracy(&[]);
            return Ok(
                json!({ "k": 0, "accuracy": accuracy, "sd": null, "order_sd": null, "shots_read": 0.0, "seeds": [] }),
            );
        }
        let (mut seeds, mut means, mut order_sds, mut read) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let labels: Vec<&str> = self.train.labels.iter().map(|&label| &self.names[label][..]).collect();
        for &seed in &self.args.seeds {
            let mut rng = Rng::new(seed, Stream::Data);
            let mut shots = k_shot(&labels, k, &mut rng)
                .map_err(|e| Failure::from(e).about(self.args.train.display()))?;
            let mut accuracies = Vec::new();
            for _ in 0..self.args.orders {
                rng.shuffle(&mut shots);
                let (accuracy, shots_read) = self.accuracy(&shots);
                accuracies.push(accuracy);
                read.push(shots_read);
            }
            let mean = mean(&accuracies);
            seeds.push(json!({ "seed": seed, "accuracy": mean, "orders": accuracies }));
            means.push(mean);
            order_sds.extend(deviation(&accuracies));
        }
        Ok(json!({
            "k": k, "accuracy": mean(&means), "sd": deviation(&means), "shots_read": mean(&read), "seeds": seeds,
            "order_sd": (!order_sds.is_empty()).then(|| mean(&order_sds)),
        }))
    }

    /// The accuracy after these examples, and how many of them had room, as a mean.
    fn accuracy(&self, shots: &[usize]) -> (f64, f64) {
        let shot = |&i: &usize| {
            [self.words.shot(&self.train.texts[i], self.train.labels[i]), self.separator.clone()].concat()
        };
        let in_context = InContext {
            gpt: &self.model.gpt,
            params: &self.model.params,
            words: &self.words,
            shots: &shots.iter().map(shot).collect::<Vec<_>>(),
            content_free: &self.content_free,
        };
        let told = in_context.tell(&self.test.texts);
        let right = |(told, label): &(&Told, &usize)| likeliest(&told.scores) == **label;
        let right = told.iter().zip(&self.test.labels).filter(right).count();
        let read: Vec<f64> = told.iter().map(|told| told.shots as f64).collect();
        (right as f64 / told.len() as f64, mean(&read))
    }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// The standard deviation of samples, if there are two.
fn deviation(x: &[f64]) -> Option<f64> {
    let squares: f64 = x.iter().map(|value| (value - mean(x)).powi(2)).sum();
    (x.len() > 1).then(|| (squares / (x.len() - 1) as f64).sqrt())
}

/// The result for a person.
fn table(result: &Value) -> String {
    let mut text = format!(
        "{} texts in {:?}\n{:>5}{:>10}{:>12}{:>12}{:>16}\n",
        result["texts"],
        result["pattern"].as_str().unwrap_or(""),
        "k",
        "accuracy",
        "sd, seeds",
        "sd, orders",
        "examples read"
    );
    for row in result["k"].as_array().into_iter().flatten() {
        let float = |name: &str| row[name].as_f64().map_or("-".into(), |x| format!("{x:.4}"));
        let read = row["shots_read"].as_f64().unwrap_or(0.0);
        let (accuracy, sd, order_sd) = (float("accuracy"), float("sd"), float("order_sd"));
        text += &format!("{:>5}{accuracy:>10}{sd:>12}{order_sd:>12}{read:>16.1}\n", row["k"]);
    }
    text
}
