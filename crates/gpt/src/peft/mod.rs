//! Fine-tuning with few parameters: which layers of a model get what ([`nn::peft`] has the methods).
//!
//! ```
//! use gpt::{Gpt, config::Preset, peft::Method};
//! use random::{Rng, Stream};
//! let (mut params, mut rng) = (tensor::Params::new(), Rng::new(1337, Stream::Init));
//! let mut model = Gpt::new(&Preset::NanoCpu.config(65).model, &mut params, &mut rng);
//! let method: Method = "lora:r=4,alpha=8,targets=qv".parse()?;
//! model.tune(&method, &mut params, &mut rng)?;
//! let trained: usize =
//!     params.ids().filter(|&id| params.is_trainable(id)).map(|id| params.shape(id).elements()).sum();
//! assert_eq!(trained, 4 * 2 * 4 * (128 + 128)); // in 4 layers: A and B of rank 4 for queries and values
//! # Ok::<(), gpt::peft::MethodError>(())
//! ```

mod adapter_config;
mod adapter_dir;
mod merged_dir;
mod method;

pub(crate) use adapter_dir::adapter_files;
pub use adapter_dir::{SavedAdapter, fingerprint, is_adapter, load_adapter, save_adapter};
pub use merged_dir::{load_unmerged, save_merged};
pub use method::{Method, MethodError, Targets};

use crate::config::GptConfig;
use crate::files::tensors;
use crate::parameters::parameters_of;
use crate::{Block, Gpt};
use nn::peft::{Adapter, Ia3, Lora, Prefix, Rows, Tuning};
use nn::{Init, Linear, ParamBuilder};
use random::Rng;
use tensor::{ParamId, Params, Tape, Workspace};

/// Names and shapes of all parameters of a model that was prepared by a method; none, if these are settings that
/// [`GptConfig::validate`] refuses.
pub(crate) fn tuned_shapes(config: &GptConfig, method: &Method) -> Vec<(String, Vec<usize>)> {
    if config.validate().is_err() {
        return Vec::new();
    }
    let mut params = Params::new();
    let mut model = Gpt::build(config, ParamBuilder::shapes(&mut params));
    model.add(method, ParamBuilder::shapes(&mut params));
    tensors::shapes_of(&params)
}

/// How many numbers of a model there are with a method, and how many of them are trained; `u64::MAX` for settings that
/// [`GptConfig::validate`] refuses.
pub(crate) fn count_with(config: &GptConfig, method: &Method) -> (u64, u64) {
    let count = |shapes: &[(String, Vec<usize>)]| -> u64 {
        shapes.iter().map(|(_, shape)| shape.iter().map(|&n| n as u64).product::<u64>()).sum()
    };
    let (base, all) = (config.count_parameters(), tuned_shapes(config, method));
    let total = if all.is_empty() { u64::MAX } else { count(&all) };
    let trained = match method {
        Method::Full => total,
        Method::Bitfit => {
            count(&all.into_iter().filter(|(name, _)| name.ends_with(".bias")).collect::<Vec<_>>())
        }
        _ => total - base,
    };
    (total, trained)
}

/// Features of a model's layers: C, NKV hs, H, and the outputs of `c_fc`.
#[derive(Clone, Copy)]
struct Sizes {
    c: usize,
    kv: usize,
    hidden: usize,
    up: usize,
}

impl Gpt {
    /// Prepares a model for fine-tuning: freezes what stays and adds what is trained, which begins so that the model
    /// computes what it did, to the bit (a prefix and a prompt cannot). Answers the parameters added.
    ///
    /// # Errors
    /// If the method does not go with this model; then nothing was changed.
    ///
    /// # Panics
    /// If the model is prepared already.
    pub fn tune(
        &mut self,
        method: &Method,
        params: &mut Params,
        rng: &mut Rng,
    ) -> Result<Vec<ParamId>, MethodError> {
        assert!(self.is_plain(), "this model is prepared already");
        self.fits(method)?;
        if *method == Method::Full {
            return Ok(Vec::new());
        }
        let before = params.len();
        params.ids().for_each(|id| params.set_trainable(id, false));
        if *method == Method::Bitfit {
            let biases = params.ids().filter(|&id| params.name(id).ends_with(".bias"));
            biases.collect::<Vec<_>>().into_iter().for_each(|id| params.set_trainable(id, true));
        }
        self.add(method, ParamBuilder::new(params, rng));
        Ok(params.ids().skip(before).collect())
    }

