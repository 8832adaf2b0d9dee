//! Settings by name and text, for the command line.

use super::{
    Activation, Config, ConfigError, MaskSplit, Norm, Objective, Optimizer, Position, SamplingMode, Schedule,
};
use data::objective::OBJECTIVES;

/// To which part of [`Config`] a setting belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// [`super::GptConfig`]
    Model,
    /// [`super::TrainConfig`]
    Train,
}

/// One setting, as a help text describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, nanoGPT's where nanoGPT has it, with underscores.
    pub name: &'static str,
    /// What it is, in a few words.
    pub help: &'static str,
    /// Where it belongs.
    pub group: Group,
}

const fn model(name: &'static str, help: &'static str) -> Field {
    Field { name, help, group: Group::Model }
}

const fn train(name: &'static str, help: &'static str) -> Field {
    Field { name, help, group: Group::Train }
}

/// All settings, in the order of the structs.
pub const FIELDS: &[Field] = &[
    model("n_layer", "number of blocks"),
    model("n_head", "attention heads in a block"),
    model("n_embd", "width of the model, a multiple of n_head"),
    model("block_size", "longest sequence, in tokens"),
    model("vocab_size", "number of distinct tokens (comes from the text)"),
    model("dropout", "share of activations dropped in training"),
    model("attn_dropout", "the same for attention weights, or none for dropout"),
    model("bias", "biases in linear layers and norms: true or false"),
    model("tied", "head and token embedding share weights: true or false"),
    model("activation", "gelu, gelu_tanh, relu2 or swiglu"),
    model("norm", "layer_norm or rms_norm"),
    model("norm_eps", "added to the variance in norms"),
    model("position", "learned, rope, sinusoidal or none"),
    model("rope_base", "base of the angles of rope"),
    model("n_kv_head", "heads of keys and values, a divisor of n_head, or none for as many"),
    model("qk_norm", "queries and keys are normalised: true or false"),
    model("value_residual", "later blocks see the first one's values: true or false"),
    model("embedding_skip", "each block sees the embedding again: true or false"),
    model("soft_cap", "largest logit, 0 for any"),
    model("zero_init", "projections begin at zero: true or false"),
    model("ngram", "largest order of n-gram embeddings, 0 for none"),
    model("ngram_rows", "most n-grams of each order that have an embedding"),
    model("ngram_dropout", "share of the n-gram embeddings dropped in training"),
    model("window", "positions that each one sees, or none for all before it"),
    train("objective", "clm, mlm, span, span-mask, glm, fim, prefix, ul2 or mix=clm:.5,mlm:.25,span:.25"),
    train("mask_rate", "share of the tokens that is hidden"),
    train("mask_split", "hidden tokens become [MASK], a random token, themselves: 0.8,0.1,0.1"),
    train("mntp", "hidden tokens are asked for one position earlier: true or false"),
    train("span_mean", "mean length of hidden spans"),
    train("span_length", "length of every hidden span, or none for random ones"),
    train("fim_rate", "share of the rows that fim rearranges"),
    train("documents", "documents that share a row do not see each other: true or false"),
    train("max_iters", "updates in the whole run"),
    train("batch_size", "sequences in an update"),
    train("micro_batch", "sequences computed at a time, or none"),
    train("recompute", "less memory, a third more time: true or false"),
    train("learning_rate", "largest learning rate"),
    train("min_lr", "learning rate at the end of cosine and wsd"),
    train("warmup_iters", "iterations in which the learning rate grows"),
    train("lr_decay_iters", "iteration at which min_lr is reached, or none for max_iters"),
    train("schedule", "cosine, linear, constant or wsd"),
    train("decay_frac", "wsd: part of the iterations in which the learning rate falls"),
    train("optimizer", "adamw, adam, sgd or muon"),
    train("muon_lr", "muon: largest learning rate of the matrices in the blocks"),
    train("muon_momentum", "muon: decay of the mean gradient"),
    train("muon_iters", "muon: iterations that make an update orthogonal"),
    train("weight_decay", "weight decay of matrices"),
    train("beta1", "decay of the mean gradient (sgd: momentum)"),
    train("beta2", "decay of the mean squared gradient"),
    train("beta2_tokens", "in place of beta2: its half-life in tokens, or none"),
    train("eps", "smallest divisor of Adam"),
    train("grad_clip", "largest norm of the gradient, 0 for any"),
    train("label_smoothing", "part of the target's probability spread over all tokens, in training"),
    train("z_loss", "weight of the squared log-sum-exp in the training loss (PaLM: 1e-4)"),
    train("ema", "decay of the average of the weights that is evaluated and saved, 0 for none"),
    train("spike_guard", "deviations above the mean loss from which an update is skipped, 0 for never"),
    train("eval_interval", "iterations between evaluations"),
    train("eval_iters", "batches in an evaluation, 0 for the whole validation part"),
    train("patience", "evaluations without improvement before stopping, or none"),
    train("seed", "where all randomness starts"),
    train("freeze_emb", "iterations in which the token embedding stays as it began"),
    train("ngram_min_count", "how often an n-gram stands in the training text to have an embedding"),
    train("ngram_lr_scale", "learning rate of n-gram embeddings over that of the others"),
    train("seq_len_warmup", "iterations in which the length of windows doubles up to block_size, 0 for none"),
    train("seq_len_start", "length of the first windows: block_size halved any number of times"),
    train("sampler", "crop (windows anywhere) or epoch (each once a pass)"),
    train("checkpoint_interval", "iterations between checkpoints, 0 for only by time and at the end"),
    train("checkpoint_minutes", "minutes between checkpoints beside those, 0 for none by time"),
    train("keep_checkpoints", "checkpoints kept, at least 2"),
    train("log_interval", "iterations between lines in the log"),
];

