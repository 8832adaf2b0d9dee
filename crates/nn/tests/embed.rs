//! Word vectors of texts about which everything is known: skip-gram finds the mutual information of a Markov chain,
//! and both methods the word classes of a grammar.

use nn::embed::{Cooccurrence, Corpus, Glove, GloveConfig, Neighbours, Sgns, SgnsConfig, quarter_power};
use random::{Rng, Stream};

/// A Markov chain with all transitions possible, and its stationary distribution.
struct Chain {
    p: Vec<Vec<f64>>,
    stationary: Vec<f64>,
}

impl Chain {
    /// Every state prefers some successors: weights e^(spread x normal).
    fn new(states: usize, spread: f64) -> Self {
        let mut rng = Rng::new(12, Stream::Other(0));
        let mut row = || {
            let weights: Vec<f64> = (0..states).map(|_| (spread * f64::from(rng.normal())).exp()).collect();
            let sum: f64 = weights.iter().sum();
            weights.iter().map(|w| w / sum).collect()
        };
        let p: Vec<Vec<f64>> = (0..states).map(|_| row()).collect();
        let mut stationary = vec![1.0 / states as f64; states];
        for _ in 0..1000 {
            stationary = (0..states).map(|j| (0..states).map(|i| stationary[i] * p[i][j]).sum()).collect();
        }
        Self { p, stationary }
    }

    fn sample(&self, words: usize) -> Corpus {
        let mut rng = Rng::new(13, Stream::Other(0));
        let mut state = 0;
        let mut next = || {
            let mut x = rng.f64();
            let row = &self.p[state];
            state = row
                .iter()
                .position(|p| {
                    x -= p;
                    x < 0.0
                })
                .unwrap_or(row.len() - 1);
            state as u32
        };
        let mut corpus = Corpus::new();
        (0..words / 1000).for_each(|_| corpus.push(&(0..1000).map(|_| next()).collect::<Vec<_>>()));
        corpus
    }

    /// p(w, c) of a word and one of its two direct neighbours.
    fn joint(&self, w: usize, c: usize) -> f64 {
        0.5 * (self.stationary[w] * self.p[w][c] + self.stationary[c] * self.p[c][w])
    }
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(x, y)| f(x - mx, y - my)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

/// Levy & Goldberg's theorem. Vectors have as many dimensions as there are words (full rank), the window is 1, no
/// word is thinned out. Noise by count: v.u = PMI - ln k. Noise by count^0.75: v.u = ln(p(c | w) / (k q(c))).
#[test]
fn skip_gram_finds_the_mutual_information_of_a_markov_chain() {
    let (states, k) = (20, 5);
    let chain = Chain::new(states, 0.8);
    let corpus = chain.sample(200_000);
    for noise_quarters in [4, 3] {
        let config = SgnsConfig {
            dim: states,
            window: 1,
            negatives: k,
            subsample: 0.0,
            noise_quarters,
            learning_rate: 0.05,
            epochs: 5,
            seed: 1,
        };
        let mut sgns = Sgns::new(config, &corpus.counts(states));
        sgns.train(&corpus, |_| ());

        let noise: Vec<f64> = chain.stationary.iter().map(|&p| quarter_power(p, noise_quarters)).collect();
        let q = |c: usize| noise[c] / noise.iter().sum::<f64>();
        let pairs = || (0..states).flat_map(|w| (0..states).map(move |c| (w, c)));
        let exact =
            |(w, c): (usize, usize)| (chain.joint(w, c) / (chain.stationary[w] * k as f64 * q(c))).ln();
        let exact: Vec<f64> = pairs().map(exact).collect();
        let learnt: Vec<f64> = pairs().map(|(w, c)| sgns.score(w as u32, c as u32)).collect();
        let r = correlation(&learnt, &exact);
        let squares: f64 = learnt.iter().zip(&exact).map(|(x, y)| (x - y).powi(2)).sum();
        let rms = (squares / exact.len() as f64).sqrt();
        println!(
            "noise by count^{}: correlation {r:.4}, error {rms:.3} nats",
            0.25 * f64::from(noise_quarters)
        );
        assert!(r >= 0.95, "correlation {r}");
        // Not only in proportion: the values are those of the theorem, ln k included.
        assert!(rms <= 0.15, "{rms} nats off");
    }
}

/// Sentences of a grammar with six classes of words: determiners, nouns and verbs, in the singular and the plural,
/// which agree. Words of a class are used alike, and only those. One word in eight is any word, in place of the one that
/// the grammar asks for: GloVe learns from how often words meet, and nothing from pairs that never do.
struct Grammar;

impl Grammar {
    const CLASSES: [u32; 6] = [4, 30, 20, 4, 30, 20];
    const WORDS: u32 = 108;

