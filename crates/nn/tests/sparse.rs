//! Parameters of which a step reaches few rows: the same numbers as for any other, and only those rows move.

use nn::optim::{AdamW, AdamWConfig, Group, Optimizer, SparseSgd, SparseSgdConfig, StateError, usual_group};
use tensor::{Grads, ParamId, Params, Tape, Workspace};

/// A table read by index and one that says it is sparse, with the same numbers.
fn two_tables() -> (Params, [ParamId; 2]) {
    let mut params = Params::new();
    let fill = |w: &mut [f32]| w.iter_mut().enumerate().for_each(|(i, w)| *w = (i as f32 * 0.7).sin());
    let ids = ["dense", "sparse"].map(|name| params.add(name, [50, 20], fill));
    params.set_sparse(ids[1], true);
    (params, ids)
}

/// Gradients of the rows of both tables that are read, from two micro-batches.
fn gradients_of_rows(params: &Params, ids: [ParamId; 2], grads: &mut Grads, reads: [&[u32]; 2]) {
    grads.clear();
    let workspace = Workspace::new();
    for rows in reads {
        let tape = Tape::new(params, &workspace);
        let squares = ids.map(|id| {
            let x = tape.param(id).embedding(rows, &[rows.len()]);
            (x * x * 0.5).sum()
        });
        (squares[0] + squares[1]).backward(grads);
    }
}

#[test]
fn what_is_sparse_has_the_gradients_of_what_is_dense_and_only_its_rows_move() {
    let (mut params, ids) = two_tables();
    let mut grads = Grads::new(&params);
    let mut optimizer = AdamW::with_groups(&params, AdamWConfig::default(), |params, id| {
        Some(Group { decays: true, lr_scale: if params.is_sparse(id) { 3.0 } else { 1.0 } })
    });
    for reads in [[&[3, 7, 3][..], &[49, 0]], [&[7, 8], &[7]], [&[1], &[1]]] {
        gradients_of_rows(&params, ids, &mut grads, reads);
        assert_eq!(grads.get(ids[0]), grads.get(ids[1]), "{reads:?}");
        let mut reached = reads.concat();
        reached.sort_unstable();
        reached.dedup();
        assert_eq!((grads.rows(ids[0]), grads.rows(ids[1])), (None, Some(&reached[..])));
        let (norm, g) = (grads.norm(), grads.get(ids[0]).unwrap());
        let exact = 2.0 * g.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
        assert!((norm.powi(2) / exact - 1.0).abs() < 1e-6);

        let before = params.data(ids[1]).to_vec();
        optimizer.step(&mut params, &grads, 0.01).unwrap();
        params.data_mut(ids[0]).copy_from_slice(&before); // the next gradients are of the same numbers
        let after = params.data(ids[1]).to_vec();
        for (row, (before, after)) in before.chunks(20).zip(after.chunks(20)).enumerate() {
            assert_eq!(before != after, reached.contains(&(row as u32)), "row {row}");
        }
        params.data_mut(ids[0]).copy_from_slice(&after);
    }
}

#[test]
fn a_row_that_is_reached_takes_the_step_of_a_dense_one_times_its_learning_rate() {
    let (mut params, ids) = two_tables();
    let mut grads = Grads::new(&params);
    gradients_of_rows(&params, ids, &mut grads, [&[4], &[9]]);
    let before = params.data(ids[0]).to_vec();
    let config = AdamWConfig { weight_decay: 0.0, ..AdamWConfig::default() };
    let group = |params: &Params, id| {
        Some(Group { decays: true, lr_scale: if params.is_sparse(id) { 0.5 } else { 1.0 } })
    };
    AdamW::with_groups(&params, config, group).step(&mut params, &grads, 0.01).unwrap();
    for i in [4 * 20, 4 * 20 + 19, 9 * 20 + 3] {
        let [dense, sparse] = ids.map(|id| params.data(id)[i] - before[i]);
        assert!((sparse / dense - 0.5).abs() < 1e-3 && dense.abs() > 0.005, "{dense} {sparse}");
    }
}

#[test]
fn gradients_added_and_scaled_keep_their_rows() {
    let (params, ids) = two_tables();
    let (mut grads, mut other) = (Grads::new(&params), Grads::new(&params));
    gradients_of_rows(&params, ids, &mut grads, [&[4], &[9]]);
    gradients_of_rows(&params, ids, &mut other, [&[4], &[11]]);
    grads.add(&other);
    grads.scale(0.25);
    assert_eq!(grads.get(ids[0]), grads.get(ids[1]));
    assert_eq!(grads.rows(ids[1]), Some(&[4, 9, 11][..]));
    // A use of the whole table reaches every row.
    let workspace = Workspace::new();
    let tape = Tape::new(&params, &workspace);
    tape.param(ids[1]).sum().backward(&mut other);
    assert_eq!(other.rows(ids[1]).map(<[u32]>::len), Some(50));
}

