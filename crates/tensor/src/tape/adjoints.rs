//! The bookkeeping of a sweep: adjoints that are not complete yet, and where an operation writes its contributions.
//!
//! Each destination buffer is taken out of where it is kept while the operation writes, so that it can write to the gradients
//! of all its inputs at once and no two of them are one buffer.

use super::node::{Graph, Place};
use crate::grad::{Accum, Grad};
use crate::op::Op;
use crate::params::{Grads, Params};
use crate::workspace::{AlignedVec, Buffer, Workspace};

/// The adjoints of values, by index, and the gradients of parameters.
pub(super) struct Adjoints<'a> {
    of_nodes: Vec<Option<Buffer>>, // None: nothing has arrived
    grads: &'a mut Grads,
    workspace: &'a Workspace,
}

/// Where the contribution to one input's gradient is written.
enum Destination {
    Node(Buffer),
    Param(AlignedVec),
    /// The input stands earlier in the same list (`x * x`): written here, then added there.
    Again {
        first: usize,
        part: Buffer,
    },
    Nowhere,
}

/// The contributions of one operation, one for each input.
pub(super) struct Parts {
    places: Vec<(Destination, Accum)>,
    /// y = a + b: da = dy. The input, if any, that takes the buffer of dy itself.
    heir: Option<usize>,
}

impl<'a> Adjoints<'a> {
    /// Of a sweep that begins at the value in this place, with this adjoint.
    pub(super) fn new(
        last: Place,
        cotangent: &[f32],
        params: &Params,
        grads: &'a mut Grads,
        workspace: &'a Workspace,
    ) -> Self {
        let mut of_nodes = Vec::new();
        match last {
            Place::Node(index) => {
                let mut seed = workspace.take(cotangent.len());
                seed.copy_from_slice(cotangent);
                of_nodes.resize_with(index as usize, || None);
                of_nodes.push(Some(seed));
            }
            Place::Param(id) if params.is_trainable(id) => add_to(grads.arrive(id), cotangent),
            Place::Param(_) => {}
        }
        Self { of_nodes, grads, workspace }
    }

    /// The newest value that something was sent to. Its adjoint is complete. Values without one do not reach the loss.
    /// `None`: the sweep is at its end.
    pub(super) fn newest(&mut self) -> Option<(u32, Buffer)> {
        while let Some(adjoint) = self.of_nodes.pop() {
            if let Some(dy) = adjoint {
                return Some((self.of_nodes.len() as u32, dy));
            }
        }
        None
    }

    /// For y = a + b, da = dy: instead of a copy, one input may take the very buffer of dy, which nobody needs after this
    /// operation. That saves a pass over memory at each residual connection and changes no number (skip it the first time).
    /// An input may if
    ///
    /// 1. its gradient is dy: the operation says `passes_on`, and there are as many elements;
    /// 2. it stands once in the list (that of `a + a` is 2 dy);
    /// 3. nothing has been sent to it yet (else dy is added to that).
    ///
    /// If several may, the last does.
    fn who_may_take_dy(
        &self,
        graph: Graph<'_>,
        op: &dyn Op,
        inputs: &[Place],
        dy_len: usize,
    ) -> Option<usize> {
        inputs.iter().rposition(|&input| {
            let Place::Node(i) = input else { return false };
            let once = inputs.iter().filter(|&&other| other == input).count() == 1;
            let first_to_arrive = self.of_nodes[i as usize].is_none();
            let is_dy = op.passes_on() && graph.shape(input).elements() == dy_len;
            once && first_to_arrive && is_dy && graph.wants_grad(input)
        })
    }

    /// Moves out what the backward of an operation writes to. `dy_len` is the length of its adjoint.
    pub(super) fn parts_of(
        &mut self,
        graph: Graph<'_>,
        op: &dyn Op,
        inputs: &[Place],
        dy_len: usize,
    ) -> Parts {
        let heir = self.who_may_take_dy(graph, op, inputs, dy_len);
        let mut places = Vec::with_capacity(inputs.len());
        for (position, &input) in inputs.iter().enumerate() {
            let elements = graph.shape(input).elements();
            places.push(if !graph.wants_grad(input) || heir == Some(position) {
                (Destination::Nowhere, Accum::Replace)
            } else if let Some(first) = inputs[..position].iter().position(|&other| other == input) {
                (Destination::Again { first, part: self.workspace.take(elements) }, Accum::Replace)
            } else {
                match input {
                    Place::Param(id) => {
                        let (data, accum) = self.grads.take(id);
                        (Destination::Param(data), accum)
                    }
                    Place::Node(i) => match self.of_nodes[i as usize].take() {
                        Some(buffer) => (Destination::Node(buffer), Accum::Add),
                        None => (Destination::Node(self.workspace.take(elements)), Accum::Replace),
                    },
                }
            });
        }
        Parts { places, heir }
    }

    /// Puts back what [`Adjoints::parts_of`] moved out, and hands `dy` on if an input takes it.
    pub(super) fn put_back(&mut self, mut parts: Parts, op: &dyn Op, inputs: &[Place], dy: Buffer) {
        for position in 1..parts.places.len() {
            let (before, this) = parts.places.split_at_mut(position);
            if let Destination::Again { first, part } = &this[0].0 {
                let to = before[*first].0.slice().expect("the first of two equal inputs has a destination");
                add_to(Grad { to, accum: Accum::Add }, part);
            }
        }
        for (position, ((destination, _), &input)) in parts.places.into_iter().zip(inputs).enumerate() {
            match (destination, input) {
                (Destination::Node(buffer), Place::Node(i)) => self.of_nodes[i as usize] = Some(buffer),
                (Destination::Param(data), Place::Param(id)) => {
                    self.grads.put_back(id, data);
                    self.grads.reach_rows(id, op.rows_reached(position));
                }
                (Destination::Again { .. }, Place::Param(id)) => {
                    self.grads.reach_rows(id, op.rows_reached(position));
                }
                _ => {}
            }
        }
        if let Some(Place::Node(i)) = parts.heir.map(|position| inputs[position]) {
            self.of_nodes[i as usize] = Some(dy);
        }
    }
}

impl Parts {
    /// The destinations, as an operation's backward takes them.
    pub(super) fn grads(&mut self) -> Vec<Option<Grad<'_>>> {
        self.places
            .iter_mut()
            .map(|(place, accum)| Some(Grad { to: place.slice()?, accum: *accum }))
            .collect()
    }
}

impl Destination {
    fn slice(&mut self) -> Option<&mut [f32]> {
        match self {
            Self::Node(buffer) | Self::Again { part: buffer, .. } => Some(buffer),
            Self::Param(data) => Some(data),
            Self::Nowhere => None,
        }
    }
}

fn add_to(mut grad: Grad<'_>, from: &[f32]) {
    grad.write(|i| from[i]);
}
