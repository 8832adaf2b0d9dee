//! Is a backward right? Compare it with the central difference of the operation's own definition.
//!
//! For y = f(x) and a random cotangent c, the scalar s = <c, f(x)> has the gradient J^T c, which is what
//! a backward computes when it is given dy = c. Numerically, in f64:
//!
//! $$ \frac{\partial s}{\partial x_i} \approx \frac{s(x + h e_i) - s(x - h e_i)}{2h},
//!    \qquad h = 10^{-5} \max(1, |x_i|) $$
//!
//! The cotangent is random and never all ones: the sum of a softmax is constant, so with ones every
//! backward of softmax that returns zeros would pass. Comparisons are written `!(error <= tolerance)`,
//! so that NaN fails.

use crate::grad::{Accum, Grad};
use crate::op::Op;
use crate::params::{Grads, Params};
use crate::saved::Saved;
use crate::shape::View;
use crate::tape::Var;
use crate::tape::node::Place;
use crate::{Shape, Workspace};
use ndarray::ArrayD;
use std::fmt;

pub use crate::draw::Draw;

/// How far f32 may be from f64, relative to the largest magnitude in the comparison. PyTorch's own
/// f32 gradients of a small GPT-2 are 1.3e-6 from its f64 ones by this measure.
pub const TOLERANCE: f64 = 1e-5;

/// Up to this many elements of an input are differentiated one by one; of a larger one, a random choice.
const ALL_ELEMENTS: usize = 200;
const CHOSEN_ELEMENTS: usize = 64;

/// A disagreement found by a check.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Which operation, and which of its values.
    pub what: String,
    /// The element, row-major.
    pub element: usize,
    /// What the fast code computed.
    pub found: f64,
    /// What the definition says.
    pub expected: f64,
    /// The allowed difference.
    pub tolerance: f64,
    /// What the mistake may be, where all elements together suggest one.
    pub guess: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, element, found, expected, tolerance, guess } = self;
        write!(
            f,
            "{what}, element {element}: found {found:.6e}, expected {expected:.6e} within {tolerance:.1e}"
        )?;
        guess.as_ref().map_or(Ok(()), |guess| write!(f, " ({guess})"))
    }
}

impl std::error::Error for Mismatch {}

/// Checks one operation on these inputs: its forward against its definition, its backward against the
/// numeric gradient of its definition, with a random cotangent drawn from `seed`. Buffers are full of
/// NaN beforehand, so that what is not written is found; gradients are also added to existing ones, and
/// asked for one input at a time.
///
/// # Errors
/// The first [`Mismatch`].
///
/// # Panics
/// If the operation does not accept the shapes of these inputs.
pub fn check(op: &dyn Op, inputs: &[ArrayD<f32>], seed: u64) -> Result<(), Mismatch> {
    let run = Run::forward(op, inputs);
    let exact_inputs: Vec<ArrayD<f64>> = inputs.iter().map(|x| x.mapv(f64::from)).collect();
    let exact_output = op.definition(&exact_inputs);
    assert_eq!(exact_output.shape(), &run.shape[..], "{}: the definition has another shape", op.name());
    let exact: Vec<f64> = exact_output.iter().copied().collect();
    compare(&format!("{}: output", op.name()), &run.y, &exact, largest(&exact))?;

    let mut draw = Draw::new(seed);
    let cotangent: Vec<f32> = (0..run.y.len()).map(|_| draw.normal()).collect();
    let objective = |x: &[ArrayD<f64>]| -> f64 {
        op.definition(x).iter().zip(&cotangent).map(|(y, c)| y * f64::from(*c)).sum()
    };
    let dx = run.backward(op, inputs, &cotangent, &vec![true; inputs.len()], None);
    let numeric: Vec<Numeric> =
        (0..inputs.len()).map(|i| Numeric::new(&exact_inputs, i, &objective, &mut draw)).collect();
    // Relative to the largest gradient among all inputs: one input's true gradient may be zero. We difference only some
    // elements of a large input, so the scale also looks at the backward's own result.
    let analytic =
        dx.iter().flatten().filter(|g| g.is_finite()).fold(0.0_f64, |m, g| m.max(f64::from(g.abs())));
    let scale = numeric.iter().map(|n| largest(&n.derivatives)).fold(analytic, f64::max);
    for (i, numeric) in numeric.iter().enumerate() {
        numeric.compare(&format!("{}: gradient of input {i}", op.name()), &dx[i], scale)?;
    }
    check_passing_on(op, inputs, &cotangent, &dx)?;
    check_accumulation(op, inputs, &run, &cotangent, &dx)
}

