//! Parameters and their gradients: the named tensors that outlive every tape.

use crate::grad::{Accum, Grad};
use crate::kernels::int8::Int8Matrix;
use crate::shape::View;
use crate::workspace::AlignedVec;
use crate::{Shape, kernels::vmath};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};
use std::collections::HashMap;

/// Which parameter: an index into the [`Params`] that made it. Layers are structs of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(pub(crate) u32);

impl ParamId {
    /// The position in [`Params`], for tables that run alongside (an optimizer's moments).
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone)]
struct Param {
    name: String,
    shape: Shape,
    data: AlignedVec, // row-major
    trainable: bool,
    sparse: bool,
    int8: Option<Box<Int8Matrix>>, // the same numbers in eight bits, for passes that do not record
}

/// Named tensors, in the order in which they were added.
///
/// ```
/// use tensor::Params;
/// let mut params = Params::new();
/// let id = params.add("wte.weight", [65, 128], |w| w.fill(0.02));
/// assert_eq!(params.name(id), "wte.weight");
/// assert_eq!(params.id("wte.weight"), Some(id));
/// assert_eq!(params.count(), 65 * 128);
/// ```
#[derive(Clone, Default)]
pub struct Params {
    all: Vec<Param>,
    by_name: HashMap<String, ParamId>,
}

impl Params {
    /// No parameters yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor; `init` fills its zeros, row-major.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add(&mut self, name: &str, shape: impl Into<Shape>, init: impl FnOnce(&mut [f32])) -> ParamId {
        let id = self.add_shape(name, shape);
        let param = &mut self.all[id.index()];
        param.data = AlignedVec::zeros(param.shape.elements());
        init(&mut param.data);
        id
    }

    /// Adds the name and shape of a tensor without its numbers: [`Params::data`] is empty. For what a model would have,
    /// before there is memory for it.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add_shape(&mut self, name: &str, shape: impl Into<Shape>) -> ParamId {
        let id = ParamId(self.all.len() as u32);
        let previous = self.by_name.insert(name.to_string(), id);
        assert!(previous.is_none(), "there is a parameter named {name:?} already");
        let (name, shape, data) = (name.to_string(), shape.into(), AlignedVec::default());
        self.all.push(Param { name, shape, data, trainable: true, sparse: false, int8: None });
        id
    }

    /// Adds a tensor from an array.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add_array(&mut self, name: &str, array: &ArrayD<f32>) -> ParamId {
        self.add(name, array.shape(), |data| data.iter_mut().zip(array).for_each(|(to, from)| *to = *from))
    }

    /// The parameter of this name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<ParamId> {
        self.by_name.get(name).copied()
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = ParamId> + use<> {
        (0..self.all.len() as u32).map(ParamId)
    }

    /// A parameter's name.
    #[must_use]
    pub fn name(&self, id: ParamId) -> &str {
        &self.all[id.index()].name
    }

    /// A parameter's shape.
    #[must_use]
    pub fn shape(&self, id: ParamId) -> Shape {
        self.all[id.index()].shape
    }

    /// A parameter's numbers, row-major.
    #[must_use]
    pub fn data(&self, id: ParamId) -> &[f32] {
        &self.all[id.index()].data
    }

    /// A parameter's numbers, to be changed. A tape borrows the parameters, so an update while the graph is alive does not
    /// compile:
    ///
    /// ```compile_fail,E0502
    /// # use tensor::{Params, Tape, Workspace};
    /// # let (mut params, workspace) = (Params::new(), Workspace::new());
    /// # let w = params.add("w", [3], |w| w.fill(1.0));
    /// let tape = Tape::new(&params, &workspace);
    /// let loss = tape.param(w).sum();
    /// params.data_mut(w)[0] -= 0.1;   // error: `params` is borrowed by `tape`
    /// println!("{}", loss.item());
    /// ```
    ///
    /// With `drop(tape)` before the update it does: see the training step in the crate's README.
    pub fn data_mut(&mut self, id: ParamId) -> &mut [f32] {
        let param = &mut self.all[id.index()];
        param.int8 = None;
        &mut param.data
    }

    /// Rounds a matrix to eight bits ([`Int8Matrix`]) for the passes that do not record: a linear layer then reads a quarter
    /// of the memory. The numbers themselves stay; changing them drops the rounded ones.
    ///
    /// # Panics
    /// If the parameter is not a matrix.
    #[track_caller]
    pub fn round_to_int8(&mut self, id: ParamId) {
        let param = &mut self.all[id.index()];
        assert!(param.shape.len() == 2, "only a matrix has rows to round; {} is {}", param.name, param.shape);
        param.int8 = Some(Box::new(Int8Matrix::new(&param.data, param.shape[1])));
    }

    /// A matrix in eight bits, if it was rounded.
    #[must_use]
    pub fn int8(&self, id: ParamId) -> Option<&Int8Matrix> {
        self.all[id.index()].int8.as_deref()
    }

    /// All the numbers of all parameters, each to be changed: for an optimizer that works on several at once.
    pub fn all_mut(&mut self) -> impl Iterator<Item = (ParamId, &mut [f32])> {
        self.all.iter_mut().enumerate().map(|(i, p)| {
            p.int8 = None;
            (ParamId(i as u32), &mut p.data[..])
        })
    }

    /// A parameter as an ndarray view.
    #[must_use]
    pub fn array(&self, id: ParamId) -> ArrayViewD<'_, f32> {
        self.view(id).array()
    }

    /// A parameter as a mutable ndarray view.
    pub fn array_mut(&mut self, id: ParamId) -> ArrayViewMutD<'_, f32> {
        let p = &mut self.all[id.index()];
        p.int8 = None;
        ArrayViewMutD::from_shape(IxDyn(&p.shape), &mut p.data).expect("row-major data of its own shape")
    }

    pub(crate) fn view(&self, id: ParamId) -> View<'_> {
        let p = &self.all[id.index()];
        View { data: &p.data, shape: p.shape }
    }

    /// Whether gradients are computed for this parameter (they are, unless it was frozen).
    #[must_use]
    pub fn is_trainable(&self, id: ParamId) -> bool {
        self.all[id.index()].trainable
    }

    /// Freezes a parameter, or lets it train again.
    pub fn set_trainable(&mut self, id: ParamId, trainable: bool) {
        self.all[id.index()].trainable = trainable;
    }

    /// Whether a step reaches only few rows of this matrix: see [`Params::set_sparse`].
    #[must_use]
    pub fn is_sparse(&self, id: ParamId) -> bool {
        self.all[id.index()].sparse
    }

    /// Says that a step reaches only few rows of this matrix, a large table that is read by index. [`Grads`] then
    /// remember which, and clearing, norms and optimizers walk those rows alone: a step costs what it uses of the
    /// table, not what the table holds. Set it before the first [`Grads::new`].
    ///
    /// # Panics
    /// If the parameter is not a matrix.
    #[track_caller]
    pub fn set_sparse(&mut self, id: ParamId, sparse: bool) {
        let param = &mut self.all[id.index()];
        assert!(
            param.shape.len() == 2,
            "only a matrix has rows to tell apart; {} is {}",
            param.name,
            param.shape
        );
        param.sparse = sparse;
    }

    /// How many tensors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many numbers there are in all tensors together.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.iter().map(|p| p.data.len()).sum()
    }
}

