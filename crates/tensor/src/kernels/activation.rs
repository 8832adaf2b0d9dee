//! The non-linear functions of feed-forward layers, each with its slope.

use super::simd::Simd;
use super::vmath::{exp, normal_cdf_pdf, tanh};

/// A function of one variable and its derivative, sixteen lanes at a time. Whoever needs only one of the
/// two does not pay for the other: what is not used is not compiled.
pub trait Activate: Copy + Sync {
    /// `(f(x), f'(x))`. Implementations are `#[inline(always)]`.
    fn at<S: Simd>(self, s: S, x: S::V) -> (S::V, S::V);
}

/// GELU(x) = x Phi(x) (Hendrycks & Gimpel 2016), with the exact normal distribution function.
#[derive(Clone, Copy, Debug)]
pub struct Gelu;

impl Activate for Gelu {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, x: S::V) -> (S::V, S::V) {
        let (cdf, pdf) = normal_cdf_pdf(s, x);
        // (x Phi)' = Phi + x phi
        (s.mul(x, cdf), s.fma(x, pdf, cdf))
    }
}

/// GPT-2's approximation of GELU: x (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3).
#[derive(Clone, Copy, Debug)]
pub struct GeluTanh;

impl Activate for GeluTanh {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, x: S::V) -> (S::V, S::V) {
        const SQRT_2_OVER_PI: f32 = 0.797_884_6;
        const CUBE: f32 = 0.044_715; // the constant of Hendrycks & Gimpel 2016, section 2
        let x2 = s.mul(x, x);
        let u = s.mul(s.mul(x, s.splat(SQRT_2_OVER_PI)), s.fma(x2, s.splat(CUBE), s.splat(1.0)));
        let t = tanh(s, u);
        let half = s.fma(t, s.splat(0.5), s.splat(0.5));
        // y = x h, h = (1 + tanh u) / 2: y' = h + x (1 - tanh^2 u) / 2 * u', u' = sqrt(2/pi) (1 + 3c x^2)
        let du = s.mul(s.splat(SQRT_2_OVER_PI), s.fma(x2, s.splat(3.0 * CUBE), s.splat(1.0)));
        let sech2 = s.fma(s.sub(s.splat(0.0), t), t, s.splat(1.0));
        let slope = s.fma(s.mul(s.mul(x, s.splat(0.5)), sech2), du, half);
        (s.mul(x, half), slope)
    }
}

/// ReLU^2(x) = max(x, 0)^2 (So et al. 2021, Primer).
#[derive(Clone, Copy, Debug)]
pub struct Relu2;

impl Activate for Relu2 {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, x: S::V) -> (S::V, S::V) {
        let r = s.max(s.splat(0.0), x); // in this order a NaN stays
        (s.mul(r, r), s.add(r, r))
    }
}

/// SiLU(x) = x / (1 + e^-x), the gate of SwiGLU (Shazeer 2020).
#[derive(Clone, Copy, Debug)]
pub struct Silu;

impl Activate for Silu {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, x: S::V) -> (S::V, S::V) {
        let one = s.splat(1.0);
        let sigmoid = s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x))));
        // (x q)' = q + x q (1 - q), q = sigmoid
        let slope = s.mul(sigmoid, s.fma(x, s.sub(one, sigmoid), one));
        (s.mul(x, sigmoid), slope)
    }
}