/// Where the operation says that dL/dx is dy ([`Op::passes_on`]), it is, to the bit.
fn check_passing_on(
    op: &dyn Op,
    inputs: &[ArrayD<f32>],
    cotangent: &[f32],
    dx: &[Vec<f32>],
) -> Result<(), Mismatch> {
    let dy: Vec<f64> = cotangent.iter().map(|&c| f64::from(c)).collect();
    for (i, dx) in dx.iter().enumerate() {
        if op.passes_on() && inputs[i].len() == dy.len() && dx[..] != *cotangent {
            compare(&format!("{}: input {i}, to which dy is passed on", op.name()), dx, &dy, 0.0)?;
        }
    }
    Ok(())
}

/// Gradients added to what is there, and gradients asked for one input alone, agree with `dx`.
fn check_accumulation(
    op: &dyn Op,
    inputs: &[ArrayD<f32>],
    run: &Run,
    cotangent: &[f32],
    dx: &[Vec<f32>],
) -> Result<(), Mismatch> {
    const OFFSET: f32 = 0.75;
    let added = run.backward(op, inputs, cotangent, &vec![true; inputs.len()], Some(OFFSET));
    for i in 0..inputs.len() {
        let expected: Vec<f64> = dx[i].iter().map(|g| f64::from(g + OFFSET)).collect();
        let what = format!("{}: gradient of input {i} added to {OFFSET}", op.name());
        compare(&what, &added[i], &expected, largest(&expected).max(1.0)).map_err(|mut mismatch| {
            if added[i] == dx[i] {
                let guess = "what was there is lost: is Grad::accum ignored? Grad::write overwrites or adds, as it says";
                mismatch.guess = Some(guess.to_string());
            }
            mismatch
        })?;

        let only: Vec<bool> = (0..inputs.len()).map(|j| j == i).collect();
        let alone = run.backward(op, inputs, cotangent, &only, None);
        let expected: Vec<f64> = dx[i].iter().map(|&g| f64::from(g)).collect();
        let what = format!("{}: gradient of input {i} asked for alone", op.name());
        compare(&what, &alone[i], &expected, largest(&expected))?;
    }
    Ok(())
}

/// Replays a tape in f64 through the definitions of its operations, with these values for the parameters
/// (in the order of [`Params::ids`]), and returns the value of `var`.
///
/// # Panics
/// If the tape does not record.
#[must_use]
pub fn replay(var: Var<'_>, params: &[ArrayD<f64>]) -> ArrayD<f64> {
    let nodes = var.tape.nodes.borrow();
    let mut values: Vec<ArrayD<f64>> = Vec::with_capacity(nodes.len());
    let value = |place: Place, values: &[ArrayD<f64>]| match place {
        Place::Param(id) => params[id.index()].clone(),
        Place::Node(index) => values[index as usize].clone(),
    };
    let needed = match var.place {
        Place::Param(_) => 0,
        Place::Node(index) => index as usize + 1,
    };
    for node in &nodes[..needed] {
        values.push(match &node.record {
            Some(record) => {
                let inputs: Vec<_> = record.inputs.iter().map(|&place| value(place, &values)).collect();
                record.op.definition(&inputs)
            }
            None => node.view().array().mapv(f64::from),
        });
    }
    value(var.place, &values)
}

/// Checks the gradients of a whole graph: `grads` (from `loss.backward`) against central differences of
/// the graph replayed in f64. Each parameter is compared relative to the largest gradient of all.
///
/// # Errors
/// The first [`Mismatch`].
///
/// # Panics
/// If a trainable parameter was not reached by the backward sweep.
pub fn check_graph(loss: Var<'_>, params: &Params, grads: &Grads, seed: u64) -> Result<(), Mismatch> {
    let exact: Vec<ArrayD<f64>> = params.ids().map(|id| params.array(id).mapv(f64::from)).collect();
    let objective = |x: &[ArrayD<f64>]| replay(loss, x).sum();
    compare("loss", &[loss.item()], &[objective(&exact)], objective(&exact).abs())?;
    let mut draw = Draw::new(seed);
    let numeric: Vec<_> = params
        .ids()
        .filter(|&id| params.is_trainable(id))
        .map(|id| (id, Numeric::new(&exact, id.index(), &objective, &mut draw)))
        .collect();
    let scale = numeric.iter().map(|(_, n)| largest(&n.derivatives)).fold(0.0, f64::max);
    for (id, numeric) in &numeric {
        let name = params.name(*id);
        let grad = grads.get(*id).unwrap_or_else(|| panic!("{name} was not reached by the backward sweep"));
        numeric.compare(&format!("gradient of {name}"), grad, scale)?;
    }
    Ok(())
}

