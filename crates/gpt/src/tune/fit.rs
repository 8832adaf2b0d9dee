//! The loop of a fine-tuning.

use super::keep::Keep;
use super::{Task, TuneConfig};
use crate::train::{BatchLoss, Engine, EngineConfig, UpdateError, rows_at_a_time};
use nn::Schedule;
use nn::optim::{AdamW, AdamWConfig, Group, MissingGradient, SparseSgd, SparseSgdConfig, usual_group};
use random::{Rng, Stream};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::time::Instant;
use tensor::{ParamId, Params, Tape, Var};

/// What happens on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An update was made.
    Update {
        /// Updates so far.
        update: usize,
        /// All that there would be.
        of: usize,
        /// The loss of its examples before it.
        loss: f64,
    },
    /// The score was measured.
    Score {
        /// Updates so far.
        update: usize,
        /// Epochs so far.
        epoch: f64,
        /// The mean loss since the last measurement; NaN before the first update.
        loss: f64,
        /// The score.
        score: f64,
        /// Whether it is the best so far.
        best: bool,
    },
    /// The state could not be written: the fine-tuning goes on, and tries again later.
    NotKept(String),
}

/// The score at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Updates until then.
    pub update: usize,
    /// Epochs until then.
    pub epoch: f64,
    /// The mean loss of the updates since the measurement before; none before the first update.
    pub train_loss: Option<f64>,
    /// The score: higher is better.
    pub score: f64,
}

/// How it ended. The parameters are the best ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Updates made.
    pub updates: usize,
    /// Updates of the best weights; 0 if no update made the model better.
    pub best_update: usize,
    /// Their score.
    pub best_score: f64,
    /// Whether it stopped before the last epoch.
    pub stopped_early: bool,
    /// Numbers that were trained.
    pub trainable_parameters: usize,
    /// Bytes that the optimizer remembers: two numbers for each that is trained, but for those of n-gram tables.
    pub optimizer_bytes: usize,
    /// Seconds of updates, without measuring the score.
    pub seconds: f64,
    /// Every measurement, from the beginning on.
    pub history: Vec<Measured>,
}

/// Why a fine-tuning stopped. The parameters are the best ones that there were.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TuneError {
    /// A loss, a gradient or a weight is not finite.
    #[error("stopped at update {update}: {what}\n  lower --learning-rate, or look at the examples")]
    NonFinite {
        /// The update that was not made, or cannot be used, counted from 0.
        update: usize,
        /// The first operation with such a value, or the parameters that are damaged.
        what: String,
        /// What was reached before: the parameters are those of its best update.
        reached: Outcome,
    },
    /// A parameter was to be trained that the loss does not depend on.
    #[error(transparent)]
    MissingGradient(#[from] MissingGradient),
    /// Nothing would be trained.
    #[error("nothing of this model is trained by this method: choose another")]
    NothingToTrain,
    /// The event callback asked to stop.
    #[error("stopped")]
    Stopped,
    /// What was kept cannot be gone on with.
    #[error("cannot resume: {0}")]
    Resume(String),
}

