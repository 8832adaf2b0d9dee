//! Memory for time: values that are forgotten on the way forward and computed again on the way back (gradient
//! checkpointing: Chen et al. 2016).
//!
//! A node keeps its operation and its inputs, and an operation is a function of its inputs alone, its masks of
//! dropout included: so what was forgotten can be computed again, with the same bits. Of a model whose blocks are
//! forgotten, the tape holds the blocks' outputs and, while the sweep is in a block, the values of that one. The price
//! is a second forward pass, about a third of a step.

use crate::op::{Saved, View};
use crate::params::Params;
use crate::tape::{Node, Tape, Value, Var};
use crate::workspace::Workspace;
use std::cell::Ref;

impl<'p> Tape<'p> {
    /// A tape that records, and on which [`Tape::free_since`] forgets values until the backward needs them.
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
        let free = |node: &Node| !self.is_recording() || (self.recompute && node.op.is_some());
        for (i, node) in self.nodes.borrow_mut().iter_mut().enumerate().skip(mark) {
            let kept = keep.iter().any(|keep| keep.index as usize == i);
            if !kept && matches!(node.value, Value::Here(_)) && free(node) {
                (node.value, node.saved) = (Value::Freed, None);
            }
        }
    }

    /// The nodes, among them all that the backward of node `index` reads: what was forgotten is computed again.
    pub(crate) fn restored(&self, index: u32) -> Ref<'_, Vec<Node>> {
        if self.recompute {
            self.restore(index);
        }
        self.nodes.borrow()
    }

    fn restore(&self, index: u32) {
        let mut missing = Vec::new();
        let mut ask = vec![index];
        ask.extend_from_slice(&self.nodes.borrow()[index as usize].inputs);
        while let Some(index) = ask.pop() {
            let node = &self.nodes.borrow()[index as usize];
            if matches!(node.value, Value::Freed) && !missing.contains(&index) {
                missing.push(index);
                ask.extend_from_slice(&node.inputs);
            }
        }
        missing.sort_unstable(); // inputs are older than what is computed from them
        missing.into_iter().for_each(|index| self.compute_again(index));
    }

    fn compute_again(&self, index: u32) {
        let nodes = self.nodes.borrow();
        let node = &nodes[index as usize];
        let op = node.op.as_ref().expect("only what was computed is forgotten");
        let views: Vec<View<'_>> = node.inputs.iter().map(|&i| nodes[i as usize].view(self.params)).collect();
        let mut value = self.workspace.take(node.shape.elements());
        let mut saved = Saved::new(self.workspace);
        op.forward(&views, &mut value, &mut saved);
        drop(nodes);
        let node = &mut self.nodes.borrow_mut()[index as usize];
        (node.value, node.saved) = (Value::Again(value), Some(saved));
    }

    /// Forgets a value that was computed again: the sweep has passed it.
    pub(crate) fn forget_again(&self, index: u32) {
        if !self.recompute {
            return;
        }
        let node = &mut self.nodes.borrow_mut()[index as usize];
        if matches!(node.value, Value::Again(_)) {
            (node.value, node.saved) = (Value::Freed, None);
        }
    }
}