impl Config {
    /// Sets one setting by its name, with underscores or dashes, from text. The value is only parsed
    /// here; whether settings fit together is for [`Config::validate`] to say, when all are set.
    ///
    /// # Errors
    /// If there is no such setting (the message has names like it) or the text is not a value of it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let key = name.trim_start_matches('-').replace('-', "_");
        let Some(field) = FIELDS.iter().find(|field| field.name == key) else {
            return Err(ConfigError::UnknownName { name: name.to_string(), hint: close_names(&key) });
        };
        let value = value.trim();
        let done = match field.group {
            Group::Model => self.set_model(&key, value),
            Group::Train => self.set_train(&key, value),
        };
        done.map_err(|expected| ConfigError::UnreadableValue {
            name: key,
            found: value.to_string(),
            expected,
        })
    }

    fn set_model(&mut self, key: &str, value: &str) -> Result<(), String> {
        let c = &mut self.model;
        match key {
            "n_layer" => c.n_layer.read(value),
            "n_head" => c.n_head.read(value),
            "n_embd" => c.n_embd.read(value),
            "block_size" => c.block_size.read(value),
            "vocab_size" => c.vocab_size.read(value),
            "dropout" => c.dropout.read(value),
            "attn_dropout" => c.attn_dropout.read(value),
            "bias" => c.bias.read(value),
            "tied" => c.tied.read(value),
            "activation" => c.activation.read(value),
            "norm" => c.norm.read(value),
            "norm_eps" => c.norm_eps.read(value),
            "position" => c.position.read(value),
            "rope_base" => c.rope_base.read(value),
            "n_kv_head" => c.n_kv_head.read(value),
            "qk_norm" => c.qk_norm.read(value),
            "value_residual" => c.value_residual.read(value),
            "embedding_skip" => c.embedding_skip.read(value),
            "soft_cap" => c.soft_cap.read(value),
            "zero_init" => c.zero_init.read(value),
            "ngram" => c.ngram.read(value),
            "ngram_rows" => c.ngram_rows.read(value),
            "ngram_dropout" => c.ngram_dropout.read(value),
            "window" => c.window.read(value),
            _ => Err("a setting of the model".into()), // a test reaches every field
        }
    }

    fn set_train(&mut self, key: &str, value: &str) -> Result<(), String> {
        let c = &mut self.train;
        match key {
            "objective" => c.objective.read(value),
            "mask_rate" => c.mask_rate.read(value),
            "mask_split" => c.mask_split.read(value),
            "mntp" => c.mntp.read(value),
            "span_mean" => c.span_mean.read(value),
            "span_length" => c.span_length.read(value),
            "fim_rate" => c.fim_rate.read(value),
            "documents" => c.documents.read(value),
            "max_iters" => c.max_iters.read(value),
            "batch_size" => c.batch_size.read(value),
            "micro_batch" => c.micro_batch.read(value),
            "recompute" => c.recompute.read(value),
            "learning_rate" => c.learning_rate.read(value),
            "min_lr" => c.min_lr.read(value),
            "warmup_iters" => c.warmup_iters.read(value),
            "lr_decay_iters" => c.lr_decay_iters.read(value),
            "schedule" => c.schedule.read(value),
            "decay_frac" => c.decay_frac.read(value),
            "optimizer" => c.optimizer.read(value),
            "muon_lr" => c.muon_lr.read(value),
            "muon_momentum" => c.muon_momentum.read(value),
            "muon_iters" => c.muon_iters.read(value),
            "weight_decay" => c.weight_decay.read(value),
            "beta1" => c.beta1.read(value),
            "beta2" => c.beta2.read(value),
            "beta2_tokens" => c.beta2_tokens.read(value),
            "eps" => c.eps.read(value),
            "grad_clip" => c.grad_clip.read(value),
            "label_smoothing" => c.label_smoothing.read(value),
            "z_loss" => c.z_loss.read(value),
            "ema" => c.ema.read(value),
            "spike_guard" => c.spike_guard.read(value),
            "eval_interval" => c.eval_interval.read(value),
            "eval_iters" => c.eval_iters.read(value),
            "patience" => c.patience.read(value),
            "seed" => c.seed.read(value),
            "freeze_emb" => c.freeze_emb.read(value),
            "ngram_min_count" => c.ngram_min_count.read(value),
            "ngram_lr_scale" => c.ngram_lr_scale.read(value),
            "seq_len_warmup" => c.seq_len_warmup.read(value),
            "seq_len_start" => c.seq_len_start.read(value),
            "sampler" => c.sampler.read(value),
            "checkpoint_interval" => c.checkpoint_interval.read(value),
            "checkpoint_minutes" => c.checkpoint_minutes.read(value),
            "keep_checkpoints" => c.keep_checkpoints.read(value),
            "log_interval" => c.log_interval.read(value),
            _ => Err("a setting of the training".into()),
        }
    }
}