/// Fine-tunes the trainable parameters.
///
/// # Errors
/// [`TuneError`].
///
/// # Panics
/// If the task has no examples.
pub fn fit(
    params: &mut Params,
    task: &impl Task,
    config: &TuneConfig,
    tell: impl FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome, TuneError> {
    fit_keeping(params, task, config, None, tell)
}

/// The same, keeping its state in a directory from time to time, and when `tell` asks to stop: a later call goes on from
/// there, to the same bits.
///
/// # Errors
/// [`TuneError`].
///
/// # Panics
/// If the task has no examples.
pub fn fit_keeping(
    params: &mut Params,
    task: &impl Task,
    config: &TuneConfig,
    keep: Option<&Keep<'_>>,
    mut tell: impl FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome, TuneError> {
    assert!(!task.is_empty(), "examples to learn from");
    let mut fitting = Fitting::new(params, task, config)?;
    if let Some(keep) = keep.filter(|keep| keep.resume) {
        fitting.load(keep, params, task)?;
    }
    let result = fitting.run(params, task, keep, &mut tell);
    let ended = |keep: &&Keep<'_>| match &result {
        Err(TuneError::Stopped) => true,
        _ => keep.at_end,
    };
    if let Some(keep) = keep.filter(ended) {
        fitting.save_or_tell(keep, params, task, &mut tell);
    }
    fitting.best.restore(params);
    fitting.trained.iter().for_each(|&id| params.set_trainable(id, true));
    result?;
    Ok(fitting.outcome())
}

/// The best weights so far.
pub(super) struct Best {
    pub(super) score: f64,
    pub(super) update: usize,
    pub(super) data: Vec<(ParamId, Vec<f32>)>,
}

impl Best {
    fn restore(&self, params: &mut Params) {
        self.data.iter().for_each(|(id, data)| params.data_mut(*id).copy_from_slice(data));
    }
}

/// How far a fine-tuning has come: all numbers that are not of a parameter, but those of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// Updates made.
    pub(super) update: usize,
    /// Updates that had been made when the score was last measured.
    measured: Option<usize>,
    /// Measurements since one was better.
    worse: usize,
    /// The sum of the losses since the last measurement, and how many they are.
    losses: (f64, usize),
    /// Seconds of updates.
    seconds: f64,
    /// Every measurement.
    #[serde(default)]
    history: Vec<Measured>,
}

pub(super) struct Fitting<'c> {
    pub(super) config: &'c TuneConfig,
    deepest: usize,
    pub(super) trained: Vec<ParamId>,
    pub(super) engine: Engine,
    optimizer_bytes: usize,
    trainable_parameters: usize,
    /// Updates in an epoch.
    per_epoch: usize,
    pub(super) progress: Progress,
    pub(super) best: Best,
    stopped_early: bool,
}

impl<'c> Fitting<'c> {
    fn new(params: &Params, task: &impl Task, config: &'c TuneConfig) -> Result<Self, TuneError> {
        let trained: Vec<ParamId> = params.ids().filter(|&id| params.is_trainable(id)).collect();
        if trained.is_empty() {
            return Err(TuneError::NothingToTrain);
        }
        let depth = |name: &str| task.gpt().map_or(0, |gpt| gpt.depth(name));
        let deepest = trained.iter().map(|&id| depth(params.name(id))).max().unwrap_or(0);
        let group = |params: &Params, id: ParamId| -> Option<Group> {
            let above = deepest.saturating_sub(depth(params.name(id)));
            let usual = usual_group(params, id)?;
            let lr_scale = (0..above).fold(usual.lr_scale, |scale, _| scale * config.layer_decay);
            Some(Group { lr_scale, ..usual })
        };
        let adamw = AdamWConfig { weight_decay: config.weight_decay, ..AdamWConfig::default() };
        // Tables of n-grams as in pretraining.
        let adamw = Box::new(AdamW::with_groups(params, adamw, SparseSgd::leave(group)));
        let optimizer = Box::new(SparseSgd::new(params, SparseSgdConfig::default(), adamw));
        let per_epoch = task.len().div_ceil(config.batch_size);
        let updates_in_all = (config.epochs * per_epoch) as u64;
        let schedule = Schedule::Linear {
            learning_rate: config.learning_rate,
            warmup_iters: updates_in_all.div_ceil(10),
            lr_decay_iters: updates_in_all,
        };
        let &TuneConfig { seed, spike_guard, ema, recompute, lanes, .. } = config;
        let engine = Engine::new(
            params,
            optimizer,
            schedule,
            EngineConfig { seed, grad_clip: 1.0, spike_guard, ema, recompute, lanes },
        );
        Ok(Self {
            config,
            deepest,
            optimizer_bytes: engine.optimizer.state().iter().map(|(_, numbers)| 4 * numbers.len()).sum(),
            trainable_parameters: trained.iter().map(|&id| params.data(id).len()).sum(),
            engine,
            trained,
            per_epoch,
            progress: Progress {
                update: 0,
                measured: None,
                worse: 0,
                losses: (0.0, 0),
                seconds: 0.0,
                history: Vec::new(),
            },
            best: Best { score: f64::NEG_INFINITY, update: 0, data: Vec::new() },
            stopped_early: false,
        })
    }

