//! How far numbers that were told go with the right ones.

/// Pearson's correlation: covariance over the product of the standard deviations, from -1 to 1. `None` if one of the two
/// is constant or there are none.
///
/// # Panics
/// If there are not as many of one as of the other.
#[must_use]
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "a number told for each right one");
    let n = x.len() as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |a: &[f64], mean_a: f64, b: &[f64], mean_b: f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum()
    };
    if [x, y].iter().any(|numbers| numbers.windows(2).all(|pair| pair[0] == pair[1])) {
        return None; // the mean of equal numbers may be another by rounding
    }
    let spread = (sum(x, mean_x, x, mean_x) * sum(y, mean_y, y, mean_y)).sqrt();
    (spread > 0.0).then(|| (sum(x, mean_x, y, mean_y) / spread).clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's of the ranks, equal numbers having the mean of theirs.
///
/// ```
/// use data::metrics::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 30.0], &[0.1, 0.2, 0.3]), Some(1.0)); // only the order counts
/// ```
///
/// # Panics
/// As [`pearson`].
#[must_use]
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    pearson(&ranks(x), &ranks(y))
}

/// The place of each number among all, from 1, the mean place of equals.
pub(super) fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let (mut ranks, mut before) = (vec![0.0; x.len()], 0);
    for equals in order.chunk_by(|&a, &b| x[a] == x[b]) {
        let rank = before as f64 + (equals.len() + 1) as f64 / 2.0;
        equals.iter().for_each(|&i| ranks[i] = rank);
        before += equals.len();
    }
    ranks
}
