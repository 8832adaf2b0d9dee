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
    rng: &'a mut Rng,
    prefix: String,
}

impl<'a> ParamBuilder<'a> {
    /// Adds to these parameters, with random numbers from this generator, without a prefix.
    #[must_use]
    pub fn new(params: &'a mut Params, rng: &'a mut Rng) -> Self {
        Self { params, rng, prefix: String::new() }
    }

    /// The builder for what is inside `name`. Give it to a layer; this one rests until the layer is done.
    #[must_use]
    pub fn pp(&mut self, name: impl Display) -> ParamBuilder<'_> {
        let prefix = self.path(name);
        ParamBuilder { params: self.params, rng: self.rng, prefix }
    }

    /// Adds one parameter, named `<prefix>.<name>`.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> ParamId {
        let (path, shape) = (self.path(name), shape.into());
        self.params.add(&path, shape, |data| init.fill(shape, data, self.rng))
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
        let id = self.params.add(&self.path(name), shape, fill);
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