    /// All updates that there would be.
    pub(super) fn updates_in_all(&self) -> usize {
        self.config.epochs * self.per_epoch
    }

    fn run(
        &mut self,
        params: &mut Params,
        task: &impl Task,
        keep: Option<&Keep<'_>>,
        tell: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TuneError> {
        let mut rng = Rng::new(self.config.seed, Stream::Data);
        let (mut epochs, mut epoch_batches) = (0, Vec::new()); // epochs drawn, and the batches of the last of them
        let mut next_save = keep.map(|keep| Instant::now() + keep.first());
        loop {
            if self.is_due() {
                self.measure(params, task, tell)?;
            }
            let exhausted = |epochs: usize| {
                self.progress.update > 0 && self.progress.worse >= epochs * self.config.evaluations.max(1)
            };
            if self.config.patience.is_some_and(exhausted) {
                self.stopped_early = true;
                return Ok(());
            }
            let (epoch, i) = (self.progress.update / self.per_epoch, self.progress.update % self.per_epoch);
            if epoch == self.config.epochs {
                return Ok(());
            }
            while epochs <= epoch {
                epoch_batches = batches(task, self.config.batch_size, &mut rng);
                self.thaw(params, task, epochs);
                epochs += 1;
            }
            let loss = self.step(params, task, &epoch_batches[i])?;
            stop_if(tell(Event::Update { update: self.progress.update, of: self.updates_in_all(), loss }))?;
            if let Some(keep) = keep.filter(|_| next_save.is_some_and(|at| Instant::now() >= at)) {
                self.save_or_tell(keep, params, task, tell);
                next_save = Some(Instant::now() + keep.every);
            }
        }
    }

    /// Whether the score is to be measured now: at the start, then evenly through each epoch and at its end.
    fn is_due(&self) -> bool {
        let update = self.progress.update;
        let after = |done: usize| done * self.config.evaluations.max(1) / self.per_epoch;
        let place = update.checked_sub(1).map(|before| before % self.per_epoch); // in its epoch
        self.progress.measured != Some(update) && place.is_none_or(|i| after(i + 1) > after(i))
    }

    /// One update.
    fn step(&mut self, params: &mut Params, task: &impl Task, examples: &[usize]) -> Result<f64, TuneError> {
        let (start, iter) = (Instant::now(), self.progress.update as u64);
        let batch = Examples::new(task, examples, self.config.micro_batch);
        let update = self.engine.update(params, iter, &batch).map_err(|error| match error {
            UpdateError::NonFinite(what) => self.not_finite(what),
            UpdateError::Damaged(names) => self.not_finite(format!("not finite after it: {names}")),
            UpdateError::MissingGradient(missing) => missing.into(),
        })?;
        let Progress { update: done, losses: (sum, count), seconds, .. } = &mut self.progress;
        (*done, *sum, *count) = (*done + 1, *sum + update.loss, *count + 1);
        *seconds += start.elapsed().as_secs_f64();
        Ok(update.loss)
    }

    fn not_finite(&self, what: String) -> TuneError {
        TuneError::NonFinite { update: self.progress.update, what, reached: self.outcome() }
    }

    /// Measures the score, and keeps the weights if they are the best.
    fn measure(
        &mut self,
        params: &Params,
        task: &impl Task,
        tell: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TuneError> {
        let params = self.engine.averaged(params);
        let (score, update) = (task.validate(params), self.progress.update);
        // The first one counts whatever it is, so that there is something to restore.
        let best = self.best.data.is_empty() || score > self.best.score + self.config.min_delta;
        if best {
            let data = self.trained.iter().map(|&id| (id, params.data(id).to_vec())).collect();
            self.best = Best { score, update, data };
        }
        let epoch = update as f64 * self.config.epochs as f64 / self.updates_in_all() as f64;
        let progress = &mut self.progress;
        let (sum, count) = std::mem::take(&mut progress.losses);
        let loss = sum / count as f64;
        let measured =
            Measured { update, epoch, train_loss: Some(loss).filter(|loss| loss.is_finite()), score };
        progress.history.push(measured);
        (progress.measured, progress.worse) = (Some(update), if best { 0 } else { progress.worse + 1 });
        stop_if(tell(Event::Score { update, epoch, loss, score, best }))
    }

    /// Freezes what is not trained yet in this epoch.
    fn thaw(&self, params: &mut Params, task: &impl Task, epoch: usize) {
        if let Some(gpt) = task.gpt().filter(|_| self.config.unfreeze) {
            for &id in &self.trained {
                let trains = gpt.depth(params.name(id)) + epoch >= self.deepest;
                params.set_trainable(id, trains);
            }
        }
    }

    /// Writes the state. What cannot be written is no reason to stop.
    fn save_or_tell(
        &self,
        keep: &Keep<'_>,
        params: &Params,
        task: &impl Task,
        tell: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) {
        if let Err(error) = self.save(keep, params, task) {
            // Whoever asks to stop now is asked again after the next update.
            let _ = tell(Event::NotKept(error.to_string()));
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            updates: self.progress.update,
            best_update: self.best.update,
            best_score: self.best.score,
            stopped_early: self.stopped_early,
            trainable_parameters: self.trainable_parameters,
            optimizer_bytes: self.optimizer_bytes,
            seconds: self.progress.seconds,
            history: self.progress.history.clone(),
        }
    }
}

/// Examples of a task, computed some at a time.
struct Examples<'a, T> {
    task: &'a T,
    examples: &'a [usize],
    /// Examples of a part.
    at_a_time: usize,
    /// Of all examples.
    total_weight: f32,
}

impl<'a, T: Task> Examples<'a, T> {
    fn new(task: &'a T, examples: &'a [usize], micro_batch: Option<usize>) -> Self {
        let longest = examples.iter().map(|&i| task.positions(i)).max().expect("an example");
        let at_a_time = rows_at_a_time(examples.len(), longest.max(1), micro_batch);
        Self { task, examples, at_a_time, total_weight: task.total_weight(examples) }
    }
}

impl<'a, T: Task> BatchLoss for Examples<'a, T> {
    type Part = &'a [usize];

