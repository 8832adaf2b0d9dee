//! The normal distribution in f64, which the standard library lacks.

/// Phi(x): the series around zero, and Laplace's continued fraction in the tails.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    let density = normal_pdf(x);
    if x.abs() < 3.0 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term.abs() > 1e-18 {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        return 0.5 + sum * density;
    }
    let a = x.abs();
    let tail = density / (1..200).rev().fold(a, |below, k| a + f64::from(k) / below);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The density of the normal distribution.
pub(crate) fn normal_pdf(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}
