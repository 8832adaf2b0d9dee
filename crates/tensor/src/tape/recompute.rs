//! Memory for time: values that are forgotten on the way forward and computed again on the way back (gradient
//! checkpointing: Chen et al. 2016).
//!
//! A node keeps its operation and its inputs, and an operation is a function of its inputs alone, its masks of
//! dropout included: so what was forgotten can be computed again, with the same bits. Of a model whose blocks are
//! forgotten, the tape holds the blocks' outputs and, while the sweep is in a block, the values of that one. The price
//! is a second forward pass, about a third of a step.

use super::node::{Graph, Node, Place, Value};
use crate::params::Params;
use crate::saved::Saved;
use crate::workspace::Workspace;

/// Gives back the buffers of the values since `mark` but for those to keep; of a tape that records, only of those that
/// can be computed again.
pub(super) fn forget(nodes: &mut [Node], mark: usize, is_kept: impl Fn(Place) -> bool, recording: bool) {
    for (i, node) in nodes.iter_mut().enumerate().skip(mark) {
        let free = !recording || node.record.is_some();
        if free && !is_kept(Place::Node(i as u32)) && matches!(node.value, Value::Here(_)) {
            node.free();
        }
    }
}

/// Computes again what the backward of node `index` reads and what was forgotten.
pub(super) fn restore(nodes: &mut [Node], index: u32, params: &Params, workspace: &Workspace) {
    let inputs = |index: u32| {
        let record = nodes[index as usize].record.as_deref();
        let inputs = record.map_or(&[][..], |record| &record.inputs);
        inputs.iter().filter_map(|&place| if let Place::Node(index) = place { Some(index) } else { None })
    };
    let mut missing = Vec::new();
    let mut ask = vec![index];
    ask.extend(inputs(index));
    while let Some(index) = ask.pop() {
        if matches!(nodes[index as usize].value, Value::Freed) && !missing.contains(&index) {
            missing.push(index);
            ask.extend(inputs(index));
        }
    }
    missing.sort_unstable(); // inputs are older than what is computed from them
    for index in missing {
        let node = &nodes[index as usize];
        let record = node.record.as_ref().expect("only what was computed is forgotten");
        let mut value = workspace.take(node.shape.elements());
        let mut saved = Saved::new(workspace);
        record.op.forward(&Graph { nodes, params }.views(&record.inputs), &mut value, &mut saved);
        let node = &mut nodes[index as usize];
        node.value = Value::Again(value);
        node.record.as_mut().expect("it is still there").saved = Some(saved);
    }
}

/// Forgets a value that was computed again: the sweep has passed it.
pub(super) fn forget_again(node: &mut Node) {
    if matches!(node.value, Value::Again(_)) {
        node.free();
    }
}
