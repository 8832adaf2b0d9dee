//! Normally distributed numbers by Box and Muller's method (1958).

use crate::Rng;
use crate::elementary::{ln, sin_cos_turns};

impl Rng {
    /// A number from the standard normal distribution (mean 0, standard deviation 1).
    ///
    /// Box-Muller: with u and v uniform in (0, 1], the point at the distance sqrt(-2 ln u) in the
    /// direction of v turns has two independent normal coordinates. One is returned, the other
    /// thrown away: keeping it for the next call would be hidden state, to be saved in checkpoints
    /// and wrong after someone draws another kind of number in between. Uses four 32-bit words.
    /// The largest value possible is sqrt(106 ln 2) = 8.57.
    pub fn normal(&mut self) -> f32 {
        self.normal_pair().0 as f32
    }

    /// Fills a slice with normal numbers of the given mean and standard deviation.
    ///
    /// Uses both coordinates of every Box-Muller point (for an odd length the last one drops its
    /// second), so it is twice as fast as, and gives other numbers than, [`Rng::normal`] in a loop.
    ///
    /// ```
    /// use random::{Rng, Stream};
    /// let mut weight = vec![0.0; 768 * 768];
    /// Rng::new(1337, Stream::Init).fill_normal(&mut weight, 0.0, 0.02); // GPT-2's initialisation
    /// assert!(weight.iter().all(|w| w.abs() < 0.02 * 8.6));
    /// ```
    pub fn fill_normal(&mut self, out: &mut [f32], mean: f32, std: f32) {
        for pair in out.chunks_mut(2) {
            let (cos, sin) = self.normal_pair();
            pair[0] = mean + std * cos as f32;
            if let Some(second) = pair.get_mut(1) {
                *second = mean + std * sin as f32;
            }
        }
    }

    /// Two independent standard normal numbers, (the cosine one, the sine one), in f64.
    fn normal_pair(&mut self) -> (f64, f64) {
        let u = 1.0 - self.f64(); // in (0, 1]: ln 0 is infinite
        let v = self.f64();
        let radius = (-2.0 * ln(u)).sqrt();
        let (sin, cos) = sin_cos_turns(v);
        (radius * cos, radius * sin)
    }
}
