//! Every operation in the registry, checked in the same way: so that none can be added without it.
//!
//! `CASES=4096 cargo test -p tensor --release --test all registry::` is the long run.

use ndarray::ArrayD;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tensor::gradcheck::{self, Draw};
use tensor::ops::{Case, OPS};
use tensor::{Grad, Grads, Op, Params, Saved, Shape, ShapeError, Tape, View, Workspace};

/// Random cases for each operation.
fn cases() -> u64 {
    std::env::var("CASES").map_or(256, |cases| cases.parse().expect("CASES is a number"))
}

fn for_each_case(mut check: impl FnMut(&Case, u64)) {
    for case in OPS {
        (0..cases()).for_each(|seed| check(case, seed));
    }
}

/// The numbers as bits, so that NaN equals NaN and 0 differs from -0.
fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// An operation's inputs as parameters of a tape.
fn as_params(inputs: &[ArrayD<f32>]) -> Params {
    let mut params = Params::new();
    for (i, input) in inputs.iter().enumerate() {
        params.add_array(&format!("x{i}"), input);
    }
    params
}

/// Output and gradients of one application on a tape, summed `uses` times, with a random cotangent.
fn run_on_tape(case: &Case, seed: u64, uses: usize) -> Vec<Vec<f32>> {
    let inputs = (case.sample)(&mut Draw::new(seed)).inputs;
    let (params, workspace) = (as_params(&inputs), Workspace::poisoned());
    let mut grads = Grads::new(&params);
    let tape = Tape::new(&params, &workspace);
    let mut result = Vec::new();
    for _ in 0..uses {
        let op = (case.sample)(&mut Draw::new(seed)).op;
        let vars: Vec<_> = params.ids().map(|id| tape.param(id)).collect();
        let y = tape.apply(op, &vars);
        let mut draw = Draw::new(seed + 1);
        let cotangent: Vec<f32> = (0..y.shape().elements()).map(|_| draw.normal()).collect();
        y.backward_from(&cotangent, &mut grads, |_, _| {});
        result = vec![y.read(|y| y.data.to_vec())];
    }
    result.extend(params.ids().map(|id| grads.get(id).expect("reached").to_vec()));
    result
}

#[test]
fn forward_and_backward_agree_with_the_definition() {
    for_each_case(|case, seed| {
        let sample = (case.sample)(&mut Draw::new(seed));
        assert_eq!(sample.op.name(), case.name);
        if let Err(mismatch) = gradcheck::check(sample.op.as_ref(), &sample.inputs, seed) {
            let inputs: Vec<_> = sample.inputs.iter().map(|x| in_words(x.shape())).collect();
            panic!("seed {seed}, {:?} on {}: {mismatch}", sample.op, inputs.join(", "));
        }
    });
}

/// A shape as a reader who has seen few may need it.
fn in_words(shape: &[usize]) -> String {
    match shape {
        [] => "a scalar, shape []".to_string(),
        _ if shape.contains(&0) => format!("an empty tensor of shape {shape:?}"),
        [n] => format!("a vector of {n}, shape {shape:?}"),
        [rows, columns] => format!("a matrix of {rows} by {columns}, shape {shape:?}"),
        _ => format!("a tensor of {} axes, shape {shape:?}", shape.len()),
    }
}

#[test]
fn two_uses_give_twice_the_gradient() {
    for_each_case(|case, seed| {
        let (once, twice) = (run_on_tape(case, seed, 1), run_on_tape(case, seed, 2));
        for (once, twice) in once.iter().zip(&twice).skip(1) {
            // Not always to the last bit: a product may start its sums from the first gradient.
            let tolerance = 1e-6 * twice.iter().fold(1e-3_f32, |m, g| m.max(g.abs()));
            let close = |(once, twice): (&f32, &f32)| (2.0 * once - twice).abs() <= tolerance;
            assert!(once.iter().zip(twice).all(close), "{}, seed {seed}: {once:?} {twice:?}", case.name);
        }
    });
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let pools = [1, 2, 4].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    for_each_case(|case, seed| {
        let [one, two, four] = pools.each_ref().map(|pool| {
            pool.install(|| run_on_tape(case, seed, 1)).iter().map(|x| bits(x)).collect::<Vec<_>>()
        });
        assert!(one == two && one == four, "{}, seed {seed}", case.name);
    });
}

