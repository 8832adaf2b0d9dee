//! burn's side of compare.py: the GPT of ../gpt_torch.py, trained on burn's own CPU backend.

#[path = "../../protocol.rs"]
mod protocol;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData, module};
use protocol::{Config, Training, VOCAB, random_ids, serve};

fn main() {
    serve("burn 0.22.1 flex", |config| Ok(Peer::new(config)));
}

#[derive(Module, Debug)]
struct Block {
    ln_1: LayerNorm,
    c_attn: Linear,
    attn_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    mlp_proj: Linear,
}

impl Block {
    fn new(config: Config, device: &Device) -> Self {
        let c = config.n_embd;
        let linear = |from, to, std| {
            let initializer = Initializer::Normal { mean: 0.0, std };
            LinearConfig::new(from, to).with_bias(false).with_initializer(initializer).init(device)
        };
        let norm = || LayerNormConfig::new(c).with_bias(false).init(device);
        // Less where a block writes to the residual stream, whose variance so many writes add up to.
        let last = 0.02 / (2.0 * config.n_layer as f64).sqrt();
        Self {
            ln_1: norm(),
            c_attn: linear(c, 3 * c, 0.02),
            attn_proj: linear(c, c, last),
            ln_2: norm(),
            c_fc: linear(c, 4 * c, 0.02),
            mlp_proj: linear(4 * c, c, last),
        }
    }

    fn forward(&self, x: Tensor<3>, mask: Tensor<4>, n_head: usize) -> Tensor<3> {
        let [b, t, c] = x.dims();
        let hs = c / n_head;
        let qkv = self.c_attn.forward(self.ln_1.forward(x.clone()));
        let mut heads =
            qkv.chunk(3, 2).into_iter().map(|part| part.reshape([b, t, n_head, hs]).swap_dims(1, 2));
        let mut next = || heads.next().expect("three parts");
        let (q, k, v) = (next(), next(), next());
        // burn's own attention() has no backward: its autodiff takes it apart into more operations than these.
        let scores = (q * (hs as f64).sqrt().recip()).matmul(k.swap_dims(2, 3)) + mask;
        let y = softmax(scores, 3).matmul(v).swap_dims(1, 2).reshape([b, t, c]);
        let x = x + self.attn_proj.forward(y);
        x.clone() + self.mlp_proj.forward(gelu(self.c_fc.forward(self.ln_2.forward(x))))
    }
}

#[derive(Module, Debug)]
struct Gpt {
    wte: Embedding,
    wpe: Embedding,
    h: Vec<Block>,
    ln_f: LayerNorm,
}

impl Gpt {
    fn new(config: Config, device: &Device) -> Self {
        let embedding = |count| {
            let initializer = Initializer::Normal { mean: 0.0, std: 0.02 };
            EmbeddingConfig::new(count, config.n_embd).with_initializer(initializer).init(device)
        };
        Self {
            wte: embedding(VOCAB),
            wpe: embedding(config.block_size),
            h: (0..config.n_layer).map(|_| Block::new(config, device)).collect(),
            ln_f: LayerNormConfig::new(config.n_embd).with_bias(false).init(device),
        }
    }

    /// Logits, one row a position.
    fn forward(&self, ids: Tensor<2, Int>, mask: Tensor<4>, n_head: usize) -> Tensor<2> {
        let [b, t] = ids.dims();
        let mut x = self.wte.forward(ids) + self.wpe.weight.val().unsqueeze::<3>();
        for block in &self.h {
            x = block.forward(x, mask.clone(), n_head);
        }
        let logits = module::linear(self.ln_f.forward(x), self.wte.weight.val().transpose(), None);
        logits.reshape([b * t, VOCAB])
    }
}

struct Peer {
    model: Option<Gpt>,
    optimizer: ModuleOptimizer,
    loss: CrossEntropyLoss,
    ids: Tensor<2, Int>,
    labels: Tensor<1, Int>,
    mask: Tensor<4>,
    n_head: usize,
}

impl Peer {
    fn new(config: Config) -> Self {
        let Config { batch, block_size, .. } = config;
        let device = Device::flex().autodiff();
        device.seed(0);
        let adamw = AdamWConfig::new().with_beta_2(0.99).with_epsilon(1e-8);
        // LayerNorms do not decay.
        let optimizer = adamw.clone().with_weight_decay(0.1).init().with_group(
            ParamGroup::from_predicate("gamma"),
            adamw.with_weight_decay(0.0).build(),
            None,
        );
        let count = batch * block_size;
        let ids = TensorData::new(random_ids(count, 1), [batch, block_size]);
        let causal = (0..block_size * block_size)
            .map(|i| if i % block_size > i / block_size { f32::NEG_INFINITY } else { 0.0 })
            .collect::<Vec<f32>>();
        Self {
            model: Some(Gpt::new(config, &device)),
            optimizer,
            loss: CrossEntropyLossConfig::new().init(&device),
            ids: Tensor::from_data(ids, &device),
            labels: Tensor::from_data(TensorData::new(random_ids(count, 2), [count]), &device),
            mask: Tensor::from_data(TensorData::new(causal, [1, 1, block_size, block_size]), &device),
            n_head: config.n_head,
        }
    }
}

impl Training for Peer {
    fn step(&mut self) -> Result<f32, String> {
        let model = self.model.take().ok_or("an earlier step failed")?;
        let logits = model.forward(self.ids.clone(), self.mask.clone(), self.n_head);
        let loss = self.loss.forward(logits, self.labels.clone());
        let mut grads = GradientsParams::from_grads(loss.backward(), &model);
        clip(&model, &mut grads);
        self.model = Some(self.optimizer.step(1e-3, model, grads));
        Ok(loss.into_scalar::<f32>())
    }
}

/// Scales the gradients to the global norm 1 if theirs is greater; burn's own clipping goes by each parameter's norm.
fn clip(model: &Gpt, grads: &mut GradientsParams) {
    let mut squares = Squares { grads, sum: 0.0 };
    model.visit(&mut squares);
    let norm = squares.sum.sqrt();
    if norm > 1.0 {
        model.visit(&mut Scale { grads, factor: 1.0 / norm });
    }
}

struct Squares<'a> {
    grads: &'a GradientsParams,
    sum: f32,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.sum += grad.square().sum().into_scalar::<f32>();
        }
    }
}

struct Scale<'a> {
    grads: &'a mut GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad * self.factor);
        }
    }
}
