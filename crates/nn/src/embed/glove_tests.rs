//! The step against its definition, and the table against its factors.

use super::*;

#[test]
fn a_step_is_the_numeric_gradient_of_the_definition() {
    let (dim, x, x_max, lr) = (19, 3.0, 10.0, 1e-2f32);
    let mut rng = Rng::new(5, Stream::Other(0));
    let mut part = |scale: f32| {
        let mut part = Part::new(1, dim, &mut rng);
        rng.fill_normal(part.rows.row_mut(0), 0.0, scale);
        part
    };
    let (mut word, mut context) = (part(0.5), part(0.7));
    let numbers = |word: &Part, context: &Part| -> Vec<f64> {
        let all = word.rows.row(0).iter().chain(context.rows.row(0)).chain(&word.bias).chain(&context.bias);
        all.map(|&x| f64::from(x)).collect()
    };
    let before = numbers(&word, &context);
    let weight = weight(x, x_max) as f32;
    let entries = [Entry { word: 0, context: 0, ln_x: random::ln(x) as f32, weight }];
    let loss = dispatch(Steps { word: &mut word, context: &mut context, entries: &entries, lr });
    let after = numbers(&word, &context);
    let definition =
        |p: &[f64]| entry_loss(&p[..dim], &p[dim..2 * dim], p[2 * dim], p[2 * dim + 1], x, x_max);
    assert!((loss - definition(&before)).abs() <= 1e-5, "{loss}");
    for i in 0..before.len() {
        let at = |h: f64| {
            let mut p = before.clone();
            p[i] += h;
            definition(&p)
        };
        let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
        let step = (before[i] - after[i]) / f64::from(lr); // the squares are 1
        assert!((step - numeric).abs() <= 3e-5, "{i}: {step} but {numeric}");
        // The analytic formulas, in f64.
        let (w, u) = before.split_at(dim);
        let dot: f64 = w.iter().zip(u).map(|(w, u)| w * u).sum();
        let e = (x / x_max).powf(0.75) * (dot + before[2 * dim] + before[2 * dim + 1] - x.ln());
        let analytic = if i < dim {
            e * u[i]
        } else if i < 2 * dim {
            e * w[i - dim]
        } else {
            e
        };
        assert!((analytic - numeric).abs() <= 1e-8, "{i}: {analytic} but {numeric}");
        if i < dim {
            let squares = f64::from(word.squares.row(0)[i]);
            assert!((squares - 1.0 - (f64::from(lr) * analytic).powi(2)).abs() <= 1e-6);
        }
    }
}

#[test]
fn swapping_words_and_contexts_changes_nothing() {
    let (w, u) = ([0.3, -0.2, 0.5], [0.1, 0.9, -0.4]);
    let loss = entry_loss(&w, &u, 0.1, -0.3, 5.0, 10.0);
    assert_eq!(loss, entry_loss(&u, &w, -0.3, 0.1, 5.0, 10.0));
}

/// X_ij = exp(a_i . b_j + p_i + q_j) with vectors of 3 numbers can be reproduced exactly by vectors of 8.
#[test]
fn the_loss_of_a_factorisable_table_goes_to_zero() {
    let v = 40;
    let mut rng = Rng::new(6, Stream::Other(0));
    let mut factors = || -> Vec<[f64; 4]> {
        (0..v).map(|_| std::array::from_fn(|_| 0.6 * f64::from(rng.normal()))).collect()
    };
    let (a, b) = (factors(), factors());
    let entry = |i: usize, j: usize| {
        let exponent: f64 = (0..3).map(|k| a[i][k] * b[j][k]).sum::<f64>() + a[i][3] + b[j][3] + 2.0;
        (i as u32, j as u32, exponent.exp())
    };
    let x = Cooccurrence::new((0..v).flat_map(|i| (0..v).map(move |j| entry(i, j))).collect());
    let config = GloveConfig { dim: 8, epochs: 2000, x_max: 5.0, learning_rate: 0.1, seed: 1 };
    let mut glove = Glove::new(config, &x, v);
    let mut losses = Vec::new();
    glove.train(|epoch, loss| {
        assert_eq!(epoch, losses.len() + 1);
        losses.push(loss);
    });
    let last = losses[losses.len() - 1];
    println!("mean loss an entry: {:.3} in epoch 1, {last:.2e} in epoch {}", losses[0], losses.len());
    assert!(last <= 1e-8, "{} to {last}", losses[0]);
    for &(i, j, x) in x.entries() {
        assert!((glove.score(i, j) - x.ln()).abs() <= 1e-2, "({i}, {j})");
    }
}
