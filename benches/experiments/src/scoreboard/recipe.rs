//! What the measurements of fine-tuning have in common: a base that is pretrained, a classifier that is tuned.

use super::texts::Reviews;
use super::{Result, Setup, Values};
use benches::machine::{forget_peak_memory, peak_memory};
use data::Tokenizer;
use data::baseline::Labelled;
use data::metrics::LabelScores;
use data::objective::Vocabulary;
use data::pattern::{Cloze, Pattern, Verbalizer};
use gpt::config::{Config, Preset};
use gpt::formats::NEWLEAF;
use gpt::peft::Method;
use gpt::plan::set_updates;
use gpt::train::Trainer;
use gpt::tune::{
    Classifier, ClassifierConfig, Classify, HeadConfig, LinearConfig, Metric, Noise, Outcome, Pool, Target,
    Targets, TuneConfig, fit,
};
use gpt::{ModelCard, train::StepReport};
use random::{Rng, Stream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use tensor::Params;

pub use gpt::Model;

/// The settings of a pretraining: the preset `shakespeare`, in which some things are otherwise.
///
/// # Errors
/// If one of them is none, or cannot be that.
fn base_config(settings: &str, vocab_size: usize, seed: u64) -> Result<Config> {
    let mut config = Preset::Shakespeare.config(vocab_size);
    for setting in settings.split_whitespace() {
        let (name, value) = setting.split_once('=').ok_or("settings are NAME=VALUE")?;
        config.set(name, value)?;
    }
    let updates = config.train.max_iters;
    set_updates(&mut config, updates);
    config.train.seed = seed;
    Ok(config)
}

/// What a base learns from: a text, and the tokenizer of it.
pub type Text = (Tokenizer, String);

/// A pretrained model, for all claims that have it in common.
#[derive(Clone, Copy)]
pub struct Base {
    /// What it learns from, in a word.
    pub name: &'static str,
    /// The preset `shakespeare`, in which these things are otherwise.
    pub settings: &'static str,
    /// The text, of this setup.
    pub text: fn(&Setup) -> Result<Text>,
}

impl Base {
    /// Trains it on texts without labels, and leaves it for other cases.
    ///
    /// # Errors
    /// If settings, text and tokenizer do not go together, a loss is not finite, or the disk fails.
    pub fn pretrain(&self, setup: &Setup) -> Result<(Model, Values)> {
        let (mut trainer, tokenizer, ids) = self.trainer(setup)?;
        forget_peak_memory();
        let updates = trainer.config.train.max_iters;
        let mut last: Vec<f64> = Vec::new();
        for update in 0..updates {
            let StepReport { loss, .. } = trainer.step(&ids[..])?;
            if 10 * update >= 9 * updates {
                last.push(loss);
            }
        }
        let values = vec![
            ("loss", last.iter().sum::<f64>() / last.len() as f64),
            ("peak_bytes", peak_memory().map_or(f64::NAN, |bytes| bytes as f64)),
            ("trained", trainer.params.count() as f64),
        ];
        let params = trainer.averaged().clone();
        let model = Model::new(trainer.model.clone(), params, tokenizer);
        save(&model, &self.path(setup))?;
        Ok((model, values))
    }

    /// The model as [`Base::pretrain`] left it; if it did not yet, it does now.
    ///
    /// # Errors
    /// As [`Base::pretrain`], or if the file is damaged.
    pub fn get(&self, setup: &Setup) -> Result<Model> {
        let path = self.path(setup);
        if path.exists() { Ok(Model::load(&path)?) } else { Ok(self.pretrain(setup)?.0) }
    }

    /// The same model before its first update. It has counted the n-grams of the text, which is no learning: a table without
    /// rows for them would be another architecture.
    ///
    /// # Errors
    /// As [`Base::pretrain`].
    pub fn untrained(&self, setup: &Setup) -> Result<Model> {
        let (trainer, tokenizer, _) = self.trainer(setup)?;
        Ok(Model::new(trainer.model, trainer.params, tokenizer))
    }

    fn trainer(&self, setup: &Setup) -> Result<(Trainer, Tokenizer, Vec<u32>)> {
        let (tokenizer, text) = (self.text)(setup)?;
        let config = base_config(self.settings, tokenizer.vocab_size(), setup.seed)?;
        let (config, tokenizer) = with_specials(config, tokenizer)?;
        let ids = tokenizer.encode(&text)?;
        let trainer = Trainer::with_vocabulary(&config, &Vocabulary::of(&tokenizer), &ids[..])?;
        Ok((trainer, tokenizer, ids))
    }

    /// A base of another seed, or of other settings, lies elsewhere.
    fn path(&self, setup: &Setup) -> PathBuf {
        let settings = self.settings.replace(|c: char| !c.is_alphanumeric(), "-");
        setup.directory.join(format!("{}-{}-{settings}", self.name, setup.seed))
    }
}

/// The tokens that the objective needs come after those of the text.
fn with_specials(mut config: Config, tokenizer: Tokenizer) -> Result<(Config, Tokenizer)> {
    let train = &config.train;
    let specials = train.objective.specials(&train.objective_settings(), config.model.block_size);
    let tokenizer = tokenizer.with_specials(&specials)?;
    config.model.vocab_size = tokenizer.vocab_size();
    config.validate()?;
    Ok((config, tokenizer))
}

/// Writes a model for measurements to come.
fn save(model: &Model, path: &Path) -> Result<()> {
    let card = ModelCard {
        data: "a measurement of the scoreboard".into(),
        command: std::env::args().collect(),
        date: gpt::machine::now_utc(),
        ..ModelCard::default()
    };
    Ok(model.save(path, &NEWLEAF, &card)?)
}

/// How classifiers are tuned.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Whether each position sees what comes after it.
    pub both_sides: bool,
    /// What the classification layer reads.
    pub pool: Pool,
    /// Dropout before the last layer.
    pub dropout: f32,
    /// Times that the texts are read.
    pub epochs: usize,
    /// Texts in an update.
    pub batch_size: usize,
    /// Measurements on the validation part in an epoch; the best weights count.
    pub evaluations: usize,
    /// The largest learning rate, over the one that suits the method ([`Method::learning_rate`]).
    pub rate: f64,
    /// A pattern and its words, to tell labels by in place of a layer; `both_sides`, `pool` and `dropout` are of the layer.
    pub words: Option<(&'static str, &'static str)>,
}

