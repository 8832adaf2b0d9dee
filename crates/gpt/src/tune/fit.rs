//! The loop of a fine-tuning.

use super::Task;
use nn::optim::{
    AdamW, AdamWConfig, Group, MissingGradient, Optimizer, SparseSgd, SparseSgdConfig, StepError,
    clip_factor, usual_group,
};
use nn::Schedule;
use random::{Rng, Stream};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::time::Instant;
use tensor::kernels::parallel;
use tensor::{DropoutSeeds, Grads, ParamId, Params, Tape, Workspace};

/// How a model is fine-tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuneConfig {
    /// How many times the examples are read, at most.
    pub epochs: usize,
    /// Examples in an update.
    pub batch_size: usize,
    /// The largest learning rate: after a tenth of the updates; from there it falls to 0 on a line.
    pub learning_rate: f64,
    /// Weight decay of matrices.
    pub weight_decay: f64,
    /// The learning rate of each layer over that of the layer above it (Howard and Ruder 2018, arXiv 1801.06146, who take
    /// 1 / 2.6); 1 for one rate.
    pub layer_decay: f64,
    /// In the first epoch only what was put on the model is trained, and one more layer from the top in each next one
    /// (gradual unfreezing, from the same paper).
    pub unfreeze: bool,
    /// Evaluations in an epoch.
    pub evaluations: usize,
    /// Evaluations without an improvement of more than `min_delta` after which it stops; none for never.
    pub patience: Option<usize>,
    /// See `patience`.
    pub min_delta: f64,
    /// Where all randomness starts.
    pub seed: u64,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 32,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            layer_decay: 1.0,
            unfreeze: false,
            evaluations: 1,
            patience: Some(3),
            min_delta: 0.0,
            seed: 1337,
        }
    }
}

/// What happens on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

/// How it ended. The parameters are the best ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
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
}

/// Why a fine-tuning stopped. The parameters are the best ones that there were.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TuneError {
    /// A loss, a gradient or a weight is not finite.
    #[error("update {update}: {what} is not finite: lower --learning-rate")]
    NonFinite {
        /// Which update.
        update: usize,
        /// What.
        what: String,
    },
    /// A parameter was to be trained that the loss does not depend on.
    #[error(transparent)]
    MissingGradient(#[from] MissingGradient),
    /// Nothing would be trained.
    #[error("nothing of this model is trained by this method: choose another")]
    NothingToTrain,
    /// Who was told of the events wanted it.
    #[error("stopped")]
    Stopped,
}

/// Fine-tunes the trainable parameters. `depth` says how far from the text a parameter is: 0 for embeddings, 1 for the first
/// block, and so on; what was put on top is deepest.
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
    depth: impl Fn(&str) -> usize + Send,
    mut tell: impl FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome, TuneError> {
    assert!(!task.is_empty(), "examples to learn from");
    let mut fitting = Fitting::new(params, task, config, depth)?;
    let result = fitting.run(params, task, &mut tell);
    fitting.best.restore(params);
    fitting.trained.iter().for_each(|&id| params.set_trainable(id, true));
    result?;
    Ok(fitting.outcome())
}

/// The best weights so far.
struct Best {
    score: f64,
    update: usize,
    data: Vec<(ParamId, Vec<f32>)>,
}

impl Best {
    fn restore(&self, params: &mut Params) {
        self.data.iter().for_each(|(id, data)| params.data_mut(*id).copy_from_slice(data));
    }
}

struct Fitting<'c, D> {
    config: &'c TuneConfig,
    depth: D,
    deepest: usize,
    trained: Vec<ParamId>,
    optimizer: Box<dyn Optimizer>,
    optimizer_bytes: usize,
    trainable_parameters: usize,
    schedule: Schedule,
    updates_in_all: usize,
    update: usize,
    best: Best,
    worse: usize,
    stopped_early: bool,
    seconds: f64,
}

