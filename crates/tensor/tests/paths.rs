//! Every set of instructions that this processor has gives the same bits. One test in a binary of its own,
//! because `Path::force` changes the whole process.

use tensor::gradcheck::Draw;
use tensor::kernels::simd::Path;
use tensor::ops::OPS;
use tensor::{Grads, Params, Tape, Workspace};

/// Values and gradients of a random application of each operation, as bits.
fn bits_of_all_operations(seed: u64) -> Vec<(&'static str, Vec<u32>)> {
    let one = |case: &tensor::ops::Case| {
        let sample = (case.sample)(&mut Draw::new(seed));
        let (mut params, workspace) = (Params::new(), Workspace::poisoned());
        for (i, input) in sample.inputs.iter().enumerate() {
            params.add_array(&format!("x{i}"), input);
        }
        let mut grads = Grads::new(&params);
        let tape = Tape::new(&params, &workspace);
        let vars: Vec<_> = params.ids().map(|id| tape.param(id)).collect();
        let y = tape.apply(sample.op, &vars);
        let cotangent = Draw::new(seed).array(&y.shape());
        y.backward_from(cotangent.as_slice().unwrap(), &mut grads, |_, _| {});
        let mut bits: Vec<u32> = y.read(|y| y.data.iter().map(|x| x.to_bits()).collect());
        for id in params.ids() {
            bits.extend(grads.get(id).expect("reached").iter().map(|x| x.to_bits()));
        }
        (case.name, bits)
    };
    OPS.iter().map(one).collect()
}

/// The element-wise functions over their whole range, and the norms of wide rows.
fn bits_of_wide_ranges() -> Vec<(&'static str, Vec<u32>)> {
    let (params, workspace) = (Params::new(), Workspace::new());
    let tape = Tape::new(&params, &workspace);
    let x = Draw::new(5).array_in(&[40, 1003], -100.0, 100.0);
    let x = tape.constant(&x);
    let weight = tape.constant(&Draw::new(6).array(&[1003]));
    let targets = vec![17; 40];
    [
        ("exp", x.exp()),
        ("tanh", x.tanh()),
        ("gelu", x.gelu()),
        ("gelu_tanh", x.gelu_tanh()),
        ("softmax", x.softmax()),
        ("layer_norm", x.layer_norm(weight, None, 1e-5)),
        ("rms_norm", x.rms_norm(weight, 1e-5)),
        ("cross_entropy", x.cross_entropy(&targets, &[1.0; 40], 40.0)),
        ("matmul", x.matmul(x.transpose(&[1, 0]))),
    ]
    .map(|(name, y)| (name, y.read(|y| y.data.iter().map(|y| y.to_bits()).collect())))
    .to_vec()
}

#[test]
fn all_paths_give_the_same_bits() {
    let paths: Vec<Path> = Path::ALL.into_iter().filter(|path| path.is_available()).collect();
    let run = |path: Path| {
        path.force();
        let mut all = bits_of_wide_ranges();
        (0..64).for_each(|seed| all.extend(bits_of_all_operations(seed)));
        all
    };
    let first = run(paths[0]);
    for &path in &paths[1..] {
        for ((name, expected), (_, found)) in first.iter().zip(run(path)) {
            assert!(*expected == found, "{name}: {path} and {} differ", paths[0]);
        }
    }
}
