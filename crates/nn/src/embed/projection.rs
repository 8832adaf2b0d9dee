//! From vectors of one width to vectors of another, keeping their products as well as possible.
//!
//! Products are what vectors mean: a model's scores are products. To more dimensions, a matrix with orthonormal
//! columns keeps every product exactly. To fewer, the best that a linear map can do is to project on the main axes
//! of the vectors (their principal components; Eckart & Young 1936); a random orthonormal matrix, scaled, keeps
//! products on average (Johnson & Lindenstrauss 1984), and costs less.
//!
//! All in f64 with + - * / and square roots, in a fixed order: the same bits on every machine.

use random::Rng;

/// The widest vectors whose main axes are computed: the time grows with the third power, to a minute at 1024.
pub const MAX_PCA_DIM: usize = 1024;

/// How vectors are brought to fewer dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Projection {
    /// On their main axes.
    #[default]
    Pca,
    /// On random axes at right angles.
    Random,
}

/// `rows` x `columns` numbers, row by row: a random matrix whose rows (or columns, if those are fewer) have length
/// one and are at right angles. Gram-Schmidt on normal vectors, every direction being equally likely.
#[must_use]
pub fn random_orthonormal(rows: usize, columns: usize, rng: &mut Rng) -> Vec<f64> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| f64::from(rng.normal())).collect();
        for _ in 0..2 {
            // Twice is enough: what rounding leaves after the first time is gone after the second.
            for axis in &basis {
                let along = dot(&vector, axis);
                vector.iter_mut().zip(axis).for_each(|(x, a)| *x -= along * a);
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        if norm > 1e-6 {
            vector.iter_mut().for_each(|x| *x /= norm);
            basis.push(vector);
        }
    }
    let at =
        |row: usize, column: usize| if rows <= columns { basis[row][column] } else { basis[column][row] };
    (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))).map(|(r, c)| at(r, c)).collect()
}

/// The `count` main axes of vectors of `dim` numbers, row by row, the one with the most of their squares first:
/// eigenvectors of the sum of x x^T. (The mean is not subtracted, so that products are what is kept.)
///
/// # Panics
/// If more axes are asked for than there are dimensions.
#[must_use]
pub fn principal_axes<'a>(vectors: impl Iterator<Item = &'a [f32]>, dim: usize, count: usize) -> Vec<f64> {
    assert!(count <= dim, "principal_axes: {count} axes in {dim} dimensions");
    let mut squares = vec![0.0; dim * dim];
    for x in vectors {
        for (i, &a) in x.iter().enumerate() {
            let row = &mut squares[i * dim..(i + 1) * dim];
            row.iter_mut().zip(x).for_each(|(sum, &b)| *sum += f64::from(a) * f64::from(b));
        }
    }
    let (values, axes) = symmetric_eigen(squares, dim);
    let mut order: Vec<usize> = (0..dim).collect();
    order.sort_by(|&i, &j| values[j].total_cmp(&values[i]).then(i.cmp(&j)));
    order[..count].iter().flat_map(|&i| axes[i * dim..(i + 1) * dim].to_vec()).collect()
}

/// Eigenvalues and eigenvectors (row by row) of a symmetric n x n matrix, by Jacobi's method of 1846: rotate two
/// axes so that the entry between them becomes 0, pair after pair, until all are. Each rotation moves weight from
/// beside the diagonal onto it; about seven rounds suffice.
fn symmetric_eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut axes = vec![0.0; n * n];
    (0..n).for_each(|i| axes[i * n + i] = 1.0);
    let total: f64 = a.iter().map(|x| x * x).sum();
    for _round in 0..60 {
        let beside: f64 =
            (0..n).map(|i| a[i * n + i + 1..(i + 1) * n].iter().map(|x| x * x).sum::<f64>()).sum();
        if !(beside > 1e-30 * total) {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let off = a[p * n + q];
                if off == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let cos = 1.0 / (t * t + 1.0).sqrt();
                rotate_rows(&mut a, n, p, q, (cos, t * cos));
                (0..n).for_each(|i| {
                    let (x, y) = (a[i * n + p], a[i * n + q]);
                    (a[i * n + p], a[i * n + q]) = (cos * x - t * cos * y, t * cos * x + cos * y);
                });
                rotate_rows(&mut axes, n, p, q, (cos, t * cos));
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), axes)
}

