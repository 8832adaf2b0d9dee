//! Which words are near a point.

use tensor::kernels::matvec::matvec;

/// Vectors scaled to length one, so that a product of two is the cosine of their angle: 1 for the same direction,
/// 0 for unrelated ones.
///
/// ```
/// use nn::embed::Neighbours;
/// let neighbours = Neighbours::new(&[1.0, 0.0, 3.0, 4.0, -2.0, 0.0], 2);
/// assert_eq!(neighbours.nearest(&[1.0, 0.0], 2, &[0]), [(1, 0.6), (2, -1.0)]);
/// ```
pub struct Neighbours {
    unit: Vec<f32>,
    dim: usize,
}

impl Neighbours {
    /// For these vectors of `dim` numbers, row by row. A vector of zeros stays one: it is near nothing.
    ///
    /// # Panics
    /// If the numbers are not whole rows.
    #[must_use]
    pub fn new(vectors: &[f32], dim: usize) -> Self {
        assert!(dim > 0 && vectors.len().is_multiple_of(dim), "{} numbers in rows of {dim}", vectors.len());
        Self { unit: vectors.chunks(dim).flat_map(unit).collect(), dim }
    }

    /// The unit vector of a word.
    ///
    /// # Panics
    /// If there is no such word.
    #[must_use]
    pub fn unit(&self, word: u32) -> &[f32] {
        &self.unit[word as usize * self.dim..][..self.dim]
    }

    /// The cosine of two words' vectors.
    ///
    /// # Panics
    /// If there are no such words.
    #[must_use]
    pub fn cosine(&self, a: u32, b: u32) -> f32 {
        self.unit(a).iter().zip(self.unit(b)).map(|(a, b)| a * b).sum()
    }

    /// The `n` words nearest to a point, nearest first, with their cosines; words in `without` are left out. At the
    /// same cosine the lower number comes first.
    ///
    /// # Panics
    /// If the point has another number of dimensions.
    #[must_use]
    pub fn nearest(&self, point: &[f32], n: usize, without: &[u32]) -> Vec<(u32, f32)> {
        let mut cosines = vec![0.0; self.unit.len() / self.dim];
        let point: Vec<f32> = unit(point).collect();
        matvec(&self.unit, &point, 1, None, &mut cosines);
        let all = (0..).zip(cosines).filter(|(word, _)| !without.contains(word));
        let mut all: Vec<(u32, f32)> = all.collect();
        let nearest_first = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if n < all.len() {
            all.select_nth_unstable_by(n, nearest_first);
            all.truncate(n);
        }
        all.sort_by(nearest_first);
        all
    }

    /// The `n` words that best complete "b is to a as c is to ...": those nearest to a - b + c, the three left out.
    /// king - man + woman should be near queen (Mikolov, Yih & Zweig 2013; "3CosAdd").
    ///
    /// # Panics
    /// If there are no such words.
    #[must_use]
    pub fn analogy(&self, a: u32, b: u32, c: u32, n: usize) -> Vec<(u32, f32)> {
        let [x, y, z] = [a, b, c].map(|word| self.unit(word));
        let point: Vec<f32> = (0..self.dim).map(|i| x[i] - y[i] + z[i]).collect();
        self.nearest(&point, n, &[a, b, c])
    }
}

/// A vector divided by its length.
fn unit(vector: &[f32]) -> impl Iterator<Item = f32> {
    let length = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    let length = if length > 0.0 { length } else { 1.0 };
    vector.iter().map(move |&x| (f64::from(x) / length) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors made of two features each: the analogies are exact.
    #[test]
    fn features_add_and_subtract() {
        // king = male + royal, queen = female + royal, man, woman, apple
        let vectors = [1.0, 0.0, 2.0, 0.0, 1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, -1.0, 0.5];
        let neighbours = Neighbours::new(&vectors, 3);
        assert_eq!(neighbours.analogy(0, 2, 3, 1)[0].0, 1);
        assert_eq!(neighbours.analogy(1, 3, 2, 1)[0].0, 0);
        assert_eq!(neighbours.nearest(&[0.0, 0.0, 1.0], 10, &[]).len(), 5);
        assert!((neighbours.cosine(0, 1) - 0.8).abs() <= 1e-6);
    }

    #[test]
    fn ties_and_zeros_are_in_order() {
        let neighbours = Neighbours::new(&[0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 1.0], 2);
        let words: Vec<u32> = neighbours.nearest(&[5.0, 0.0], 3, &[]).iter().map(|x| x.0).collect();
        assert_eq!(words, [1, 2, 0]);
        assert_eq!(neighbours.nearest(&[0.0, 0.0], 1, &[]), [(0, 0.0)]);
    }
}
