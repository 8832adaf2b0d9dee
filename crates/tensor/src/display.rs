//! A tape that shows itself: as equations, as a Graphviz graph, as a table of its memory, and where its first
//! non-finite value is.

use crate::ParamId;
use crate::tape::node::{Node, Place, Value};
use crate::tape::{Tape, Var};
use std::collections::{BTreeMap, BTreeSet};
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
        let right = node.record.as_ref().map_or("constant".to_string(), |record| {
            let inputs: Vec<String> = record.inputs.iter().map(|&place| self.label(place)).collect();
            format!("{} {}", record.op.name(), inputs.join(" "))
        });
        format!("%{index}: {} = {right}", node.shape)
    }

    /// The graph in the language of Graphviz: `dot -Tsvg tape.dot -o tape.svg`. Parameters are boxes,
    /// operations are ellipses, arrows point from inputs to outputs.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let nodes = self.nodes.borrow();
        let mut dot = String::from("digraph tape {\n  rankdir=BT;\n  node [fontname=\"monospace\"];\n");
        let mut drawn = BTreeSet::new(); // parameters are drawn where they are used first
        for (index, node) in nodes.iter().enumerate() {
            for id in params_of(node).filter(|&id| drawn.insert(id)) {
                let label = format!("{}\\n{}", self.params.name(id), self.params.shape(id));
                let _ = writeln!(dot, "  p{} [shape=box, label=\"{label}\"];", id.index());
            }
            let (shape, what) =
                node.record.as_ref().map_or(("note", "constant"), |r| ("ellipse", r.op.name()));
            let _ = writeln!(dot, "  n{index} [shape={shape}, label=\"{what}\\n{}\"];", node.shape);
            for input in node.record.iter().flat_map(|record| &record.inputs) {
                let _ = match input {
                    Place::Param(id) => writeln!(dot, "  p{} -> n{index};", id.index()),
                    Place::Node(from) => writeln!(dot, "  n{from} -> n{index};"),
                };
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
            let record = node.record.as_ref();
            let row = rows.entry(record.map_or("constant", |record| record.op.name())).or_default();
            row.nodes += 1;
            row.output_bytes += size_of_val(&buffer[..]);
            let saved = record.and_then(|record| record.saved.as_ref());
            row.saved_bytes += saved.map_or(0, |saved| saved.bytes());
        }
        MemoryReport { rows: rows.into_iter().collect() }
    }
}

impl Var<'_> {
    /// The first value on the tape, up to this one, that holds a NaN or an infinity, as a printed equation; of parameters,
    /// those that this value or an earlier one is computed from.
    #[must_use]
    pub fn first_non_finite(self) -> Option<String> {
        let (tape, params) = (self.tape, self.tape.params);
        let bad = |data: &[f32]| {
            let at = data.iter().position(|x| !x.is_finite())?;
            Some(format!("holds {} at element {at}", data[at]))
        };
        let bad_param = |id: ParamId| {
            let what = bad(params.data(id))?;
            Some(format!("{}: {} = parameter {what}", params.name(id), params.shape(id)))
        };
        let last = match self.place {
            Place::Param(id) => return bad_param(id),
            Place::Node(index) => index,
        };
        let nodes = tape.nodes.borrow();
        (0..=last).find_map(|index| {
            let node = &nodes[index as usize];
            params_of(node).find_map(bad_param).or_else(|| {
                let computed = (!matches!(node.value, Value::Freed)).then(|| node.view())?;
                Some(format!("{} {}", tape.equation(index), bad(computed.data)?))
            })
        })
    }
}

/// The parameters among the inputs of an operation.
fn params_of(node: &Node) -> impl Iterator<Item = ParamId> {
    let inputs = node.record.iter().flat_map(|record| &record.inputs);
    inputs.filter_map(|&place| if let Place::Param(id) = place { Some(id) } else { None })
}

/// Prints every computed value as an equation, in order. Parameters appear by name on the right.
impl fmt::Display for Tape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.mark() as u32).try_for_each(|index| writeln!(f, "{}", self.equation(index)))
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
