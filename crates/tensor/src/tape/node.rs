//! What a tape records of one value, and the values as a graph.

use crate::op::Op;
use crate::params::{ParamId, Params};
use crate::saved::Saved;
use crate::shape::{Shape, View};
use crate::workspace::Buffer;
use std::cell::Cell;

/// A computed value, and how it came about.
pub(crate) struct Node {
    pub(crate) shape: Shape,
    pub(crate) value: Value,
    pub(crate) record: Option<Box<Record>>, // None: a constant, or computed without recording
    pub(crate) wants_grad: bool,            // a trainable parameter is among its ancestors
}

/// How a value was computed.
pub(crate) struct Record {
    pub(crate) op: Box<dyn Op>,
    pub(crate) inputs: Box<[Place]>, // parameters, and nodes older than this one
    pub(crate) saved: Option<Saved>, // None: freed with the value
}

/// Where a node's numbers are.
pub(crate) enum Value {
    Here(Buffer),
    Again(Buffer), // freed before, and computed again for the backward
    Freed,
}

/// Where a value is: among the parameters, which no tape copies, or among the nodes of its tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Param(ParamId),
    Node(u32),
}

/// The values that an operation can have as inputs.
#[derive(Clone, Copy)]
pub(crate) struct Graph<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) params: &'a Params,
}

impl<'a> Graph<'a> {
    pub(crate) fn shape(self, place: Place) -> Shape {
        match place {
            Place::Param(id) => self.params.shape(id),
            Place::Node(index) => self.nodes[index as usize].shape,
        }
    }

    pub(crate) fn view(self, place: Place) -> View<'a> {
        match place {
            Place::Param(id) => self.params.view(id),
            Place::Node(index) => self.nodes[index as usize].view(),
        }
    }

    /// Whether a backward sends anything to this value.
    pub(crate) fn wants_grad(self, place: Place) -> bool {
        match place {
            Place::Param(id) => self.params.is_trainable(id),
            Place::Node(index) => self.nodes[index as usize].wants_grad,
        }
    }

    /// The values of an operation's inputs.
    pub(crate) fn views(self, inputs: &[Place]) -> Vec<View<'a>> {
        inputs.iter().map(|&place| self.view(place)).collect()
    }
}

impl Node {
    /// A node that nothing is recorded of.
    pub(crate) fn leaf(shape: Shape, value: Buffer) -> Self {
        Self { shape, value: Value::Here(value), record: None, wants_grad: false }
    }

    pub(crate) fn view(&self) -> View<'_> {
        match &self.value {
            Value::Here(buffer) | Value::Again(buffer) => View { data: buffer, shape: self.shape },
            Value::Freed => panic!("this value was freed by Tape::free_since"),
        }
    }

    /// Gives back its buffers.
    pub(super) fn free(&mut self) {
        self.value = Value::Freed;
        if let Some(record) = &mut self.record {
            record.saved = None;
        }
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
