//! Muon: steps of one size in every direction, for the matrices inside a network.

use super::adam::MOMENTS;
use super::orthogonal::{Scratch, orthogonalise};
use super::rule::{Piece, Rule, flush_subnormal};
use super::{AdamWConfig, Group, Optimizer, Slots, StateError, StepError, usual_group};
use tensor::kernels::simd::Simd;
use tensor::{AlignedVec, Grads, ParamId, Params};

/// Settings of [`Muon`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonConfig {
    /// The learning rate of the matrices as a multiple of that of [`Optimizer::step`], which is AdamW's: both follow
    /// one schedule. Muon's own is usually about 0.02 at its peak.
    pub lr_ratio: f64,
    /// How much of the mean of the gradients is kept at each step.
    pub momentum: f64,
    /// Steps of the iteration that makes an update orthogonal.
    pub iters: usize,
    /// The part of a matrix that a step with learning rate 1 would take away.
    pub weight_decay: f64,
    /// For all other parameters.
    pub adamw: AdamWConfig,
}

impl Default for MuonConfig {
    /// Jordan's: momentum 0.95, 5 iterations; 20 times the learning rate of AdamW (0.02 beside 1e-3) and AdamW's
    /// weight decay.
    fn default() -> Self {
        let adamw = AdamWConfig::default();
        Self { lr_ratio: 20.0, momentum: 0.95, iters: 5, weight_decay: adamw.weight_decay, adamw }
    }
}

/// Muon (Jordan 2024, <https://kellerjordan.github.io/posts/muon/>) for chosen matrices, and [`AdamW`](super::AdamW)
/// for all other parameters:
///
/// ```text
/// v = momentum v + (1 - momentum) g              the mean of g, 0 at first
/// u = momentum v + (1 - momentum) g              Nesterov's look ahead
/// o = u with all its singular values about 1     (their direction stays: see below)
/// p = p - lr weight_decay p - lr sqrt(max(1, rows / cols)) o
/// ```
///
/// The gradient of a matrix inside a network is a sum of few outer products: most of its length lies in a few
/// directions, and a step along it moves those and hardly anything else. The orthogonal matrix nearest to it moves
/// all directions equally far. It is the steepest descent where the length of a step is measured by the largest
/// singular value. The factor is Jordan's; it makes steps of tall matrices, whose orthogonal matrix has smaller
/// elements, as large at their output as those of square ones.
///
/// Neither embeddings nor the head are for Muon: a step there concerns few rows, those of the tokens that were seen.
///
/// A parameter may hold several matrices, one above the other, such as `c_attn` with queries, keys and values. Each is
/// made orthogonal by itself, because the sizes of their gradients have nothing to do with each other: in `nano-cpu` on
/// 80 kB of stories, the gradient of the values was 70 to 110 times as long as that of the queries at the start, 3 to 10
/// times after 300 steps. In a stack the direction of the largest would be that of the whole, and queries and keys
/// would hardly move.
///
/// Remembers one number an element of the matrices (`momentum_buffer`), two of all others. A step costs, for `n` the
/// shorter side and `m` the longer, `iters` times `2 m n + n^2` times `n` multiply-adds.
pub struct Muon {
    config: MuonConfig,
    /// The rows of each matrix in a parameter, by [`ParamId::index`]; none for what is AdamW's.
    stacks: Vec<Vec<usize>>,
    momentum: Slots<1>,
    moments: Slots<2>,
    update: AlignedVec,
    scratch: Scratch,
    step_count: u64,
}

impl Muon {
    /// For the trainable ones of these parameters. `stack` says which of them are Muon's: it answers the rows of each of
    /// the matrices that lie one above the other in a parameter, or nothing for AdamW.
    ///
    /// # Panics
    /// If the rows do not add up to those of a matrix.
    #[track_caller]
    #[must_use]
    pub fn new(params: &Params, config: MuonConfig, stack: impl Fn(&Params, ParamId) -> Vec<usize>) -> Self {
        Self::with_groups(params, config, stack, usual_group)
    }

    /// The same with another choice of AdamW's parameters, of those that decay, or with learning rates of their own.
    ///
    /// # Panics
    /// As [`Muon::new`].
    #[track_caller]
    #[must_use]
    pub fn with_groups(
        params: &Params,
        config: MuonConfig,
        stack: impl Fn(&Params, ParamId) -> Vec<usize>,
        group: impl Fn(&Params, ParamId) -> Option<Group>,
    ) -> Self {
        let stacks: Vec<Vec<usize>> = params.ids().map(|id| stack(params, id)).collect();
        for id in params.ids().filter(|id| !stacks[id.index()].is_empty()) {
            let (shape, rows) = (params.shape(id), &stacks[id.index()]);
            let fits = shape.len() == 2 && rows.iter().sum::<usize>() == shape[0];
            assert!(fits, "Muon: expected matrices of {rows:?} rows; found {} {shape}", params.name(id));
        }
        let is_muons = |id: ParamId| !stacks[id.index()].is_empty();
        let muons = |params: &Params, id| group(params, id).filter(|_| is_muons(id));
        let adams = |params: &Params, id| group(params, id).filter(|_| !is_muons(id));
        let longest = params.ids().filter(|&id| is_muons(id)).map(|id| params.data(id).len()).max();
        Self {
            config,
            momentum: Slots::new(params, ["momentum_buffer"], muons),
            moments: Slots::new(params, MOMENTS, adams),
            update: AlignedVec::zeros(longest.unwrap_or(0)),
            scratch: Scratch::default(),
            stacks,
            step_count: 0,
        }
    }

