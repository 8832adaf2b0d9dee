//! Every setting, once. A line of the table is a field of [`GptConfig`] or [`TrainConfig`]:
//!
//! ```text
//! /// documentation
//! name: Type = default, "help of the flag", rules;
//! ```
//!
//! From it come the struct, its default, the flag of the command line, what a text means, the checks, the suggestions for a
//! misspelt name, and the table in docs/settings.md. `required`, before the help, is for what a file must have: every
//! version wrote it. All others may be missing, in files that are older than the setting. A rule is a function of
//! check.rs or of the end of this file; the last ones look at other settings too.

use super::check::{Check, ConfigError, Found, at_least_0, at_least_1, below_1, positive, size};
use super::value::{Activation, FromText, Norm, Optimizer, Position, Schedule};
use data::SamplingMode;
use data::objective::{MaskSplit, Objective, ObjectiveSettings};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The largest `n_layer`. Each layer has up to 14 tensors, the optimizer two for each of those, and a
/// file of ours has at most 4,096.
pub const MAX_N_LAYER: usize = 128;
/// The largest `n_embd`.
pub const MAX_N_EMBD: usize = 65_536;
/// The largest `block_size`.
pub const MAX_BLOCK_SIZE: usize = 1_000_000;
/// The largest `vocab_size`.
pub const MAX_VOCAB_SIZE: usize = 1_000_000;
/// The largest order of n-gram embeddings: a table each from 2 on.
pub const MAX_NGRAM: usize = 8;
/// The largest `ngram_rows`.
pub const MAX_NGRAM_ROWS: usize = (1 << 24) - 1;
/// The largest `batch_size`.
pub const MAX_BATCH_SIZE: usize = 1_000_000;
/// The largest `lanes`.
const MAX_LANES: usize = 1024;
/// The largest `muon_iters`: beyond ten nothing changes any more.
const MAX_MUON_ITERS: usize = 100;
/// The largest `beta2_tokens`. With a longer memory still, beta2 would round to 1 and Adam divide by nothing.
pub(super) const MAX_BETA2_TOKENS: u64 = 1_000_000_000_000;

/// To which part of [`super::Config`] a setting belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// [`GptConfig`]
    Model,
    /// [`TrainConfig`]
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

