//! One update of the weights, in pretraining as in fine-tuning.
//!
//! examples/05_char_gpt.rs has it in six lines. Each of them is here; its place is at the right:
//!
//! ```text
//! let batch = sampler.next_batch(train);                       Trainer::step; a fine-tuning draws its own
//! let tape = Tape::new(&params, &workspace).with_dropout(..);  Engine::gradients, one for each part of the batch
//! let loss = model.loss(&tape, &batch);                        BatchLoss::loss
//! loss.backward(&mut grads);                                   Engine::gradients
//! clip_grad_norm(&mut grads, 1.0);                             Engine::apply, on the way through the optimizer
//! optimizer.step(&mut params, &grads, schedule.lr(iter))?;     Engine::apply
//! ```
//!
//! [`Engine::finish`] stands between the last two lines: a loss or a gradient that is not finite is an error that names the
//! first operation with such a value, and a batch whose loss is a spike is left out.
//!
//! A batch is computed in parts, the micro-batches, so that memory does not grow with it. Their losses are sums over the weight of
//! the *whole* batch, so they add up to its loss, and their gradients to its gradient; a mean of means would not. How
//! many parts there are, and in which order their gradients are added, depends on the configuration and the batch alone, so the
//! result has the same bits on any number of threads.

use super::{LossStatistics, diagnose};
use nn::Schedule;
use nn::optim::{Ema, MissingGradient, Optimizer, StepError, clip_factor};
use tensor::kernels::parallel;
use tensor::kernels::vmath::sum_of_squares;
use tensor::{DropoutSeeds, Grads, Params, Tape, Var, Workspace};

/// Tokens that are computed at a time where the configuration does not say: enough rows for the matrix
/// products to run at full speed, few enough for the activations to stay in the caches.
const TOKENS_AT_A_TIME: usize = 2048;

/// Rows of `time` tokens that are computed at a time.
pub(crate) fn rows_of_tokens(time: usize) -> usize {
    (TOKENS_AT_A_TIME / time).max(1)
}

/// Rows of a micro-batch, the largest of parts of a batch that are as equal as possible: `micro_batch` rows at most, or
/// [`rows_of_tokens`].
pub(crate) fn rows_at_a_time(batch_size: usize, time: usize, micro_batch: Option<usize>) -> usize {
    let max = micro_batch.unwrap_or_else(|| rows_of_tokens(time)).min(batch_size);
    batch_size.div_ceil(batch_size.div_ceil(max))
}

/// A batch, and the loss that is to become smaller.
pub trait BatchLoss: Sync {
    /// A micro-batch: what one tape computes.
    type Part: Send;

    /// The parts of the batch, at least one.
    fn parts(&self) -> Vec<Self::Part>;

    /// The loss of a part, a scalar: the sum of what its examples contribute to the loss of the whole batch, so that the
    /// losses of the parts add up to that.
    fn loss<'t>(&self, tape: &'t Tape<'_>, part: &Self::Part) -> Var<'t>;

    /// The number of the forward pass of part `part` of `parts` in update `iter`, of which its dropout masks are a
    /// function. Unique if every batch has the same number of parts.
    fn pass(&self, iter: u64, part: u64, parts: u64) -> u64 {
        iter * parts + part
    }
}

/// What an [`Engine`] does beside the steps of its optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineConfig {
    /// Where the masks of dropout start.
    pub seed: u64,
    /// The largest norm of the gradient; 0 for no limit.
    pub grad_clip: f64,
    /// Standard deviations above the mean from which a loss is a spike, whose batch is left out; 0 for never.
    pub spike_guard: f64,
    /// The decay of the average of the weights; 0 for none.
    pub ema: f64,
    /// Whether activations are computed again in the backward instead of kept.
    pub recompute: bool,
    /// Parts of a batch that may be computed side by side, on a thread each if there are enough of both. Part i is added to
    /// the gradients of lane `i % lanes`, and these are added up at the end: another number is another order of
    /// additions, so it is a setting and not what the machine has.
    pub lanes: usize,
}

