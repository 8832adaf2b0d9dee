//! The tape: one forward pass, recorded in order, and the sweep that walks it backwards.
//!
//! An operation on [`Var`]s computes its value at once and pushes a node. A node's inputs are always
//! older than the node, so the order of creation is a topological order of the graph, and reverse mode
//! is a backwards `for` over a `Vec`: no sorting, no recursion, no reference counting.
//!
//! Reverse mode in one paragraph. Let the *adjoint* of a node be dL/d(node), the derivative of the
//! loss by that node's value. The loss has adjoint 1. If y = f(a, b), the chain rule sends
//! (dy/da)^T dL/dy to a and (dy/db)^T dL/dy to b; a value used in several places adds up what it is
//! sent. Going backwards, every use of a value is visited before the value itself, so its adjoint is
//! complete when its own turn comes.

use crate::dropout_seeds::DropoutSeeds;
use crate::op::{Accum, Grad, Op, Saved, View};
use crate::params::{Grads, ParamId, Params};
use crate::workspace::{AlignedVec, Buffer, Workspace};
use crate::{Shape, ShapeError};
use ndarray::ArrayD;
use std::cell::RefCell;

/// One forward pass. It lives for one micro-batch and borrows the parameters read-only, so stepping
/// an optimizer while the graph is alive does not compile: see [`Params::data_mut`].
pub struct Tape<'p> {
    pub(crate) params: &'p Params,
    pub(crate) workspace: &'p Workspace,
    pub(crate) nodes: RefCell<Vec<Node>>,
    recording: bool,
    pub(crate) recompute: bool,
    dropout: Option<DropoutSeeds>,
}

pub(crate) struct Node {
    pub(crate) op: Option<Box<dyn Op>>, // None: a leaf, or computed without recording
    pub(crate) inputs: Box<[u32]>,
    pub(crate) shape: Shape,
    pub(crate) value: Value,
    pub(crate) saved: Option<Saved>,
    wants_grad: bool, // a trainable parameter is among its ancestors
}

pub(crate) enum Value {
    Here(Buffer),
    Again(Buffer), // freed before, and computed again for the backward
    Param(ParamId),
    Freed,
}

impl Node {
    pub(crate) fn view<'a>(&'a self, params: &'a Params) -> View<'a> {
        match &self.value {
            Value::Here(buffer) | Value::Again(buffer) => View { data: buffer, shape: self.shape },
            Value::Param(id) => params.view(*id),
            Value::Freed => panic!("this value was freed by Tape::free_since"),
        }
    }

    fn param(&self) -> Option<ParamId> {
        if let Value::Param(id) = self.value { Some(id) } else { None }
    }

    fn leaf(shape: Shape, value: Value, wants_grad: bool) -> Self {
        Self { op: None, inputs: Box::default(), shape, value, saved: None, wants_grad }
    }
}

/// A value on a tape: a reference and an index. It is `Copy`, so formulas nest:
/// `x + mlp.forward(norm.forward(x))`.
#[derive(Clone, Copy)]
pub struct Var<'t> {
    pub(crate) tape: &'t Tape<'t>,
    pub(crate) index: u32,
}

impl<'p> Tape<'p> {
    /// A tape that records, for training.
    #[must_use]
    pub fn new(params: &'p Params, workspace: &'p Workspace) -> Self {
        let nodes = RefCell::default();
        Self { params, workspace, nodes, recording: true, recompute: false, dropout: None }
    }

    /// The same tape with dropout: its layers draw the seeds of their masks from `seeds`.
    #[must_use]
    pub fn with_dropout(mut self, seeds: DropoutSeeds) -> Self {
        self.dropout = Some(seeds);
        self
    }

    /// The seed of the next dropout mask of this forward pass; `None` where nothing is dropped: on a tape without seeds, or
    /// one that does not record.
    #[must_use]
    pub fn next_dropout_seed(&self) -> Option<u64> {
        self.dropout.as_ref().filter(|_| self.recording).map(DropoutSeeds::next)
    }

