//! MinHash and LSH against what the formulas say, on sets whose similarity is planted exactly.

use data::clean::{BANDS, HASHES, Lsh, MinHash, ROWS, Signature, similarity};
use random::{Rng, Stream};

/// Two sets of shingles with the Jaccard similarity `shared / union`.
fn planted(rng: &mut Rng, shared: usize, union: usize) -> (Vec<u64>, Vec<u64>) {
    let draw = |rng: &mut Rng, n: usize| -> Vec<u64> { (0..n).map(|_| rng.next_u64()).collect() };
    let common = draw(rng, shared);
    let own = (union - shared) / 2;
    let mut with = |n: usize| [common.clone(), draw(rng, n)].concat();
    (with(own), with(union - shared - own))
}

fn signatures(pairs: usize, shared: usize, union: usize) -> Vec<(Signature, Signature)> {
    let mut rng = Rng::new(7, Stream::Other(shared as u64));
    let hashes = MinHash::new();
    let mut signatures = |_| {
        let (a, b) = planted(&mut rng, shared, union);
        (hashes.signature(&a), hashes.signature(&b))
    };
    (0..pairs).map(&mut signatures).collect()
}

const PAIRS: usize = 2000;
const UNION: usize = 100;

/// Recall is 1 - (1 - s^8)^16: .061, .613, .9999 at .5, .7, .9.
#[test]
fn recall_follows_the_formula() {
    for (shared, expected) in [(50, 0.0607), (70, 0.6133), (90, 0.9999)] {
        let s = shared as f64 / UNION as f64;
        let p = 1.0 - (1.0 - s.powi(ROWS as i32)).powi(BANDS as i32);
        assert!((p - expected).abs() < 1e-4, "{p}");
        let mut index = Lsh::new();
        let pairs = signatures(PAIRS, shared, UNION);
        pairs.iter().for_each(|(a, _)| _ = index.insert(*a));
        let found = (0..PAIRS).filter(|&i| index.candidates(&pairs[i].1).contains(&i)).count();
        let recall = found as f64 / PAIRS as f64;
        let sigma = (p * (1.0 - p) / PAIRS as f64).sqrt();
        println!("s = {s}: recall {recall:.4}, formula {p:.4}, sigma {sigma:.4}");
        assert!((recall - p).abs() <= 3.0 * sigma, "s = {s}: recall {recall}, expected {p} +- {sigma}");
    }
}

/// The estimate of J is unbiased with variance J (1 - J) / 128.
#[test]
fn the_estimate_is_unbiased() {
    for shared in [10, 50, 70, 90] {
        let j = shared as f64 / UNION as f64;
        let estimates: Vec<f64> =
            signatures(PAIRS, shared, UNION).iter().map(|(a, b)| similarity(a, b)).collect();
        let n = PAIRS as f64;
        let mean = estimates.iter().sum::<f64>() / n;
        let variance = estimates.iter().map(|e| (e - j).powi(2)).sum::<f64>() / n;
        let expected = j * (1.0 - j) / HASHES as f64;
        println!("J = {j}: mean {mean:.5}, sd {:.5}, expected sd {:.5}", variance.sqrt(), expected.sqrt());
        assert!((mean - j).abs() <= 3.0 * (expected / n).sqrt(), "J = {j}: mean {mean}");
        // The variance of n estimates has itself a relative standard deviation of about sqrt(2 / n).
        assert!((variance / expected - 1.0).abs() <= 4.0 * (2.0 / n).sqrt(), "J = {j}: variance {variance}");
    }
}

/// What is found is what a comparison of all bands finds, through every growth of the tables.
#[test]
fn candidates_are_those_of_brute_force() {
    let mut rng = Rng::new(3, Stream::Data);
    let mut index = Lsh::new();
    // Few values, so that many bands are equal.
    let drawn: Vec<Signature> =
        (0..600).map(|_| std::array::from_fn(|_| (rng.below(10) / 9) as u16)).collect();
    assert!(index.candidates(&drawn[0]).is_empty());
    for (i, signature) in drawn.iter().enumerate() {
        assert_eq!(index.insert(*signature), i);
    }
    for query in &drawn {
        let mut expected = Vec::new();
        for b in 0..BANDS {
            // Of a band that many have, the first 64 are kept.
            let alike =
                (0..drawn.len()).filter(|&i| drawn[i][b * ROWS..][..ROWS] == query[b * ROWS..][..ROWS]);
            expected.extend(alike.take(64));
        }
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(index.candidates(query), expected);
    }
}

#[test]
fn memory_is_what_is_said() {
    let mut index = Lsh::new();
    let mut rng = Rng::new(5, Stream::Data);
    for _ in 0..20_000 {
        index.insert(std::array::from_fn(|_| rng.next_u32() as u16));
    }
    let per_text = index.memory() as f64 / index.len() as f64;
    assert!((440.0..640.0).contains(&per_text), "{per_text} bytes a text");
}
