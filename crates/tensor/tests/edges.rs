//! The edges of the operations: rows that are masked, constant, far from zero, ignored, empty or of one
//! element. Each forward and backward, because it is in the backward that they usually break.

use ndarray::{ArrayD, arr0, arr1, arr2};
use tensor::gradcheck::Draw;
use tensor::kernels::cross_entropy::Regularizer;
use tensor::{Grads, Params, Tape, Var, Workspace};

const NEG_INF: f32 = f32::NEG_INFINITY;

type Unary = for<'t> fn(Var<'t>) -> Var<'t>;
/// A loss of a value, with weights and their total.
type Weighted = for<'t> fn(Var<'t>, &[f32], f32) -> Var<'t>;

/// The value of `f(inputs)` and the gradient of each input, for a cotangent of 1, 2, 3, ...
fn run(inputs: &[ArrayD<f32>], f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>) -> Vec<ArrayD<f32>> {
    let (mut params, workspace) = (Params::new(), Workspace::poisoned());
    for (i, input) in inputs.iter().enumerate() {
        params.add_array(&format!("x{i}"), input);
    }
    let mut grads = Grads::new(&params);
    let tape = Tape::new(&params, &workspace);
    let vars: Vec<_> = params.ids().map(|id| tape.param(id)).collect();
    let y = f(&vars);
    let cotangent: Vec<f32> = (1..=y.shape().elements()).map(|i| i as f32).collect();
    y.backward_from(&cotangent, &mut grads, |_, _| {});
    let mut result = vec![y.value()];
    for (id, input) in params.ids().zip(inputs) {
        let grad = grads.get(id).expect("reached").to_vec();
        result.push(ArrayD::from_shape_vec(input.raw_dim(), grad).expect("the input's shape"));
    }
    result
}

fn ones(len: usize) -> ArrayD<f32> {
    ArrayD::ones(vec![len])
}

fn all_finite(x: &[ArrayD<f32>]) -> bool {
    x.iter().flatten().all(|x| x.is_finite())
}

#[test]
fn softmax_of_masked_rows() {
    let x = arr2(&[[NEG_INF, NEG_INF, NEG_INF], [NEG_INF, 2.0, NEG_INF], [1.0, NEG_INF, 1.0]]).into_dyn();
    let [y, dx] = &run(&[x], |x| x[0].softmax())[..] else { panic!() };
    assert_eq!(*y, arr2(&[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]).into_dyn());
    assert_eq!(*dx, arr2(&[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-0.5, 0.0, 0.5]]).into_dyn());
}

#[test]
fn a_nan_is_not_hidden() {
    let x = || arr1(&[1.0, f32::NAN, NEG_INF]).into_dyn();
    assert!(run(&[x()], |x| x[0].softmax())[0].iter().all(|y| y.is_nan()));
    assert!(run(&[x()], |x| x[0].cross_entropy(&[0], &[1.0], 1.0))[0].iter().all(|y| y.is_nan()));
    assert!(run(&[x(), ones(3)], |x| x[0].layer_norm(x[1], None, 1e-5))[0].iter().all(|y| y.is_nan()));
    assert!(run(&[x(), ones(3)], |x| x[0].rms_norm(x[1], 1e-5))[0].iter().all(|y| y.is_nan()));
    for f in [(|x| x.relu()) as Unary, |x| x.tanh(), |x| x.exp(), |x| x.ln(), |x| x.gelu(), |x| x.gelu_tanh()]
    {
        assert!(run(&[x()], |x| f(x[0]))[0][1].is_nan());
    }
}

#[test]
fn logits_of_ten_thousand() {
    let x = arr2(&[[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]]).into_dyn();
    assert!(all_finite(&run(std::slice::from_ref(&x), |x| x[0].softmax())));
    let [loss, dx] = &run(&[x], |x| x[0].cross_entropy(&[1, 0, 0], &[1.0; 3], 3.0))[..] else { panic!() };
    let expected = (2e4 + 3f64.ln() + 2f64.ln()) / 3.0;
    assert!((f64::from(loss[[]]) / expected - 1.0).abs() < 1e-6, "{loss}");
    let third = 1.0 / 3.0;
    let expected = arr2(&[
        [third, -third, 0.0],
        [-2.0 * third * third, third * third, third * third],
        [-0.5 * third, 0.5 * third, 0.0],
    ]);
    assert!((dx - &expected.into_dyn()).iter().all(|e| e.abs() < 1e-7), "{dx}");
}