    /// A tape that computes the same values and keeps nothing for a backward: for evaluation and sampling.
    #[must_use]
    pub fn no_grad(params: &'p Params, workspace: &'p Workspace) -> Self {
        let mut tape = Self::new(params, workspace);
        tape.recording = false;
        tape
    }

    /// Whether a backward is possible: layers that only matter in training (dropout) ask this.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recording
    }

    /// The parameters, for what is read of them without a gradient.
    #[must_use]
    pub fn params(&self) -> &'p Params {
        self.params
    }

    /// A parameter as a value. Nothing is copied; its gradient will arrive in [`Grads`].
    pub fn param(&self, id: ParamId) -> Var<'_> {
        let wants_grad = self.recording && self.params.is_trainable(id);
        self.push(Node::leaf(self.params.shape(id), Value::Param(id), wants_grad))
    }

    /// A value that needs no gradient: inputs, constants.
    pub fn constant(&self, array: &ArrayD<f32>) -> Var<'_> {
        let mut buffer = self.workspace.take(array.len());
        buffer.iter_mut().zip(array).for_each(|(to, from)| *to = *from);
        self.push(Node::leaf(array.shape().into(), Value::Here(buffer), false))
    }

    /// A value of `shape` that `fill` computes from others and writes in full, outside of the operations: what generating
    /// needs and training does not, such as attention to a cache of keys and values.
    ///
    /// # Panics
    /// If this tape records: no gradient would flow through the value.
    #[track_caller]
    pub fn compute<'t>(
        &'t self,
        inputs: &[Var<'t>],
        shape: Shape,
        fill: impl FnOnce(&[View<'_>], &mut [f32]),
    ) -> Var<'t> {
        assert!(!self.recording, "compute: expected a tape that does not record (Tape::no_grad)");
        let mut value = self.workspace.take(shape.elements());
        let nodes = self.nodes.borrow();
        let views: Vec<View<'_>> = inputs.iter().map(|x| nodes[x.index as usize].view(self.params)).collect();
        fill(&views, &mut value);
        drop(views);
        drop(nodes);
        self.push(Node::leaf(shape, Value::Here(value), false))
    }

    /// Applies an operation to values of this tape. The methods of [`Var`] are this call with names.
    ///
    /// # Panics
    /// If an input is a value of another tape, or the operation cannot take inputs of these shapes.
    #[track_caller]
    pub fn apply<'t>(&'t self, op: impl Op + 'static, inputs: &[Var<'t>]) -> Var<'t> {
        self.expect_own(op.name(), inputs);
        let nodes = self.nodes.borrow();
        let views: Vec<View<'_>> = inputs.iter().map(|x| nodes[x.index as usize].view(self.params)).collect();
        let shapes: Vec<Shape> = views.iter().map(|x| x.shape).collect();
        let shape = match op.output_shape(&shapes) {
            Ok(shape) => shape,
            Err(error) => self.shape_panic(&op, &error, inputs),
        };
        let mut value = self.workspace.take(shape.elements());
        let mut saved = Saved::new(self.workspace);
        op.forward(&views, &mut value, &mut saved);

        let wants_grad = inputs.iter().any(|x| nodes[x.index as usize].wants_grad);
        let value = Value::Here(value);
        drop(nodes);
        self.push(if self.recording {
            let inputs = inputs.iter().map(|x| x.index).collect();
            Node { op: Some(Box::new(op)), inputs, shape, value, saved: Some(saved), wants_grad }
        } else {
            Node::leaf(shape, value, false)
        })
    }

    /// A `Var` is an index, and every tape has a node of that index: what the index means is its own tape's affair.
    #[track_caller]
    pub(crate) fn expect_own(&self, what: &str, vars: &[Var<'_>]) {
        if let Some(at) = vars.iter().position(|x| !std::ptr::eq(x.tape, self)) {
            let (name, shape) = (vars[at].tape.label(vars[at].index), vars[at].shape());
            panic!(
                "{what}: expected values of one tape; found input {at}, {name} {shape}, of another. \
                 Compute it again on this tape, or carry its numbers over: tape.constant(&x.value())"
            );
        }
    }

    fn push(&self, node: Node) -> Var<'_> {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(node);
        Var { tape: self, index: nodes.len() as u32 - 1 }
    }

    #[track_caller]
    #[cold]
    fn shape_panic(&self, op: &dyn Op, error: &ShapeError, inputs: &[Var<'_>]) -> ! {
        let named: Vec<_> = inputs.iter().map(|x| (self.label(x.index), x.shape())).collect();
        panic!("{}", error.message(op.name(), &named))
    }
}

