//! Random inputs for the checks of operations and kernels.

use ndarray::ArrayD;
use random::{Rng, Stream};

/// Random inputs for checks.
pub struct Draw(Rng);

impl Draw {
    /// The same inputs for the same seed, on every machine.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::new(seed, Stream::Other(0)))
    }

    /// A size from `low` to `high`, both included.
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        low + self.0.below((high - low + 1) as u64) as usize
    }

    /// One of these.
    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.size(0, from.len() - 1)]
    }

    /// A normal number, mean 0 and variance 1.
    pub fn normal(&mut self) -> f32 {
        self.0.normal()
    }

    /// A uniform number from `low` to `high`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.f32()
    }

    /// Normal numbers.
    pub fn array(&mut self, shape: &[usize]) -> ArrayD<f32> {
        ArrayD::from_shape_simple_fn(shape, || self.normal())
    }

    /// Uniform numbers from `low` to `high`.
    pub fn array_in(&mut self, shape: &[usize], low: f32, high: f32) -> ArrayD<f32> {
        ArrayD::from_shape_simple_fn(shape, || self.uniform(low, high))
    }

    /// Normal numbers kept at least 0.01 away from zero: for functions with a kink or a pole there.
    pub fn array_away_from_zero(&mut self, shape: &[usize]) -> ArrayD<f32> {
        self.array(shape).mapv(|x| if x < 0.0 { x - 0.01 } else { x + 0.01 })
    }

    /// A random shape of `rank` axes, each of 1 to `high` elements.
    pub fn shape(&mut self, rank: usize, high: usize) -> Vec<usize> {
        (0..rank).map(|_| self.size(1, high)).collect()
    }

    /// A random shape of any rank from a scalar to three axes, each of 1 to 7 elements.
    pub fn any_shape(&mut self) -> Vec<usize> {
        let rank = self.size(0, 3);
        self.shape(rank, 7)
    }

    /// A random number of a wide range, for seeds.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Two random shapes that broadcast: equal ones, missing axes, axes of size 1 on either side.
    pub fn shapes_that_broadcast(&mut self) -> [Vec<usize>; 2] {
        let rank = self.size(0, 3);
        let output = self.shape(rank, 5);
        [0, 1].map(|_| {
            let missing = if self.size(0, 2) == 0 { self.size(0, rank) } else { 0 };
            let ones = self.size(0, 1) == 0;
            let mut shrink = |size: &usize| if ones && self.size(0, 2) == 0 { 1 } else { *size };
            output[missing..].iter().map(&mut shrink).collect()
        })
    }
}
