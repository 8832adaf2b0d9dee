//! Positions as sines and cosines.

use ndarray::{Array2, ArrayD};
use std::f64::consts::{SQRT_2, TAU};
use tensor::{Tape, Var};

/// A fixed vector for each position, which is added to the token's (Vaswani et al. 2017, section 3.5): the features of even
/// number are sines, the others cosines, at frequencies from 1 down to 1/10,000 radian a position. No parameters.
///
/// Their mean square is that of freshly initialised embeddings, 0.02^2, or they would drown them; the paper multiplies
/// the embeddings instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Sinusoids {
    table: ArrayD<f32>, // (count, width)
}

impl Sinusoids {
    /// For `count` positions and `width` features.
    #[must_use]
    pub fn new(count: usize, width: usize) -> Self {
        let table = Array2::from_shape_fn((count, width), |(t, j)| {
            let frequency = random::exp(-random::ln(1e4) * (j / 2 * 2) as f64 / width as f64);
            let (sin, cos) = random::sin_cos_turns((t as f64 * frequency / TAU).fract());
            (0.02 * SQRT_2 * if j.is_multiple_of(2) { sin } else { cos }) as f32
        });
        Self { table: table.into_dyn() }
    }

    /// The vectors of all positions, (count, C), on a tape.
    #[must_use]
    pub fn on<'t>(&self, tape: &'t Tape<'_>) -> Var<'t> {
        tape.constant(&self.table)
    }

    /// The vectors of these positions, (positions, C), on a tape that does not record.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn of<'t>(&self, tape: &'t Tape<'_>, positions: &[u32]) -> Var<'t> {
        let width = self.table.shape()[1];
        tape.compute(&[], [positions.len(), width].into(), |_, y| {
            for (y, &t) in y.chunks_mut(width).zip(positions) {
                y.copy_from_slice(self.at(t as usize));
            }
        })
    }

    fn at(&self, t: usize) -> &[f32] {
        let width = self.table.shape()[1];
        &self.table.as_slice().expect("row-major")[t * width..(t + 1) * width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_papers() {
        let sinusoids = Sinusoids::new(100, 6);
        let slower = 1e4f64.powf(1.0 / 3.0); // from one pair of features to the next
        for (t, j, angle) in [(0, 0, 0.0), (7, 0, 7.0), (99, 2, 99.0 / slower), (3, 4, 3.0 / slower / slower)]
        {
            let [sin, cos] = [j, j + 1].map(|j| f64::from(sinusoids.at(t)[j]) / (0.02 * SQRT_2));
            assert!((sin - f64::sin(angle)).abs() < 1e-6 && (cos - f64::cos(angle)).abs() < 1e-6, "{t} {j}");
        }
    }
}
