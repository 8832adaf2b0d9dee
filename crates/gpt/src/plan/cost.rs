//! What a training costs, by calculation: operations a token, and bytes.

use crate::config::{Activation, Config, GptConfig, Optimizer, Position};
use crate::peft::{Method, count_with};
use crate::train::rows_at_a_time;
use tensor::ops::linear_cross_entropy::rows_at_a_time as logits_at_a_time;

const FLOAT: u64 = 4;

impl GptConfig {
    /// Numbers that every token is multiplied by: all parameters but the embeddings, and the head, tied or not.
    #[must_use]
    pub fn matrix_parameters(&self) -> u64 {
        self.count_parameters() - self.outside_of_blocks(&["wte.", "wpe.", "ngram.", "lm_head."])
            + (self.vocab_size * self.n_embd) as u64
    }

    /// Numbers in the parameters outside of the blocks whose names begin so.
    fn outside_of_blocks(&self, names: &[&str]) -> u64 {
        let shapes = self.parameter_shapes().into_iter();
        let wanted = shapes.filter(|(name, _)| names.iter().any(|wanted| name.starts_with(wanted)));
        wanted.map(|(_, shape)| shape.iter().map(|&n| n as u64).product::<u64>()).sum()
    }

    /// Floating point operations of a training step, for each token: two a parameter forward and four backward (Kaplan
    /// et al. 2020, section 2.1), and for attention two products forward and five backward over the half of T, or the
    /// window, that a position sees on average.
    #[must_use]
    pub fn training_flops_per_token(&self) -> f64 {
        let half = self.block_size as f64 / 2.0;
        let seen = self.window.map_or(half, |window| half.min(window as f64));
        6.0 * self.matrix_parameters() as f64 + 14.0 * (self.n_layer * self.n_embd) as f64 * seen
    }

    /// Bytes of the tables of positions that are calculated and not trained: sines and cosines.
    #[must_use]
    pub fn position_table_bytes(&self) -> u64 {
        let width = match self.position {
            Position::Rope => self.head_size(), // half of it cosines, half sines
            Position::Sinusoidal => self.n_embd,
            _ => 0,
        };
        (self.block_size as u64).saturating_mul(width as u64 * FLOAT)
    }

    /// Bytes of the keys and values that writing keeps of so many tokens.
    #[must_use]
    pub fn cache_bytes(&self, tokens: usize) -> u64 {
        let kept = 2 * self.n_layer * self.heads().n_kv_head * self.head_size();
        (tokens as u64).saturating_mul(kept as u64 * FLOAT)
    }

    /// Bytes that a micro-batch of so many tokens takes: what its tape keeps, a quarter more for adjoints, and the logits,
    /// unless no position predicts a token.
    pub(crate) fn micro_batch_bytes(&self, tokens: u64, recompute: bool, logits: bool) -> u64 {
        let (block, outside) = self.tape_floats_per_token();
        let layers = self.n_layer as u64;
        // Of blocks that are computed again one is there at a time, and the inputs of all.
        let blocks = if recompute { block + layers * self.n_embd as u64 } else { layers * block };
        let tape = tokens.saturating_mul(blocks + outside) / 4 * 5;
        let logits = if logits { self.logit_floats(tokens) } else { 0 };
        tape.saturating_add(logits).saturating_mul(FLOAT)
    }

    /// Floats of logits and of their gradient: all of both, if they are one chunk of rows, else one chunk.
    fn logit_floats(&self, tokens: u64) -> u64 {
        let chunk = logits_at_a_time(self.vocab_size) as u64;
        let rows = if tokens <= chunk { 2 * tokens } else { chunk };
        rows.saturating_mul(self.vocab_size as u64)
    }

    /// Floats that the tape keeps for each token of a block, and outside of the blocks: docs/architecture.md has the list
    /// for `nano-cpu`.
    fn tape_floats_per_token(&self) -> (u64, u64) {
        let (c, hidden) = (self.n_embd as u64, self.feed_forward_width() as u64);
        let qkv = (self.head_size() * self.heads().in_row()) as u64;
        let switched = |on: bool, floats: u64| if on { floats } else { 0 };
        // Two norms, attention, its projection, two sums and the feed-forward layer's output; queries, keys and values; h.
        let block = 7 * c
            + qkv * (1 + u64::from(self.qk_norm || self.position == Position::Rope))
            + hidden * if self.activation == Activation::Swiglu { 2 } else { 1 }
            + switched(self.dropout > 0.0, 2 * c)
            + switched(self.embedding_skip, c)
            + switched(self.value_residual, qkv);
        let tables = self.ngram.saturating_sub(1) as u64; // a value and a sum each
        (block, c * (3 + 2 * tables))
    }
}

impl Config {
    /// Bytes that training needs at its peak, without the program and the text: weights, gradients and what the optimizer
    /// remembers; the values of a micro-batch, tables of positions, and the cache of the samples on the way. A checkpoint is
    /// written from where the numbers are, and takes nothing.
    #[must_use]
    pub fn training_bytes(&self) -> u64 {
        self.training_bytes_with(&Method::Full)
    }

