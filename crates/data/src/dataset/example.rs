//! One training example of any kind, and which positions may look at which.

/// What a model is trained on, in any of its tasks.
///
/// The loss is sum(weight * cross-entropy(label)) / sum(weight), over a whole batch. Continuing a
/// text, filling in masked words, translating and answering differ only in these fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Token ids, the input: (T,)
    pub ids: Vec<u32>,
    /// The right answer at each position: (T,)
    pub labels: Vec<u32>,
    /// How much each answer counts, usually 1, or 0 for "not at all": (T,)
    pub weights: Vec<f32>,
    /// Which positions each position may attend to.
    pub mask: MaskSpec,
}

impl Example {
    /// The example of a language model: predict each next token of a piece of text. Of n tokens the
    /// first n-1 are the ids and the last n-1 the labels, all with weight 1 and a causal mask.
    ///
    /// ```
    /// let example = data::Example::next_token(&[5, 6, 7]);
    /// assert_eq!((example.ids, example.labels), (vec![5, 6], vec![6, 7]));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two tokens: nothing could be predicted.
    #[track_caller]
    pub fn next_token(tokens: &[u32]) -> Example {
        assert!(tokens.len() >= 2, "Example::next_token: {} tokens, at least 2 needed", tokens.len());
        Example {
            ids: tokens[..tokens.len() - 1].to_vec(),
            labels: tokens[1..].to_vec(),
            weights: vec![1.0; tokens.len() - 1],
            mask: MaskSpec::Causal,
        }
    }
}

/// Which positions (keys) each position (query) may attend to: one interval for every query, which
/// is all that the usual training tasks need and far less than a (T, T) mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaskSpec {
    /// Itself and everything before: language models.
    Causal,
    /// Everything among the first `len` positions; those after are padding. For masked language
    /// models and other encoders.
    Bidirectional {
        /// How many positions hold real tokens.
        len: u32,
    },
    /// The first `len` positions see all of each other, those after are causal: a question and its
    /// answer, a sentence and its translation.
    Prefix {
        /// How many positions the prefix has.
        len: u32,
    },
    /// Itself and the `window - 1` positions before: cheap attention in long texts.
    SlidingWindow {
        /// How many positions are seen.
        window: u32,
    },
}

impl MaskSpec {
    /// For each of `t` queries the half-open interval `(lo, hi)` of the keys it attends to,
    /// `lo <= key < hi`. Intervals are never empty and stay within `0..t`, whatever the parameters:
    /// a query that sees nothing would divide by zero, so at least one key is always left.
    ///
    /// ```
    /// use data::MaskSpec;
    /// assert_eq!(MaskSpec::Causal.intervals(3), [(0, 1), (0, 2), (0, 3)]);
    /// assert_eq!(MaskSpec::Prefix { len: 2 }.intervals(3), [(0, 2), (0, 2), (0, 3)]);
    /// assert_eq!(MaskSpec::SlidingWindow { window: 2 }.intervals(3), [(0, 1), (0, 2), (1, 3)]);
    /// ```
    ///
    /// # Panics
    /// If `t` does not fit into 32 bits.
    #[track_caller]
    pub fn intervals(&self, t: usize) -> Vec<(u32, u32)> {
        let t = u32::try_from(t).expect("a sequence has fewer than 2^32 positions");
        let interval = |i: u32| match *self {
            MaskSpec::Causal => (0, i + 1),
            MaskSpec::Bidirectional { len } => (0, len.clamp(1, t)),
            MaskSpec::Prefix { len } => (0, len.min(t).max(i + 1)),
            MaskSpec::SlidingWindow { window } => ((i + 1).saturating_sub(window.max(1)), i + 1),
        };
        (0..t).map(interval).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definitions once more, one (query, key) pair at a time.
    fn attends(mask: MaskSpec, query: u32, key: u32) -> bool {
        match mask {
            MaskSpec::Causal => key <= query,
            MaskSpec::Bidirectional { len } => key < len,
            MaskSpec::Prefix { len } => key <= query || key < len,
            MaskSpec::SlidingWindow { window } => key <= query && query - key < window,
        }
    }

    proptest! {
        #[test]
        fn intervals_are_the_definitions(t in 1..40_u32, n in 1..50_u32) {
            for mask in [
                MaskSpec::Causal,
                MaskSpec::Bidirectional { len: n },
                MaskSpec::Prefix { len: n },
                MaskSpec::SlidingWindow { window: n },
            ] {
                let intervals = mask.intervals(t as usize);
                prop_assert_eq!(intervals.len(), t as usize);
                for (query, (lo, hi)) in (0..t).zip(intervals) {
                    prop_assert!(lo < hi && hi <= t);
                    for key in 0..t {
                        prop_assert_eq!(attends(mask, query, key), (lo..hi).contains(&key));
                    }
                }
            }
        }
    }

    #[test]
    fn extreme_parameters_leave_one_key() {
        for n in [0, u32::MAX] {
            for mask in [
                MaskSpec::Bidirectional { len: n },
                MaskSpec::Prefix { len: n },
                MaskSpec::SlidingWindow { window: n },
            ] {
                assert!(mask.intervals(5).into_iter().all(|(lo, hi)| lo < hi && hi <= 5), "{mask:?}");
                assert!(mask.intervals(0).is_empty());
            }
        }
    }
}
