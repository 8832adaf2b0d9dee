//! The same bits for any number of threads and any instruction set. One test in a process of its own:
//! it changes the instruction set of the whole process.

use nn::optim::{Adam, AdamConfig, AdamW, AdamWConfig, Optimizer, Sgd, SgdConfig, clip_grad_norm};
use random::{Rng, Stream};
use tensor::kernels::simd::Path;
use tensor::{Grads, Params, Tape, Workspace};

type Make = fn(&Params) -> Box<dyn Optimizer>;

/// Sizes around the vector's 16 lanes and the chunk's 16,384 elements.
const SIZES: [usize; 7] = [1, 15, 16, 17, 16_384, 16_385, 100_003];

fn params() -> Params {
    let mut params = Params::new();
    let mut rng = Rng::new(1337, Stream::Init);
    for size in SIZES {
        params.add(&format!("p{size}"), [size, 1], |p| rng.fill_normal(p, 0.0, 1.0));
    }
    params
}

/// The bits of all parameters after five steps, of which clipping takes part.
fn train(make: Make) -> Vec<u32> {
    let (mut params, workspace) = (params(), Workspace::new());
    let mut optimizer = make(&params);
    let mut grads = Grads::new(&params);
    for _ in 0..5 {
        let tape = Tape::new(&params, &workspace);
        grads.clear();
        for id in params.ids() {
            let p = tape.param(id);
            (p * p * p).sum().backward(&mut grads); // 3 p^2: unlike p, and unlike for each element
        }
        drop(tape);
        clip_grad_norm(&mut grads, 10.0);
        optimizer.step(&mut params, &grads, 0.01).expect("gradients");
    }
    params.ids().flat_map(|id| params.data(id).iter().map(|p| p.to_bits()).collect::<Vec<_>>()).collect()
}

#[test]
fn threads_and_instructions_do_not_change_a_bit() {
    let makers: [Make; 3] = [
        |p| Box::new(Sgd::new(p, SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 0.1 })),
        |p| Box::new(Adam::new(p, AdamConfig { weight_decay: 0.1, ..Default::default() })),
        |p| Box::new(AdamW::new(p, AdamWConfig::default())),
    ];
    for make in makers {
        let mut expected: Option<Vec<u32>> = None;
        for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
            path.force();
            for threads in [1, 2, 4] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                let bits = pool.install(|| train(make));
                assert!(bits.iter().all(|&p| f32::from_bits(p).is_finite()));
                let expected = expected.get_or_insert_with(|| bits.clone());
                assert!(*expected == bits, "{path} with {threads} threads gives other bits");
            }
        }
    }
}
