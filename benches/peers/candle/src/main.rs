//! candle's side of compare.py: the GPT of ../gpt_torch.py.

#[path = "../../protocol.rs"]
mod protocol;

use candle_core::backprop::GradStore;
use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, LayerNorm, Module, Optimizer, ParamsAdamW, loss, ops};
use protocol::{Config, Training, VOCAB, random_ids, serve};

fn main() {
    serve("candle 0.11.1", |config| Peer::new(config).map_err(|error| error.to_string()));
}

/// A bias-free linear layer's matrix, (in, out): its gradient then comes in its own layout, without a transposition.
struct Linear(Var);

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.0)
    }
}

struct Block {
    ln_1: Var,
    c_attn: Linear,
    attn_proj: Linear,
    ln_2: Var,
    c_fc: Linear,
    mlp_proj: Linear,
}

/// The rows of an activation are all positions of all texts, so that every linear layer is one matrix product.
struct Gpt {
    config: Config,
    wte: Var,
    wpe: Var,
    h: Vec<Block>,
    ln_f: Var,
}

fn normal(std: f64, rows: usize, columns: usize) -> Result<Var> {
    Var::from_tensor(&Tensor::randn(0f32, std as f32, (rows, columns), &Device::Cpu)?)
}

fn ones(count: usize) -> Result<Var> {
    Var::ones(count, DType::F32, &Device::Cpu)
}

/// Of the layers of candle_nn, the fused function has no backward; this takes the differentiable way.
fn layer_norm(x: &Tensor, gamma: &Var) -> Result<Tensor> {
    LayerNorm::new_no_bias(gamma.as_tensor().clone(), 1e-5).forward(x)
}

impl Block {
    fn new(config: Config) -> Result<Self> {
        let c = config.n_embd;
        // Less where a block writes to the residual stream, whose variance so many writes add up to.
        let last = 0.02 / (2.0 * config.n_layer as f64).sqrt();
        Ok(Self {
            ln_1: ones(c)?,
            c_attn: Linear(normal(0.02, c, 3 * c)?),
            attn_proj: Linear(normal(last, c, c)?),
            ln_2: ones(c)?,
            c_fc: Linear(normal(0.02, c, 4 * c)?),
            mlp_proj: Linear(normal(last, 4 * c, c)?),
        })
    }

    fn forward(&self, x: &Tensor, mask: &Tensor, config: Config) -> Result<Tensor> {
        let Config { n_head, n_embd: c, block_size: t, .. } = config;
        let (b, hs) = (x.dim(0)? / t, c / n_head);
        // (3, B, NH, T, hs) in one copy.
        let qkv = self.c_attn.forward(&layer_norm(x, &self.ln_1)?)?;
        let qkv = qkv.reshape((b, t, 3, n_head, hs))?.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let (q, k, v) = (qkv.get(0)?, qkv.get(1)?, qkv.get(2)?);
        let scores = (q * (hs as f64).sqrt().recip())?.matmul(&k.t()?)?.broadcast_add(mask)?;
        let y = ops::softmax(&scores, D::Minus1)?.matmul(&v)?;
        let y = y.transpose(1, 2)?.reshape((b * t, c))?;
        let x = (x + self.attn_proj.forward(&y)?)?;
        let hidden = self.c_fc.forward(&layer_norm(&x, &self.ln_2)?)?.gelu_erf()?;
        x + self.mlp_proj.forward(&hidden)?
    }
}

impl Gpt {
    fn new(config: Config) -> Result<Self> {
        Ok(Self {
            config,
            wte: normal(0.02, VOCAB, config.n_embd)?,
            wpe: normal(0.02, config.block_size, config.n_embd)?,
            h: (0..config.n_layer).map(|_| Block::new(config)).collect::<Result<_>>()?,
            ln_f: ones(config.n_embd)?,
        })
    }

    /// Logits, one row a position.
    fn forward(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let Config { n_embd: c, block_size: t, .. } = self.config;
        let b = ids.dim(0)? / t;
        let x = self.wte.embedding(ids)?.reshape((b, t, c))?.broadcast_add(&self.wpe)?;
        let mut x = x.reshape((b * t, c))?;
        for block in &self.h {
            x = block.forward(&x, mask, self.config)?;
        }
        layer_norm(&x, &self.ln_f)?.matmul(&self.wte.t()?)
    }

    fn matrices(&self) -> Vec<Var> {
        let blocks = self.h.iter().flat_map(|b| [&b.c_attn, &b.attn_proj, &b.c_fc, &b.mlp_proj]);
        blocks.map(|linear| &linear.0).chain([&self.wte, &self.wpe]).cloned().collect()
    }

    fn norms(&self) -> Vec<Var> {
        self.h.iter().flat_map(|b| [&b.ln_1, &b.ln_2]).chain([&self.ln_f]).cloned().collect()
    }
}

struct Peer {
    model: Gpt,
    parameters: Vec<Var>,
    /// One for the matrices, which decay, and one for the LayerNorms, which do not.
    optimizers: [AdamW; 2],
    ids: Tensor,
    labels: Tensor,
    mask: Tensor,
}

impl Peer {
    fn new(config: Config) -> Result<Self> {
        let model = Gpt::new(config)?;
        let adamw = |parameters, weight_decay| {
            AdamW::new(parameters, ParamsAdamW { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay })
        };
        let (t, count) = (config.block_size, config.batch * config.block_size);
        let causal: Vec<f32> =
            (0..t * t).map(|i| if i % t > i / t { f32::NEG_INFINITY } else { 0.0 }).collect();
        Ok(Self {
            parameters: [model.matrices(), model.norms()].concat(),
            optimizers: [adamw(model.matrices(), 0.1)?, adamw(model.norms(), 0.0)?],
            model,
            ids: Tensor::from_vec(random_ids(count, 1), count, &Device::Cpu)?,
            labels: Tensor::from_vec(random_ids(count, 2), count, &Device::Cpu)?,
            mask: Tensor::from_vec(causal, (1, 1, t, t), &Device::Cpu)?,
        })
    }

    fn once(&mut self) -> Result<f32> {
        let logits = self.model.forward(&self.ids, &self.mask)?;
        let loss = loss::cross_entropy(&logits, &self.labels)?;
        let mut grads = loss.backward()?;
        clip(&self.parameters, &mut grads)?;
        for optimizer in &mut self.optimizers {
            optimizer.step(&grads)?;
        }
        loss.to_scalar()
    }
}

/// Scales the gradients to the global norm 1 if theirs is greater.
fn clip(parameters: &[Var], grads: &mut GradStore) -> Result<()> {
    let mut squares = 0f32;
    for parameter in parameters {
        if let Some(grad) = grads.get(parameter) {
            squares += grad.sqr()?.sum_all()?.to_scalar::<f32>()?;
        }
    }
    let norm = squares.sqrt();
    if norm > 1.0 {
        for parameter in parameters {
            if let Some(grad) = grads.remove(parameter) {
                grads.insert(parameter, (grad / f64::from(norm))?);
            }
        }
    }
    Ok(())
}

impl Training for Peer {
    fn step(&mut self) -> std::result::Result<f32, String> {
        self.once().map_err(|error| error.to_string())
    }
}
