//! Where spans are cut out of a text.

use random::Rng;
use std::ops::Range;

/// How many spans are cut out of a text, and how long they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spans {
    /// The share of the tokens that is cut out.
    pub(super) rate: f64,
    /// The mean length of a span.
    pub(super) mean: f64,
    pub(super) lengths: Lengths,
}

/// How the tokens that are cut out are divided into spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lengths {
    /// As T5 does: every way to divide them is equally likely. The text ends with a span.
    Segments,
    /// 1 + Poisson(mean - 1) each, as GLM does, but given their sum, so that all rows have the same length: with
    /// the sum fixed, independent Poisson numbers are multinomial. The text begins and ends with what stays.
    Poisson,
    /// All the same. The text begins and ends with what stays: every span has both neighbours.
    Fixed(usize),
}

impl Spans {
    /// The shortest text that leaves something to see and something to guess.
    pub(super) fn least(&self) -> usize {
        match self.lengths {
            Lengths::Segments => 2,
            Lengths::Poisson => 3,
            Lengths::Fixed(n) => n.saturating_add(2),
        }
    }

    /// (tokens cut out, spans) of a text of `len` tokens; T5's `random_spans_noise_mask` has the formula:
    /// round(len rate) tokens in round(tokens / mean) spans, both at least 1, half rounded to even.
    pub(super) fn counts(&self, len: usize) -> (usize, usize) {
        debug_assert!(len >= self.least());
        if let Lengths::Fixed(n) = self.lengths {
            let wanted = (len as f64 * self.rate / n as f64).round_ties_even() as usize;
            let spans = wanted.clamp(1, (len - 1) / (n + 1)); // with a gap after each and one before the first
            return (n * spans, spans);
        }
        let ends = usize::from(self.lengths == Lengths::Poisson); // one gap more than spans
        let noise = ((len as f64 * self.rate).round_ties_even() as usize).clamp(1, len - 1 - ends);
        let spans = (noise as f64 / self.mean).round_ties_even() as usize;
        (noise, spans.clamp(1, noise.min(len - noise - ends)))
    }

    /// The most tokens of a text for which `len + extra * spans` is at most `room`, with at most `most` spans;
    /// 0 if there are none.
    pub(super) fn fitting(&self, room: usize, extra: usize, most: usize) -> usize {
        let fits = |len: usize| {
            let (_, spans) = self.counts(len);
            len.saturating_add(extra * spans) <= room && spans <= most
        };
        if room < self.least() || !fits(self.least()) {
            return 0;
        }
        // More tokens never have fewer spans: what fits ends at one place.
        let (mut fitting, mut too_long) = (self.least(), room.saturating_add(1));
        while too_long - fitting > 1 {
            let middle = fitting + (too_long - fitting) / 2;
            match fits(middle) {
                true => fitting = middle,
                false => too_long = middle,
            }
        }
        fitting
    }

    /// The spans of a text of `len` tokens, in order. No two touch, and none is at the beginning.
    pub(super) fn draw(&self, len: usize, rng: &mut Rng) -> Vec<Range<usize>> {
        let (noise, spans) = self.counts(len);
        let lengths = match self.lengths {
            Lengths::Segments => segments(noise, spans, rng),
            Lengths::Fixed(n) => vec![n; spans],
            Lengths::Poisson => {
                let mut lengths = vec![1; spans];
                (spans..noise).for_each(|_| lengths[rng.below(spans as u64) as usize] += 1);
                lengths
            }
        };
        let gaps = match self.lengths {
            Lengths::Segments => segments(len - noise, spans, rng),
            _ => segments(len - noise, spans + 1, rng),
        };
        let mut at = 0;
        let place = |(length, gap): (usize, &usize)| {
            let start = at + gap;
            at = start + length;
            start..at
        };
        lengths.into_iter().zip(&gaps).map(place).collect()
    }
}

/// Divides `total` into `parts` numbers of at least 1, every way being equally likely.
fn segments(total: usize, parts: usize, rng: &mut Rng) -> Vec<usize> {
    debug_assert!(0 < parts && parts <= total);
    let mut lengths = Vec::with_capacity(parts);
    let mut last = 0;
    // Of the places between two neighbours, those of the cuts: each is taken with the probability
    // cuts left / places left, which makes all choices equally likely.
    for place in 1..total {
        let cuts_left = parts - 1 - lengths.len();
        if rng.below((total - place) as u64) < cuts_left as u64 {
            lengths.push(place - last);
            last = place;
        }
    }
    lengths.push(total - last);
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use random::{Rng, Stream};

    fn any_spans() -> impl Strategy<Value = Spans> {
        let lengths = prop_oneof![
            Just(Lengths::Segments),
            Just(Lengths::Poisson),
            (1..6_usize).prop_map(Lengths::Fixed)
        ];
        (0.01..0.9, 1.0..9.0, lengths).prop_map(|(rate, mean, lengths)| Spans { rate, mean, lengths })
    }

    proptest! {
        #[test]
        fn spans_are_as_many_and_as_long_as_they_should_be(spans in any_spans(), more in 0..200_usize, seed: u64) {
            let len = spans.least() + more;
            let ranges = spans.draw(len, &mut Rng::new(seed, Stream::Data));
            let (noise, count) = spans.counts(len);
            prop_assert_eq!(ranges.len(), count);
            prop_assert_eq!(ranges.iter().map(Range::len).sum::<usize>(), noise);
            prop_assert!(ranges[0].start > 0 && ranges.iter().all(|range| !range.is_empty()));
            prop_assert!(ranges.windows(2).all(|two| two[0].end < two[1].start));
            let end = ranges[count - 1].end;
            match spans.lengths {
                Lengths::Segments => prop_assert_eq!(end, len),
                Lengths::Poisson => prop_assert!(end < len),
                Lengths::Fixed(n) => prop_assert!(end < len && ranges.iter().all(|r| r.len() == n)),
            }
        }

        #[test]
        fn the_longest_text_that_fits(spans in any_spans(), room in 0..300_usize, extra in 0..4_usize) {
            let len = spans.fitting(room, extra, 40);
            let fits = |len: usize| {
                let (_, count) = spans.counts(len);
                len + extra * count <= room && count <= 40
            };
            prop_assert!(len == 0 || fits(len));
            prop_assert!((spans.least().max(len + 1)..=room).all(|longer| !fits(longer)));
        }
    }

    /// 512 tokens at 0.15 and 3: 77 tokens in 26 spans, as T5's function gives.
    #[test]
    fn counts_of_t5() {
        let spans = Spans { rate: 0.15, mean: 3.0, lengths: Lengths::Segments };
        assert_eq!(spans.counts(512), (77, 26));
        assert_eq!(spans.counts(10), (2, 1)); // 1.5 is rounded to even
        assert_eq!(spans.counts(2), (1, 1));
    }

    #[test]
    fn all_divisions_are_equally_likely() {
        let mut rng = Rng::new(7, Stream::Data);
        let mut counts = std::collections::BTreeMap::new();
        let draws = 10_000;
        for _ in 0..draws {
            *counts.entry(segments(6, 3, &mut rng)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 10); // 5 over 2
        let sigma = (draws as f64 * 0.1 * 0.9).sqrt();
        assert!(counts.values().all(|&n| (f64::from(n) - 1000.0).abs() < 4.0 * sigma), "{counts:?}");
    }
}