impl std::fmt::Display for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} epochs of batches of {}, {} times the method's learning rate, {} pool, dropout {}, {}, best of {} \
             measurements an epoch",
            self.epochs,
            self.batch_size,
            self.rate,
            if self.pool == Pool::Mean { "mean" } else { "last" },
            self.dropout,
            if self.both_sides { "both sides" } else { "causal" },
            self.evaluations,
        )
    }
}

impl Recipe {
    /// The settings of the loop for a method, on a model of this width.
    #[must_use]
    pub fn loop_config(&self, method: &Method, n_embd: usize, seed: u64) -> TuneConfig {
        TuneConfig {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.rate * method.learning_rate(n_embd),
            evaluations: self.evaluations,
            patience: None,
            seed,
            ..TuneConfig::default()
        }
    }

    /// Puts a classifier on a model that is tuned by a method.
    ///
    /// # Errors
    /// If the method does not go with the model.
    pub fn classifier(
        &self,
        model: &Model,
        names: &[String],
        method: &Method,
        seed: u64,
    ) -> Result<(Classifier, Params)> {
        let (mut gpt, mut params) = (model.gpt.clone(), model.params.clone());
        let mut rng = Rng::new(seed, Stream::Init);
        gpt.tune(method, &mut params, &mut rng)?;
        let target = Target::Label { names: names.to_vec() };
        let layer =
            LinearConfig { pool: self.pool, both_sides: self.both_sides, dropout: self.dropout, pieces: 1 };
        let head = match self.words {
            None => HeadConfig::Linear(layer),
            Some((pattern, words)) => {
                let words: Verbalizer = words.parse()?;
                HeadConfig::Words(Cloze::new(pattern.parse()?, Some(&words), names)?)
            }
        };
        let config = ClassifierConfig { target, head };
        let classifier = Classifier::new(gpt, config, &model.tokenizer, &mut params, &mut rng)?;
        Ok((classifier, params))
    }

    /// Tunes a model by a method, chooses the weights by the validation part, and measures them on the test part.
    ///
    /// # Errors
    /// If the method does not go with the model, or a loss is not finite.
    pub fn tune(&self, model: &Model, reviews: &Reviews, method: &str, seed: u64) -> Result<Values> {
        forget_peak_memory();
        let (classifier, params, outcome) = self.tuned(model, reviews, method, seed)?;
        let memory = peak_memory();
        let p = classifier.probabilities(&params, &self.encode(model, reviews.test.texts())?);
        let scores = LabelScores::of_probabilities(&p, reviews.test.labels());
        Ok(values(&outcome, &scores, memory))
    }

    /// The tokens of texts, as they stand in the pattern if there is one.
    ///
    /// # Errors
    /// If the pattern has no place for the text.
    pub fn encode(&self, model: &Model, texts: &[String]) -> Result<Vec<Vec<u32>>> {
        let pattern: Option<Pattern> = self.words.map(|(pattern, _)| pattern.parse()).transpose()?;
        let piece = |text: &String| pattern.as_ref().map_or_else(|| text.clone(), |p| p.text_piece(text));
        Ok(texts.iter().map(|text| model.encode_known(&piece(text)).0).collect())
    }

    /// The classifier that [`Recipe::tune`] measures.
    ///
    /// # Errors
    /// As [`Recipe::tune`].
    pub fn tuned(
        &self,
        model: &Model,
        reviews: &Reviews,
        method: &str,
        seed: u64,
    ) -> Result<(Classifier, Params, Outcome)> {
        let method: Method = method.parse()?;
        let part = |part: &Labelled| -> Result<(Vec<Vec<u32>>, Targets)> {
            let targets = Targets::labels(part.labels().to_vec(), &vec![1.0; part.names().len()]);
            Ok((self.encode(model, part.texts())?, targets))
        };
        let ((texts, targets), (dev_texts, dev_targets)) =
            (part(&reviews.train)?, part(&reviews.validation)?);
        let (classifier, mut params) = self.classifier(model, reviews.train.names(), &method, seed)?;
        let task = Classify {
            classifier: &classifier,
            texts: &texts,
            targets: &targets,
            dev_texts: &dev_texts,
            dev_targets: &dev_targets,
            metric: Metric::Accuracy,
            noise: Noise::default(),
        };
        let settings = self.loop_config(&method, classifier.gpt.config.n_embd, seed);
        let outcome = fit(&mut params, &task, &settings, |_| ControlFlow::Continue(()))?;
        Ok((classifier, params, outcome))
    }
}

fn values(outcome: &Outcome, scores: &LabelScores, memory: Option<u64>) -> Values {
    vec![
        ("accuracy", scores.accuracy),
        ("macro_f1", scores.macro_f1),
        ("validation", outcome.best_score),
        ("peak_bytes", memory.map_or(f64::NAN, |bytes| bytes as f64)),
        ("trained", outcome.trainable_parameters as f64),
        ("optimizer_bytes", outcome.optimizer_bytes as f64),
        ("updates", outcome.updates as f64),
        ("best_update", outcome.best_update as f64),
    ]
}