impl Drop for Tape<'_> {
    fn drop(&mut self) {
        // Last first, so that the pool hands the next tape the same buffers in the same places.
        let nodes = self.nodes.get_mut();
        while nodes.pop().is_some() {}
    }
}

impl<'t> Var<'t> {
    /// The sizes of the axes.
    #[must_use]
    pub fn shape(self) -> Shape {
        self.tape.nodes.borrow()[self.index as usize].shape
    }

    /// The tape that this value is on.
    #[must_use]
    pub fn tape(self) -> &'t Tape<'t> {
        self.tape
    }

    /// Reads the value in place.
    pub fn read<R>(self, reader: impl FnOnce(View<'_>) -> R) -> R {
        reader(self.tape.nodes.borrow()[self.index as usize].view(self.tape.params))
    }

    /// A copy of the value.
    #[must_use]
    pub fn value(self) -> ArrayD<f32> {
        self.read(|x| x.array().to_owned())
    }

    /// The value of a tensor with one element, such as a loss.
    ///
    /// # Panics
    /// If there are more elements, or none.
    #[track_caller]
    #[must_use]
    pub fn item(self) -> f32 {
        let shape = self.shape();
        assert!(shape.elements() == 1, "item: expected one element; found shape {shape}");
        self.read(|x| x.data[0])
    }

    /// Applies an operation to this value and others.
    ///
    /// # Panics
    /// As [`Tape::apply`].
    #[track_caller]
    pub fn apply(self, op: impl Op + 'static, others: &[Var<'t>]) -> Var<'t> {
        let inputs: Vec<Var<'t>> = std::iter::once(self).chain(others.iter().copied()).collect();
        self.tape.apply(op, &inputs)
    }

    /// The reverse sweep from this scalar: adds dL/dp to `grads` for every trainable parameter p that it
    /// depends on.
    ///
    /// # Panics
    /// If this is not a scalar, or the tape does not record.
    #[track_caller]
    pub fn backward(self, grads: &mut Grads) {
        let shape = self.shape();
        assert!(shape.elements() == 1, "backward: expected a loss of one element; found shape {shape}");
        self.backward_from(&[1.0], grads, |_, _| {});
    }

    /// The reverse sweep from any value, whose adjoint is given (the cotangent of a vector-Jacobian
    /// product). `visit` sees, newest first, the index and complete adjoint of every computed value that
    /// this one depends on through a parameter; parameters' own gradients go to `grads`.
    ///
    /// # Panics
    /// If the cotangent has another length than this value, or the tape does not record.
    #[track_caller]
    pub fn backward_from(self, cotangent: &[f32], grads: &mut Grads, mut visit: impl FnMut(u32, &[f32])) {
        let tape = self.tape;
        assert!(tape.recording, "backward: this tape was made by Tape::no_grad and recorded nothing");
        let mut adjoints: Vec<Option<Buffer>> = (0..=self.index).map(|_| None).collect();
        let mut seed = tape.workspace.take(self.shape().elements());
        seed.copy_from_slice(cotangent);
        adjoints[self.index as usize] = Some(seed);

        for index in (0..=self.index).rev() {
            let Some(dy) = adjoints[index as usize].take() else { continue }; // the loss does not depend on it
            visit(index, &dy);
            let nodes = tape.restored(index);
            let node = &nodes[index as usize];
            match (&node.op, &node.value) {
                (Some(op), _) if node.wants_grad => {
                    tape.backward_node(&nodes, node, op.as_ref(), dy, &mut adjoints, grads);
                }
                // Only when the sweep starts at a parameter: otherwise its users send to `grads` directly.
                (None, Value::Param(id)) if node.wants_grad => add_to(grads.arrive(*id), &dy),
                _ => {}
            }
            drop(nodes);
            tape.forget_again(index);
        }
    }
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

