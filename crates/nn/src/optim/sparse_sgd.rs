//! Plain descent for tables of which a step reaches few rows.

use super::rule::Rule;
use super::{Group, Optimizer, Slots, StateError, StepError};
use tensor::kernels::simd::Simd;
use tensor::{Grads, ParamId, Params};

/// Settings of [`SparseSgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseSgdConfig {
    /// The learning rate of the tables over that of the step, which is the other optimizer's.
    pub lr_scale: f64,
    /// How much of the mean of the squares is kept at each step.
    pub beta2: f64,
    /// Keeps the division finite where gradients are zero.
    pub eps: f64,
}

impl Default for SparseSgdConfig {
    /// The learning rate of the step; 0.99 and 1e-8.
    fn default() -> Self {
        Self { lr_scale: 1.0, beta2: 0.99, eps: 1e-8 }
    }
}

/// Steps of sparse parameters ([`Params::set_sparse`]) along their gradients, and another optimizer for all others:
///
/// ```text
/// s = beta2 s + (1 - beta2) mean(g^2)            over the rows that were reached; one number a table
/// w = beta2 w + (1 - beta2)                      how much of that is no memory of the start, both 0 at first
/// p = p - lr g / (sqrt(s / w) + eps)             the rows that were reached
/// ```
///
/// Adam divides each element by the size of its own gradients: a row that one place in the text reaches goes as far at
/// each visit as one that a thousand places agree on. So it learns rare n-grams by heart. Here all rows of a table have one
/// divisor, and what counts is how much gradient arrives: rare rows stay near zero, as Kneser-Ney's discount makes
/// rare counts small. (docs/speedrun.md has the difference; one divisor for a whole tensor is that of Adam-mini, Zhang
/// et al. 2024, arXiv 2406.16793.) It also remembers nothing a row.
///
/// There is no weight decay: rows that are seldom reached hardly grow.
pub struct SparseSgd {
    config: SparseSgdConfig,
    rest: Box<dyn Optimizer>,
    slots: Slots<0>,
    tables: Vec<Table>,
}

/// What is remembered about a table.
struct Table {
    id: ParamId,
    name: String,
    /// s and w, as numbers that a checkpoint keeps exactly.
    means: [f32; 2],
}

impl SparseSgd {
    /// For the sparse ones of the trainable parameters; `rest` is for all others, and must leave the sparse ones alone
    /// ([`SparseSgd::leave`]).
    #[must_use]
    pub fn new(params: &Params, config: SparseSgdConfig, rest: Box<dyn Optimizer>) -> Self {
        let ours = |params: &Params, id| {
            params.is_sparse(id).then_some(Group { decays: false, lr_scale: config.lr_scale })
        };
        let tables = params.ids().filter(|&id| params.is_sparse(id) && params.is_trainable(id));
        let tables =
            tables.map(|id| Table { id, name: params.name(id).to_string(), means: [0.0; 2] }).collect();
        Self { config, rest, slots: Slots::new(params, [], ours), tables }
    }

    /// The choice of parameters of the other optimizer: this one, without those that are sparse.
    pub fn leave(
        group: impl Fn(&Params, ParamId) -> Option<Group>,
    ) -> impl Fn(&Params, ParamId) -> Option<Group> {
        move |params, id| group(params, id).filter(|_| !params.is_sparse(id))
    }
}

impl Table {
    /// Takes the gradient of this step in. Nothing is known of a table of which no row was reached.
    fn see(&mut self, grads: &Grads, width: usize, beta2: f64, grad_scale: f32) {
        let elements = grads.rows(self.id).map_or(0, <[u32]>::len) * width;
        if elements > 0 {
            let scale = f64::from(grad_scale);
            let square = grads.sum_of_squares(self.id) * (scale * scale) / elements as f64;
            let toward = |mean: f32, x: f64| (beta2 * f64::from(mean) + (1.0 - beta2) * x) as f32;
            self.means = [toward(self.means[0], square), toward(self.means[1], 1.0)];
        }
    }

    /// The root of the mean of the squares; 0 if there was no gradient yet.
    fn root_mean_square(&self) -> f64 {
        let [square, weight] = self.means.map(f64::from);
        if weight > 0.0 { (square / weight).sqrt() } else { 0.0 }
    }
}

/// p = p - step g
#[derive(Clone, Copy)]
struct Descend {
    step: f32,
}

impl Rule<0> for Descend {
    #[inline(always)]
    fn update<S: Simd>(self, s: S, p: S::V, g: S::V, _: [S::V; 0]) -> (S::V, [S::V; 0]) {
        (s.fma(s.splat(-self.step), g, p), [])
    }
}

impl Optimizer for SparseSgd {
    fn step_scaled(
        &mut self,
        params: &mut Params,
        grads: &Grads,
        lr: f32,
        grad_scale: f32,
    ) -> Result<(), StepError> {
        self.rest.step_scaled(params, grads, lr, grad_scale)?; // which looks for missing gradients of all
        let SparseSgdConfig { beta2, eps, .. } = self.config;
        let mut divisors = vec![1.0; params.len()];
        for table in self.tables.iter_mut().filter(|table| params.is_trainable(table.id)) {
            table.see(grads, params.shape(table.id).rows_and_width().1, beta2, grad_scale);
            divisors[table.id.index()] = table.root_mean_square() + eps;
        }
        let step = f64::from(lr) * f64::from(grad_scale);
        let descend = |id: ParamId, group: Group, _| Descend {
            step: (step * group.lr_scale / divisors[id.index()]) as f32,
        };
        self.slots.update(params, grads, descend)?;
        let damaged = self.tables.iter().filter(|table| table.means.iter().any(|x| !x.is_finite()));
        StepError::unless_finite(damaged.map(|table| &table.name[..]))
    }

    fn step_count(&self) -> u64 {
        self.rest.step_count()
    }

    fn state(&self) -> Vec<(String, &[f32])> {
        let tables = self.tables.iter();
        let mut state: Vec<_> = tables.map(|table| (table.key(), &table.means[..])).collect();
        state.extend(self.rest.state());
        state
    }

    fn load_state(&mut self, step_count: u64, state: &[(String, &[f32])]) -> Result<(), StateError> {
        let mut found = Vec::new();
        for table in &self.tables {
            let name = table.key();
            let Some((_, means)) = state.iter().find(|(saved, _)| *saved == name) else {
                return Err(StateError::Missing { name });
            };
            let length = |_| StateError::Length { name, expected: 2, found: means.len() };
            found.push(<[f32; 2]>::try_from(*means).map_err(length)?);
        }
        let ours = |name: &str| self.tables.iter().any(|table| table.key() == name);
        let rest: Vec<_> = state.iter().filter(|(name, _)| !ours(name)).cloned().collect();
        self.rest.load_state(step_count, &rest)?;
        self.tables.iter_mut().zip(found).for_each(|(table, means)| table.means = means);
        Ok(())
    }
}

impl Table {
    /// The name of what is remembered.
    fn key(&self) -> String {
        format!("mean_square.{}", self.name)
    }
}
