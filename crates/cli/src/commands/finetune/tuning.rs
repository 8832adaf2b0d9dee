//! What tasks of texts with an answer each have in common: flags, tokens, the loop, and the record.

use super::fitting::{FitArgs, Fitted, PREDICTIONS, json_lines, sha256_of};
use super::trials::tuned;
use crate::flags::labelled::{Answers, LabelledArgs, Rows};
use crate::screen::failure::Failure;
use crate::work::model::{self, Model};
use data::Tokenizer;
use data::dataset::k_shot as k_shot_of;
use data::pattern::Pattern;
use gpt::Gpt;
use gpt::files::store;
use gpt::peft::{Method, fingerprint};
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, HeadConfig, LinearConfig, Metric, Noise, Pool, Target, Targets,
    TuneConfig, Wide, save_classifier,
};
use random::{Rng, Stream};
use serde_json::{Value, json};
use tensor::Params;

/// What of the model is pooled to predict the answer.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PoolName {
    /// The mean over the text
    Mean,
    /// The last token
    Last,
}

/// What a position sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Attention {
    /// All of the text
    Both,
    /// What comes before it, and itself
    Causal,
}

impl From<PoolName> for Pool {
    fn from(name: PoolName) -> Self {
        match name {
            PoolName::Mean => Self::Mean,
            PoolName::Last => Self::Last,
        }
    }
}

/// The flags of tasks with an answer for each text.
#[derive(Debug, clap::Args)]
pub(super) struct TuneArgs {
    #[command(flatten)]
    pub(super) labelled: LabelledArgs,
    #[command(flatten)]
    pub(super) fit: FitArgs,
    /// Which of the model's outputs predict the answer
    #[arg(long, value_name = "HOW", default_value = "mean")]
    pool: PoolName,
    /// What a position of the text sees [default: both sides of it; with --peft head what comes before it, as the weights have
    /// learnt]
    #[arg(long, value_name = "WHAT")]
    attention: Option<Attention>,
    /// A text longer than the model's context is read in at most so many pieces, which overlap by a quarter; 1: its beginning
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pieces: u16,
    /// Dropout before the last layer
    #[arg(long, value_name = "P", default_value_t = 0.1)]
    dropout: f32,
    /// The share of a text's tokens that are left out, others each time that it is read to be learned from
    #[arg(long, hide_short_help = true, value_name = "P", default_value_t = 0.0)]
    token_dropout: f32,
    /// How much it counts that two readings of a text agree (R-Drop), which takes twice the time; 0 for one reading
    #[arg(long, hide_short_help = true, value_name = "X", default_value_t = 0.0)]
    r_drop: f32,
}

impl TuneArgs {
    /// A layer on top of the model, as the flags say.
    pub(super) fn linear(&self) -> HeadConfig {
        let both_sides = match self.attention {
            Some(attention) => attention == Attention::Both,
            None => self.fit.peft != Method::Head,
        };
        let (pool, dropout, pieces) = (self.pool.into(), self.dropout, self.pieces.into());
        HeadConfig::Linear(LinearConfig { pool, both_sides, dropout, pieces })
    }
}

impl TuneArgs {
    /// How the texts are read that are learned from.
    fn noise(&self) -> Noise {
        Noise { token_dropout: self.token_dropout, r_drop: self.r_drop }
    }
}

/// Texts, the same in tokens, and the answers as they stand in the file.
#[derive(Default)]
pub(super) struct Part {
    /// As they stand in the file.
    pub(super) raw: Vec<String>,
    pub(super) texts: Vec<Vec<u32>>,
    pub(super) answers: Vec<String>,
}

impl Part {
    fn push(&mut self, text: String, ids: Vec<u32>, answer: String) {
        self.raw.push(text);
        self.texts.push(ids);
        self.answers.push(answer);
    }

    /// Texts with their answers.
    pub(super) fn rows(&self) -> Rows {
        self.raw.iter().cloned().zip(self.answers.iter().cloned()).collect()
    }
}

/// The model and the examples, before anything is trained.
pub(super) struct Tuning<'a> {
    args: &'a TuneArgs,
    settings: TuneConfig,
    model: Model,
    base_sha256: String,
    pub(super) train: Part,
    pub(super) validation: Part,
    pub(super) test: Part,
    dropped: usize,
    /// Characters that the model's tokenizer does not know; they are left out.
    unknown: usize,
}

