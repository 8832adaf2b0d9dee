//! What a model is ([`GptConfig`]) and how it is trained ([`TrainConfig`]), in nanoGPT's names.

mod preset;
mod set;
mod size;
mod validate;

pub(crate) use validate::Check;

pub use preset::Preset;
pub use set::{FIELDS, Field, Group};
pub use validate::{
    ConfigError, MAX_BATCH_SIZE, MAX_BLOCK_SIZE, MAX_N_EMBD, MAX_N_LAYER, MAX_NGRAM, MAX_NGRAM_ROWS,
    MAX_VOCAB_SIZE, Problem,
};

pub use data::SamplingMode;
use data::objective::ObjectiveSettings;
pub use data::objective::{MaskSplit, Objective};
use serde::{Deserialize, Serialize};

/// Model and training together: what a preset gives, the command line overrides, and a run keeps.
///
/// ```
/// use gpt::config::{Config, Preset};
/// let mut config = Preset::NanoCpu.config(65);
/// config.set("n-layer", "2")?;
/// config.set("learning_rate", "3e-4")?;
/// config.validate()?;
/// assert_eq!((config.model.n_layer, config.train.learning_rate), (2, 3e-4));
/// # Ok::<(), gpt::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model.
    pub model: GptConfig,
    /// Its training.
    pub train: TrainConfig,
}

/// The shape of a GPT. Parameters: [`GptConfig::parameter_shapes`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GptConfig {
    /// Number of blocks, L.
    pub n_layer: usize,
    /// Attention heads in a block, NH. Divides `n_embd`.
    pub n_head: usize,
    /// Width of the residual stream, C.
    pub n_embd: usize,
    /// The longest sequence, T: the model sees at most this many tokens.
    pub block_size: usize,
    /// Number of distinct tokens, V.
    pub vocab_size: usize,
    /// Probability that an activation is dropped in training, in [0, 1).
    pub dropout: f32,
    /// The same of the attention weights alone, whose masks take a tenth of a step; `None`: `dropout`.
    #[serde(default)]
    pub attn_dropout: Option<f32>,
    /// Whether linear layers and layer norms have biases.
    pub bias: bool,
    /// Whether the head uses the token embedding's weights (`lm_head.weight` is then not stored).
    #[serde(default = "yes")]
    pub tied: bool,
    /// The feed-forward layer's non-linearity.
    #[serde(default)]
    pub activation: Activation,
    /// The normalisation before attention, before the feed-forward layer and before the head.
    #[serde(default)]
    pub norm: Norm,
    /// Added to the variance (or mean square) before its root is taken.
    #[serde(default = "default_norm_eps")]
    pub norm_eps: f32,
    /// How the model knows where a token stands.
    #[serde(default)]
    pub position: Position,
    /// With `rope`: the slowest pair of features turns once in 2 pi times as many positions.
    #[serde(default = "default_rope_base")]
    pub rope_base: f64,
    /// Heads of keys and values, each of which serves several of queries; a divisor of `n_head`. `None`: `n_head`.
    #[serde(default)]
    pub n_kv_head: Option<usize>,
    /// Whether queries and keys are normalised before they meet (arXiv 2010.04245).
    #[serde(default)]
    pub qk_norm: bool,
    /// Whether later blocks blend their values with those of the first (arXiv 2410.17897).
    #[serde(default)]
    pub value_residual: bool,
    /// Whether each block reads a blend of the residual stream with the embedding it began as.
    #[serde(default)]
    pub embedding_skip: bool,
    /// The largest logit: z becomes c tanh(z / c) (arXiv 2408.00118). 0: no bound.
    #[serde(default)]
    pub soft_cap: f32,
    /// Whether the projections back to the residual stream (and an untied head) begin at zero.
    #[serde(default)]
    pub zero_init: bool,
    /// The largest order of n-gram embeddings ([`nn::NgramEmbedding`]): 4 adds what the last 2, 3 and 4 tokens say. 0: none.
    #[serde(default)]
    pub ngram: usize,
    /// The most n-grams of each table: if more are frequent, the most frequent ones.
    #[serde(default = "default_ngram_rows")]
    pub ngram_rows: usize,
    /// Probability of dropout on what these tables say.
    #[serde(default)]
    pub ngram_dropout: f32,
    /// How many positions each one sees, itself included; `None`: all before it.
    #[serde(default)]
    pub window: Option<usize>,
}

