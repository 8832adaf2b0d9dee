//! A training step scheduled by hand: what the tape is held against.
//!
//! The same kernels on the same parameters, called one after the other on buffers that were allocated before:
//! no tape, no operations, no pool. It is what one would write for this one model and never change, as in
//! llm.c, and so a lower bound for the time of a step. It also saves what a tape cannot know that it might:
//! sums along the residual stream are added in place, and the stream's gradient has one buffer.
//!
//! Results are the tape's to the last bit; [`Hand::check`] holds it to that before anything is timed.
//!
//! Only the model of the measurements: LayerNorm, GELU, no biases, no dropout, tied head, one micro-batch.

mod adamw;
mod backward;
mod check;
mod forward;

use adamw::AdamW;
use data::Batch;
use gpt::config::{Config, Norm};
use gpt::{Block, Gpt};
use nn::optim::clip_factor;
use tensor::kernels::attention::{Intervals, Problem};
use tensor::kernels::cross_entropy::{Regularizer, Targets};
use tensor::kernels::feed_forward::Weights;
use tensor::kernels::layer_norm::layer_norm_scratch;
use tensor::kernels::vmath::sum_of_squares;
use tensor::{AlignedVec, ParamId, Params};

/// A model in training by hand.
pub struct Hand {
    /// The parameters.
    pub params: Params,
    grads: Vec<AlignedVec>, // by ParamId::index
    model: Gpt,
    intervals: Intervals,
    rows: usize, // B T
    kept: Kept,
    scratch: Scratch,
    optimizer: AdamW,
    grad_clip: f64,
}

/// What the forward keeps for the backward.
struct Kept {
    embedded: AlignedVec, // (B, T, C)
    blocks: Vec<KeptBlock>,
    ln_f: KeptNorm,
    logits: AlignedVec, // (B, T, V); in the backward their gradient
    max: AlignedVec,    // (B, T)
    rest: AlignedVec,   // (B, T)
}

/// What the forward keeps of one block.
struct KeptBlock {
    ln_1: KeptNorm,
    qkv: AlignedVec,    // (B, T, 3C)
    y: AlignedVec,      // (B, T, C)
    lse: AlignedVec,    // (B, NH, T)
    middle: AlignedVec, // (B, T, C): the residual stream after attention
    ln_2: KeptNorm,
    h: AlignedVec,   // (B, T, F)
    out: AlignedVec, // (B, T, C): the residual stream after the block
}

/// A norm's output and its statistics.
struct KeptNorm {
    y: AlignedVec,    // (B, T, C)
    mean: AlignedVec, // (B, T)
    rstd: AlignedVec, // (B, T)
}

/// Used again in every block.
struct Scratch {
    a: AlignedVec,       // (B, T, F)
    dh: AlignedVec,      // (B, T, F)
    dx: AlignedVec,      // (B, T, C): the gradient of the residual stream
    dnormed: AlignedVec, // (B, T, C)
    dy: AlignedVec,      // (B, T, C)
    dqkv: AlignedVec,    // (B, T, 3C)
    norm: AlignedVec,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The loss before the update.
    pub loss: f32,
    /// The norm of the gradient before clipping.
    pub grad_norm: f64,
}

impl Hand {
    /// The same model with a copy of the same parameters, as the first step of a trainer finds them.
    ///
    /// # Panics
    /// If the model is not of the kind described above.
    #[must_use]
    pub fn new(config: &Config, model: &Gpt, params: &Params) -> Self {
        let (m, train) = (&config.model, &config.train);
        let known = m.norm == Norm::LayerNorm && !m.bias && m.dropout == 0.0 && m.tied;
        assert!(known, "the step by hand knows one kind of model: {m:?}");
        let rows = train.batch_size * m.block_size;
        Self {
            params: params.clone(),
            grads: params.ids().map(|id| AlignedVec::zeros(params.data(id).len())).collect(),
            model: model.clone(),
            intervals: Intervals::causal(m.block_size),
            rows,
            kept: Kept::new(model, rows),
            scratch: Scratch::new(model, rows),
            optimizer: AdamW::new(params, train),
            grad_clip: train.grad_clip,
        }
    }

    /// One update.
    pub fn step(&mut self, batch: &Batch, lr: f32) -> Step {
        let loss = self.forward(batch);
        self.backward(batch);
        let grad_norm = self.grads.iter().map(|g| sum_of_squares(g)).sum::<f64>().sqrt();
        self.optimizer.step(&mut self.params, &self.grads, lr, clip_factor(grad_norm, self.grad_clip));
        Step { loss, grad_norm }
    }
}

fn targets(batch: &Batch) -> Targets<'_> {
    let (total_weight, regularizer) = (batch.total_weight() as f32, Regularizer::NONE);
    Targets { ids: &batch.labels, weights: &batch.weights, total_weight, regularizer }
}

fn problem<'a>(model: &Gpt, intervals: &'a Intervals, qkv: &'a [f32]) -> Problem<'a> {
    let c = &model.config;
    let batch = qkv.len() / (3 * c.n_embd * c.block_size);
    let head_size = c.n_embd / c.n_head;
    Problem {
        qkv,
        batch,
        time: c.block_size,
        n_head: c.n_head,
        n_kv_head: c.n_head,
        head_size,
        intervals,
        dropout: None,
    }
}

fn mlp_weights<'a>(model: &Gpt, block: &Block, params: &'a Params) -> Weights<'a> {
    Weights {
        c_fc: params.data(block.mlp.c_fc.weight),
        c_fc_bias: None,
        c_proj: params.data(block.mlp.c_proj.weight),
        c_proj_bias: None,
        hidden: model.config.feed_forward_width(),
        activation: model.activation(),
    }
}

/// The weight of a norm.
fn norm_weight(norm: &nn::Norm) -> ParamId {
    match norm {
        nn::Norm::LayerNorm(norm) => norm.weight,
        nn::Norm::RmsNorm(norm) => norm.weight,
    }
}

impl Kept {
    fn new(model: &Gpt, rows: usize) -> Self {
        let (c, f) = (model.config.n_embd, model.config.feed_forward_width());
        let of = |width: usize| AlignedVec::zeros(rows * width);
        let norm = || KeptNorm { y: of(c), mean: of(1), rstd: of(1) };
        let block = |_: &Block| KeptBlock {
            ln_1: norm(),
            qkv: of(3 * c),
            y: of(c),
            lse: of(model.config.n_head),
            middle: of(c),
            ln_2: norm(),
            h: of(f),
            out: of(c),
        };
        Self {
            embedded: of(c),
            blocks: model.h.iter().map(block).collect(),
            ln_f: norm(),
            logits: of(model.config.vocab_size),
            max: of(1),
            rest: of(1),
        }
    }
}

impl Scratch {
    fn new(model: &Gpt, rows: usize) -> Self {
        let (c, f) = (model.config.n_embd, model.config.feed_forward_width());
        let of = |width: usize| AlignedVec::zeros(rows * width);
        Self {
            a: of(f),
            dh: of(f),
            dx: of(c),
            dnormed: of(c),
            dy: of(c),
            dqkv: of(3 * c),
            norm: AlignedVec::zeros(layer_norm_scratch(rows, c)),
        }
    }
}