/// One forward of an operation outside a tape.
struct Run {
    shape: Shape,
    y: Vec<f32>,
    saved: Saved,
}

impl Run {
    fn forward(op: &dyn Op, inputs: &[ArrayD<f32>]) -> Self {
        let shapes: Vec<Shape> = inputs.iter().map(|x| x.shape().into()).collect();
        let shape =
            op.output_shape(&shapes).unwrap_or_else(|e| panic!("{}: {e}; found {shapes:?}", op.name()));
        let mut y = vec![f32::NAN; shape.elements()];
        let mut saved = Saved::new(&Workspace::poisoned());
        with_views(inputs, |x| op.forward(x, &mut y, &mut saved));
        Self { shape, y, saved }
    }

    /// The gradients of the wanted inputs (empty for the others), written over NaN, or added to `base`.
    fn backward(
        &self,
        op: &dyn Op,
        inputs: &[ArrayD<f32>],
        dy: &[f32],
        wanted: &[bool],
        base: Option<f32>,
    ) -> Vec<Vec<f32>> {
        let accum = if base.is_some() { Accum::Add } else { Accum::Replace };
        let mut dx: Vec<Vec<f32>> = inputs
            .iter()
            .zip(wanted)
            .map(|(x, &w)| vec![base.unwrap_or(f32::NAN); if w { x.len() } else { 0 }])
            .collect();
        let mut grads: Vec<Option<Grad<'_>>> =
            dx.iter_mut().zip(wanted).map(|(to, &w)| w.then_some(Grad { to, accum })).collect();
        with_views(inputs, |x| op.backward(x, &self.y, dy, &self.saved, &mut grads));
        dx
    }
}