fn yes() -> bool {
    true
}

fn default_norm_eps() -> f32 {
    1e-5
}

fn default_seq_len_start() -> usize {
    64
}

fn default_decay_frac() -> f64 {
    0.2
}

fn default_muon_lr() -> f64 {
    0.02
}

fn default_muon_momentum() -> f64 {
    0.95
}

fn default_muon_iters() -> usize {
    5
}

fn default_mask_rate() -> f64 {
    ObjectiveSettings::default().mask_rate
}

fn default_mask_split() -> MaskSplit {
    ObjectiveSettings::default().mask_split
}

fn default_span_mean() -> f64 {
    ObjectiveSettings::default().span_mean
}

fn default_fim_rate() -> f64 {
    ObjectiveSettings::default().fim_rate
}

fn default_rope_base() -> f64 {
    1e4
}

fn default_ngram_lr_scale() -> f64 {
    1.0
}

fn default_checkpoint_minutes() -> f64 {
    5.0
}

fn default_ngram_min_count() -> usize {
    4
}

fn default_ngram_rows() -> usize {
    1 << 14
}

/// How a model knows where a token stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// A learned vector for each position, added to the token's (GPT-2).
    #[default]
    Learned,
    /// Queries and keys are turned by their position, so that scores depend on distances (arXiv 2104.09864).
    Rope,
    /// Fixed sines and cosines, added to the token's vector (arXiv 1706.03762).
    Sinusoidal,
    /// Not at all: a causal mask alone tells positions apart, somewhat (arXiv 2203.16634).
    None,
}

/// The non-linearity of the feed-forward layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// GELU with the error function, as PyTorch's `nn.GELU()` and nanoGPT (arXiv 1606.08415).
    #[default]
    Gelu,
    /// GELU approximated by tanh, as GPT-2.
    GeluTanh,
    /// The square of ReLU (arXiv 2109.08668).
    Relu2,
    /// A gated layer (arXiv 2002.05202): `c_fc` has two halves, one of which gates the other.
    Swiglu,
}

/// A normalisation layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Mean 0 and variance 1, then a weight and (with `bias`) a bias (arXiv 1607.06450).
    #[default]
    LayerNorm,
    /// Mean square 1, then a weight (arXiv 1910.07467). Never has a bias.
    RmsNorm,
}

