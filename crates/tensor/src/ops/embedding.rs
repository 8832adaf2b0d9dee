//! Embedding: rows of a table by index, y\[i\] = W\[ids\[i\]\]; and GPT-2's sum of two, with one row for the
//! token and one for its position: y\[b, t\] = wte\[ids\[b, t\]\] + wpe\[t\].
//!
//! It is a product with a one-hot matrix H (H\[i, v\] = 1 where ids\[i\] = v), y = H W, that is not worth
//! multiplying out. The backward of that product says everything:
//!
//! $$ dW = H^\top dy, \qquad dW_v = \sum_{i:\ ids_i = v} dy_i $$
//!
//! so a row used twice receives the sum of both uses, and an unused row zero. For positions the "ids" are
//! i mod T, and dwpe\[t\] is the sum over the batch.
//!
//! Saved: nothing; the ids are part of the operation. C floats read and written per id. With
//! Accum::Add (a table that is also the output layer's weight) the rows of unused tokens are not touched.

use crate::kernels::embedding::{gather_rows, gather_rows_with_positions, scatter_rows};
use crate::{Grad, MAX_RANK, Op, Saved, Shape, ShapeError, Var, View};
use ndarray::{ArrayD, Axis};

impl<'t> Var<'t> {
    /// The rows `ids` of this table (V, C) in a tensor of `shape` and a last axis C.
    ///
    /// ```
    /// # use tensor::{Params, Tape, Workspace};
    /// # use ndarray::arr2;
    /// # let (params, workspace) = (Params::new(), Workspace::new());
    /// let tape = Tape::new(&params, &workspace);
    /// let table = tape.constant(&arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn());
    /// let rows = table.embedding(&[1, 0, 1], &[3]);
    /// assert_eq!(rows.value(), arr2(&[[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]).into_dyn());
    /// ```
    ///
    /// # Panics
    /// If this is not a matrix, an id is not below V, or `shape` does not hold as many elements as `ids`.
    #[track_caller]
    #[must_use]
    pub fn embedding(self, ids: &[u32], shape: &[usize]) -> Var<'t> {
        self.apply(Embedding { ids: ids.into(), shape: Shape::new(shape) }, &[])
    }

    /// `self[ids[b, t]] + positions[t]`: this table is (V, C), `positions` (P, C), and `shape` ends in the
    /// time axis T, at most P long.
    ///
    /// # Panics
    /// As [`Var::embedding`], or if `positions` does not fit.
    #[track_caller]
    #[must_use]
    pub fn embedding_with_positions(self, positions: Var<'t>, ids: &[u32], shape: &[usize]) -> Var<'t> {
        self.apply(Embedding { ids: ids.into(), shape: Shape::new(shape) }, &[positions])
    }
}

/// y = table\[ids\], or table\[ids\] + positions\[t\] if there is a second input
#[derive(Clone, Debug)]
pub struct Embedding {
    /// Which row for each position of the output, row-major.
    pub ids: Box<[u32]>,
    /// The shape of the ids. Its last axis is time.
    pub shape: Shape,
}

impl Embedding {
    /// T, the number of positions.
    fn period(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        let [table, positions @ ..] = x else { return Err(ShapeError::new("a table [V, C]")) };
        ShapeError::unless(
            table.len() == 2 && positions.len() <= 1,
            "a table [V, C] and perhaps positions [P, C]",
        )?;
        let (size, width) = (table[0], table[1]);
        if let Some(wrong) = self.ids.iter().position(|&id| id as usize >= size) {
            let id = self.ids[wrong];
            return Err(ShapeError::new(format!("a table [V, C] with V > {id}, which is id number {wrong}")));
        }
        let shape = self.shape;
        if shape.elements() != self.ids.len() || shape.len() >= MAX_RANK {
            return Err(ShapeError::new(format!("ids of shape {shape}, not {} of them", self.ids.len())));
        }
        for positions in positions {
            let fits = positions.len() == 2 && positions[1] == width && positions[0] >= self.period();
            ShapeError::unless(fits, &format!("positions [P, {width}] with P >= {}", self.period()))?;
        }
        Ok(Shape::new(&[&shape[..], &[width]].concat()))
    }

    fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
        let width = x[0].shape[1];
        match x.get(1) {
            None => gather_rows(x[0].data, &self.ids, width, y),
            Some(positions) => {
                gather_rows_with_positions(x[0].data, positions.data, &self.ids, self.period(), width, y);
            }
        }
    }

    fn backward(&self, x: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
        let width = x[0].shape[1];
        // y[i] = table[ids[i]]: dtable[id] = sum of dy[i] over i with ids[i] = id
        if let Some(dtable) = &mut dx[0] {
            scatter_rows(dy, self.ids.iter().copied(), width, dtable);
        }
        // y[i] += positions[i mod T]: dpositions[t] = sum of dy[i] over i with i mod T = t
        if let Some(Some(dpositions)) = dx.get_mut(1) {
            let period = self.period() as u32;
            scatter_rows(dy, (0..self.ids.len() as u32).map(|i| i % period), width, dpositions);
        }
    }

    fn rows_reached(&self, input: usize) -> Option<&[u32]> {
        (input == 0).then_some(&self.ids)
    }

    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        let ids: Vec<usize> = self.ids.iter().map(|&id| id as usize).collect();
        let mut y = x[0].select(Axis(0), &ids);
        if let Some(positions) = x.get(1) {
            let steps: Vec<usize> = (0..ids.len()).map(|i| i % self.period()).collect();
            y += &positions.select(Axis(0), &steps);
        }
        let shape = [&self.shape[..], &[x[0].shape()[1]]].concat();
        y.into_shape_with_order(shape).expect("as many rows as ids")
    }
}

use crate::case::{Case, Sample};

/// For the tests over all operations.
pub const CASE: Case = Case {
    name: "embedding",
    sample: |draw| {
        let (size, width) = (draw.size(1, 6), draw.size(1, 20));
        let rank = draw.size(0, 2);
        let shape = Shape::new(&draw.shape(rank, 5));
        let ids = (0..shape.elements()).map(|_| draw.size(0, size - 1) as u32).collect();
        let op = Embedding { ids, shape };
        let mut inputs = vec![draw.array(&[size, width])];
        if draw.size(0, 1) == 0 {
            let longer = draw.size(0, 2);
            inputs.push(draw.array(&[op.period() + longer, width]));
        }
        Sample::new(op, inputs)
    },
    misfits: || {
        let op = |ids: &[u32], shape: &[usize]| -> Box<dyn Op> {
            Box::new(Embedding { ids: ids.into(), shape: Shape::new(shape) })
        };
        vec![
            (op(&[0, 3], &[2]), vec![[3, 4].into()]),    // id 3 of 3 rows
            (op(&[0, 1, 2], &[2]), vec![[3, 4].into()]), // three ids in two places
            (op(&[0], &[1]), vec![[3].into()]),          // not a matrix
            (op(&[0, 1], &[2]), vec![[3, 4].into(), [1, 4].into()]), // more steps than positions
            (op(&[0, 1], &[2]), vec![[3, 4].into(), [2, 5].into()]), // positions of another width
        ]
    },
};
