//! The cases of matrix products, and of what is made of them.

use super::memory::{ACCUMS, Bench, Side, same};
use crate::grad::Grad;
use crate::kernels::feed_forward::{
    Activation, WeightGrads, Weights, activate, feed_forward_backward, feed_forward_forward,
};
use crate::kernels::gemm::{Init, Mat, gemm};
use crate::kernels::int8::{Int8Matrix, matvec_int8};
use crate::kernels::matvec;
use crate::kernels::simd::product::{Left, Product, Right};
use crate::kernels::simd::{Kernel, Simd, dispatch, int8};

/// How the operands of [`Product`] lie.
#[derive(Clone, Copy)]
struct Layout {
    a_transposed: bool,
    b_in_panels: bool,
    gap: usize, // beyond the end of each row, in floats
}

/// A product of operands that are as short as [`Product`] allows.
struct Multiply<'a> {
    sizes: [usize; 3], // rows, columns, depth
    layout: Layout,
    a: &'a [f32],
    b: &'a [f32],
    init: Init<'a>,
    c: &'a mut [f32],
}

impl Multiply<'_> {
    /// The shortest lengths of A, B and C for tiles of `width` columns.
    fn lengths([rows, columns, depth]: [usize; 3], layout: Layout, width: usize) -> [usize; 3] {
        let padded = columns.next_multiple_of(width);
        let a = if layout.a_transposed { [depth, rows] } else { [rows, depth] };
        let b = if layout.b_in_panels { padded * depth } else { extent(depth, padded + layout.gap, padded) };
        let a = if depth == 0 { 0 } else { extent(a[0], a[1] + layout.gap, a[1]) };
        [a, b, extent(rows, columns + layout.gap, columns)]
    }
}

/// The length of `rows` rows of `width` floats, `stride` floats apart.
fn extent(rows: usize, stride: usize, width: usize) -> usize {
    if rows == 0 { 0 } else { (rows - 1) * stride + width }
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sizes: [rows, columns, depth], layout, a, b, init, c } = self;
        let a = if layout.a_transposed {
            Left::transposed(s, a, rows + layout.gap)
        } else {
            Left::rows(s, a, depth + layout.gap)
        };
        let b = if layout.b_in_panels {
            Right::panels(s, b, depth)
        } else {
            Right::rows(s, b, columns.next_multiple_of(S::TILE.1) + layout.gap)
        };
        Product { rows, columns, depth, a, b }.run(s, init, c, columns + layout.gap);
    }
}

/// The columns of a tile.
struct TileWidth;

impl Kernel for TileWidth {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::TILE.1
    }
}

/// The tile kernels: every number of rows and columns of a tile, alone and after whole tiles.
pub(super) fn products(bench: &mut Bench) {
    let width = dispatch(TileWidth);
    for rows in 1..=25 {
        for columns in 1..=65 {
            let depth = (rows * 3 + columns) % 5;
            let sizes = [rows, columns, depth];
            for variant in 0..12 {
                let layout = Layout {
                    a_transposed: variant % 2 == 1,
                    b_in_panels: variant / 2 % 2 == 1,
                    gap: (rows + columns) % 3,
                };
                let [a, b, c] = Multiply::lengths(sizes, layout, width).map(|len| bench.normals(len));
                let bias = bench.normals(columns);
                bench.check_one_path([a, b, bias], &[], [c], |[a, b, bias], _, [c]| {
                    let init = [Init::Zero, Init::Bias(bias), Init::Add][variant / 4];
                    dispatch(Multiply { sizes, layout, a, b, init, c });
                });
            }
        }
    }
}

pub(super) fn gemms(bench: &mut Bench) {
    // Every remainder of M and N by the tiles, alone and after whole tiles; all remainders of K by the vectors.
    let small = (0..=13).chain(23..=25).flat_map(|m| (0..=65).map(move |n| (m, n, (29 * m + 7 * n) % 34)));
    // Beyond the blocks of M (240) and K (256), and large enough for several threads.
    let large = [(241, 5, 257), (13, 70, 300), (253, 33, 5)];
    for (m, n, k) in small.chain(large) {
        for variant in 0..12 {
            let (a, b) = (bench.normals(m * k), bench.normals(k * n));
            let (bias, c) = (bench.normals(n), bench.normals(m * n));
            bench.check([a, b, bias], &[], [c], |[a, b, bias], _, [c]| {
                let a = if variant % 2 == 1 { Mat::new(a, k, m).t() } else { Mat::new(a, m, k) };
                let b = if variant / 2 % 2 == 1 { Mat::new(b, n, k).t() } else { Mat::new(b, k, n) };
                gemm(c, a, b, [Init::Zero, Init::Bias(bias), Init::Add][variant / 4]);
            });
        }
    }
}

