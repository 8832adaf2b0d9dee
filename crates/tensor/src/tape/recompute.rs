//! Memory for time: values that are forgotten on the way forward and computed again on the way back (gradient
//! checkpointing: Chen et al. 2016).
//!
//! A node keeps its operation and its inputs, and an operation is a function of its inputs alone, its masks of
//! dropout included: so what was forgotten can be computed again, with the same bits. Of a model whose blocks are
//! forgotten, the tape holds the blocks' outputs and, while the sweep is in a block, the values of that one. The price
//! is a second forward pass, about a third of a step.

use super::node::{Node, Value, inputs};
use crate::op::Saved;
use crate::params::Params;
use crate::workspace::Workspace;

/// Gives back the buffers of the values since `mark` except those to keep; of a tape that records, only of those that
/// can be computed again.
pub(super) fn forget(nodes: &mut [Node], mark: usize, keep: &[usize], recording: bool) {
    for (i, node) in nodes.iter_mut().enumerate().skip(mark) {
        let free = !recording || node.op.is_some();
        if free && !keep.contains(&i) && matches!(node.value, Value::Here(_)) {
            (node.value, node.saved) = (Value::Freed, None);
        }
    }
}

/// Computes again what the backward of node `index` reads and what was forgotten.
pub(super) fn restore(nodes: &mut [Node], index: u32, params: &Params, workspace: &Workspace) {
    let mut missing = Vec::new();
    let mut ask = vec![index];
    ask.extend_from_slice(&nodes[index as usize].inputs);
    while let Some(index) = ask.pop() {
        let node = &nodes[index as usize];
        if matches!(node.value, Value::Freed) && !missing.contains(&index) {
            missing.push(index);
            ask.extend_from_slice(&node.inputs);
        }
    }
    missing.sort_unstable(); // inputs are older than what is computed from them
    for index in missing {
        let node = &nodes[index as usize];
        let op = node.op.as_ref().expect("only what was computed is forgotten");
        let mut value = workspace.take(node.shape.elements());
        let mut saved = Saved::new(workspace);
        op.forward(&inputs(nodes, node, params), &mut value, &mut saved);
        let node = &mut nodes[index as usize];
        (node.value, node.saved) = (Value::Again(value), Some(saved));
    }
}

/// Forgets a value that was computed again: the sweep has passed it.
pub(super) fn forget_again(node: &mut Node) {
    if matches!(node.value, Value::Again(_)) {
        (node.value, node.saved) = (Value::Freed, None);
    }
}
