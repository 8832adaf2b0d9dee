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

mod adapter_dir;
mod merged_dir;

pub(crate) use adapter_dir::adapter_files;
pub use adapter_dir::{SavedAdapter, fingerprint, is_adapter, load_adapter, save_adapter};
pub use merged_dir::{load_unmerged, save_merged};

use crate::{Block, Gpt};
use nn::peft::{Adapter, Ia3, Lora, Prefix, Rows, Tuning};
use nn::{Init, Linear, ParamBuilder};
use random::Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use tensor::{ParamId, Params, Tape, Workspace};

/// What is trained of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "method")]
pub enum Method {
    /// Everything.
    #[default]
    Full,
    /// Nothing of the model; only what is put on it, such as a classifier.
    Head,
    /// Low-rank changes of weights.
    Lora {
        /// r
        r: usize,
        /// The change is alpha / r times the product.
        alpha: f32,
        /// Of which weights.
        targets: Targets,
    },
    /// Factors of keys, values and hidden features.
    Ia3,
    /// Learned keys and values.
    Prefix {
        /// p
        tokens: usize,
    },
    /// Learned vectors before the text.
    Prompt {
        /// p
        tokens: usize,
    },
    /// Narrow networks behind each layer.
    Adapter {
        /// m, its width.
        width: usize,
    },
    /// The biases of linear layers; a model without gets them.
    Bitfit,
}

/// Which weights LoRA changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Targets {
    wanted: [bool; 7],
}

impl Targets {
    /// q, k, v: queries, keys and values, each by itself; a: all three in one, as peft has it; o: the projection behind
    /// attention; f, p: the two of the feed-forward layer.
    const LETTERS: [char; 7] = ['q', 'k', 'v', 'a', 'o', 'f', 'p'];
    const EXPECTED: &'static str = "letters of qkvofp, a instead of qkv, or all";

    fn has(self, letter: char) -> bool {
        Self::LETTERS.iter().zip(self.wanted).any(|(l, wanted)| *l == letter && wanted)
    }
}

impl FromStr for Targets {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        if text == "all" {
            return "qkvofp".parse();
        }
        let mut wanted = [false; 7];
        for letter in text.chars() {
            let i = Self::LETTERS.iter().position(|&l| l == letter);
            wanted[i.ok_or_else(|| invalid("targets", text, Self::EXPECTED))?] = true;
        }
        let targets = Self { wanted };
        match wanted.contains(&true) && !(targets.has('a') && ['q', 'k', 'v'].iter().any(|l| targets.has(*l)))
        {
            true => Ok(targets),
            false => Err(invalid("targets", text, Self::EXPECTED)),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = Self::LETTERS.iter().zip(self.wanted).filter(|(_, wanted)| *wanted);
        f.write_str(&letters.map(|(letter, _)| letter).collect::<String>())
    }
}

impl TryFrom<String> for Targets {
    type Error = MethodError;

    fn try_from(text: String) -> Result<Self, MethodError> {
        text.parse()
    }
}

impl From<Targets> for String {
    fn from(targets: Targets) -> Self {
        targets.to_string()
    }
}

/// Why a method is none, or not for this model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// There is no such method.
    #[error(
        "there is no method {found:?}: full, head, lora:r=8,alpha=16,targets=qv, ia3, prefix:tokens=16, \
         prompt:tokens=16, adapter:width=16 or bitfit"
    )]
    Unknown {
        /// What was asked for.
        found: String,
    },
    /// A setting is not what it should be.
    #[error("{name}: expected {expected}, found {found:?}")]
    Invalid {
        /// The setting.
        name: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The model is not one for this method.
    #[error("{method} does not go with this model: {why}")]
    Unfit {
        /// The method.
        method: &'static str,
        /// Why not, and what to do.
        why: String,
    },
}

fn invalid(name: &str, found: &str, expected: &'static str) -> MethodError {
    MethodError::Invalid { name: name.into(), found: found.into(), expected }
}

/// Settings behind the name of a method, `r=8,alpha=16`, each of which may be asked for once.
struct Settings<'a> {
    method: &'a str,
    left: Vec<(&'a str, &'a str)>,
}

