//! How much is taken from a count: the discounts of modified Kneser-Ney.

/// What is taken from counts of 1, of 2, and of 3 and more.
///
/// With n1 .. n4 the numbers of n-grams that have a count of 1 .. 4 and Y = n1 / (n1 + 2 n2):
///
/// ```text
/// D1 = 1 - 2 Y n2/n1      D2 = 2 - 3 Y n3/n2      D3+ = 3 - 4 Y n4/n3
/// ```
///
/// (Chen and Goodman 1999, equation 17: close to what leave-one-out would choose.) A small or
/// artificial text may have no n-gram of some count, or counts that are no sample of language (a text
/// repeated twice has only even ones); then a formula divides by zero or leaves its range, and the whole order
/// takes 0.5, 1, 1.5 instead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discounts([f64; 3]);

impl Discounts {
    /// What an order takes whose counts of counts are degenerate.
    pub const FALLBACK: Discounts = Discounts([0.5, 1.0, 1.5]);

    /// From the numbers of n-grams with counts of 1, 2, 3 and 4.
    pub fn from_counts_of_counts(n: [u64; 4]) -> Discounts {
        if n.contains(&0) {
            return Discounts::FALLBACK;
        }
        let n = n.map(|n| n as f64);
        let y = n[0] / (n[0] + 2.0 * n[1]);
        let d = [1.0, 2.0, 3.0].map(|i| i - (i + 1.0) * y * n[i as usize] / n[i as usize - 1]);
        // A discount of nothing would leave nothing for what was never seen.
        let sane = d.iter().zip([1.0, 2.0, 3.0]).all(|(&d, most)| d > 0.0 && d <= most);
        if sane { Discounts(d) } else { Discounts::FALLBACK }
    }

    /// D1, D2, D3+.
    pub fn values(&self) -> [f64; 3] {
        self.0
    }

    /// What a count is worth: less its discount; 0 for 0.
    pub(super) fn discounted(&self, count: u32) -> f64 {
        match count {
            0 => 0.0,
            _ => f64::from(count) - self.0[kind(count)],
        }
    }

    /// What is taken from all followers of a context, of which `kinds[i]` have a count of kind i.
    pub(super) fn taken(&self, kinds: &[u32; 3]) -> f64 {
        self.0.iter().zip(kinds).map(|(d, &n)| d * f64::from(n)).sum()
    }
}

impl Default for Discounts {
    fn default() -> Self {
        Discounts::FALLBACK
    }
}

/// 0, 1, 2 for a count of 1, 2, 3 or more.
pub(super) fn kind(count: u32) -> usize {
    count.min(3) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discounts_by_hand() {
        // Y = 100/(100+2*40) = 5/9: D1 = 1 - 2*5/9*.4, D2 = 2 - 3*5/9*.5, D3 = 3 - 4*5/9*.5
        let d = Discounts::from_counts_of_counts([100, 40, 20, 10]).values();
        for (d, expected) in d.iter().zip([5.0 / 9.0, 7.0 / 6.0, 17.0 / 9.0]) {
            assert!((d - expected).abs() < 1e-15, "{d} {expected}");
        }
    }

    #[test]
    fn degenerate_counts_fall_back() {
        for n in [[0, 0, 0, 0], [5, 0, 3, 1], [0, 7, 0, 7], [100, 1, 50, 1], [1, 1, 100, 1]] {
            assert_eq!(Discounts::from_counts_of_counts(n), Discounts::FALLBACK, "{n:?}");
        }
    }
}
