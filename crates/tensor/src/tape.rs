//! The tape: one forward pass, recorded in order, and the sweep that walks it backwards.
//!
//! An operation on [`Var`]s computes its value at once and pushes a node. A node's inputs are always
//! older than the node, so the order of creation is a topological order of the graph, and reverse mode
//! is a backwards `for` over a `Vec`: no sorting, no recursion, no reference counting.
//!
//! Reverse mode in one paragraph. Let the *adjoint* of a node be dL/d(node), the derivative of the
//! loss by that node's value; code and comments write dy for the adjoint of y. The loss has adjoint 1.
//! If y = f(a, b), and J_a is the Jacobian matrix of y by a, the chain rule sends J_a^T dy to a and
//! J_b^T dy to b; a value used in several places adds up what it is sent. Going backwards, every use of
//! a value is visited before the value itself, so its adjoint is complete when its own turn comes.

mod adjoints;
mod dropout;
mod dropout_seeds;
pub(crate) mod node;
mod recompute;

use crate::op::Op;
use crate::params::{Grads, ParamId, Params};
use crate::saved::Saved;
use crate::workspace::Workspace;
use crate::{Shape, ShapeError, View};
use adjoints::Adjoints;
pub use dropout_seeds::DropoutSeeds;
use ndarray::ArrayD;
use node::{Graph, Node, Place, Record};
use std::cell::RefCell;

/// One forward pass of one micro-batch, a part of a batch that is small enough for the memory. It borrows the parameters
/// read-only, so an optimizer's step while the graph is alive does not compile: see [`Params::data_mut`].
pub struct Tape<'p> {
    pub(crate) params: &'p Params,
    pub(crate) workspace: &'p Workspace,
    pub(crate) nodes: RefCell<Vec<Node>>,
    recording: bool,
    recompute: bool,
    dropout: Option<DropoutSeeds>,
}

/// A value on a tape: a reference, and where the value is. It is `Copy`, so formulas nest:
/// `x + mlp.forward(norm.forward(x))`.
#[derive(Clone, Copy)]
pub struct Var<'t> {
    pub(crate) tape: &'t Tape<'t>,
    pub(crate) place: Place,
}

impl<'p> Tape<'p> {
    /// A tape that records, for training.
    #[must_use]
    pub fn new(params: &'p Params, workspace: &'p Workspace) -> Self {
        let nodes = RefCell::new(node::take_spare());
        Self { params, workspace, nodes, recording: true, recompute: false, dropout: None }
    }

    /// A tape that computes the same values and keeps nothing for a backward: for evaluation and sampling.
    #[must_use]
    pub fn no_grad(params: &'p Params, workspace: &'p Workspace) -> Self {
        let mut tape = Self::new(params, workspace);
        tape.recording = false;
        tape
    }

    /// A tape that records, and on which [`Tape::free_since`] forgets values until the backward needs them (gradient
    /// checkpointing: the price is a second forward pass, about a third of a step).
    ///
    /// ```
    /// # use tensor::{Grads, Params, Tape, Workspace};
    /// # let (mut params, workspace) = (Params::new(), Workspace::new());
    /// # let w = params.add("w", [3], |w| w.fill(2.0));
    /// let mut grads = Grads::new(&params);
    /// let tape = Tape::recomputing(&params, &workspace);
    /// let mark = tape.mark();
    /// let x = tape.param(w);
    /// let y = (x * x * x).sum();
    /// tape.free_since(mark, &[y]); // forgets x * x and x * x * x
    /// y.backward(&mut grads);
    /// assert_eq!(grads.get(w).unwrap()[0], 3.0 * 2.0 * 2.0);
    /// ```
    #[must_use]
    pub fn recomputing(params: &'p Params, workspace: &'p Workspace) -> Self {
        let mut tape = Self::new(params, workspace);
        tape.recompute = true;
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
        Var { tape: self, place: Place::Param(id) }
    }