    /// Adds the parameters of a method.
    pub(crate) fn add(&mut self, method: &Method, mut builder: ParamBuilder<'_>) {
        let hidden = self.config.feed_forward_width();
        let sizes = Sizes {
            c: self.config.n_embd,
            kv: self.config.heads().n_kv_head * self.config.head_size(),
            hidden,
            up: hidden * self.activation().fan(),
        };
        if let Method::Prompt { tokens } = *method {
            self.prompt = Some(builder.add("prompt", [tokens, sizes.c], Init::GPT2));
        }
        for (i, block) in self.h.iter_mut().enumerate() {
            block.tune(method, sizes, builder.pp(format!("h.{i}")));
        }
    }

    fn fits(&self, method: &Method) -> Result<(), MethodError> {
        let unfit = |method, why: &str| Err(MethodError::Unfit { method, why: why.into() });
        let window = "its positions see a window only, not what is before the text: take lora";
        match *method {
            Method::Prefix { .. } if self.config.window.is_some() => unfit("prefix", window),
            Method::Prompt { .. } if self.config.window.is_some() => unfit("prompt", window),
            Method::Prompt { tokens } | Method::Prefix { tokens } if 2 * tokens > self.config.block_size => {
                unfit("prefix or prompt", "it would take more than half of the context: fewer tokens")
            }
            _ => Ok(()),
        }
    }

    /// How far a parameter is from the text: 0 for embeddings, 1 for the first block, and so on; what is behind all blocks,
    /// and what was put on the model, is deepest.
    #[must_use]
    pub fn depth(&self, name: &str) -> usize {
        let mut parts = name.split('.');
        match (parts.next(), parts.next().and_then(|i| i.parse::<usize>().ok())) {
            (Some("h"), Some(i)) => i + 1,
            (Some("wte" | "wpe" | "ngram" | "prompt"), _) => 0,
            _ => self.config.n_layer + 1,
        }
    }

    /// Whether nothing but the parameters of its configuration takes part (and biases that were added).
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let plain = |h: &Block| h.linears().iter().all(|layer| layer.tuning.is_none());
        self.is_mergeable() && self.h.iter().all(plain)
    }

    /// Whether what is trained can be put into the weights, so that nothing is left of it.
    #[must_use]
    pub fn is_mergeable(&self) -> bool {
        let changes_weights_alone =
            |h: &Block| h.attn.adapter.is_none() && h.mlp.adapter.is_none() && h.attn.prefix.is_none();
        self.prompt.is_none() && self.h.iter().all(changes_weights_alone)
    }

    /// Puts the changes of weights into the weights: the model is plain again and computes the same bits.
    ///
    /// # Panics
    /// If the model is not mergeable ([`Gpt::is_mergeable`]).
    pub fn merge(&mut self, params: &mut Params) {
        assert!(self.is_mergeable(), "prefixes, prompts and adapters are no changes of weights");
        let workspace = Workspace::new();
        let layers = self.h.iter_mut().flat_map(Block::linears_mut);
        for layer in layers.filter(|layer| !layer.tuning.is_none()) {
            let tape = Tape::no_grad(params, &workspace);
            let weight = (layer.weight, layer.tuning.weight(tape.param(layer.weight)).value());
            let bias = layer.bias.map(|bias| (bias, layer.tuning.bias(tape.param(bias)).value()));
            drop(tape);
            for (id, value) in [weight].into_iter().chain(bias) {
                params.data_mut(id).iter_mut().zip(&value).for_each(|(to, from)| *to = *from);
            }
            layer.tuning = Tuning::default();
        }
    }

    /// The plain model that computes the same bits: its configuration and its parameters. (With the method `bitfit` a model
    /// without biases has got some.)
    ///
    /// # Panics
    /// If the model is not mergeable ([`Gpt::is_mergeable`]).
    pub(crate) fn merged(&self, params: &Params) -> (GptConfig, Params) {
        let (mut model, mut params) = (self.clone(), params.clone());
        model.merge(&mut params);
        let has_bias = |id| params.name(id).starts_with("h.") && params.name(id).ends_with(".bias");
        let bias = self.config.bias || params.ids().any(has_bias);
        let config = GptConfig { bias, ..self.config.clone() };
        let merged = parameters_of(&config, &params);
        (config, merged)
    }
}

