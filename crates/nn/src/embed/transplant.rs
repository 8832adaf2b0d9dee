//! Word vectors as the beginning of a model's embedding.

use super::projection::{Projection, apply, principal_axes, random_orthonormal};
use random::Rng;

/// An embedding table made from loaded vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Transplant {
    /// The table, row by row.
    pub table: Vec<f32>,
    /// How many rows were loaded. The others are random.
    pub loaded: usize,
    /// The standard deviation of the loaded rows' numbers in the table, and of the random rows.
    pub std: f64,
}

impl Transplant {
    /// A table of rows of `width` numbers. `vectors` holds, for every row, the loaded vector of `dim` numbers, or
    /// `None`.
    ///
    /// - If `dim` is not `width` the vectors are projected ([`Projection`]; to more dimensions always by a
    ///   random orthonormal matrix, which keeps all products).
    /// - All are multiplied by one factor, so that their numbers have the standard deviation `std`; `None` keeps
    ///   them as they are. Vectors of word2vec and GloVe are about ten times longer than a GPT's rows at the
    ///   beginning: unscaled, a tied head answers with extreme probabilities, and the model has to unlearn
    ///   them first.
    /// - Rows without a vector are normal with the standard deviation of the others.
    ///
    /// `None` if no row has a vector, or all are zero.
    ///
    /// # Panics
    /// If a vector has not `dim` numbers.
    #[must_use]
    pub fn new(
        vectors: &[Option<&[f32]>],
        dim: usize,
        width: usize,
        projection: Projection,
        std: Option<f64>,
        rng: &mut Rng,
    ) -> Option<Self> {
        assert!(vectors.iter().flatten().all(|v| v.len() == dim), "Transplant: expected vectors of {dim}");
        let matrix = matrix(vectors, dim, width, projection, rng);
        let project = |v: &[f32]| matrix.as_ref().map_or_else(|| v.to_vec(), |matrix| apply(matrix, v));
        let mut rows: Vec<Option<Vec<f32>>> = vectors.iter().map(|v| v.map(project)).collect();
        let found = standard_deviation(rows.iter().flatten().flatten())?;
        let std = std.unwrap_or(found);
        let factor = (std / found) as f32;
        rows.iter_mut().flatten().flatten().for_each(|x| *x *= factor);
        let mut table = vec![0.0; vectors.len() * width];
        for (to, row) in table.chunks_mut(width).zip(&rows) {
            match row {
                Some(row) => to.copy_from_slice(row),
                None => rng.fill_normal(to, 0.0, std as f32),
            }
        }
        Some(Self { table, loaded: rows.iter().flatten().count(), std })
    }
}

fn matrix(
    vectors: &[Option<&[f32]>],
    dim: usize,
    width: usize,
    projection: Projection,
    rng: &mut Rng,
) -> Option<Vec<f64>> {
    if dim == width {
        return None;
    }
    let pca = projection == Projection::Pca && dim > width;

    Some(if pca {
        principal_axes(vectors.iter().flatten().copied(), dim, width)
    } else {
        random_orthonormal(width, dim, rng)
    })
}

/// sqrt(mean (x - mean)^2), if there is any spread.
fn standard_deviation<'a>(numbers: impl Iterator<Item = &'a f32> + Clone) -> Option<f64> {
    let n = numbers.clone().count() as f64;
    let mean = numbers.clone().map(|&x| f64::from(x)).sum::<f64>() / n;
    let square = |x: f64| x * x;
    let variance = numbers.map(|&x| square(f64::from(x) - mean)).sum::<f64>() / n;
    (variance > 0.0).then(|| variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::Stream;

    const N: usize = 300;

    /// Vectors of 6 numbers for two rows of three.
    fn vectors() -> Vec<Option<Vec<f32>>> {
        let mut rng = Rng::new(1, Stream::Init);
        let mut vector = || {
            let mut v = vec![0.0; 6];
            rng.fill_normal(&mut v, 0.0, 0.4);
            v
        };
        (0..N).map(|row| (row % 3 != 0).then(&mut vector)).collect()
    }

    fn transplant(width: usize, projection: Projection, std: Option<f64>) -> Transplant {
        let vectors = vectors();
        let vectors: Vec<Option<&[f32]>> = vectors.iter().map(Option::as_deref).collect();
        Transplant::new(&vectors, 6, width, projection, std, &mut Rng::new(2, Stream::Init)).unwrap()
    }

    fn product(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn vectors_of_the_right_width_are_taken_as_they_are() {
        let made = transplant(6, Projection::Pca, None);
        assert_eq!(made.loaded, 200);
        for (row, vector) in made.table.chunks(6).zip(vectors()) {
            assert!(vector.is_none_or(|vector| vector == row));
        }
        let random: Vec<f32> = made.table.chunks(6).step_by(3).flatten().copied().collect();
        let std = standard_deviation(random.iter()).unwrap();
        assert!((std / made.std - 1.0).abs() < 0.1 && (made.std - 0.4).abs() < 0.03, "{std} {}", made.std);
    }

    #[test]
    fn more_dimensions_keep_all_products_up_to_the_scale() {
        for projection in [Projection::Pca, Projection::Random] {
            let made = transplant(10, projection, Some(0.02));
            let row = |i: usize| &made.table[i * 10..][..10];
            let vectors = vectors();
            let (a, b) = (vectors[1].as_ref().unwrap(), vectors[2].as_ref().unwrap());
            let scale = product(row(1), row(1)) / product(a, a);
            assert!((product(row(1), row(2)) - scale * product(a, b)).abs() <= 1e-6);
            let loaded: Vec<f32> = (0..N).filter(|i| i % 3 != 0).flat_map(row).copied().collect();
            assert!((standard_deviation(loaded.iter()).unwrap() - 0.02).abs() <= 1e-6);
        }
    }

    #[test]
    fn fewer_dimensions_and_the_same_bits_again() {
        for projection in [Projection::Pca, Projection::Random] {
            let made = transplant(4, projection, Some(0.02));
            assert_eq!(made.table.len(), 4 * N);
            assert_eq!(made, transplant(4, projection, Some(0.02)));
        }
        assert_ne!(transplant(4, Projection::Pca, None).table, transplant(4, Projection::Random, None).table);
    }

    #[test]
    fn nothing_loaded_is_no_transplant() {
        let mut rng = Rng::new(1, Stream::Init);
        assert_eq!(Transplant::new(&[None, None], 3, 3, Projection::Pca, None, &mut rng), None);
        let zero: &[f32] = &[0.0; 3];
        assert_eq!(Transplant::new(&[None, Some(zero)], 3, 3, Projection::Pca, None, &mut rng), None);
    }
}
