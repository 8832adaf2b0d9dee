//! What follows from the settings: sizes, lengths and decays. The parameters: parameters.rs.

use super::{GptConfig, TrainConfig};
use data::objective::ObjectiveSettings;
use tensor::kernels::attention::Heads;

impl GptConfig {
    /// Heads of queries, and of keys and values.
    #[must_use]
    pub fn heads(&self) -> Heads {
        Heads { n_head: self.n_head, n_kv_head: self.n_kv_head.unwrap_or(self.n_head) }
    }

    /// Numbers in one attention head, hs = C / NH.
    #[must_use]
    pub fn head_size(&self) -> usize {
        self.n_embd / self.n_head.max(1)
    }

    /// Width of the feed-forward layer between its two matrices, H: [`nn::hidden_width`].
    #[must_use]
    pub fn feed_forward_width(&self) -> usize {
        nn::hidden_width(self.activation.into(), self.n_embd)
    }
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
