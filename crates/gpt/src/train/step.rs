//! Pretraining, one update at a time: the engine, and what draws its batches.

use super::TrainError;
use super::engine::{BatchLoss, Engine, EngineConfig, Update, rows_at_a_time};
use crate::config::{self, Config, GptConfig, TrainConfig};
use crate::files::tensors;
use crate::model::Gpt;
use crate::peft::{Method, MethodError};
use crate::train::Checkpoint;
use data::dataset::{ExampleSampler, ExampleSamplerState, TokenSource};
use data::objective::{Corruptor, Vocabulary};
use data::{Batch, Tokenizer};
use nn::optim::{
    Adam, AdamConfig, AdamW, AdamWConfig, Muon, MuonConfig, Optimizer, Sgd, SgdConfig, SparseSgd,
    SparseSgdConfig, usual_group,
};
use nn::{Schedule, frequent_ngrams};
use random::{Rng, Stream};
use std::collections::BTreeMap;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::{Params, Tape, Var, Workspace};

/// Tokens of the training text that say which n-grams are frequent: more would fill the memory with rare ones.
const NGRAM_TOKENS: usize = 10_000_000;

/// A model in training: its parameters and everything that the next update depends on.
pub struct Trainer {
    /// The settings.
    pub config: Config,
    /// What of the model is trained.
    pub method: Method,
    /// The model.
    pub model: Gpt,
    /// Its parameters.
    pub params: Params,
    /// Updates made so far.
    pub iter: u64,
    /// Tokens seen so far.
    pub tokens: u64,
    pub(super) engine: Engine,
    pub(super) sampler: ExampleSampler,
}

/// What one update did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Updates made, this one included.
    pub iter: u64,
    /// The loss of the batch before the update, in nats a token; with label smoothing and z-loss, if they are on.
    pub loss: f64,
    /// The norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The learning rate.
    pub lr: f32,
    /// Tokens seen, this batch included.
    pub tokens: u64,
    /// Whether the loss was a spike: the limit that it was above. Then no weight was changed.
    pub skipped: Option<f64>,
}

impl Trainer {
    /// A new model, about to see a training text, whose vocabulary has no special tokens.
    ///
    /// # Errors
    /// If the text is shorter than a block, or the objective needs special tokens.
    pub fn new<S: TokenSource + ?Sized>(config: &Config, train: &S) -> Result<Self, TrainError> {
        Self::with_vocabulary(config, &Vocabulary::new(config.model.vocab_size, [])?, train)
    }

    /// The same with a vocabulary that has the special tokens of the objective. For n-gram embeddings the frequent n-grams
    /// are counted, and the tables have no more rows than there are (`ngram_rows` in [`Trainer::config`]).
    ///
    /// # Errors
    /// If the text is shorter than a block or cannot be read, or the vocabulary lacks a special token of the objective.
    pub fn with_vocabulary<S: TokenSource + ?Sized>(
        config: &Config,
        vocabulary: &Vocabulary,
        train: &S,
    ) -> Result<Self, TrainError> {
        let ngrams = counted_ngrams(config, train)?;
        let mut config = config.clone();
        if let Some(rows) = ngrams.iter().map(Vec::len).max() {
            config.model.ngram_rows = rows.max(1);
        }
        let mut params = Params::new();
        let model = Gpt::new(&config.model, &mut params, &mut Rng::new(config.train.seed, Stream::Init));
        model.ngram.set_ngrams(&mut params, &ngrams);
        Self::untrained(&config, Method::Full, (model, params), vocabulary, train.len())
    }

    /// Goes on from the weights of a model with a text of so many tokens: a new training, of which the optimizer remembers
    /// nothing. What `method` says is trained, and the rest stays as it is.
    ///
    /// The weights are those of `config`, but that `block_size` may be smaller than theirs: of learned positions the first
    /// are taken.
    ///
    /// # Errors
    /// As [`Trainer::with_vocabulary`]; if the weights do not fit, or the method does not go with the model.
    pub fn from_weights(
        config: &Config,
        weights: &Params,
        method: &Method,
        vocabulary: &Vocabulary,
        train_tokens: usize,
    ) -> Result<Self, TrainError> {
        let mut params = Params::new();
        let mut model = Gpt::zeros(&config.model, &mut params);
        let mut taken = tensors::from_params(weights);
        if let Some(tensors::Tensor { shape, data }) = taken.get_mut("wpe.weight") {
            shape[0] = shape[0].min(config.model.block_size);
            data.truncate(shape[0] * shape[1]);
        }
        tensors::into_params(&taken, &mut params).map_err(TrainError::Weights)?;
        model.tune(method, &mut params, &mut Rng::new(config.train.seed, Stream::Init))?;
        Self::untrained(config, method.clone(), (model, params), vocabulary, train_tokens)
    }