    fn class(word: u32) -> usize {
        let mut end = 0;
        let ends = Self::CLASSES.map(|n| {
            end += n;
            end
        });
        ends.iter().position(|&end| word < end).unwrap()
    }

    fn sample(sentences: usize) -> Corpus {
        let mut rng = Rng::new(21, Stream::Other(0));
        let mut corpus = Corpus::new();
        let mut word = |class: usize| {
            if rng.below(8) == 0 {
                return rng.below(u64::from(Self::WORDS)) as u32;
            }
            let n = u64::from(Self::CLASSES[class]);
            let rank = rng.below(n).min(rng.below(n)) as u32; // lower ranks are more frequent
            Self::CLASSES[..class].iter().sum::<u32>() + rank
        };
        for i in 0..sentences {
            let (subject, object) = (3 * (i % 2), 3 * (i / 2 % 2));
            let sentence = [subject, subject + 1, subject + 2, object, object + 1].map(&mut word);
            corpus.push(&sentence);
        }
        corpus
    }

    /// The share of the five nearest neighbours of all words that are of their word's class (three for a
    /// determiner, there being no more).
    fn purity(vectors: &[f32], dim: usize) -> f64 {
        let neighbours = Neighbours::new(vectors, dim);
        let (mut same, mut all) = (0, 0);
        for word in 0..Self::WORDS {
            let class = Self::class(word);
            let n = 5.min(Self::CLASSES[class] as usize - 1);
            let near = neighbours.nearest(neighbours.unit(word), n, &[word]);
            same += near.iter().filter(|(other, _)| Self::class(*other) == class).count();
            all += n;
        }
        f64::from(same as u32) / f64::from(all as u32)
    }
}

#[test]
fn both_methods_find_the_classes_of_a_grammar() {
    let corpus = Grammar::sample(20_000);
    let dim = 20;
    let config = SgnsConfig { dim, window: 2, subsample: 0.0, epochs: 10, ..SgnsConfig::default() };
    let mut sgns = Sgns::new(config, &corpus.counts(Grammar::WORDS as usize));
    let before = Grammar::purity(&sgns.vectors(), dim);
    sgns.train(&corpus, |_| ());
    let by_sgns = Grammar::purity(&sgns.vectors(), dim);

    let x = Cooccurrence::count(&corpus, 2);
    let mut glove =
        Glove::new(GloveConfig { dim, epochs: 100, ..GloveConfig::default() }, &x, Grammar::WORDS as usize);
    glove.train(|_, loss| assert!(loss.is_finite()));
    let by_glove = Grammar::purity(&glove.word_vectors(), dim);
    let by_sum = Grammar::purity(&glove.vectors(), dim);
    println!(
        "purity: {before:.3} at random, {by_sgns:.3} skip-gram, {by_glove:.3} GloVe, {by_sum:.3} its w + u"
    );
    assert!(before < 0.5, "at random {before}");
    assert!(by_sgns >= 0.95 && by_glove >= 0.95, "skip-gram {by_sgns}, GloVe {by_glove}");
}

#[test]
fn co_occurrences_are_symmetric_and_complete() {
    let corpus = Grammar::sample(200);
    let x = Cooccurrence::count(&corpus, 4);
    let mut sum = 0.0;
    for &(i, j, value) in x.entries() {
        assert_eq!(x.get(j, i).to_bits(), value.to_bits());
        sum += value;
    }
    // A sentence of five words has 4, 3, 2 and 1 pairs at the distances 1 to 4, each counted from both sides.
    let expected = 2.0 * (4.0 + 3.0 / 2.0 + 2.0 / 3.0 + 1.0 / 4.0) * 200.0;
    assert!((sum - expected).abs() <= 1e-9 * expected, "{sum} but {expected}");
}