#[test]
fn probabilities_keep_their_digits_beside_large_logits() {
    // The log-sum-exp, 10000.313, has three decimals in f32; the probabilities must not be computed from it.
    let x = arr1(&[1e4, 1e4 - 1.0]).into_dyn();
    let dx = run(&[x], |x| x[0].cross_entropy(&[0], &[1.0], 1.0)).remove(1);
    let p = 1.0 / (1.0 + 1f64.exp()); // of the second
    assert!((f64::from(dx[1]) - p).abs() < 1e-7 && (f64::from(dx[0]) + p).abs() < 1e-7, "{dx}");
}

/// Layer normalisation in f64, of f32 inputs.
fn exact_layer_norm(x: &[f32], eps: f64) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    x.iter().map(|x| (f64::from(*x) - mean) / (variance + eps).sqrt()).collect()
}

#[test]
fn layer_norm_far_from_zero() {
    for width in [16, 100, 128, 384, 1000] {
        for ratio in [0.0, 1.0, 1e2, 1e3, 1e4, 1e5, 1e6] {
            let mut draw = Draw::new(width as u64);
            let x = draw.array(&[width]).mapv(|x| x + ratio);
            let exact = exact_layer_norm(x.as_slice().unwrap(), 1e-5);
            let y = run(&[x, ones(width)], |x| x[0].layer_norm(x[1], None, 1e-5)).remove(0);
            let error = y.iter().zip(&exact).map(|(y, e)| (f64::from(*y) - e).abs()).fold(0.0, f64::max);
            assert!(error <= 1e-6, "width {width}, mean / deviation {ratio:e}: error {error:e}");
        }
    }
}

#[test]
fn layer_norm_gradient_far_from_zero() {
    // Shifting a row changes neither its output nor its gradient; 2^-3 steps make the shift exact.
    let x = arr1(&std::array::from_fn::<f32, 100, _>(|i| ((i * 37 % 100) as f32 - 50.0) / 8.0)).into_dyn();
    let near = run(&[x.clone(), ones(100)], |x| x[0].layer_norm(x[1], None, 1e-5));
    let far = run(&[x + 1e6, ones(100)], |x| x[0].layer_norm(x[1], None, 1e-5));
    for (near, far) in near.iter().zip(&far) {
        let scale = near.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        assert!((near - far).iter().all(|e| e.abs() <= 1e-6 * scale), "{near} {far}");
    }
}

#[test]
fn constant_rows_are_finite() {
    for value in [0.0, 1.0, 0.1, -1e6, 1e6 + 0.3, 1e15] {
        for width in [1, 3, 16, 100] {
            let x = ArrayD::from_elem(vec![2, width], value);
            let result =
                run(&[x.clone(), ones(width), ones(width)], |x| x[0].layer_norm(x[1], Some(x[2]), 1e-5));
            assert!(all_finite(&result), "{value} x {width}");
            let scale = value.abs().max(1.0) * 1e-7 * 320.0; // rounding of the mean times 1 / sqrt(eps)
            assert!(
                result[0].iter().all(|y| (y - 1.0).abs() <= scale.min(1e-3)),
                "{value} x {width}: {}",
                result[0]
            );
            assert!(all_finite(&run(&[x, ones(width)], |x| x[0].rms_norm(x[1], 1e-5))), "{value} x {width}");
        }
    }
}

#[test]
fn cross_entropy_where_nothing_counts() {
    let x = || arr2(&[[1.0, 2.0], [f32::NAN, f32::INFINITY]]).into_dyn();
    for total_weight in [0.0, 1.0] {
        let result = run(&[x()], |x| x[0].cross_entropy(&[u32::MAX, 7], &[0.0; 2], total_weight));
        assert!(result.iter().flatten().all(|x| *x == 0.0), "{result:?}");
    }
    // A total of zero with weights: nothing counts either.
    let x = arr2(&[[1.0, 2.0]]).into_dyn();
    let result = run(&[x], |x| x[0].cross_entropy(&[0], &[1.0], 0.0));
    assert!(result.iter().flatten().all(|x| *x == 0.0), "{result:?}");
}

