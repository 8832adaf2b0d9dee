//! Shapes: the sizes of a tensor's axes, stored inline so that a shape is `Copy` and never allocates; and views, numbers
//! with a shape.

use ndarray::{ArrayViewD, IxDyn};
use std::fmt;
use std::ops::Deref;

/// The largest number of axes a tensor can have.
pub const MAX_RANK: usize = 6;

/// The sizes of a tensor's axes, outermost first. A scalar has no axes and one element.
///
/// It dereferences to a slice, so `shape[0]`, `shape.len()` (the rank) and `shape.iter()` all work.
///
/// ```
/// let shape = tensor::Shape::new(&[12, 64, 128]);
/// assert_eq!(shape.len(), 3);
/// assert_eq!(shape.elements(), 12 * 64 * 128);
/// assert_eq!(shape.rows_and_width(), (12 * 64, 128));
/// assert_eq!(shape.to_string(), "[12, 64, 128]");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    sizes: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// A shape from the sizes of its axes.
    ///
    /// # Panics
    /// If there are more than [`MAX_RANK`] axes.
    #[track_caller]
    #[must_use]
    pub fn new(sizes: &[usize]) -> Self {
        assert!(
            sizes.len() <= MAX_RANK,
            "a tensor has at most {MAX_RANK} axes, not {}: {sizes:?}",
            sizes.len()
        );
        let mut all = [1; MAX_RANK];
        all[..sizes.len()].copy_from_slice(sizes);
        Self { sizes: all, rank: sizes.len() }
    }

    /// The shape of a single number.
    #[must_use]
    pub fn scalar() -> Self {
        Self::new(&[])
    }

    /// How many numbers a tensor of this shape holds.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.iter().product()
    }

    /// The tensor seen as a matrix whose rows are the last axis: `(product of the others, last)`.
    /// Linear layers, norms and softmax all work on this matrix. A scalar is `(1, 1)`.
    #[must_use]
    pub fn rows_and_width(&self) -> (usize, usize) {
        let width = self.last().copied().unwrap_or(1);
        (self[..self.rank.saturating_sub(1)].iter().product(), width)
    }

    /// The same shape with another last axis.
    ///
    /// # Panics
    /// If the shape is a scalar.
    #[must_use]
    pub fn with_last(mut self, width: usize) -> Self {
        self.sizes[self.rank - 1] = width;
        self
    }

    /// The shape that two operands broadcast to (numpy's rule: align on the right; sizes are equal or
    /// one of them is 1), or `None` if they do not.
    ///
    /// ```
    /// use tensor::Shape;
    /// let broadcast = Shape::new(&[4, 1, 3]).broadcast(&Shape::new(&[2, 3]));
    /// assert_eq!(broadcast, Some(Shape::new(&[4, 2, 3])));
    /// assert_eq!(Shape::new(&[2]).broadcast(&Shape::new(&[3])), None);
    /// ```
    #[must_use]
    pub fn broadcast(&self, other: &Self) -> Option<Self> {
        if self == other {
            return Some(*self);
        }
        let rank = self.rank.max(other.rank);
        let mut sizes = [1; MAX_RANK];
        for axis_from_right in 1..=rank {
            let size = |s: &Self| if axis_from_right <= s.rank { s[s.rank - axis_from_right] } else { 1 };
            sizes[rank - axis_from_right] = match (size(self), size(other)) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return None,
            };
        }
        Some(Self::new(&sizes[..rank]))
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank]
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Self::new(sizes)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Self {
        Self::new(&sizes)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self[..])
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tensor to read: its numbers, row-major without gaps, and its shape.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The numbers, the last axis fastest.
    pub data: &'a [f32],
    /// The sizes of the axes.
    pub shape: Shape,
}

impl<'a> View<'a> {
    /// The same numbers as an ndarray view, for the operations that walk axes.
    #[must_use]
    pub fn array(&self) -> ArrayViewD<'a, f32> {
        ArrayViewD::from_shape(IxDyn(&self.shape), self.data).expect("row-major data of its own shape")
    }
}