    /// A model that has not looked at its text of so many tokens.
    fn untrained(
        config: &Config,
        method: Method,
        (model, params): (Gpt, Params),
        vocabulary: &Vocabulary,
        train_tokens: usize,
    ) -> Result<Self, TrainError> {
        if !model.is_mergeable() || params.ids().all(|id| !params.is_trainable(id)) {
            let (method, why) = (
                "head, prefix, prompt or adapter",
                "a training writes whole models, and what it trains must be changes of their weights: take full, lora, ia3 or \
                 bitfit, or newleaf finetune, which writes adapters",
            );
            return Err(MethodError::Unfit { method, why: why.into() }.into());
        }
        let seed = config.train.seed;
        let settings = config.train.objective_settings();
        let corruptor = config.train.objective.resolve(&settings, vocabulary, config.model.block_size)?;
        let train = &config.train;
        let sampler = ExampleSampler::new(
            train_tokens,
            corruptor.into(),
            train.batch_size,
            train.sampler,
            train.documents,
            seed,
        )?;
        let &TrainConfig { grad_clip, spike_guard, ema, recompute, lanes, .. } = train;
        let engine = EngineConfig { seed, grad_clip, spike_guard, ema, recompute, lanes };
        Ok(Self {
            engine: Engine::new(&params, optimizer(config, &model, &params), schedule(train), engine),
            config: config.clone(),
            method,
            model,
            params,
            sampler,
            iter: 0,
            tokens: 0,
        })
    }

    /// Draws a batch, computes its gradient and updates the weights. The training text is a slice of ids, or
    /// any other source of the length that the trainer was made for.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the source cannot be read.
    /// [`TrainError::NonFinite`] if the loss or the gradient is not finite: then no weight was changed, and the
    /// message names the first operation with such a value; the next step draws the batch after this one.
    /// [`TrainError::Damaged`] if a weight or what is remembered about it is not finite after the update: then only an
    /// earlier checkpoint is of use.
    pub fn step<S: TokenSource + ?Sized>(&mut self, train: &S) -> Result<StepReport, TrainError> {
        self.freeze_or_thaw();
        let rows = self.sampler.read_batch(train)?;
        let batch = self.cut(rows);
        let windows = Windows::new(&self.model, &self.config, &batch);
        let update = self.engine.update(&mut self.params, self.iter, &windows);
        let Update { loss, grad_norm, lr, skipped } =
            update.map_err(|error| TrainError::of_update(self.iter, error))?;
        self.iter += 1;
        self.tokens += batch.ids.len() as u64;
        Ok(StepReport { iter: self.iter, loss, grad_norm, lr, tokens: self.tokens, skipped })
    }

    /// Cuts the windows of a batch into shorter ones early in training (`seq_len_warmup`). The sampler knows nothing of it:
    /// rows lie one behind the other, so the same tokens are rows of another length.
    fn cut(&self, batch: Batch) -> Batch {
        let block_size = self.config.train.seq_len(batch.block_size, self.iter);
        Batch { batch_size: batch.batch_size * (batch.block_size / block_size), block_size, ..batch }
    }

    /// The token embedding rests for its first `freeze_emb` updates. That is a function of `iter`, so a resumed
    /// training needs no memory of it; the optimizer's moments of what is frozen stay zero.
    fn freeze_or_thaw(&mut self) {
        let freeze_emb = self.config.train.freeze_emb as u64;
        if freeze_emb > 0 && self.method == Method::Full {
            self.params.set_trainable(self.model.wte.weight, self.iter >= freeze_emb);
        }
    }

    /// The weights that are evaluated and saved: [`Engine::averaged`].
    #[must_use]
    pub fn averaged(&self) -> &Params {
        self.engine.averaged(&self.params)
    }

    /// The schedule's learning rate of the next update.
    #[must_use]
    pub fn lr(&self) -> f32 {
        self.engine.lr(self.iter)
    }

