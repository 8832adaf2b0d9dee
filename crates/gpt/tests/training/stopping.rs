//! Early stopping: `best` holds the weights of the evaluation that was best, to the bit, however the run was cut.

use super::*;
use data::dataset::TokenSource;
use data::{CharTokenizer, DataError};
use gpt::ModelCard;
use gpt::files::{Tensors, tensors};
use gpt::run_dir::RunDir;
use gpt::train::{Evaluation, History, Observer, Outcome, Run, StepReport, Stopped, TimeLimit, Unwritten};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIGNAL: usize = 2;
const PATIENCE: u64 = 3;
const INTERVAL: u64 = 4;

/// Settings that learn the few tokens of a short text by heart within some dozens of updates.
fn forgetful(ema: &str) -> Config {
    let mut config = tiny();
    let settings = [
        ("learning_rate", "0.01"),
        ("dropout", "0"),
        ("max_iters", "400"),
        ("eval_interval", "4"),
        ("eval_iters", "0"),
        ("checkpoint_interval", "7"),
        ("patience", "3"),
        ("ema", ema),
    ];
    settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

/// Small numbers are frequent: that much can be learned from one part for the other, and no more.
fn tokens(stream: u64, len: usize) -> Vec<u32> {
    let mut rng = Rng::new(9, Stream::Other(stream));
    let mut token = || rng.below(VOCAB as u64) as u32;
    (0..len).map(|_| token().min(token())).collect()
}

/// Several batches, if not all of it is looked at.
pub(super) fn val_text(config: &Config) -> Vec<u32> {
    tokens(2, if config.train.eval_iters == 0 { 400 } else { 7000 })
}

pub(super) fn train_text() -> Vec<u32> {
    tokens(1, 80)
}

/// A session of a training: what it told, and how it ended. Asks for the end after an update, as a signal does.
pub(super) struct Session {
    pub(super) outcome: Result<Outcome, TrainError>,
    pub(super) evaluations: Vec<Evaluation>,
    /// The iterations of its checkpoints.
    pub(super) saved: Vec<u64>,
    pub(super) warnings: Vec<String>,
    stop: Arc<AtomicUsize>,
    stop_at: Option<u64>,
}

impl Observer for Session {
    fn step(&mut self, report: &StepReport, _tokens_per_s: f64) {
        if self.stop_at == Some(report.iter) {
            self.stop.store(SIGNAL, Ordering::Relaxed);
        }
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        self.evaluations.push(evaluation.clone());
    }

    fn saved(&mut self, iter: u64) {
        self.saved.push(iter);
    }

    fn warning(&mut self, message: &str) {
        self.warnings.push(message.to_string());
    }
}

/// A session that ends as it should.
fn session(config: &Config, path: &Path, stop_at: Option<u64>) -> (Outcome, Vec<Evaluation>) {
    let Session { outcome, evaluations, .. } = Session::run(config, path, stop_at);
    (outcome.unwrap(), evaluations)
}

impl Session {
    /// Trains in a directory, from the beginning or from where an earlier session was cut.
    pub(super) fn run(config: &Config, path: &Path, stop_at: Option<u64>) -> Self {
        Self::run_after(config, path, stop_at, || {})
    }

    /// The same, with something happening to the directory when it has been opened.
    pub(super) fn run_after(
        config: &Config,
        path: &Path,
        stop_at: Option<u64>,
        happens: impl FnOnce(),
    ) -> Self {
        Self::limited(config, path, (stop_at, None), None, false, happens)
    }

    /// The same, which has to be over by a time, or whose text cannot be read any more after so many batches.
    pub(super) fn limited(
        config: &Config,
        path: &Path,
        (stop_at, time_limit): (Option<u64>, Option<TimeLimit>),
        readable: Option<usize>,
        signal_in_val: bool,
        happens: impl FnOnce(),
    ) -> Self {
        let (train, val) = (train_text(), val_text(config));
        let goes_on = path.join("run.json").exists();
        let mut dir = if goes_on { RunDir::open_for_resume(path) } else { RunDir::create(path) }.unwrap();
        if !goes_on {
            let data = gpt::run_dir::DataInfo { path: "tokens".into(), sha256: String::new(), bytes: 0 };
            dir.write_info(&gpt::run_dir::RunInfo::new(Vec::new(), config.clone(), data)).unwrap();
        }
        happens();
        let history = History::open(&dir.checkpoints(), 2).unwrap();
        let (mut trainer, best_val_loss, evals_without_improvement) = if goes_on {
            let checkpoint = history.latest_verified().unwrap().checkpoint;
            let trainer = Trainer::from_checkpoint(&checkpoint, train.len()).unwrap();
            (trainer, checkpoint.best_val_loss, checkpoint.evals_without_improvement)
        } else {
            (begin(config), None, 0)
        };
        let stop = Arc::new(AtomicUsize::new(0));
        let mut session = Self {
            outcome: Err(TrainError::Resume { problem: String::new(), remedy: "" }),
            evaluations: Vec::new(),
            saved: Vec::new(),
            warnings: Vec::new(),
            stop: Arc::clone(&stop),
            stop_at,
        };
        let outcome = Run {
            trainer: &mut trainer,
            train: &Failing { left: Cell::new(readable.map(|n| n * config.train.batch_size)), tokens: train },
            val: &Signalling { stop: Arc::clone(&stop), at: signal_in_val, tokens: val },
            chars_per_token: 1.0,
            bytes_per_token: 1.0,
            dir: &mut dir,
            history,
            tokenizer: &CharTokenizer::from_text("abcdefghijklm").unwrap().to_json(), // of VOCAB tokens
            card: ModelCard::default(),
            stop: &stop,
            best_val_loss,
            evals_without_improvement,
            elapsed_before_s: 0.0,
            time_limit,
            last_train_loss: None,
            last_val_losses: Vec::new(),
            unwritten: Unwritten::default(),
        }
        .run(&mut session);
        Self { outcome, ..session }
    }
}

/// A text that asks for the end when it is read, if it is to.
struct Signalling {
    stop: Arc<AtomicUsize>,
    at: bool,
    tokens: Vec<u32>,
}

impl TokenSource for Signalling {
    fn len(&self) -> usize {
        self.tokens.len()
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        if self.at {
            self.stop.store(SIGNAL, Ordering::Relaxed);
        }
        self.tokens.read(start, out)
    }
}

/// A text of which only so many windows can be read.
struct Failing {
    left: Cell<Option<usize>>,
    tokens: Vec<u32>,
}

impl TokenSource for Failing {
    fn len(&self) -> usize {
        self.tokens.len()
    }

    fn read(&self, start: usize, out: &mut [u32]) -> Result<(), DataError> {
        match self.left.get() {
            Some(0) => return Err(DataError::NotFound { path: "text".into() }),
            Some(left) => self.left.set(Some(left - 1)),
            None => {}
        }
        self.tokens.read(start, out)
    }
}

fn begin(config: &Config) -> Trainer {
    Trainer::new(config, &train_text()[..]).unwrap()
}

/// The weights that a model directory has to hold after so many updates, by training again with nothing around it.
pub(super) fn weights_after(config: &Config, updates: u64) -> Tensors {
    let mut trainer = begin(config);
    while trainer.iter < updates {
        trainer.step(&train_text()).unwrap();
    }
    tensors::from_params(trainer.averaged())
}

pub(super) fn saved(path: &Path, name: &str) -> Tensors {
    tensors::decode(&std::fs::read(path.join(name).join("model.safetensors")).unwrap()).unwrap()
}

/// The bits: 0 and -0 are equal as numbers.
pub(super) fn bits(weights: &Tensors) -> Vec<(&String, Vec<u32>)> {
    weights.iter().map(|(name, tensor)| (name, tensor.data.iter().map(|x| x.to_bits()).collect())).collect()
}

#[test]
fn patience_leaves_the_best_weights_to_the_bit() {
    for ema in ["0", "0.5"] {
        let config = forgetful(ema);
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        let (outcome, evaluations) = session(&config, &whole, None);
        let least = evaluations.iter().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss)).unwrap();
        let best = least.iter;
        assert_eq!(outcome.stopped, Stopped::NoImprovement);
        assert!(best >= 2 * INTERVAL, "it learns before it overfits: {evaluations:?}");
        assert_eq!((outcome.iter, outcome.best_val_loss), (best + PATIENCE * INTERVAL, Some(least.val_loss)));
        let expected = weights_after(&config, best);
        assert!(bits(&saved(&whole, "best")) == bits(&expected), "best is not update {best}, ema {ema}");
        let end = weights_after(&config, outcome.iter);
        assert!(bits(&saved(&whole, "last")) == bits(&end), "last is not update {}", outcome.iter);
        assert!(bits(&expected) != bits(&end), "the comparison can tell them apart");

        // Before the best, just before and just after it was measured, and while the patience is being counted, twice.
        let cuts = [vec![3], vec![best], vec![best + 1], vec![best + INTERVAL + 1, best + 2 * INTERVAL]];
        for (number, cuts) in cuts.iter().enumerate() {
            let cut = folder.path().join(format!("cut{number}"));
            for &at in cuts {
                let (outcome, _) = session(&config, &cut, Some(at));
                assert_eq!((outcome.stopped, outcome.iter), (Stopped::Signal(SIGNAL), at));
            }
            let (resumed, _) = session(&config, &cut, None);
            assert_eq!(
                (resumed.stopped, resumed.iter, resumed.best_val_loss),
                (outcome.stopped, outcome.iter, outcome.best_val_loss),
                "cut at {cuts:?}"
            );
            assert!(
                bits(&saved(&cut, "best")) == bits(&expected),
                "best differs, cut at {cuts:?}, ema {ema}"
            );
            assert!(bits(&saved(&cut, "last")) == bits(&end), "last differs, cut at {cuts:?}, ema {ema}");
        }
    }
}
