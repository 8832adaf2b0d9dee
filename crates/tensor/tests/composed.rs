//! The fused operations are what they are called: equal, value and gradient, to their formulas written with
//! primitive operations.

use ndarray::ArrayD;
use tensor::gradcheck::Draw;
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