    fn parts(&self) -> Vec<&'a [usize]> {
        self.examples.chunks(self.at_a_time).collect()
    }

    fn loss<'t>(&self, tape: &'t Tape<'_>, part: &&'a [usize]) -> Var<'t> {
        self.task.loss(tape, part, self.total_weight)
    }

    /// Batches of long texts have more parts than those of short ones: no number of a pass may depend on how many.
    fn pass(&self, iter: u64, part: u64, _: u64) -> u64 {
        iter + (part << 32)
    }
}

fn stop_if(told: ControlFlow<()>) -> Result<(), TuneError> {
    if told.is_break() { Err(TuneError::Stopped) } else { Ok(()) }
}

/// The examples of an epoch, in batches of similar lengths: shuffled, cut into stretches of sixteen batches, each sorted by
/// length and cut into batches, and these shuffled again.
fn batches(task: &impl Task, batch_size: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
    const STRETCH: usize = 16;
    let mut order: Vec<usize> = (0..task.len()).collect();
    rng.shuffle(&mut order);
    let mut batches = Vec::with_capacity(task.len().div_ceil(batch_size));
    for stretch in order.chunks_mut(STRETCH * batch_size) {
        stretch.sort_by_key(|&i| task.tokens(i));
        batches.extend(stretch.chunks(batch_size).map(<[usize]>::to_vec));
    }
    rng.shuffle(&mut batches);
    batches
}