#[test]
fn wrong_shapes_are_refused_with_operation_and_shapes() {
    for case in OPS {
        for (op, shapes) in (case.misfits)() {
            let inputs: Vec<ArrayD<f32>> = shapes.iter().map(|shape| ArrayD::zeros(&shape[..])).collect();
            let (params, workspace) = (as_params(&inputs), Workspace::new());
            let tape = Tape::new(&params, &workspace);
            let vars: Vec<_> = params.ids().map(|id| tape.param(id)).collect();
            let message = catch_unwind(AssertUnwindSafe(|| tape.apply(op, &vars))).err();
            let message = message.unwrap_or_else(|| panic!("{} accepted {shapes:?}", case.name));
            let message = message.downcast_ref::<String>().expect("a formatted message");
            assert!(message.starts_with(case.name) && message.contains("expected"), "{message}");
            assert!(shapes.iter().all(|shape| message.contains(&shape.to_string())), "{message}");
        }
    }
}

#[test]
fn every_file_is_registered() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
    let files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "mod")
        .collect();
    let names: Vec<_> = OPS.iter().map(|case| case.name.to_string()).collect();
    let todo = to_register(&files, &names);
    assert!(todo.is_empty(), "\n{}", todo.join("\n"));
}

/// What to do about files of operations that the registry has no case for, and cases that are called otherwise.
fn to_register(files: &[String], names: &[String]) -> Vec<String> {
    let copied =
        names.iter().enumerate().find(|(i, name)| !files.contains(name) || names[..*i].contains(name));
    let todo = |file: &String| match copied {
        None => format!("add `{file}` to registry! in crates/tensor/src/ops/mod.rs"),
        Some((_, name)) => format!(
            "crates/tensor/src/ops/{file}.rs: if `{file}` stands in registry!, a CASE still has the name \"{name}\": \
             give each the name of its file; if not, add `{file}` there"
        ),
    };
    files.iter().filter(|file| !names.contains(file)).map(todo).collect()
}

#[test]
fn a_file_that_is_not_registered_is_named_with_the_line_to_add() {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let files = names(&["exp", "sin", "mul"]);
    assert!(to_register(&files, &names(&["mul", "exp", "sin"])).is_empty());
    let forgotten = to_register(&files, &names(&["mul", "exp"]));
    assert_eq!(forgotten, ["add `sin` to registry! in crates/tensor/src/ops/mod.rs"]);
    // sin.rs is a copy of exp.rs, whose CASE was not renamed.
    let copied = to_register(&files, &names(&["mul", "exp", "exp"]));
    assert!(copied.len() == 1 && copied[0].contains("still has the name \"exp\""), "{copied:?}");
}

/// The README's table has a row for every operation, and every row an operation and all its columns.
#[test]
fn the_readme_knows_every_operation() {
    let readme = include_str!("../README.md");
    let row = |line: &str| {
        let name = line.strip_prefix("| [`")?.split_once("`](src/ops/")?.0.to_string();
        let link = line.starts_with(&format!("| [`{name}`](src/ops/{name}.rs) | `"));
        assert!(link && line.replace("\\|", "").matches('|').count() == 6, "{line}");
        Some(name)
    };
    let rows: Vec<String> = readme.lines().filter_map(row).collect();
    let names: Vec<_> = OPS.iter().map(|case| case.name).collect();
    let missing: Vec<_> = names.iter().filter(|name| !rows.iter().any(|row| row == *name)).collect();
    assert!(
        missing.is_empty(),
        "add to the table \"All operations\" in crates/tensor/README.md a row for {missing:?}"
    );
    let unknown: Vec<_> = rows.iter().filter(|row| !names.contains(&&row[..])).collect();
    assert!(
        unknown.is_empty(),
        "crates/tensor/README.md: rows for {unknown:?}, which registry! does not have"
    );
}

/// An operation with a backward that is wrong on purpose.
#[derive(Debug)]
struct Wrong {
    inner: Box<dyn Op>,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Scaled,
    SignFlipped,
    Zeroed,
    Transposed,
    Nan,
    /// The backward is right, but the operation says that it passes dy on.
    ClaimsToPassOn,
}

impl Fault {
    const ALL: [Self; 5] = [Self::Scaled, Self::SignFlipped, Self::Zeroed, Self::Transposed, Self::Nan];

