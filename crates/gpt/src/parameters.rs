//! The parameters of a model by name and shape, before there is one: what its layers would add, without the numbers.

use crate::Gpt;
use crate::config::GptConfig;
use nn::ParamBuilder;
use tensor::Params;

impl GptConfig {
    /// Names and shapes of all parameters, in the order of nanoGPT's `state_dict`. Linear weights are
    /// (out, in). With SwiGLU `mlp.c_fc` has 2H rows: the gate's first, then the values'.
    ///
    /// None, if these are settings that [`GptConfig::validate`] refuses: nothing can be built of them, and a hostile
    /// `n_layer` would make a long list.
    #[must_use]
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        if self.validate().is_err() {
            return Vec::new();
        }
        let mut params = Params::new();
        let _ = Gpt::build(self, ParamBuilder::shapes(&mut params));
        params.ids().map(|id| (params.name(id).to_string(), params.shape(id).to_vec())).collect()
    }

    /// How many numbers the model has, position embeddings included. (nanoGPT prints them without.) `u64::MAX`, which no
    /// machine has room for, if these are settings that [`GptConfig::validate`] refuses.
    #[must_use]
    pub fn count_parameters(&self) -> u64 {
        let shapes = self.parameter_shapes(); // within the limits of the settings no product is too large
        let count = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
        match shapes.is_empty() {
            true => u64::MAX,
            false => shapes.iter().map(|(_, shape)| count(shape)).sum(),
        }
    }
}

/// The parameters of a configuration among others, such as a classifier's; zeros, if one is missing.
pub(crate) fn parameters_of(config: &GptConfig, others: &Params) -> Params {
    let mut params = Params::new();
    let _ = Gpt::zeros(config, &mut params);
    for id in params.ids() {
        if let Some(other) = others.id(params.name(id)) {
            params.data_mut(id).copy_from_slice(others.data(other));
        }
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Activation, MAX_BLOCK_SIZE, MAX_N_EMBD, MAX_N_LAYER, MAX_NGRAM, MAX_NGRAM_ROWS, MAX_VOCAB_SIZE, Norm,
        Position, Preset,
    };

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

    /// At every limit at once, the parameters are counted without memory for one of them.
    #[test]
    fn the_largest_model_is_counted() {
        let mut config = Preset::NanoCpu.config(MAX_VOCAB_SIZE).model;
        (config.n_layer, config.n_head, config.n_embd) = (MAX_N_LAYER, 2, MAX_N_EMBD);
        (config.block_size, config.ngram, config.ngram_rows) = (MAX_BLOCK_SIZE, MAX_NGRAM, MAX_NGRAM_ROWS);
        (config.tied, config.bias, config.activation) = (false, true, Activation::Swiglu);
        for position in [Position::Learned, Position::Rope, Position::Sinusoidal] {
            config.position = position;
            let count = config.count_parameters();
            assert!(count > 1 << 42 && count < u64::MAX, "{count}");
        }
        config.n_layer = 1_000_000_000;
        assert_eq!((config.count_parameters(), config.parameter_shapes().len()), (u64::MAX, 0));
    }
}