#[test]
fn an_ignored_row_does_not_touch_the_others() {
    let x = arr2(&[[0.5, 2.0, -1.0], [f32::NAN; 3]]).into_dyn();
    let [loss, dx] = &run(&[x], |x| x[0].cross_entropy(&[2, 9], &[3.0, 0.0], 3.0))[..] else { panic!() };
    let alone = arr2(&[[0.5, 2.0, -1.0]]).into_dyn();
    let [loss_alone, dx_alone] = &run(&[alone], |x| x[0].cross_entropy(&[2], &[1.0], 1.0))[..] else {
        panic!()
    };
    assert_eq!(loss, loss_alone);
    assert_eq!(dx.as_slice().unwrap()[..3], dx_alone.as_slice().unwrap()[..]);
    assert_eq!(dx.as_slice().unwrap()[3..], [0.0; 3]);
}

#[test]
fn micro_batches_of_unequal_weight_add_up() {
    let mut draw = Draw::new(3);
    let x = draw.array(&[7, 5]);
    let (targets, weights) = ([0, 1, 2, 3, 4, 0, 1], [1.0, 0.5, 0.0, 2.0, 1.0, 1.0, 0.25]);
    let total = weights.iter().sum();
    let whole = run(std::slice::from_ref(&x), |x| x[0].cross_entropy(&targets, &weights, total));
    let parts = run(&[x], |x| {
        let part =
            |from, to| x[0].slice(0, from, to).cross_entropy(&targets[from..to], &weights[from..to], total);
        part(0, 1) + part(1, 6) + part(6, 7)
    });
    assert!((whole[0][[]] - parts[0][[]]).abs() <= 1e-6 * whole[0][[]]);
    assert!((&whole[1] - &parts[1]).iter().all(|e| e.abs() <= 1e-7));
}

#[test]
fn one_class() {
    let x = arr2(&[[3.0], [-1e4]]).into_dyn();
    let result = run(std::slice::from_ref(&x), |x| x[0].cross_entropy(&[0, 0], &[1.0, 1.0], 2.0));
    assert!(result.iter().flatten().all(|x| *x == 0.0), "{result:?}");
    let result = run(&[x], |x| x[0].softmax());
    assert!(result[0].iter().all(|y| *y == 1.0) && result[1].iter().all(|dx| *dx == 0.0), "{result:?}");
}

#[test]
fn repeated_indices_sum() {
    let table = arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).into_dyn();
    let positions = ArrayD::zeros(vec![4, 2]);
    let [y, dtable, dpositions] =
        &run(&[table, positions], |x| x[0].embedding_with_positions(x[1], &[2, 0, 2, 2, 0, 2], &[2, 3]))[..]
    else {
        panic!()
    };
    assert_eq!(y.shape(), [2, 3, 2]);
    // dy is 1 2 | 3 4 | 5 6 and 7 8 | 9 10 | 11 12
    assert_eq!(*dtable, arr2(&[[12.0, 14.0], [0.0, 0.0], [24.0, 28.0]]).into_dyn());
    assert_eq!(*dpositions, arr2(&[[8.0, 10.0], [12.0, 14.0], [16.0, 18.0], [0.0, 0.0]]).into_dyn());
}

#[test]
fn a_tied_table_receives_both_gradients() {
    // The table as embedding and as output layer: L = <table[0], table[1]>, so each row receives the other.
    let table = arr2(&[[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]]).into_dyn();
    let [y, dtable] = &run(&[table], |x| {
        x[0].embedding(&[0], &[1]).matmul(x[0].transpose(&[1, 0])).slice(1, 1, 2).sum()
    })[..] else {
        panic!()
    };
    assert_eq!(*y, arr0(13.0).into_dyn());
    assert_eq!(*dtable, arr2(&[[3.0, 5.0], [1.0, 2.0], [0.0, 0.0]]).into_dyn());
}