/// How a model is trained. "Iteration" is one update of the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// What is asked of the model: to go on, to fill in, or a mixture of such tasks ([`data::objective`]).
    #[serde(default)]
    pub objective: Objective,
    /// The share of the tokens that is hidden, where the objective hides some.
    #[serde(default = "default_mask_rate")]
    pub mask_rate: f64,
    /// What is put where a token was hidden: `[MASK]`, a random token, the token itself.
    #[serde(default = "default_mask_split")]
    pub mask_split: MaskSplit,
    /// Whether a hidden token is asked for at the position before it, where a language model would be asked.
    #[serde(default)]
    pub mntp: bool,
    /// The mean length of hidden spans.
    #[serde(default = "default_span_mean")]
    pub span_mean: f64,
    /// The length of every hidden span, instead of random ones.
    #[serde(default)]
    pub span_length: Option<usize>,
    /// The share of the rows that `fim` rearranges.
    #[serde(default = "default_fim_rate")]
    pub fim_rate: f64,
    /// Whether documents that share a row see only themselves.
    #[serde(default)]
    pub documents: bool,
    /// Updates in the whole run.
    pub max_iters: usize,
    /// Sequences in an update, B.
    pub batch_size: usize,
    /// Sequences computed at a time, to save memory; `None`: the trainer's choice. The gradient is the same.
    pub micro_batch: Option<usize>,
    /// Whether the blocks' activations are forgotten and computed again in the backward: less memory, a third more
    /// time, the same bits.
    #[serde(default)]
    pub recompute: bool,
    /// The largest learning rate, reached after warm-up.
    pub learning_rate: f64,
    /// The learning rate at the end of the decay (`cosine` and `wsd`: `linear` goes to zero).
    pub min_lr: f64,
    /// Iterations in which the learning rate grows from 0.
    pub warmup_iters: usize,
    /// The iteration at which `min_lr` is reached; `None`: `max_iters`.
    pub lr_decay_iters: Option<usize>,
    /// The way from `learning_rate` to `min_lr`.
    pub schedule: Schedule,
    /// With `wsd`: the part of the iterations until `lr_decay_iters` in which the learning rate falls.
    #[serde(default = "default_decay_frac")]
    pub decay_frac: f64,
    /// What turns gradients into updates.
    pub optimizer: Optimizer,
    /// With `muon`: the largest learning rate of the matrices in the blocks. It follows the schedule of
    /// `learning_rate`, which is then that of all other parameters.
    #[serde(default = "default_muon_lr")]
    pub muon_lr: f64,
    /// With `muon`: decay of the mean gradient of those matrices.
    #[serde(default = "default_muon_momentum")]
    pub muon_momentum: f64,
    /// With `muon`: iterations that make an update orthogonal. 5 is usual, 3 costs less.
    #[serde(default = "default_muon_iters")]
    pub muon_iters: usize,
    /// Weight decay of the matrices; vectors (biases, norms) have none.
    pub weight_decay: f64,
    /// Decay of the mean gradient; with `sgd`, its momentum.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// In place of `beta2`: the tokens after which a squared gradient counts half. The decay of an update is then
    /// 2^(-tokens of a batch / `beta2_tokens`), so that batches of all sizes look back equally far into the text
    /// (arXiv 2507.07101): a `beta2` that is right for large batches forgets too fast with small ones.
    #[serde(default)]
    pub beta2_tokens: Option<u64>,
    /// Keeps Adam's division from dividing by 0.
    pub eps: f64,
    /// The gradient's largest norm; longer ones are scaled down. 0: no limit.
    pub grad_clip: f64,
    /// Label smoothing: the part of the target's probability that is spread evenly over all tokens. In training only,
    /// and for a language model rarely of use: its likelihood gets worse (arXiv 1512.00567, 1906.02629).
    #[serde(default)]
    pub label_smoothing: f32,
    /// What the square of the logits' log-sum-exp is multiplied by in the training loss; PaLM has 1e-4
    /// (arXiv 2204.02311). It keeps logits from drifting away.
    #[serde(default)]
    pub z_loss: f32,
    /// Decay of the average of the weights over the updates, which is evaluated and saved in place of the latest
    /// weights; 0: none. 0.99 to 0.999, fewer for shorter runs (arXiv 1803.05407).
    #[serde(default)]
    pub ema: f64,
    /// Standard deviations above the running mean of the training loss from which on an update is skipped; 0: never. 6
    /// is a good number: rare by chance, far below a batch that does harm.
    #[serde(default)]
    pub spike_guard: f64,
    /// Iterations between evaluations.
    pub eval_interval: usize,
    /// Batches in an evaluation along the way, evenly spread over the validation part and the same every time;
    /// 0: all of it. The evaluation at the end is over all of it.
    pub eval_iters: usize,
    /// Evaluations without improvement after which training stops; `None`: never.
    pub patience: Option<usize>,
    /// Where all randomness starts.
    pub seed: u64,
    /// Iterations in which the token embedding stays as it began, for one that began with word vectors. (With tied
    /// weights the head stays with it.)
    #[serde(default)]
    pub freeze_emb: usize,
    /// How often an n-gram stands in the training text to have a row in the n-gram embeddings.
    #[serde(default = "default_ngram_min_count")]
    pub ngram_min_count: usize,
    /// The learning rate of the n-gram embeddings over that of the others ([`nn::optim::SparseSgd`]).
    #[serde(default = "default_ngram_lr_scale")]
    pub ngram_lr_scale: f64,
    /// Iterations in which windows are cut into shorter ones, whose length doubles from `seq_len_start` to
    /// `block_size`, each length for equally many iterations; 0: none. Early in training little is learned from what is
    /// far away, and short windows cost less (Shortformer, arXiv 2012.15832). The tokens of an update, and which they
    /// are, stay the same: a window becomes several rows.
    #[serde(default)]
    pub seq_len_warmup: usize,
    /// The length of the first windows: `block_size` halved any number of times.
    #[serde(default = "default_seq_len_start")]
    pub seq_len_start: usize,
    /// How training windows are chosen: `crop` (anywhere, as nanoGPT) or `epoch` (each once per pass).
    pub sampler: SamplingMode,
    /// Iterations between checkpoints; 0: only by time, at the end and when interrupted.
    pub checkpoint_interval: usize,
    /// Minutes between checkpoints, beside those of `checkpoint_interval`, the first after one minute at the latest; 0:
    /// none by time. When they are made changes no weight.
    #[serde(default = "default_checkpoint_minutes")]
    pub checkpoint_minutes: f64,
    /// How many checkpoints are kept, at least 2.
    pub keep_checkpoints: usize,
    /// Iterations between lines in the log.
    pub log_interval: usize,
}

