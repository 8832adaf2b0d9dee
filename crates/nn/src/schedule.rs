//! Schedules: the learning rate of each step.

/// The learning rate as a function of the step `it`, counted from 0 in optimizer steps (not
/// micro-batches). It has no state: a resumed run asks for the step that it is at.
///
/// ```
/// use nn::Schedule;
/// let schedule = Schedule::Cosine { learning_rate: 1e-3, min_lr: 1e-4, warmup_iters: 100, lr_decay_iters: 2000 };
/// assert_eq!(schedule.lr(99), 1e-3 * 100.0 / 101.0);    // rising
/// assert_eq!(schedule.lr(100), 1e-3);                   // the peak
/// assert_eq!(schedule.lr(2000), 1e-4);                  // and what remains
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Always the same.
    Constant {
        /// The learning rate.
        learning_rate: f64,
    },
    /// A linear rise over `warmup_iters` steps, then half a cosine wave down to `min_lr`, which it keeps
    /// from step `lr_decay_iters` on. nanoGPT's, to the letter; the wave is from SGDR (Loshchilov & Hutter
    /// 2017, arXiv 1608.03983).
    Cosine {
        /// The peak.
        learning_rate: f64,
        /// The end.
        min_lr: f64,
        /// Steps until the peak. Adam's averages are noisy at first, and large steps on noise do harm.
        warmup_iters: u64,
        /// The step that first has `min_lr`.
        lr_decay_iters: u64,
    },
    /// A linear rise over `warmup_iters` steps, then a straight line that would reach zero at step
    /// `lr_decay_iters`, one after the last. For one long training on enough data it ends lower than the
    /// cosine ("Straight to Zero", Bergsma et al. 2025, arXiv 2502.15938).
    Linear {
        /// The peak.
        learning_rate: f64,
        /// Steps until the peak.
        warmup_iters: u64,
        /// The step that first has zero: the number of steps of the whole run.
        lr_decay_iters: u64,
    },
    /// Warm-up, stable, decay: a linear rise over `warmup_iters` steps, then the peak until step `decay_start`, then a
    /// straight line to `min_lr`, which it keeps from step `lr_decay_iters` on (MiniCPM, Hu et al. 2024,
    /// arXiv 2404.06395; Hägele et al. 2024, arXiv 2405.18392). A run can be continued from any point of the
    /// stable part with more steps, where a cosine knows its end from the beginning.
    Wsd {
        /// The peak.
        learning_rate: f64,
        /// The end.
        min_lr: f64,
        /// Steps until the peak.
        warmup_iters: u64,
        /// The last step that has the peak. Not before the warm-up's end.
        decay_start: u64,
        /// The step that first has `min_lr`.
        lr_decay_iters: u64,
    },
}

impl Schedule {
    /// The learning rate of step `it`.
    #[must_use]
    pub fn lr(&self, it: u64) -> f32 {
        let lr = match *self {
            Self::Constant { learning_rate } => learning_rate,
            Self::Cosine { learning_rate, warmup_iters, .. }
            | Self::Linear { learning_rate, warmup_iters, .. }
            | Self::Wsd { learning_rate, warmup_iters, .. }
                if it < warmup_iters =>
            {
                // (it + 1) and (warmup_iters + 1): step 0 already learns, and step warmup_iters is the peak.
                learning_rate * (it + 1) as f64 / (warmup_iters + 1) as f64
            }
            Self::Cosine { learning_rate, min_lr, warmup_iters, lr_decay_iters } => {
                let ratio = decay_ratio(it, warmup_iters, lr_decay_iters);
                // cos(pi ratio) is the cosine of ratio/2 turns; std's cosine differs between machines.
                let (_, cos) = random::sin_cos_turns(0.5 * ratio);
                min_lr + 0.5 * (1.0 + cos) * (learning_rate - min_lr)
            }
            Self::Linear { learning_rate, warmup_iters, lr_decay_iters } => {
                learning_rate * (1.0 - decay_ratio(it, warmup_iters, lr_decay_iters))
            }
            Self::Wsd { learning_rate, min_lr, decay_start, lr_decay_iters, .. } => {
                learning_rate - (learning_rate - min_lr) * decay_ratio(it, decay_start, lr_decay_iters)
            }
        };
        lr as f32
    }
}

/// How far the decay is: 0 until step `start`, 1 from step `end` on.
fn decay_ratio(it: u64, start: u64, end: u64) -> f64 {
    match it {
        _ if it >= end => 1.0, // also if there is no step between the two
        _ if it <= start => 0.0,
        _ => (it - start) as f64 / (end - start) as f64,
    }
}
