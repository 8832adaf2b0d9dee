//! The forward, in the order of `gpt::Gpt::logits`.

use super::{Hand, KeptBlock, KeptNorm, mlp_weights, norm_weight, problem, targets};
use data::Batch;
use gpt::{Block, Gpt};
use nn::Norm;
use tensor::kernels::attention::{self, Intervals};
use tensor::kernels::cross_entropy::cross_entropy_forward;
use tensor::kernels::embedding::gather_rows_with_positions;
use tensor::kernels::feed_forward::feed_forward_forward;
use tensor::kernels::gemm::{Init, Mat, gemm};
use tensor::kernels::layer_norm::layer_norm_forward;
use tensor::kernels::vmath::add_assign;
use tensor::{ParamId, Params};

impl Hand {
    /// The loss of a batch.
    pub(super) fn forward(&mut self, batch: &Batch) -> f32 {
        let Self { params, model, intervals, rows, kept, scratch, .. } = self;
        let (c, t, v) = (model.config.n_embd, model.config.block_size, model.config.vocab_size);
        assert_eq!(batch.ids.len(), *rows, "a batch of the size that buffers were made for");
        let (wte, wpe) =
            (params.data(model.wte.weight), params.data(model.wpe.expect("learned positions").weight));
        gather_rows_with_positions(wte, wpe, &batch.ids, t, c, &mut kept.embedded);
        let mut x = &kept.embedded;
        for (block, kept) in model.h.iter().zip(&mut kept.blocks) {
            block_forward(model, block, params, intervals, x, kept, &mut scratch.a);
            x = &kept.out;
        }
        norm(&model.ln_f, params, x, &mut kept.ln_f);
        linear(model.lm_head.weight, params, &kept.ln_f.y, &mut kept.logits);
        cross_entropy_forward(&kept.logits, v, targets(batch), &mut kept.max, &mut kept.rest)
    }
}

fn block_forward(
    model: &Gpt,
    block: &Block,
    params: &Params,
    intervals: &Intervals,
    x: &[f32],
    kept: &mut KeptBlock,
    a: &mut [f32],
) {
    // middle = x + attn(ln_1(x))
    norm(&block.ln_1, params, x, &mut kept.ln_1);
    linear(block.attn.c_attn.weight, params, &kept.ln_1.y, &mut kept.qkv);
    attention::forward(&problem(model, intervals, &kept.qkv), &mut kept.y, &mut kept.lse);
    linear(block.attn.c_proj.weight, params, &kept.y, &mut kept.middle);
    add_assign(&mut kept.middle, x);
    // out = middle + mlp(ln_2(middle))
    norm(&block.ln_2, params, &kept.middle, &mut kept.ln_2);
    let c = model.config.n_embd;
    let normed = Mat::new(&kept.ln_2.y, x.len() / c, c);
    feed_forward_forward(normed, &mlp_weights(model, block, params), &mut kept.h, a, &mut kept.out);
    add_assign(&mut kept.out, &kept.middle);
}

/// y = x W^T
fn linear(weight: ParamId, params: &Params, x: &[f32], y: &mut [f32]) {
    let (n, k) = (params.shape(weight)[0], params.shape(weight)[1]);
    gemm(y, Mat::new(x, x.len() / k, k), Mat::new(params.data(weight), n, k).t(), Init::Zero);
}

fn norm(layer: &Norm, params: &Params, x: &[f32], kept: &mut KeptNorm) {
    let Norm::LayerNorm(nn::LayerNorm { eps, .. }) = layer else { unreachable!("checked by Hand::new") };
    let weight = params.data(norm_weight(layer));
    layer_norm_forward(x, weight, None, *eps, &mut kept.y, &mut kept.mean, &mut kept.rstd);
}
