//! What a training does by the clock: its checkpoints, and its end.

use std::time::{Duration, Instant};

/// When a training has to be over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeLimit {
    /// Seconds of training, in all sessions together, with its end.
    pub seconds: f64,
    /// Seconds that its end takes: the evaluation of all of the validation part, the last checkpoint and model, and what the
    /// caller does then.
    pub end_s: f64,
}

/// When checkpoints are due by time, and which is the latest.
pub(super) struct Saves {
    /// The iteration of the latest checkpoint.
    pub(super) at: Option<u64>,
    pub(super) interval: Duration,
    pub(super) next: Instant,
}

impl Saves {
    /// The first is due after a minute at the latest: until then everything can be lost.
    pub(super) fn new(at: Option<u64>, minutes: f64) -> Self {
        let interval = Duration::from_secs_f64(60.0 * minutes.min(1e6));
        Self { at, interval, next: Instant::now() + interval.min(Duration::from_secs(60)) }
    }

    pub(super) fn are_due(&self) -> bool {
        !self.interval.is_zero() && Instant::now() >= self.next
    }
}