/// The way of the learning rate after warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine from `learning_rate` to `min_lr`.
    #[default]
    Cosine,
    /// A straight line from `learning_rate` to zero; `min_lr` has no part in it.
    Linear,
    /// `learning_rate` to the end.
    Constant,
    /// Warm-up, stable, decay: `learning_rate`, then a straight line to `min_lr` over the last `decay_frac` of the
    /// iterations (arXiv 2404.06395).
    Wsd,
}

/// What turns gradients into updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam with weight decay apart from the gradient (arXiv 1711.05101).
    #[default]
    Adamw,
    /// Adam; its weight decay is part of the gradient (arXiv 1412.6980).
    Adam,
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Muon for the matrices in the blocks (Jordan 2024), AdamW for all other parameters.
    Muon,
}

impl TrainConfig {
    /// The numbers of the objective.
    #[must_use]
    pub fn objective_settings(&self) -> ObjectiveSettings {
        ObjectiveSettings {
            mask_rate: self.mask_rate,
            mask_split: self.mask_split,
            mntp: self.mntp,
            span_mean: self.span_mean,
            glm_mean: self.span_mean,
            span_length: self.span_length,
            fim_rate: self.fim_rate,
            ..ObjectiveSettings::default()
        }
    }

    /// The iteration at which the learning rate has reached `min_lr`.
    #[must_use]
    pub fn decay_iters(&self) -> usize {
        self.lr_decay_iters.unwrap_or(self.max_iters)
    }

    /// The length of the windows at an iteration.
    #[must_use]
    pub fn seq_len(&self, block_size: usize, iter: u64) -> usize {
        let warmup = self.seq_len_warmup as u64;
        if iter >= warmup {
            return block_size;
        }
        let lengths = u64::from((block_size / self.seq_len_start).ilog2()); // before the full one
        let doublings = u128::from(iter) * u128::from(lengths) / u128::from(warmup);
        self.seq_len_start << doublings
    }

    /// With `wsd`: the last iteration that has the full learning rate.
    #[must_use]
    pub fn decay_start(&self) -> usize {
        let falling = (self.decay_frac * self.decay_iters() as f64).round() as usize;
        self.decay_iters().saturating_sub(falling).max(self.warmup_iters)
    }