pub(super) fn matvecs(bench: &mut Bench) {
    for rows in 0..=37 {
        for k in 0..=65 {
            for with_bias in [false, true] {
                let m = 1 + (rows + k) % 3;
                let (w, x) = (bench.normals(rows * k), bench.normals(m * k));
                let (bias, y) = (bench.normals(rows), bench.normals(m * rows));
                bench.check([w, x, bias], &[], [y], |[w, x, bias], _, [y]| {
                    matvec::matvec(w, x, m, with_bias.then_some(bias), y);
                });
            }
        }
    }
}

pub(super) fn int8_products(bench: &mut Bench) {
    for rows in 0..=9 {
        for k in (1..=65).chain([1023, 1024, 1025]) {
            let w = Int8Matrix::new(&bench.normals(rows * k), k);
            let [x, bias, y] = [k, rows, rows].map(|len| bench.normals(len));
            bench.check([x, bias], &[], [y], |[x, bias], _, [y]| {
                matvec_int8(&w, x, 1, Some(bias), y);
            });
        }
        // The integers themselves, which otherwise lie in memory that nobody guards.
        for k in (0..=4).map(|n| n * int8::STEP).chain([1024 - int8::STEP, 1024 + int8::STEP]) {
            let x: Vec<i16> = bench.normals(k).iter().map(|x| (1000.0 * x) as i16).collect();
            let w: Vec<i8> = bench.normals(rows * k).iter().map(|w| (20.0 * w) as i8).collect();
            let mut expected = vec![0; rows];
            int8::dots(&x, &w, &mut expected);
            for side in [Side::Behind, Side::Before] {
                let [a, b, c, ..] = &mut bench.guards[..] else { unreachable!("there are sixteen") };
                let (guarded_x, guarded_w) = (a.place(&x, side), b.place(&w, side));
                let sums = c.place(&vec![0_i64; rows], side);
                int8::dots(guarded_x, guarded_w, sums);
                assert!(same(sums, &expected), "simd::int8, {rows} rows of {k}, guard {side:?}");
                assert!(same(guarded_x, &x) && same(guarded_w, &w), "simd::int8: inputs changed");
                assert!(c.marks_are_whole(8 * rows, side), "simd::int8, {rows} rows of {k}: written outside");
            }
        }
    }
}

pub(super) fn feed_forwards(bench: &mut Bench) {
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu2, Activation::SwiGlu] {
        for hidden in 1..=49 {
            let (rows, c, n) = (1 + hidden * 3 % 14, 1 + hidden * 5 % 34, 1 + hidden * 7 % 35);
            let inner = hidden * activation.fan();
            let (h, a) = (bench.normals(rows * inner), bench.normals(rows * hidden));
            bench.check([h], &[], [a], |[h], _, [a]| activate(activation, h, hidden, a));
            for with_bias in [false, true] {
                let inputs = [rows * c, inner * c, inner, n * hidden, n].map(|len| bench.normals(len));
                let outputs = [rows * inner, rows * hidden, rows * n].map(|len| bench.normals(len));
                bench.check(inputs, &[], outputs, |[x, c_fc, b1, c_proj, b2], _, [h, a, y]| {
                    let (c_fc_bias, c_proj_bias) = (with_bias.then_some(b1), with_bias.then_some(b2));
                    let w = Weights { c_fc, c_fc_bias, c_proj, c_proj_bias, hidden, activation };
                    feed_forward_forward(Mat::new(x, rows, c), &w, h, a, y);
                });
                for accum in ACCUMS {
                    let inputs = [rows * c, inner * c, n * hidden, rows * inner, rows * n]
                        .map(|len| bench.normals(len));
                    let outputs = [rows * hidden, rows * inner, rows * c, inner * c, inner, n * hidden, n]
                        .map(|len| bench.normals(len));
                    bench.check(inputs, &[], outputs, |[x, c_fc, c_proj, h, dy], _, outputs| {
                        let [a, dh, dx, dw1, db1, dw2, db2] = outputs;
                        let (c_fc_bias, c_proj_bias) = (None, None);
                        let w = Weights { c_fc, c_fc_bias, c_proj, c_proj_bias, hidden, activation };
                        let mut grads = [dx, dw1, db1, dw2, db2].map(|to| Grad { to, accum });
                        let [dx, dw1, db1, dw2, db2] = grads.each_mut();
                        let grads = WeightGrads {
                            c_fc: Some(dw1),
                            c_fc_bias: with_bias.then_some(db1),
                            c_proj: Some(dw2),
                            c_proj_bias: with_bias.then_some(db2),
                        };
                        feed_forward_backward(Mat::new(x, rows, c), &w, h, dy, a, dh, Some(dx), grads);
                    });
                }
            }
        }
    }
}