/// A setting that can be read from text. The error says what would have done.
trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, String>;

    fn read(&mut self, text: &str) -> Result<(), String> {
        *self = Self::from_text(text)?;
        Ok(())
    }
}

impl FromText for u64 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_| "a whole number, such as 12 or 5_000".to_string())
    }
}

impl FromText for usize {
    fn from_text(text: &str) -> Result<Self, String> {
        let n = u64::from_text(text)?;
        n.try_into().map_err(|_| format!("at most {}", usize::MAX))
    }
}

impl FromText for f64 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "a number, such as 0.1 or 1e-3".to_string())
    }
}

impl FromText for f32 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "a number, such as 0.1 or 1e-5".to_string())
    }
}

impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, String> {
        choice(
            text,
            &[("true", true), ("false", false), ("True", true), ("False", false), ("1", true), ("0", false)],
        )
        .map_err(|_| "true or false".to_string())
    }
}

impl<T: FromText> FromText for Option<T> {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "none" | "None" => Ok(None),
            _ => T::from_text(text).map(Some).map_err(|expected| format!("{expected}, or none")),
        }
    }
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let wanted = text.replace('-', "_");
    choices.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}

impl FromText for Activation {
    fn from_text(text: &str) -> Result<Self, String> {
        use Activation::{Gelu, GeluTanh, Relu2, Swiglu};
        choice(text, &[("gelu", Gelu), ("gelu_tanh", GeluTanh), ("relu2", Relu2), ("swiglu", Swiglu)])
    }
}

impl FromText for Norm {
    fn from_text(text: &str) -> Result<Self, String> {
        choice(text, &[("layer_norm", Self::LayerNorm), ("rms_norm", Self::RmsNorm)])
    }
}

impl FromText for Objective {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            let names: Vec<&str> = OBJECTIVES.iter().map(|entry| entry.name).collect();
            format!("one of {}, or a mixture such as mix=clm:.5,mlm:.25,span:.25", names.join(", "))
        })
    }
}

impl FromText for MaskSplit {
    fn from_text(text: &str) -> Result<Self, String> {
        let expected =
            "three shares that add up to 1, such as 0.8,0.1,0.1: [MASK], a random token, the token itself";
        text.parse().map_err(|_| expected.to_string())
    }
}

impl FromText for Position {
    fn from_text(text: &str) -> Result<Self, String> {
        use Position::{Learned, Rope, Sinusoidal};
        choice(
            text,
            &[("learned", Learned), ("rope", Rope), ("sinusoidal", Sinusoidal), ("none", Position::None)],
        )
    }
}

