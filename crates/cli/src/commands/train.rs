//! `newleaf train`: from a text to a model that writes.

use super::{command_line, print};
use crate::flags::init_embedding::InitEmbedding;
use crate::flags::sampling::{SampleWriter, Sampled};
use crate::flags::settings;
use crate::screen::failure::Failure;
use crate::screen::progress::Progress;
use crate::work::checks::{check_length, check_memory, check_vocabulary};
use crate::work::corpus::Corpus;
use crate::work::count_baseline::CountBaseline;
use crate::work::model::load_tokenizer;
use crate::work::planning::{Budget, parse_memory, parse_time, propose};
use crate::work::signals;
use clap::ArgMatches;
use data::Tokenizer;
use data::dataset::TokenSource;
use data::objective::Vocabulary;
use gpt::ModelCard;
use gpt::config::{Preset, Schedule};
use gpt::machine::{Machine, now_utc};
use gpt::plan::{MOST_EPOCHS, limit_updates};
use gpt::run_dir::{DataInfo, RunDir, RunDirError, RunInfo, RunOutcome};
use gpt::train::Checkpoint;
use gpt::train::{History, Outcome, Run, Stopped, Trainer, Unwritten};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

pub(crate) const ABOUT: &str = "Train a model on a text and write samples with it

  newleaf train                                      the stories that ship inside
  newleaf train --data my.txt --out my               your own text
  newleaf train --data my.txt --out my2 --n-layer 6 --n-embd 192 --max-iters 4000
  newleaf train --data my.bin --out my               tokens larger than memory, from `newleaf data pack`
  newleaf train --data my.txt --out my --time 30m    the model and training that the time is best spent on
  newleaf train --data my.txt --objective mix=clm:.5,mlm:.25,span:.25    also fill in words and passages
  newleaf train --data my.txt --tokenizer tok        with the tokens of newleaf tokenizer train
  newleaf train --resume --out my                    go on where it stopped

The last 10 % of the text are for validation. Ctrl-C saves a checkpoint and ends; another is saved
after the first minute and then every five (--checkpoint-minutes).";

/// Why a text is not trained on without its frequent words.
const STOP_WORDS: &str = "--stop-words: a model that writes needs the frequent words
  without \"the\", \"of\", \"的\", \"了\" it learns a language that nobody speaks, and its loss is that of another \
text: it can be compared with no other
  leave the flag out; to classify texts or to train word vectors, stop words help: newleaf embed --help";

/// What `newleaf train` takes, beside a flag for every setting.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text to learn, UTF-8, or a file of `newleaf data pack` [default: the stories that ship inside]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A directory with a tokenizer, such as newleaf tokenizer train makes [default: the characters of the text]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    tokenizer: Option<PathBuf>,
    /// A new directory for the run [default: the first free of runs/1, runs/2, ...]
    #[arg(long, alias = "out_dir", value_name = "DIR")]
    out: Option<PathBuf>,
    /// Plan for this time, 30m or 2h: model and number of updates are chosen as newleaf plan does
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with_all = ["resume", "max_iters"])]
    time: Option<f64>,
    /// With --time, the memory that may be used: 500MB, 4GB
    #[arg(long, value_name = "BYTES", value_parser = parse_memory, requires = "time")]
    memory: Option<u64>,
    /// Where the settings start: shakespeare (the fastest road to a good loss), nano-cpu (nanoGPT's recipe for a CPU) or
    /// baby (its baby GPT)
    #[arg(long, value_name = "NAME", default_value = Preset::default().name())]
    preset: String,
    /// Go on with the run in --out from its latest checkpoint
    #[arg(long, requires = "out", conflicts_with = "preset")]
    resume: bool,
    /// Tokens to write at the end
    #[arg(long, value_name = "N", default_value_t = 600)]
    sample_length: usize,
    /// Updates between two short samples in samples.txt; 0 writes none [default: at evaluations]
    #[arg(long, alias = "sample_interval", value_name = "N")]
    sample_interval: Option<u64>,
    /// Refused, with the reason: stop words are for classification and word vectors
    #[arg(long, value_name = "FILE")]
    stop_words: Option<PathBuf>,
    /// At the end, one JSON object on stdout instead of samples
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    embedding: InitEmbedding,
}