/// What one update did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The loss of the batch before the update.
    pub loss: f64,
    /// The norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The learning rate.
    pub lr: f32,
    /// Whether the loss was a spike: the limit that it was above. Then no weight was changed.
    pub skipped: Option<f64>,
}

/// Why an update was not made, or must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// A loss or a gradient is not finite: the first operation with such a value. Nothing was changed.
    #[error("{0}")]
    NonFinite(String),
    /// The parameters of which a weight, or something that is remembered about it, is not finite after the update.
    #[error("not finite after the update: {0}")]
    Damaged(String),
    /// A part of the model is not used by the loss. Nothing was changed.
    #[error(transparent)]
    MissingGradient(#[from] MissingGradient),
}

impl From<StepError> for UpdateError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::MissingGradient(missing) => missing.into(),
            StepError::NonFinite { names } => Self::Damaged(names.join(", ")),
        }
    }
}

/// Makes updates. The state between updates, except the parameters, the update count and the batch.
pub struct Engine {
    config: EngineConfig,
    schedule: Schedule,
    pub(crate) optimizer: Box<dyn Optimizer>,
    pub(crate) ema: Option<Ema>,
    pub(crate) losses: LossStatistics,
    /// At least one; more when a batch has more parts.
    pub(super) lanes: Vec<Lane>,
}

/// Where some parts of a batch are computed, one after the other.
pub(super) struct Lane {
    pub(super) grads: Grads,
    pub(super) workspace: Workspace,
}

impl Lane {
    fn new(params: &Params) -> Self {
        Self { grads: Grads::new(params), workspace: Workspace::new() }
    }
}

impl Engine {
    /// For these parameters, of which the optimizer knows those that will be trained.
    #[must_use]
    pub fn new(
        params: &Params,
        optimizer: Box<dyn Optimizer>,
        schedule: Schedule,
        config: EngineConfig,
    ) -> Self {
        Self {
            ema: (config.ema > 0.0).then(|| Ema::new(params, config.ema)),
            losses: LossStatistics::default(),
            lanes: vec![Lane::new(params)],
            config,
            schedule,
            optimizer,
        }
    }

