//! Element-wise mathematics: exp, tanh, erf, sin, cos and what is built from them, sixteen lanes at a time.
//!
//! The functions of the standard library are not used: their precision is unspecified and they may
//! differ between machines. These are polynomials, without branches, and the same to the last bit
//! everywhere. Coefficients were fitted for the least largest relative error (Lawson's iteration), in 40-digit arithmetic;
//! `examples/minimax.rs` finds them in f64. The errors stated were measured against f64.
//!
//! A new function is four pieces, of which `sin` is an example: the function on vectors (reduce the argument
//! to a small interval exactly, then a polynomial), a [`Lanewise`] struct with its name, which [`map`] applies to slices,
//! a test against f64 in `tests/vmath.rs`, and, if it shall be an operation, a file in `ops/`.

use super::parallel;
use super::simd::{Kernel, LANES, Simd, dispatch};
use crate::grad::Accum;

/// A function of `N` vectors, computed lane by lane.
pub trait Lanewise<const N: usize>: Copy + Sync {
    /// The function. Implementations are `#[inline(always)]`.
    fn at<S: Simd>(self, s: S, x: [S::V; N]) -> S::V;
}

/// `y[i] = f(x0[i], x1[i], ...)`, or `+=`, on one thread or several.
///
/// # Panics
/// If the lengths differ.
pub fn map<const N: usize>(f: impl Lanewise<N>, x: [&[f32]; N], y: &mut [f32], accum: Accum) {
    assert!(x.iter().all(|x| x.len() == y.len()), "map: lengths differ");
    let chunk = parallel::chunk_len();
    parallel::for_each_chunk(y, chunk, |i, y| {
        let x = x.map(|x| &x[i * chunk..i * chunk + y.len()]);
        dispatch(Map { f, x, y, accum });
    });
}

/// `x[i] = f(x[i])`, on one thread or several.
pub fn map_in_place(f: impl Lanewise<1>, x: &mut [f32]) {
    parallel::for_each_chunk(x, parallel::chunk_len(), |_, x| dispatch(InPlace { f, x }));
}

struct InPlace<'a, F> {
    f: F,
    x: &'a mut [f32],
}

impl<F: Lanewise<1>> Kernel for InPlace<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (x, tail) = self.x.as_chunks_mut::<LANES>();
        for x in x {
            s.store(self.f.at(s, [s.load(x)]), x);
        }
        let mut lanes = [0.0; LANES];
        s.store(self.f.at(s, [s.load(&padded(tail))]), &mut lanes);
        tail.copy_from_slice(&lanes[..tail.len()]);
    }
}

struct Map<'a, const N: usize, F> {
    f: F,
    x: [&'a [f32]; N],
    y: &'a mut [f32],
    accum: Accum,
}

impl<const N: usize, F: Lanewise<N>> Kernel for Map<'_, N, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { f, x, y, accum } = self;
        let whole = y.len() / LANES;
        let (y, y_tail) = y.as_chunks_mut::<LANES>();
        let tails = x.map(|x| &x[whole * LANES..]);
        let x = x.map(|x| &x.as_chunks::<LANES>().0[..whole]);
        for i in 0..whole {
            let mut value = f.at(s, x.map(|x| s.load(&x[i])));
            if accum == Accum::Add {
                value = s.add(s.load(&y[i]), value);
            }
            s.store(value, &mut y[i]);
        }
        if !y_tail.is_empty() {
            let mut value = f.at(s, tails.map(|tail| s.load(&padded(tail))));
            if accum == Accum::Add {
                value = s.add(s.load(&padded(y_tail)), value);
            }
            let mut lanes = [0.0; LANES];
            s.store(value, &mut lanes);
            y_tail.copy_from_slice(&lanes[..y_tail.len()]);
        }
    }
}

/// The end of a slice in a whole vector, zeros behind it.
#[inline(always)]
#[must_use]
pub fn padded(tail: &[f32]) -> [f32; LANES] {
    padded_with(tail, 0.0)
}