macro_rules! settings {
    ($($(#[doc = $about:literal])* $Config:ident of $group:ident {
        $(
            $(#[doc = $doc:literal])*
            $field:ident: $Value:ty = $default:expr, $($required:ident,)? $help:literal $(, $rule:expr)*;
        )*
    })*) => {
        /// All settings, in the order of the structs.
        pub const FIELDS: &[Field] = &[$($(Field {
            name: stringify!($field),
            help: $help,
            group: Group::$group,
        },)*)*];

        $(
            $(#[doc = $about])*
            #[derive(Clone, Debug, PartialEq, Serialize)]
            pub struct $Config {
                $($(#[doc = $doc])* pub $field: $Value,)*
            }

            impl Default for $Config {
                fn default() -> Self {
                    Self { $($field: $default,)* }
                }
            }

            impl $Config {
                /// Sets the setting of this name from text. `None`: there is no such setting here. The error: what was
                /// expected of the text.
                pub(super) fn read(&mut self, name: &str, text: &str) -> Option<Result<(), String>> {
                    match name {
                        $(stringify!($field) => Some(FromText::from_text(text).map(|value| self.$field = value)),)*
                        _ => None,
                    }
                }

                /// Whether these settings can work together. Sizes are capped here, before anything is allocated.
                ///
                /// # Errors
                /// [`ConfigError::Invalid`] with every problem.
                pub fn validate(&self) -> Result<(), ConfigError> {
                    let mut check = Check::default();
                    self.check(&mut check);
                    check.done()
                }

                /// Applies the rules of each setting.
                pub(super) fn check(&self, check: &mut Check) {
                    $($(check.value(stringify!($field), self.$field, self, $rule);)*)*
                }

                /// The settings by name, with their values as JSON has them.
                #[must_use]
                pub fn values(&self) -> Vec<(&'static str, String)> {
                    let text = |value: serde_json::Result<String>| value.expect("a setting is a number or a text");
                    vec![$((stringify!($field), text(serde_json::to_string(&self.$field)))),*]
                }

                /// The settings that another configuration has otherwise, with their values here.
                #[must_use]
                pub fn differences(&self, other: &Self) -> Vec<(&'static str, String)> {
                    let pairs = self.values().into_iter().zip(other.values());
                    pairs.filter(|(here, there)| here != there).map(|(here, _)| here).collect()
                }
            }

            impl<'de> Deserialize<'de> for $Config {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    const NAMES: &[&str] = &[$(stringify!($field)),*];
                    struct Fields;
                    impl<'de> Visitor<'de> for Fields {
                        type Value = $Config;
                        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                            f.write_str(concat!("struct ", stringify!($Config)))
                        }
                        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$Config, A::Error> {
                            $(let mut $field: Option<$Value> = None;)*
                            while let Some(name) = map.next_key::<String>()? {
                                match name.as_str() {
                                    $(stringify!($field) if $field.is_some() => {
                                        return Err(A::Error::duplicate_field(stringify!($field)));
                                    }
                                    stringify!($field) => $field = Some(map.next_value()?),)*
                                    _ => return Err(A::Error::unknown_field(&name, NAMES)),
                                }
                            }
                            $($(if $field.is_none() {
                                return Err(A::Error::missing_field(settings!(@ $required stringify!($field))));
                            })?)*
                            Ok($Config { $($field: $field.unwrap_or_else(|| $default),)* })
                        }
                    }
                    deserializer.deserialize_struct(stringify!($Config), NAMES, Fields)
                }
            }
        )*
    };
    (@ required $name:expr) => { $name };
}

settings! {
    /// The shape of a GPT. Parameters: [`GptConfig::parameter_shapes`].
    GptConfig of Model {
        /// Number of blocks, L.
        n_layer: usize = 0, required, "number of blocks", size(MAX_N_LAYER);
        /// Attention heads in a block, NH. Divides `n_embd`.
        n_head: usize = 0, required, "attention heads in a block", size(MAX_N_EMBD);
        /// Width of the residual stream, C.
        n_embd: usize = 0, required, "width of the model, a multiple of n_head",
            size(MAX_N_EMBD), splits_into_heads;
        /// The longest sequence, T: the model sees at most this many tokens.
        block_size: usize = 0, required, "longest sequence, in tokens", size(MAX_BLOCK_SIZE);
        /// Number of distinct tokens, V.
        vocab_size: usize = 0, required, "number of distinct tokens (comes from the text)",
            size(MAX_VOCAB_SIZE);
        /// Probability that an activation is dropped in training, in [0, 1).
        dropout: f32 = 0.0, required, "share of activations dropped in training",
            below_1("use 0 for none, 0.2 for a small text");
        /// The same of the attention weights alone, whose masks take a tenth of a step; `None`: `dropout`.
        attn_dropout: Option<f32> = None, "the same for attention weights, or none for dropout",
            below_1("use none for --dropout");
        /// Whether linear layers and layer norms have biases.
        bias: bool = false, required, "biases in linear layers and norms: true or false";
        /// Whether the head uses the token embedding's weights (`lm_head.weight` is then not stored).
        tied: bool = true, "head and token embedding share weights: true or false";
        /// The feed-forward layer's non-linearity.
        activation: Activation = Activation::Gelu, "gelu, gelu_tanh, relu2 or swiglu";
        /// The normalisation before attention, before the feed-forward layer and before the head.
        norm: Norm = Norm::LayerNorm, "layer_norm or rms_norm";
        /// Added to the variance (or mean square) before its root is taken.
        norm_eps: f32 = 1e-5, "added to the variance in norms", positive("the usual value is 1e-5");
        /// How the model knows where a token stands.
        position: Position = Position::Learned, "learned, rope, sinusoidal or none", turns_pairs;
        /// With `rope`: the slowest pair of features turns once in 2 pi times as many positions.
        rope_base: f64 = 1e4, "base of the angles of rope", above_1;
        /// Heads of keys and values, each of which serves several of queries; a divisor of `n_head`. `None`: `n_head`.
        n_kv_head: Option<usize> = None, "heads of keys and values, a divisor of n_head, or none for as many",
            divides_heads;
        /// Whether queries and keys are normalised before they meet (arXiv 2010.04245).
        qk_norm: bool = false, "queries and keys are normalised: true or false";
        /// Whether later blocks blend their values with those of the first (arXiv 2410.17897).
        value_residual: bool = false, "later blocks see the first one's values: true or false";
        /// Whether each block reads a blend of the residual stream with the embedding it began as.
        embedding_skip: bool = false, "each block sees the embedding again: true or false";
        /// The largest logit: z becomes c tanh(z / c) (arXiv 2408.00118). 0: no bound.
        soft_cap: f32 = 0.0, "largest logit, 0 for any", at_least_0;
        /// Whether the projections back to the residual stream (and an untied head) begin at zero.
        zero_init: bool = false, "projections begin at zero: true or false";
        /// The largest order of n-gram embeddings ([`nn::NgramEmbedding`]): 4 adds what the last 2, 3 and 4 tokens say. 0: none.
        ngram: usize = 0, "largest order of n-gram embeddings, 0 for none", order_of_ngrams;
        /// The most n-grams of each table: if more are frequent, the most frequent ones.
        ngram_rows: usize = 1 << 14, "most n-grams of each order that have an embedding",
            size(MAX_NGRAM_ROWS);
        /// Probability of dropout on what these tables say.
        ngram_dropout: f32 = 0.0, "share of the n-gram embeddings dropped in training",
            below_1("use 0 for none");
        /// How many positions each one sees, itself included; `None`: all before it.
        window: Option<usize> = None, "positions that each one sees, or none for all before it",
            at_least_1("at least 1, the position itself", "use none to see all positions");
    }

    /// How a model is trained. "Iteration" is one update of the weights.
    TrainConfig of Train {
        /// What is asked of the model: to go on, to fill in, or a mixture of such tasks ([`data::objective`]).
        objective: Objective = Objective::default(),
            "clm, mlm, span, span-mask, glm, fim, prefix, ul2 or mix=clm:.5,mlm:.25,span:.25";
        /// The share of the tokens that is hidden, where the objective hides some.
        mask_rate: f64 = ObjectiveSettings::default().mask_rate, "share of the tokens that is hidden";
        /// What is put where a token was hidden: `[MASK]`, a random token, the token itself.
        mask_split: MaskSplit = ObjectiveSettings::default().mask_split,
            "hidden tokens become [MASK], a random token, themselves: 0.8,0.1,0.1";
        /// Whether a hidden token is asked for at the position before it, where a language model would be asked.
        mntp: bool = false, "hidden tokens are asked for one position earlier: true or false";
        /// The mean length of hidden spans.
        span_mean: f64 = ObjectiveSettings::default().span_mean, "mean length of hidden spans";
        /// The length of every hidden span, instead of random ones.
        span_length: Option<usize> = None, "length of every hidden span, or none for random ones";
        /// The share of the rows that `fim` rearranges.
        fim_rate: f64 = ObjectiveSettings::default().fim_rate, "share of the rows that fim rearranges";
        /// Whether documents that share a row see only themselves.
        documents: bool = false, "documents that share a row do not see each other: true or false";
        /// Updates in the whole run.
        max_iters: usize = 2000, required, "updates in the whole run", size(usize::MAX);
        /// Sequences in an update, B.
        batch_size: usize = 12, required, "sequences in an update", size(MAX_BATCH_SIZE);
        /// Sequences computed at a time, to save memory; `None`: the trainer's choice. The gradient is the same.
        micro_batch: Option<usize> = None, "sequences computed at a time, or none", part_of_batch;
        /// Micro-batches computed side by side, on a thread each if there are enough of both, with gradients of their own. It is
        /// the order in which gradients are added, so another number gives other bits, whatever the threads.
        lanes: usize = 2, "micro-batches computed side by side, each with its gradients", size(MAX_LANES);
        /// Whether the blocks' activations are forgotten and computed again in the backward: less memory, a third more
        /// time, the same bits.
        recompute: bool = false, "less memory, a third more time: true or false";
        /// The largest learning rate, reached after warm-up.
        learning_rate: f64 = 1e-3, required, "largest learning rate",
            positive("small models learn well at 1e-3");
        /// The learning rate at the end of the decay (`cosine` and `wsd`: `linear` goes to zero).
        min_lr: f64 = 1e-4, required, "learning rate at the end of cosine and wsd", below_learning_rate;
        /// Iterations in which the learning rate grows from 0.
        warmup_iters: usize = 100, required, "iterations in which the learning rate grows", within_training;
        /// The iteration at which `min_lr` is reached; `None`: `max_iters`.
        lr_decay_iters: Option<usize> = None, "iteration at which min_lr is reached, or none for max_iters",
            after_warmup;
        /// The way from `learning_rate` to `min_lr`.
        schedule: Schedule = Schedule::Cosine, required, "cosine, linear, constant or wsd";
        /// With `wsd`: the part of the iterations until `lr_decay_iters` in which the learning rate falls.
        decay_frac: f64 = 0.2, "wsd: part of the iterations in which the learning rate falls", at_most_1;
        /// What turns gradients into updates.
        optimizer: Optimizer = Optimizer::Adamw, required, "adamw, adam, sgd or muon";
        /// With `muon`: the largest learning rate of the matrices in the blocks. It follows the schedule of
        /// `learning_rate`, which is then that of all other parameters.
        muon_lr: f64 = 0.02, "muon: largest learning rate of the matrices in the blocks",
            positive("the usual value is 0.02");
        /// With `muon`: decay of the mean gradient of those matrices.
        muon_momentum: f64 = 0.95, "muon: decay of the mean gradient", below_1("the usual value is 0.95");
        /// With `muon`: iterations that make an update orthogonal. 5 is usual, 3 costs less.
        muon_iters: usize = 5, "muon: iterations that make an update orthogonal", size(MAX_MUON_ITERS);
        /// Weight decay of the matrices; vectors (biases, norms) have none.
        weight_decay: f64 = 0.1, required, "weight decay of matrices", at_least_0;
        /// Decay of the mean gradient; with `sgd`, its momentum.
        beta1: f64 = 0.9, required, "decay of the mean gradient (sgd: momentum)",
            below_1("the usual value is 0.9");
        /// Decay of the mean squared gradient.
        beta2: f64 = 0.99, required, "decay of the mean squared gradient",
            below_1("usual values are 0.99 and 0.95");
        /// In place of `beta2`: the tokens after which a squared gradient counts half. The decay of an update is then
        /// 2^(-tokens of a batch / `beta2_tokens`), so that batches of all sizes look back equally far into the text
        /// (arXiv 2507.07101): a `beta2` that is right for large batches forgets too fast with small ones.
        beta2_tokens: Option<u64> = None, "in place of beta2: its half-life in tokens, or none", half_life;
        /// Keeps Adam's division from dividing by 0.
        eps: f64 = 1e-8, required, "smallest divisor of Adam", positive("the usual value is 1e-8");
        /// The gradient's largest norm; longer ones are scaled down. 0: no limit.
        grad_clip: f64 = 1.0, required, "largest norm of the gradient, 0 for any", at_least_0;
        /// Label smoothing: the part of the target's probability that is spread evenly over all tokens. In training only,
        /// and for a language model rarely of use: its likelihood gets worse (arXiv 1512.00567, 1906.02629).
        label_smoothing: f32 = 0.0, "part of the target's probability spread over all tokens, in training",
            below_1("use 0 for none, as for any language model; 0.1 is usual for classes");
        /// What the square of the logits' log-sum-exp is multiplied by in the training loss; PaLM has 1e-4
        /// (arXiv 2204.02311). It keeps logits from drifting away.
        z_loss: f32 = 0.0, "weight of the squared log-sum-exp in the training loss (PaLM: 1e-4)", at_least_0;
        /// Decay of the average of the weights over the updates, which is evaluated and saved in place of the latest
        /// weights; 0: none. 0.99 to 0.999, fewer for shorter runs (arXiv 1803.05407).
        ema: f64 = 0.0, "decay of the average of the weights that is evaluated and saved, 0 for none",
            below_1("use 0 for none, 0.99 for a short run");
        /// Standard deviations above the running mean of the training loss from which on an update is skipped; 0: never. 6
        /// is a good number: rare by chance, far below a batch that does harm.
        spike_guard: f64 = 0.0, "deviations above the mean loss from which an update is skipped, 0 for never",
            at_least_0;
        /// Iterations between evaluations.
        eval_interval: usize = 250, required, "iterations between evaluations", size(usize::MAX);
        /// Batches in an evaluation along the way, evenly spread over the validation part and the same every time;
        /// 0: all of it. The evaluation at the end is over all of it.
        eval_iters: usize = 20, required, "batches in an evaluation, 0 for the whole validation part";
        /// Evaluations without improvement after which training stops; `None`: never.
        patience: Option<usize> = None, "evaluations without improvement before stopping, or none",
            at_least_1("at least 1", "use none to never stop early");
        /// Where all randomness starts.
        seed: u64 = 1337, required, "where all randomness starts";
        /// Iterations in which the token embedding stays as it began, for one that began with word vectors. (With tied
        /// weights the head stays with it.)
        freeze_emb: usize = 0, "iterations in which the token embedding stays as it began";
        /// How often an n-gram stands in the training text to have a row in the n-gram embeddings.
        ngram_min_count: usize = 4, "how often an n-gram stands in the training text to have an embedding",
            size(usize::MAX);
        /// The learning rate of the n-gram embeddings over that of the others ([`nn::optim::SparseSgd`]).
        ngram_lr_scale: f64 = 1.0, "learning rate of n-gram embeddings over that of the others", at_least_0;
        /// Iterations in which windows are cut into shorter ones, whose length doubles from `seq_len_start` to
        /// `block_size`, each length for equally many iterations; 0: none. Early in training little is learned from what is
        /// far away, and short windows cost less (Shortformer, arXiv 2012.15832). The tokens of an update, and which they
        /// are, stay the same: a window becomes several rows.
        seq_len_warmup: usize = 0,
            "iterations in which the length of windows doubles up to block_size, 0 for none";
        /// The length of the first windows: `block_size` halved any number of times.
        seq_len_start: usize = 64, "length of the first windows: block_size halved any number of times";
        /// How training windows are chosen: `crop` (anywhere, as nanoGPT) or `epoch` (each once per pass).
        sampler: SamplingMode = SamplingMode::Crop, required,
            "crop (windows anywhere) or epoch (each once a pass)";
        /// Iterations between checkpoints; 0: only by time, at the end and when interrupted.
        checkpoint_interval: usize = 250, required,
            "iterations between checkpoints, 0 for only by time and at the end";
        /// Minutes between checkpoints, beside those of `checkpoint_interval`, the first after one minute at the latest; 0:
        /// none by time. When they are made changes no weight.
        checkpoint_minutes: f64 = 5.0, "minutes between checkpoints beside those, 0 for none by time", some_minutes;
        /// How many checkpoints are kept, at least 2.
        keep_checkpoints: usize = 2, required, "checkpoints kept, at least 2", two_at_least;
        /// Iterations between lines in the log.
        log_interval: usize = 10, required, "iterations between lines in the log", size(usize::MAX);
    }
}

fn splits_into_heads(n_embd: &mut Found<'_, usize>, c: &GptConfig) {
    if c.n_head == 0 || n_embd.value == 0 {
        return;
    }
    let below = c.n_embd - c.n_embd % c.n_head;
    let above = below.saturating_add(c.n_head);
    let nearest = if below == 0 { above.to_string() } else { format!("{below} or {above}") };
    n_embd.must(
        c.n_embd.is_multiple_of(c.n_head),
        &format!("a multiple of n_head ({}), each head having n_embd / n_head numbers", c.n_head),
        &format!("use --n-embd {nearest}, or another --n-head"),
    );
}

fn turns_pairs(position: &mut Found<'_, Position>, c: &GptConfig) {
    position.must(
        position.value != Position::Rope || c.head_size().is_multiple_of(2),
        &format!("an even head size, pairs of features being turned (it is {})", c.head_size()),
        "use another --n-head, or another --position",
    );
}

fn above_1(base: &mut Found<'_, f64>, _: &GptConfig) {
    let ok = base.value.is_finite() && base.value > 1.0;
    base.must(ok, "a finite number above 1", "the usual value is 10000");
}

fn divides_heads(n_kv_head: &mut Found<'_, usize>, c: &GptConfig) {
    n_kv_head.must(
        n_kv_head.value > 0 && c.n_head.is_multiple_of(n_kv_head.value),
        &format!("a divisor of n_head ({}), each serving as many heads of queries", c.n_head),
        "use none for as many as n_head, or 1 for one that serves all",
    );
}

fn order_of_ngrams(order: &mut Found<'_, usize>, _: &GptConfig) {
    let ok = order.value == 0 || (2..=MAX_NGRAM).contains(&order.value);
    order.must(ok, &format!("0 for none, or 2 to {MAX_NGRAM}"), "4 is usual for characters");
}

fn part_of_batch(rows: &mut Found<'_, usize>, c: &TrainConfig) {
    size(c.batch_size.max(1))(rows, c);
}

fn below_learning_rate(min_lr: &mut Found<'_, f64>, c: &TrainConfig) {
    let (min, lr) = (min_lr.value, c.learning_rate);
    let ok = min >= 0.0 && !(min > lr);
    min_lr.must(ok, &format!("0 to learning_rate ({lr})"), "a tenth of learning_rate is usual");
}

fn within_training(warmup: &mut Found<'_, usize>, c: &TrainConfig) {
    warmup.must(
        warmup.value == 0 || warmup.value < c.max_iters,
        &format!("0, or fewer than max_iters ({})", c.max_iters),
        &format!("use --warmup-iters {} or more --max-iters", c.max_iters / 20),
    );
}

fn after_warmup(decay: &mut Found<'_, usize>, c: &TrainConfig) {
    decay.must(
        decay.value > c.warmup_iters,
        &format!("more than warmup_iters ({}), the decay coming after the warm-up", c.warmup_iters),
        "leave it out to decay over max_iters",
    );
}

fn at_most_1(share: &mut Found<'_, f64>, _: &TrainConfig) {
    share.must((0.0..=1.0).contains(&share.value), "0 to 1", "the usual value is 0.2");
}

fn half_life(tokens: &mut Found<'_, u64>, _: &TrainConfig) {
    let ok = (1..=MAX_BETA2_TOKENS).contains(&tokens.value);
    tokens.must(ok, &format!("1 to {MAX_BETA2_TOKENS}"), "use none to set --beta2 instead");
}

fn two_at_least(checkpoints: &mut Found<'_, usize>, _: &TrainConfig) {
    checkpoints.must(
        checkpoints.value >= 2,
        "at least 2",
        "one may be damaged: the one before must be there",
    );
}

fn some_minutes(minutes: &mut Found<'_, f64>, _: &TrainConfig) {
    minutes.must((0.0..=1e6).contains(&minutes.value), "0 to 1e6", "5 is usual");
}
