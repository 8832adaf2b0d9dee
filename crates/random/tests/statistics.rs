//! The distributions are the promised ones. The seeds are fixed, so a test passes always or never;
//! limits are at least four standard deviations of the statistic.

use random::{Rng, Stream};

const N: usize = 1_000_000;

fn rng(n: u64) -> Rng {
    Rng::new(2026, Stream::Other(n))
}

/// Sum of (observed - expected)^2 / expected: for k equally likely values its mean is k-1 and its
/// variance 2(k-1).
fn assert_uniform(counts: &[u64]) {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let chi2: f64 = counts.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
    let freedom = counts.len() as f64 - 1.0;
    let deviations = (chi2 - freedom) / (2.0 * freedom).sqrt();
    assert!(deviations.abs() < 5.0, "chi-square {chi2} at {freedom} degrees of freedom: {counts:?}");
}

#[test]
fn below_is_uniform() {
    for n in [2, 3, 10, 65, 1000] {
        let mut rng = rng(n);
        let mut counts = vec![0; n as usize];
        for _ in 0..N {
            counts[rng.below(n) as usize] += 1;
        }
        assert_uniform(&counts);
    }
}

#[test]
fn below_is_unbiased_for_huge_bounds() {
    // With n = 3/4 * 2^64, `next_u64() % n` would hit the lowest third twice as often.
    let n = 3 << 62;
    let mut rng = rng(0);
    let mut counts = [0; 3];
    for _ in 0..N {
        counts[(rng.below(n) / (1 << 62)) as usize] += 1;
    }
    assert_uniform(&counts);
}

#[test]
fn below_edges() {
    let mut rng = rng(0);
    for _ in 0..1000 {
        assert_eq!(rng.below(1), 0);
        assert!(rng.below(u64::MAX) < u64::MAX);
    }
}

#[test]
#[should_panic(expected = "the range 0..0 is empty")]
fn below_zero_panics() {
    rng(0).below(0);
}

#[test]
fn floats_are_uniform() {
    let mut rng = rng(0);
    let (mut narrow, mut wide) = ([0; 256], [0; 256]);
    for _ in 0..N {
        let (x, y) = (rng.f32(), rng.f64());
        assert!((0.0..1.0).contains(&x) && (0.0..1.0).contains(&y));
        narrow[(x * 256.0) as usize] += 1;
        wide[(y * 256.0) as usize] += 1;
    }
    assert_uniform(&narrow);
    assert_uniform(&wide);
}

#[test]
fn normals_have_the_right_moments() {
    let mut rng = rng(0);
    let single: Vec<f32> = (0..N).map(|_| rng.normal()).collect();
    let mut filled = vec![0.0; N];
    rng.fill_normal(&mut filled, 0.0, 1.0);
    for sample in [single, filled] {
        let moment = |k: i32| sample.iter().map(|&x| f64::from(x).powi(k)).sum::<f64>() / N as f64;
        // Standard deviations of these means: 1, sqrt 2, sqrt 15, sqrt 96, each over sqrt N.
        for (k, expected, std) in [(1, 0.0, 1.0), (2, 1.0, 1.414), (3, 0.0, 3.873), (4, 3.0, 9.798)] {
            let error = (moment(k) - expected).abs();
            assert!(error < 4.0 * std / (N as f64).sqrt(), "moment {k} is {}", moment(k));
        }
        let neighbours = sample.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / N as f64;
        assert!(neighbours.abs() < 4.0 / (N as f64).sqrt(), "neighbours correlate: {neighbours}");
    }
}

#[test]
fn normals_fill_the_quantiles() {
    // The octiles of the standard normal distribution: each eighth holds an eighth of the numbers.
    let octiles = [-1.150349, -0.674490, -0.318639, 0.0, 0.318639, 0.674490, 1.150349];
    let mut rng = rng(1);
    let mut counts = [0; 8];
    for _ in 0..N {
        let x = rng.normal();
        assert!(x.abs() < 8.6);
        counts[octiles.iter().filter(|&&q| x > q).count()] += 1;
    }
    assert_uniform(&counts);
}

#[test]
fn fill_normal_scales_and_shifts() {
    for len in [0, 1, 2, 7] {
        let (mut standard, mut scaled) = (vec![0.0; len], vec![0.0; len]);
        rng(2).fill_normal(&mut standard, 0.0, 1.0);
        rng(2).fill_normal(&mut scaled, 3.0, 0.02);
        assert!(standard.iter().all(|&x| x != 0.0));
        let expected: Vec<f32> = standard.iter().map(|x| 3.0 + 0.02 * x).collect();
        assert_eq!(scaled, expected);
    }
}

#[test]
fn shuffles_reach_every_order_equally() {
    let mut rng = rng(3);
    let mut counts = [0; 256]; // indexed by the order, two bits an element
    for _ in 0..N / 10 {
        let order = rng.permutation(4);
        counts[order.iter().fold(0, |code, &x| 4 * code + x as usize)] += 1;
    }
    let reached: Vec<u64> = counts.into_iter().filter(|&c| c > 0).collect();
    assert_eq!(reached.len(), 24);
    assert_uniform(&reached);
}

#[test]
fn permutations_hold_everything_once() {
    for n in [0, 1, 2, 1000] {
        let mut order = rng(4).permutation(n);
        order.sort();
        assert!(order.into_iter().eq(0..n));
    }
}
