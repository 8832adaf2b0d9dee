//! The step against its definition.

use super::*;

/// One step on random vectors: the tables before and after.
fn one_step(dim: usize, targets: &[u32], lr: f32) -> [Vec<Vec<f64>>; 2] {
    let mut rng = Rng::new(9, Stream::Other(0));
    let (mut input, mut output) = (Table::zeros(1, dim), Table::zeros(8, dim));
    rng.fill_normal(input.row_mut(0), 0.0, 0.5);
    (0..8).for_each(|row| rng.fill_normal(output.row_mut(row), 0.0, 0.5));
    let rows = |input: &Table, output: &Table| -> Vec<Vec<f64>> {
        let all = std::iter::once(input.row(0)).chain((0..8).map(|row| output.row(row)));
        all.map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
    };
    let before = rows(&input, &output);
    let steps: Vec<u32> = std::iter::once(0).chain(targets.iter().copied()).collect();
    dispatch(Steps { input: &mut input, output: &mut output, steps: &steps, per_step: steps.len(), lr });
    [before, rows(&input, &output)]
}

#[test]
fn a_step_is_the_numeric_gradient_of_the_definition() {
    for dim in [1, 7, 16, 33] {
        let (targets, lr) = ([3u32, 0, 5, 6, 1, 7], 1e-2);
        let [before, after] = one_step(dim, &targets, lr);
        // Row 0 is v, row 1 + t is u_t.
        let loss = |rows: &[Vec<f64>]| {
            let u: Vec<&[f64]> = targets.iter().map(|&t| &rows[1 + t as usize][..]).collect();
            pair_loss(&rows[0], &u)
        };
        for row in 0..before.len() {
            for i in 0..dim {
                let h = 1e-5;
                let at = |shift: f64| {
                    let mut rows = before.clone();
                    rows[row][i] += shift;
                    loss(&rows)
                };
                let numeric = (at(h) - at(-h)) / (2.0 * h);
                let step = (before[row][i] - after[row][i]) / f64::from(lr);
                assert!((step - numeric).abs() <= 2e-5, "dim {dim}, row {row}, {i}: {step} but {numeric}");
            }
        }
    }
}

/// The formulas of the header, in f64, against the numeric gradient: to nine digits.
#[test]
fn the_derivation_is_right_in_f64() {
    let mut rng = Rng::new(2, Stream::Other(0));
    let mut vector = || -> Vec<f64> { (0..5).map(|_| f64::from(rng.normal())).collect() };
    let (v, u): (Vec<f64>, Vec<Vec<f64>>) = (vector(), (0..4).map(|_| vector()).collect());
    let refs = |u: &[Vec<f64>]| -> f64 { pair_loss(&v, &u.iter().map(|u| &u[..]).collect::<Vec<_>>()) };
    let g = |t: usize| {
        let f: f64 = u[t].iter().zip(&v).map(|(u, v)| u * v).sum();
        1.0 / (1.0 + (-f).exp()) - if t == 0 { 1.0 } else { 0.0 }
    };
    let h = 1e-5;
    for i in 0..5 {
        let at = |shift: f64| {
            let mut v = v.clone();
            v[i] += shift;
            pair_loss(&v, &u.iter().map(|u| &u[..]).collect::<Vec<_>>())
        };
        let dv: f64 = (0..4).map(|t| g(t) * u[t][i]).sum();
        assert!(((at(h) - at(-h)) / (2.0 * h) - dv).abs() <= 1e-9);
        for t in 0..4 {
            let at = |shift: f64| {
                let mut u = u.clone();
                u[t][i] += shift;
                refs(&u)
            };
            assert!(((at(h) - at(-h)) / (2.0 * h) - g(t) * v[i]).abs() <= 1e-9);
        }
    }
}

#[test]
fn rows_that_take_no_part_stay_and_extreme_products_are_finite() {
    let [before, after] = one_step(20, &[2, 4], 0.1);
    for row in [0, 1, 3, 5, 6, 7].map(|t| 1 + t) {
        assert_eq!(before[row], after[row]);
    }
    let (mut input, mut output) = (Table::zeros(1, 4), Table::zeros(2, 4));
    input.row_mut(0).fill(100.0);
    output.row_mut(0).fill(-100.0);
    output.row_mut(1).fill(100.0);
    let loss =
        dispatch(Steps { input: &mut input, output: &mut output, steps: &[0, 0, 1], per_step: 3, lr: 0.1 });
    assert!((loss - 80_000.0).abs() <= 1.0, "{loss}");
    // s(-40000) - 1 = -1 and s(40000) = 1: v += 0.1 (u_0 - u_1), u_0 += 0.1 v, u_1 -= 0.1 v.
    assert!(input.row(0).iter().all(|x| (x - 80.0).abs() <= 1e-3), "{:?}", input.row(0));
    assert!(output.row(0).iter().all(|x| (x + 90.0).abs() <= 1e-3));
    assert!(output.row(1).iter().all(|x| (x - 90.0).abs() <= 1e-3));
}