impl Tape<'_> {
    /// One step of the sweep: from dL/dy of `y = op(x...)` to the contributions to each dL/dx.
    ///
    /// Destinations are moved out of their stores one by one, so that an operation can write to all
    /// its inputs' gradients at once and no two of them alias.
    fn backward_node(
        &self,
        nodes: &[Node],
        node: &Node,
        op: &dyn Op,
        dy: Buffer,
        adjoints: &mut [Option<Buffer>],
        grads: &mut Grads,
    ) {
        // y = a + b: da = dy. The last input that is given once, and nothing yet, takes the buffer itself.
        let heir = node.inputs.iter().rposition(|&i| {
            let input = &nodes[i as usize];
            let once = node.inputs.iter().filter(|&&j| j == i).count() == 1 && adjoints[i as usize].is_none();
            let computed = input.wants_grad && input.param().is_none();
            op.passes_on() && once && computed && input.shape.elements() == dy.len()
        });
        let views: Vec<View<'_>> = node.inputs.iter().map(|&i| nodes[i as usize].view(self.params)).collect();
        let mut places: Vec<(Destination, Accum)> = Vec::with_capacity(node.inputs.len());
        for (position, &i) in node.inputs.iter().enumerate() {
            let input = &nodes[i as usize];
            let same =
                |&j: &u32| j == i || input.param().is_some_and(|id| nodes[j as usize].param() == Some(id));
            places.push(if !input.wants_grad || heir == Some(position) {
                (Destination::Nowhere, Accum::Replace)
            } else if let Some(first) = node.inputs[..position].iter().position(same) {
                let part = self.workspace.take(input.shape.elements());
                (Destination::Again { first, part }, Accum::Replace)
            } else if let Value::Param(id) = input.value {
                let (data, accum) = grads.take(id);
                (Destination::Param(data), accum)
            } else if let Some(buffer) = adjoints[i as usize].take() {
                (Destination::Node(buffer), Accum::Add)
            } else {
                (Destination::Node(self.workspace.take(input.shape.elements())), Accum::Replace)
            });
        }

        let mut dx: Vec<Option<Grad<'_>>> = places
            .iter_mut()
            .map(|(place, accum)| place.slice().map(|to| Grad { to, accum: *accum }))
            .collect();
        let saved = node.saved.as_ref().expect("a recorded node keeps what its forward saved");
        let View { data: y, .. } = node.view(self.params);
        op.backward(&views, y, &dy, saved, &mut dx);

        for position in 1..places.len() {
            let (before, this) = places.split_at_mut(position);
            if let Destination::Again { first, part } = &this[0].0 {
                let to = before[*first].0.slice().expect("the first of two equal inputs has a destination");
                add_to(Grad { to, accum: Accum::Add }, part);
            }
        }
        for (position, ((place, _), &i)) in places.into_iter().zip(&node.inputs).enumerate() {
            match (place, &nodes[i as usize].value) {
                (Destination::Node(buffer), _) => adjoints[i as usize] = Some(buffer),
                (Destination::Param(data), Value::Param(id)) => {
                    grads.put_back(*id, data);
                    grads.reach_rows(*id, op.rows_reached(position));
                }
                (Destination::Again { .. }, Value::Param(id)) => {
                    grads.reach_rows(*id, op.rows_reached(position))
                }
                _ => {}
            }
        }
        if let Some(position) = heir {
            adjoints[node.inputs[position] as usize] = Some(dy);
        }
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