/// The end of a slice in a whole vector, with `filler` behind it.
#[inline(always)]
pub(crate) fn padded_with(tail: &[f32], filler: f32) -> [f32; LANES] {
    let mut lanes = [filler; LANES];
    lanes[..tail.len()].copy_from_slice(tail);
    lanes
}

/// e^x. Exactly 0 below -86.9 (so that no denormal number is ever made) and infinite above 88.7;
/// relative error below 1.2e-7.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    const LOWEST: f32 = -86.9;
    const HIGHEST: f32 = 88.722_84; // the logarithm of the largest f32
    // x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, so that n * (first part) is exact.
    let clamped = s.min(s.splat(HIGHEST), s.max(s.splat(LOWEST), x));
    let n = s.round(s.mul(clamped, s.splat(std::f32::consts::LOG2_E)));
    let r = s.fma(n, s.splat(-0.693_359_4), clamped);
    let r = s.fma(n, s.splat(2.121_944_4e-4), r);
    // e^r = 1 + r + r^2 p(r), p fitted on |r| <= 0.3467 to 7.5e-9
    let p = s.fma(s.splat(1.390_130_1e-3), r, s.splat(8.363_165e-3));
    let p = s.fma(p, r, s.splat(4.166_685_4e-2));
    let p = s.fma(p, r, s.splat(0.166_665_78));
    let p = s.fma(p, r, s.splat(0.5));
    let e = s.add(s.fma(s.mul(r, r), p, r), s.splat(1.0));
    // 2^n as 2 * 2^(n-1): n may be 128, which has no exponent bits of its own.
    let result = s.mul(s.add(e, e), s.pow2(s.sub(n, s.splat(1.0))));
    let result = s.if_less(x, s.splat(LOWEST), s.splat(0.0), result);
    s.if_less(s.splat(HIGHEST), x, s.splat(f32::INFINITY), result)
}

/// tanh(x), relative error below 3e-7.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    // Large: 1 - 2 / (e^(2|x|) + 1). Small, where that would cancel: x + x^3 p(x^2), fitted on |x| <= 0.625.
    let a = s.abs(x);
    let e = exp(s, s.add(a, a));
    let large = s.sub(s.splat(1.0), s.div(s.splat(2.0), s.add(e, s.splat(1.0))));
    let large = s.if_less(x, s.splat(0.0), s.sub(s.splat(0.0), large), large);
    let x2 = s.mul(x, x);
    let p = s.fma(s.splat(-6.096_888_3e-3), x2, s.splat(2.099_732_3e-2));
    let p = s.fma(p, x2, s.splat(-5.385_094_5e-2));
    let p = s.fma(p, x2, s.splat(0.133_327_71));
    let p = s.fma(p, x2, s.splat(-0.333_333_28));
    let small = s.fma(s.mul(x2, p), x, x);
    s.if_less(a, s.splat(0.625), small, large)
}

/// The normal distribution function and density at x: `(Phi(x), phi(x))`.
/// Phi has a relative error below 4e-7, in the left tail too.
#[inline(always)]
pub(crate) fn normal_cdf_pdf<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    const FRAC_1_SQRT_TAU: f32 = 0.398_942_3;
    // erfc(u) = e^(-u^2) t p(t) with t = 1 / (1 + 0.325 u), p fitted on 0 <= u <= 7 to 4e-8
    // (the form of Abramowitz & Stegun 7.1.26, with more terms); Phi(-|x|) = erfc(|x| / sqrt 2) / 2.
    let u = s.mul(s.abs(x), s.splat(std::f32::consts::FRAC_1_SQRT_2));
    let e = exp(s, s.mul(s.mul(x, x), s.splat(-0.5)));
    let t = s.div(s.splat(1.0), s.fma(s.splat(0.325), u, s.splat(1.0)));
    let p = s.fma(s.splat(-0.154_458_03), t, s.splat(0.568_823_16));
    let p = s.fma(p, t, s.splat(-0.526_372_85));
    let p = s.fma(p, t, s.splat(0.562_622_3));
    let p = s.fma(p, t, s.splat(-3.338_761_3e-2));
    let p = s.fma(p, t, s.splat(0.222_771_72));
    let p = s.fma(p, t, s.splat(0.176_190_7));
    let p = s.fma(p, t, s.splat(0.183_810_59));
    let tail = s.mul(s.mul(s.mul(p, t), s.splat(0.5)), e);
    let cdf = s.if_less(x, s.splat(0.0), tail, s.sub(s.splat(1.0), tail));
    (cdf, s.mul(e, s.splat(FRAC_1_SQRT_TAU)))
}

