//! The nearest orthogonal matrix, roughly: the iteration of [`Muon`](super::Muon).

use tensor::kernels::gemm::{Init, Mat, gemm};
use tensor::kernels::simd::Simd;
use tensor::kernels::vmath::{self, Lanewise, Scaled};
use tensor::{Accum, AlignedVec};

/// The coefficients of a s + b s^3 + c s^5 (Jordan 2024). They were chosen for the steepest slope at zero, 3.4445: five
/// steps lift every singular value above 0.0015 into the band from 0.68 to 1.2 (three: above 0.018), and in exchange none
/// settles at 1 exactly.
const A: f32 = 3.4445;
const B: f32 = -4.7750;
const C: f32 = 2.0315;

/// Keeps the division finite where a gradient is zero.
const EPS: f64 = 1e-7;

/// Makes all singular values of a matrix `x` (rows, cols) about equal to 1: from its singular value decomposition
/// `U S V^T`, however many of `S` are near zero, about `U V^T`. Newton and Schulz's iteration does it with products
/// alone, each step an odd polynomial of the singular values:
///
/// ```text
/// x = x / |x|                                    the Frobenius norm: no singular value is above 1
/// x = a x + (b G + c G^2) x,    G = x x^T        `iters` times
/// ```
///
/// and with `G = x^T x` from the right where there are more rows than columns, so that G is the smaller of the two.
pub(super) fn orthogonalise(x: &mut [f32], rows: usize, cols: usize, iters: usize, scratch: &mut Scratch) {
    let norm = vmath::sum_of_squares(x).sqrt();
    vmath::scale(x, (1.0 / (norm + EPS)) as f32);
    let n = rows.min(cols);
    scratch.grow(rows * cols, n * n);
    let Scratch { next, gram, square, polynomial } = scratch;
    let next = &mut next[..rows * cols];
    let [gram, square, polynomial] = [gram, square, polynomial].map(|matrix| &mut matrix[..n * n]);
    for _ in 0..iters {
        let from = Mat::new(x, rows, cols);
        if rows > cols {
            gemm(gram, from.t(), from, Init::Zero);
        } else {
            gemm(gram, from, from.t(), Init::Zero);
        }
        gemm(square, Mat::new(gram, n, n), Mat::new(gram, n, n), Init::Zero);
        vmath::map(Combined, [gram, square], polynomial, Accum::Replace);
        vmath::map(Scaled(A), [x], next, Accum::Replace);
        if rows > cols {
            gemm(next, from, Mat::new(polynomial, n, n), Init::Add);
        } else {
            gemm(next, Mat::new(polynomial, n, n), from, Init::Add);
        }
        x.copy_from_slice(next);
    }
}

/// b G + c G^2, of G and its square.
#[derive(Clone, Copy)]
struct Combined;

impl Lanewise<2> for Combined {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [gram, square]: [S::V; 2]) -> S::V {
        s.fma(s.splat(C), square, s.mul(s.splat(B), gram))
    }
}

/// Memory for one matrix at a time, as large as the largest was.
#[derive(Default)]
pub(super) struct Scratch {
    next: AlignedVec,
    gram: AlignedVec,
    square: AlignedVec,
    polynomial: AlignedVec,
}

impl Scratch {
    fn grow(&mut self, elements: usize, square: usize) {
        let Self { next, gram, square: squared, polynomial } = self;
        for (matrix, len) in [(next, elements), (gram, square), (squared, square), (polynomial, square)] {
            if matrix.len() < len {
                *matrix = AlignedVec::zeros(len);
            }
        }
    }
}
