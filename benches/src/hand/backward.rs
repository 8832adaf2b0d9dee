//! The backward: the forward's lines in reverse order, each replaced by its gradients.

use super::{Hand, KeptBlock, KeptNorm, Scratch, mlp_weights, norm_weight, problem, targets};
use data::Batch;
use gpt::{Block, Gpt};
use nn::Norm;
use tensor::kernels::attention::{self, Intervals};
use tensor::kernels::cross_entropy::cross_entropy_gradient_in_place;
use tensor::kernels::embedding::scatter_rows;
use tensor::kernels::feed_forward::{WeightGrads, feed_forward_backward};
use tensor::kernels::gemm::{Init, Mat, gemm};
use tensor::kernels::layer_norm::layer_norm_backward;
use tensor::{Accum, AlignedVec, Grad, ParamId, Params};

impl Hand {
    /// The gradients of the forward's loss.
    pub(super) fn backward(&mut self, batch: &Batch) {
        let Self { params, grads, model, intervals, kept, scratch, .. } = self;
        let (c, t, v) = (model.config.n_embd, model.config.block_size, model.config.vocab_size);
        let stats = (&kept.max[..], &kept.rest[..]);
        cross_entropy_gradient_in_place(&mut kept.logits, v, targets(batch), stats, 1.0, None);
        let head = model.lm_head.weight;
        linear(head, params, &kept.ln_f.y, &kept.logits, &mut scratch.dnormed, grads);
        let x = kept.blocks.last().map_or(&kept.embedded, |block| &block.out);
        norm(&model.ln_f, params, x, &kept.ln_f, scratch, Accum::Replace, grads);
        for i in (0..model.h.len()).rev() {
            let x = if i == 0 { &kept.embedded } else { &kept.blocks[i - 1].out };
            block_backward(model, &model.h[i], params, intervals, x, &kept.blocks[i], scratch, grads);
        }
        // The head's gradient is there already: the embedding's is added to it.
        let (wte, wpe) = (model.wte.weight.index(), model.wpe.expect("learned positions").weight.index());
        scatter_rows(&scratch.dx, batch.ids.iter().copied(), c, &mut add(&mut grads[wte]));
        let positions = (0..batch.ids.len()).map(|i| (i % t) as u32);
        scatter_rows(&scratch.dx, positions, c, &mut set(&mut grads[wpe]));
    }
}

fn block_backward(
    model: &Gpt,
    block: &Block,
    params: &Params,
    intervals: &Intervals,
    x: &[f32],
    kept: &KeptBlock,
    scratch: &mut Scratch,
    grads: &mut [AlignedVec],
) {
    // out = middle + mlp(ln_2(middle)): the gradient of out is also one of middle, and stays in dx
    mlp(model, block, params, kept, scratch, grads);
    norm(&block.ln_2, params, &kept.middle, &kept.ln_2, scratch, Accum::Add, grads);
    // middle = x + attn(ln_1(x)): the same
    linear(block.attn.c_proj.weight, params, &kept.y, &scratch.dx, &mut scratch.dy, grads);
    let problem = problem(model, intervals, &kept.qkv);
    attention::backward(&problem, &kept.y, &kept.lse, &scratch.dy, &mut set(&mut scratch.dqkv));
    let c_attn = block.attn.c_attn.weight;
    linear(c_attn, params, &kept.ln_1.y, &scratch.dqkv, &mut scratch.dnormed, grads);
    norm(&block.ln_1, params, x, &kept.ln_1, scratch, Accum::Add, grads);
}

/// From dx to dnormed and the gradients of the layer's two matrices.
fn mlp(
    model: &Gpt,
    block: &Block,
    params: &Params,
    kept: &KeptBlock,
    scratch: &mut Scratch,
    grads: &mut [AlignedVec],
) {
    let Scratch { a, dh, dx, dnormed, .. } = scratch;
    let places = [block.mlp.c_fc.weight.index(), block.mlp.c_proj.weight.index()];
    let [c_fc, c_proj] = grads.get_disjoint_mut(places).expect("two parameters");
    let (mut c_fc, mut c_proj) = (set(c_fc), set(c_proj));
    let weights = mlp_weights(model, block, params);
    let grads =
        WeightGrads { c_fc: Some(&mut c_fc), c_fc_bias: None, c_proj: Some(&mut c_proj), c_proj_bias: None };
    let c = model.config.n_embd;
    let normed = Mat::new(&kept.ln_2.y, kept.ln_2.y.len() / c, c);
    feed_forward_backward(normed, &weights, &kept.h, dx, a, dh, Some(&mut set(dnormed)), grads);
}

/// y = x W^T: dx = dy W, dW = dy^T x
fn linear(weight: ParamId, params: &Params, x: &[f32], dy: &[f32], dx: &mut [f32], grads: &mut [AlignedVec]) {
    let (n, k) = (params.shape(weight)[0], params.shape(weight)[1]);
    let rows = x.len() / k;
    gemm(dx, Mat::new(dy, rows, n), Mat::new(params.data(weight), n, k), Init::Zero);
    gemm(&mut grads[weight.index()], Mat::new(dy, rows, n).t(), Mat::new(x, rows, k), Init::Zero);
}

/// From dnormed to dx, and the gradient of the norm's weight.
fn norm(
    layer: &Norm,
    params: &Params,
    x: &[f32],
    kept: &KeptNorm,
    scratch: &mut Scratch,
    accum: Accum,
    grads: &mut [AlignedVec],
) {
    let weight = norm_weight(layer);
    let Scratch { dx, dnormed, norm, .. } = scratch;
    let (mut dx, mut dweight) = (Grad { to: dx, accum }, set(&mut grads[weight.index()]));
    let stats = (&kept.mean[..], &kept.rstd[..]);
    layer_norm_backward(
        x,
        params.data(weight),
        stats,
        dnormed,
        Some(&mut dx),
        Some(&mut dweight),
        None,
        norm,
    );
}

fn set(to: &mut [f32]) -> Grad<'_> {
    Grad { to, accum: Accum::Replace }
}

fn add(to: &mut [f32]) -> Grad<'_> {
    Grad { to, accum: Accum::Add }
}