    /// The same of a training of what a method trains.
    #[must_use]
    pub fn training_bytes_with(&self, method: &Method) -> u64 {
        let remembered = match self.train.optimizer {
            Optimizer::Adamw | Optimizer::Adam | Optimizer::Muon => 2, // Muon: one a matrix
            Optimizer::Sgd => 1,
        };
        let averaged = u64::from(self.train.ema > 0.0);
        let (all, trained) = count_with(&self.model, method);
        let tables = if *method == Method::Full { self.model.outside_of_blocks(&["ngram."]) } else { 0 };
        let saved = (all.saturating_mul(1 + averaged))
            .saturating_add((trained - tables).saturating_mul(remembered)) // of tables hardly anything is remembered
            .saturating_mul(FLOAT);
        let (batch, block) = (self.train.batch_size, self.model.block_size);
        let rows = rows_at_a_time(batch, block, self.train.micro_batch);
        let lanes = batch.div_ceil(rows).min(self.train.lanes) as u64; // micro-batches at a time, each with gradients of its own
        let gradients = trained.saturating_mul(FLOAT * lanes);
        let tokens = (rows * block) as u64;
        let values = lanes.saturating_mul(self.model.micro_batch_bytes(tokens, self.train.recompute, true));
        let others = self.model.position_table_bytes().saturating_add(self.model.cache_bytes(block));
        [gradients, values, others].into_iter().fold(saved, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::train::Trainer;

    /// A lane is a set of gradients and the values of a micro-batch, as long as there are micro-batches for it.
    #[test]
    fn lanes_are_counted() {
        let mut config = Preset::NanoCpu.config(65);
        config.train.micro_batch = Some(3); // four of them
        let mut bytes = |lanes: usize| {
            config.train.lanes = lanes;
            config.training_bytes()
        };
        let [one, two, three, four, five] = [1, 2, 3, 4, 5].map(&mut bytes);
        let lane = 4 * config.model.count_parameters() + config.model.micro_batch_bytes(3 * 64, false, true);
        assert_eq!([two - one, three - two, four - three, five - four], [lane, lane, lane, 0]);
    }

    #[test]
    fn tables_and_caches_are_counted() {
        let mut model = Preset::NanoCpu.config(65).model; // 4 layers, 4 heads, C 128, T 64
        assert_eq!((model.position_table_bytes(), model.cache_bytes(64)), (0, 4 * 64 * 2 * 4 * 128));
        model.n_kv_head = Some(1);
        assert_eq!(model.cache_bytes(1), 4 * 2 * 4 * 32);
        model.position = Position::Rope;
        assert_eq!(model.position_table_bytes(), 4 * 64 * 32);
        model.position = Position::Sinusoidal;
        model.block_size = 1_000_000;
        assert_eq!(model.position_table_bytes(), 4 * 1_000_000 * 128);
    }

    #[test]
    fn operations_are_six_a_parameter_and_those_of_attention() {
        let baby = Preset::Baby.config(65).model;
        assert_eq!(baby.matrix_parameters(), 10_646_784);
        let attention = 14.0 * 6.0 * 384.0 * 128.0;
        assert_eq!(baby.training_flops_per_token(), 6.0 * 10_646_784.0 + attention);
        let window = GptConfig { window: Some(32), ..baby.clone() };
        assert_eq!(window.training_flops_per_token(), 6.0 * 10_646_784.0 + attention / 4.0);
        let untied = GptConfig { tied: false, ngram: 4, ..baby };
        assert_eq!(untied.matrix_parameters(), 10_646_784);
    }

    /// The largest part that is not a product of sizes is what the tape keeps: against what a step takes.
    #[test]
    fn the_values_of_a_step_are_those_that_it_takes() {
        let text: Vec<u32> = (0..5000).map(|i| i % 60).collect();
        let switches: [&[(&str, &str)]; 4] = [
            &[],
            &[("dropout", "0.1"), ("activation", "swiglu")],
            &[("position", "rope"), ("soft_cap", "15"), ("ngram", "4"), ("ngram_rows", "512")],
            &[("value_residual", "true"), ("embedding_skip", "true"), ("norm", "rms_norm")],
        ];
        for switches in switches {
            let mut config = Preset::NanoCpu.config(65);
            switches.iter().for_each(|(name, value)| config.set(name, value).expect("a setting"));
            let mut trainer = Trainer::new(&config, &text[..]).unwrap();
            trainer.step(&text).unwrap();
            let found = trainer.workspace().stats().peak_bytes as f64;
            let tokens = (config.train.batch_size * config.model.block_size) as u64;
            let expected = config.model.micro_batch_bytes(tokens, false, true) as f64;
            assert!(
                (found / expected - 1.0).abs() < 0.15,
                "{switches:?}: {found} bytes, expected {expected}"
            );
        }
    }
}
