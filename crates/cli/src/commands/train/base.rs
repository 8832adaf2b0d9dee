//! `newleaf train --from`: the model that a training begins with.

use super::args::Args;
use crate::flags::settings;
use crate::screen::failure::Failure;
use crate::work::model::{self, Model};
use clap::ArgMatches;
use data::Tokenizer;
use gpt::config::{Config, FIELDS, Group};
use gpt::peft::{Method, fingerprint};
use gpt::run_dir::BaseInfo;
use gpt::tune::grown;
use random::{Rng, Stream};

/// The settings of the model that are about its training: these may be others than those that it was made with.
const OF_TRAINING: [&str; 3] = ["dropout", "attn_dropout", "ngram_dropout"];

/// The model that a training begins with, and what of it is trained.
pub(super) struct Base {
    pub(super) model: Model,
    pub(super) method: Method,
    pub(super) info: BaseInfo,
}

impl Base {
    /// Loads the model of --from, if there is one, and refuses settings that are its own.
    pub(super) fn load(args: &Args, matches: &ArgMatches) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.from else { return Ok(None) };
        let model = model::load(path)?;
        check_settings(&model, matches)?;
        let method = args.peft.clone().unwrap_or_default();
        let info = BaseInfo {
            path: path.display().to_string(),
            sha256: fingerprint(&model.gpt.config, &model.params),
            method: method.to_string(),
        };
        Ok(Some(Self { model, method, info }))
    }

    /// A configuration with the n-grams that the model has: a plan counts those of the text.
    pub(super) fn with_its_rows(&self, mut config: Config) -> Config {
        config.model.ngram_rows = self.model.gpt.config.ngram_rows;
        config
    }

    /// Gives the model the tokens that its tokenizer has got.
    pub(super) fn grow(&mut self, tokenizer: &Tokenizer, seed: u64) -> Result<(), Failure> {
        let (found, vocab_size) = (self.model.gpt.config.vocab_size, tokenizer.vocab_size());
        if found >= vocab_size {
            return Ok(()); // there may be spare rows
        }
        if self.method != Method::Full {
            return Err(Failure::input(format!(
                "{}: its vocabulary lacks {} special tokens of the objective, and with --peft {} nothing could learn them: \
                 leave out --peft or --objective",
                self.info.path,
                vocab_size - found,
                self.method
            )));
        }
        let (gpt, params) = (&self.model.gpt, &self.model.params);
        (self.model.gpt, self.model.params) =
            grown(gpt, params, vocab_size, &mut Rng::new(seed, Stream::Other(0)));
        Ok(())
    }
}

/// The settings of a model are in its weights: another value is refused, but of dropout, and of block_size a smaller one.
fn check_settings(model: &Model, matches: &ArgMatches) -> Result<(), Failure> {
    let ours = &model.gpt.config;
    let mut config = Config { model: ours.clone(), train: gpt::config::TrainConfig::default() };
    for (name, value) in settings::given(matches) {
        let is_model = FIELDS.iter().any(|field| field.name == name && field.group == Group::Model);
        if !is_model || OF_TRAINING.contains(&name) {
            continue;
        }
        config.set(name, value)?;
        let differs = config.model.differences(ours);
        let shorter = name == "block_size" && config.model.block_size <= ours.block_size;
        if let Some((name, _)) = differs.first().filter(|_| !shorter) {
            let values = ours.values();
            let (_, found) = values.iter().find(|(field, _)| field == name).expect("a setting");
            let flag = name.replace('_', "-");
            let only =
                if *name == "block_size" { "at most, its positions end there" } else { "and so its weights" };
            return Err(Failure::input(format!(
                "--{flag} {value}: the model of --from {} has {name} {found}, {only}; leave --{flag} out",
                model.path.display()
            )));
        }
        config.model.block_size = ours.block_size;
    }
    Ok(())
}
