//! A bar for work that is measured in bytes: cleaning, packing, downloading.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// A bar with speed and ETA on a terminal, nothing elsewhere; one line at the end in both.
pub(crate) struct ByteProgress {
    bar: ProgressBar,
    begun: Instant,
    first: u64,
}

impl ByteProgress {
    /// For `all` bytes (`None`: unknown) of which `done` were done before.
    pub(crate) fn new(what: &str, done: u64, all: Option<u64>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target =
            if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(all, target).with_position(done);
        let style = match all {
            Some(_) => "{msg} {bar:24} {bytes}/{total_bytes} | {bytes_per_sec}, {eta} left",
            None => "{msg} {spinner} {bytes} | {bytes_per_sec}",
        };
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        bar.set_message(what.to_string());
        bar.reset_eta();
        Self { bar, begun: Instant::now(), first: done }
    }

    /// Bytes done so far.
    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Removes the bar; answers what was done, such as "1.2 MB in 0.3 s, 4.0 MB/s".
    pub(crate) fn finish(&self, done: u64) -> String {
        self.bar.finish_and_clear();
        let (bytes, seconds) = (done.saturating_sub(self.first), self.begun.elapsed().as_secs_f64());
        let speed = bytes as f64 / 1e6 / seconds.max(1e-6);
        format!("{} in {seconds:.1} s, {speed:.1} MB/s", megabytes(bytes))
    }
}

/// A size for people, in powers of ten.
pub(crate) fn megabytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b >= 1e9 => format!("{:.2} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.1} MB", b / 1e6),
        b if b >= 1e3 => format!("{:.1} kB", b / 1e3),
        b => format!("{b} bytes"),
    }
}