/// Rows p and q (p < q) become cos p - sin q and sin p + cos q.
fn rotate_rows(a: &mut [f64], n: usize, p: usize, q: usize, (cos, sin): (f64, f64)) {
    let (before, from_q) = a.split_at_mut(q * n);
    for (x, y) in before[p * n..(p + 1) * n].iter_mut().zip(&mut from_q[..n]) {
        (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
    }
}

/// A matrix of rows times a vector.
pub(super) fn apply(matrix: &[f64], x: &[f32]) -> Vec<f32> {
    let product = |row: &[f64]| row.iter().zip(x).map(|(m, &x)| m * f64::from(x)).sum::<f64>() as f32;
    matrix.chunks(x.len()).map(product).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::Stream;

    #[test]
    fn random_matrices_are_orthonormal() {
        for (rows, columns) in [(1, 1), (3, 8), (8, 3), (40, 40), (1, 5)] {
            let q = random_orthonormal(rows, columns, &mut Rng::new(2, Stream::Init));
            let at =
                |i: usize, k: usize| if rows <= columns { q[i * columns + k] } else { q[k * columns + i] };
            let (count, length) = (rows.min(columns), rows.max(columns));
            for i in 0..count {
                for j in 0..count {
                    let product: f64 = (0..length).map(|k| at(i, k) * at(j, k)).sum();
                    assert!(
                        (product - f64::from(u8::from(i == j))).abs() <= 1e-12,
                        "{rows}x{columns} {i} {j}"
                    );
                }
            }
        }
    }

    #[test]
    fn axes_diagonalise_and_are_in_order() {
        let (n, mut rng) = (12, Rng::new(3, Stream::Init));
        let half: Vec<f64> = (0..n * n).map(|_| f64::from(rng.normal())).collect();
        let a: Vec<f64> = (0..n * n).map(|i| half[i] + half[i % n * n + i / n]).collect();
        let (values, axes) = symmetric_eigen(a.clone(), n);
        for (value, axis) in values.iter().zip(axes.chunks(n)) {
            for (row, x) in a.chunks(n).zip(axis) {
                assert!((dot(row, axis) - value * x).abs() <= 1e-12 * 100.0);
            }
            assert!((dot(axis, axis) - 1.0).abs() <= 1e-12);
        }
    }

    /// Vectors that lie in a plane of seven dimensions lose nothing when projected on two axes.
    #[test]
    fn main_axes_keep_what_there_is() {
        let mut rng = Rng::new(4, Stream::Init);
        let plane = random_orthonormal(2, 7, &mut rng);
        let vectors: Vec<Vec<f32>> = (0..30)
            .map(|_| {
                let (x, y) = (f64::from(rng.normal()), 3.0 * f64::from(rng.normal()));
                (0..7).map(|k| (x * plane[k] + y * plane[7 + k]) as f32).collect()
            })
            .collect();
        let axes = principal_axes(vectors.iter().map(|v| &v[..]), 7, 2);
        let projected: Vec<Vec<f32>> = vectors.iter().map(|v| apply(&axes, v)).collect();
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        for i in 0..30 {
            for j in 0..30 {
                let (before, after) =
                    (product(&vectors[i], &vectors[j]), product(&projected[i], &projected[j]));
                assert!((before - after).abs() <= 1e-4, "{before} became {after}");
            }
        }
        let squares = |axis: usize| projected.iter().map(|v| v[axis] * v[axis]).sum::<f32>();
        assert!(squares(0) > squares(1));
    }
}
