//! How large a model is: its parameters by name and shape, their number, and the memory that training takes.

use super::{Activation, Config, GptConfig, Norm, Optimizer};

impl GptConfig {
    /// Numbers in one attention head, hs = C / NH.
    #[must_use]
    pub fn head_size(&self) -> usize {
        self.n_embd / self.n_head.max(1)
    }

    /// Width of the feed-forward layer between its two matrices, H: 4C, and for SwiGLU, which has a
    /// third matrix, 8/3 C to the nearest multiple of 16, so that the parameters are about as many.
    /// (`nn::hidden_width` has the same rule.)
    #[must_use]
    pub fn feed_forward_width(&self) -> usize {
        match self.activation {
            // 8/3 C / 16 = 8 C / 48
            Activation::Swiglu => (self.n_embd.saturating_mul(8).saturating_add(24) / 48 * 16).max(16),
            _ => self.n_embd.saturating_mul(4),
        }
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
        let mut all =
            vec![("wte.weight".into(), vec![v, c]), ("wpe.weight".into(), vec![self.block_size, c])];
        for i in 0..self.n_layer {
            self.push_norm(&mut all, &format!("h.{i}.ln_1"));
            self.push_linear(&mut all, &format!("h.{i}.attn.c_attn"), c.saturating_mul(3), c);
            self.push_linear(&mut all, &format!("h.{i}.attn.c_proj"), c, c);
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
        // One layer by its tensors, times the layers: no list as long as a hostile n_layer.
        let with_layers = |n_layer| {
            let shapes = Self { n_layer, ..self.clone() }.parameter_shapes();
            shapes.iter().map(|(_, shape)| shape.iter().map(|&n| n as u128).product::<u128>()).sum::<u128>()
        };
        let (none, one) = (with_layers(0), with_layers(1));
        let all = none.saturating_add((one - none).saturating_mul(self.n_layer as u128));
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

/// Bytes that training needs at its peak. Activations are an estimate from the shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The weights.
    pub parameters: u64,
    /// Their gradients.
    pub gradients: u64,
    /// The optimizer's moments.
    pub optimizer: u64,
    /// What the forward pass keeps for the backward pass, and the gradients that flow between.
    pub activations: u64,
}

impl MemoryEstimate {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.parameters, self.gradients, self.optimizer, self.activations]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

impl Config {
    /// How much memory training needs: to be shown before it begins, and compared with what there is.
    #[must_use]
    pub fn estimate_memory(&self) -> MemoryEstimate {
        let parameters = self.model.count_parameters().saturating_mul(4);
        let moments = match self.train.optimizer {
            Optimizer::Adamw | Optimizer::Adam => 2,
            Optimizer::Sgd => 1,
        };
        let rows = self.train.micro_batch.unwrap_or(self.train.batch_size) as u64;
        let tokens = rows.saturating_mul(self.model.block_size as u64);
        MemoryEstimate {
            parameters,
            gradients: parameters,
            optimizer: parameters.saturating_mul(moments),
            activations: tokens.saturating_mul(self.activation_floats_per_token()).saturating_mul(4),
        }
    }

    /// Numbers kept per token, counted along the block: two norms 2C, q k v 3C, attention and its
    /// projection 2C, two residual sums 2C, the feed-forward layer before and after its activation
    /// 2H (3H gated) and its projection C; dropout's masks are recomputed, attention keeps one number
    /// a head. The head keeps its logits and their gradient. A tenth on top for gradients in flight.
    fn activation_floats_per_token(&self) -> u64 {
        let model = &self.model;
        let (c, v) = (model.n_embd as u64, model.vocab_size as u64);
        let kept = if model.activation == Activation::Swiglu { 3 } else { 2 };
        let hidden = (model.feed_forward_width() as u64).saturating_mul(kept);
        let block = c.saturating_mul(10).saturating_add(hidden).saturating_add(model.n_head as u64);
        let all = block.saturating_mul(model.n_layer as u64).saturating_add(v.saturating_mul(2));
        let all = all.saturating_add(c.saturating_mul(3));
        all.saturating_add(all / 10)
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
        let gpt2 = GptConfig {
            n_layer: 12,
            n_head: 12,
            n_embd: 768,
            block_size: 1024,
            vocab_size: 50257,
            bias: true,
            ..nano
        };
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
        assert_eq!(config.estimate_memory().total(), u64::MAX);
    }
}