    fn apply(self, dx: &mut [f32], shape: Shape) {
        match self {
            Self::Scaled => dx.iter_mut().for_each(|g| *g *= 1.001),
            Self::SignFlipped => dx.iter_mut().for_each(|g| *g = -*g),
            Self::Zeroed => dx.fill(0.0),
            Self::ClaimsToPassOn => {}
            Self::Nan => dx.iter_mut().take(1).for_each(|g| *g = f32::NAN),
            Self::Transposed => {
                let (rows, width) = shape.rows_and_width();
                let copy = dx.to_vec();
                for (i, g) in dx.iter_mut().enumerate() {
                    *g = copy[i % rows * width + i / rows]; // column-major read as row-major
                }
            }
        }
    }
}

impl Op for Wrong {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn output_shape(&self, x: &[Shape]) -> Result<Shape, ShapeError> {
        self.inner.output_shape(x)
    }
    fn forward(&self, x: &[View<'_>], y: &mut [f32], saved: &mut Saved) {
        self.inner.forward(x, y, saved);
    }
    fn backward(&self, x: &[View<'_>], y: &[f32], dy: &[f32], saved: &Saved, dx: &mut [Option<Grad<'_>>]) {
        self.inner.backward(x, y, dy, saved, dx);
        for (dx, x) in dx.iter_mut().zip(x) {
            if let Some(dx) = dx {
                self.fault.apply(dx.to, x.shape);
            }
        }
    }
    fn passes_on(&self) -> bool {
        self.fault == Fault::ClaimsToPassOn || self.inner.passes_on()
    }
    fn definition(&self, x: &[ArrayD<f64>]) -> ArrayD<f64> {
        self.inner.definition(x)
    }
}

/// The check that all others rest on: does it catch a wrong backward? Where the fault changes nothing (a
/// gradient that is zero, or that is its own transpose) there is nothing to catch.
#[test]
fn every_wrong_backward_is_caught() {
    for case in OPS {
        let mut injected = [0; Fault::ALL.len()];
        for seed in 0..32 {
            let right = run_on_tape(case, seed, 1);
            let scale = right[1..].iter().flatten().fold(0.0_f32, |m, g| m.max(g.abs()));
            for (count, fault) in injected.iter_mut().zip(Fault::ALL) {
                let sample = (case.sample)(&mut Draw::new(seed));
                let mut wrong = right.clone();
                let shapes = sample.inputs.iter().map(|x| Shape::from(x.shape()));
                wrong[1..].iter_mut().zip(shapes).for_each(|(g, shape)| fault.apply(g, shape));
                let change = right[1..].iter().flatten().zip(wrong[1..].iter().flatten());
                let change = change.map(|(a, b)| if b.is_nan() { f32::INFINITY } else { (a - b).abs() });
                if change.fold(0.0, f32::max) <= 1e-4 * scale.max(1e-3) {
                    continue; // x1.001 moves the largest gradient by 1e-3 of it: never skipped
                }
                *count += 1;
                let op = Wrong { inner: sample.op, fault };
                let verdict = gradcheck::check(&op, &sample.inputs, seed);
                assert!(verdict.is_err(), "{}, seed {seed}: {fault:?} passed", case.name);
            }
        }
        for (count, fault) in injected.iter().zip(Fault::ALL) {
            let must = fault != Fault::Transposed; // some operations have no input with two long axes
            assert!(!must || *count > 0, "{}: no case with {fault:?}", case.name);
        }
    }
}

#[test]
fn an_operation_that_only_claims_to_pass_dy_on_is_caught() {
    for case in OPS {
        for seed in 0..32 {
            let sample = (case.sample)(&mut Draw::new(seed));
            let shapes: Vec<Shape> = sample.inputs.iter().map(|x| x.shape().into()).collect();
            let elements = sample.op.output_shape(&shapes).unwrap().elements();
            let concerns = |x: &ndarray::ArrayD<f32>| x.len() == elements && elements > 1;
            // A gradient may be dy by chance: dropout of 0, a mean of one.
            if ["exp", "tanh", "mul"].contains(&case.name) && sample.inputs.iter().any(concerns) {
                let op = Wrong { inner: sample.op, fault: Fault::ClaimsToPassOn };
                assert!(gradcheck::check(&op, &sample.inputs, seed).is_err(), "{}, seed {seed}", case.name);
            }
        }
    }
}
