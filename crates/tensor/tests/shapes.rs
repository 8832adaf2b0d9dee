//! The kernels on random shapes, large ones too, against their formulas in f64.
//!
//! `SHAPES=10000 cargo test --release -p tensor --test shapes` is the long run.
//!
//! `registry.rs` compares every operation with its definition, but in small: matrix products to 36 by 20 by 40,
//! rows to 40 wide, sequences to 17. For what is only reached through operations and has no larger structure
//! (element-wise functions, reshapes, dropout, `softmax` and the like inside of 40 columns) more `CASES` there
//! are enough. Here are the kernels with blocks, panels and chunks, at sizes on both sides of each of them, and
//! those that no operation calls (`matvec`, `decode`).
//!
//! **The bound** of each element is 1e-5 of the largest magnitude of the result (`gradcheck::TOLERANCE`), plus what
//! f32 costs in this very computation: [`F`] computes in f64 and carries beside each value the error that the
//! same steps could have made in f32, to first order: 2^-24 of the magnitude of every partial result, times what
//! later steps multiply it with (J. H. Wilkinson's running error analysis). For a sum of n terms that is the
//! sum of the magnitudes of its n partial sums. The kernels add in other orders, in sixteen lanes, which makes
//! their partial sums smaller. A sum that nearly cancels is thus held to its terms, and not to what is left.

use std::iter::Sum;
use std::ops::{Add, Div, Mul, Sub};
use tensor::gradcheck::{Draw, TOLERANCE};
use tensor::kernels::attention::{self, Dropout, Intervals, Problem};
use tensor::kernels::cross_entropy::{Targets, cross_entropy_backward, cross_entropy_forward};
use tensor::kernels::feed_forward::{
    Activation, WeightGrads, Weights, feed_forward_backward, feed_forward_forward,
};
use tensor::kernels::gemm::{Init, Mat, gemm};
use tensor::kernels::layer_norm::{layer_norm_backward, layer_norm_forward, layer_norm_scratch};
use tensor::kernels::rms_norm::{rms_norm_backward, rms_norm_forward, rms_norm_scratch};
use tensor::kernels::softmax::{softmax_backward, softmax_forward};
use tensor::kernels::{columns, embedding, mask, matvec, vmath};
use tensor::{Accum, Grad};

/// Half of the last place of a number near 1: what one rounding to f32 may cost, relatively.
const HALF_ULP: f64 = 1.0 / (1 << 24) as f64;
/// The errors of the kernels' exp, and of activations, in half ulps: 1.2e-7 and 6e-7 (see `vmath.rs`), rounded up.
const EXP: f64 = 3.0;
const ACTIVATION: f64 = 16.0;

/// A number in f64, and the error that computing it in f32 may have made, in half ulps of 1.
#[derive(Clone, Copy, Debug, Default)]
struct F {
    value: f64,
    error: f64,
}

/// An input, which is exact.
fn f(x: f32) -> F {
    F { value: f64::from(x), error: 0.0 }
}

/// A constant that is rounded once.
fn constant(value: f64) -> F {
    F { value, error: value.abs() }
}

impl F {
    /// A result of this value, which carries this error on, and is rounded.
    fn rounded(value: f64, error: f64) -> Self {
        Self { value, error: error + value.abs() }
    }

    fn exp(self) -> Self {
        let value = self.value.exp();
        Self { value, error: value * (self.error + EXP) }
    }

    fn ln(self) -> Self {
        Self::rounded(self.value.ln(), self.error / self.value)
    }

