//! A tape that shows itself: as equations, as a Graphviz graph, as a table of its memory, and where its first
//! non-finite value is.

use crate::tape::node::Value;
use crate::tape::{Tape, Var};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

impl Tape<'_> {
    /// One value as an equation: `%7: [12, 64, 384] = linear %6 h.0.attn.c_attn.weight`.
    ///
    /// # Panics
    /// If the tape has no such value.
    #[must_use]
    pub fn equation(&self, index: u32) -> String {
        let nodes = self.nodes.borrow();
        let node = &nodes[index as usize];
        let inputs: Vec<String> = node.inputs.iter().map(|&i| self.label(i)).collect();
        let right = match (&node.op, &node.value) {
            (Some(op), _) => format!("{} {}", op.name(), inputs.join(" ")),
            (None, Value::Param(_)) => "parameter".to_string(),
            (None, _) => "constant".to_string(),
        };
        format!("{}: {} = {right}", self.label(index), node.shape)
    }

    /// The graph in the language of Graphviz: `dot -Tsvg tape.dot -o tape.svg`. Parameters are boxes,
    /// operations are ellipses, arrows point from inputs to outputs.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let nodes = self.nodes.borrow();
        let mut dot = String::from("digraph tape {\n  rankdir=BT;\n  node [fontname=\"monospace\"];\n");
        let id = |index: u32| match nodes[index as usize].value {
            // Several nodes may refer to one parameter: they are drawn as one box.
            Value::Param(param) => format!("p{}", param.index()),
            _ => format!("n{index}"),
        };
        for (index, node) in nodes.iter().enumerate() {
            let index = index as u32;
            let (shape, what) = match (&node.op, &node.value) {
                (_, Value::Param(param)) => ("box", self.params.name(*param).to_string()),
                (Some(op), _) => ("ellipse", op.name().to_string()),
                (None, _) => ("note", "constant".to_string()),
            };
            let label = format!("{what}\\n{}", node.shape);
            let _ = writeln!(dot, "  {} [shape={shape}, label=\"{label}\"];", id(index));
            for &input in &node.inputs {
                let _ = writeln!(dot, "  {} -> {};", id(input), id(index));
            }
        }
        dot.push_str("}\n");
        dot
    }

    /// What each kind of operation holds: how many nodes, bytes of outputs, bytes saved for backward.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        let mut rows: BTreeMap<&'static str, MemoryRow> = BTreeMap::new();
        for node in self.nodes.borrow().iter() {
            let Value::Here(buffer) = &node.value else { continue };
            let row = rows.entry(node.op.as_ref().map_or("constant", |op| op.name())).or_default();
            row.nodes += 1;
            row.output_bytes += size_of_val(&buffer[..]);
            row.saved_bytes += node.saved.as_ref().map_or(0, |saved| saved.bytes());
        }
        MemoryReport { rows: rows.into_iter().collect() }
    }
}

impl Var<'_> {
    /// The first value on the tape, up to this one, that holds a NaN or an infinity, as a printed equation.
    #[must_use]
    pub fn first_non_finite(self) -> Option<String> {
        let nodes = self.tape.nodes.borrow();
        (0..=self.index).find_map(|index| {
            let node = &nodes[index as usize];
            let view = (!matches!(node.value, Value::Freed)).then(|| node.view(self.tape.params))?;
            let at = view.data.iter().position(|x| !x.is_finite())?;
            Some(format!("{} holds {} at element {at}", self.tape.equation(index), view.data[at]))
        })
    }
}

/// Prints every computed value as an equation, in order. Parameters appear by name on the right.
impl fmt::Display for Tape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for index in 0..self.mark() as u32 {
            if !matches!(self.nodes.borrow()[index as usize].value, Value::Param(_)) {
                writeln!(f, "{}", self.equation(index))?;
            }
        }
        Ok(())
    }
}

/// One row of a [`MemoryReport`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryRow {
    /// How many nodes of this operation the tape has.
    pub nodes: usize,
    /// Bytes of their outputs.
    pub output_bytes: usize,
    /// Bytes that their forwards kept for the backward beside inputs and outputs.
    pub saved_bytes: usize,
}

/// The memory of a tape by operation; printing it gives a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    /// Operation name and what its nodes hold, by name.
    pub rows: Vec<(&'static str, MemoryRow)>,
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:>6} {:>14} {:>14}", "operation", "nodes", "output bytes", "saved bytes")?;
        let mut total = MemoryRow::default();
        for (name, row) in &self.rows {
            writeln!(f, "{name:<16} {:>6} {:>14} {:>14}", row.nodes, row.output_bytes, row.saved_bytes)?;
            total.nodes += row.nodes;
            total.output_bytes += row.output_bytes;
            total.saved_bytes += row.saved_bytes;
        }
        write!(f, "{:<16} {:>6} {:>14} {:>14}", "total", total.nodes, total.output_bytes, total.saved_bytes)
    }
}
