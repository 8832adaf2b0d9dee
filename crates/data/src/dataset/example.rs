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

    /// The example of a row of tokens of which those from `first` on are to be predicted, each from the
    /// position before it. What is not predicted has the label 0 and the weight 0.
    pub(crate) fn predict_from(row: &[u32], first: usize, mask: MaskSpec) -> Example {
        debug_assert!(0 < first && first < row.len(), "tokens {first}.. of a row of {}", row.len());
        let positions = row.len() - 1;
        let mut labels = vec![0; positions];
        labels[first - 1..].copy_from_slice(&row[first..]);
        let mut weights = vec![0.0; positions];
        weights[first - 1..].fill(1.0);
        Example { ids: row[..positions].to_vec(), labels, weights, mask }
    }

    /// Several examples one after another in one row, none of which sees another: no padding is needed
    /// for short documents. One alone stays as it is.
    ///
    /// ```
    /// use data::{Example, MaskSpec};
    /// let row = Example::packed(vec![Example::next_token(&[5, 6, 7]), Example::next_token(&[8, 9])]);
    /// assert_eq!((row.ids, row.labels), (vec![5, 6, 8], vec![6, 7, 9])); // nobody has to guess the 8
    /// assert_eq!(row.mask.intervals(3), [(0, 1), (0, 2), (2, 3)]);
    /// ```
    pub fn packed(mut examples: Vec<Example>) -> Example {
        if examples.len() == 1 {
            return examples.remove(0);
        }
        let (mut ids, mut labels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let mut documents = Vec::with_capacity(examples.len());
        for example in examples {
            documents.push((example.ids.len() as u32, example.mask));
            ids.extend(example.ids);
            labels.extend(example.labels);
            weights.extend(example.weights);
        }
        Example { ids, labels, weights, mask: MaskSpec::Packed(documents) }
    }
}

/// Which positions (keys) each position (query) may attend to: one interval for every query, which
/// is all that the usual training tasks need and far less than a (T, T) mask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Documents one after another that do not see each other: how many positions each has, and its own
    /// mask among them. Positions after the last document see themselves.
    Packed(Vec<(u32, MaskSpec)>),
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
    /// let documents = vec![(1, MaskSpec::Causal), (2, MaskSpec::Bidirectional { len: 2 })];
    /// assert_eq!(MaskSpec::Packed(documents).intervals(3), [(0, 1), (1, 3), (1, 3)]);
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
            MaskSpec::Packed(_) => (i, i + 1),
        };
        let mut intervals: Vec<(u32, u32)> = (0..t).map(interval).collect();
        if let MaskSpec::Packed(documents) = self {
            let mut start = 0;
            for (len, mask) in documents {
                let end = t.min(start + (*len).min(t - start));
                let inside = mask.intervals((end - start) as usize);
                for (place, (lo, hi)) in intervals[start as usize..end as usize].iter_mut().zip(inside) {
                    *place = (start + lo, start + hi);
                }
                start = end;
            }
        }
        intervals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definitions once more, one (query, key) pair at a time.
    fn attends(mask: &MaskSpec, query: u32, key: u32) -> bool {
        match mask {
            MaskSpec::Causal => key <= query,
            MaskSpec::Bidirectional { len } => key < *len,
            MaskSpec::Prefix { len } => key <= query || key < *len,
            MaskSpec::SlidingWindow { window } => key <= query && query - key < *window,
            MaskSpec::Packed(documents) => {
                let mut start = 0;
                for (len, mask) in documents {
                    let document = start..start + len;
                    if document.contains(&query) {
                        return document.contains(&key) && attends(mask, query - start, key - start);
                    }
                    start += len;
                }
                key == query
            }
        }
    }

    proptest! {
        #[test]
        fn intervals_are_the_definitions(t in 1..40_u32, n in 1..50_u32, a in 1..20_u32, b in 1..20_u32) {
            let packed = vec![
                (a, MaskSpec::Prefix { len: n.min(a) }),
                (b, MaskSpec::Bidirectional { len: b }),
                (3, MaskSpec::Causal),
            ];
            let packed = MaskSpec::Packed(packed);
            for mask in [
                packed,
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
                        prop_assert_eq!(attends(&mask, query, key), (lo..hi).contains(&key));
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
