//! The non-linear functions of feed-forward layers, each with its slope.

use super::simd::Simd;
use super::vmath::{exp, normal_cdf_pdf};

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
///
/// Computed as x / (1 + e^(-2u)), which is the same: 1 + tanh(u) would lose all digits where tanh is near -1.
#[derive(Clone, Copy, Debug)]
pub struct GeluTanh;

impl Activate for GeluTanh {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, x: S::V) -> (S::V, S::V) {
        const SQRT_2_OVER_PI: f32 = 0.797_884_6;
        const CUBE: f32 = 0.044_715; // the constant of Hendrycks & Gimpel 2016, section 2
        const SATURATED: f32 = 20.0; // here e^(2u) is 0 or infinite already, and x^2 is still finite
        let one = s.splat(1.0);
        let near = s.min(s.splat(SATURATED), s.max(s.splat(-SATURATED), x));
        let x2 = s.mul(near, near);
        let minus_2u = s.mul(s.mul(near, s.splat(-2.0 * SQRT_2_OVER_PI)), s.fma(x2, s.splat(CUBE), one));
        let e = exp(s, minus_2u);
        let h = s.div(one, s.add(one, e));
        // y = x h, h = 1 / (1 + e^-2u): y' = h + x h (1 - h) 2u', u' = sqrt(2/pi) (1 + 3c x^2)
        let du2 = s.mul(s.splat(2.0 * SQRT_2_OVER_PI), s.fma(x2, s.splat(3.0 * CUBE), one));
        // 1 - h is e h: the one loses its digits on the right, the other overflows on the left.
        let other = s.if_less(x, s.splat(0.0), s.sub(one, h), s.mul(e, h));
        let dh = s.mul(s.mul(h, other), du2);
        (s.mul(x, h), s.fma(near, dh, h))
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
