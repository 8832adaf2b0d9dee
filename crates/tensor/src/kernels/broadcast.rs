//! Numpy's broadcasting for element-wise operations: sizes are aligned on the right, and an axis of size
//! 1 is repeated. These are the general loops; operands of equal shapes take the vectorised way.

use crate::grad::{Accum, Grad};
use crate::shape::View;
use crate::{MAX_RANK, Shape, ShapeError};

/// The shape of an element-wise result.
pub(crate) fn output_shape(x: &[Shape]) -> Result<Shape, ShapeError> {
    x[0].broadcast(&x[1])
        .ok_or_else(|| ShapeError::new("two shapes that broadcast (equal sizes, or 1, from the right)"))
}

/// How far to step in an operand for a step along each axis of the output: 0 where it is repeated.
pub(crate) fn strides(operand: Shape, output: Shape) -> [usize; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut step = 1;
    for (axis, &size) in operand.iter().enumerate().rev() {
        if size != 1 {
            strides[axis + output.len() - operand.len()] = step;
        }
        step *= size;
    }
    strides
}

/// Where an output's element lies in an operand with these strides.
pub(crate) fn offset(index: &[usize], strides: &[usize; MAX_RANK]) -> usize {
    index.iter().zip(strides).map(|(i, stride)| i * stride).sum()
}

/// Calls `visit(flat position, index)` for every element of a shape, in row-major order.
fn for_each_index(shape: Shape, mut visit: impl FnMut(usize, &[usize])) {
    let mut index = [0; MAX_RANK];
    for flat in 0..shape.elements() {
        visit(flat, &index[..shape.len()]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// y = f(a, b), broadcast.
pub(crate) fn zip(a: View<'_>, b: View<'_>, y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    let output = a.shape.broadcast(&b.shape).expect("checked by output_shape");
    let (in_a, in_b) = (strides(a.shape, output), strides(b.shape, output));
    for_each_index(output, |flat, index| {
        y[flat] = f(a.data[offset(index, &in_a)], b.data[offset(index, &in_b)])
    });
}

/// The gradient of a broadcast operand: the sum of `f(index, dy)` over all the places where each of its
/// elements was used.
pub(crate) fn reduce(dy: View<'_>, operand: Shape, dx: &mut Grad<'_>, f: impl Fn(&[usize], f32) -> f32) {
    let mut sums = vec![0.0_f64; operand.elements()];
    let in_operand = strides(operand, dy.shape);
    for_each_index(dy.shape, |flat, index| {
        sums[offset(index, &in_operand)] += f64::from(f(index, dy.data[flat]))
    });
    match dx.accum {
        Accum::Replace => dx.to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum as f32),
        Accum::Add => dx.to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum as f32),
    }
}
