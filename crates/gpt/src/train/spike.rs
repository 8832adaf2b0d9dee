//! Updates whose loss is far above what it was: one bad batch must not undo what many good ones did.

use serde::{Deserialize, Serialize};

/// Updates that the statistics look back.
const MEMORY: f64 = 100.0;
/// Updates after which they say enough: before, everything passes.
const ENOUGH: u64 = 50;
/// The least standard deviation, as a part of the mean: losses that hardly differ must not make a spike of any noise.
const LEAST_DEVIATION: f64 = 0.01;

/// The running mean and variance of the training loss. (Restarting before a spike and leaving its batches out is what
/// PaLM did by hand: arXiv 2204.02311, section 5.1.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossStatistics {
    /// Losses so far.
    pub count: u64,
    /// Their mean: of all at first, then with the last hundred or so counting most.
    pub mean: f64,
    /// The mean square of their distance to it.
    pub variance: f64,
}

impl LossStatistics {
    /// The largest loss that is no spike, `deviations` standard deviations above the mean; infinite as long as there
    /// were few losses.
    pub(super) fn limit(&self, deviations: f64) -> f64 {
        if self.count < ENOUGH {
            return f64::INFINITY;
        }
        self.mean + deviations * self.variance.sqrt().max(LEAST_DEVIATION * self.mean)
    }

    /// Takes a loss in, cut off at `limit`: a spike raises mean and deviation a little, so that a level that has risen
    /// for good is not skipped for ever.
    pub(super) fn see(&mut self, loss: f64, limit: f64) {
        let weight = (1.0 / (self.count + 1) as f64).max(1.0 / MEMORY);
        let distance = loss.min(limit) - self.mean;
        self.count += 1;
        self.mean += weight * distance;
        self.variance = (1.0 - weight) * (self.variance + weight * distance * distance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::{Rng, Stream};

    fn seen(losses: impl IntoIterator<Item = f64>, deviations: f64) -> (LossStatistics, usize) {
        let (mut statistics, mut spikes) = (LossStatistics::default(), 0);
        for loss in losses {
            let limit = statistics.limit(deviations);
            spikes += usize::from(loss > limit);
            statistics.see(loss, limit);
        }
        (statistics, spikes)
    }

    fn noise(count: usize) -> impl Iterator<Item = f64> {
        let mut rng = Rng::new(1, Stream::Other(0));
        (0..count).map(move |_| 2.0 + 0.1 * f64::from(rng.normal()))
    }

    #[test]
    fn mean_and_variance_are_those_of_the_losses() {
        let (few, _) = seen([1.0, 2.0, 6.0], 6.0);
        assert!((few.mean - 3.0).abs() < 1e-12 && (few.variance - 14.0 / 3.0).abs() < 1e-12, "{few:?}");
        let (many, spikes) = seen(noise(5000), 6.0);
        assert_eq!(spikes, 0);
        assert!((many.mean - 2.0).abs() < 0.05 && (many.variance.sqrt() - 0.1).abs() < 0.03, "{many:?}");
    }

    #[test]
    fn a_spike_is_one_after_enough_losses() {
        assert_eq!(seen(noise(49).chain([9.0]), 6.0).1, 0);
        assert_eq!(seen(noise(60).chain([9.0]).chain(noise(60)), 6.0).1, 1);
    }

    #[test]
    fn a_level_that_has_risen_is_not_skipped_for_ever() {
        let (_, spikes) = seen(noise(500).chain(noise(1000).map(|loss| loss + 3.0)), 6.0);
        assert!((1..100).contains(&spikes), "{spikes}");
    }

    #[test]
    fn losses_that_are_all_the_same_leave_room() {
        assert_eq!(seen((0..100).map(|i| 2.0 + 1e-6 * f64::from(i)), 3.0).1, 0);
    }
}