/// sin(x), relative error below 1.8e-7 for |x| <= 2^20, near the zeros too. NaN beyond, where neighbouring f32 are 1/16 and
/// more apart and a sine is no longer a smooth function of x.
#[inline(always)]
pub(crate) fn sin<S: Simd>(s: S, x: S::V) -> S::V {
    sin_ahead(s, x, 0.0)
}

/// cos(x), as [`sin`].
#[inline(always)]
pub(crate) fn cos<S: Simd>(s: S, x: S::V) -> S::V {
    sin_ahead(s, x, 1.0)
}

/// sin(x + ahead pi/2), for `ahead` 0 or 1.
#[inline(always)]
fn sin_ahead<S: Simd>(s: S, x: S::V, ahead: f32) -> S::V {
    const LARGEST: f32 = 1_048_576.0;
    // x = k pi/2 + r with |r| <= 0.95. pi/2 in three parts: fma does not round the product; the first difference is exact
    // too, because both terms are multiples of 2^-24 and what remains is below 1. So r is as exact near a zero of the
    // function as elsewhere.
    let k = s.round(s.mul(x, s.splat(std::f32::consts::FRAC_2_PI)));
    let r = s.fma(k, s.splat(-std::f32::consts::FRAC_PI_2), x);
    let r = s.fma(k, s.splat(4.371_139e-8), r);
    let r = s.fma(k, s.splat(1.715_124_5e-15), r);
    // sin r = r + r^3 p(r^2), p fitted on |r| <= 0.95 to 4e-11; cos r = 1 - r^2 / 2 + r^4 q(r^2), q to 9e-10
    let r2 = s.mul(r, r);
    let p = s.fma(s.splat(2.700_738_6e-6), r2, s.splat(-1.983_707_3e-4));
    let p = s.fma(p, r2, s.splat(8.333_321e-3));
    let p = s.fma(p, r2, s.splat(-0.166_666_67));
    let sin = s.fma(s.mul(r2, p), r, r);
    let q = s.fma(s.splat(2.425_995_6e-5), r2, s.splat(-1.388_547_5e-3));
    let q = s.fma(q, r2, s.splat(4.166_66e-2));
    let cos = s.fma(r2, s.fma(q, r2, s.splat(-0.5)), s.splat(1.0));
    // By quarter turns: sin r, cos r, -sin r, -cos r. With k = 2 j + odd, `odd` 0 or 1, the sign is that of (-1)^j.
    let k = s.add(k, s.splat(ahead));
    let j = s.round(s.fma(k, s.splat(0.5), s.splat(-0.25)));
    let odd = s.fma(j, s.splat(-2.0), k);
    let j_is_odd = s.abs(s.fma(s.round(s.mul(j, s.splat(0.5))), s.splat(-2.0), j));
    let y = s.if_less(odd, s.splat(0.5), sin, cos);
    let y = s.fma(s.mul(j_is_odd, s.splat(-2.0)), y, y);
    s.if_less(s.splat(LARGEST), s.abs(x), s.splat(f32::NAN), y)
}