    /// The decay of the mean squared gradient at an update of this many tokens: [`TrainConfig::beta2_tokens`] if it is
    /// given, else [`TrainConfig::beta2`].
    #[must_use]
    pub fn beta2_of(&self, batch_tokens: usize) -> f64 {
        let half_lives = |tokens: u64| batch_tokens as f64 / tokens as f64;
        self.beta2_tokens
            .map_or(self.beta2, |tokens| random::exp(-std::f64::consts::LN_2 * half_lives(tokens)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_found_by_name_and_valid() {
        for preset in Preset::ALL {
            assert_eq!(Preset::from_name(preset.name()).unwrap(), preset);
            preset.config(65).validate().unwrap();
        }
        assert_eq!(Preset::from_name("nano_cpu").unwrap(), Preset::NanoCpu);
        let error = Preset::from_name("huge").unwrap_err().to_string();
        assert!(error.contains("huge") && error.contains("nano-cpu, baby, shakespeare"), "{error}");
    }

    /// Whatever the batch, a squared gradient counts half after the same tokens.
    #[test]
    fn beta2_by_its_half_life() {
        let mut train = Preset::NanoCpu.config(65).train;
        assert_eq!(train.beta2_of(768), 0.99);
        train.beta2_tokens = Some(1 << 20);
        for batch_tokens in [1 << 8, 1 << 12, 1 << 17] {
            let updates = (1 << 20) / batch_tokens;
            let left = (0..updates).fold(1.0, |left, _| left * train.beta2_of(batch_tokens));
            assert!((left - 0.5_f64).abs() < 1e-9, "{batch_tokens}: {left}");
        }
        assert!((train.beta2_of(1 << 20) - 0.5).abs() < 1e-15);
        // 0.95 with batches of 4,096 tokens is 0.9873 with batches of 1,024.
        train.beta2_tokens = Some((4096.0 * 0.5_f64.ln() / 0.95_f64.ln()).round() as u64);
        assert!((train.beta2_of(1024) - 0.95_f64.sqrt().sqrt()).abs() < 1e-6);
    }

    #[test]
    fn windows_double_in_equal_times() {
        let mut train = Preset::Baby.config(65).train;
        assert_eq!(train.seq_len(256, 0), 256);
        (train.seq_len_warmup, train.seq_len_start) = (400, 32);
        let lengths = [0, 133, 134, 266, 267, 399, 400, u64::MAX].map(|iter| train.seq_len(256, iter));
        assert_eq!(lengths, [32, 32, 64, 64, 128, 128, 256, 256]);
        train.seq_len_start = 256;
        assert_eq!(train.seq_len(256, 0), 256);
    }

    #[test]
    fn the_stable_part_ends_where_the_decay_begins() {
        let mut train = Preset::NanoCpu.config(65).train;
        assert_eq!(train.decay_start(), 1600);
        train.lr_decay_iters = Some(1000);
        assert_eq!(train.decay_start(), 800);
        train.decay_frac = 1.0;
        assert_eq!(train.decay_start(), train.warmup_iters);
        train.decay_frac = 0.0;
        assert_eq!(train.decay_start(), 1000);
    }

    #[test]
    fn a_config_survives_json_to_the_last_bit() {
        let mut config = Preset::Baby.config(5000);
        config.train.learning_rate = 0.1 + 0.2; // 0.30000000000000004
        config.train.seed = u64::MAX;
        config.model.norm_eps = f32::from_bits(0x3727_c5ad);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
        assert!(json.contains(r#""schedule":"cosine""#) && json.contains(r#""sampler":"crop""#), "{json}");
    }

    #[test]
    fn unknown_fields_are_refused_and_newer_ones_have_defaults() {
        let minimal =
            r#"{"n_layer":1,"n_head":1,"n_embd":4,"block_size":8,"vocab_size":3,"dropout":0,"bias":true"#;
        let config: GptConfig = serde_json::from_str(&format!("{minimal}}}")).unwrap();
        assert!(config.tied && config.activation == Activation::Gelu && config.norm == Norm::LayerNorm);
        let error = serde_json::from_str::<GptConfig>(&format!(r#"{minimal},"n_layers":2}}"#)).unwrap_err();
        assert!(error.to_string().contains("n_layers"), "{error}");
    }
}