pub(crate) fn run(args: &Args, matches: &ArgMatches) -> Result<ExitCode, Failure> {
    if args.stop_words.is_some() {
        return Err(Failure::input(STOP_WORDS));
    }
    command_line()?;
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build, several times slower; use `cargo run --release -- train`");
    }
    let stop = signals::watch().map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
    let mut session = if args.resume { resume(args, matches)? } else { begin(args, matches)? };
    let Session { text, trainer, dir, best_val_loss, evals_without_improvement, elapsed_s, counts } =
        &mut session;
    let (train, val) = text.parts();
    describe(text, trainer, dir);
    let counts = counts.take().map_or_else(|| CountBaseline::of(text), Ok)?;
    eprintln!("count: {counts}");
    record(dir, &counts)?;
    let settings = &trainer.config.train;
    let mut watcher = Sampled {
        progress: Progress::new(settings.max_iters as u64, trainer.iter),
        writer: SampleWriter::new(&text.tokenizer, settings.seed)?,
        interval: args.sample_interval.unwrap_or(settings.eval_interval as u64),
    };
    let tokenizer = text.tokenizer.to_json();
    let keep = trainer.config.train.keep_checkpoints;
    let outcome = Run {
        history: History::open(&dir.checkpoints(), keep).map_err(|e| Failure::other(e.to_string()))?,
        trainer,
        train: &train,
        val: &val,
        chars_per_token: text.chars_per_token,
        bytes_per_token: text.bytes_per_token,
        dir,
        tokenizer: &tokenizer,
        card: card(&text.info)?,
        stop: &stop,
        best_val_loss: *best_val_loss,
        evals_without_improvement: *evals_without_improvement,
        elapsed_before_s: *elapsed_s,
        last_train_loss: None,
        last_val_losses: Vec::new(),
        unwritten: Unwritten::default(),
    }
    .run(&mut watcher);
    watcher.progress.finish();
    match outcome {
        Ok(outcome) => finish(args, &session, &counts, &outcome),
        Err(error) => Err(Failure::from(error).and(&how_to_go_on(&session.dir))),
    }
}

/// What can be done after a training that did not come to its end.
fn how_to_go_on(dir: &RunDir) -> String {
    let path = dir.path().display();
    match History::open(&dir.checkpoints(), 2).and_then(|history| history.steps()).unwrap_or_default().first()
    {
        Some(step) => {
            format!("there is a checkpoint of update {step}; go on with: newleaf train --resume --out {path}")
        }
        None => "there is no checkpoint yet: the same command begins again".into(),
    }
}

/// A run that is about to begin or to go on.
struct Session {
    text: Corpus,
    trainer: Trainer,
    dir: RunDir,
    best_val_loss: Option<f64>,
    evals_without_improvement: u64,
    elapsed_s: f64,
    /// If a plan has counted already.
    counts: Option<CountBaseline>,
}

/// Everything is read and checked before the first file is written.
fn begin(args: &Args, matches: &ArgMatches) -> Result<Session, Failure> {
    let tokenizer = args.tokenizer.as_deref().map(load_tokenizer).transpose()?;
    let begun = Instant::now();
    let mut text = Corpus::open(args.data.as_deref(), None, tokenizer)?;
    let mut config = Preset::from_name(&args.preset)?.config(text.tokenizer.vocab_size());
    settings::apply(matches, &mut config)?;
    check_vocabulary(&config, &text)?;
    let (mut counts, mut plan) = (None, None);
    if let Some(seconds) = args.time {
        let counted = CountBaseline::of(&text)?;
        eprintln!("measuring this machine ...");
        let budget = Budget { seconds, begun, bytes: args.memory };
        let fixed = settings::fixes_the_model(matches).then(|| config.clone());
        let proposal = propose(&text, counted.loss, budget, fixed)?;
        plan = Some(proposal.estimate());
        config = proposal.config;
        settings::apply(matches, &mut config)?;
        counts = Some(counted);
    }
    if plan.is_none()
        && !settings::fixes_the_length(matches)
        && limit_updates(&mut config, text.parts().0.len())
    {
        eprintln!(
            "{} updates, which read this text {MOST_EPOCHS:.0} times: more with --max-iters",
            config.train.max_iters
        );
        settings::apply(matches, &mut config)?;
    }
    check_memory(&config, &text)?;
    // The objective's special tokens come after those of the text.
    let train = &config.train;
    let specials = train.objective.specials(&train.objective_settings(), config.model.block_size);
    text.tokenizer = text.tokenizer.with_specials(&specials)?;
    config.model.vocab_size = text.tokenizer.vocab_size();
    check_length(&config, &text)?;
    let bytes = |id: u32| text.tokenizer.token_bytes(id).unwrap_or_default();
    let token = |id: u32| String::from_utf8_lossy(&bytes(id)).into_owned();
    let start = args.embedding.prepare(&config, token)?;
    let path = args.out.clone().map_or_else(free_directory, Ok)?;
    let dir = RunDir::create(&path)?;
    let vocabulary = Vocabulary::of(&text.tokenizer);
    let mut trainer = Trainer::with_vocabulary(&config, &vocabulary, &text.parts().0)?;
    if let Some(start) = start {
        start.put(&mut trainer);
    }
    // Weights, two moments and the files of two checkpoints and two models, with room to spare.
    dir.require_space(trainer.params.count() as u64 * 4 * 16)?;
    let info = RunInfo::new(command_line()?, trainer.config.clone(), text.info.clone());
    dir.write_info(&RunInfo { plan, ..info })?;
    let (best_val_loss, evals_without_improvement, elapsed_s) = (None, 0, 0.0);
    Ok(Session { text, trainer, dir, best_val_loss, evals_without_improvement, elapsed_s, counts })
}