#[test]
fn empty_tensors() {
    let none = |shape: &[usize]| ArrayD::<f32>::zeros(shape);
    for shape in [vec![0, 3], vec![2, 0, 3]] {
        let x = || none(&shape);
        for f in
            [(|x| x.softmax()) as Unary, |x| x.gelu(), |x| x.relu(), |x| x.exp(), |x| x.ln(), |x| x.sum()]
        {
            let result = run(&[x()], |x| f(x[0]));
            assert!(result[1].shape() == shape && result[0].iter().all(|y| *y == 0.0));
        }
        let result = run(&[x(), ones(3), ones(3)], |x| x[0].layer_norm(x[1], Some(x[2]), 1e-5));
        assert!(result[2..].iter().flatten().all(|g| *g == 0.0), "{result:?}");
        let result = run(&[x(), ones(3)], |x| x[0].rms_norm(x[1], 1e-5));
        assert!(result[2].iter().all(|g| *g == 0.0), "{result:?}");
        assert_eq!(run(&[x()], |x| x[0].cross_entropy(&[], &[], 0.0))[0][[]], 0.0);
        assert_eq!(run(&[x()], |x| x[0].dropout(0.5, 1))[0].shape(), shape);
    }
    // A sum of no products is zero, and so are the gradients.
    let result = run(&[none(&[2, 0]), none(&[0, 3])], |x| x[0].matmul(x[1]));
    assert_eq!(result[0], ArrayD::zeros(vec![2, 3]));
    let result = run(&[none(&[0, 2]), ArrayD::ones(vec![2, 3])], |x| x[0].matmul(x[1]));
    assert_eq!(result[2], ArrayD::zeros(vec![2, 3]));
    // No ids: the table's gradient is zero, not stale.
    assert_eq!(run(&[ArrayD::ones(vec![2, 3])], |x| x[0].embedding(&[], &[0]))[1], ArrayD::zeros(vec![2, 3]));
    assert_eq!(
        run(&[none(&[0, 2]), ArrayD::ones(vec![1, 2])], |x| x[0].concat(0, &[x[1]]))[0].shape(),
        [1, 2]
    );
    assert_eq!(run(&[ArrayD::ones(vec![2, 3])], |x| x[0].slice(1, 2, 2))[1], ArrayD::zeros(vec![2, 3]));
}

#[test]
fn activations_at_the_extremes() {
    let x = arr1(&[-f32::MAX, -1e20, -1e4, -20.0, -1e-40, 0.0, 1e-40, 20.0, 1e4, 1e20, f32::MAX]).into_dyn();
    for f in [(|x| x.gelu()) as Unary, |x| x.gelu_tanh(), |x| x.relu()] {
        let [y, dx] = &run(std::slice::from_ref(&x), |x| f(x[0]))[..] else { panic!() };
        for i in 0..x.len() {
            let (x, slope) = (x[i], dx[i] / (i + 1) as f32);
            assert_eq!(
                y[i],
                if x < -1.0 {
                    0.0
                } else if x > 1.0 {
                    x
                } else {
                    y[i]
                }
            );
            assert!(y[i].abs() <= x.abs(), "{x}: {}", y[i]);
            assert!(
                if x.abs() > 1.0 { slope == f32::from(x > 0.0) } else { (0.0..=1.0).contains(&slope) },
                "{x}: {slope}"
            );
        }
    }
    let [y, dx] = &run(&[x], |x| x[0].tanh())[..] else { panic!() };
    assert!(y.iter().all(|y| y.abs() <= 1.0) && dx.iter().all(|d| d.is_finite()));
}

/// Label smoothing and z-loss of logits of ten thousand: large, but numbers, and so are their gradients.
#[test]
fn regularized_losses_of_ten_thousand() {
    let x = arr2(&[[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]]).into_dyn();
    for (label_smoothing, z_loss) in [(0.1, 0.0), (0.0, 1e-4), (0.1, 1e-4)] {
        let regularizer = Regularizer { label_smoothing, z_loss };
        let result = run(std::slice::from_ref(&x), |x| {
            x[0].regularized_cross_entropy(&[1, 0, 0], &[1.0; 3], 3.0, regularizer)
        });
        assert!(all_finite(&result), "{regularizer:?}: {result:?}");
        // Per row: lse - (1 - smoothing) z_t - smoothing mean(z) + z_loss lse^2
        let rows = [(1e4, -1e4, 0.0), (3f64.ln() - 1e4, -1e4, -1e4), (2f64.ln() + 1e4, 1e4, 1e4 / 3.0)];
        let (smoothing, z_loss) = (f64::from(label_smoothing), f64::from(z_loss));
        let row = |(lse, z, mean)| lse - (1.0 - smoothing) * z - smoothing * mean + z_loss * lse * lse;
        let expected: f64 = rows.into_iter().map(row).sum::<f64>() / 3.0;
        assert!((f64::from(result[0][[]]) / expected - 1.0).abs() < 1e-6, "{} {expected}", result[0]);
    }
}

