//! Drawing words with given probabilities, in the same time for any vocabulary.

use random::Rng;

/// count^(quarters / 4), for 0 to 4 quarters: word2vec draws noise words by count^0.75, so that rare words come up
/// more often than they occur. Made of square roots, which are exact to the last bit everywhere; a general power
/// is not.
///
/// ```
/// use nn::embed::quarter_power;
/// assert_eq!([0, 2, 3, 4].map(|quarters| quarter_power(16.0, quarters)), [1.0, 4.0, 8.0, 16.0]);
/// ```
///
/// # Panics
/// If `quarters` is larger than 4.
#[must_use]
pub fn quarter_power(count: f64, quarters: u32) -> f64 {
    match quarters {
        0 => 1.0,
        1 => count.sqrt().sqrt(),
        2 => count.sqrt(),
        3 => (count * count.sqrt()).sqrt(),
        4 => count,
        _ => panic!("quarter_power: expected 0 to 4 quarters, found {quarters}"),
    }
}

/// Draws numbers 0 to n-1 with probabilities proportional to given weights.
///
/// The alias method (Walker 1977, in Vose's form of 1991): n slots of probability 1/n each. A slot belongs to one
/// number, and what that number does not fill of it to one other, its alias. A draw is a slot and a comparison.
/// (word2vec.c fills a table of 10^8 entries instead.) Probabilities are multiples of 2^-32 / n.
#[derive(Clone, Debug)]
pub struct Alias {
    /// (the share of the slot, of 2^32, that is its own number's; the number the rest belongs to)
    slots: Vec<(u32, u32)>,
}

impl Alias {
    /// A sampler for these weights.
    ///
    /// # Panics
    /// If there are no weights, more than 2^32, or if their sum is not above 0 and finite.
    #[must_use]
    pub fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        assert!(sum > 0.0 && sum.is_finite(), "Alias: the weights add up to {sum}, expected more than 0");
        assert!(u32::try_from(weights.len()).is_ok(), "Alias: too many weights");
        let n = weights.len() as f64;
        // How much of a slot each number fills: 1 on average.
        let mut fill: Vec<f64> = weights.iter().map(|w| w / sum * n).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|&i| fill[i as usize] < 1.0);
        let mut slots: Vec<(u32, u32)> = (0..weights.len() as u32).map(|i| (u32::MAX, i)).collect();
        // A number too small for its slot gives the rest of it to one too large, which is smaller by that.
        while let (Some(&from), Some(to)) = (large.last(), small.pop()) {
            let share = fill[to as usize];
            slots[to as usize] = ((share * 4_294_967_296.0) as u32, from);
            fill[from as usize] -= 1.0 - share;
            if fill[from as usize] < 1.0 {
                large.pop();
                small.push(from);
            }
        }
        // What is left over fills its slot but for rounding: it is its own alias.
        Self { slots }
    }

    /// A number. Uses one 64-bit word.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        let bits = rng.next_u64();
        let slot = ((bits >> 32) * self.slots.len() as u64) >> 32;
        let (own, alias) = self.slots[slot as usize];
        if (bits as u32) < own { slot as u32 } else { alias }
    }

    /// The probability of each number.
    #[must_use]
    pub fn probabilities(&self) -> Vec<f64> {
        let mut p = vec![0.0; self.slots.len()];
        for (i, &(own, alias)) in self.slots.iter().enumerate() {
            let own = f64::from(own) / 4_294_967_296.0;
            p[i] += own;
            p[alias as usize] += 1.0 - own;
        }
        p.iter().map(|p| p / self.slots.len() as f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::Stream;

    #[test]
    fn probabilities_are_the_weights() {
        let mut rng = Rng::new(3, Stream::Other(0));
        for n in [1, 2, 3, 10, 1000] {
            let weights: Vec<f64> = (0..n).map(|_| rng.f64() * rng.f64()).collect();
            let sum: f64 = weights.iter().sum();
            for (p, w) in Alias::new(&weights).probabilities().iter().zip(&weights) {
                assert!((p - w / sum).abs() < 1e-9, "{p} for {}", w / sum);
            }
        }
    }

    #[test]
    fn draws_follow_the_probabilities_and_never_hit_a_zero() {
        let weights = [0.0, 5.0, 1.0, 0.0, 4.0];
        let alias = Alias::new(&weights);
        let mut rng = Rng::new(4, Stream::Other(0));
        let mut counts = [0; 5];
        (0..100_000).for_each(|_| counts[alias.draw(&mut rng) as usize] += 1);
        for (count, weight) in counts.iter().zip(weights) {
            let expected = 10_000.0 * weight;
            assert!((f64::from(*count) - expected).abs() <= 5.0 * expected.sqrt(), "{counts:?}");
        }
    }

    #[test]
    fn powers_by_roots() {
        for count in [1.0, 2.0, 7.0, 1e9] {
            for quarters in 0..=4 {
                let expected = f64::powf(count, f64::from(quarters) / 4.0);
                assert!((quarter_power(count, quarters) / expected - 1.0).abs() < 1e-15);
            }
        }
    }

    #[test]
    #[should_panic(expected = "add up to 0")]
    fn nothing_to_draw() {
        let _ = Alias::new(&[0.0, 0.0]);
    }
}