const CONFIG: SparseSgdConfig = SparseSgdConfig { lr_scale: 0.5, beta2: 0.9, eps: 1e-8 };

fn sparse_sgd(params: &Params) -> SparseSgd {
    let rest = AdamW::with_groups(params, AdamWConfig::default(), SparseSgd::leave(usual_group));
    SparseSgd::new(params, CONFIG, Box::new(rest))
}

/// Against the formula in f64, with clipping's factor, over steps that reach different rows; the dense table goes as with
/// AdamW alone.
#[test]
fn rows_go_along_their_gradients_and_the_rest_as_its_optimizer_says() {
    let (mut params, ids) = two_tables();
    let (mut alone, mut grads) = (params.clone(), Grads::new(&params));
    let mut optimizer = sparse_sgd(&params);
    let mut adamw = AdamW::with_groups(&params, AdamWConfig::default(), SparseSgd::leave(usual_group));
    let mut exact: Vec<f64> = params.data(ids[1]).iter().map(|&x| f64::from(x)).collect();
    let (mut square, mut weight) = (0.0, 0.0);
    for reads in [[&[3, 7, 3][..], &[49, 0]], [&[7, 8], &[7]], [&[1], &[1]]] {
        gradients_of_rows(&params, ids, &mut grads, reads);
        let g: Vec<f64> = grads.get(ids[1]).unwrap().iter().map(|&g| 0.25 * f64::from(g)).collect();
        let rows = grads.rows(ids[1]).unwrap().len();
        square = 0.9 * square + 0.1 * g.iter().map(|g| g * g).sum::<f64>() / (rows * 20) as f64;
        weight = 0.9 * weight + 0.1;
        let divisor = (square / weight).sqrt() + 1e-8;
        exact.iter_mut().zip(&g).for_each(|(p, g)| *p -= 0.01 * 0.5 * g / divisor);
        optimizer.step_scaled(&mut params, &grads, 0.01, 0.25).unwrap();
        adamw.step_scaled(&mut alone, &grads, 0.01, 0.25).unwrap();
        let found = params.data(ids[1]).iter().zip(&exact).map(|(&p, exact)| (f64::from(p) - exact).abs());
        assert!(found.fold(0.0, f64::max) < 1e-6);
        assert_eq!(params.data(ids[0]), alone.data(ids[0]));
    }
}

#[test]
fn what_is_remembered_of_a_table_is_put_back() {
    let (mut params, ids) = two_tables();
    let mut grads = Grads::new(&params);
    let mut whole = sparse_sgd(&params);
    gradients_of_rows(&params, ids, &mut grads, [&[3], &[4, 4]]);
    whole.step(&mut params, &grads, 0.01).unwrap();
    let state: Vec<(String, Vec<f32>)> =
        whole.state().into_iter().map(|(name, x)| (name, x.to_vec())).collect();
    let saved: Vec<(String, &[f32])> = state.iter().map(|(name, x)| (name.clone(), &x[..])).collect();
    let mut after = sparse_sgd(&params);
    after.load_state(whole.step_count(), &saved).unwrap();
    let mut again = params.clone();
    gradients_of_rows(&params, ids, &mut grads, [&[4], &[5]]);
    whole.step(&mut params, &grads, 0.01).unwrap();
    after.step(&mut again, &grads, 0.01).unwrap();
    assert_eq!(params.data(ids[1]), again.data(ids[1]));

    let missing = after.load_state(1, &saved[1..]);
    assert!(matches!(missing, Err(StateError::Missing { name }) if name == "mean_square.sparse"));
    let short = vec![(saved[0].0.clone(), &saved[0].1[..1])];
    assert!(matches!(after.load_state(1, &short), Err(StateError::Length { expected: 2, found: 1, .. })));
}

/// A table that rests, and is trained later, begins with steps of the usual size.
#[test]
fn a_table_that_was_frozen_begins_as_a_new_one() {
    let (mut params, ids) = two_tables();
    let mut grads = Grads::new(&params);
    let mut optimizer = sparse_sgd(&params);
    gradients_of_rows(&params, ids, &mut grads, [&[3], &[4]]);
    let before = params.data(ids[1]).to_vec();
    params.set_trainable(ids[1], false);
    for _ in 0..50 {
        optimizer.step(&mut params, &grads, 0.01).unwrap();
    }
    assert_eq!(params.data(ids[1]), before);
    params.set_trainable(ids[1], true);
    optimizer.step(&mut params, &grads, 0.01).unwrap();
    let squares = params.data(ids[1]).iter().zip(&before).map(|(a, b)| f64::from(a - b).powi(2));
    let root = (squares.sum::<f64>() / 40.0).sqrt(); // two rows of 20
    assert!((root / (0.01 * 0.5) - 1.0).abs() < 1e-4, "{root}");
}
