//! Settings that cannot work, all found at once and before anything is allocated.

use super::{Config, GptConfig, Position, TrainConfig};
use data::DataError;
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
/// The largest `muon_iters`: beyond ten nothing changes any more.
const MAX_MUON_ITERS: usize = 100;
/// The largest `beta2_tokens`.
const MAX_BETA2_TOKENS: u64 = 1_000_000_000_000;
/// The largest `batch_size`.
pub const MAX_BATCH_SIZE: usize = 1_000_000;

/// What is wrong with settings.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Values that cannot work: every one of them.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// A name that no setting has.
    #[error("there is no setting named {name:?}: {hint}")]
    UnknownName {
        /// The name as it was given.
        name: String,
        /// Names like it, or all names.
        hint: String,
    },
    /// A text that is not a value of the setting.
    #[error("{name} is {found:?}: expected {expected}")]
    UnreadableValue {
        /// The setting.
        name: String,
        /// The text as it was given.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A name that no preset has.
    #[error("there is no preset named {name:?}: expected one of {names}")]
    UnknownPreset {
        /// The name as it was given.
        name: String,
        /// The names of all presets.
        names: String,
    },
}

/// One setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting.
    pub field: &'static str,
    /// Its value.
    pub found: String,
    /// What it should be.
    pub expected: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: expected {}; {}", self.field, self.found, self.expected, self.remedy)
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Collects problems.
#[derive(Default)]
pub(crate) struct Check(Vec<Problem>);

impl Check {
    pub(crate) fn that(
        &mut self,
        ok: bool,
        field: &'static str,
        found: impl fmt::Display,
        expected: &str,
        remedy: &str,
    ) {
        if !ok {
            let [expected, remedy] = [expected, remedy].map(str::to_string);
            self.0.push(Problem { field, found: found.to_string(), expected, remedy });
        }
    }

    /// A size between 1 and `max`.
    fn size(&mut self, field: &'static str, found: usize, max: usize) {
        let remedy = format!("set --{} to a number in that range", field.replace('_', "-"));
        self.that((1..=max).contains(&found), field, found, &format!("1 to {max}"), &remedy);
    }

    fn at_least_0(&mut self, field: &'static str, found: f64) {
        self.that(
            found.is_finite() && found >= 0.0,
            field,
            found,
            "a finite number, at least 0",
            "use 0 for none",
        );
    }

    fn beta(&mut self, field: &'static str, found: f64, usual: &str) {
        self.that((0.0..1.0).contains(&found), field, found, "at least 0 and below 1", usual);
    }

    pub(crate) fn done(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(self.0)) }
    }
}

impl Config {
    /// Whether model and training can work.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        self.model.check(&mut check);
        self.train.check(&mut check);
        self.check_lengths(&mut check);
        self.check_objective(&mut check);
        check.done()
    }

    /// Whether the objective's numbers make sense, and its rows can be cut.
    fn check_objective(&self, check: &mut Check) {
        if let Err(DataError::InvalidSetting { name, found, expected }) =
            self.train.objective_settings().check()
        {
            check.that(false, name, found, expected, "leave it out for the usual value");
        }
        let plain = self.train.objective.is_clm() && !self.train.documents;
        check.that(
            plain || self.train.seq_len_warmup == 0,
            "seq_len_warmup",
            self.train.seq_len_warmup,
            "0 with this objective (or with documents), whose rows cannot be cut into shorter ones",
            "leave it out, or use --objective clm --documents false",
        );
    }

    /// Whether windows can grow from `seq_len_start` to `block_size`.
    fn check_lengths(&self, check: &mut Check) {
        let (block_size, start) = (self.model.block_size, self.train.seq_len_start);
        if self.train.seq_len_warmup > 0 && block_size > 0 {
            let halves = (0..block_size.trailing_zeros() + 1).map(|n| block_size >> n);
            let choices: Vec<String> = halves.clone().take(8).map(|length| length.to_string()).collect();
            check.that(
                halves.clone().any(|length| length == start),
                "seq_len_start",
                start,
                &format!("block_size ({block_size}) halved any number of times"),
                &format!("use one of {}", choices.join(", ")),
            );
        }
    }
}

