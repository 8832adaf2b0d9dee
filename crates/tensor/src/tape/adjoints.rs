//! The bookkeeping of a sweep: adjoints that are not complete yet, and where an operation writes its contributions.
//!
//! Destinations are moved out of their stores one by one, so that an operation can write to all its inputs' gradients
//! at once and no two of them alias.

use super::node::{Node, Value};
use crate::grad::{Accum, Grad};
use crate::params::Grads;
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
    /// Of a sweep that begins at value `last`, with this adjoint.
    #[track_caller]
    pub(super) fn new(
        last: u32,
        cotangent: &[f32],
        elements: usize,
        grads: &'a mut Grads,
        workspace: &'a Workspace,
    ) -> Self {
        let mut of_nodes: Vec<Option<Buffer>> = (0..=last).map(|_| None).collect();
        let mut seed = workspace.take(elements);
        seed.copy_from_slice(cotangent);
        of_nodes[last as usize] = Some(seed);
        Self { of_nodes, grads, workspace }
    }

    /// A value's adjoint, complete when its turn comes; `None`: nothing depends on it.
    pub(super) fn take(&mut self, index: u32) -> Option<Buffer> {
        self.of_nodes[index as usize].take()
    }

    /// The adjoint of a leaf, at which the sweep began: otherwise its users send to the gradients directly.
    pub(super) fn arrive(&mut self, leaf: &Node, dy: &[f32]) {
        if let (Some(id), true) = (leaf.param(), leaf.wants_grad) {
            add_to(self.grads.arrive(id), dy);
        }
    }

    /// Moves out what the backward of `node` writes to. `dy_len` is the length of its adjoint.
    pub(super) fn parts_of(&mut self, nodes: &[Node], node: &Node, dy_len: usize) -> Parts {
        // The last input that is given once, and nothing yet.
        let passes_on = node.op.as_ref().is_some_and(|op| op.passes_on());
        let heir = node.inputs.iter().rposition(|&i| {
            let input = &nodes[i as usize];
            let once =
                node.inputs.iter().filter(|&&j| j == i).count() == 1 && self.of_nodes[i as usize].is_none();
            let computed = input.wants_grad && input.param().is_none();
            passes_on && once && computed && input.shape.elements() == dy_len
        });
        let mut places = Vec::with_capacity(node.inputs.len());
        for (position, &i) in node.inputs.iter().enumerate() {
            let input = &nodes[i as usize];
            let elements = input.shape.elements();
            let same =
                |&j: &u32| j == i || input.param().is_some_and(|id| nodes[j as usize].param() == Some(id));
            places.push(if !input.wants_grad || heir == Some(position) {
                (Destination::Nowhere, Accum::Replace)
            } else if let Some(first) = node.inputs[..position].iter().position(same) {
                (Destination::Again { first, part: self.workspace.take(elements) }, Accum::Replace)
            } else if let Value::Param(id) = input.value {
                let (data, accum) = self.grads.take(id);
                (Destination::Param(data), accum)
            } else if let Some(buffer) = self.of_nodes[i as usize].take() {
                (Destination::Node(buffer), Accum::Add)
            } else {
                (Destination::Node(self.workspace.take(elements)), Accum::Replace)
            });
        }
        Parts { places, heir }
    }

    /// Puts back what [`Adjoints::parts_of`] moved out, and hands `dy` on if an input takes it.
    pub(super) fn put_back(&mut self, mut parts: Parts, nodes: &[Node], node: &Node, dy: Buffer) {
        for position in 1..parts.places.len() {
            let (before, this) = parts.places.split_at_mut(position);
            if let Destination::Again { first, part } = &this[0].0 {
                let to = before[*first].0.slice().expect("the first of two equal inputs has a destination");
                add_to(Grad { to, accum: Accum::Add }, part);
            }
        }
        for (position, ((place, _), &i)) in parts.places.into_iter().zip(&node.inputs).enumerate() {
            let rows = || node.op.as_ref().and_then(|op| op.rows_reached(position));
            match (place, nodes[i as usize].param()) {
                (Destination::Node(buffer), _) => self.of_nodes[i as usize] = Some(buffer),
                (Destination::Param(data), Some(id)) => {
                    self.grads.put_back(id, data);
                    self.grads.reach_rows(id, rows());
                }
                (Destination::Again { .. }, Some(id)) => self.grads.reach_rows(id, rows()),
                _ => {}
            }
        }
        if let Some(position) = parts.heir {
            self.of_nodes[node.inputs[position] as usize] = Some(dy);
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