    fn sqrt(self) -> Self {
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
fn compare(found: &[f32], exact: &[F]) -> Result<(), String> {
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
fn check(what: &str, found: &[f32], exact: impl IntoIterator<Item = F>) {
    let exact: Vec<F> = exact.into_iter().collect();
    if let Err(problem) = compare(found, &exact) {
        panic!("{what}: {problem}");
    }
}

/// Runs a check on as many random shapes as `SHAPES` asks for. It gets the seed in words, for its messages.
fn for_each_shape(check: impl Fn(&mut Draw, &str)) {
    let shapes = std::env::var("SHAPES").map_or(100, |n| n.parse().expect("SHAPES is a number"));
    for seed in 0..shapes {
        check(&mut Draw::new(seed), &format!("seed {seed}"));
    }
}

/// From 1 to `high`: 1, a prime, a multiple of a tile or its neighbour, the end of a block or its neighbour, or
/// anything, small sizes more often.
fn size(draw: &mut Draw, high: usize) -> usize {
    const TILES: [usize; 6] = [4, 6, 12, 16, 32, 48];
    const BLOCKS: [usize; 4] = [240, 256, 512, 1024];
    let beside = |draw: &mut Draw, size: usize| size + draw.size(0, 2) - 1;
    let size = match draw.size(0, 7) {
        0 => 1,
        1 => draw.choose(&[2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 61, 67, 127, 131, 251, 257, 509, 521]),
        2 | 3 => draw.choose(&TILES) * draw.size(1, 6),
        4 => {
            let size = draw.choose(&TILES) * draw.size(1, 6);
            beside(draw, size)
        }
        5 => {
            let size = draw.choose(&BLOCKS);
            beside(draw, size)
        }
        _ => {
            let high = high >> draw.size(0, high.ilog2() as usize);
            draw.size(1, high)
        }
    };
    if size <= high { size } else { draw.size(1, high) }
}

/// Sizes up to `high` whose `cost` is at most `budget`. One time in sixteen all of them are large, and the budget
/// is sixty-four times as much: such shapes have several blocks, several chunks, and work for several threads.
fn sizes<const N: usize>(
    draw: &mut Draw,
    high: [usize; N],
    budget: usize,
    cost: impl Fn([usize; N]) -> usize,
) -> [usize; N] {
    let large = draw.size(0, 15) == 0;
    let budget = if large { 64 * budget } else { budget };
    let mut sizes = high.map(|high| if large { draw.size(high.div_ceil(8), high) } else { size(draw, high) });
    while cost(sizes) > budget {
        // Any of them, so that the others stay as they were drawn.
        let n = draw.size(0, N - 1);
        sizes[n] = sizes[n].div_ceil(2);
    }
    sizes
}

/// Uniform numbers of variance 1: drawn faster than normal ones, and there are millions.
fn values(draw: &mut Draw, len: usize) -> Vec<f32> {
    let high = 3_f32.sqrt();
    (0..len).map(|_| draw.uniform(-high, high)).collect()
}

fn accum(draw: &mut Draw) -> Accum {
    draw.choose(&[Accum::Replace, Accum::Add])
}

/// A destination for a gradient: full of NaN if it will be written, of numbers if it will be added to.
fn destination(draw: &mut Draw, len: usize, accum: Accum) -> Vec<f32> {
    if accum == Accum::Add { values(draw, len) } else { vec![f32::NAN; len] }
}

/// What a gradient is, where `before` is what the destination held.
fn written(accum: Accum, before: &[f32], gradient: impl IntoIterator<Item = F>) -> Vec<F> {
    let gradient = gradient.into_iter().zip(before);
    gradient.map(|(g, &before)| if accum == Accum::Add { f(before) + g } else { g }).collect()
}

/// The sum of products of two strided rows.
fn dot(a: &[f32], a_step: usize, b: &[f32], b_step: usize, len: usize) -> F {
    (0..len).map(|p| f(a[p * a_step]) * f(b[p * b_step])).sum()
}

#[test]
fn gemms() {
    for_each_shape(|draw, seed| {
        // Often across a block of M (240) and one of K (256) at once, which all else seldom is.
        let mut sizes = if draw.size(0, 31) == 0 {
            [draw.size(230, 500), draw.size(1, 70), draw.size(250, 520)]
        } else {
            sizes(draw, [1200; 3], 1 << 16, |[m, n, k]| m * n * k)
        };
        if draw.size(0, 40) == 0 {
            sizes[draw.size(0, 2)] = 0; // nothing to compute, or a sum of nothing
        }
        let [m, n, k] = sizes;
        let (a, b, bias) = (values(draw, m * k), values(draw, k * n), values(draw, n));
        let before = values(draw, m * n);
        // Of the large ones only one.
        let variants = if m * n * k > 1 << 16 { vec![draw.size(0, 11)] } else { (0..12).collect() };
        for variant in variants {
            let (a_transposed, b_transposed) = (variant % 2 == 1, variant / 2 % 2 == 1);
            let a_mat = if a_transposed { Mat::new(&a, k, m).t() } else { Mat::new(&a, m, k) };
            let b_mat = if b_transposed { Mat::new(&b, n, k).t() } else { Mat::new(&b, k, n) };
            let (name, init) =
                [("Zero", Init::Zero), ("Add", Init::Add), ("Bias", Init::Bias(&bias))][variant / 4];
            let mut c = if matches!(init, Init::Add) { before.clone() } else { vec![f32::NAN; m * n] };
            gemm(&mut c, a_mat, b_mat, init);
            let exact = (0..m * n).map(|at| {
                let (i, j) = (at / n, at % n);
                let start = match init {
                    Init::Zero => F::default(),
                    Init::Add => f(before[at]),
                    Init::Bias(bias) => f(bias[j]),
                };
                let (a, b) = (&a[(i * a_mat.row).min(a.len())..], &b[(j * b_mat.col).min(b.len())..]);
                start + dot(a, a_mat.col, b, b_mat.row, k)
            });
            let transposed = [a_transposed, b_transposed];
            check(&format!("{seed}: M {m}, N {n}, K {k}, transposed {transposed:?}, {name}"), &c, exact);
        }
    });
}

#[test]
fn matvecs() {
    for_each_shape(|draw, seed| {
        let [n, mut k] = sizes(draw, [4000; 2], 1 << 15, |[n, k]| n * k);
        if draw.size(0, 40) == 0 {
            k = 0;
        }
        let (w, x, bias) = (values(draw, n * k), values(draw, k), values(draw, n));
        let with_bias = draw.size(0, 1) == 1;
        let mut y = vec![f32::NAN; n];
        matvec::matvec(&w, &x, with_bias.then_some(&bias), &mut y);
        let exact = (0..n).map(|i| {
            let product = dot(&w[i * k..], 1, &x, 1, k);
            if with_bias { product + f(bias[i]) } else { product }
        });
        check(&format!("{seed}: N {n}, K {k}, bias {with_bias}"), &y, exact);
    });
}

/// Rows whose elements are numbers around `offset`, and their shape.
fn rows(draw: &mut Draw, offset: f32) -> (usize, usize, Vec<f32>) {
    let [rows, width] = sizes(draw, [600, 4000], 1 << 13, |[rows, width]| rows * width);
    let x = values(draw, rows * width).into_iter().map(|x| x + offset).collect();
    (rows, width, x)
}

/// The mean of x, and xhat and 1 / sqrt(variance + eps), as `kernels/layer_norm.rs` computes them: its mean is
/// rounded, and then corrected by the mean of what is left, so that no error of the mean remains.
fn normalised(x: &[f32], eps: f32) -> (F, Vec<F>, F) {
    let n = x.len() as f64;
    let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let exact_mean = F { value: mean, error: 0.0 };
    // x - mean is rounded, and so is the correction.
    let twice = |d: F| F { error: 2.0 * d.error, ..d };
    let d: Vec<F> = x.iter().map(|&x| twice(f(x) - exact_mean)).collect();
    let variance = d.iter().map(|&d| d * d).sum::<F>() / F { value: n, error: 0.0 };
    let rstd = F { value: 1.0, error: 0.0 } / (variance + f(eps)).sqrt();
    let summed: F = x.iter().map(|&x| f(x)).sum();
    (summed / F { value: n, error: 0.0 }, d.iter().map(|&d| d * rstd).collect(), rstd)
}

fn mean(terms: impl ExactSizeIterator<Item = F>) -> F {
    let n = terms.len() as f64;
    terms.sum::<F>() / F { value: n, error: 0.0 }
}

#[test]
fn layer_norms() {
    for_each_shape(|draw, seed| {
        let offset = draw.choose(&[0.0, 0.0, 3.0, 1000.0]);
        let eps = draw.choose(&[1e-5, 1e-2]);
        let (rows, width, x) = rows(draw, offset);
        let what = format!("{seed}: {rows} rows of {width} around {offset}, eps {eps}");
        let (weight, bias) = (values(draw, width), values(draw, width));
        let bias = (draw.size(0, 1) == 1).then_some(&bias[..]);
        let [mut y, mut mean_of, mut rstd_of] = [rows * width, rows, rows].map(|len| vec![f32::NAN; len]);
        layer_norm_forward(&x, &weight, bias, eps, &mut y, &mut mean_of, &mut rstd_of);
        let normalised: Vec<_> = x.chunks(width).map(|x| normalised(x, eps)).collect();
        check(&format!("{what}: mean"), &mean_of, normalised.iter().map(|(mean, ..)| *mean));
        check(&format!("{what}: rstd"), &rstd_of, normalised.iter().map(|(.., rstd)| *rstd));
        let exact = normalised.iter().flat_map(|(_, xhat, _)| {
            let scaled = xhat.iter().zip(&weight).map(|(&xhat, &w)| xhat * f(w));
            scaled.enumerate().map(|(j, y)| bias.map_or(y, |bias| y + f(bias[j])))
        });
        check(&format!("{what}: y"), &y, exact);

        let dy = values(draw, rows * width);
        let accum = accum(draw);
        let before = [rows * width, width, width].map(|len| destination(draw, len, accum));
        let [mut dx, mut dweight, mut dbias] = before.clone();
        let wanted = [draw.size(0, 3) > 0, draw.size(0, 3) > 0, draw.size(0, 3) > 0];
        let mut scratch = vec![f32::NAN; layer_norm_scratch(rows, width)];
        layer_norm_backward(
            &x,
            &weight,
            (&mean_of, &rstd_of),
            &dy,
            wanted[0].then_some(&mut Grad { to: &mut dx, accum }),
            wanted[1].then_some(&mut Grad { to: &mut dweight, accum }),
            wanted[2].then_some(&mut Grad { to: &mut dbias, accum }),
            &mut scratch,
        );
        let what = format!("{what}, {accum:?}");
        if wanted[0] {
            let exact = normalised.iter().zip(dy.chunks(width)).flat_map(|((_, xhat, rstd), dy)| {
                let g: Vec<F> = dy.iter().zip(&weight).map(|(&dy, &w)| f(dy) * f(w)).collect();
                let g_mean = mean(g.iter().copied());
                let gx_mean = mean(g.iter().zip(xhat).map(|(&g, &xhat)| g * xhat));
                let dx = g.into_iter().zip(xhat);
                dx.map(|(g, &xhat)| *rstd * (g - g_mean - xhat * gx_mean)).collect::<Vec<_>>()
            });
            check(&format!("{what}: dx"), &dx, written(accum, &before[0], exact));
        }
        let column = |j: usize| dy.iter().skip(j).step_by(width).map(|&dy| f(dy));
        if wanted[1] {
            let exact =
                (0..width).map(|j| column(j).zip(&normalised).map(|(dy, (_, xhat, _))| dy * xhat[j]).sum());
            check(&format!("{what}: dweight"), &dweight, written(accum, &before[1], exact));
        }
        if wanted[2] {
            let exact = (0..width).map(|j| column(j).sum());
            check(&format!("{what}: dbias"), &dbias, written(accum, &before[2], exact));
        }
    });
}

#[test]
fn rms_norms() {
    for_each_shape(|draw, seed| {
        let eps = draw.choose(&[1e-5, 1e-2]);
        let (rows, width, x) = rows(draw, 0.0);
        let what = format!("{seed}: {rows} rows of {width}, eps {eps}");
        let weight = values(draw, width);
        let [mut y, mut rstd_of] = [rows * width, rows].map(|len| vec![f32::NAN; len]);
        rms_norm_forward(&x, &weight, eps, &mut y, &mut rstd_of);
        let rstd: Vec<F> = x
            .chunks(width)
            .map(|x| {
                let squares = mean(x.iter().map(|&x| f(x) * f(x)));
                F { value: 1.0, error: 0.0 } / (squares + f(eps)).sqrt()
            })
            .collect();
        check(&format!("{what}: rstd"), &rstd_of, rstd.iter().copied());
        let exact = (0..rows * width).map(|i| f(x[i]) * rstd[i / width] * f(weight[i % width]));
        check(&format!("{what}: y"), &y, exact);

        let dy = values(draw, rows * width);
        let accum = accum(draw);
        let before = [rows * width, width].map(|len| destination(draw, len, accum));
        let [mut dx, mut dweight] = before.clone();
        let wanted = [draw.size(0, 3) > 0, draw.size(0, 3) > 0];
        let mut scratch = vec![f32::NAN; rms_norm_scratch(rows, width)];
        rms_norm_backward(
            &x,
            &weight,
            &rstd_of,
            &dy,
            wanted[0].then_some(&mut Grad { to: &mut dx, accum }),
            wanted[1].then_some(&mut Grad { to: &mut dweight, accum }),
            &mut scratch,
        );
        let what = format!("{what}, {accum:?}");
        let xhat = |i: usize| f(x[i]) * rstd[i / width];
        if wanted[0] {
            let g = |i: usize| f(dy[i]) * f(weight[i % width]);
            let row_mean = |row: usize| mean((row * width..(row + 1) * width).map(|i| g(i) * xhat(i)));
            let means: Vec<F> = (0..rows).map(row_mean).collect();
            let exact = (0..rows * width).map(|i| rstd[i / width] * (g(i) - xhat(i) * means[i / width]));
            check(&format!("{what}: dx"), &dx, written(accum, &before[0], exact));
        }
        if wanted[1] {
            let column = |j: usize| (0..rows).map(|i| f(dy[i * width + j]) * xhat(i * width + j)).sum();
            check(&format!("{what}: dweight"), &dweight, written(accum, &before[1], (0..width).map(column)));
        }
    });
}

/// The largest element of a row, and the sum of e^(z - largest).
fn max_and_sum(z: &[f32]) -> (F, F) {
    let max = f(z.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    (max, z.iter().map(|&z| (f(z) - max).exp()).sum())
}

#[test]
fn softmaxes() {
    for_each_shape(|draw, seed| {
        let (rows, width, mut z) = rows(draw, 0.0);
        let spread = draw.choose(&[0.1, 1.0, 10.0]);
        z.iter_mut().for_each(|z| *z *= spread);
        let what = format!("{seed}: {rows} rows of {width}, spread {spread}");
        let mut y = vec![f32::NAN; z.len()];
        softmax_forward(&z, width, &mut y);
        let exact = z.chunks(width).flat_map(|row| {
            let (max, sum) = max_and_sum(row);
            row.iter().map(move |&z| (f(z) - max).exp() / sum)
        });
        check(&format!("{what}: y"), &y, exact);

        let (dy, accum) = (values(draw, z.len()), accum(draw));
        let before = destination(draw, z.len(), accum);
        let mut dz = before.clone();
        softmax_backward(&y, &dy, width, &mut dz, accum);
        let exact = y.chunks(width).zip(dy.chunks(width)).flat_map(|(y, dy)| {
            let mean = dot(y, 1, dy, 1, width);
            y.iter().zip(dy).map(move |(&y, &dy)| f(y) * (f(dy) - mean))
        });
        check(&format!("{what}, {accum:?}: dz"), &dz, written(accum, &before, exact));
    });
}

#[test]
fn cross_entropies() {
    for_each_shape(|draw, seed| {
        let (rows, width, logits) = rows(draw, 0.0);
        let what = format!("{seed}: {rows} rows of {width}");
        let weights: Vec<f32> = (0..rows).map(|_| draw.choose(&[0.0, 0.3, 1.0, 1.0, 2.5])).collect();
        // The targets of rows that do not count may be anything.
        let ids: Vec<u32> = weights
            .iter()
            .map(|&w| if w == 0.0 { u32::MAX } else { draw.size(0, width - 1) as u32 })
            .collect();
        let total_weight: f32 = weights.iter().sum();
        let targets = Targets { ids: &ids, weights: &weights, total_weight };
        let (mut max, mut sum) = (vec![f32::NAN; rows], vec![f32::NAN; rows]);
        let loss = cross_entropy_forward(&logits, width, targets, &mut max, &mut sum);
        let statistics: Vec<(F, F)> = logits.chunks(width).map(max_and_sum).collect();
        let terms = (0..rows).filter(|&i| weights[i] != 0.0).map(|i| {
            let (max, sum) = statistics[i];
            f(weights[i]) * (max - f(logits[i * width + ids[i] as usize]) + sum.ln())
        });
        let exact = if total_weight == 0.0 { F::default() } else { terms.sum::<F>() / f(total_weight) };
        check(&format!("{what}: loss"), &[loss], [exact]);
        for i in (0..rows).filter(|&i| weights[i] != 0.0) {
            check(
                &format!("{what}: max and sum of row {i}"),
                &[max[i], sum[i]],
                <[F; 2]>::from(statistics[i]),
            );
        }

        let (dy, accum) = (draw.uniform(-1.0, 1.0), accum(draw));
        let before = destination(draw, logits.len(), accum);
        let mut dlogits = before.clone();
        cross_entropy_backward(
            &logits,
            width,
            targets,
            (&max, &sum),
            dy,
            &mut Grad { to: &mut dlogits, accum },
        );
        let exact = (0..logits.len()).map(|at| {
            let (i, j) = (at / width, at % width);
            if weights[i] == 0.0 {
                return F::default();
            }
            let (max, sum) = statistics[i];
            let scale = f(dy) / f(total_weight) * f(weights[i]);
            let p = scale * (f(logits[at]) - max).exp() / sum;
            if j == ids[i] as usize { p - scale } else { p }
        });
        check(&format!("{what}, {accum:?}: dlogits"), &dlogits, written(accum, &before, exact));
        let ignored = (0..logits.len()).filter(|at| weights[at / width] == 0.0);
        for at in ignored {
            let untouched = if accum == Accum::Add { before[at] } else { 0.0 };
            assert!(dlogits[at] == untouched, "{what}: a gradient in an ignored row");
        }
    });
}

/// Intervals of keys at random: those of the training modes, and any ends at all, empty ones too.
fn intervals(draw: &mut Draw, batch: usize, time: usize) -> Intervals {
    match draw.size(0, 5) {
        0 => Intervals::causal(time),
        1 => Intervals::bidirectional(time, draw.size(1, time)),
        2 => Intervals::sliding_window(time, draw.size(1, time)),
        kind => {
            let count = if kind == 3 { time } else { batch * time };
            let ends = |draw: &mut Draw| (0..count).map(|_| draw.size(0, time) as u32).collect();
            Intervals::new(ends(draw), ends(draw), time)
        }
    }
}

#[test]
fn attentions() {
    for_each_shape(|draw, seed| {
        let [time, head_size, n_head, batch] =
            sizes(draw, [560, 80, 3, 3], 1 << 15, |[time, head_size, n_head, batch]| {
                time * time * head_size * n_head * batch
            });
        let intervals = intervals(draw, batch, time);
        let dropout = (draw.size(0, 3) == 0).then(|| Dropout { p: 0.3, seed: draw.seed() });
        let what = format!("{seed}: B {batch}, T {time}, NH {n_head}, hs {head_size}, {dropout:?}");
        let (rows, c) = (batch * time, n_head * head_size);
        let qkv = values(draw, rows * 3 * c);
        let p = Problem { qkv: &qkv, batch, time, n_head, head_size, intervals: &intervals, dropout };
        let (mut y, mut lse) = (vec![f32::NAN; rows * c], vec![f32::NAN; rows * n_head]);
        attention::forward(&p, &mut y, &mut lse);
        let (dy, accum) = (values(draw, rows * c), accum(draw));
        let before = destination(draw, qkv.len(), accum);
        let mut dqkv = before.clone();
        attention::backward(&p, &y, &lse, &dy, &mut Grad { to: &mut dqkv, accum });

        let scale = constant(1.0 / (head_size as f64).sqrt());
        let at =
            |b: usize, t: usize, which: usize, h: usize| (b * time + t) * 3 * c + which * c + h * head_size;
        let (mut exact_y, mut exact_d) = (vec![F::default(); y.len()], vec![F::default(); qkv.len()]);
        let mut exact_lse = vec![F { value: f64::NEG_INFINITY, error: 0.0 }; lse.len()];
        for (b, h, i) in
            (0..batch).flat_map(|b| (0..n_head).flat_map(move |h| (0..time).map(move |i| (b, h, i))))
        {
            let keys = intervals.row(b, i);
            if keys.is_empty() {
                continue;
            }
            let row = |t: usize, which: usize| &qkv[at(b, t, which, h)..][..head_size];
            let scores: Vec<F> =
                keys.clone().map(|j| dot(row(i, 0), 1, row(j, 1), 1, head_size) * scale).collect();
            let max = scores.iter().fold(f64::NEG_INFINITY, |max, s| max.max(s.value));
            let max = F { value: max, error: 0.0 };
            let weights: Vec<F> = scores.iter().map(|&s| (s - max).exp()).collect();
            let sum: F = weights.iter().copied().sum();
            exact_lse[(b * n_head + h) * time + i] = max + sum.ln();
            let mut factors = vec![1.0; keys.len()];
            if let Some(dropout) = dropout {
                let first = ((b * n_head + h) * time + i) * time + keys.start;
                mask::apply(dropout.p, dropout.seed, first as u64, &mut factors);
            }
            let of_y = (b * time + i) * c + h * head_size;
            let (y, dy) = (&mut exact_y[of_y..][..head_size], &dy[of_y..][..head_size]);
            let probabilities: Vec<F> = weights.iter().map(|&w| w / sum).collect();
            for (n, j) in keys.clone().enumerate() {
                let p = probabilities[n] * f(factors[n]);
                y.iter_mut().zip(row(j, 2)).for_each(|(y, &v)| *y = *y + p * f(v));
            }
            let dp: Vec<F> = keys
                .clone()
                .zip(&factors)
                .map(|(j, &factor)| dot(dy, 1, row(j, 2), 1, head_size) * f(factor))
                .collect();
            let mean: F = y.iter().zip(dy).map(|(&y, &dy)| y * f(dy)).sum();
            for (n, j) in keys.enumerate() {
                let ds = probabilities[n] * (dp[n] - mean) * scale;
                let p = probabilities[n] * f(factors[n]);
                for x in 0..head_size {
                    let (dq, dk, dv) = (at(b, i, 0, h) + x, at(b, j, 1, h) + x, at(b, j, 2, h) + x);
                    exact_d[dq] = exact_d[dq] + ds * f(row(j, 1)[x]);
                    exact_d[dk] = exact_d[dk] + ds * f(row(i, 0)[x]);
                    exact_d[dv] = exact_d[dv] + p * f(dy[x]);
                }
            }
        }
        check(&format!("{what}: y"), &y, exact_y);
        check(&format!("{what}: lse"), &lse, exact_lse);
        check(&format!("{what}, {accum:?}: dqkv"), &dqkv, written(accum, &before, exact_d));
    });
}

#[test]
fn decodes() {
    for_each_shape(|draw, seed| {
        let [len, head_size, n_head] =
            sizes(draw, [2000, 128, 12], 1 << 13, |[len, head_size, n_head]| len * head_size * n_head);
        let c = n_head * head_size;
        let (q, k, v) = (values(draw, c), values(draw, len * c), values(draw, len * c));
        let mut y = vec![f32::NAN; c];
        attention::decode(&q, &k, &v, n_head, &mut y);
        let scale = constant(1.0 / (head_size as f64).sqrt());
        let exact = (0..n_head).flat_map(|h| {
            let q = &q[h * head_size..];
            let scores: Vec<F> =
                (0..len).map(|j| dot(q, 1, &k[j * c + h * head_size..], 1, head_size) * scale).collect();
            let max = scores.iter().fold(f64::NEG_INFINITY, |max, s| max.max(s.value));
            let weights: Vec<F> = scores.iter().map(|&s| (s - F { value: max, error: 0.0 }).exp()).collect();
            let sum: F = weights.iter().copied().sum();
            let v = &v;
            (h * head_size..(h + 1) * head_size)
                .map(move |x| (0..len).map(|j| weights[j] / sum * f(v[j * c + x])).sum())
        });
        check(&format!("{seed}: {len} keys, NH {n_head}, hs {head_size}"), &y, exact);
    });
}

/// Phi(x): the series around zero, and Laplace's continued fraction in the tails.
fn normal_cdf(x: f64) -> f64 {
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
    let tail = density / (1..60).rev().fold(a, |below, k| a + f64::from(k) / below);
    if x < 0.0 { tail } else { 1.0 - tail }
}

fn normal_pdf(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// The value of an activation and its slope (for SwiGLU: of its gate). The error of x goes on with the slope's
/// magnitude; that of the slope itself with at most 2, which no second derivative here exceeds.
fn activation(kind: Activation, x: F) -> (F, F) {
    let F { value: v, error } = x;
    let (y, slope) = match kind {
        Activation::Gelu => (v * normal_cdf(v), normal_cdf(v) + v * normal_pdf(v)),
        Activation::GeluTanh => {
            let c = (2.0 / std::f64::consts::PI).sqrt();
            let t = (c * (v + 0.044_715 * v.powi(3))).tanh();
            let du = c * (1.0 + 3.0 * 0.044_715 * v * v);
            (0.5 * v * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * du)
        }
        Activation::Relu2 => (v.max(0.0).powi(2), 2.0 * v.max(0.0)),
        Activation::SwiGlu => {
            let q = 1.0 / (1.0 + (-v).exp());
            (v * q, q + v * q * (1.0 - q))
        }
    };
    let of_value = slope.abs() * error + ACTIVATION * y.abs();
    let of_slope = 2.0 * error + ACTIVATION * slope.abs().max(1.0);
    (F { value: y, error: of_value }, F { value: slope, error: of_slope })
}

/// The product of two row-major matrices, each transposed or not: (rows, columns) from a sum over `depth`.
fn product(
    [rows, columns, depth]: [usize; 3],
    a: impl Fn(usize, usize) -> F,
    b: impl Fn(usize, usize) -> F,
) -> Vec<F> {
    (0..rows * columns).map(|at| (0..depth).map(|p| a(at / columns, p) * b(p, at % columns)).sum()).collect()
}

#[test]
fn feed_forwards() {
    for_each_shape(|draw, seed| {
        let kind =
            draw.choose(&[Activation::Gelu, Activation::GeluTanh, Activation::Relu2, Activation::SwiGlu]);
        let fan = kind.fan();
        let [rows, c, hidden, n] =
            sizes(draw, [300, 300, 600, 300], 1 << 14, |[rows, c, f, n]| rows * f * (fan * c + n));
        let inner = fan * hidden;
        let what = format!("{seed}: {kind:?}, {rows} rows, C {c}, F {hidden}, N {n}");
        let (x, dy) = (values(draw, rows * c), values(draw, rows * n));
        let scaled = |draw: &mut Draw, len: usize, terms: usize| -> Vec<f32> {
            let scale = 1.0 / (terms as f32).sqrt();
            values(draw, len).into_iter().map(|w| w * scale).collect()
        };
        let (w1, w2) = (scaled(draw, inner * c, c), scaled(draw, n * hidden, hidden));
        let (b1, b2) = (values(draw, inner), values(draw, n));
        let with_bias = draw.size(0, 1) == 1;
        let weights = Weights {
            c_fc: &w1,
            c_fc_bias: with_bias.then_some(&b1[..]),
            c_proj: &w2,
            c_proj_bias: with_bias.then_some(&b2[..]),
            hidden,
            activation: kind,
        };
        let [mut h, mut a, mut y] = [rows * inner, rows * hidden, rows * n].map(|len| vec![f32::NAN; len]);
        feed_forward_forward(Mat::new(&x, rows, c), &weights, &mut h, &mut a, &mut y);
        let accum = accum(draw);
        let before = [rows * c, inner * c, inner, n * hidden, n].map(|len| destination(draw, len, accum));
        let [mut dx, mut dw1, mut db1, mut dw2, mut db2] = before.clone();
        let [mut a_again, mut dh] = [rows * hidden, rows * inner].map(|len| vec![f32::NAN; len]);
        let grads = WeightGrads {
            c_fc: Some(&mut Grad { to: &mut dw1, accum }),
            c_fc_bias: Some(&mut Grad { to: &mut db1, accum }),
            c_proj: Some(&mut Grad { to: &mut dw2, accum }),
            c_proj_bias: Some(&mut Grad { to: &mut db2, accum }),
        };
        let to_dx = &mut Grad { to: &mut dx, accum };
        feed_forward_backward(
            Mat::new(&x, rows, c),
            &weights,
            &h,
            &dy,
            &mut a_again,
            &mut dh,
            Some(to_dx),
            grads,
        );

        // h = x W1^T + b1, a = f(h), y = a W2^T + b2
        let add_bias = |to: &mut [F], bias: &[f32]| {
            if with_bias {
                let width = bias.len();
                to.iter_mut().enumerate().for_each(|(i, to)| *to = *to + f(bias[i % width]));
            }
        };
        let mut exact_h = product([rows, inner, c], |i, p| f(x[i * c + p]), |p, j| f(w1[j * c + p]));
        add_bias(&mut exact_h, &b1);
        // Each element of a with its derivatives by the one or two elements of h that it comes from.
        let activated: Vec<(F, F, F)> = (0..rows * hidden)
            .map(|at| {
                let h = &exact_h[at / hidden * inner..];
                let (value, slope) = activation(kind, h[at % hidden]);
                if fan == 1 {
                    return (value, slope, F::default());
                }
                let up = h[hidden + at % hidden];
                (value * up, slope * up, value)
            })
            .collect();
        let mut exact_y =
            product([rows, n, hidden], |i, p| activated[i * hidden + p].0, |p, j| f(w2[j * hidden + p]));
        add_bias(&mut exact_y, &b2);
        check(&format!("{what}: y"), &y, exact_y);
        let da = product([rows, hidden, n], |i, p| f(dy[i * n + p]), |p, j| f(w2[p * hidden + j]));
        let dh: Vec<F> = (0..rows * inner)
            .map(|at| {
                let at_a = at / inner * hidden + at % inner % hidden;
                let (_, by_first, by_second) = activated[at_a];
                da[at_a] * if at % inner < hidden { by_first } else { by_second }
            })
            .collect();
        let what = format!("{what}, {accum:?}");
        let exact = product([rows, c, inner], |i, p| dh[i * inner + p], |p, j| f(w1[p * c + j]));
        check(&format!("{what}: dx"), &dx, written(accum, &before[0], exact));
        let exact = product([inner, c, rows], |i, p| dh[p * inner + i], |p, j| f(x[p * c + j]));
        check(&format!("{what}: dW1"), &dw1, written(accum, &before[1], exact));
        let exact = (0..inner).map(|j| (0..rows).map(|i| dh[i * inner + j]).sum());
        check(&format!("{what}: db1"), &db1, written(accum, &before[2], exact));
        let exact = product([n, hidden, rows], |i, p| f(dy[p * n + i]), |p, j| activated[p * hidden + j].0);
        check(&format!("{what}: dW2"), &dw2, written(accum, &before[3], exact));
        let exact = (0..n).map(|j| (0..rows).map(|i| f(dy[i * n + j])).sum());
        check(&format!("{what}: db2"), &db2, written(accum, &before[4], exact));
    });
}

#[test]
fn embeddings() {
    for_each_shape(|draw, seed| {
        let [count, width, table_rows] =
            sizes(draw, [2000, 600, 600], 1 << 13, |[count, width, table_rows]| (count + table_rows) * width);
        let period = draw.size(1, count);
        let what = format!("{seed}: {count} of {table_rows} rows of {width}, period {period}");
        // Few different ones, or any: long groups and empty ones.
        let highest = if draw.size(0, 1) == 0 { table_rows.min(3) } else { table_rows } - 1;
        let ids: Vec<u32> = (0..count).map(|_| draw.size(0, highest) as u32).collect();
        let (table, positions) = (values(draw, table_rows * width), values(draw, period * width));
        let element = |at: usize| table[ids[at / width] as usize * width + at % width];
        let mut y = vec![f32::NAN; count * width];
        embedding::gather_rows(&table, &ids, width, &mut y);
        assert!((0..y.len()).all(|at| y[at] == element(at)), "{what}: gather_rows");
        y.fill(f32::NAN);
        embedding::gather_rows_with_positions(&table, &positions, &ids, period, width, &mut y);
        let position = |at: usize| positions[at / width % period * width + at % width];
        let right = (0..y.len()).all(|at| y[at] == element(at) + position(at));
        assert!(right, "{what}: gather_rows_with_positions");

        let (dy, accum) = (values(draw, count * width), accum(draw));
        let before = destination(draw, table.len(), accum);
        let mut dtable = before.clone();
        embedding::scatter_rows(&dy, ids.iter().copied(), width, &mut Grad { to: &mut dtable, accum });
        let mut exact = vec![F::default(); table.len()];
        for (row, &id) in ids.iter().enumerate() {
            for j in 0..width {
                let to = &mut exact[id as usize * width + j];
                *to = *to + f(dy[row * width + j]);
            }
        }
        check(&format!("{what}, {accum:?}: scatter_rows"), &dtable, written(accum, &before, exact));
    });
}

#[test]
fn sums_of_rows() {
    for_each_shape(|draw, seed| {
        let (rows, width, dy) = rows(draw, 0.0);
        let accum = accum(draw);
        let before = destination(draw, width, accum);
        let mut db = before.clone();
        columns::sum_rows(&dy, &mut Grad { to: &mut db, accum });
        let exact = (0..width).map(|j| (0..rows).map(|i| f(dy[i * width + j])).sum());
        check(&format!("{seed}: {rows} rows of {width}, {accum:?}"), &db, written(accum, &before, exact));
    });
}

#[test]
fn elementwise() {
    for_each_shape(|draw, seed| {
        // Chunks have 16,384 elements.
        let len =
            if draw.size(0, 3) == 0 { 16_384 * draw.size(0, 3) + draw.size(0, 40) } else { size(draw, 5000) };
        let (a, b, accum) = (values(draw, len), values(draw, len), accum(draw));
        let before = destination(draw, len, accum);
        let what = format!("{seed}: {len} elements, {accum:?}");
        let mut y = before.clone();
        vmath::map(vmath::Exp, [&a], &mut y, accum);
        check(&format!("{what}: exp"), &y, written(accum, &before, a.iter().map(|&a| f(a).exp())));
        let mut y = before.clone();
        vmath::map(vmath::Product, [&a, &b], &mut y, accum);
        let exact = a.iter().zip(&b).map(|(&a, &b)| f(a) * f(b));
        check(&format!("{what}: product"), &y, written(accum, &before, exact));
        let mut y = b.clone();
        vmath::add_assign(&mut y, &a);
        assert!(y.iter().zip(&a).zip(&b).all(|((y, a), b)| *y == b + a), "{what}: add_assign");
        let mut y = a.clone();
        vmath::scale(&mut y, 0.3);
        assert!(y.iter().zip(&a).all(|(y, a)| *y == 0.3 * a), "{what}: scale");
        let sum = vmath::sum_of_squares(&a) as f32;
        check(&format!("{what}: sum_of_squares"), &[sum], [a.iter().map(|&a| f(a) * f(a)).sum()]);
    });
}

/// The bound is narrow enough: a sum without its last term, and a product with one wrong row, are noticed.
#[test]
fn a_forgotten_term_is_noticed() {
    for_each_shape(|draw, seed| {
        let [m, n, k] = [draw.size(4, 40), draw.size(4, 40), size(draw, 600)];
        let (a, b) = (values(draw, m * k), values(draw, k * n));
        let exact: Vec<F> = (0..m * n).map(|at| dot(&a[at / n * k..], 1, &b[at % n..], n, k)).collect();
        let mut c = vec![f32::NAN; m * n];
        gemm(&mut c, Mat::new(&a, m, k), Mat::new(&b, k, n), Init::Zero);
        let what = format!("{seed}: M {m}, N {n}, K {k}");
        compare(&c, &exact).unwrap_or_else(|problem| panic!("{what}: {problem}"));
        let shorter = Mat { cols: k - 1, ..Mat::new(&a, m, k) };
        gemm(&mut c, shorter, Mat::new(&b[..(k - 1) * n], k - 1, n), Init::Zero);
        assert!(compare(&c, &exact).is_err(), "{what}: without the last term");
        let mut not_a_number: Vec<f32> = exact.iter().map(|x| x.value as f32).collect();
        not_a_number[m * n - 1] = f32::NAN;
        assert!(compare(&not_a_number, &exact).is_err(), "{what}: with a NaN");
    });
}
