//! Which positions each position sees.

use std::ops::Range;
use std::sync::Arc;
use tensor::kernels::attention::Intervals;

/// The only maker of a model's [`Intervals`]: whatever a position may see (all before it, its whole text, its document, a
/// prefix), it sees no further than the model's window, to both sides. A window of w holds the position itself, the w - 1
/// before it and, where those after it are visible at all, the w - 1 after it.
///
/// Padding sees nothing and nobody sees it: its interval is (0, 0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// w; `None` for no limit.
    pub window: Option<usize>,
}

impl Visibility {
    /// The part of an interval within the window of position `at`.
    #[must_use]
    pub fn within(self, at: usize, seen: Range<usize>) -> Range<usize> {
        let Some(window) = self.window else { return seen };
        let first = (at + 1).saturating_sub(window);
        seen.start.max(first)..seen.end.min(at.saturating_add(window))
    }

    /// `intervals` (lo, hi) of `time` positions each, for one sequence (used for all of a batch) or for each of several.
    #[must_use]
    pub fn cut(self, time: usize, intervals: impl IntoIterator<Item = (u32, u32)>) -> Arc<Intervals> {
        let cut = |(i, (lo, hi)): (usize, (u32, u32))| {
            let seen = self.within(i % time, lo as usize..hi as usize);
            (seen.start as u32, seen.end as u32)
        };
        let (lo, hi) = intervals.into_iter().enumerate().map(cut).unzip();
        Arc::new(Intervals::new(lo, hi, time))
    }

    /// Each of `time` positions sees itself and those before it.
    #[must_use]
    pub fn causal(self, time: usize) -> Arc<Intervals> {
        self.cut(time, (1..=time as u32).map(|end| (0, end)))
    }

    /// Texts of `lens` tokens, padded to `time`: each position sees all of its text (`both_sides`), or itself and what
    /// stands before it.
    #[must_use]
    pub fn texts(self, lens: &[usize], time: usize, both_sides: bool) -> Arc<Intervals> {
        let end = |i: usize, len: usize| match i {
            _ if i >= len => 0,
            _ if both_sides => len,
            _ => i + 1,
        };
        self.cut(time, lens.iter().flat_map(|&len| (0..time).map(move |i| (0, end(i, len) as u32))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_limits_both_sides() {
        let three = Visibility { window: Some(3) };
        let both = three.texts(&[6, 4], 6, true);
        assert_eq!((both.row(0, 0), both.row(0, 3), both.row(0, 5)), (0..3, 1..6, 3..6));
        assert_eq!((both.row(1, 3), both.row(1, 4)), (1..4, 0..0), "padding sees nothing");
        let causal = three.causal(5);
        assert_eq!((causal.row(0, 1), causal.row(0, 4)), (0..2, 2..5));
        assert_eq!(*three.texts(&[5], 5, false), *causal);
    }

    #[test]
    fn without_a_window_the_intervals_stay() {
        let all = Visibility::default();
        assert_eq!(*all.causal(4), Intervals::causal(4));
        assert_eq!(*all.texts(&[2], 4, true), Intervals::new(vec![0; 4], vec![2, 2, 0, 0], 4));
        let packed = all.cut(2, [(0, 1), (1, 2), (0, 2), (0, 2)]);
        assert_eq!((packed.row(0, 1), packed.row(1, 0)), (1..2, 0..2));
    }
}
