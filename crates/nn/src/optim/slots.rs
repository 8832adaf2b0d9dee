//! What an optimizer remembers about each parameter.

use super::rule::{Piece, Rule};
use super::{MissingGradient, StateError, StepError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use tensor::kernels::parallel;
use tensor::{AlignedVec, Grads, ParamId, Params};

/// `N` tensors, zero at first, beside each parameter that was trainable when this was made.
/// Frozen parameters cost no memory: fine-tuning a few of many remembers only those few.
pub struct Slots<const N: usize> {
    kinds: [&'static str; N],
    /// By [`ParamId::index`]; `None` for what was frozen, or is not ours.
    all: Vec<Option<Slot<N>>>,
    /// Which parameters are ours; an optimizer may have several kinds of slots.
    ours: Vec<bool>,
}

const MADE_TOO_EARLY: &str = "make the optimizer after the parameters, and after freezing some of them";

struct Slot<const N: usize> {
    name: String,
    group: Group,
    state: [AlignedVec; N],
    /// Steps that this parameter took part in, as a number that a checkpoint keeps (PyTorch's `step` is an f32, too). Exact up
    /// to 2^24 steps, where it stops: no correction of a mean that young is left by then.
    steps: [f32; 1],
}

/// The name of the number of steps of a parameter, as in PyTorch: `step.<parameter>`.
const STEP: &str = "step.";

/// How a parameter is treated by its optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// Whether weight decay applies to it.
    pub decays: bool,
    /// Its learning rate over that of the others.
    pub lr_scale: f64,
}

/// How a parameter is treated unless one says otherwise: with the learning rate of the step, and with weight decay if it is
/// a matrix, not a bias or the weight of a norm, which are vectors. A decayed matrix prefers small weights; a decayed
/// norm or bias would prefer a wrong scale or place. nanoGPT's rule.
#[must_use]
pub fn usual_group(params: &Params, id: ParamId) -> Option<Group> {
    Some(Group { decays: params.shape(id).len() >= 2, lr_scale: 1.0 })
}

impl<const N: usize> Slots<N> {
    /// Zeros for every trainable parameter. `kinds` names the `N` tensors, and `group` says how each parameter is
    /// treated; those of which it says `None` are not ours, and [`Slots::update`] leaves them alone.
    #[must_use]
    pub fn new(
        params: &Params,
        kinds: [&'static str; N],
        group: impl Fn(&Params, ParamId) -> Option<Group>,
    ) -> Self {
        let groups: Vec<Option<Group>> = params.ids().map(|id| group(params, id)).collect();
        let slot = |id: ParamId| {
            let group = groups[id.index()].filter(|_| params.is_trainable(id))?;
            let state = kinds.map(|_| AlignedVec::zeros(params.data(id).len()));
            Some(Slot { name: params.name(id).to_string(), group, state, steps: [0.0] })
        };
        let all = params.ids().map(slot).collect();
        Self { kinds, all, ours: groups.iter().map(Option::is_some).collect() }
    }

    /// The tensors of one parameter, for an optimizer whose step is more than a rule for elements.
    ///
    /// # Panics
    /// If it was frozen when this was made, or is not one of these.
    pub(super) fn of(&mut self, id: ParamId) -> [&mut [f32]; N] {
        let slot = self.all.get_mut(id.index()).and_then(Option::as_mut).expect(MADE_TOO_EARLY);
        slot.state.each_mut().map(|x| &mut x[..])
    }

    /// Applies a rule to every trainable parameter. It may differ from group to group, and is told which step of this
    /// parameter it makes, counted from 1: a parameter that was frozen for 1,000 steps makes its first one when it thaws.
    ///
    /// Of a sparse parameter ([`Params::set_sparse`]) only the rows are visited that the gradient reached; for the others the
    /// step does not exist: their averages do not fade and their weights do not decay. (PyTorch's `SparseAdam` does the same.)
    ///
    /// # Errors
    /// [`MissingGradient`]; then nothing was changed. [`StepError::NonFinite`] if something is not finite afterwards.
    ///
    /// # Panics
    /// If a parameter is trainable that was frozen, or did not exist, when this was made.
    pub fn update<R: Rule<N>>(
        &mut self,
        params: &mut Params,
        grads: &Grads,
        rule: impl Fn(ParamId, Group, u64) -> R,
    ) -> Result<(), StepError> {
        let missing = grads.unreached(params);
        if !missing.is_empty() {
            return Err(MissingGradient { names: missing.into_iter().map(String::from).collect() }.into());
        }
        let trainable: Vec<bool> = params.ids().map(|id| params.is_trainable(id)).collect();
        let widths: Vec<usize> = params.ids().map(|id| params.shape(id).rows_and_width().1).collect();
        // All parameters in one list of tasks: a fork for each small bias would cost more than its work.
        let mut tasks: Vec<(ParamId, Vec<Piece<'_, N, R>>)> = Vec::new();
        let mut slots = self.all.iter_mut();
        for (id, param) in params.all_mut() {
            let slot = slots.next().and_then(Option::as_mut);
            if !trainable[id.index()] || self.ours.get(id.index()) == Some(&false) {
                continue;
            }
            let slot = slot.expect(MADE_TOO_EARLY);
            let grad = grads.get(id).expect("checked above");
            slot.steps[0] += 1.0;
            let state = slot.state.each_mut().map(|x| &mut x[..]);
            let piece = Piece { rule: rule(id, slot.group, slot.steps[0] as u64), param, grad, state };
            match grads.rows(id) {
                None => tasks.extend(piece.cut(parallel::chunk_len()).map(|piece| (id, vec![piece]))),
                Some(rows) => {
                    let width = widths[id.index()];
                    let rows_a_task = (parallel::chunk_len() / width).max(1);
                    let mut pieces = piece.rows(width, rows);
                    loop {
                        let task: Vec<_> = pieces.by_ref().take(rows_a_task).collect();
                        if task.is_empty() {
                            break;
                        }
                        tasks.push((id, task));
                    }
                }
            }
        }
        let finite: Vec<AtomicBool> = trainable.iter().map(|_| AtomicBool::new(true)).collect();
        parallel::for_each_of(tasks, |(id, pieces)| {
            let mut all_finite = true;
            pieces.into_iter().for_each(|piece| all_finite &= piece.update()); // every piece, whatever came before
            if !all_finite {
                finite[id.index()].store(false, Ordering::Relaxed);
            }
        });
        let damaged = params.ids().filter(|id| !finite[id.index()].load(Ordering::Relaxed));
        StepError::unless_finite(damaged.map(|id| params.name(id)))
    }

    /// Every tensor with its name, `<kind>.<parameter>`.
    #[must_use]
    pub fn state(&self) -> Vec<(String, &[f32])> {
        let slots = self.all.iter().flatten();
        slots
            .flat_map(|slot| {
                let tensors = self.kinds.iter().zip(&slot.state);
                tensors.map(|(kind, x)| (format!("{kind}.{}", slot.name), &x[..]))
            })
            .collect()
    }

    /// [`Slots::state`], and `step.<parameter>` for each parameter that did not take part in all of `all` steps. So the state
    /// of an optimizer that never had anything frozen is its tensors alone.
    pub(super) fn state_with_steps(&self, all: u64) -> Vec<(String, &[f32])> {
        let fewer = self.all.iter().flatten().filter(|slot| slot.steps != [all as f32]);
        let steps = fewer.map(|slot| (format!("{STEP}{}", slot.name), &slot.steps[..]));
        self.state().into_iter().chain(steps).collect()
    }

    /// Puts back what [`Slots::state`] gave, in any order.
    ///
    /// # Errors
    /// If a tensor is missing, of another length, or unknown; then nothing was changed.
    pub fn load_state(&mut self, saved: &[(String, &[f32])]) -> Result<(), StateError> {
        self.put(self.matched(saved)?);
        Ok(())
    }

    /// Puts back what [`Slots::state_with_steps`] gave.
    ///
    /// # Errors
    /// As [`Slots::load_state`]; or if a number of steps is none, or more than all.
    pub(super) fn load_state_with_steps<'a>(
        &mut self,
        all: u64,
        saved: impl IntoIterator<Item = &'a (String, &'a [f32])>,
    ) -> Result<(), StateError> {
        let (steps, tensors): (Vec<_>, Vec<_>) =
            saved.into_iter().partition(|(name, _)| name.starts_with(STEP));
        let tensors = self.matched(tensors)?;
        let mut of_slots = vec![all as f32; self.all.len()];
        for (name, found) in steps {
            let named =
                |slot: &Option<Slot<N>>| slot.as_ref().is_some_and(|slot| slot.name == name[STEP.len()..]);
            let Some(i) = self.all.iter().position(named) else {
                return Err(StateError::Unknown { name: name.clone() });
            };
            let &[found] = *found else {
                return Err(StateError::Length { name: name.clone(), expected: 1, found: found.len() });
            };
            if !(0.0..=all as f32).contains(&found) || found.fract() != 0.0 {
                return Err(StateError::Steps { name: name.clone(), all, found: found.to_string() });
            }
            of_slots[i] = found;
        }
        self.put(tensors);
        self.all.iter_mut().zip(of_slots).for_each(|(slot, steps)| {
            slot.iter_mut().for_each(|slot| slot.steps = [steps]);
        });
        Ok(())
    }

    /// The saved tensors in the order of ours.
    pub(super) fn matched<'a>(
        &self,
        saved: impl IntoIterator<Item = &'a (String, &'a [f32])>,
    ) -> Result<Vec<&'a [f32]>, StateError> {
        let mut by_name: HashMap<&str, &[f32]> = saved.into_iter().map(|(name, x)| (&name[..], *x)).collect();
        let mut in_order = Vec::new();
        for (name, current) in self.state() {
            let Some(x) = by_name.remove(&name[..]) else { return Err(StateError::Missing { name }) };
            if x.len() != current.len() {
                return Err(StateError::Length { name, expected: current.len(), found: x.len() });
            }
            in_order.push(x);
        }
        if let Some(name) = by_name.into_keys().min() {
            return Err(StateError::Unknown { name: name.to_string() });
        }
        Ok(in_order)
    }

    /// Overwrites ours with what [`Slots::matched`] found.
    pub(super) fn put(&mut self, in_order: Vec<&[f32]>) {
        let tensors = self.all.iter_mut().flatten().flat_map(|slot| &mut slot.state);
        tensors.zip(in_order).for_each(|(to, from)| to.copy_from_slice(from));
    }
}
