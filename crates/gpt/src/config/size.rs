//! How large a model is: its parameters by name and shape, and their number.

use super::{Activation, GptConfig, MAX_NGRAM, Norm, Position};
use tensor::kernels::attention::Heads;

impl Default for GptConfig {
    /// Every switch as nanoGPT has it, and all sizes 0: for `GptConfig { n_layer: 4, .., ..GptConfig::default() }`.
    fn default() -> Self {
        Self {
            n_layer: 0,
            n_head: 0,
            n_embd: 0,
            block_size: 0,
            vocab_size: 0,
            dropout: 0.0,
            attn_dropout: None,
            bias: false,
            tied: true,
            activation: Activation::Gelu,
            norm: Norm::LayerNorm,
            norm_eps: super::default_norm_eps(),
            position: Position::Learned,
            rope_base: super::default_rope_base(),
            n_kv_head: None,
            qk_norm: false,
            value_residual: false,
            embedding_skip: false,
            soft_cap: 0.0,
            zero_init: false,
            ngram: 0,
            ngram_rows: super::default_ngram_rows(),
            ngram_dropout: 0.0,
            window: None,
        }
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

    /// Names and shapes of all parameters, in the order of nanoGPT's `state_dict`. Linear weights are
    /// (out, in). With SwiGLU `mlp.c_fc` has 2H rows: the gate's first, then the values'.
    ///
    /// Call [`GptConfig::validate`] first: a hostile `n_layer` would make a long list.
    #[must_use]
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (c, v) = (self.n_embd, self.vocab_size);
        let hidden = self.feed_forward_width();
        let rows = if self.activation == Activation::Swiglu { hidden.saturating_mul(2) } else { hidden };
        let mut all = vec![("wte.weight".into(), vec![v, c])];
        if self.position == Position::Learned {
            all.push(("wpe.weight".into(), vec![self.block_size, c]));
        }
        for n in 2..=self.ngram {
            let rows = self.ngram_rows.saturating_add(1);
            all.push((format!("ngram.{n}.weight"), vec![rows, c]));
            all.push((format!("ngram.{n}.ngrams"), vec![rows, 2]));
        }
        let qkv = self.head_size().saturating_mul(self.heads().in_row());
        for i in 0..self.n_layer {
            if self.embedding_skip {
                all.push((format!("h.{i}.embedding_blend"), vec![2]));
            }
            self.push_norm(&mut all, &format!("h.{i}.ln_1"));
            self.push_linear(&mut all, &format!("h.{i}.attn.c_attn"), qkv, c);
            self.push_linear(&mut all, &format!("h.{i}.attn.c_proj"), c, c);
            if self.value_residual && i > 0 {
                all.push((format!("h.{i}.attn.value_blend"), vec![2]));
            }
            self.push_norm(&mut all, &format!("h.{i}.ln_2"));
            self.push_linear(&mut all, &format!("h.{i}.mlp.c_fc"), rows, c);
            self.push_linear(&mut all, &format!("h.{i}.mlp.c_proj"), c, hidden);
        }
        self.push_norm(&mut all, "ln_f");
        if !self.tied {
            all.push(("lm_head.weight".into(), vec![v, c])); // never has a bias
        }
        all
    }

    fn push_norm(&self, all: &mut Vec<(String, Vec<usize>)>, name: &str) {
        all.push((format!("{name}.weight"), vec![self.n_embd]));
        if self.bias && self.norm == Norm::LayerNorm {
            all.push((format!("{name}.bias"), vec![self.n_embd]));
        }
    }

    fn push_linear(&self, all: &mut Vec<(String, Vec<usize>)>, name: &str, rows: usize, columns: usize) {
        all.push((format!("{name}.weight"), vec![rows, columns]));
        if self.bias {
            all.push((format!("{name}.bias"), vec![rows]));
        }
    }

    /// How many numbers the model has, position embeddings included. (nanoGPT prints them without.)
    #[must_use]
    pub fn count_parameters(&self) -> u64 {
        // The second layer by its tensors, times those after the first: no list as long as a hostile n_layer.
        let with_layers = |n_layer| {
            let shapes =
                Self { n_layer, ngram: self.ngram.min(MAX_NGRAM), ..self.clone() }.parameter_shapes();
            shapes.iter().map(|(_, shape)| shape.iter().map(|&n| n as u128).product::<u128>()).sum::<u128>()
        };
        let few = with_layers(self.n_layer.min(1));
        let more = (with_layers(2) - with_layers(1)).saturating_mul(self.n_layer.saturating_sub(1) as u128);
        u64::try_from(few.saturating_add(more)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn counts_are_nanogpts() {
        // nanoGPT prints "number of parameters: 0.80M" and "10.65M" for these, position embeddings left out.
        let nano = Preset::NanoCpu.config(65).model;
        assert_eq!(nano.count_parameters() - 64 * 128, 795_904);
        let baby = Preset::Baby.config(65).model;
        assert_eq!(baby.count_parameters() - 256 * 384, 10_646_784);
        // GPT-2: 124,439,808 with biases (Hugging Face's num_parameters()).
        let gpt2 = GptConfig::gpt2();
        assert_eq!(gpt2.count_parameters(), 124_439_808);
        let untied = GptConfig { tied: false, ..gpt2.clone() };
        assert_eq!(untied.count_parameters(), 124_439_808 + 50257 * 768);
    }

    #[test]
    fn shapes_and_count_agree_for_every_kind() {
        let base = Preset::NanoCpu.config(65).model;
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu2, Activation::Swiglu] {
            for norm in [Norm::LayerNorm, Norm::RmsNorm] {
                for (bias, tied) in [(false, false), (false, true), (true, false), (true, true)] {
                    let config = GptConfig { activation, norm, bias, tied, ..base.clone() };
                    let shapes = config.parameter_shapes();
                    let sum: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
                    assert_eq!(config.count_parameters(), sum as u64);
                    let mut names: Vec<&String> = shapes.iter().map(|(name, _)| name).collect();
                    names.sort();
                    names.dedup();
                    assert_eq!(names.len(), shapes.len());
                    assert_eq!(names.iter().any(|n| n.starts_with("lm_head")), !tied);
                    assert_eq!(
                        names.iter().any(|n| n.ends_with("ln_1.bias")),
                        bias && norm == Norm::LayerNorm
                    );
                }
            }
        }
    }

    #[test]
    fn hostile_sizes_do_not_overflow() {
        let mut config = Preset::NanoCpu.config(usize::MAX);
        config.model.n_embd = usize::MAX / 16;
        config.model.n_layer = usize::MAX;
        assert_eq!(config.model.count_parameters(), u64::MAX);
    }
}
