//! Before a training: what it would cost, and which model a given time is best spent on.
//!
//! The time of a step is not calculated but measured, on the machine and the text at hand; bytes are calculated
//! ([`Config::training_bytes`](crate::config::Config::training_bytes)), and so is the loss that can be expected ([`LossLaw`]).

mod cost;
mod law;

pub use law::LossLaw;

use crate::config::{Config, Preset};

/// Tokens of an update: small batches learn most from a token, and smaller ones than this no longer fill the kernels.
const TOKENS_AN_UPDATE: usize = 4096;

/// How often a text is read at most: from then on a model learns it by heart.
pub const MOST_EPOCHS: f64 = 12.0;

/// As many updates a short text gets too, however often they read it: fewer teach a model of any size little.
pub const FEW_UPDATES: usize = 350;

/// The fewest updates that make a training.
const FEWEST_UPDATES: usize = 100;

/// (`n_layer`, `n_head`, `n_embd`, `block_size`), from 0.1 to 85 million matrix parameters.
const SIZES: [(usize, usize, usize, usize); 9] = [
    (2, 2, 64, 64),
    (3, 3, 96, 128),
    (4, 4, 128, 128),
    (5, 5, 160, 256),
    (6, 6, 192, 256),
    (6, 8, 256, 256),
    (6, 6, 384, 256),
    (8, 8, 512, 256),
    (12, 12, 768, 256),
];

/// What is at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resources {
    /// Seconds for the updates themselves.
    pub seconds: f64,
    /// Bytes for the training, the program and the text apart.
    pub bytes: u64,
    /// Tokens of the training part.
    pub train_tokens: usize,
    /// Tokens of the validation part: a window must be shorter.
    pub val_tokens: usize,
    /// V.
    pub vocab_size: usize,
    /// The context, if it is not to be chosen with the size.
    pub block_size: Option<usize>,
}

/// A model and a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The settings.
    pub config: Config,
    /// What Kneser-Ney counts of order 5 reach, times this, is the loss that can be expected.
    pub expected_ratio: f64,
}

/// Nothing fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The smallest model needs so many bytes.
    Memory(u64),
    /// The smallest model makes fewer updates in the time than are a training.
    Time,
    /// The text is shorter than the smallest window.
    Text,
}

/// The models to choose from for a text, the smallest first.
#[must_use]
pub fn candidates(resources: &Resources) -> Vec<Config> {
    let longest = resources.train_tokens.min(resources.val_tokens).saturating_sub(1);
    let sizes = SIZES.into_iter().map(|(layers, heads, width, block_size)| {
        (layers, heads, width, resources.block_size.unwrap_or(block_size))
    });
    let sizes = sizes.filter(|&(.., block_size)| block_size <= longest);
    sizes.map(|size| sized(size, resources.vocab_size)).collect()
}

/// The context for texts of so many tokens each, which the model will be fine-tuned on, and how many of them it holds: nineteen
/// of twenty, in whole 32s from 64 to 512. (Longer ones are read in pieces.)
#[must_use]
pub fn window_for(mut lengths: Vec<usize>) -> (usize, usize) {
    lengths.sort_unstable();
    let long =
        lengths.get((lengths.len() * 19 / 20).min(lengths.len().saturating_sub(1))).copied().unwrap_or(0);
    let window = long.next_multiple_of(32).clamp(64, 512);
    (window, lengths.partition_point(|&length| length <= window))
}

fn sized((n_layer, n_head, n_embd, block_size): (usize, usize, usize, usize), vocab_size: usize) -> Config {
    let mut config = Preset::Shakespeare.config(vocab_size);
    let model = &mut config.model;
    (model.n_layer, model.n_head, model.n_embd, model.block_size) = (n_layer, n_head, n_embd, block_size);
    config.train.batch_size = TOKENS_AN_UPDATE / block_size;
    config
}

/// The training that the time is best spent on: of those that fit, the one of the lowest expected loss.
/// `seconds_a_token` is asked for each candidate, the smallest first; where it answers `None`, that one and all larger ones
/// are too slow to be thought of. The expected loss first falls and then rises with the size: from the first that is worse than
/// the one before it nothing larger is asked for.
///
/// # Errors
/// If nothing fits.
pub fn choose(
    candidates: Vec<Config>,
    resources: &Resources,
    mut seconds_a_token: impl FnMut(&Config) -> Option<f64>,
) -> Result<Plan, Refusal> {
    let Some(smallest) = candidates.first() else { return Err(Refusal::Text) };
    if smallest.training_bytes() > resources.bytes {
        return Err(Refusal::Memory(smallest.training_bytes()));
    }
    let mut best: Option<Plan> = None;
    for mut config in candidates {
        if config.training_bytes() > resources.bytes {
            continue;
        }
        let Some(seconds) = seconds_a_token(&config) else { break };
        let batch = config.train.batch_size * config.model.block_size;
        let most = updates_of(&config, resources.train_tokens, MOST_EPOCHS);
        let updates = ((resources.seconds / seconds / batch as f64) as usize).min(most);
        if updates < FEWEST_UPDATES.min(most) {
            break; // larger ones make fewer
        }
        set_updates(&mut config, updates);
        let tokens = (updates * batch) as f64;
        let expected_ratio = LossLaw::PROVISIONAL.ratio(config.model.matrix_parameters() as f64, tokens);
        if best.as_ref().is_some_and(|best| expected_ratio >= best.expected_ratio) {
            break;
        }
        best = Some(Plan { config, expected_ratio });
    }
    best.ok_or(Refusal::Time)
}

