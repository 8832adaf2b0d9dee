//! The cases of kernels that work row by row.

use super::memory::{ACCUMS, Bench, tails, widths};
use crate::grad::Grad;
use crate::kernels::attention::Heads;
use crate::kernels::cross_entropy::{
    Regularizer, Targets, cross_entropy_backward, cross_entropy_forward, cross_entropy_gradient_in_place,
};
use crate::kernels::layer_norm::{layer_norm_backward, layer_norm_forward, layer_norm_scratch};
use crate::kernels::rms_norm::{rms_norm_backward, rms_norm_forward, rms_norm_scratch};
use crate::kernels::rotary::{self, Rotary, Rotations};
use crate::kernels::soft_cap::SoftCap;
use crate::kernels::{blend, columns, embedding, rows, softmax};

pub(super) fn layer_norms(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            for with_bias in [false, true] {
                let inputs = [rows * width, width, width].map(|len| bench.normals(len));
                let outputs = [rows * width, rows, rows].map(|len| bench.normals(len));
                bench.check(inputs, &[], outputs, |[x, weight, bias], _, [y, mean, rstd]| {
                    layer_norm_forward(x, weight, with_bias.then_some(bias), 1e-5, y, mean, rstd);
                });
            }
            // Which of dx, dweight and dbias are wanted.
            for wanted in [[true; 3], [true, false, false], [false, true, true]] {
                for accum in ACCUMS {
                    let scratch = layer_norm_scratch(rows, width);
                    let inputs =
                        [rows * width, width, rows, rows, rows * width].map(|len| bench.normals(len));
                    let outputs = [rows * width, width, width, scratch].map(|len| bench.normals(len));
                    bench.check(inputs, &[], outputs, |[x, weight, mean, rstd, dy], _, outputs| {
                        let [dx, dweight, dbias, scratch] = outputs;
                        let mut grads = [dx, dweight, dbias].map(|to| Grad { to, accum });
                        let [dx, dweight, dbias] = grads.each_mut();
                        let dx = wanted[0].then_some(dx);
                        let (dweight, dbias) = (wanted[1].then_some(dweight), wanted[2].then_some(dbias));
                        layer_norm_backward(x, weight, (mean, rstd), dy, dx, dweight, dbias, scratch);
                    });
                }
            }
        }
    }
}

pub(super) fn rms_norms(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            let inputs = [rows * width, width].map(|len| bench.normals(len));
            let outputs = [rows * width, rows].map(|len| bench.normals(len));
            bench.check(inputs, &[], outputs, |[x, weight], _, [y, rstd]| {
                rms_norm_forward(x, weight, 1e-5, y, rstd);
            });
            for wanted in [[true, true], [true, false], [false, true]] {
                for accum in ACCUMS {
                    let scratch = rms_norm_scratch(rows, width);
                    let inputs = [rows * width, width, rows, rows * width].map(|len| bench.normals(len));
                    let outputs = [rows * width, width, scratch].map(|len| bench.normals(len));
                    bench.check(inputs, &[], outputs, |[x, weight, rstd, dy], _, [dx, dweight, scratch]| {
                        let mut grads = [dx, dweight].map(|to| Grad { to, accum });
                        let [dx, dweight] = grads.each_mut();
                        let (dx, dweight) = (wanted[0].then_some(dx), wanted[1].then_some(dweight));
                        rms_norm_backward(x, weight, rstd, dy, dx, dweight, scratch);
                    });
                }
            }
        }
    }
}

pub(super) fn softmaxes(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            let (z, y) = (bench.normals(rows * width), bench.normals(rows * width));
            bench.check([z], &[], [y], |[z], _, [y]| softmax::softmax_forward(z, width, y));
            for accum in ACCUMS {
                let [y, dy, dz] = [(); 3].map(|()| bench.normals(rows * width));
                bench.check([y, dy], &[], [dz], |[y, dy], _, [dz]| {
                    softmax::softmax_backward(y, dy, width, dz, accum);
                });
            }
        }
    }
}

pub(super) fn cross_entropies(bench: &mut Bench) {
    for width in widths() {
        for rows in 0..=3 {
            // The last class, an ignored row, the first class.
            let ids = &[width as u32 - 1, u32::MAX, 0][..rows];
            let weights = vec![1.0, 0.0, 0.5][..rows].to_vec();
            let logits = bench.normals(rows * width);
            let total_weight = 1.5;
            let smoothed = Regularizer { label_smoothing: 0.1, z_loss: 1e-3 };
            let regularizer = if width % 2 == 0 { smoothed } else { Regularizer::NONE };
            let outputs = [rows, rows, 1].map(|len| bench.normals(len));
            let forward = |[logits, weights]: [&[f32]; 2], ids: &[u32], [max, sum, loss]: [&mut [f32]; 3]| {
                let targets = Targets { ids, weights, total_weight, regularizer };
                loss[0] = cross_entropy_forward(logits, width, targets, max, sum);
            };
            let (mut max, mut sum) = (vec![0.0; rows], vec![1.0; rows]);
            forward([&logits, &weights], ids, [&mut max, &mut sum, &mut [0.0]]);
            bench.check([logits.clone(), weights.clone()], ids, outputs, forward);
            for accum in ACCUMS {
                let inputs = [logits.clone(), weights.clone(), max.clone(), sum.clone()];
                let dlogits = bench.normals(rows * width);
                bench.check(inputs, ids, [dlogits], |[logits, weights, max, sum], ids, [to]| {
                    let targets = Targets { ids, weights, total_weight, regularizer };
                    cross_entropy_backward(logits, width, targets, (max, sum), 0.7, &mut Grad { to, accum });
                });
            }
            for cap in [None, Some(SoftCap { cap: 2.0 })] {
                let inputs = [weights.clone(), max.clone(), sum.clone()];
                bench.check(inputs, ids, [logits.clone()], |[weights, max, sum], ids, [logits]| {
                    let targets = Targets { ids, weights, total_weight, regularizer };
                    cross_entropy_gradient_in_place(logits, width, targets, (max, sum), 0.7, cap);
                });
            }
        }
    }
}