    /// One step of one matrix, or of several in one parameter. Whether all that it wrote is finite.
    fn step_matrices(
        &mut self,
        id: ParamId,
        param: &mut [f32],
        grad: &[f32],
        cols: usize,
        step: Step,
    ) -> bool {
        let MuonConfig { momentum, iters, weight_decay, .. } = self.config;
        let update = &mut self.update[..param.len()];
        let rule =
            Nesterov { keep: momentum as f32, take: (1.0 - momentum) as f32, grad_scale: step.grad_scale };
        let [state] = self.momentum.of(id);
        let mut finite = Piece { rule, param: &mut *update, grad, state: [state] }.update_all();
        let mut first = 0;
        for &rows in &self.stacks[id.index()] {
            let here = first..first + rows * cols;
            first = here.end;
            let direction = &mut update[here.clone()];
            orthogonalise(direction, rows, cols, iters, &mut self.scratch);
            let scale = (rows as f64 / cols as f64).max(1.0).sqrt();
            let rule = Descend { shrink: (step.lr * weight_decay) as f32, step: (step.lr * scale) as f32 };
            finite &= Piece { rule, param: &mut param[here], grad: direction, state: [] }.update_all();
        }
        finite
    }
}

/// What is the same for all matrices of a step.
#[derive(Clone, Copy)]
struct Step {
    lr: f64,
    grad_scale: f32,
}

/// The look ahead goes to where the parameter would be.
#[derive(Clone, Copy)]
struct Nesterov {
    keep: f32,
    take: f32,
    grad_scale: f32,
}

impl Rule<1> for Nesterov {
    #[inline(always)]
    fn update<S: Simd>(self, s: S, _: S::V, g: S::V, [v]: [S::V; 1]) -> (S::V, [S::V; 1]) {
        let g = s.mul(g, s.splat(self.grad_scale));
        let (keep, taken) = (s.splat(self.keep), s.mul(g, s.splat(self.take)));
        let v = flush_subnormal(s, s.fma(keep, v, taken));
        (s.fma(keep, v, taken), [v])
    }
}

/// p = p - shrink p - step o
#[derive(Clone, Copy)]
struct Descend {
    shrink: f32,
    step: f32,
}

impl Rule<0> for Descend {
    #[inline(always)]
    fn update<S: Simd>(self, s: S, p: S::V, o: S::V, _: [S::V; 0]) -> (S::V, [S::V; 0]) {
        let p = s.fma(s.splat(-self.shrink), p, p);
        (s.fma(s.splat(-self.step), o, p), [])
    }
}

impl Optimizer for Muon {
    fn step_scaled(
        &mut self,
        params: &mut Params,
        grads: &Grads,
        lr: f32,
        grad_scale: f32,
    ) -> Result<(), StepError> {
        let adamw = self.config.adamw;
        self.moments.update(params, grads, |_, group, t| adamw.rule(group, lr, grad_scale, t))?;
        let step = Step { lr: f64::from(lr) * self.config.lr_ratio, grad_scale };
        let mut damaged = Vec::new();
        for id in params.ids() {
            if params.is_trainable(id) && !self.stacks[id.index()].is_empty() {
                let (grad, cols) = (grads.get(id).expect("checked above"), params.shape(id)[1]);
                if !self.step_matrices(id, params.data_mut(id), grad, cols, step) {
                    damaged.push(id);
                }
            }
        }
        self.step_count += 1;
        StepError::unless_finite(damaged.into_iter().map(|id| params.name(id)))
    }

    fn step_count(&self) -> u64 {
        self.step_count
    }

    fn state(&self) -> Vec<(String, &[f32])> {
        let mut state = self.momentum.state();
        state.extend(self.moments.state_with_steps(self.step_count));
        state
    }

    fn load_state(&mut self, step_count: u64, state: &[(String, &[f32])]) -> Result<(), StateError> {
        let is_momentum = |(name, _): &&(String, &[f32])| name.starts_with("momentum_buffer.");
        let (momentum, moments): (Vec<_>, Vec<_>) = state.iter().partition(is_momentum);
        let momentum = self.momentum.matched(momentum)?;
        self.moments.load_state_with_steps(step_count, moments)?;
        self.momentum.put(momentum);
        self.step_count = step_count;
        Ok(())
    }
}