/// One gradient for every parameter. What has not been reached by a backward sweep since the last
/// [`Grads::clear`] holds old numbers, which [`Grads::get`] hides by returning `None`.
///
/// The gradient of a sparse parameter ([`Params::set_sparse`]) is zero in the rows that were not reached, so that it can be
/// read like any other.
#[derive(Clone)]
pub struct Grads {
    all: Vec<AlignedVec>,
    reached: Vec<bool>,
    rows: Vec<Option<Rows>>, // of the sparse ones
}

/// The rows of a sparse parameter's gradient that were reached. All others are zero.
#[derive(Clone)]
struct Rows {
    count: u32, // of the whole matrix
    width: usize,
    reached: Vec<u32>, // sorted
}

impl Rows {
    fn of(param: &Param) -> Option<Self> {
        let [count, width] = param.shape[..] else { return None };
        param.sparse.then(|| Self { count: count as u32, width, reached: Vec::new() })
    }

    /// Adds rows, or all of them.
    fn reach(&mut self, rows: Option<&[u32]>) {
        match rows {
            Some(rows) => self.reached.extend(rows),
            None => self.reached = (0..self.count).collect(),
        }
        self.reached.sort_unstable();
        self.reached.dedup();
    }

    /// The floats of each row that was reached.
    fn floats(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let width = self.width;
        self.reached.iter().map(move |&row| row as usize * width..(row as usize + 1) * width)
    }
}

impl Grads {
    /// Room for a gradient of each parameter, none of them reached.
    #[must_use]
    pub fn new(params: &Params) -> Self {
        Self {
            all: params.all.iter().map(|p| AlignedVec::zeros(p.data.len())).collect(),
            reached: vec![false; params.all.len()],
            rows: params.all.iter().map(Rows::of).collect(),
        }
    }

    /// Forgets all gradients. Nothing is filled with zeros, since the first arrival replaces; but the rows of sparse
    /// ones are, since nobody else will visit them.
    pub fn clear(&mut self) {
        self.reached.fill(false);
        for (g, rows) in self.all.iter_mut().zip(&mut self.rows) {
            if let Some(rows) = rows {
                rows.floats().for_each(|row| g[row].fill(0.0));
                rows.reached.clear();
            }
        }
    }

