//! The fused operations are what they are called: equal, value and gradient, to their formulas written with
//! primitive operations.

use ndarray::ArrayD;
use tensor::gradcheck::Draw;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::ops::linear_cross_entropy::rows_at_a_time;
use tensor::{Grads, Params, Tape, Var, Workspace};

/// Value and gradients of `sum(f(inputs) * weights)`, with random weights.
fn run(inputs: &[ArrayD<f32>], f: &dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>) -> Vec<Vec<f32>> {
    let (mut params, workspace) = (Params::new(), Workspace::poisoned());
    for (i, input) in inputs.iter().enumerate() {
        params.add_array(&format!("x{i}"), input);
    }
    let mut grads = Grads::new(&params);
    let tape = Tape::new(&params, &workspace);
    let vars: Vec<_> = params.ids().map(|id| tape.param(id)).collect();
    let y = f(&vars);
    let cotangent = Draw::new(99).array(&y.shape());
    y.backward_from(cotangent.as_slice().unwrap(), &mut grads, |_, _| {});
    let mut result = vec![y.read(|y| y.data.to_vec())];
    result.extend(params.ids().map(|id| grads.get(id).expect("reached").to_vec()));
    result
}

/// Both give the same output and gradients, within 1e-5 of the largest in each.
fn assert_equal(
    inputs: &[ArrayD<f32>],
    fused: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
    composed: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
) {
    for (i, (fused, composed)) in run(inputs, &fused).iter().zip(&run(inputs, &composed)).enumerate() {
        assert_eq!(fused.len(), composed.len());
        let scale = composed.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        for (a, b) in fused.iter().zip(composed) {
            assert!((a - b).abs() <= 1e-5 * scale, "result {i}: {a} and {b}, at a scale of {scale}");
        }
    }
}

/// 1 / sqrt(x) as e^(-ln(x) / 2).
fn rsqrt(x: Var<'_>) -> Var<'_> {
    (x.ln() * -0.5).exp()
}

const SHAPES: [[usize; 2]; 4] = [[1, 2], [3, 16], [5, 37], [40, 130]];

#[test]
fn layer_norm() {
    let mut draw = Draw::new(1);
    for [rows, width] in SHAPES {
        let inputs = [draw.array(&[rows, width]), draw.array(&[width]), draw.array(&[width])];
        assert_equal(
            &inputs,
            |x| x[0].layer_norm(x[1], Some(x[2]), 1e-2),
            |x| {
                let centred = x[0] - x[0].mean_axis(1);
                let variance = (centred * centred).mean_axis(1);
                centred * rsqrt(variance + 1e-2) * x[1] + x[2]
            },
        );
    }
}

#[test]
fn rms_norm() {
    let mut draw = Draw::new(2);
    for [rows, width] in SHAPES {
        let inputs = [draw.array(&[rows, width]), draw.array(&[width])];
        assert_equal(
            &inputs,
            |x| x[0].rms_norm(x[1], 1e-2),
            |x| x[0] * rsqrt((x[0] * x[0]).mean_axis(1) + 1e-2) * x[1],
        );
    }
}

#[test]
fn softmax() {
    let mut draw = Draw::new(3);
    for [rows, width] in SHAPES {
        let inputs = [draw.array(&[rows, width])];
        assert_equal(&inputs, |x| x[0].softmax(), |x| x[0].exp() / x[0].exp().sum_axis(1));
    }
}

#[test]
fn cross_entropy() {
    let mut draw = Draw::new(4);
    for [rows, width] in SHAPES {
        let inputs = [draw.array(&[rows, width])];
        let targets: Vec<u32> = (0..rows).map(|_| draw.size(0, width - 1) as u32).collect();
        let weights: Vec<f32> = (0..rows).map(|i| if i % 3 == 1 { 0.0 } else { 0.5 + i as f32 }).collect();
        let total = weights.iter().sum();
        assert_equal(
            &inputs,
            |x| x[0].cross_entropy(&targets, &weights, total),
            |x| {
                let weights = x[0].tape().constant(&ndarray::arr1(&weights).into_dyn());
                -(x[0].softmax().gather(&targets).ln() * weights).sum() / total
            },
        );
    }
}

#[test]
fn gelu_tanh() {
    let mut draw = Draw::new(5);
    for shape in SHAPES {
        assert_equal(
            &[draw.array_in(&shape, -4.0, 4.0)],
            |x| x[0].gelu_tanh(),
            |x| {
                let u = (2.0 / std::f32::consts::PI).sqrt() * (x[0] + 0.044_715 * x[0] * x[0] * x[0]);
                0.5 * x[0] * (1.0 + u.tanh())
            },
        );
    }
}

#[test]
fn embedding() {
    let mut draw = Draw::new(6);
    let inputs = [draw.array(&[5, 20]), draw.array(&[3, 20])];
    let ids = [4, 0, 4, 4, 2, 2];
    assert_equal(
        &inputs,
        |x| x[0].embedding_with_positions(x[1], &ids, &[2, 3]),
        |x| {
            let mut one_hot = ArrayD::zeros(vec![6, 5]);
            ids.iter().enumerate().for_each(|(i, &id)| one_hot[[i, id as usize]] = 1.0);
            x[0].tape().constant(&one_hot).matmul(x[0]).reshape([2, 3, 20]) + x[1]
        },
    );
}

/// Two classes with the logits 0 and z are one question with the logit z.
#[test]
fn binary_cross_entropy_is_cross_entropy_of_two_classes() {
    let mut draw = Draw::new(6);
    for rows in [1, 16, 37] {
        let z = draw.array_in(&[rows, 1], -20.0, 20.0);
        let targets: Vec<u32> = (0..rows).map(|_| draw.size(0, 1) as u32).collect();
        let answers: Vec<f32> = targets.iter().map(|&t| t as f32).collect();
        let weights: Vec<f32> = (0..rows).map(|i| if i % 3 == 1 { 0.0 } else { 0.5 + i as f32 }).collect();
        let total = weights.iter().sum();
        assert_equal(
            &[z],
            |z| z[0].bce_with_logits(&answers, &weights, total),
            |z| {
                let zeros = z[0].tape().constant(&ndarray::ArrayD::zeros(vec![rows, 1]));
                zeros.concat(1, &[z[0]]).cross_entropy(&targets, &weights, total)
            },
        );
    }
}

/// A loss from x, W, b and a soft cap.
type Loss<'a> = &'a (dyn for<'t> Fn(&[Var<'t>], Option<f32>) -> Var<'t> + Sync);

