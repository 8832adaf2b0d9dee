//! Settings by name.

use super::{
    Activation, Config, ConfigError, GptConfig, Norm, Position, SamplingMode, Schedule, TrainConfig,
};

/// Settings that are known to work, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// `nano-cpu`: the recipe for a laptop in nanoGPT's README, 0.8 million parameters.
    NanoCpu,
    /// `baby`: nanoGPT's `config/train_shakespeare_char.py`, 10.7 million parameters.
    Baby,
    /// `shakespeare`: the least time to nanoGPT's loss on Tiny Shakespeare, and the best for other texts of a few megabytes;
    /// 0.8 million parameters in matrices, beside them tables of n-grams. docs/speedrun.md has the way to it.
    #[default]
    Shakespeare,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NanoCpu, Self::Baby, Self::Shakespeare];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NanoCpu => "nano-cpu",
            Self::Baby => "baby",
            Self::Shakespeare => "shakespeare",
        }
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// If there is none; the message lists those that there are.
    pub fn from_name(name: &str) -> Result<Self, ConfigError> {
        let wanted = name.replace('_', "-");
        Self::ALL.into_iter().find(|preset| preset.name() == wanted).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            ConfigError::UnknownPreset { name: name.to_string(), names }
        })
    }

    /// The settings, for a tokenizer of `vocab_size` tokens.
    #[must_use]
    pub fn config(self, vocab_size: usize) -> Config {
        Config { model: self.model(vocab_size), train: self.train() }
    }

    fn model(self, vocab_size: usize) -> GptConfig {
        let nano_gpts = |n_layer, n_head, n_embd, block_size, dropout| GptConfig {
            n_layer,
            n_head,
            n_embd,
            block_size,
            vocab_size,
            dropout,
            ..GptConfig::default()
        };
        match self {
            Self::NanoCpu => nano_gpts(4, 4, 128, 64, 0.0),
            Self::Baby => nano_gpts(6, 6, 384, 256, 0.2),
            Self::Shakespeare => GptConfig {
                activation: Activation::Relu2,
                norm: Norm::RmsNorm,
                position: Position::Rope,
                qk_norm: true,
                soft_cap: 15.0,
                zero_init: true,
                ngram: 5,
                ngram_rows: 1 << 16,
                value_residual: true,
                embedding_skip: true,
                attn_dropout: Some(0.0),
                ..nano_gpts(4, 4, 128, 256, 0.1)
            },
        }
    }

    fn train(self) -> TrainConfig {
        match self {
            Self::NanoCpu => nano_gpts(2000, 12, 20),
            Self::Baby => nano_gpts(5000, 64, 200),
            Self::Shakespeare => TrainConfig {
                learning_rate: 2e-3,
                min_lr: 0.0,
                warmup_iters: 50,
                lr_decay_iters: None,
                schedule: Schedule::Linear,
                eval_interval: 300,
                sampler: SamplingMode::Epoch,
                checkpoint_interval: 0,
                ..nano_gpts(1200, 16, 0)
            },
        }
    }
}

/// nanoGPT's training for characters, which is the default.
fn nano_gpts(max_iters: usize, batch_size: usize, eval_iters: usize) -> TrainConfig {
    TrainConfig {
        max_iters,
        batch_size,
        eval_iters,
        lr_decay_iters: Some(max_iters),
        ..TrainConfig::default()
    }
}

impl GptConfig {
    /// The shape of GPT-2 (Radford et al. 2019), the smallest of four: 124 million parameters.
    #[must_use]
    pub fn gpt2() -> Self {
        Self {
            n_layer: 12,
            n_head: 12,
            n_embd: 768,
            block_size: 1024,
            vocab_size: 50257,
            dropout: 0.1,
            bias: true,
            activation: Activation::GeluTanh,
            ..Self::default()
        }
    }
}