impl GptConfig {
    /// Whether such a model can be built. Sizes are capped here, before anything is allocated.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        self.check(&mut check);
        check.done()
    }

    fn check(&self, check: &mut Check) {
        check.size("n_layer", self.n_layer, MAX_N_LAYER);
        check.size("n_head", self.n_head, MAX_N_EMBD);
        check.size("n_embd", self.n_embd, MAX_N_EMBD);
        check.size("block_size", self.block_size, MAX_BLOCK_SIZE);
        check.size("vocab_size", self.vocab_size, MAX_VOCAB_SIZE);
        if self.n_head > 0 && self.n_embd > 0 {
            let below = self.n_embd - self.n_embd % self.n_head;
            let above = below.saturating_add(self.n_head);
            let nearest = if below == 0 { above.to_string() } else { format!("{below} or {above}") };
            check.that(
                self.n_embd.is_multiple_of(self.n_head),
                "n_embd",
                self.n_embd,
                &format!("a multiple of n_head ({}), each head having n_embd / n_head numbers", self.n_head),
                &format!("use --n-embd {nearest}, or another --n-head"),
            );
        }
        let in_range = (0.0..1.0).contains(&self.dropout);
        check.that(
            in_range,
            "dropout",
            self.dropout,
            "at least 0 and below 1",
            "use 0 for none, 0.2 for a small text",
        );
        if let Some(dropout) = self.attn_dropout {
            let in_range = (0.0..1.0).contains(&dropout);
            check.that(in_range, "attn_dropout", dropout, "at least 0 and below 1", "use none for --dropout");
        }
        let positive = self.norm_eps.is_finite() && self.norm_eps > 0.0;
        check.that(positive, "norm_eps", self.norm_eps, "a finite number above 0", "the usual value is 1e-5");
        self.check_attention(check);
        self.check_ngrams(check);
        check.at_least_0("soft_cap", f64::from(self.soft_cap));
    }

    fn check_attention(&self, check: &mut Check) {
        if let Some(n) = self.n_kv_head {
            check.that(
                n > 0 && self.n_head.is_multiple_of(n),
                "n_kv_head",
                n,
                &format!("a divisor of n_head ({}), each serving as many heads of queries", self.n_head),
                "use none for as many as n_head, or 1 for one that serves all",
            );
        }
        if self.position == Position::Rope {
            check.that(
                self.head_size().is_multiple_of(2),
                "position",
                "rope",
                &format!("an even head size, pairs of features being turned (it is {})", self.head_size()),
                "use another --n-head, or another --position",
            );
        }
        let base = self.rope_base;
        check.that(
            base.is_finite() && base > 1.0,
            "rope_base",
            base,
            "a finite number above 1",
            "the usual value is 10000",
        );
        if let Some(window) = self.window {
            check.that(
                window > 0,
                "window",
                window,
                "at least 1, the position itself",
                "use none to see all positions",
            );
        }
    }

    fn check_ngrams(&self, check: &mut Check) {
        check.that(
            self.ngram == 0 || (2..=MAX_NGRAM).contains(&self.ngram),
            "ngram",
            self.ngram,
            &format!("0 for none, or 2 to {MAX_NGRAM}"),
            "4 is usual for characters",
        );
        check.size("ngram_rows", self.ngram_rows, MAX_NGRAM_ROWS);
        let in_range = (0.0..1.0).contains(&self.ngram_dropout);
        check.that(in_range, "ngram_dropout", self.ngram_dropout, "at least 0 and below 1", "use 0 for none");
    }
}