/// The head and its loss in chunks of rows have the bits of the three operations one after the other, gradients that are
/// added to earlier ones included.
#[test]
fn linear_cross_entropy_has_the_bits_of_its_parts() {
    let pools = [1, 4].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    let mut draw = Draw::new(7);
    // One chunk; three of the fewest rows that a chunk has; and two of more rows.
    for (rows, width, classes) in
        [(1, 3, 2), (40, 130, 37), (515, 7, 33_000), (rows_at_a_time(3000) + 5, 20, 3000)]
    {
        let inputs = [draw.array(&[rows, width]), draw.array(&[classes, width]), draw.array(&[classes])];
        let targets: Vec<u32> = (0..rows).map(|_| draw.size(0, classes - 1) as u32).collect();
        let weights: Vec<f32> = (0..rows).map(|i| [1.0, 0.0, 0.3][i % 3]).collect();
        for (n, cap) in [None, Some(15.0), None, Some(2.0)].into_iter().enumerate() {
            if rows > 100 && n % 3 != 0 {
                continue; // for time
            }
            let regularizer = match n {
                0 | 1 => Regularizer::NONE,
                _ => Regularizer { label_smoothing: 0.1, z_loss: 1e-3 },
            };
            let with_bias = n % 2 == 1;
            let fused: Loss<'_> = &|x, cap| {
                let bias = with_bias.then(|| x[2]);
                x[0].linear_cross_entropy(x[1], bias, cap, &targets, &weights, 3.5, regularizer)
            };
            let parts: Loss<'_> = &|x, cap| {
                let z = x[0].linear(x[1], with_bias.then(|| x[2]));
                let z = cap.map_or(z, |cap| z.soft_cap(cap));
                z.regularized_cross_entropy(&targets, &weights, 3.5, regularizer)
            };
            let bits = |loss: Loss<'_>, recording: bool| {
                let (mut params, workspace) = (Params::new(), Workspace::poisoned());
                inputs.iter().enumerate().for_each(|(i, x)| _ = params.add_array(&format!("x{i}"), x));
                let mut grads = Grads::new(&params);
                let mut result = Vec::new();
                for cotangent in [1.0, 0.37] {
                    let tape = if recording {
                        Tape::new(&params, &workspace)
                    } else {
                        Tape::no_grad(&params, &workspace)
                    };
                    let vars: Vec<_> = params.ids().map(|id| tape.param(id)).collect();
                    let y = loss(&vars, cap);
                    result.push(y.item().to_bits());
                    if recording {
                        y.backward_from(&[cotangent], &mut grads, |_, _| {});
                    }
                }
                let reached = params.ids().filter_map(|id| grads.get(id));
                result.extend(reached.flatten().map(|x| x.to_bits()));
                result
            };
            let expected = bits(parts, true);
            let what = format!("{rows} rows, C {width}, V {classes}, cap {cap:?}, {regularizer:?}");
            for pool in &pools {
                assert!(pool.install(|| bits(fused, true)) == expected, "{what}");
            }
            assert_eq!(bits(fused, false), expected[..2], "{what}, without recording");
        }
    }
}

#[test]
fn linear_cross_entropy_holds_no_more_logits_for_more_rows() {
    const CLASSES: usize = 5000;
    let peak = |chunks: usize, recording: bool| {
        let rows = chunks * rows_at_a_time(CLASSES);
        let (mut params, workspace) = (Params::new(), Workspace::new());
        let w = params.add("w", [CLASSES, 2], |w| w.fill(0.1));
        let x = params.add("x", [rows, 2], |x| x.fill(0.5));
        let mut grads = Grads::new(&params);
        let tape =
            if recording { Tape::new(&params, &workspace) } else { Tape::no_grad(&params, &workspace) };
        let (targets, weights) = (vec![1; rows], vec![1.0; rows]);
        let loss = tape.param(x).linear_cross_entropy(
            tape.param(w),
            None,
            Some(15.0),
            &targets,
            &weights,
            rows as f32,
            Regularizer::NONE,
        );
        if recording {
            loss.backward(&mut grads);
        }
        drop(tape);
        (workspace.stats().peak_bytes, rows)
    };
    for recording in [false, true] {
        let ((few, few_rows), (many, many_rows)) = (peak(2, recording), peak(5, recording));
        let logits = rows_at_a_time(CLASSES) * CLASSES * size_of::<f32>();
        assert!(few < logits + 64 * few_rows, "{few} bytes, {logits} of them logits");
        assert!(many < logits + 64 * many_rows, "{many} bytes, {logits} of them logits");
    }
}