pub(super) fn embeddings(bench: &mut Bench) {
    const SIZE: usize = 5;
    const PERIOD: usize = 3;
    for width in 1..=49 {
        for count in 0..=7 {
            // The last row of the table, the first, one twice, and one that nobody uses.
            let ids = &[4, 0, 2, 2, 4, 0, 1][..count];
            let [table, positions] = [SIZE, PERIOD].map(|rows| bench.normals(rows * width));
            let [y, dy] = [(); 2].map(|()| bench.normals(count * width));
            bench.check([table.clone()], ids, [y.clone()], |[table], ids, [y]| {
                embedding::gather_rows(table, ids, width, y);
            });
            bench.check([table.clone(), positions], ids, [y], |[table, positions], ids, [y]| {
                embedding::gather_rows_with_positions(table, positions, ids, PERIOD, width, y);
            });
            for accum in ACCUMS {
                bench.check([dy.clone()], ids, [table.clone()], |[dy], ids, [to]| {
                    embedding::scatter_rows(dy, ids.iter().copied(), width, &mut Grad { to, accum });
                });
            }
        }
    }
}

pub(super) fn blends(bench: &mut Bench) {
    for width in widths() {
        for last in [1, width.div_ceil(2), width] {
            let rows = 3;
            let (x, z, w) = (bench.normals(rows * width), bench.normals(rows * last), bench.normals(2));
            let y = bench.normals(x.len());
            bench.check([x.clone(), z.clone(), w.clone()], &[], [y], |[x, z, w], _, [y]| {
                blend::blend_forward(x, z, [w[0], w[1]], width, y);
            });
            for accum in ACCUMS {
                let (dy, dx, dz) = (bench.normals(x.len()), bench.normals(x.len()), bench.normals(z.len()));
                bench.check([dy, w.clone()], &[], [dx, dz], |[dy, w], _, [dx, dz]| {
                    let (mut dx, mut dz) = (Grad { to: dx, accum }, Grad { to: dz, accum });
                    blend::blend_backward([w[0], w[1]], (width, last), dy, Some(&mut dx), Some(&mut dz));
                });
            }
        }
    }
}

pub(super) fn rotaries(bench: &mut Bench) {
    const TIME: usize = 3;
    for hs in (2..=70).step_by(2) {
        for (norm_eps, turns) in [(None, true), (Some(1e-5), true), (Some(1e-5), false)] {
            let heads = Heads { n_head: 2, n_kv_head: 1 };
            let rotations = turns.then(|| Rotations::new(TIME, hs, 100.0).into());
            let rotary = Rotary { heads, norm_eps, rotations };
            let rows = 2 * TIME;
            let [qkv, y, dy, dx] = [(); 4].map(|()| bench.normals(rows * heads.in_row() * hs));
            let rstd = bench.normals(rotary.statistics(rows));
            let (mut true_y, mut true_rstd) = (y.clone(), rstd.clone());
            rotary::rotary_forward(&rotary, (0, TIME), &qkv, &mut true_y, &mut true_rstd, hs);
            bench.check([qkv.clone()], &[], [y, rstd], |[qkv], _, [y, rstd]| {
                rotary::rotary_forward(&rotary, (0, TIME), qkv, y, rstd, hs);
            });
            for accum in ACCUMS {
                let inputs = [qkv.clone(), true_y.clone(), true_rstd.clone(), dy.clone()];
                bench.check(inputs, &[], [dx.clone()], |[qkv, y, rstd, dy], _, [to]| {
                    rotary::rotary_backward(&rotary, TIME, (qkv, y, rstd), dy, &mut Grad { to, accum }, hs);
                });
            }
        }
    }
}

pub(super) fn sums_of_rows(bench: &mut Bench) {
    for width in tails() {
        for count in 0..=5 {
            for accum in ACCUMS {
                let (dy, db) = (bench.normals(count * width), bench.normals(width));
                bench.check([dy], &[], [db], |[dy], _, [to]| {
                    columns::sum_rows(dy, &mut Grad { to, accum });
                });
            }
            if width > 0 && count > 0 {
                let partials = bench.normals(count * width);
                bench.check([], &[], [partials], |[], _, [partials]| rows::add_partials(partials, width));
            }
        }
    }
}
