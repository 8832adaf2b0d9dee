//! Where layers create their parameters.

use crate::Init;
use random::Rng;
use std::fmt::Display;
use tensor::{ParamId, Params, Shape};

/// Adds parameters under a prefix, so that each layer names its own and knows nothing of where it stands:
/// the `weight` of the layer `c_attn` in `h.0.attn` becomes `h.0.attn.c_attn.weight`. (candle's
/// `VarBuilder::pp`, "push prefix".)
///
/// ```
/// use nn::{Init, ParamBuilder};
/// use random::{Rng, Stream};
/// use tensor::Params;
///
/// let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
/// let mut builder = ParamBuilder::new(&mut params, &mut rng);
/// for i in 0..2 {
///     let mut block = builder.pp(format!("h.{i}"));
///     block.pp("attn").pp("c_attn").add("weight", [12, 4], Init::GPT2);
/// }
/// assert!(params.id("h.1.attn.c_attn.weight").is_some());
/// ```
pub struct ParamBuilder<'a> {
    params: &'a mut Params,
    values: Values<'a>,
    prefix: String,
}

/// What new parameters hold.
enum Values<'a> {
    /// What their layer begins with, drawn from this generator.
    Initial(&'a mut Rng),
    /// Zeros.
    Zeros,
    /// Nothing: names and shapes alone are kept.
    None,
}

impl<'a> ParamBuilder<'a> {
    /// Adds to these parameters, with random numbers from this generator, without a prefix.
    #[must_use]
    pub fn new(params: &'a mut Params, rng: &'a mut Rng) -> Self {
        Self { params, values: Values::Initial(rng), prefix: String::new() }
    }

    /// Adds zeros and draws no random numbers: for a model whose numbers come from a file.
    #[must_use]
    pub fn zeros(params: &'a mut Params) -> Self {
        Self { params, values: Values::Zeros, prefix: String::new() }
    }

    /// Adds names and shapes alone ([`Params::add_shape`]) and allocates no tensor: for what a model would have.
    #[must_use]
    pub fn shapes(params: &'a mut Params) -> Self {
        Self { params, values: Values::None, prefix: String::new() }
    }

    /// Whether the parameters get numbers, zeros included. If not, a model's other tables are not needed either.
    #[must_use]
    pub fn has_values(&self) -> bool {
        !matches!(self.values, Values::None)
    }

    /// The builder for what is inside `name`. Give it to a layer; this one rests until the layer is done.
    #[must_use]
    pub fn pp(&mut self, name: impl Display) -> ParamBuilder<'_> {
        let prefix = self.path(name);
        let values = match &mut self.values {
            Values::Initial(rng) => Values::Initial(rng),
            Values::Zeros => Values::Zeros,
            Values::None => Values::None,
        };
        ParamBuilder { params: self.params, values, prefix }
    }

    /// Adds one parameter, named `<prefix>.<name>`.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> ParamId {
        let (path, shape) = (self.path(name), shape.into());
        match &mut self.values {
            Values::Initial(rng) => self.params.add(&path, shape, |data| init.fill(shape, data, rng)),
            Values::Zeros => self.params.add(&path, shape, |_| ()),
            Values::None => self.params.add_shape(&path, shape),
        }
    }

    /// Adds numbers that are saved with the parameters and never trained (what PyTorch calls a buffer).
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add_buffer(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        fill: impl FnOnce(&mut [f32]),
    ) -> ParamId {
        let path = self.path(name);
        let id = match &self.values {
            Values::Initial(_) => self.params.add(&path, shape, fill),
            Values::Zeros => self.params.add(&path, shape, |_| ()),
            Values::None => self.params.add_shape(&path, shape),
        };
        self.params.set_trainable(id, false);
        id
    }

    /// Says that a step reaches only few rows of a parameter: `Params::set_sparse`.
    pub fn set_sparse(&mut self, id: ParamId) {
        self.params.set_sparse(id, true);
    }

    fn path(&self, name: impl Display) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FeedForward, FeedForwardConfig};
    use random::Stream;
    use tensor::ops::feed_forward::Activation;

    const LAYER: FeedForwardConfig = FeedForwardConfig {
        n_embd: 6,
        hidden: 8,
        activation: Activation::SwiGlu,
        bias: true,
        dropout: 0.0,
        proj_init: Init::GPT2,
    };

    fn names_and_shapes(params: &Params) -> Vec<(String, Shape)> {
        params.ids().map(|id| (params.name(id).to_string(), params.shape(id))).collect()
    }

    #[test]
    fn zeros_and_shapes_have_the_names_and_shapes_of_initial_values() {
        let [mut initial, mut zeros, mut shapes] = [Params::new(), Params::new(), Params::new()];
        let mut rng = Rng::new(1, Stream::Init);
        let _ = FeedForward::new(ParamBuilder::new(&mut initial, &mut rng).pp("mlp"), &LAYER);
        let _ = FeedForward::new(ParamBuilder::zeros(&mut zeros).pp("mlp"), &LAYER);
        let _ = FeedForward::new(ParamBuilder::shapes(&mut shapes).pp("mlp"), &LAYER);
        assert_eq!(names_and_shapes(&zeros), names_and_shapes(&initial));
        assert_eq!(names_and_shapes(&shapes), names_and_shapes(&initial));
        let all =
            |params: &Params| params.ids().map(|id| params.data(id).to_vec()).collect::<Vec<_>>().concat();
        assert!(all(&initial).iter().any(|x| *x != 0.0) && initial.count() == 2 * 8 * 6 + 2 * 8 + 6 * 8 + 6);
        assert_eq!(all(&zeros), vec![0.0; initial.count()]);
        assert_eq!(shapes.count(), 0);
    }

    /// A terabyte, of which nothing is allocated, and a buffer whose `fill` is not called.
    #[test]
    fn shapes_cost_nothing() {
        let mut params = Params::new();
        let mut builder = ParamBuilder::shapes(&mut params);
        let large = builder.add("large", [1 << 20, 1 << 18], Init::GPT2);
        let buffer = builder.add_buffer("buffer", [1 << 40, 1 << 40], |_| panic!("filled"));
        assert!(!builder.has_values() && ParamBuilder::zeros(&mut Params::new()).has_values());
        assert_eq!(params.shape(large)[..], [1 << 20, 1 << 18]);
        assert!(params.data(large).is_empty() && !params.is_trainable(buffer));
    }
}