impl FromText for Schedule {
    fn from_text(text: &str) -> Result<Self, String> {
        use Schedule::{Constant, Cosine, Linear, Wsd};
        choice(text, &[("cosine", Cosine), ("linear", Linear), ("constant", Constant), ("wsd", Wsd)])
    }
}

impl FromText for Optimizer {
    fn from_text(text: &str) -> Result<Self, String> {
        choice(
            text,
            &[("adamw", Self::Adamw), ("adam", Self::Adam), ("sgd", Self::Sgd), ("muon", Self::Muon)],
        )
    }
}

impl FromText for SamplingMode {
    fn from_text(text: &str) -> Result<Self, String> {
        choice(text, &[("crop", Self::Crop), ("epoch", Self::Epoch)])
    }
}

/// "did you mean ..." with the settings that could have been meant, or all of them.
fn close_names(name: &str) -> String {
    // Three edits, but fewer in a short name: "lr" is not "eps".
    let tolerance = (name.chars().count() / 3).clamp(1, 3);
    let mut close: Vec<(usize, &str)> = FIELDS
        .iter()
        .map(|field| {
            let part = name.len() >= 3 && (field.name.contains(name) || name.contains(field.name));
            (if part { 0 } else { edit_distance(name, field.name) }, field.name)
        })
        .filter(|(distance, _)| *distance <= tolerance)
        .collect();
    close.sort();
    let names = |all: &mut dyn Iterator<Item = &str>| all.collect::<Vec<_>>().join(", ");
    match close.len() {
        0 => format!("expected one of {}", names(&mut FIELDS.iter().map(|field| field.name))),
        _ => format!("did you mean {}?", names(&mut close.iter().take(4).map(|(_, name)| *name))),
    }
}

/// Levenshtein's distance: the fewest characters to insert, delete or replace.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect(); // distances of a prefix of a to the prefixes of b
    for (i, a) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replace = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn every_field_can_be_set_and_is_listed() {
        let config = Preset::NanoCpu.config(65);
        let json = serde_json::to_value(&config).unwrap();
        let mut listed = FIELDS.iter();
        for (group, part) in [(Group::Model, "model"), (Group::Train, "train")] {
            for (name, value) in json[part].as_object().unwrap() {
                let field = listed.next().unwrap();
                assert_eq!((field.name, field.group), (name.as_str(), group));
                let mut changed = config.clone();
                // Set to another value, then back: only this field may have moved.
                let other = match value {
                    serde_json::Value::Bool(b) => (!b).to_string(),
                    serde_json::Value::String(_) => {
                        ["relu2", "rms_norm", "linear", "sgd", "epoch", "rope", "mlm", "1,0,0"]
                            .into_iter()
                            .find(|text| changed.set(name, text).is_ok())
                            .unwrap()
                            .to_string()
                    }
                    _ => "7".to_string(),
                };
                changed.set(name, &other).unwrap();
                assert_ne!(changed, config, "{name}");
                let text = match value {
                    serde_json::Value::Null => "none".to_string(),
                    serde_json::Value::String(text) => text.clone(),
                    number => number.to_string(),
                };
                changed.set(&format!("--{}", name.replace('_', "-")), &text).unwrap();
                assert_eq!(changed, config, "{name}");
            }
        }
        assert_eq!(listed.next(), None);
    }

    #[test]
    fn unknown_names_and_unreadable_values_are_explained() {
        let mut config = Preset::NanoCpu.config(65);
        let before = config.clone();
        let mut message = |name: &str, value: &str| config.set(name, value).unwrap_err().to_string();
        assert!(message("n_layers", "2").contains("did you mean n_layer?"));
        assert!(message("lerning-rate", "2").contains("learning_rate"));
        assert!(message("batch", "2").contains("batch_size, micro_batch"));
        assert!(message("zzzzzzzz", "2").contains("expected one of n_layer, n_head"));
        assert!(message(&"x".repeat(100_000), "2").contains("expected one of"));
        assert!(message("n_layer", "two").contains(r#"n_layer is "two": expected a whole number"#));
        assert!(message("n_layer", "-2").contains("whole number"));
        assert!(message("dropout", "").contains("a number"));
        assert!(message("activation", "relu").contains("gelu, gelu_tanh, relu2, swiglu"));
        assert!(message("patience", "x").contains("or none"));
        assert!(message("bias", "maybe").contains("true or false"));
        assert_eq!(config, before);
    }

    #[test]
    fn edit_distances() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", "abc"), 0);
    }
}
