//! What a training shows while it runs: a bar with ETA on a terminal, a line an evaluation elsewhere.

use gpt::train::{Evaluation, Observer, StepReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A progress bar on stderr; in a pipe or a file, one line for each evaluation instead.
pub(crate) struct Progress {
    bar: ProgressBar,
    terminal: bool,
    tokens_per_s: f64, // smoothed
    loss: f64,         // smoothed
    /// The validation loss of the n-gram model.
    baseline: f64,
}

/// A bar of updates with a message and the time left, on a terminal; hidden elsewhere.
pub(crate) fn update_bar(updates: Option<u64>) -> ProgressBar {
    let terminal = std::io::stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(updates, target);
    let style = "{wide_bar} {pos}/{len} {msg} | {elapsed}, {eta} left"; // as wide as the terminal leaves
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
    bar
}

impl Progress {
    /// For a run of `max_iters` updates of which `done` were made before; `baseline` is the validation loss to beat.
    pub(crate) fn new(max_iters: u64, done: u64, baseline: f64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = update_bar(Some(max_iters)).with_position(done);
        bar.reset_eta();
        Self { bar, terminal, tokens_per_s: 0.0, loss: 0.0, baseline }
    }

    /// A line above the bar.
    pub(crate) fn line(&self, text: &str) {
        if self.terminal {
            self.bar.println(text);
        } else {
            eprintln!("{text}");
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn step(&mut self, report: &StepReport, tokens_per_s: f64) {
        let mix = |old: f64, new: f64| if old == 0.0 { new } else { 0.95 * old + 0.05 * new };
        self.tokens_per_s = mix(self.tokens_per_s, tokens_per_s);
        if let Some(limit) = report.skipped {
            let (iter, loss) = (report.iter, report.loss);
            self.line(&format!(
                "iter {iter:>5}: loss {loss:.4} is a spike (above {limit:.4}): update skipped"
            ));
        }
        self.loss = mix(self.loss, report.loss);
        self.bar.set_position(report.iter);
        self.bar.set_message(format!("loss {:.3}, {:.0} tokens/s", self.loss, self.tokens_per_s));
    }

    fn evaluation(&mut self, e: &Evaluation) {
        let best = if e.best { ", best" } else { "" };
        let train = if self.loss > 0.0 { format!("train loss {:.4}, ", self.loss) } else { String::new() };
        let parts = match &e.val_losses[..] {
            [_] => String::new(),
            several => {
                let parts: Vec<_> = several.iter().map(|(name, loss)| format!("{name} {loss:.4}")).collect();
                format!(" ({})", parts.join(", "))
            }
        };
        let baseline = self.baseline;
        self.line(&format!(
            "iter {:>5}: {train}validation loss {:.4}{parts} (n-gram {baseline:.4}){best}",
            e.iter, e.val_loss
        ));
    }

    fn saved(&mut self, _: u64) {}

    fn warning(&mut self, message: &str) {
        self.line(&format!("warning: {message}"));
    }
}
