//! A training that is about to begin: everything is read and checked before the first file is written.

use super::args::Args;
use super::base::Base;
use crate::commands::command_line;
use crate::flags::settings;
use crate::screen::failure::Failure;
use crate::work::checks::{check_length, check_memory, check_vocabulary};
use crate::work::corpus::{Corpus, Files};
use crate::work::count_baseline::CountBaseline;
use crate::work::model::load_tokenizer;
use crate::work::planning::{Budget, propose};
use clap::ArgMatches;
use data::dataset::TokenSource;
use data::objective::Vocabulary;
use gpt::config::{Config, Preset};
use gpt::peft::Method;
use gpt::plan::{MOST_EPOCHS, limit_updates};
use gpt::run_dir::{RunDir, RunInfo};
use gpt::train::{TimeLimit, Trainer};
use std::path::PathBuf;
use std::time::Instant;

/// A run that is about to begin or to go on.
pub(super) struct Session {
    pub(super) text: Corpus,
    pub(super) trainer: Trainer,
    pub(super) dir: RunDir,
    pub(super) best_val_loss: Option<f64>,
    pub(super) evals_without_improvement: u64,
    pub(super) elapsed_s: f64,
    pub(super) time_limit: Option<TimeLimit>,
    /// If a plan has counted already.
    pub(super) counts: Option<CountBaseline>,
    /// How long it is, where that was not asked for.
    pub(super) length: Option<String>,
}

impl Session {
    /// A new run.
    pub(super) fn begin(args: &Args, matches: &ArgMatches) -> Result<Self, Failure> {
        let begun = Instant::now();
        let path = args.out.clone().map_or_else(free_directory, Ok)?;
        RunDir::check(&path)?;
        let mut base = Base::load(args, matches)?;
        let method = base.as_ref().map_or(Method::Full, |base| base.method.clone());
        if method != Method::Full && settings::given(matches).iter().any(|(name, _)| *name == "freeze_emb") {
            return Err(Failure::input(format!(
                "--freeze-emb: with --peft {method} the embedding stays as it is anyway: leave one of them out"
            )));
        }
        let tokenizer = match &base {
            Some(base) => Some(base.model.tokenizer.clone()),
            None => args.tokenizer.as_deref().map(load_tokenizer).transpose()?,
        };
        let files = Files { data: args.data.as_deref(), val: args.val.as_deref() };
        let mut text = Corpus::open(files, None, tokenizer)?;
        let mut config = Preset::from_name(&args.preset)?.config(text.tokenizer.vocab_size());
        if let Some(base) = &base {
            config.model = base.model.gpt.config.clone();
        }
        settings::apply(matches, &mut config)?;
        if base.is_none() {
            check_vocabulary(&config, &text)?; // a model's may be larger
        }
        let fixed = base.is_some() || settings::fixes_the_model(matches);
        args.ahead.check(args.time.is_some() && !fixed)?;
        let (mut counts, mut plan) = (None, None);
        if let Some(seconds) = args.time {
            let counted = CountBaseline::of(&text)?;
            eprintln!("measuring this machine ...");
            let block_size = args.ahead.block_size(&text.tokenizer)?;
            let budget =
                Budget { seconds, begun, bytes: args.memory, sample_length: args.sample_length, block_size };
            let fixed = fixed.then(|| config.clone());
            let begin = |config: &Config, train: &dyn TokenSource| match &base {
                Some(base) => {
                    let vocabulary = Vocabulary::new(config.model.vocab_size, [])?;
                    let config = base.with_its_rows(config.clone());
                    Trainer::from_weights(&config, &base.model.params, &base.method, &vocabulary, train.len())
                }
                None => Trainer::new(config, train),
            };
            let proposal = propose(&text, counted.loss, budget, fixed, &begin)?;
            let mut estimate = proposal.estimate();
            estimate.expected_loss = estimate.expected_loss.filter(|_| base.is_none());
            plan = Some(estimate);
            config = match &base {
                Some(base) => base.with_its_rows(proposal.config),
                None => proposal.config,
            };
            settings::apply(matches, &mut config)?;
            counts = Some(counted);
        }
        let mut length = None;
        if plan.is_none()
            && !settings::fixes_the_length(matches)
            // A first run, on the stories that ship inside, is as short as any: about a minute on two cores.
            && limit_updates(
                &mut config,
                text.parts().0.len(),
                if args.data.is_none() { 0.0 } else { MOST_EPOCHS },
            )
        {
            let (updates, tokens) = (config.train.max_iters, text.parts().0.len() as f64);
            let batch = (config.train.batch_size * config.model.block_size) as f64;
            length = Some(format!(
                "{updates} updates, which read this text {:.0} times: more with --max-iters or --time",
                (updates as f64 * batch / tokens).max(1.0)
            ));
            settings::apply(matches, &mut config)?;
        }
        check_memory(&config, &method, &text)?;
        // The objective's special tokens come after those of the text.
        let train = &config.train;
        let specials = train.objective.specials(&train.objective_settings(), config.model.block_size);
        text.tokenizer = text.tokenizer.with_specials(&specials)?;
        config.model.vocab_size = text.tokenizer.vocab_size();
        if let Some(base) = &mut base {
            base.grow(&text.tokenizer, config.train.seed)?;
            config.model.vocab_size = base.model.gpt.config.vocab_size;
        }
        check_length(&config, &text)?;
        let bytes = |id: u32| text.tokenizer.token_bytes(id).unwrap_or_default();
        let token = |id: u32| String::from_utf8_lossy(&bytes(id)).into_owned();
        let start = args.embedding.prepare(&config, token)?;
        let vocabulary = Vocabulary::of(&text.tokenizer);
        let train = text.parts().0;
        let mut trainer = match &base {
            Some(Base { model, method, .. }) => {
                Trainer::from_weights(&config, &model.params, method, &vocabulary, train.len())?
            }
            None => Trainer::with_vocabulary(&config, &vocabulary, &train)?,
        };
        if let Some(start) = start {
            start.put(&mut trainer);
        }
        let dir = RunDir::create(&path)?;
        // Weights, two moments and the files of two checkpoints and two models, with room to spare.
        dir.require_space(trainer.params.count() as u64 * 4 * 16)?;
        let time_limit = plan.as_mut().map(|plan| {
            let left = args.time.unwrap_or(0.0) - begun.elapsed().as_secs_f64();
            plan.time_limit_s = Some(left);
            TimeLimit { seconds: left, end_s: plan.end_s }
        });
        let info = RunInfo::new(command_line()?, trainer.config.clone(), text.info.clone());
        let (val, from) = (text.val_info.clone(), base.map(|base| base.info));
        dir.write_info(&RunInfo { plan, val, from, ..info })?;
        let (best_val_loss, evals_without_improvement, elapsed_s) = (None, 0, 0.0);
        Ok(Self {
            text,
            trainer,
            dir,
            best_val_loss,
            evals_without_improvement,
            elapsed_s,
            time_limit,
            counts,
            length,
        })
    }
}

/// The first of runs/1, runs/2, ... that is not there.
fn free_directory() -> Result<PathBuf, Failure> {
    let mut names = (1..100_000).map(|n| PathBuf::from(format!("runs/{n}")));
    names
        .find(|path| !path.exists())
        .ok_or_else(|| Failure::input("runs/ is full: name a directory with --out"))
}
