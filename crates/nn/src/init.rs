//! Initial values of parameters.

use random::Rng;
use tensor::Shape;

/// How a parameter is filled before training.
///
/// A layer y = W x sums `fan_in` products. If the weights are too large, values grow from layer to layer
/// until softmax saturates; too small, and they fade. The rules below keep the variance of what flows
/// through, forwards or backwards, near that of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All zero: biases; and output projections that should begin as "add nothing to the residual stream".
    Zeros,
    /// All one: the weights of norms.
    Ones,
    /// These two numbers: the weights of a blend.
    Pair(f32, f32),
    /// Normal numbers with mean 0.
    Normal {
        /// Their standard deviation.
        std: f32,
    },
    /// Uniform in +-sqrt(6 / fan_in), which has the variance 2 / fan_in: keeps the variance of what flows
    /// forwards through layers followed by ReLU, which throws half of it away. He et al. 2015, arXiv
    /// 1502.01852. `fan_in` is the last axis.
    KaimingUniform,
    /// Uniform in +-1 / sqrt(fan_in), with the variance 1 / (3 fan_in): how PyTorch begins linear layers, and peft the A of
    /// LoRA. `fan_in` is the last axis.
    LinearUniform,
    /// Uniform in +-sqrt(6 / (fan_in + fan_out)): a compromise between what flows forwards (variance
    /// 1 / fan_in) and the gradients that flow backwards (1 / fan_out). Glorot & Bengio 2010. `fan_out` and
    /// `fan_in` are the axes of a matrix.
    XavierUniform,
}

impl Init {
    /// GPT-2's for embeddings and linear layers: normal, 0.02.
    pub const GPT2: Self = Self::Normal { std: 0.02 };

    /// GPT-2's for the two projections of each block that add to the residual stream: normal,
    /// 0.02 / sqrt(2 n_layer). The stream is then a sum of 2 n_layer terms whose variances add up to that
    /// of one term at 0.02, whatever the depth.
    ///
    /// # Panics
    /// If there are no layers.
    #[must_use]
    pub fn residual(n_layer: usize) -> Self {
        assert!(n_layer > 0, "Init::residual: expected at least one layer");
        Self::Normal { std: (0.02 / (2.0 * n_layer as f64).sqrt()) as f32 }
    }

    /// Fills a tensor of this shape. Random numbers are drawn in row-major order.
    ///
    /// # Panics
    /// If this is a uniform initialisation and the shape is not a matrix, or a pair and there are not two
    /// elements.
    pub fn fill(self, shape: Shape, data: &mut [f32], rng: &mut Rng) {
        match self {
            Self::Zeros => data.fill(0.0),
            Self::Ones => data.fill(1.0),
            Self::Pair(first, second) => data.copy_from_slice(&[first, second]),
            Self::Normal { std } => rng.fill_normal(data, 0.0, std),
            Self::KaimingUniform => {
                let (_, fan_in) = matrix(shape);
                fill_uniform(data, (6.0 / fan_in as f64).sqrt(), rng);
            }
            Self::LinearUniform => {
                let (_, fan_in) = matrix(shape);
                fill_uniform(data, 1.0 / (fan_in as f64).sqrt(), rng);
            }
            Self::XavierUniform => {
                let (fan_out, fan_in) = matrix(shape);
                fill_uniform(data, (6.0 / (fan_in + fan_out) as f64).sqrt(), rng);
            }
        }
    }
}

fn matrix(shape: Shape) -> (usize, usize) {
    match shape[..] {
        [fan_out, fan_in] => (fan_out, fan_in),
        _ => panic!("this initialisation needs a matrix [fan_out, fan_in]; found {shape}"),
    }
}

fn fill_uniform(data: &mut [f32], bound: f64, rng: &mut Rng) {
    data.iter_mut().for_each(|x| *x = bound as f32 * (2.0 * rng.f32() - 1.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use random::Stream;

    fn filled(init: Init, shape: [usize; 2]) -> Vec<f32> {
        let mut data = vec![f32::NAN; shape[0] * shape[1]];
        init.fill(shape.into(), &mut data, &mut Rng::new(1337, Stream::Init));
        data
    }

    fn std(data: &[f32]) -> f64 {
        (data.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / data.len() as f64).sqrt()
    }

    fn largest(data: &[f32]) -> f32 {
        data.iter().fold(0.0, |m, x| x.abs().max(m))
    }

    #[test]
    fn constants() {
        assert!(filled(Init::Zeros, [3, 4]).iter().all(|&x| x == 0.0));
        assert!(filled(Init::Ones, [3, 4]).iter().all(|&x| x == 1.0));
    }

    #[test]
    fn spreads_are_those_of_the_papers() {
        // 200 x 300 numbers: the standard deviation is known to 0.3 %, and the largest is near the bound.
        assert!((std(&filled(Init::GPT2, [200, 300])) / 0.02 - 1.0).abs() < 0.015);
        assert!((std(&filled(Init::residual(8), [200, 300])) / 0.005 - 1.0).abs() < 0.015);
        let kaiming = filled(Init::KaimingUniform, [200, 300]);
        assert!((std(&kaiming) / (2.0f64 / 300.0).sqrt() - 1.0).abs() < 0.015);
        assert!((f64::from(largest(&kaiming)) / (6.0f64 / 300.0).sqrt() - 1.0).abs() < 0.001);
        let xavier = filled(Init::XavierUniform, [200, 300]);
        assert!((std(&xavier) / (2.0f64 / 500.0).sqrt() - 1.0).abs() < 0.015);
        assert!((f64::from(largest(&xavier)) / (6.0f64 / 500.0).sqrt() - 1.0).abs() < 0.001);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        assert_eq!(filled(Init::GPT2, [5, 7]), filled(Init::GPT2, [5, 7]));
    }

    #[test]
    #[should_panic(expected = "needs a matrix [fan_out, fan_in]; found [3]")]
    fn a_vector_has_no_fan_out() {
        let mut rng = Rng::new(1, Stream::Init);
        Init::XavierUniform.fill([3].into(), &mut [0.0; 3], &mut rng);
    }
}