/// exp as a [`Lanewise`] function.
#[derive(Clone, Copy, Debug)]
pub struct Exp;
impl Lanewise<1> for Exp {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        exp(s, x)
    }
}

/// tanh as a [`Lanewise`] function.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;
impl Lanewise<1> for Tanh {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        tanh(s, x)
    }
}

/// sin as a [`Lanewise`] function.
#[derive(Clone, Copy, Debug)]
pub struct Sin;
impl Lanewise<1> for Sin {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        sin(s, x)
    }
}

/// e^x of one number: the same bits as in a vector.
#[must_use]
pub fn exp_one(x: f32) -> f32 {
    one(Exp, x)
}

/// sin x of one number, as exact as in a vector: the same bits. NaN beyond 2^20.
#[must_use]
pub fn sin_one(x: f32) -> f32 {
    one(Sin, x)
}

fn one(f: impl Lanewise<1>, x: f32) -> f32 {
    let mut y = [0.0];
    map(f, [&[x]], &mut y, Accum::Replace);
    y[0]
}

/// The natural logarithm of one number, the same on every machine: -infinity at 0, NaN below.
#[must_use]
pub fn ln_one(x: f32) -> f32 {
    if x > 0.0 && x < f32::INFINITY {
        random::ln(f64::from(x)) as f32
    } else if x == 0.0 {
        f32::NEG_INFINITY
    } else if x > 0.0 {
        x
    } else {
        f32::NAN
    }
}

/// a + b as a [`Lanewise`] function.
#[derive(Clone, Copy, Debug)]
pub struct Sum;
impl Lanewise<2> for Sum {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [a, b]: [S::V; 2]) -> S::V {
        s.add(a, b)
    }
}

/// a * b as a [`Lanewise`] function.
#[derive(Clone, Copy, Debug)]
pub struct Product;
impl Lanewise<2> for Product {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [a, b]: [S::V; 2]) -> S::V {
        s.mul(a, b)
    }
}

/// `y += x`
pub fn add_assign(y: &mut [f32], x: &[f32]) {
    map(Scaled(1.0), [x], y, Accum::Add);
}

/// `x *= factor`
pub fn scale(x: &mut [f32], factor: f32) {
    map_in_place(Scaled(factor), x);
}

/// x times a constant.
#[derive(Clone, Copy, Debug)]
pub struct Scaled(pub f32);
impl Lanewise<1> for Scaled {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        s.mul(x, s.splat(self.0))
    }
}

/// The sum of squares.
#[must_use]
pub fn sum_of_squares(x: &[f32]) -> f64 {
    sum_of_products(x, x)
}

/// The sum of a b: blocks of 1024 in f32 lanes, the blocks in f64, in order.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn sum_of_products(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "sum_of_products: lengths differ");
    let chunk = parallel::chunk_len();
    let sums = parallel::collect(a.len().div_ceil(chunk), |i| {
        let part = i * chunk..a.len().min((i + 1) * chunk);
        dispatch(SumOfProducts(&a[part.clone()], &b[part]))
    });
    sums.iter().sum()
}

struct SumOfProducts<'a>(&'a [f32], &'a [f32]);

impl Kernel for SumOfProducts<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        dot_in_blocks(s, self.0, self.1)
    }
}

/// The sum of the products of two long rows: blocks of 1024 in f32 lanes, the blocks in f64, in order.
#[inline(always)]
pub(crate) fn dot_in_blocks<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f64 {
    let mut total = 0.0;
    for (a, b) in a.chunks(1024).zip(b.chunks(1024)) {
        let (a, a_tail) = a.as_chunks::<LANES>();
        let (b, b_tail) = b.as_chunks::<LANES>();
        let mut acc = s.splat(0.0);
        for (a, b) in a.iter().zip(b) {
            acc = s.fma(s.load(a), s.load(b), acc);
        }
        total += f64::from(s.sum(s.fma(s.load(&padded(a_tail)), s.load(&padded(b_tail)), acc)));
    }
    total
}
