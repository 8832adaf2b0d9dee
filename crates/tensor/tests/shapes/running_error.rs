//! Numbers that carry what f32 may have cost, and the bound that follows.

use std::iter::Sum;
use std::ops::{Add, Div, Mul, Sub};
use tensor::gradcheck::TOLERANCE;

/// Half of the last place of a number near 1: what one rounding to f32 may cost, relatively.
const HALF_ULP: f64 = 1.0 / (1 << 24) as f64;
/// The errors of the kernels' exp, and of activations, in half ulps: 1.2e-7 and 6e-7 (see `vmath.rs`), rounded up.
const EXP: f64 = 3.0;
pub(crate) const ACTIVATION: f64 = 16.0;

/// A number in f64, and the error that computing it in f32 may have made, in half ulps of 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct F {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

/// An input, which is exact.
pub(crate) fn f(x: f32) -> F {
    F { value: f64::from(x), error: 0.0 }
}

/// A constant that is rounded once.
pub(crate) fn constant(value: f64) -> F {
    F { value, error: value.abs() }
}

impl F {
    /// A result of this value, which carries this error on, and is rounded.
    pub(crate) fn rounded(value: f64, error: f64) -> Self {
        Self { value, error: error + value.abs() }
    }

    pub(crate) fn exp(self) -> Self {
        let value = self.value.exp();
        Self { value, error: value * (self.error + EXP) }
    }

    pub(crate) fn ln(self) -> Self {
        Self::rounded(self.value.ln(), self.error / self.value)
    }

    pub(crate) fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        Self::rounded(value, 0.5 * self.error / value)
    }
}

impl Add for F {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Self::rounded(self.value + b.value, self.error + b.error)
    }
}

impl Sub for F {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Self::rounded(self.value - b.value, self.error + b.error)
    }
}

impl Mul for F {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        Self::rounded(self.value * b.value, self.value.abs() * b.error + b.value.abs() * self.error)
    }
}

impl Div for F {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let value = self.value / b.value;
        Self::rounded(value, (self.error + value.abs() * b.error) / b.value.abs())
    }
}

impl Sum for F {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(F::default(), |sum, term| sum + term)
    }
}

/// The first element that is further from the truth than the bound.
pub(crate) fn compare(found: &[f32], exact: &[F]) -> Result<(), String> {
    assert_eq!(found.len(), exact.len());
    let finite = |x: &&F| x.value.is_finite();
    let largest = exact.iter().filter(finite).fold(0.0_f64, |most, x| most.max(x.value.abs()));
    for (i, (&found, exact)) in found.iter().zip(exact).enumerate() {
        let bound = TOLERANCE * largest + HALF_ULP * exact.error;
        let same = f64::from(found) == exact.value; // equal infinities
        if !(same || (f64::from(found) - exact.value).abs() <= bound) {
            return Err(format!("element {i}: {found:e}, expected {:e} within {bound:e}", exact.value));
        }
    }
    Ok(())
}

/// What was computed must be within the bound of the formula.
#[track_caller]
pub(crate) fn check(what: &str, found: &[f32], exact: impl IntoIterator<Item = F>) {
    let exact: Vec<F> = exact.into_iter().collect();
    if let Err(problem) = compare(found, &exact) {
        panic!("{what}: {problem}");
    }
}

/// The sum of products of two strided rows.
pub(crate) fn dot(a: &[f32], a_step: usize, b: &[f32], b_step: usize, len: usize) -> F {
    (0..len).map(|p| f(a[p * a_step]) * f(b[p * b_step])).sum()
}
