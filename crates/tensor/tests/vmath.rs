//! The element-wise functions against f64, over their whole range.

use crate::exact::normal_cdf;
use tensor::Accum;
use tensor::kernels::activation::{Activate, Gelu, GeluTanh, Silu};
use tensor::kernels::simd::Simd;
use tensor::kernels::vmath::{Exp, Lanewise, Sin, Tanh, map, sin_one};
use tensor::{Grads, Params, Tape, Workspace};

/// f and f' of an activation.
#[derive(Clone, Copy)]
struct Value<F>(F);
#[derive(Clone, Copy)]
struct Slope<F>(F);

impl<F: Activate> Lanewise<1> for Value<F> {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        self.0.at(s, x).0
    }
}

impl<F: Activate> Lanewise<1> for Slope<F> {
    #[inline(always)]
    fn at<S: Simd>(self, s: S, [x]: [S::V; 1]) -> S::V {
        self.0.at(s, x).1
    }
}

fn apply(f: impl Lanewise<1>, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; x.len()];
    map(f, [x], &mut y, Accum::Replace);
    y
}

/// Evenly spaced numbers, and both signs of every power of ten.
fn points(low: f32, high: f32) -> Vec<f32> {
    const STEPS: usize = 200_000;
    let even = (0..=STEPS).map(|i| low + (high - low) * (i as f32 / STEPS as f32));
    let tiny = (-37..=2).flat_map(|e| [10f32.powi(e), -(10f32.powi(e))]);
    even.chain(tiny).filter(|x| (low..=high).contains(x)).collect()
}

/// The largest of |found - exact| / (scale(x) + smallest normal f32).
fn error(f: impl Lanewise<1>, x: &[f32], exact: impl Fn(f64) -> f64, scale: impl Fn(f64, f64) -> f64) -> f64 {
    let of = |(x, y): (&f32, &f32)| {
        let (x, y) = (f64::from(*x), f64::from(*y));
        let error = (y - exact(x)).abs() / (scale(x, exact(x)) + f64::from(f32::MIN_POSITIVE));
        assert!(!error.is_nan(), "at {x}: {y}");
        error
    };
    x.iter().zip(&apply(f, x)).map(of).fold(0.0, f64::max)
}

fn relative(_: f64, exact: f64) -> f64 {
    exact.abs()
}

/// Whoever adds a function is told of the two other places that it needs.
#[test]
fn every_function_is_compared_and_guarded() {
    let functions = include_str!("../src/kernels/vmath.rs").split("impl Lanewise<1> for ").skip(1);
    let names: Vec<&str> = functions.filter_map(|rest| rest.split(' ').next()).collect();
    assert!(["Exp", "Tanh", "Sin"].iter().all(|name| names.contains(name)), "{names:?}");
    let (compared, guarded) =
        (include_str!("vmath.rs"), include_str!("../src/kernels/simd/guard/elementwise.rs"));
    for name in names.into_iter().filter(|name| *name != "Scaled") {
        let needs = |text: &str, what: String, file| {
            assert!(text.contains(&what), "{name}: expected `{what}` in {file}")
        };
        needs(compared, format!("error({name}, "), "tests/vmath.rs: a comparison with f64");
        needs(guarded, format!("map(vmath::{name}, "), "maps of src/kernels/simd/guard/elementwise.rs");
    }
}

#[test]
fn exp_is_exact_to_the_last_bits() {
    let e = error(Exp, &points(-86.9, 88.7), f64::exp, relative);
    assert!(e <= 1.2e-7, "{e:e}");
    let [low, high, inf, neg_inf, nan, zero] =
        apply(Exp, &[-86.91, 88.73, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0])[..]
    else {
        panic!()
    };
    assert!(low == 0.0 && high == f32::INFINITY && inf == f32::INFINITY && neg_inf == 0.0);
    assert!(nan.is_nan() && zero == 1.0);
}

#[test]
fn exp_never_makes_a_denormal() {
    let y = apply(Exp, &points(-200.0, 0.0));
    assert!(y.iter().all(|y| *y == 0.0 || y.is_normal()));
}

#[test]
fn tanh_is_relatively_exact() {
    let e = error(Tanh, &points(-20.0, 20.0), f64::tanh, relative);
    assert!(e <= 3e-7, "{e:e}");
    let y = apply(Tanh, &[f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40, f32::MAX]);
    assert!(y[0] == 1.0 && y[1] == -1.0 && y[2].is_nan() && y[3] == 1e-40 && y[4] == 1.0);
}