/// The answers of the training and the validation part, and what chooses the weights.
pub(super) struct Goal {
    pub(super) target: Target,
    pub(super) head: HeadConfig,
    pub(super) train: Targets,
    pub(super) validation: Targets,
    pub(super) metric: Metric,
}

/// What came out.
pub(super) struct Tuned {
    pub(super) classifier: Classifier,
    pub(super) params: Params,
    fitted: Fitted,
}

impl<'a> Tuning<'a> {
    /// Checks the flags and reads all files, beside whose texts `answers` stand. Of each label, `k_shot` texts of the training part are to learn from and as
    /// many others to choose by, if it is given. `pattern` is what the texts will be put into.
    pub(super) fn new(
        args: &'a TuneArgs,
        answers: Answers,
        k_shot: Option<usize>,
        pattern: Option<&Pattern>,
    ) -> Result<Self, Failure> {
        for (name, p) in [("--dropout", args.dropout), ("--token-dropout", args.token_dropout)] {
            if !(0.0..1.0).contains(&p) {
                return Err(Failure::input(format!("{name} {p}: expected from 0 to less than 1")));
            }
        }
        if !(0.0..=1000.0).contains(&args.r_drop) {
            return Err(Failure::input(format!("--r-drop {}: expected from 0 to 1000", args.r_drop)));
        }
        let model = args.fit.model()?;
        let settings = args.fit.config(&model.gpt.config)?;
        let mut parts = args.labelled.parts(answers)?;
        if let Some(k) = k_shot {
            let mut rng = Rng::new(args.fit.seed, Stream::Data);
            let mut chosen = || -> Result<Rows, Failure> {
                let labels: Vec<&str> = parts.train.iter().map(|(_, label)| label.as_str()).collect();
                let places = k_shot_of(&labels, k, &mut rng)
                    .map_err(|e| Failure::from(e).about(args.labelled.train.display()))?;
                // From the back, so that the places before stay where they are.
                Ok(places.into_iter().rev().map(|i| parts.train.swap_remove(i)).collect())
            };
            let (train, validation) = (chosen()?, chosen()?);
            (parts.train, parts.validation) = (train, validation);
        }
        let (mut unknown, mut characters) = (0, 0);
        let mut tokens = |rows: Rows| -> Part {
            let mut part = Part::default();
            for (text, answer) in rows {
                let (ids, left_out) = model::encode_text(&model.tokenizer, pattern, &text);
                unknown += left_out;
                characters += text.chars().count();
                part.push(text, ids, answer);
            }
            part
        };
        let train = tokens(parts.train);
        let validation = tokens(parts.validation);
        let test = tokens(parts.test);
        let counts = [&train, &validation, &test].map(|part| part.texts.len());
        eprintln!(
            "{} texts to train, {} to validate, {} to test; {} left out that were there before",
            counts[0], counts[1], counts[2], parts.dropped
        );
        if k_shot.is_none() {
            args.fit.warn_of_few(counts[0], "texts");
        }
        model::tell_unknown(&args.labelled.train.display().to_string(), unknown, characters)?;
        let settings = args.fit.suited_to_labels(&settings, counts[0]);
        let base_sha256 = fingerprint(&model.gpt.config, &model.params);
        Ok(Self {
            args,
            settings,
            model,
            base_sha256,
            train,
            validation,
            test,
            dropped: parts.dropped,
            unknown,
        })
    }

    /// The model before it is trained.
    pub(super) fn model(&self) -> (&Gpt, &Params) {
        (&self.model.gpt, &self.model.params)
    }

    pub(super) fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// Adds examples to learn from, whose answers nobody has given.
    pub(super) fn teach(&mut self, rows: Rows, pattern: Option<&Pattern>) {
        for (text, answer) in rows {
            let (ids, _) = model::encode_text(&self.model.tokenizer, pattern, &text);
            self.train.push(text, ids, answer);
        }
        self.settings = self.args.fit.suited_to_labels(&self.settings, self.train.texts.len());
    }

