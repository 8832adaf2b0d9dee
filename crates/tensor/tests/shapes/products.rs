//! Matrix products, and the feed-forward layer that is made of them.

use super::random::{accum, destination, for_each_shape, size, sizes, values, written};
use super::running_error::{ACTIVATION, F, check, compare, dot, f};
use crate::exact::{normal_cdf, normal_pdf};
use tensor::Grad;
use tensor::gradcheck::Draw;
use tensor::kernels::feed_forward::{
    Activation, WeightGrads, Weights, feed_forward_backward, feed_forward_forward,
};
use tensor::kernels::gemm::{Init, Mat, gemm};
use tensor::kernels::matvec;

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
            // From one row, and from one column, to the next.
            let (a_row, a_col) = if a_transposed { (1, m) } else { (k, 1) };
            let (b_row, b_col) = if b_transposed { (1, k) } else { (n, 1) };
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
                let (a, b) = (&a[(i * a_row).min(a.len())..], &b[(j * b_col).min(b.len())..]);
                start + dot(a, a_col, b, b_row, k)
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
        let m = draw.size(1, 4);
        let (w, x, bias) = (values(draw, n * k), values(draw, m * k), values(draw, n));
        let with_bias = draw.size(0, 1) == 1;
        let bias_of = with_bias.then_some(&bias[..]);
        let mut y = vec![f32::NAN; m * n];
        matvec::matvec(&w, &x, m, bias_of, &mut y);
        let exact = (0..m * n).map(|at| {
            let (i, j) = (at / n, at % n);
            let product = dot(&w[j * k..], 1, &x[i * k..], 1, k);
            if with_bias { product + f(bias[j]) } else { product }
        });
        check(&format!("{seed}: M {m}, N {n}, K {k}, bias {with_bias}"), &y, exact);
        // A vector's result has the same bits, however many others there are.
        let mut alone = vec![f32::NAN; n];
        for i in 0..m {
            matvec::matvec(&w, &x[i * k..(i + 1) * k], 1, bias_of, &mut alone);
            assert!(
                y[i * n..(i + 1) * n].iter().zip(&alone).all(|(y, alone)| y.to_bits() == alone.to_bits()),
                "{seed}"
            );
        }
    });
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
        let shorter = Mat::with_stride(&a, m, k - 1, k);
        gemm(&mut c, shorter, Mat::new(&b[..(k - 1) * n], k - 1, n), Init::Zero);
        assert!(compare(&c, &exact).is_err(), "{what}: without the last term");
        let mut not_a_number: Vec<f32> = exact.iter().map(|x| x.value as f32).collect();
        not_a_number[m * n - 1] = f32::NAN;
        assert!(compare(&not_a_number, &exact).is_err(), "{what}: with a NaN");
    });
}

/// Sizes and strides whose products wrap around, to something that fits the slice. A kernel that believed them would
/// read elsewhere: the refusal does not rest on the overflow checks of a debug build.
#[test]
fn hostile_sizes_and_strides_are_refused() {
    const HALF: usize = 1 << (usize::BITS / 2);
    let refused = |attempt: &dyn Fn()| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt)).is_err_and(|panic| {
            panic.downcast::<String>().is_ok_and(|m| m.starts_with("a matrix of") || m.contains("gemm: "))
        })
    };
    let data = [1.0; 8];
    for stride in [usize::MAX / 3, usize::MAX / 3 + 1, usize::MAX, usize::MAX - 2, 3] {
        assert!(refused(&|| _ = Mat::with_stride(&data, 4, 1, stride)), "rows {stride} floats apart");
    }
    assert!(refused(&|| _ = Mat::with_stride(&data, usize::MAX, 1, 2)));
    assert!(refused(&|| _ = Mat::with_stride(&data, 2, usize::MAX, 2)));
    assert!(refused(&|| _ = Mat::new(&[], HALF, HALF)), "HALF^2 wraps to 0");
    let (tall, wide) = (Mat::new(&[], HALF, 0), Mat::new(&[], 0, HALF));
    assert!(refused(&|| gemm(&mut [], tall, wide, Init::Zero)), "C has HALF^2 elements");
    let mut c = [0.0; 2];
    gemm(&mut c, Mat::with_stride(&data, 2, 2, 6), Mat::new(&data[..2], 2, 1), Init::Zero);
    assert_eq!(c, [2.0; 2]); // the last element of the matrix is the last of the slice
}