#[test]
fn binary_cross_entropy_of_ten_thousand() {
    let z = arr1(&[1e4, 1e4, -1e4, -1e4, 0.0]).into_dyn();
    let [loss, dz] = &run(&[z], |z| z[0].bce_with_logits(&[1.0, 0.0, 1.0, 0.0, 1.0], &[1.0; 5], 1.0))[..]
    else {
        panic!()
    };
    assert!((f64::from(loss[[]]) / (2e4 + 2f64.ln()) - 1.0).abs() < 1e-6, "{loss}");
    assert_eq!(*dz, arr1(&[0.0, 1.0, -1.0, 0.0, -0.5]).into_dyn());
    // A confident right answer keeps the digits of its small gradient.
    let dz = run(&[arr1(&[30.0, -30.0]).into_dyn()], |z| z[0].bce_with_logits(&[1.0, 0.0], &[1.0; 2], 1.0));
    let p = (-30f64).exp();
    for (found, expected) in dz[1].iter().zip([-p, p]) {
        assert!((f64::from(*found) / expected - 1.0).abs() < 1e-6, "{found} {expected}");
    }
}

/// What does not count is not looked at, and where nothing counts there is no loss.
#[test]
fn elements_of_weight_zero_are_ignored() {
    let losses: [Weighted; 2] = [
        |z, weights, total| z.bce_with_logits(&[1.0, 0.5], weights, total),
        |z, weights, total| z.mse(&[1.0, f32::NAN], weights, total),
    ];
    for loss in losses {
        let z = || arr1(&[0.5, f32::NAN]).into_dyn();
        let with = run(&[z()], |z| loss(z[0], &[2.0, 0.0], 2.0));
        assert!(all_finite(&with) && with[0][[]] > 0.0 && with[1][1] == 0.0, "{with:?}");
        assert!(run(&[z()], |z| loss(z[0], &[1.0, 1.0], 2.0)).iter().any(|x| x.iter().any(|x| x.is_nan())));
        let none = run(&[z()], |z| loss(z[0], &[1.0, 1.0], 0.0));
        assert_eq!(none[0][[]], 0.0);
    }
}

/// A value is an index into its own tape: taken for one of another tape's, it would be whatever stands there.
#[test]
fn values_of_two_tapes_do_not_mix() {
    let (mut params, workspace) = (Params::new(), Workspace::new());
    let w = params.add("w", [], |w| w.fill(7.0));
    let (one, other) = (Tape::new(&params, &workspace), Tape::new(&params, &workspace));
    let scalar = |x: f32| arr0(x).into_dyn();
    let (x, y) = (one.constant(&scalar(1.0)), other.constant(&scalar(1000.0)));
    let refusal = |attempt: &dyn Fn()| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt));
        *caught.expect_err("a value of another tape was accepted").downcast::<String>().expect("a message")
    };
    let w = other.param(w);
    let known = [
        (refusal(&|| drop((x + y).value())), "add: expected values of one tape; found input 1, %0 [],"),
        (refusal(&|| drop(one.apply(tensor::ops::add::Add, &[y, y]).value())), "add: expected"),
        (
            refusal(&|| drop(x.concat(0, &[x, w]).value())),
            "concat: expected values of one tape; found input 2, w []",
        ),
        (refusal(&|| one.free_since(0, &[y])), "free_since: expected values of one tape"),
    ];
    for (message, expected) in known {
        assert!(message.starts_with(expected) && message.contains("tape.constant(&x.value())"), "{message}");
    }
    assert_eq!((x + one.constant(&y.value())).item(), 1001.0);
}
