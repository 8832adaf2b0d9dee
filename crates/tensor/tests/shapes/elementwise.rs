//! Functions of every element, and embeddings.

use super::random::{accum, destination, for_each_shape, size, sizes, values, written};
use super::running_error::{F, check, f};
use tensor::Grad;
use tensor::kernels::{embedding, vmath};

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
