//! `newleaf train`: from a text to a model that writes.

mod args;
mod base;
mod resume;
mod session;

pub(crate) use args::{Args, SAMPLE_LENGTH};

use self::session::Session;
use super::{command_line, print};
use crate::flags::sampling::{SampleWriter, Sampled};
use crate::screen::failure::Failure;
use crate::screen::progress::Progress;
use crate::screen::wrap::Wrap;
use crate::work::corpus::Corpus;
use crate::work::count_baseline::CountBaseline;
use crate::work::signals;
use clap::ArgMatches;
use data::dataset::TokenSource;
use gpt::ModelCard;
use gpt::machine::{Machine, now_utc};
use gpt::peft::Method;
use gpt::run_dir::{RunDir, RunInfo, RunOutcome};
use gpt::train::{History, Outcome, Run, Stopped, TrainError, Trainer, Unwritten};
use serde_json::json;
use std::process::ExitCode;

pub(crate) const ABOUT: &str = "Train a model on a text

  newleaf train                                      the stories that ship inside
  newleaf train --data my.txt --out my               your own text
  newleaf train --data my.txt --out my --time 30m    the best model for the time
  newleaf train --data my.txt --n-layer 6 --n-embd 192 --max-iters 4000
  newleaf train --data my.bin                        tokens of newleaf data pack
  newleaf train --data my.txt --tokenizer tok        tokens of your own
  newleaf train --data parts/train.txt --val parts/val.txt --out my
  newleaf train --data my.txt --objective mix=clm:.5,mlm:.25,span:.25
  newleaf train --from my --data new.txt --out my2   go on with a new text
  newleaf train --from gpt2 --data my.txt --peft lora:r=8
  newleaf train --resume --out my                    go on where it stopped

The last 10 % of the text are for validation, unless --val names a text for it.
Ctrl-C saves a checkpoint and ends; another is saved after the first minute and
then every five (--checkpoint-minutes).";

/// Why a text is not trained on without its frequent words.
const STOP_WORDS: &str = "--stop-words: a model that writes needs the frequent words
  without \"the\", \"of\", \"的\", \"了\" it learns a language that nobody speaks, and its loss is that of another \
text: it can be compared with no other
  leave the flag out; to classify texts or to train word vectors, stop words help: newleaf embed --help";

pub(crate) fn run(args: &Args, matches: &ArgMatches) -> Result<ExitCode, Failure> {
    if args.stop_words.is_some() {
        return Err(Failure::input(STOP_WORDS));
    }
    command_line()?;
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build, several times slower; use `cargo run --release -- train`");
    }
    let stop = signals::watch().map_err(|e| Failure::other(format!("cannot watch for signals: {e}")))?;
    let mut session =
        if args.resume { Session::resume(args, matches)? } else { Session::begin(args, matches)? };
    let Session {
        text,
        trainer,
        dir,
        best_val_loss,
        evals_without_improvement,
        elapsed_s,
        time_limit,
        counts,
        length,
    } = &mut session;
    let (train, val) = text.parts();
    let info = dir.read_info()?;
    describe(text, trainer, dir, &info);
    length.iter().for_each(|length| eprintln!("       {length}"));
    let counts = counts.take().map_or_else(|| CountBaseline::of(text), Ok)?;
    eprintln!("to beat: {counts}");
    // For the report of the run.
    if info.count_loss != Some(counts.loss) {
        dir.write_info(&RunInfo { count_loss: Some(counts.loss), ..info.clone() })?;
    }
    let settings = &trainer.config.train;
    let mut watcher = Sampled {
        progress: Progress::new(settings.max_iters as u64, trainer.iter, counts.loss),
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
        card: card(&info)?,
        stop: &stop,
        best_val_loss: *best_val_loss,
        evals_without_improvement: *evals_without_improvement,
        elapsed_before_s: *elapsed_s,
        time_limit: *time_limit,
        last_train_loss: None,
        last_val_losses: Vec::new(),
        unwritten: Unwritten::default(),
    }
    .run(&mut watcher);
    watcher.progress.finish();
    match outcome {
        Ok(outcome) => finish(args, &session, &counts, &outcome),
        Err(error) => {
            let diverged = matches!(error, TrainError::NonFinite { .. } | TrainError::Damaged { .. });
            let learning_rate = session.trainer.config.train.learning_rate;
            let remedy = how_to_go_on(&session.dir, diverged.then_some(learning_rate));
            Err(Failure::from(error).and(&remedy))
        }
    }
}

/// What can be done after a training that did not come to its end: with a learning rate, one that diverged.
fn how_to_go_on(dir: &RunDir, diverged_at: Option<f64>) -> String {
    let path = dir.path().display();
    let steps = History::open(&dir.checkpoints(), 2).and_then(|history| history.steps()).unwrap_or_default();
    let lower = diverged_at.map(|rate| format!("--learning-rate {:.0e}", (rate / 10.0).min(1e-3)));
    match (steps.first(), lower) {
        (Some(step), None) => {
            format!("there is a checkpoint of update {step}; go on with: newleaf train --resume --out {path}")
        }
        (Some(step), Some(lower)) => format!(
            "there is a checkpoint of update {step}; go on with: newleaf train --resume --out {path}\n  \
             if that fails, too, begin a new run, in another --out, with a lower learning rate, such as {lower}"
        ),
        (None, None) => "there is no checkpoint yet: the same command begins again".into(),
        (None, Some(lower)) => format!(
            "nothing could be saved: there was no update after which the model computes; begin again, with the same --out \
             {path}, and a lower learning rate, such as {lower}"
        ),
    }
}

