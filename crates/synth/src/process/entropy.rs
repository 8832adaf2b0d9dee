//! Entropy, and the distribution that a process settles in.

use random::ln;

/// The distribution that a step leaves as it is, by repeated averaging of before and after: the average
/// converges also where the process itself alternates.
pub(crate) fn stationary(n: usize, step: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut p = vec![1.0 / n as f64; n];
    for _ in 0..100_000 {
        let next: Vec<f64> = p.iter().zip(step(&p)).map(|(a, b)| 0.5 * (a + b)).collect();
        let moved: f64 = p.iter().zip(&next).map(|(a, b)| (a - b).abs()).sum();
        p = next;
        if moved < 1e-16 {
            break;
        }
    }
    let total: f64 = p.iter().sum();
    p.iter().map(|x| x / total).collect()
}

/// H = -sum p ln p in nats.
pub(crate) fn entropy(p: &[f64]) -> f64 {
    // What is rarer than any normal number contributes less than rounding does.
    p.iter().filter(|p| p.is_normal()).map(|&p| -p * ln(p)).sum()
}
