//! From sentences to the steps of skip-gram: which word, which neighbour, which random words.

use super::{Alias, Corpus, SgnsConfig};
use random::Rng;

/// Sentences are gathered until a block has this many words: long enough that handing it to another thread costs
/// nothing, short enough that its steps stay in the caches.
const BLOCK_WORDS: usize = 1000;

/// Steps that are ready to be made.
#[derive(Default)]
pub(super) struct Block {
    /// Step after step: the centre word, its neighbour, and the noise words.
    pub(super) steps: Vec<u32>,
    /// Words of the text that these steps are made from, those left out by subsampling too.
    pub(super) words: u64,
}

/// Goes through the text, epoch after epoch, and draws.
pub(super) struct Windows<'a> {
    corpus: &'a Corpus,
    window: u64,
    negatives: usize,
    noise: &'a Alias,
    /// A word is kept if a random 32-bit number is below this.
    keep: &'a [u64],
    rng: Rng,
    /// The next sentence, counted on over the epochs.
    next: usize,
    end: usize,
    kept: Vec<u32>,
}

impl<'a> Windows<'a> {
    pub(super) fn new(
        corpus: &'a Corpus,
        config: &SgnsConfig,
        noise: &'a Alias,
        keep: &'a [u64],
        rng: Rng,
    ) -> Self {
        let end = corpus.sentences() * config.epochs;
        let (window, negatives) = (config.window as u64, config.negatives);
        Self { corpus, window, negatives, noise, keep, rng, next: 0, end, kept: Vec::new() }
    }

    /// Replaces a block by the next one; false at the end of the last epoch.
    pub(super) fn fill(&mut self, block: &mut Block) -> bool {
        block.steps.clear();
        block.words = 0;
        while self.next < self.end && block.words < BLOCK_WORDS as u64 {
            self.add_sentence(block);
            self.next += 1;
        }
        block.words > 0
    }

    /// Around every word that is kept, its neighbours up to b words away among those kept, b uniform in
    /// 1 ..= window: near neighbours count more often than distant ones.
    fn add_sentence(&mut self, block: &mut Block) {
        let sentence = self.corpus.sentence(self.next % self.corpus.sentences());
        block.words += sentence.len() as u64;
        self.kept.clear();
        for &word in sentence {
            let keep = self.keep[word as usize];
            if keep > u64::from(u32::MAX) || u64::from(self.rng.next_u32()) < keep {
                self.kept.push(word);
            }
        }
        for (i, &centre) in self.kept.iter().enumerate() {
            let b = 1 + self.rng.below(self.window) as usize;
            let last = (i + b).min(self.kept.len() - 1);
            for j in (i.saturating_sub(b)..=last).filter(|&j| j != i) {
                block.steps.extend([centre, self.kept[j]]);
                block.steps.extend((0..self.negatives).map(|_| self.noise.draw(&mut self.rng)));
            }
        }
    }
}

/// The probability that a word is kept, (sqrt(f / t) + 1) t / f for a word that is the share f of the text, as
/// thresholds for random 32-bit numbers. word2vec.c's rule; 0 keeps all. Frequent words such as "the" say little
/// about their neighbours, and without most of them the window reaches further.
pub(super) fn keep_thresholds(counts: &[u64], t: f64) -> Vec<u64> {
    let total = counts.iter().sum::<u64>() as f64;
    let keep = |&count: &u64| {
        let ratio = t * total / count as f64; // t / f
        if t == 0.0 || count == 0 { 1.0 } else { (ratio.sqrt() + ratio).min(1.0) }
    };
    counts.iter().map(|count| (keep(count) * 4_294_967_296.0) as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::Stream;

    #[test]
    fn frequent_words_are_thinned_out_by_the_formula() {
        let thresholds = keep_thresholds(&[900_000, 99_000, 1000, 0], 1e-3);
        // (sqrt(.9 / .001) + 1) .001 / .9 = 31/900; f = .099: (9.95 + 1) / 99; f = .001: 2, so always.
        let shares: Vec<f64> = thresholds.iter().map(|&t| t as f64 / 4_294_967_296.0).collect();
        assert!((shares[0] - 31.0 / 900.0).abs() < 1e-9, "{shares:?}");
        assert!((shares[1] - (99f64.sqrt() + 1.0) / 99.0).abs() < 1e-9, "{shares:?}");
        assert_eq!(shares[2..], [1.0, 1.0]);
        assert!(keep_thresholds(&[5, 10], 0.0).iter().all(|&t| t == 1 << 32));
    }

    #[test]
    fn neighbours_are_near_and_in_the_sentence() {
        let mut corpus = Corpus::new();
        corpus.push(&(0..50).collect::<Vec<u32>>());
        corpus.push(&(50..53).collect::<Vec<u32>>());
        let config = SgnsConfig { window: 3, negatives: 2, epochs: 400, ..SgnsConfig::default() };
        let (noise, keep) = (Alias::new(&[1.0; 53]), vec![1 << 32; 53]);
        let rng = Rng::new(1, Stream::Data);
        let mut windows = Windows::new(&corpus, &config, &noise, &keep, rng);
        let (mut block, mut words, mut at_distance) = (Block::default(), 0, [0u32; 4]);
        while windows.fill(&mut block) {
            words += block.words;
            for step in block.steps.chunks(4) {
                assert!((step[0] < 50) == (step[1] < 50), "across sentences: {step:?}");
                if step[0] == 25 {
                    at_distance[step[0].abs_diff(step[1]) as usize] += 1;
                }
            }
        }
        assert_eq!(words, 53 * 400);
        assert_eq!(at_distance[..2], [0, 800]); // both direct neighbours, every time
        let [two, three] = [at_distance[2], at_distance[3]].map(f64::from);
        assert!(
            (two - 800.0 * 2.0 / 3.0).abs() < 80.0 && (three - 800.0 / 3.0).abs() < 80.0,
            "{at_distance:?}"
        );
    }
}