impl TrainConfig {
    /// Whether training can work.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Check::default();
        self.check(&mut check);
        check.done()
    }

    fn check(&self, check: &mut Check) {
        self.check_counts(check);
        self.check_learning_rate(check);
        check.at_least_0("weight_decay", self.weight_decay);
        check.at_least_0("grad_clip", self.grad_clip);
        check.at_least_0("ngram_lr_scale", self.ngram_lr_scale);
        check.size("ngram_min_count", self.ngram_min_count, usize::MAX);
        check.at_least_0("z_loss", f64::from(self.z_loss));
        check.that(
            (0.0..1.0).contains(&self.label_smoothing),
            "label_smoothing",
            self.label_smoothing,
            "at least 0 and below 1",
            "use 0 for none, as for any language model; 0.1 is usual for classes",
        );
        check.beta("beta1", self.beta1, "the usual value is 0.9");
        check.beta("beta2", self.beta2, "usual values are 0.99 and 0.95");
        if let Some(tokens) = self.beta2_tokens {
            // With a longer memory still, beta2 would round to 1 and Adam divide by nothing.
            let fits = (1..=MAX_BETA2_TOKENS).contains(&tokens);
            let expected = format!("1 to {MAX_BETA2_TOKENS}");
            check.that(fits, "beta2_tokens", tokens, &expected, "use none to set --beta2 instead");
        }
        check.beta("ema", self.ema, "use 0 for none, 0.99 for a short run");
        check.at_least_0("spike_guard", self.spike_guard);
        check.beta("muon_momentum", self.muon_momentum, "the usual value is 0.95");
        check.size("muon_iters", self.muon_iters, MAX_MUON_ITERS);
        let positive = self.muon_lr.is_finite() && self.muon_lr > 0.0;
        check.that(positive, "muon_lr", self.muon_lr, "a finite number above 0", "the usual value is 0.02");
        let positive = self.eps.is_finite() && self.eps > 0.0;
        check.that(positive, "eps", self.eps, "a finite number above 0", "the usual value is 1e-8");
    }

    fn check_counts(&self, check: &mut Check) {
        check.size("max_iters", self.max_iters, usize::MAX);
        check.size("batch_size", self.batch_size, MAX_BATCH_SIZE);
        if let Some(rows) = self.micro_batch {
            check.size("micro_batch", rows, self.batch_size.max(1));
        }
        check.size("eval_interval", self.eval_interval, usize::MAX);
        check.size("log_interval", self.log_interval, usize::MAX);
        if let Some(patience) = self.patience {
            check.that(patience > 0, "patience", patience, "at least 1", "use none to never stop early");
        }
        check.that(
            (0.0..=1e6).contains(&self.checkpoint_minutes),
            "checkpoint_minutes",
            self.checkpoint_minutes,
            "0 to 1e6",
            "5 is usual",
        );
        check.that(
            self.keep_checkpoints >= 2,
            "keep_checkpoints",
            self.keep_checkpoints,
            "at least 2",
            "one may be damaged: the one before must be there",
        );
    }

    fn check_learning_rate(&self, check: &mut Check) {
        let lr = self.learning_rate;
        let positive = lr.is_finite() && lr > 0.0;
        check.that(
            positive,
            "learning_rate",
            lr,
            "a finite number above 0",
            "small models learn well at 1e-3",
        );
        check.that(
            self.min_lr >= 0.0 && !(self.min_lr > lr),
            "min_lr",
            self.min_lr,
            &format!("0 to learning_rate ({lr})"),
            "a tenth of learning_rate is usual",
        );
        check.that(
            (0.0..=1.0).contains(&self.decay_frac),
            "decay_frac",
            self.decay_frac,
            "0 to 1",
            "the usual value is 0.2",
        );
        let warmup = self.warmup_iters;
        check.that(
            warmup == 0 || warmup < self.max_iters,
            "warmup_iters",
            warmup,
            &format!("0, or fewer than max_iters ({})", self.max_iters),
            &format!("use --warmup-iters {} or more --max-iters", self.max_iters / 20),
        );
        if let Some(decay) = self.lr_decay_iters {
            check.that(
                decay > warmup,
                "lr_decay_iters",
                decay,
                &format!("more than warmup_iters ({warmup}), the decay coming after the warm-up"),
                "leave it out to decay over max_iters",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    /// The fields named in the error of a changed preset.
    fn problems(change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        let mut config = Preset::NanoCpu.config(65);
        change(&mut config);
        match config.validate() {
            Ok(()) => vec![],
            Err(ConfigError::Invalid(problems)) => problems.iter().map(|p| p.field).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_bad_value_is_named() {
        assert_eq!(problems(|_| ()), [""; 0]);
        assert_eq!(problems(|c| c.model.n_head = 3), ["n_embd"]);
        assert_eq!(problems(|c| c.model.n_layer = 0), ["n_layer"]);
        assert_eq!(problems(|c| c.model.n_layer = MAX_N_LAYER + 1), ["n_layer"]);
        assert_eq!(problems(|c| c.model.n_embd = 131_072), ["n_embd"]);
        assert_eq!(problems(|c| c.model.vocab_size = 1_000_001), ["vocab_size"]);
        assert_eq!(problems(|c| c.model.block_size = usize::MAX), ["block_size"]);
        for dropout in [1.0, -0.1, f32::NAN] {
            assert_eq!(problems(|c| c.model.dropout = dropout), ["dropout"]);
        }
        assert_eq!(problems(|c| c.model.attn_dropout = Some(1.0)), ["attn_dropout"]);
        assert_eq!(problems(|c| c.model.norm_eps = 0.0), ["norm_eps"]);
        assert_eq!(problems(|c| c.model.n_kv_head = Some(2)), [""; 0]);
        for heads in [0, 3, 8] {
            assert_eq!(problems(|c| c.model.n_kv_head = Some(heads)), ["n_kv_head"]);
        }
        assert_eq!(
            problems(|c| (c.model.position, c.model.n_embd, c.model.n_head) = (Position::Rope, 12, 4)),
            ["position"]
        );
        assert_eq!(problems(|c| c.model.rope_base = 1.0), ["rope_base"]);
        assert_eq!(problems(|c| c.model.window = Some(0)), ["window"]);
        assert_eq!(problems(|c| c.model.soft_cap = f32::NAN), ["soft_cap"]);
        for ngram in [1, MAX_NGRAM + 1, usize::MAX] {
            assert_eq!(problems(|c| c.model.ngram = ngram), ["ngram"]);
        }
        assert_eq!(problems(|c| c.model.ngram_rows = 0), ["ngram_rows"]);
        assert_eq!(problems(|c| c.model.ngram_dropout = 1.0), ["ngram_dropout"]);
        assert_eq!(problems(|c| c.train.max_iters = 0), ["max_iters", "warmup_iters"]);
        assert_eq!(problems(|c| c.train.micro_batch = Some(13)), ["micro_batch"]);
        assert_eq!(problems(|c| c.train.micro_batch = Some(0)), ["micro_batch"]);
        assert_eq!(problems(|c| c.train.batch_size = 0), ["batch_size"]);
        for lr in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(problems(|c| c.train.learning_rate = lr).contains(&"learning_rate"), "{lr}");
        }
        assert_eq!(problems(|c| c.train.min_lr = 1.0), ["min_lr"]);
        assert_eq!(problems(|c| c.train.min_lr = f64::NAN), ["min_lr"]);
        assert_eq!(problems(|c| c.train.warmup_iters = 2000), ["warmup_iters", "lr_decay_iters"]);
        assert_eq!(problems(|c| c.train.lr_decay_iters = Some(100)), ["lr_decay_iters"]);
        assert_eq!(problems(|c| c.train.beta1 = 1.0), ["beta1"]);
        assert_eq!(problems(|c| c.train.beta2 = f64::NAN), ["beta2"]);
        assert_eq!(problems(|c| c.train.eps = 0.0), ["eps"]);
        assert_eq!(problems(|c| c.train.weight_decay = -0.1), ["weight_decay"]);
        assert_eq!(problems(|c| c.train.grad_clip = f64::INFINITY), ["grad_clip"]);
        assert_eq!(problems(|c| c.train.muon_momentum = 1.0), ["muon_momentum"]);
        assert_eq!(problems(|c| c.train.ema = 1.0), ["ema"]);
        assert_eq!(
            problems(|c| (c.train.seq_len_warmup, c.train.seq_len_start) = (9, 24)),
            ["seq_len_start"]
        );
        assert_eq!(problems(|c| (c.train.seq_len_warmup, c.train.seq_len_start) = (9, 0)), ["seq_len_start"]);
        assert_eq!(problems(|c| (c.train.seq_len_warmup, c.train.seq_len_start) = (9, 16)), [""; 0]);
        assert_eq!(problems(|c| c.train.mask_rate = 0.0), ["mask_rate"]);
        assert_eq!(problems(|c| c.train.span_mean = f64::NAN), ["span_mean"]);
        assert_eq!(problems(|c| c.train.span_length = Some(0)), ["span_length"]);
        assert_eq!(problems(|c| c.train.fim_rate = 1.5), ["fim_rate"]);
        let mlm = || "mlm".parse().expect("an objective");
        assert_eq!(problems(|c| c.train.objective = mlm()), [""; 0]);
        assert_eq!(
            problems(|c| (c.train.objective, c.train.seq_len_warmup) = (mlm(), 9)),
            ["seq_len_warmup"]
        );
        assert_eq!(problems(|c| (c.train.documents, c.train.seq_len_warmup) = (true, 9)), ["seq_len_warmup"]);
        assert_eq!(problems(|c| c.train.spike_guard = -1.0), ["spike_guard"]);
        for tokens in [0, MAX_BETA2_TOKENS + 1, u64::MAX] {
            assert_eq!(problems(|c| c.train.beta2_tokens = Some(tokens)), ["beta2_tokens"]);
        }
        assert_eq!(problems(|c| c.train.decay_frac = 1.5), ["decay_frac"]);
        assert_eq!(problems(|c| c.train.muon_iters = 0), ["muon_iters"]);
        assert_eq!(problems(|c| c.train.muon_lr = 0.0), ["muon_lr"]);
        assert_eq!(problems(|c| c.train.label_smoothing = 1.0), ["label_smoothing"]);
        assert_eq!(problems(|c| c.train.z_loss = f32::INFINITY), ["z_loss"]);
        assert_eq!(problems(|c| c.train.patience = Some(0)), ["patience"]);
        assert_eq!(problems(|c| c.train.keep_checkpoints = 1), ["keep_checkpoints"]);
        assert_eq!(problems(|c| c.train.checkpoint_minutes = f64::NAN), ["checkpoint_minutes"]);
        assert_eq!(problems(|c| c.train.eval_interval = 0), ["eval_interval"]);
    }

    #[test]
    fn all_problems_come_at_once_with_value_and_remedy() {
        let mut config = Preset::NanoCpu.config(65);
        config.model.n_embd = 130;
        config.train.learning_rate = -1.0;
        let message = config.validate().unwrap_err().to_string();
        for part in ["n_embd is 130", "multiple of n_head (4)", "--n-embd 128 or 132", "learning_rate is -1"]
        {
            assert!(message.contains(part), "{part:?} is missing in:\n{message}");
        }
    }
}