/// Updates that read a text of so many tokens so many times.
fn updates_of(config: &Config, train_tokens: usize, epochs: f64) -> usize {
    let batch = (config.train.batch_size * config.model.block_size) as f64;
    ((epochs * train_tokens as f64 / batch) as usize).max(1)
}

/// No more updates than read a text of so many tokens `epochs` times, but [`FEW_UPDATES`]. Whether they were more before.
pub fn limit_updates(config: &mut Config, train_tokens: usize, epochs: f64) -> bool {
    let most = updates_of(config, train_tokens, epochs).max(FEW_UPDATES);
    let more = config.train.max_iters > most;
    if more {
        set_updates(config, most);
    }
    more
}

/// So many updates, with warm-up, decay, evaluations and checkpoints to match.
pub fn set_updates(config: &mut Config, updates: usize) {
    let train = &mut config.train;
    train.max_iters = updates;
    train.lr_decay_iters = None;
    train.warmup_iters = train.warmup_iters.min(updates / 10);
    train.eval_interval = updates.div_ceil(10).max(1);
    train.checkpoint_interval = updates.div_ceil(4).max(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(seconds: f64) -> Resources {
        Resources {
            seconds,
            bytes: 4 << 30,
            train_tokens: 1_000_000,
            val_tokens: 100_000,
            vocab_size: 65,
            block_size: None,
        }
    }

    /// A machine of 200 GFLOP/s whatever the size.
    fn seconds_a_token(config: &Config) -> Option<f64> {
        Some(config.model.training_flops_per_token() / 200e9)
    }

    #[test]
    fn more_time_makes_a_larger_model_and_a_lower_loss() {
        let mut before: Option<Plan> = None;
        for seconds in [20.0, 120.0, 1200.0, 12_000.0] {
            let resources = resources(seconds);
            let plan = choose(candidates(&resources), &resources, seconds_a_token).unwrap();
            plan.config.validate().unwrap();
            let batch = plan.config.train.batch_size * plan.config.model.block_size;
            let needed =
                (plan.config.train.max_iters * batch) as f64 * seconds_a_token(&plan.config).unwrap();
            assert!(needed <= seconds, "{needed} of {seconds}");
            if let Some(before) = before {
                assert!(plan.expected_ratio < before.expected_ratio);
                assert!(plan.config.model.matrix_parameters() >= before.config.model.matrix_parameters());
            }
            before = Some(plan);
        }
    }

    #[test]
    fn a_short_text_is_not_read_for_ever() {
        let resources = Resources { train_tokens: 60_000, val_tokens: 6_000, ..resources(1e6) };
        let plan = choose(candidates(&resources), &resources, seconds_a_token).unwrap();
        let tokens = plan.config.train.max_iters * TOKENS_AN_UPDATE;
        assert!(tokens <= 12 * 60_000 && tokens > 11 * 60_000, "{tokens}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let small = Resources { bytes: 1 << 20, ..resources(60.0) };
        let least = candidates(&small)[0].training_bytes();
        assert_eq!(choose(candidates(&small), &small, seconds_a_token), Err(Refusal::Memory(least)));
        let short = resources(0.01);
        assert_eq!(choose(candidates(&short), &short, seconds_a_token), Err(Refusal::Time));
        let text = Resources { val_tokens: 10, ..resources(60.0) };
        assert_eq!(choose(candidates(&text), &text, seconds_a_token), Err(Refusal::Text));
    }

    /// Every ratio falls with both, and towards its limit.
    #[test]
    fn the_law_falls() {
        let law = LossLaw::PROVISIONAL;
        assert!(law.ratio(1e6, 1e6) > law.ratio(2e6, 1e6) && law.ratio(2e6, 1e6) > law.ratio(2e6, 2e6));
        assert!((law.ratio(1e30, 1e30) - law.e).abs() < 1e-6);
    }

    /// The context is as long as nineteen texts of twenty are, and every size is tried with it.
    #[test]
    fn texts_ahead_say_how_long_the_context_is() {
        let texts: Vec<usize> = (1..=200).collect();
        assert_eq!(window_for(texts.clone()), (192, 192));
        assert_eq!(window_for(vec![7; 30]), (64, 30));
        assert_eq!(window_for(vec![9000, 3, 9000]), (512, 1));
        assert_eq!(window_for(Vec::new()), (64, 0));
        let resources = Resources { block_size: Some(window_for(texts).0), ..resources(600.0) };
        let all = candidates(&resources);
        assert!(all.len() == SIZES.len() && all.iter().all(|c| c.model.block_size == 192), "{}", all.len());
        assert!(all.iter().all(|c| c.train.batch_size == TOKENS_AN_UPDATE / 192 && c.validate().is_ok()));
    }
}