fn resume(args: &Args, matches: &ArgMatches) -> Result<Session, Failure> {
    let given = settings::given(matches);
    if let Some((name, _)) = given.iter().find(|(name, _)| *name != "max_iters") {
        return Err(Failure::input(format!(
            "--resume goes on with the settings of the run, and only --max-iters may change: leave out --{}",
            name.replace('_', "-")
        )));
    }
    let mut dir = RunDir::open_for_resume(args.out.as_deref().expect("clap requires it"))?;
    let info = dir.read_info()?;
    let restored = History::open(&dir.checkpoints(), info.config.train.keep_checkpoints)
        .and_then(|h| h.latest_verified());
    let restored = restored?;
    dir.recovered().iter().chain(&restored.warnings).for_each(|line| eprintln!("warning: {line}"));
    let mut checkpoint: Checkpoint = restored.checkpoint;
    let tokenizer = Tokenizer::from_json(&checkpoint.tokenizer)?;
    let text = Corpus::open(args.data.as_deref(), Some(&info.data), Some(tokenizer))?;
    let decay_iters = checkpoint.config.train.decay_iters();
    for (name, value) in given {
        checkpoint.config.set(name, value)?;
    }
    checkpoint.config.validate()?;
    let train_tokens = check_length(&checkpoint.config, &text)?;
    let trainer = Trainer::from_checkpoint(&checkpoint, train_tokens)?;
    let settings = &checkpoint.config.train;
    let stretched = settings.decay_iters() != decay_iters && settings.schedule != Schedule::Constant;
    if stretched {
        eprintln!(
            "note: the learning rate now falls over {} updates and not over {decay_iters}: it goes on at {:.2e}, and not \
             where it stopped",
            settings.decay_iters(),
            trainer.lr()
        );
    }
    // Whatever is wrong with a log stops no training.
    let dropped = dir.drop_metrics_after(checkpoint.iter).map(drop);
    for error in
        [dropped, dir.drop_samples_from(checkpoint.iter).map(drop)].into_iter().filter_map(Result::err)
    {
        eprintln!("warning: {error}; the training goes on");
    }
    Ok(Session {
        text,
        trainer,
        dir,
        best_val_loss: checkpoint.best_val_loss,
        evals_without_improvement: checkpoint.evals_without_improvement,
        elapsed_s: checkpoint.elapsed_s,
        counts: None,
    })
}

/// The first of runs/1, runs/2, ... that is not there.
fn free_directory() -> Result<PathBuf, Failure> {
    let mut names = (1..100_000).map(|n| PathBuf::from(format!("runs/{n}")));
    names
        .find(|path| !path.exists())
        .ok_or_else(|| Failure::input("runs/ is full: name a directory with --out"))
}

fn card(data: &DataInfo) -> Result<ModelCard, Failure> {
    Ok(ModelCard {
        data: data.path.clone(),
        data_sha256: data.sha256.clone(),
        command: command_line()?,
        date: now_utc(),
        ..ModelCard::default()
    })
}

/// Keeps the loss of counting with the run, for its report.
fn record(dir: &RunDir, counts: &CountBaseline) -> Result<(), RunDirError> {
    let info = dir.read_info()?;
    let count_loss = Some(counts.loss);
    if info.count_loss == count_loss { Ok(()) } else { dir.write_info(&RunInfo { count_loss, ..info }) }
}