    /// A value that needs no gradient: inputs, constants.
    pub fn constant(&self, array: &ArrayD<f32>) -> Var<'_> {
        let mut buffer = self.workspace.take(array.len());
        buffer.iter_mut().zip(array).for_each(|(to, from)| *to = *from);
        self.push(Node::leaf(array.shape().into(), buffer))
    }

    /// A value of `shape` that `fill` computes from others and writes in full, outside of the operations: what generating
    /// needs and training does not, such as attention to a cache of keys and values.
    ///
    /// # Panics
    /// If this tape records (no gradient would flow through the value), or an input is of another tape.
    #[track_caller]
    pub fn compute<'t>(
        &'t self,
        inputs: &[Var<'t>],
        shape: Shape,
        fill: impl FnOnce(&[View<'_>], &mut [f32]),
    ) -> Var<'t> {
        assert!(!self.recording, "compute: expected a tape that does not record (Tape::no_grad)");
        let mut value = self.workspace.take(shape.elements());
        self.expect_own("compute", inputs);
        self.read_all(inputs, |views, _| fill(views, &mut value));
        self.push(Node::leaf(shape, value))
    }

    /// Applies an operation to values of this tape. The methods of [`Var`] are this call with names.
    ///
    /// # Panics
    /// If an input is a value of another tape, or the operation cannot take inputs of these shapes.
    #[track_caller]
    pub fn apply<'t>(&'t self, op: impl Op + 'static, inputs: &[Var<'t>]) -> Var<'t> {
        self.expect_own(op.name(), inputs);
        let mut saved = Saved::new(self.workspace);
        let (shape, value) = self.read_all(inputs, |views, shapes| {
            let shape = match op.output_shape(shapes) {
                Ok(shape) => shape,
                Err(error) => self.shape_panic(&op, &error, inputs),
            };
            let mut value = self.workspace.take(shape.elements());
            op.forward(views, &mut value, &mut saved);
            (shape, value)
        });
        let mut node = Node::leaf(shape, value);
        if self.recording {
            let inputs: Box<[Place]> = inputs.iter().map(|x| x.place).collect();
            node.wants_grad = inputs.iter().any(|&place| self.graph(|graph| graph.wants_grad(place)));
            node.record = Some(Box::new(Record { op: Box::new(op), inputs, saved: Some(saved) }));
        }
        self.push(node)
    }

    fn graph<R>(&self, reader: impl FnOnce(Graph<'_>) -> R) -> R {
        reader(Graph { nodes: &self.nodes.borrow(), params: self.params })
    }

    /// Reads several values in place. Up to three, as nearly every operation has, take no memory from the heap: generating a
    /// token is some fifty operations on small values.
    #[track_caller]
    fn read_all<R>(&self, vars: &[Var<'_>], reader: impl FnOnce(&[View<'_>], &[Shape]) -> R) -> R {
        self.graph(|graph| {
            let view = |x: &Var<'_>| graph.view(x.place);
            match vars {
                [a] => read([view(a)], reader),
                [a, b] => read([view(a), view(b)], reader),
                [a, b, c] => read([view(a), view(b), view(c)], reader),
                _ => {
                    let views: Vec<View<'_>> = vars.iter().map(view).collect();
                    reader(&views, &views.iter().map(|x| x.shape).collect::<Vec<_>>())
                }
            }
        })
    }

    /// How many values there are so far: a mark for [`Tape::free_since`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// Gives back the buffers of all values computed since [`Tape::mark`] except those to `keep`: called after each
    /// block, evaluation needs the memory of one. A tape that records needs them, and does nothing, unless it computes
    /// them again in the backward ([`Tape::recomputing`]).
    ///
    /// # Panics
    /// If a value to keep is of another tape.
    #[track_caller]
    pub fn free_since(&self, mark: usize, keep: &[Var<'_>]) {
        self.expect_own("free_since", keep);
        if self.recompute || !self.recording {
            let is_kept = |place| keep.iter().any(|x| x.place == place);
            recompute::forget(&mut self.nodes.borrow_mut(), mark, is_kept, self.recording);
        }
    }

    /// How a value is called in messages: `%7`, or the name of a parameter.
    pub(crate) fn label(&self, place: Place) -> String {
        match place {
            Place::Param(id) => self.params.name(id).to_string(),
            Place::Node(index) => format!("%{index}"),
        }
    }

    /// A `Var` is an index, and every tape has a value of that index: what the index means is its own tape's affair.
    #[track_caller]
    fn expect_own(&self, what: &str, vars: &[Var<'_>]) {
        if let Some(at) = vars.iter().position(|x| !std::ptr::eq(x.tape, self)) {
            let (name, shape) = (vars[at].tape.label(vars[at].place), vars[at].shape());
            panic!(
                "{what}: expected values of one tape; found input {at}, {name} {shape}, of another. \
                 Compute it again on this tape, or carry its numbers over: tape.constant(&x.value())"
            );
        }
    }

    fn push(&self, node: Node) -> Var<'_> {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(node);
        Var { tape: self, place: Place::Node(nodes.len() as u32 - 1) }
    }

    #[track_caller]
    #[cold]
    fn shape_panic(&self, op: &dyn Op, error: &ShapeError, inputs: &[Var<'_>]) -> ! {
        let named: Vec<_> = inputs.iter().map(|x| (self.label(x.place), x.shape())).collect();
        panic!("{}", error.message(op.name(), &named))
    }
}

impl Drop for Tape<'_> {
    fn drop(&mut self) {
        // Last first, so that the pool hands the next tape the same buffers in the same places.
        let nodes = self.nodes.get_mut();
        while let Some(last) = nodes.len().checked_sub(1) {
            nodes.truncate(last);
        }
        node::keep_spare(std::mem::take(nodes));
    }
}

