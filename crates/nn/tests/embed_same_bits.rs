//! Word vectors have the same bits for any number of threads and any instruction set. One test in a process of its
//! own: it changes the instruction set of the whole process.

use nn::embed::{Cooccurrence, Corpus, Glove, GloveConfig, Sgns, SgnsConfig};
use random::{Rng, Stream};
use tensor::kernels::simd::Path;

const WORDS: usize = 90;

fn corpus() -> Corpus {
    let mut rng = Rng::new(8, Stream::Other(0));
    let mut corpus = Corpus::new();
    for _ in 0..400 {
        let length = 1 + rng.below(20);
        let mut word = || rng.below(WORDS as u64).min(rng.below(WORDS as u64)) as u32;
        corpus.push(&(0..length).map(|_| word()).collect::<Vec<_>>());
    }
    corpus
}

fn train(corpus: &Corpus) -> Vec<u32> {
    let config = SgnsConfig { dim: 21, subsample: 1e-2, epochs: 3, ..SgnsConfig::default() };
    let mut sgns = Sgns::new(config, &corpus.counts(WORDS));
    let mut losses = Vec::new();
    sgns.train(corpus, |report| losses.push(report.loss));
    let x = Cooccurrence::count(corpus, 3);
    let mut glove = Glove::new(GloveConfig { dim: 21, epochs: 3, ..GloveConfig::default() }, &x, WORDS);
    glove.train(|_, loss| losses.push(loss));
    let vectors = sgns.vectors().into_iter().chain(glove.vectors());
    vectors.chain(losses.into_iter().map(|loss| loss as f32)).map(f32::to_bits).collect()
}

#[test]
fn threads_and_instructions_do_not_change_a_bit() {
    let corpus = corpus();
    let mut expected: Option<Vec<u32>> = None;
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        path.force();
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let bits = pool.install(|| train(&corpus));
            assert!(bits.iter().all(|&x| f32::from_bits(x).is_finite()));
            let expected = expected.get_or_insert_with(|| bits.clone());
            assert!(*expected == bits, "{path} with {threads} threads gives other bits");
        }
    }
}