/// The cosine, as the slope of the sine on a tape.
fn cosine(x: &[f32]) -> Vec<f32> {
    let (mut params, workspace) = (Params::new(), Workspace::new());
    let id = params.add("x", [x.len()], |to| to.copy_from_slice(x));
    let mut grads = Grads::new(&params);
    let tape = Tape::new(&params, &workspace);
    tape.param(id).sin().sum().backward(&mut grads);
    grads.get(id).unwrap().to_vec()
}

#[test]
fn sine_and_cosine_are_relatively_exact_near_their_zeros_too() {
    // Evenly spaced numbers near 0 and in the whole range, and the f32 nearest to each multiple of pi / 2.
    let zeros = (0..600_000).map(|n| (f64::from(n) * std::f64::consts::FRAC_PI_2) as f32);
    let x: Vec<f32> = points(-20.0, 20.0)
        .into_iter()
        .chain(points(-1_048_576.0, 1_048_576.0))
        .chain(zeros.filter(|x| *x <= 1_048_576.0))
        .collect();
    let e = error(Sin, &x, f64::sin, relative);
    assert!(e <= 1.8e-7, "{e:e}");
    let (mut e, cos) = (0.0_f64, cosine(&x));
    for (x, cos) in x.iter().zip(&cos) {
        let exact = f64::from(*x).cos();
        assert!(!cos.is_nan(), "at {x}");
        e = e.max((f64::from(*cos) - exact).abs() / exact.abs());
    }
    assert!(e <= 1.8e-7, "{e:e}");
    assert_eq!(sin_one(1.25), apply(Sin, &[0.0, 1.25])[1]);
    assert!(cos.iter().chain(&apply(Sin, &x)).all(|y| y.abs() <= 1.0));
    assert_eq!(
        (cosine(&[0.0]), apply(Sin, &[0.0, std::f32::consts::FRAC_PI_2])),
        (vec![1.0], vec![0.0, 1.0])
    );
}

#[test]
fn a_sine_without_meaning_is_no_number() {
    let y = apply(Sin, &[1_048_577.0, -2e6, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX]);
    assert!(y.iter().all(|y| y.is_nan()), "{y:?}");
    assert_eq!(apply(Sin, &[0.0, 1e-40, -1e-30]), [0.0, 1e-40, -1e-30]);
}

#[test]
fn gelu_is_relatively_exact_in_the_tail_too() {
    // e^(-x^2/2) turns the rounding of x^2/2 into a relative error of x^2/2 half-ulps.
    let e =
        error(Value(Gelu), &points(-13.0, 13.0), |x| x * normal_cdf(x), |x, y| y.abs() * (1.0 + x * x / 8.0));
    assert!(e <= 6e-7, "{e:e}");
    let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    // The slope is a difference on the left, so its error is relative to the two terms.
    let terms = |x: f64, _: f64| (normal_cdf(x) + (x * density(x)).abs()) * (1.0 + x * x / 8.0);
    let e = error(Slope(Gelu), &points(-13.0, 13.0), |x| normal_cdf(x) + x * density(x), terms);
    assert!(e <= 6e-7, "{e:e}");
}

#[test]
fn gelu_tanh_is_relatively_exact() {
    let u = |x: f64| (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    let half = |x: f64| 1.0 / (1.0 + (-2.0 * u(x)).exp());
    // As above, for e^(-2u).
    let e = error(Value(GeluTanh), &points(-9.0, 9.0), |x| x * half(x), |x, y| y.abs() * (1.0 + u(x).abs()));
    assert!(e <= 5e-7, "{e:e}");
    let slope = |x: f64| {
        let du = (2.0 / std::f64::consts::PI).sqrt() * (1.0 + 3.0 * 0.044_715 * x * x);
        half(x) + 2.0 * x * half(x) * (1.0 - half(x)) * du
    };
    let e = error(Slope(GeluTanh), &points(-30.0, 30.0), slope, |_, _| 1.0);
    assert!(e <= 1e-6, "{e:e}");
}

#[test]
fn silu_is_absolutely_exact() {
    let y = |x: f64| x / (1.0 + (-x).exp());
    let e = error(Value(Silu), &points(-80.0, 80.0), y, |x, _| x.abs().max(1.0));
    assert!(e <= 2e-7, "{e:e}");
}