    /// What makes the examples: the objective with its special tokens.
    #[must_use]
    pub fn corruptor(&self) -> &Corruptor {
        self.sampler.corruptor()
    }

    /// How many times the training text was seen, if the sampler counts.
    #[must_use]
    pub fn epochs(&self) -> Option<f64> {
        self.sampler.epochs()
    }

    /// The pool that the steps take their memory from.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.engine.lanes[0].workspace
    }

    /// Everything that the next update depends on; the numbers stay where they are.
    #[must_use]
    pub fn checkpoint(&self, tokenizer: &str) -> Checkpoint<&[f32]> {
        let state = self.engine.optimizer.state().into_iter();
        let optimizer =
            state.map(|(name, data)| (name, tensors::Tensor { shape: vec![data.len()], data })).collect();
        Checkpoint {
            iter: self.iter,
            tokens: self.tokens,
            model: tensors::views_of(&self.params),
            optimizer,
            ema: self
                .engine
                .ema
                .as_ref()
                .map_or_else(Default::default, |ema| tensors::views_of(ema.params())),
            optimizer_steps: self.engine.optimizer.step_count(),
            // Initial values are drawn once, dropout is a function of the step, and the sampler holds the
            // position of the data stream: no generator has a state of its own between updates.
            rng: BTreeMap::new(),
            sampler: serde_json::to_value(self.sampler.state()).expect("a struct of numbers"),
            config: self.config.clone(),
            method: self.method.clone(),
            tokenizer: tokenizer.to_string(),
            best_val_loss: None,
            evals_without_improvement: 0,
            losses: self.engine.losses,
            elapsed_s: 0.0,
        }
    }

    /// Continues where a checkpoint was made, with the same text.
    ///
    /// # Errors
    /// If the checkpoint does not fit its own configuration, or the text is another one.
    pub fn from_checkpoint(checkpoint: &Checkpoint, train_tokens: usize) -> Result<Self, TrainError> {
        let vocabulary = if checkpoint.config.train.objective.is_clm() {
            Vocabulary::new(checkpoint.config.model.vocab_size, [])?
        } else {
            Vocabulary::of(&Tokenizer::from_json(&checkpoint.tokenizer)?)
        };
        let (config, method) = (&checkpoint.config, checkpoint.method.clone());
        let mut params = Params::new();
        let mut model = Gpt::zeros(&config.model, &mut params);
        model.tune(&method, &mut params, &mut Rng::new(config.train.seed, Stream::Init))?;
        let mut trainer = Self::untrained(config, method, (model, params), &vocabulary, train_tokens)?;
        let misfit =
            |problem: String| TrainError::Resume { problem, remedy: "use another checkpoint of this run" };
        tensors::into_params(&checkpoint.model, &mut trainer.params).map_err(|e| misfit(e.to_string()))?;
        if let Some(ema) = &mut trainer.engine.ema {
            tensors::into_params(&checkpoint.ema, ema.params_mut())
                .map_err(|e| misfit(format!("the average of the weights: {e}")))?;
        }
        let state: Vec<_> =
            checkpoint.optimizer.iter().map(|(name, t)| (name.clone(), &t.data[..])).collect();
        trainer.engine.optimizer.load_state(checkpoint.optimizer_steps, &state)?;
        let sampler: ExampleSamplerState = serde_json::from_value(checkpoint.sampler.clone())
            .map_err(|e| misfit(format!("sampler: {e}")))?;
        let corruptor = trainer.sampler.corruptor().clone();
        trainer.sampler = ExampleSampler::from_state(&sampler, train_tokens, corruptor)?;
        (trainer.iter, trainer.tokens) = (checkpoint.iter, checkpoint.tokens);
        trainer.engine.losses = checkpoint.losses;
        Ok(trainer)
    }
}

/// A batch of windows of the text, and the model that learns them.
pub(super) struct Windows<'a> {
    model: &'a Gpt,
    batch: &'a Batch,
    /// Rows of a part.
    rows: usize,
    /// Of the whole batch.
    total_weight: f32,
    regularizer: Regularizer,
}