    /// Computes the gradient of a batch and updates the trainable parameters. `iter` is the number of the update, counted
    /// from 0.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn update<L: BatchLoss>(
        &mut self,
        params: &mut Params,
        iter: u64,
        batch: &L,
    ) -> Result<Update, UpdateError> {
        parallel::awake(|| {
            let loss = self.gradients(params, iter, batch);
            self.finish(params, iter, batch, loss)
        })
    }

    /// The loss of a batch; its gradient goes to the first lane.
    pub(super) fn gradients<L: BatchLoss>(&mut self, params: &Params, iter: u64, batch: &L) -> f64 {
        let parts = self.parts(iter, batch);
        let lanes = parts.len().min(self.config.lanes.max(1));
        while self.lanes.len() < lanes {
            self.lanes.push(Lane::new(params));
        }
        let mut losses = vec![0.0; parts.len()];
        let mut work: Vec<_> = self.lanes[..lanes].iter_mut().map(|lane| (lane, Vec::new())).collect();
        for (i, part) in parts.into_iter().zip(&mut losses).enumerate() {
            work[i % lanes].1.push(part);
        }
        let recompute = self.config.recompute;
        parallel::side_by_side(work, |(Lane { grads, workspace }, parts)| {
            grads.clear();
            for ((part, seeds), loss) in parts {
                let tape = match recompute {
                    true => Tape::recomputing(params, workspace),
                    false => Tape::new(params, workspace),
                };
                let tape = tape.with_dropout(seeds);
                let part_loss = batch.loss(&tape, &part);
                part_loss.backward(grads);
                *loss = f64::from(part_loss.item());
            }
        });
        let (first, others) = self.lanes[..lanes].split_first_mut().expect("a part");
        others.iter().for_each(|lane| first.grads.add(&lane.grads));
        losses.iter().sum()
    }

    /// The parts of a batch, each with the seeds of its dropout masks.
    fn parts<L: BatchLoss>(&self, iter: u64, batch: &L) -> Vec<(L::Part, DropoutSeeds)> {
        let parts = batch.parts();
        let pass = |part: usize| batch.pass(iter, part as u64, parts.len() as u64);
        let seeds: Vec<_> = (0..parts.len()).map(|i| DropoutSeeds::new(self.config.seed, pass(i))).collect();
        parts.into_iter().zip(seeds).collect()
    }

    /// The rest of an update, when the loss and the gradient are known.
    pub(super) fn finish<L: BatchLoss>(
        &mut self,
        params: &mut Params,
        iter: u64,
        batch: &L,
        loss: f64,
    ) -> Result<Update, UpdateError> {
        let grad_norm = self.lanes[0].grads.norm();
        if !(loss.is_finite() && grad_norm.is_finite()) {
            return Err(self.non_finite(params, iter, batch));
        }
        let lr = self.schedule.lr(iter);
        let skipped = self.spike(loss);
        if skipped.is_none() {
            self.apply(params, lr, grad_norm)?;
        }
        Ok(Update { loss, grad_norm, lr, skipped })
    }

    /// Whether a loss is a spike: then the limit that it is above.
    fn spike(&mut self, loss: f64) -> Option<f64> {
        let deviations = self.config.spike_guard;
        if deviations == 0.0 {
            return None;
        }
        let limit = self.losses.limit(deviations);
        self.losses.see(loss, limit);
        (loss > limit).then_some(limit)
    }

    /// The update of the weights by the gradient in the first lane.
    fn apply(&mut self, params: &mut Params, lr: f32, grad_norm: f64) -> Result<(), UpdateError> {
        let factor = match self.config.grad_clip {
            0.0 => 1.0, // no limit, as in nanoGPT
            max_norm => clip_factor(grad_norm, max_norm),
        };
        self.optimizer.step_scaled(params, &self.lanes[0].grads, lr, factor)?;
        if let Some(ema) = &mut self.ema {
            ema.update(params, self.optimizer.step_count())?;
        }
        check_frozen(params)
    }

    #[cold]
    fn non_finite<L: BatchLoss>(&self, params: &Params, iter: u64, batch: &L) -> UpdateError {
        let what = self.parts(iter, batch).iter().find_map(|(part, seeds)| {
            diagnose::first_non_finite(params, seeds.clone(), |tape| batch.loss(tape, part))
        });
        let overflow = || "the sum of the squares of the gradients overflows".to_string();
        UpdateError::NonFinite(what.unwrap_or_else(overflow))
    }

    /// The weights that are evaluated and saved: the average of `params`, if one is kept and there was an update, else
    /// `params`, which are trained.
    #[must_use]
    pub fn averaged<'a>(&'a self, params: &'a Params) -> &'a Params {
        match &self.ema {
            Some(ema) if self.optimizer.step_count() > 0 => ema.params(),
            _ => params,
        }
    }

    /// The learning rate of an update.
    #[must_use]
    pub fn lr(&self, iter: u64) -> f32 {
        self.schedule.lr(iter)
    }
}

/// The optimizer looks at every number that it writes; what is frozen it does not read. That is left to this pass, which
/// costs less than the update that is not made.
fn check_frozen(params: &Params) -> Result<(), UpdateError> {
    let frozen = params.ids().filter(|&id| !params.is_trainable(id));
    let mut damaged = frozen.filter(|&id| !sum_of_squares(params.data(id)).is_finite());
    match damaged.next() {
        None => Ok(()),
        Some(id) => Err(UpdateError::Damaged(params.name(id).to_string())),
    }
}
