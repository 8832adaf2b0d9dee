//! What a tape records of one value.

use crate::op::{Op, Saved};
use crate::params::{ParamId, Params};
use crate::shape::{Shape, View};
use crate::workspace::Buffer;
use std::cell::Cell;

/// A value, and how it came about.
pub(crate) struct Node {
    pub(crate) op: Option<Box<dyn Op>>, // None: a leaf, or computed without recording
    pub(crate) inputs: Box<[u32]>,      // indices of older nodes
    pub(crate) shape: Shape,
    pub(crate) value: Value,
    pub(crate) saved: Option<Saved>,
    pub(crate) wants_grad: bool, // a trainable parameter is among its ancestors
}

/// Where a node's numbers are.
pub(crate) enum Value {
    Here(Buffer),
    Again(Buffer), // freed before, and computed again for the backward
    Param(ParamId),
    Freed,
}

impl Node {
    /// A node that nothing was recorded of.
    pub(crate) fn leaf(shape: Shape, value: Value, wants_grad: bool) -> Self {
        Self { op: None, inputs: Box::default(), shape, value, saved: None, wants_grad }
    }

    pub(crate) fn view<'a>(&'a self, params: &'a Params) -> View<'a> {
        match &self.value {
            Value::Here(buffer) | Value::Again(buffer) => View { data: buffer, shape: self.shape },
            Value::Param(id) => params.view(*id),
            Value::Freed => panic!("this value was freed by Tape::free_since"),
        }
    }

    pub(crate) fn param(&self) -> Option<ParamId> {
        if let Value::Param(id) = self.value { Some(id) } else { None }
    }
}

thread_local! {
    /// The list of nodes of the last tape on this thread, empty: the next one need not allocate it. A generated token is a
    /// tape of its own.
    static SPARE: Cell<Vec<Node>> = const { Cell::new(Vec::new()) };
}

/// An empty list, with room for as many nodes as the last one had.
pub(super) fn take_spare() -> Vec<Node> {
    SPARE.take()
}

/// Keeps an empty list for the next tape.
pub(super) fn keep_spare(nodes: Vec<Node>) {
    debug_assert!(nodes.is_empty());
    SPARE.set(nodes);
}

/// The values of a node's inputs.
pub(crate) fn inputs<'a>(nodes: &'a [Node], node: &Node, params: &'a Params) -> Vec<View<'a>> {
    node.inputs.iter().map(|&i| nodes[i as usize].view(params)).collect()
}
