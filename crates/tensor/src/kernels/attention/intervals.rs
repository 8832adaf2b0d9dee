//! Which keys each query sees.

use std::ops::Range;

/// One interval of keys for each query row: row i sees keys `lo[i] <= j < hi[i]`.
///
/// The rows of one sequence, used for all sequences of a batch, or a row for each position of each
/// sequence. An interval may be empty: such a row's output and gradients are zero.
///
/// ```
/// use tensor::kernels::attention::Intervals;
/// assert_eq!(Intervals::causal(3).row(0, 2), 0..3);
/// assert_eq!(Intervals::bidirectional(3, 2).row(0, 0), 0..2);   // a sequence of 2, padded to 3
/// assert_eq!(Intervals::prefix(4, 2).row(0, 0), 0..2);
/// assert_eq!(Intervals::sliding_window(4, 2).row(0, 3), 2..4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intervals {
    lo: Vec<u32>,
    hi: Vec<u32>,
    time: usize,
}

impl Intervals {
    /// Intervals from their ends, for `time` rows, or for `time` rows of each of several sequences.
    ///
    /// # Panics
    /// If the lengths differ or are not a multiple of `time`, or an interval leaves `0..time`.
    #[must_use]
    pub fn new(lo: Vec<u32>, hi: Vec<u32>, time: usize) -> Self {
        assert_eq!(lo.len(), hi.len(), "as many lower ends as upper ends");
        assert!(time > 0 && lo.len().is_multiple_of(time), "{} intervals for rows of {time}", lo.len());
        assert!(hi.iter().all(|&hi| hi as usize <= time), "an interval beyond the last key {time}");
        Self { lo, hi, time }
    }

    fn from_rows(time: usize, row: impl Fn(u32) -> Range<u32>) -> Self {
        let (lo, hi) = (0..time as u32).map(|i| (row(i).start, row(i).end)).unzip();
        Self { lo, hi, time }
    }

    /// Row i sees itself and all before it.
    #[must_use]
    pub fn causal(time: usize) -> Self {
        Self::from_rows(time, |i| 0..i + 1)
    }

    /// Every row sees the first `len` keys.
    #[must_use]
    pub fn bidirectional(time: usize, len: usize) -> Self {
        Self::from_rows(time, |_| 0..len.min(time) as u32)
    }

    /// Every row sees the first `prefix` keys, and from there on causally.
    #[must_use]
    pub fn prefix(time: usize, prefix: usize) -> Self {
        Self::from_rows(time, |i| 0..(i + 1).max(prefix.min(time) as u32))
    }

    /// Row i sees the last `window` keys up to itself.
    #[must_use]
    pub fn sliding_window(time: usize, window: usize) -> Self {
        Self::from_rows(time, |i| (i + 1).saturating_sub(window as u32)..i + 1)
    }

    /// These sequences with `prefix` rows put before each: a row of the prefix sees itself and those before it, a row of
    /// the sequence the whole prefix and what it saw.
    ///
    /// ```
    /// use tensor::kernels::attention::Intervals;
    /// let causal = Intervals::causal(2).after(3);
    /// assert_eq!((causal.row(0, 1), causal.row(0, 3), causal.row(0, 4)), (0..2, 0..4, 0..5));
    /// ```
    ///
    /// # Panics
    /// If a row does not see key 0 but later ones: what it saw and the prefix would not be one interval.
    #[must_use]
    pub fn after(&self, prefix: usize) -> Self {
        let (mut lo, mut hi) = (Vec::new(), Vec::new());
        for (l, h) in self.lo.chunks(self.time).zip(self.hi.chunks(self.time)) {
            lo.extend(std::iter::repeat_n(0, prefix));
            hi.extend(1..=prefix as u32);
            for (&l, &h) in l.iter().zip(h) {
                assert!(l == 0 || l >= h, "a prefix and keys from {l} on are two intervals");
                lo.push(0);
                hi.push(if l < h { h + prefix as u32 } else { 0 });
            }
        }
        Self { lo, hi, time: self.time + prefix }
    }

    /// The keys that query i of sequence b sees; an empty range at 0 if none.
    #[must_use]
    pub fn row(&self, b: usize, i: usize) -> Range<usize> {
        let at = if self.lo.len() == self.time { i } else { b * self.time + i };
        let (lo, hi) = (self.lo[at] as usize, self.hi[at] as usize);
        if lo < hi { lo..hi } else { 0..0 }
    }

    /// The smallest range that holds the intervals of these rows.
    pub(crate) fn hull(&self, b: usize, rows: Range<usize>) -> Range<usize> {
        rows.map(|i| self.row(b, i)).filter(|r| !r.is_empty()).fold(0..0, |hull: Range<usize>, r| {
            if hull.is_empty() { r } else { hull.start.min(r.start)..hull.end.max(r.end) }
        })
    }

    /// T.
    #[must_use]
    pub fn time(&self) -> usize {
        self.time
    }

    /// Whether there are intervals for one sequence (used for all), or for this many.
    #[must_use]
    pub fn fits(&self, batch: usize) -> bool {
        self.lo.len() == self.time || self.lo.len() == batch * self.time
    }

    pub(crate) fn check(&self, batch: usize, time: usize) {
        let fits = self.time == time && self.fits(batch);
        assert!(fits, "{} intervals of {}, not for {batch} sequences of {time}", self.lo.len(), self.time);
    }
}
