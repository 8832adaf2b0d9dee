//! Parameters of which a step reaches few rows: the same numbers as for any other, and only those rows move.

use nn::optim::{AdamW, AdamWConfig, Group, Optimizer};
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
    let mut optimizer = AdamW::with_groups(&params, AdamWConfig::default(), |params, id| Group {
        decays: true,
        lr_scale: if params.is_sparse(id) { 3.0 } else { 1.0 },
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
    let group =
        |params: &Params, id| Group { decays: true, lr_scale: if params.is_sparse(id) { 0.5 } else { 1.0 } };
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