    /// Trains the model's parameters, and gives back the best ones.
    pub(super) fn train(&mut self, goal: &Goal) -> Result<Tuned, Failure> {
        let (mut gpt, mut params) = (self.model.gpt.clone(), std::mem::take(&mut self.model.params));
        let mut rng = Rng::new(self.args.fit.seed, Stream::Init);
        gpt.tune(&self.args.fit.peft, &mut params, &mut rng)?;
        let config = ClassifierConfig { target: goal.target.clone(), head: goal.head.clone() };
        let classifier = Classifier::new(gpt, config, &self.model.tokenizer, &mut params, &mut rng)?;
        self.tell_of_cut(classifier.max_tokens(&params));
        let task = Classify {
            classifier: &classifier,
            texts: &self.train.texts,
            targets: &goal.train,
            dev_texts: &self.validation.texts,
            dev_targets: &goal.validation,
            metric: goal.metric,
            noise: self.args.noise(),
        };
        let of = self.described(goal);
        let fitted = tuned(&self.args.fit, &mut params, &task, &self.settings, &of, goal.metric)?;
        Ok(Tuned { classifier, params, fitted })
    }

    /// What is fine-tuned on what, to know it again.
    fn described(&self, goal: &Goal) -> String {
        let parts = [&self.train, &self.validation];
        let tokens = sha256_of(parts.iter().flat_map(|part| part.texts.iter().flatten()));
        let answers = parts.map(|part| part.answers.join("\n")).join("\n");
        json!({
            "model": self.base_sha256, "method": self.args.fit.peft.to_string(), "texts": tokens,
            "answers": store::sha256(answers.as_bytes()), "target": goal.target, "head": goal.head,
            "metric": goal.metric, "noise": self.args.noise(),
        })
        .to_string()
    }

    /// Says how many texts have no room.
    fn tell_of_cut(&self, most: usize) {
        let parts = [&self.train, &self.validation, &self.test];
        let cut = parts.iter().flat_map(|part| &part.texts).filter(|text| text.len() > most).count();
        if cut > 0 {
            eprintln!(
                "{cut} texts are longer than the {most} tokens that are read of a text: only their beginning is"
            );
        }
    }

    /// Writes the directory, `test` being the numbers of the test part with what was predicted of each text, and `more` what
    /// the task says of itself. Answers the record.
    pub(super) fn save(
        &self,
        tuned: &Tuned,
        wide: Option<&Wide>,
        (test, predictions): (&Value, &[Value]),
        more: Value,
    ) -> Result<Value, Failure> {
        let (args, fitted) = (self.args, &tuned.fitted);
        let mut result = args.fit.record(fitted, &self.base_sha256)?;
        let ours = json!({
            "test": test,
            "validation": { "score": fitted.outcome.best_score, "texts": self.validation.texts.len() },
            "train_texts": self.train.texts.len(),
            "dropped": self.dropped,
            "unknown_characters": self.unknown,
            "classifier": tuned.classifier.config,
            "noise": args.noise(),
            "data": { "train": args.labelled.train, "dev": args.labelled.dev, "test": args.labelled.test },
        });
        for fields in [ours, more] {
            if let (Some(result), Value::Object(fields)) = (result.as_object_mut(), fields) {
                result.extend(fields);
            }
        }
        let bytes = serde_json::to_string_pretty(&result).expect("an object") + "\n";
        let wide = wide.map(Wide::files).transpose().map_err(|e| Failure::other(e.to_string()))?;
        let wide = wide.iter().flatten().map(|(name, bytes)| (*name, &bytes[..]));
        let predictions = json_lines(predictions);
        let own = [("result.json", bytes.as_bytes()), (PREDICTIONS, &predictions)];
        let more: Vec<(&str, &[u8])> = own.into_iter().chain(wide).collect();
        let path = &self.model.path;
        save_classifier(
            &args.fit.out,
            (&tuned.classifier, &tuned.params),
            &args.fit.peft,
            (&path.canonicalize().unwrap_or_else(|_| path.clone()), &self.base_sha256),
            &self.model.tokenizer,
            &more,
        )?;
        args.fit.finish(fitted)?;
        Ok(result)
    }

    /// The end of what is said to people.
    pub(super) fn summary(&self, tuned: &Tuned) -> String {
        self.args.fit.summary(&tuned.fitted.outcome, "newleaf classify --model {} < texts.txt")
    }
}