/// What is about to happen, on stderr.
fn describe(text: &Corpus, trainer: &Trainer, dir: &RunDir) {
    let (model, (train, val)) = (&trainer.config.model, text.parts());
    eprintln!(
        "newleaf {} on {} threads, {}\ntext:  {}: {} tokens to train, {} to validate, {} different ({}), \
         {:.2} characters a token",
        env!("CARGO_PKG_VERSION"),
        rayon::current_num_threads(),
        tensor::kernels::simd::Path::current(),
        text.info.path,
        train.len(),
        val.len(),
        model.vocab_size,
        text.tokenizer.kind(),
        text.chars_per_token,
    );
    if text.unknown > 0.0 {
        eprintln!(
            "       {:.1} % of them are <unk>, words that the tokenizer does not know: what the model says of these is \
             nothing; newleaf tokenizer train has fewer with a larger --vocab-size, and none with --kind bpe",
            100.0 * text.unknown
        );
    }
    eprintln!(
        "model: {} parameters: n_layer {}, n_head {}, n_embd {}, block_size {}\nrun:   {}{}",
        trainer.params.count(),
        model.n_layer,
        model.n_head,
        model.n_embd,
        model.block_size,
        dir.path().display(),
        if trainer.iter > 0 { format!(", from iter {}", trainer.iter) } else { String::new() },
    );
}

/// The end: a summary on stderr, and samples or JSON on stdout.
fn finish(
    args: &Args,
    session: &Session,
    counts: &CountBaseline,
    outcome: &Outcome,
) -> Result<ExitCode, Failure> {
    let path = session.dir.path().display();
    let best = outcome.best_val_loss.map_or("none".to_string(), |loss| format!("{loss:.4}"));
    let seconds = outcome.elapsed_s;
    eprintln!(
        "done:  {} updates in {seconds:.1} s, best val loss {best} (counting: {:.4})",
        outcome.iter, counts.loss
    );
    let Unwritten { log_entries, files } = &outcome.unwritten;
    if *log_entries > 0 {
        eprintln!("warning: {log_entries} entries of metrics.jsonl and samples.txt could not be written");
    }
    let unwritten: Vec<String> =
        files.iter().map(|(what, why)| format!("{what} is not written: {why}")).collect();
    if let Stopped::Signal(number) = outcome.stopped {
        let how = how_to_go_on(&session.dir);
        if !unwritten.is_empty() {
            return Err(Failure::other(format!("stopped by a signal; {}\n  {how}", unwritten.join("\n  "))));
        }
        eprintln!("stopped by a signal; {how}");
        return Ok(ExitCode::from(128 + number as u8));
    }
    if outcome.stopped == Stopped::NoImprovement {
        eprintln!("stopped early: the validation loss did not improve any more");
    }
    let is_clm = session.trainer.config.train.objective.is_clm();
    if let Some(verdict) = outcome.best_val_loss.filter(|_| is_clm).and_then(|loss| counts.verdict(loss)) {
        eprintln!("note:  {verdict}");
    }
    let outcome_info =
        RunOutcome { seconds, bytes: Machine::peak_memory_bytes(), best_val_loss: outcome.best_val_loss };
    match session.dir.write_outcome(outcome_info) {
        Ok(Some(told)) => eprintln!("plan:  {told}"),
        Ok(None) => {}
        Err(error) => eprintln!("warning: {error}"),
    }
    if args.json {
        let mut summary = json!({
            "out": path.to_string(), "iter": outcome.iter, "best_val_loss": outcome.best_val_loss,
            "count_loss": counts.loss, "seconds": seconds,
        });
        for (name, loss) in &outcome.val_losses {
            summary[format!("val_loss_{name}")] = (*loss).into();
        }
        print(&summary.to_string())?;
    } else if session.dir.best().exists() || unwritten.is_empty() {
        let sample = write_sample(session, args.sample_length)?;
        if let Err(error) = session.dir.append_sample(outcome.iter, &sample) {
            eprintln!("warning: {error}");
        }
        print(sample.trim_start_matches('\n'))?;
    }
    if !unwritten.is_empty() {
        return Err(Failure::other(format!("{}\n  {}", unwritten.join("\n  "), how_to_go_on(&session.dir))));
    }
    eprintln!("write more with: newleaf sample --model {path}");
    Ok(ExitCode::SUCCESS)
}

/// A sample of the best model.
fn write_sample(session: &Session, length: usize) -> Result<String, Failure> {
    let best = crate::work::model::load(session.dir.path())?;
    let writer = SampleWriter::new(&best.tokenizer, session.trainer.config.train.seed)?;
    Ok(writer.write(&best.gpt, &best.params, length)?)
}