fn with_views<R>(inputs: &[ArrayD<f32>], f: impl FnOnce(&[View<'_>]) -> R) -> R {
    let standard: Vec<_> = inputs.iter().map(|x| x.as_standard_layout()).collect();
    let views: Vec<View<'_>> = standard
        .iter()
        .map(|x| View { data: x.as_slice().expect("standard layout"), shape: x.shape().into() })
        .collect();
    f(&views)
}

/// Central differences of an objective by the elements of one of its inputs.
struct Numeric {
    elements: Vec<usize>,
    derivatives: Vec<f64>,
}

impl Numeric {
    fn new(
        x: &[ArrayD<f64>],
        input: usize,
        objective: &dyn Fn(&[ArrayD<f64>]) -> f64,
        draw: &mut Draw,
    ) -> Self {
        let len = x[input].len();
        let elements: Vec<usize> = if len <= ALL_ELEMENTS {
            (0..len).collect()
        } else {
            (0..CHOSEN_ELEMENTS).map(|_| draw.size(0, len - 1)).collect()
        };
        let mut x: Vec<ArrayD<f64>> = x.iter().map(|x| x.as_standard_layout().into_owned()).collect();
        let mut derivatives = Vec::with_capacity(elements.len());
        for &element in &elements {
            let value = x[input].as_slice().expect("standard layout")[element];
            let h = 1e-5 * value.abs().max(1.0);
            let mut objective_at = |moved: f64| {
                x[input].as_slice_mut().expect("standard layout")[element] = moved;
                objective(&x)
            };
            derivatives.push((objective_at(value + h) - objective_at(value - h)) / (2.0 * h));
            x[input].as_slice_mut().expect("standard layout")[element] = value;
        }
        Self { elements, derivatives }
    }

    fn compare(&self, what: &str, analytic: &[f32], scale: f64) -> Result<(), Mismatch> {
        let compared = self.elements.iter().zip(&self.derivatives);
        let mut elements: Vec<_> = compared.map(|(&i, &d)| (i, f64::from(analytic[i]), d)).collect();
        // The elements without a numeric derivative must at least be finite.
        let not_finite = analytic.iter().position(|g| !g.is_finite());
        elements.extend(not_finite.map(|i| (i, f64::from(analytic[i]), 0.0)));
        first_mismatch(what, &elements, scale)
    }
}

/// Fails at the first element that is not within [`TOLERANCE`] times `scale`.
fn compare(what: &str, found: &[f32], expected: &[f64], scale: f64) -> Result<(), Mismatch> {
    assert_eq!(found.len(), expected.len(), "{what}: lengths differ");
    let pairs = found.iter().zip(expected).enumerate();
    let elements: Vec<_> = pairs.map(|(i, (&found, &expected))| (i, f64::from(found), expected)).collect();
    first_mismatch(what, &elements, scale)
}

/// Fails at the first of these elements (number, found, expected) that is not within [`TOLERANCE`] times `scale`.
fn first_mismatch(what: &str, elements: &[(usize, f64, f64)], scale: f64) -> Result<(), Mismatch> {
    let tolerance = TOLERANCE * scale + 1e-9; // 1e-9: the noise of the difference where all is zero
    let mut wrong = elements.iter().filter(|(_, found, expected)| !((found - expected).abs() <= tolerance));
    match wrong.next() {
        None => Ok(()),
        Some(&(element, found, expected)) => {
            let guess = guess(elements, tolerance);
            Err(Mismatch { what: what.into(), element, found, expected, tolerance, guess })
        }
    }
}

/// What makes all elements (number, found, expected) wrong in the same way, if something does.
fn guess(elements: &[(usize, f64, f64)], tolerance: f64) -> Option<String> {
    if elements.iter().any(|(_, found, _)| found.is_nan()) {
        return Some(
            "buffers are full of NaN beforehand: is something not written, or added where it should replace?"
                .into(),
        );
    }
    // Elements that are nearly zero fit every factor.
    let telling = elements.iter().filter(|(_, _, expected)| expected.abs() > 10.0 * tolerance).count();
    let dot = |a: fn(&(usize, f64, f64)) -> f64| elements.iter().map(|x| a(x) * x.2).sum::<f64>();
    let factor = dot(|x| x.1) / dot(|x| x.2); // the one that fits best
    let fits = |k: f64| elements.iter().all(|(_, f, e)| (f - k * e).abs() <= tolerance * k.abs().max(1.0));
    match telling {
        0 => None,
        _ if fits(0.0) => Some("all is zero: does the backward write to its destination?".into()),
        _ if fits(-1.0) => Some("found = -expected: is the sign flipped?".into()),
        2.. if fits(factor) => Some(format!("found = {factor:.4} expected: is a constant factor wrong?")),
        _ => None,
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message for these numbers, of which 3 were expected.
    fn message(found: [f32; 3]) -> String {
        compare("dx", &found, &[1.0, -2.0, 0.5], 2.0).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_that_all_elements_share_is_named() {
        let flipped = message([-1.0, 2.0, -0.5]);
        assert!(
            flipped.ends_with("expected 1.000000e0 within 2.0e-5 (found = -expected: is the sign flipped?)"),
            "{flipped}"
        );
        assert!(message([0.0; 3]).contains("all is zero"));
        assert!(message([1.002, -2.004, 0.501]).contains("found = 1.0020 expected"));
        assert!(message([1.0, f32::NAN, 0.5]).contains("not written"));
        assert!(message([1.0, -2.0, 0.6]).ends_with("within 2.0e-5"), "nothing to guess");
        // With one element every factor fits; a wrong sign is still told.
        let of_one = |found: f32| compare("dx", &[found], &[1.0], 1.0).unwrap_err().guess;
        assert_eq!(of_one(1.5), None);
        assert!(of_one(-1.0).unwrap().contains("sign"));
    }

    /// y = x, with a backward that forgets to add.
    #[derive(Debug)]
    struct Forgetful;

    impl Op for Forgetful {
        fn name(&self) -> &'static str {
            "forgetful"
        }
        fn output_shape(&self, x: &[Shape]) -> Result<Shape, crate::ShapeError> {
            Ok(x[0])
        }
        fn forward(&self, x: &[View<'_>], y: &mut [f32], _: &mut Saved) {
            y.copy_from_slice(x[0].data);
        }
        fn backward(&self, _: &[View<'_>], _: &[f32], dy: &[f32], _: &Saved, dx: &mut [Option<Grad<'_>>]) {
            if let Some(dx) = &mut dx[0] {
                dx.to.copy_from_slice(dy);
            }
        }
        fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
            x[0].clone()
        }
    }

    #[test]
    fn a_gradient_that_is_written_over_another_is_named() {
        let x = ndarray::arr1(&[1.0, 2.0]).into_dyn();
        let message = check(&Forgetful, &[x], 1).unwrap_err().to_string();
        assert!(message.contains("added to 0.75") && message.contains("Grad::accum ignored"), "{message}");
    }
}