impl<'t> Var<'t> {
    /// The sizes of the axes.
    #[must_use]
    pub fn shape(self) -> Shape {
        self.tape.graph(|graph| graph.shape(self.place))
    }

    /// The tape that this value is on.
    #[must_use]
    pub fn tape(self) -> &'t Tape<'t> {
        self.tape
    }

    /// Reads the value in place.
    pub fn read<R>(self, reader: impl FnOnce(View<'_>) -> R) -> R {
        self.tape.graph(|graph| reader(graph.view(self.place)))
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
        match others {
            [] => self.tape.apply(op, &[self]),
            [a] => self.tape.apply(op, &[self, *a]),
            [a, b] => self.tape.apply(op, &[self, *a, *b]),
            _ => self.tape.apply(op, &[&[self], others].concat()),
        }
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
    /// product). `visit` sees, newest first, the index and complete adjoint of every value on a path from a trainable
    /// parameter to this one; parameters' own gradients go to `grads`.
    ///
    /// # Panics
    /// If the cotangent has another length than this value, or the tape does not record.
    #[track_caller]
    pub fn backward_from(self, cotangent: &[f32], grads: &mut Grads, mut visit: impl FnMut(u32, &[f32])) {
        let Tape { params, workspace, .. } = *self.tape;
        assert!(self.tape.recording, "backward: this tape was made by Tape::no_grad and recorded nothing");
        let (found, expected) = (cotangent.len(), self.shape());
        assert!(
            found == expected.elements(),
            "backward: {found} numbers as the adjoint of a value {expected}"
        );
        let mut adjoints = Adjoints::new(self.place, cotangent, params, grads, workspace);
        while let Some((index, dy)) = adjoints.newest() {
            visit(index, &dy);
            if self.tape.recompute {
                recompute::restore(&mut self.tape.nodes.borrow_mut(), index, params, workspace);
            }
            self.tape.graph(|graph| {
                let node = &graph.nodes[index as usize];
                let Some(Record { op, inputs, saved }) = node.record.as_deref().filter(|_| node.wants_grad)
                else {
                    return; // a constant, or no parameter behind it learns
                };
                let saved = saved.as_ref().expect("a recorded node keeps what its forward saved");
                let mut parts = adjoints.parts_of(graph, &**op, inputs, dy.len());
                op.backward(&graph.views(inputs), node.view().data, &dy, saved, &mut parts.grads());
                adjoints.put_back(parts, &**op, inputs, dy);
            });
            if self.tape.recompute {
                recompute::forget_again(&mut self.tape.nodes.borrow_mut()[index as usize]);
            }
        }
    }
}

/// Hands an operation the views of its inputs, and their shapes.
fn read<R, const N: usize>(views: [View<'_>; N], reader: impl FnOnce(&[View<'_>], &[Shape]) -> R) -> R {
    reader(&views, &views.map(|x| x.shape))
}
