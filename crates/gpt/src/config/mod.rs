//! What a model is ([`GptConfig`]) and how it is trained ([`TrainConfig`]), in nanoGPT's names.
//!
//! | file | has |
//! |---|---|
//! | settings.rs | every setting, once: a new one is a line there, and the place that uses it |
//! | value.rs | what a text means, and the enums among the values |
//! | check.rs | rules for values, and the errors |
//! | derived.rs | what follows from the settings |
//! | set.rs | settings by name |
//! | preset.rs | settings that are known to work, as differences from the default |

mod check;
mod derived;
mod preset;
mod set;
mod settings;
mod value;

#[cfg(test)]
mod config_tests;

pub(crate) use check::Check;

pub use check::{ConfigError, Problem};
pub use preset::Preset;
pub use settings::{
    FIELDS, Field, GptConfig, Group, MAX_BATCH_SIZE, MAX_BLOCK_SIZE, MAX_N_EMBD, MAX_N_LAYER, MAX_NGRAM,
    MAX_NGRAM_ROWS, MAX_VOCAB_SIZE, TrainConfig,
};
pub use value::{Activation, Norm, Optimizer, Position, Schedule};

use data::DataError;
pub use data::SamplingMode;
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
}
