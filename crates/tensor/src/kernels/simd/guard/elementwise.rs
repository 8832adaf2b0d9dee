//! The cases of kernels that work element by element.

use super::memory::{ACCUMS, Bench, tails};
use crate::grad::Grad;
use crate::kernels::{broadcast, mask, parallel, vmath};
use crate::shape::View;

pub(super) fn maps(bench: &mut Bench) {
    let chunk = parallel::chunk_len();
    for len in tails().chain([chunk - 1, chunk, chunk + 1, 2 * chunk + 17]) {
        for accum in ACCUMS {
            let [a, b, y] = [(); 3].map(|()| bench.normals(len));
            bench.check([a.clone()], &[], [y.clone()], |[a], _, [y]| vmath::map(vmath::Exp, [a], y, accum));
            bench.check([a.clone()], &[], [y.clone()], |[a], _, [y]| vmath::map(vmath::Tanh, [a], y, accum));
            bench.check([a.clone()], &[], [y.clone()], |[a], _, [y]| vmath::map(vmath::Sin, [a], y, accum));
            bench.check([a, b], &[], [y], |[a, b], _, [y]| vmath::map(vmath::Product, [a, b], y, accum));
        }
        let [x, y] = [(); 2].map(|()| bench.normals(len));
        bench.check([x], &[], [y.clone()], |[x], _, [y]| vmath::add_assign(y, x));
        bench.check([], &[], [y], |[], _, [y]| vmath::scale(y, 0.3));
    }
}

pub(super) fn sums_of_squares(bench: &mut Bench) {
    let chunk = parallel::chunk_len();
    for len in tails().chain(1020..=1045).chain([chunk - 1, chunk, chunk + 1, 2 * chunk + 17]) {
        let x = bench.normals(len);
        bench.check([x], &[], [vec![0.0]], |[x], _, [sum]| sum[0] = vmath::sum_of_squares(x) as f32);
        let (a, b) = (bench.normals(len), bench.normals(len));
        bench
            .check([a, b], &[], [vec![0.0]], |[a, b], _, [sum]| sum[0] = vmath::sum_of_products(a, b) as f32);
    }
}

pub(super) fn masks(bench: &mut Bench) {
    for len in tails() {
        // The second begins shortly before the lower half of the index wraps around.
        for first in [0, (1 << 32) - 20] {
            let x = bench.normals(len);
            bench.check([], &[], [x], |[], _, [x]| mask::apply(0.4, 7, first, x));
        }
    }
}

pub(super) fn broadcasts(bench: &mut Bench) {
    for n in tails() {
        for [a_shape, b_shape] in [[vec![3, n], vec![n]], [vec![n, 1], vec![3]], [vec![], vec![n, 2]]] {
            let (a_shape, b_shape) = (a_shape[..].into(), b_shape[..].into());
            let output = broadcast::output_shape(&[a_shape, b_shape]).expect("they broadcast");
            let sizes = [a_shape, b_shape, output].map(|shape| shape.elements());
            let [a, b, y] = sizes.map(|len| bench.normals(len));
            bench.check([a.clone(), b], &[], [y.clone()], |[a, b], _, [y]| {
                let (a, b) = (View { data: a, shape: a_shape }, View { data: b, shape: b_shape });
                broadcast::zip(a, b, y, |a, b| a * b);
            });
            for accum in ACCUMS {
                bench.check([y.clone()], &[], [a.clone()], |[dy], _, [to]| {
                    let dy = View { data: dy, shape: output };
                    broadcast::reduce(dy, a_shape, &mut Grad { to, accum }, |_, dy| 2.0 * dy);
                });
            }
        }
    }
}
