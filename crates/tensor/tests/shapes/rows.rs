//! Kernels that reduce rows or columns.

use super::random::{accum, destination, for_each_shape, sizes, values, written};
use super::running_error::{F, check, dot, f};
use tensor::gradcheck::Draw;
use tensor::kernels::columns;
use tensor::kernels::cross_entropy::{Regularizer, Targets, cross_entropy_backward, cross_entropy_forward};
use tensor::kernels::layer_norm::{layer_norm_backward, layer_norm_forward, layer_norm_scratch};
use tensor::kernels::rms_norm::{rms_norm_backward, rms_norm_forward, rms_norm_scratch};
use tensor::kernels::softmax::{softmax_backward, softmax_forward};
use tensor::{Accum, Grad};

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
        let targets = Targets { ids: &ids, weights: &weights, total_weight, regularizer: Regularizer::NONE };
        let (mut max, mut rest) = (vec![f32::NAN; rows], vec![f32::NAN; rows]);
        let loss = cross_entropy_forward(&logits, width, targets, &mut max, &mut rest);
        let statistics: Vec<(F, F)> = logits.chunks(width).map(max_and_sum).collect();
        let terms = (0..rows).filter(|&i| weights[i] != 0.0).map(|i| {
            let (max, sum) = statistics[i];
            f(weights[i]) * (max - f(logits[i * width + ids[i] as usize]) + sum.ln())
        });
        let exact = if total_weight == 0.0 { F::default() } else { terms.sum::<F>() / f(total_weight) };
        check(&format!("{what}: loss"), &[loss], [exact]);
        for i in (0..rows).filter(|&i| weights[i] != 0.0) {
            let (exact_max, sum) = statistics[i];
            check(
                &format!("{what}: max of row {i}, and its sum less one"),
                &[max[i], rest[i]],
                [exact_max, sum - f(1.0)],
            );
        }

        let (dy, accum) = (draw.uniform(-1.0, 1.0), accum(draw));
        let before = destination(draw, logits.len(), accum);
        let mut dlogits = before.clone();
        cross_entropy_backward(
            &logits,
            width,
            targets,
            (&max, &rest),
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