impl<'c, D: Fn(&str) -> usize + Send> Fitting<'c, D> {
    fn new(params: &Params, task: &impl Task, config: &'c TuneConfig, depth: D) -> Result<Self, TuneError> {
        let trained: Vec<ParamId> = params.ids().filter(|&id| params.is_trainable(id)).collect();
        if trained.is_empty() {
            return Err(TuneError::NothingToTrain);
        }
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
        let updates_in_all = config.epochs * task.len().div_ceil(config.batch_size);
        Ok(Self {
            config,
            depth,
            deepest,
            optimizer_bytes: optimizer.state().iter().map(|(_, numbers)| 4 * numbers.len()).sum(),
            trainable_parameters: trained.iter().map(|&id| params.data(id).len()).sum(),
            optimizer,
            trained,
            schedule: Schedule::Linear {
                learning_rate: config.learning_rate,
                warmup_iters: updates_in_all.div_ceil(10) as u64,
                lr_decay_iters: updates_in_all as u64,
            },
            updates_in_all,
            update: 0,
            best: Best { score: f64::NEG_INFINITY, update: 0, data: Vec::new() },
            worse: 0,
            stopped_early: false,
            seconds: 0.0,
        })
    }

    fn run(
        &mut self,
        params: &mut Params,
        task: &impl Task,
        tell: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TuneError> {
        let (workspace, mut grads) = (Workspace::new(), Grads::new(params));
        let mut rng = Rng::new(self.config.seed, Stream::Data);
        self.measure(params, task, f64::NAN, tell)?;
        for epoch in 0..self.config.epochs {
            self.thaw(params, epoch);
            let batches = batches(task, self.config.batch_size, &mut rng);
            let (mut losses, mut since) = (0.0, 0);
            for (i, batch) in batches.iter().enumerate() {
                let start = Instant::now();
                let loss = parallel::awake(|| self.step(params, task, batch, &workspace, &mut grads))?;
                self.seconds += start.elapsed().as_secs_f64();
                (losses, since) = (losses + loss, since + 1);
                let event = Event::Update { update: self.update, of: self.updates_in_all, loss };
                stop_if(tell(event))?;
                // Evenly through the epoch, and at its end.
                let at = |i: usize| i * self.config.evaluations.max(1) / batches.len();
                if at(i + 1) > at(i) {
                    self.measure(params, task, losses / f64::from(since), tell)?;
                    (losses, since) = (0.0, 0);
                    if self.config.patience.is_some_and(|patience| self.worse >= patience) {
                        self.stopped_early = true;
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// One update.
    fn step(
        &mut self,
        params: &mut Params,
        task: &impl Task,
        batch: &[usize],
        workspace: &Workspace,
        grads: &mut Grads,
    ) -> Result<f64, TuneError> {
        let not_finite = |update, what: String| TuneError::NonFinite { update, what };
        let seeds = DropoutSeeds::new(self.config.seed, self.update as u64);
        let tape = Tape::new(params, workspace).with_dropout(seeds);
        let loss = task.loss(&tape, batch);
        grads.clear();
        loss.backward(grads);
        let loss = f64::from(loss.item());
        drop(tape);
        let norm = grads.norm();
        if !(loss.is_finite() && norm.is_finite()) {
            return Err(not_finite(self.update, "the loss or its gradient".into()));
        }
        let lr = self.schedule.lr(self.update as u64);
        self.optimizer.step_scaled(params, grads, lr, clip_factor(norm, 1.0)).map_err(
            |error| match error {
                StepError::NonFinite { names } => not_finite(self.update, names.join(", ")),
                StepError::MissingGradient(missing) => missing.into(),
            },
        )?;
        self.update += 1;
        Ok(loss)
    }

    /// Measures the score, and keeps the weights if they are the best.
    fn measure(
        &mut self,
        params: &Params,
        task: &impl Task,
        loss: f64,
        tell: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TuneError> {
        let score = task.validate(params);
        // The first one counts whatever it is, so that there is something to restore.
        let best = self.best.data.is_empty() || score > self.best.score + self.config.min_delta;
        if best {
            let data = self.trained.iter().map(|&id| (id, params.data(id).to_vec())).collect();
            self.best = Best { score, update: self.update, data };
        }
        self.worse = if best { 0 } else { self.worse + 1 };
        let epoch = self.update as f64 * self.config.epochs as f64 / self.updates_in_all as f64;
        stop_if(tell(Event::Score { update: self.update, epoch, loss, score, best }))
    }

    /// Freezes what is not trained yet in this epoch.
    fn thaw(&self, params: &mut Params, epoch: usize) {
        if self.config.unfreeze {
            for &id in &self.trained {
                let trains = (self.depth)(params.name(id)) + epoch >= self.deepest;
                params.set_trainable(id, trains);
            }
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            updates: self.update,
            best_update: self.best.update,
            best_score: self.best.score,
            stopped_early: self.stopped_early,
            trainable_parameters: self.trainable_parameters,
            optimizer_bytes: self.optimizer_bytes,
            seconds: self.seconds,
        }
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