impl Block {
    fn linears(&self) -> [&Linear; 4] {
        [&self.attn.c_attn, &self.attn.c_proj, &self.mlp.c_fc, &self.mlp.c_proj]
    }

    fn linears_mut(&mut self) -> [&mut Linear; 4] {
        [&mut self.attn.c_attn, &mut self.attn.c_proj, &mut self.mlp.c_fc, &mut self.mlp.c_proj]
    }

    fn tune(&mut self, method: &Method, sizes: Sizes, mut builder: ParamBuilder<'_>) {
        let Sizes { c, kv, hidden, up } = sizes;
        match *method {
            Method::Lora { r, alpha, targets } => self.add_lora(r, alpha, targets, sizes, builder),
            Method::Ia3 => {
                let rows = Rows { start: c, end: c + 2 * kv };
                self.attn.c_attn.tuning.ia3 = Some(Ia3::outputs(builder.pp("attn.c_attn"), rows));
                self.mlp.c_proj.tuning.ia3 = Some(Ia3::inputs(builder.pp("mlp.c_proj"), hidden));
            }
            Method::Prefix { tokens } => self.attn.prefix = Some(Prefix::new(builder.pp("attn"), tokens, kv)),
            Method::Adapter { width } => {
                self.attn.adapter = Some(Adapter::new(builder.pp("attn.adapter"), c, width));
                self.mlp.adapter = Some(Adapter::new(builder.pp("mlp.adapter"), c, width));
            }
            Method::Bitfit => {
                let sizes =
                    [("attn.c_attn", c + 2 * kv), ("attn.c_proj", c), ("mlp.c_fc", up), ("mlp.c_proj", c)];
                for ((name, n_out), layer) in sizes.into_iter().zip(self.linears_mut()) {
                    // A model without biases gets some: with none to train, nothing would happen and nobody be told.
                    let bias = || builder.pp(name).add("bias", [n_out], Init::Zeros);
                    layer.bias.get_or_insert_with(bias);
                }
            }
            Method::Prompt { .. } | Method::Head | Method::Full => {}
        }
    }

    fn add_lora(
        &mut self,
        r: usize,
        alpha: f32,
        targets: Targets,
        sizes: Sizes,
        mut builder: ParamBuilder<'_>,
    ) {
        let Sizes { c, kv, hidden, up } = sizes;
        let rows = |start, count| Rows { start, end: start + count };
        let packed = [('q', rows(0, c)), ('k', rows(c, kv)), ('v', rows(c + kv, kv))];
        for ((letter, rows), lora) in packed.into_iter().zip(&mut self.attn.c_attn.tuning.lora) {
            if targets.has(letter) {
                *lora = Some(Lora::new(builder.pp(format!("attn.c_attn.{letter}")), c, rows, r, alpha));
            }
        }
        if targets.has('a') {
            let lora = Lora::new(builder.pp("attn.c_attn"), c, rows(0, c + 2 * kv), r, alpha);
            self.attn.c_attn.tuning.lora[0] = Some(lora);
        }
        let whole = [('o', "attn.c_proj", c, c), ('f', "mlp.c_fc", c, up), ('p', "mlp.c_proj", hidden, c)];
        let [_, layers @ ..] = self.linears_mut();
        for ((letter, name, n_in, n_out), layer) in whole.into_iter().zip(layers) {
            if targets.has(letter) {
                layer.tuning.lora[0] = Some(Lora::new(builder.pp(name), n_in, rows(0, n_out), r, alpha));
            }
        }
    }
}