impl<'a> Settings<'a> {
    fn parse(method: &'a str, text: &'a str) -> Result<Self, MethodError> {
        let setting = |part: &'a str| part.split_once('=').ok_or_else(|| invalid(method, part, "NAME=VALUE"));
        let parts = text.split(',').filter(|part| !part.is_empty());
        Ok(Self { method, left: parts.map(setting).collect::<Result<_, _>>()? })
    }

    fn take<T: FromStr>(&mut self, name: &str, usual: T, expected: &'static str) -> Result<T, MethodError> {
        let Some(i) = self.left.iter().position(|(key, _)| *key == name) else { return Ok(usual) };
        let (_, value) = self.left.remove(i);
        value.parse().map_err(|_| invalid(&format!("{} {name}", self.method), value, expected))
    }

    fn count(&mut self, name: &str, usual: usize) -> Result<usize, MethodError> {
        const EXPECTED: &str = "a number from 1 to 4096";
        let count = self.take(name, usual, EXPECTED)?;
        let fits = (1..=4096).contains(&count);
        if fits {
            Ok(count)
        } else {
            Err(invalid(&format!("{} {name}", self.method), &count.to_string(), EXPECTED))
        }
    }

    fn end(self) -> Result<(), MethodError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(invalid(self.method, name, "a setting that it has, once")),
        }
    }
}

impl Method {
    /// A learning rate that suits the method on small models: the fewer numbers are trained, the farther each has to go.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Full => 1e-3,
            Self::Lora { .. } | Self::Adapter { .. } | Self::Bitfit => 3e-3,
            Self::Ia3 | Self::Head | Self::Prefix { .. } => 1e-2,
            Self::Prompt { .. } => 3e-2,
        }
    }
}

impl FromStr for Method {
    type Err = MethodError;

    /// `lora:r=8,alpha=16,targets=qv`: the name, and settings that are not the usual ones.
    fn from_str(text: &str) -> Result<Self, MethodError> {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut settings = Settings::parse(name, settings)?;
        let method = match name {
            "full" => Self::Full,
            "head" => Self::Head,
            "lora" => {
                let r = settings.count("r", 8)?;
                let alpha: f32 = settings.take("alpha", 2.0 * r as f32, "a number above 0")?;
                if !(alpha > 0.0 && alpha.is_finite()) {
                    return Err(invalid("lora alpha", &alpha.to_string(), "a number above 0"));
                }
                let usual: Targets = "qv".parse()?;
                Self::Lora { r, alpha, targets: settings.take("targets", usual, Targets::EXPECTED)? }
            }
            "ia3" => Self::Ia3,
            "prefix" => Self::Prefix { tokens: settings.count("tokens", 16)? },
            "prompt" => Self::Prompt { tokens: settings.count("tokens", 16)? },
            "adapter" => Self::Adapter { width: settings.count("width", 16)? },
            "bitfit" => Self::Bitfit,
            _ => return Err(MethodError::Unknown { found: text.into() }),
        };
        settings.end()?;
        Ok(method)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Head => f.write_str("head"),
            Self::Lora { r, alpha, targets } => write!(f, "lora:r={r},alpha={alpha},targets={targets}"),
            Self::Ia3 => f.write_str("ia3"),
            Self::Prefix { tokens } => write!(f, "prefix:tokens={tokens}"),
            Self::Prompt { tokens } => write!(f, "prompt:tokens={tokens}"),
            Self::Adapter { width } => write!(f, "adapter:width={width}"),
            Self::Bitfit => f.write_str("bitfit"),
        }
    }
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
        let hidden = self.config.feed_forward_width();
        let sizes = Sizes {
            c: self.config.n_embd,
            kv: self.config.heads().n_kv_head * self.config.head_size(),
            hidden,
            up: hidden * self.activation().fan(),
        };
        let mut builder = ParamBuilder::new(params, rng);
        if let Method::Prompt { tokens } = *method {
            self.prompt = Some(builder.add("prompt", [tokens, sizes.c], Init::GPT2));
        }
        for (i, block) in self.h.iter_mut().enumerate() {
            block.tune(method, sizes, builder.pp(format!("h.{i}")));
        }
        Ok(params.ids().skip(before).collect())
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
        self.prompt.is_none() && self.h.iter().all(|h| h.adapters.is_none() && h.attn.prefix.is_none())
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
                let names = ["attn.adapter", "mlp.adapter"];
                self.adapters = Some(names.map(|name| Adapter::new(builder.pp(name), c, width)));
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