    /// The rows of a sparse parameter that were reached, sorted; `None` for a parameter that is not sparse.
    #[must_use]
    pub fn rows(&self, id: ParamId) -> Option<&[u32]> {
        self.rows[id.index()].as_ref().map(|rows| &rows.reached[..])
    }

    /// A parameter's gradient, row-major, if a backward sweep reached it.
    #[must_use]
    pub fn get(&self, id: ParamId) -> Option<&[f32]> {
        self.reached[id.index()].then(|| &self.all[id.index()][..])
    }

    /// A parameter's gradient, to be changed, if a backward sweep reached it.
    pub fn get_mut(&mut self, id: ParamId) -> Option<&mut [f32]> {
        if !self.reached[id.index()] {
            return None;
        }
        self.reach_rows(id, None);
        Some(&mut self.all[id.index()])
    }

    /// Notes which rows of a sparse parameter an operation wrote to; `None`: any.
    pub(crate) fn reach_rows(&mut self, id: ParamId, rows: Option<&[u32]>) {
        if let Some(sparse) = &mut self.rows[id.index()] {
            sparse.reach(rows);
        }
    }

    /// Where the next contribution to a parameter's gradient goes.
    pub(crate) fn arrive(&mut self, id: ParamId) -> Grad<'_> {
        let accum = self.mark_reached(id);
        self.reach_rows(id, None);
        Grad { to: &mut self.all[id.index()], accum }
    }

    /// Moves a gradient out, so that one operation can write to several; [`Grads::put_back`] ends it.
    pub(crate) fn take(&mut self, id: ParamId) -> (AlignedVec, Accum) {
        let accum = self.mark_reached(id);
        (std::mem::take(&mut self.all[id.index()]), accum)
    }

    pub(crate) fn put_back(&mut self, id: ParamId, data: AlignedVec) {
        self.all[id.index()] = data;
    }

    fn mark_reached(&mut self, id: ParamId) -> Accum {
        match std::mem::replace(&mut self.reached[id.index()], true) {
            false if self.rows[id.index()].is_none() => Accum::Replace,
            _ => Accum::Add, // what is sparse was zero
        }
    }

    /// The names of the trainable parameters that no backward sweep reached: a graph cut by mistake.
    #[must_use]
    pub fn unreached<'a>(&self, params: &'a Params) -> Vec<&'a str> {
        params
            .ids()
            .filter(|&id| params.is_trainable(id) && !self.reached[id.index()])
            .map(|id| params.name(id))
            .collect()
    }

    /// Adds another set of gradients to this one (the micro-batches of one step, in a fixed order).
    pub fn add(&mut self, other: &Self) {
        for i in 0..self.all.len() {
            match (self.reached[i], other.reached[i]) {
                (_, false) => {}
                (_, true) if self.rows[i].is_some() => {
                    let (to, from) = (&mut self.all[i], &other.all[i]);
                    let reached = other.rows[i].as_ref().expect("gradients of the same parameters");
                    reached.floats().for_each(|row| vmath::add_assign(&mut to[row.clone()], &from[row]));
                    self.rows[i].as_mut().expect("a sparse one").reach(Some(&reached.reached));
                }
                (false, true) => self.all[i].copy_from_slice(&other.all[i]),
                (true, true) => vmath::add_assign(&mut self.all[i], &other.all[i]),
            }
            self.reached[i] |= other.reached[i];
        }
    }

    /// The Euclidean norm of all reached gradients together, summed in f64.
    #[must_use]
    pub fn norm(&self) -> f64 {
        (0..self.all.len()).map(|i| self.squares(i)).sum::<f64>().sqrt()
    }

    /// The sum of the squares of one parameter's gradient, in f64; 0 if it was not reached.
    #[must_use]
    pub fn sum_of_squares(&self, id: ParamId) -> f64 {
        self.squares(id.index())
    }

    fn squares(&self, i: usize) -> f64 {
        let g = &self.all[i];
        match &self.rows[i] {
            _ if !self.reached[i] => 0.0,
            None => vmath::sum_of_squares(g),
            Some(rows) => rows.floats().map(|row| vmath::sum_of_squares(&g[row])).sum(),
        }
    }

    /// Multiplies all reached gradients by `factor`.
    pub fn scale(&mut self, factor: f32) {
        for ((g, rows), reached) in self.all.iter_mut().zip(&self.rows).zip(&self.reached) {
            match rows {
                _ if !reached => {}
                None => vmath::scale(g, factor),
                Some(rows) => rows.floats().for_each(|row| vmath::scale(&mut g[row], factor)),
            }
        }
    }
}