impl<'a> Windows<'a> {
    pub(super) fn new(model: &'a Gpt, config: &Config, batch: &'a Batch) -> Self {
        let &TrainConfig { micro_batch, label_smoothing, z_loss, .. } = &config.train;
        let pieces = config.model.block_size / batch.block_size; // of a window that was cut
        let micro_batch = micro_batch.map(|rows| rows * pieces);
        Self {
            model,
            batch,
            rows: rows_at_a_time(batch.batch_size, batch.block_size, micro_batch),
            total_weight: batch.total_weight() as f32,
            regularizer: Regularizer { label_smoothing, z_loss },
        }
    }
}

impl BatchLoss for Windows<'_> {
    type Part = Batch;

    fn parts(&self) -> Vec<Batch> {
        let all = self.batch.batch_size;
        (0..all).step_by(self.rows).map(|row| self.batch.shard(row..all.min(row + self.rows))).collect()
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, part: &Batch) -> Var<'t> {
        self.model.loss_of_part(tape, part, self.total_weight, self.regularizer)
    }
}

/// Rows that the n-gram tables of a model will have on a text: of its n-grams, those that are frequent. The
/// configuration says how many they are at most; 0, if the model has none.
///
/// # Errors
/// If the text cannot be read.
pub fn ngram_rows<S: TokenSource + ?Sized>(config: &Config, train: &S) -> Result<usize, TrainError> {
    Ok(counted_ngrams(config, train)?.iter().map(|ngrams| ngrams.len().max(1)).max().unwrap_or(0))
}

/// The frequent n-grams of a text, for each order that the model has embeddings of.
fn counted_ngrams<S: TokenSource + ?Sized>(
    config: &Config,
    train: &S,
) -> Result<Vec<Vec<(u32, u32)>>, TrainError> {
    let &GptConfig { ngram, ngram_rows, .. } = &config.model;
    if ngram == 0 {
        return Ok(Vec::new());
    }
    let mut text = vec![0; train.len().min(NGRAM_TOKENS)];
    train.read(0, &mut text)?;
    Ok(frequent_ngrams(&text, ngram, ngram_rows, config.train.ngram_min_count))
}

fn optimizer(config: &Config, model: &Gpt, params: &Params) -> Box<dyn Optimizer> {
    let train = &config.train;
    let &TrainConfig { beta1, eps, weight_decay, .. } = train;
    let beta2 = train.beta2_of(train.batch_size * config.model.block_size);
    let adamw = AdamWConfig { beta1, beta2, eps, weight_decay };
    let dense = SparseSgd::leave(usual_group);
    let rest: Box<dyn Optimizer> = match train.optimizer {
        config::Optimizer::Adamw => Box::new(AdamW::with_groups(params, adamw, dense)),
        config::Optimizer::Adam => {
            Box::new(Adam::with_groups(params, AdamConfig { beta1, beta2, eps, weight_decay }, dense))
        }
        config::Optimizer::Sgd => {
            let sgd = SgdConfig { momentum: beta1, nesterov: false, weight_decay };
            Box::new(Sgd::with_groups(params, sgd, dense))
        }
        config::Optimizer::Muon => {
            let muon = MuonConfig {
                lr_ratio: train.muon_lr / train.learning_rate,
                momentum: train.muon_momentum,
                iters: train.muon_iters,
                weight_decay,
                adamw,
            };
            let stack = |params: &Params, id| model.stacked_rows(params, id);
            Box::new(Muon::with_groups(params, muon, stack, dense))
        }
    };
    // The n-gram tables are what a model has of sparse parameters.
    let tables = SparseSgdConfig { lr_scale: train.ngram_lr_scale, beta2, eps };
    Box::new(SparseSgd::new(params, tables, rest))
}

fn schedule(train: &TrainConfig) -> Schedule {
    let &TrainConfig { learning_rate, min_lr, .. } = train;
    let (warmup_iters, lr_decay_iters) = (train.warmup_iters as u64, train.decay_iters() as u64);
    match train.schedule {
        config::Schedule::Constant => Schedule::Constant { learning_rate },
        config::Schedule::Cosine => Schedule::Cosine { learning_rate, min_lr, warmup_iters, lr_decay_iters },
        config::Schedule::Linear => Schedule::Linear { learning_rate, warmup_iters, lr_decay_iters },
        config::Schedule::Wsd => {
            let decay_start = train.decay_start() as u64;
            Schedule::Wsd { learning_rate, min_lr, warmup_iters, decay_start, lr_decay_iters }
        }
    }
}
