//! Two things or more timed in turn: A B, B A, A B ...

use std::time::Instant;

/// A turn lasts at least this long, or the clock and the change of caches would be a part of it.
const LEAST_TURN: f64 = 0.005;
/// Fewer rounds say nothing about their scatter; more than the most say nothing new.
const ROUNDS: std::ops::RangeInclusive<usize> = 7..=401;

/// The seconds that A and B took, round by round.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Of A, one number a round.
    pub a: Vec<f64>,
    /// Of B, one number a round.
    pub b: Vec<f64>,
}

/// Times `a` and `b` in turn for about `budget` seconds, after one run of each that does not count.
/// With a budget of 0 there is one round: enough to see that everything runs.
pub fn alternate(budget: f64, mut a: impl FnMut(), mut b: impl FnMut()) -> Comparison {
    let [a, b] = in_turn(budget, &mut [&mut a, &mut b]).try_into().expect("as many as were given");
    Comparison { a, b }
}

/// Times all of these in turn, A B C, then C B A, and so on, for about `budget` seconds, as [`alternate`] does two. Returns
/// for each its seconds, one number a round. The order is reversed from round to round, because what ran before (the caches
/// that it left, the speed that the processor has come to) is part of a turn.
pub fn in_turn(budget: f64, works: &mut [&mut dyn FnMut()]) -> Vec<Vec<f64>> {
    works.iter_mut().for_each(|work| work());
    let first: Vec<f64> = works.iter_mut().map(|work| seconds(1, work)).collect();
    if budget <= 0.0 {
        return first.into_iter().map(|seconds| vec![seconds]).collect();
    }
    let repeats: Vec<usize> = first.iter().map(|&first| repeats(first)).collect();
    let round = first.iter().zip(&repeats).map(|(first, &repeats)| first * repeats as f64).sum();
    let mut results = vec![Vec::new(); works.len()];
    let mut order: Vec<usize> = (0..works.len()).collect();
    for _ in 0..rounds(budget, round) {
        order.iter().for_each(|&n| results[n].push(seconds(repeats[n], works[n])));
        order.reverse();
    }
    results
}

/// The median seconds of one thing by itself, timed for about `budget` seconds: where a rate is wanted and not
/// a ratio.
pub fn alone(budget: f64, mut work: impl FnMut()) -> f64 {
    median(&in_turn(budget, &mut [&mut work])[0])
}

/// How often something that takes this long is repeated in one turn.
fn repeats(seconds: f64) -> usize {
    (LEAST_TURN / seconds).ceil().clamp(1.0, 1e5) as usize
}

/// How many rounds of this length fit into the budget, as far as that is a sensible number; odd, so that the
/// median is one of them.
fn rounds(budget: f64, round: f64) -> usize {
    ((budget / round) as usize).clamp(*ROUNDS.start(), *ROUNDS.end()) | 1
}

/// Seconds of one run, the mean of `repeats`.
fn seconds(repeats: usize, work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        work();
    }
    start.elapsed().as_secs_f64() / repeats as f64
}

impl Comparison {
    /// How many rounds there were.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.a.len()
    }

    /// The median of A.
    #[must_use]
    pub fn median_a(&self) -> f64 {
        median(&self.a)
    }

    /// The median of B.
    #[must_use]
    pub fn median_b(&self) -> f64 {
        median(&self.b)
    }

    /// The median of the rounds' ratios A / B: below 1, A is faster. What slows the machine down for some
    /// rounds is in both terms of theirs.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ratio_at(0.5)
    }

    /// A quantile of the rounds' ratios A / B; between 0.25 and 0.75 lies the middle half.
    #[must_use]
    pub fn ratio_at(&self, quantile: f64) -> f64 {
        self::quantile(&ratios(&self.a, &self.b), quantile)
    }
}

/// The ratios a / b, round by round.
#[must_use]
pub fn ratios(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a / b).collect()
}

/// The median.
///
/// # Panics
/// If there is no number.
#[must_use]
pub fn median(x: &[f64]) -> f64 {
    quantile(x, 0.5)
}

/// The smallest number for 0, the largest for 1, and in between in proportion.
///
/// # Panics
/// If there is no number.
#[must_use]
pub fn quantile(x: &[f64], quantile: f64) -> f64 {
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = quantile * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(&[5.0], 0.25), 5.0);
        assert_eq!(quantile(&[2.0, 1.0, 3.0], 1.0), 3.0);
    }

    #[test]
    fn both_are_run_in_turn_and_equally_often() {
        let turns = std::cell::RefCell::new(String::new());
        let (a, b) = (|| turns.borrow_mut().push('a'), || turns.borrow_mut().push('b'));
        let comparison = alternate(0.0, a, b);
        assert_eq!(comparison.rounds(), 1);
        assert_eq!(turns.into_inner(), "abab"); // the first of each does not count
    }

    #[test]
    fn every_second_round_is_in_the_reverse_order() {
        let turns = std::cell::RefCell::new(String::new());
        let work = |name: char| {
            let turns = &turns;
            move || {
                std::thread::sleep(std::time::Duration::from_secs_f64(LEAST_TURN)); // once a turn
                turns.borrow_mut().push(name);
            }
        };
        let (mut a, mut b, mut c) = (work('a'), work('b'), work('c'));
        let seconds = in_turn(f64::MIN_POSITIVE, &mut [&mut a, &mut b, &mut c]);
        assert!(seconds.iter().all(|rounds| rounds.len() == *ROUNDS.start()));
        assert_eq!(turns.into_inner(), "abcabc".to_string() + &"abccba".repeat(3) + "abc");
    }

    #[test]
    fn the_ratio_is_taken_round_by_round() {
        // The third round met a machine of half the speed.
        let comparison = Comparison { a: vec![2.0, 2.1, 4.0], b: vec![1.0, 1.0, 2.0] };
        assert_eq!(comparison.ratio(), 2.0);
        assert_eq!(comparison.median_a(), 2.1);
    }
}