fn card(info: &RunInfo) -> Result<ModelCard, Failure> {
    let from = info.from.clone();
    let (from, from_sha256, method) =
        from.map_or_else(Default::default, |from| (from.path, from.sha256, from.method));
    Ok(ModelCard {
        data: info.data.path.clone(),
        data_sha256: info.data.sha256.clone(),
        from,
        from_sha256,
        method,
        command: command_line()?,
        date: now_utc(),
        ..ModelCard::default()
    })
}

/// What is about to happen, on stderr.
fn describe(text: &Corpus, trainer: &Trainer, dir: &RunDir, info: &RunInfo) {
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
    if let Some(val) = &text.val_info {
        eprintln!("       validation text: {}", val.path);
    }
    if text.unknown > 0.0 {
        eprintln!(
            "       {:.1} % of them are <unk>, words that the tokenizer does not know: what the model says of these is \
             nothing; newleaf tokenizer train has fewer with a larger --vocab-size, and none with --kind bpe",
            100.0 * text.unknown
        );
    }
    if let Some(from) = &info.from {
        eprintln!("from:  {}: its weights and its tokenizer, a new optimizer", from.path);
        if trainer.method != Method::Full {
            let trained = trainer.params.ids().filter(|&id| trainer.params.is_trainable(id));
            let trained: usize = trained.map(|id| trainer.params.data(id).len()).sum();
            eprintln!(
                "       {trained} parameters are trained ({}), the others stay; the models of the run have them in their \
                 weights",
                trainer.method
            );
        }
    }
    let of_ngrams = trainer.params.ids().filter(|&id| trainer.params.name(id).starts_with("ngram"));
    let of_ngrams: usize = of_ngrams.map(|id| trainer.params.data(id).len()).sum();
    eprintln!(
        "model: {} parameters{}: n_layer {}, n_head {}, n_embd {}, block_size {}\nrun:   {}{}",
        trainer.params.count(),
        if of_ngrams > 0 {
            format!(", {of_ngrams} of them vectors of frequent n-grams")
        } else {
            String::new()
        },
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
    // Before there is a best/, the loss is that of random weights.
    let best = outcome.best_val_loss.filter(|_| session.dir.best().exists());
    let best = best.map_or("not measured yet".to_string(), |loss| format!("{loss:.4}"));
    let seconds = outcome.elapsed_s;
    eprintln!(
        "done:  {} updates in {seconds:.1} s; best validation loss {best} (n-gram {:.4})",
        outcome.iter, counts.loss
    );
    let Unwritten { log_entries, files } = &outcome.unwritten;
    if *log_entries > 0 {
        eprintln!("warning: {log_entries} entries of metrics.jsonl and samples.txt could not be written");
    }
    let unwritten: Vec<String> =
        files.iter().map(|(what, why)| format!("{what} is not written: {why}")).collect();
    if let Stopped::Signal(number) = outcome.stopped {
        let how = how_to_go_on(&session.dir, None);
        if !unwritten.is_empty() {
            return Err(Failure::other(format!("stopped by a signal; {}\n  {how}", unwritten.join("\n  "))));
        }
        eprintln!("stopped by a signal; {how}\nsample from it: newleaf sample --model {path}");
        return Ok(ExitCode::from(128 + number as u8));
    }
    if outcome.stopped == Stopped::NoImprovement {
        eprintln!("stopped early: the validation loss did not improve any more");
    }
    let out_of_time = outcome.stopped == Stopped::OutOfTime;
    if out_of_time {
        let train = &session.trainer.config.train;
        eprintln!(
            "stopped at the limit of --time after {} of {} updates: the machine was slower than when it was measured; the \
             learning rate was still {:.1e}, and with all updates the loss would be lower: newleaf train --resume --out \
             {path} --max-iters {}",
            outcome.iter,
            train.max_iters,
            session.trainer.lr(),
            train.max_iters,
        );
    }
    let is_clm = session.trainer.config.train.objective.is_clm();
    if let Some(verdict) = outcome.best_val_loss.filter(|_| is_clm).and_then(|loss| counts.verdict(loss)) {
        eprintln!("note:  {verdict}");
    }
    let outcome_info = RunOutcome {
        seconds,
        bytes: Machine::peak_memory_bytes(),
        best_val_loss: outcome.best_val_loss,
        out_of_time,
    };
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
        eprintln!("\nthe model writes:\n");
        if let Err(error) = session.dir.append_sample(outcome.iter, &sample) {
            eprintln!("warning: {error}");
        }
        let mut wrap = Wrap::stdout();
        let shown = wrap.push(sample.trim_start_matches('\n')) + &wrap.finish();
        print(&shown)?;
    }
    if !unwritten.is_empty() {
        return Err(Failure::other(format!(
            "{}\n  {}",
            unwritten.join("\n  "),
            how_to_go_on(&session.dir, None)
        )));
    }
    eprintln!(
        "\nmore text:     newleaf sample --model {path}\nbetter text:   newleaf train --data {} --time 10m\n\
         curves:        newleaf report {path}",
        match &args.data {
            Some(path) => path.display().to_string(),
            None if args.resume => session.text.info.path.clone(),
            None => "my.txt".into(),
        }
    );
    Ok(ExitCode::SUCCESS)
}

/// A sample of the best model.
fn write_sample(session: &Session, length: usize) -> Result<String, Failure> {
    let best = crate::work::model::load(session.dir.path())?;
    let writer = SampleWriter::new(&best.tokenizer, session.trainer.config.train.seed)?;
    Ok(writer.write(&best.gpt, &best.params, length)?)
}
