//! Layers: names, shapes, gradients, and what they compute.

use nn::{
    Context, Dropout, Embedding, FeedForward, FeedForwardConfig, Init, LayerNorm, Linear, Norm, NormKind,
    ParamBuilder, RmsNorm, SelfAttention, SelfAttentionConfig, hidden_width,
};
use random::{Rng, Stream};
use std::sync::Arc;
use tensor::gradcheck::{Draw, check_graph};
use tensor::kernels::attention::Intervals;
use tensor::ops::feed_forward::Activation;
use tensor::{DropoutSeeds, Grads, ParamId, Params, Tape, Var, Workspace};

const ACTIVATIONS: [Activation; 4] =
    [Activation::Gelu, Activation::GeluTanh, Activation::Relu2, Activation::SwiGlu];

/// A layer, its parameters, and an input `x` that is a parameter too, so that its gradient is checked.
struct Bench<L> {
    layer: L,
    params: Params,
    x: ParamId,
}

impl<L> Bench<L> {
    fn new(x_shape: &[usize], make: impl FnOnce(ParamBuilder<'_>) -> L) -> Self {
        let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
        let layer = make(ParamBuilder::new(&mut params, &mut rng).pp("layer"));
        let x = params.add("x", x_shape, |x| rng.fill_normal(x, 0.0, 1.0));
        Self { layer, params, x }
    }

    /// The names and shapes of the layer's parameters.
    fn names(&self) -> Vec<String> {
        let ids = self.params.ids().filter(|&id| id != self.x);
        ids.map(|id| format!("{} {}", self.params.name(id), self.params.shape(id))).collect()
    }

    /// Moves every parameter away from its start: a norm that ignored its weight of ones, or a bias of
    /// zeros, would pass.
    fn shake(&mut self) {
        let mut draw = Draw::new(7);
        for (_, p) in self.params.all_mut() {
            p.iter_mut().for_each(|p| *p += 0.3 * draw.normal());
        }
    }

    /// Checks output shape and all gradients of <c, layer(x)> for a random c.
    #[track_caller]
    fn check<F>(mut self, shape: &[usize], forward: F)
    where
        F: for<'t> Fn(&L, Var<'t>) -> Var<'t>,
    {
        self.shake();
        let workspace = Workspace::poisoned();
        let mut grads = Grads::new(&self.params);
        let tape = Tape::new(&self.params, &workspace).with_dropout(DropoutSeeds::new(1, 2));
        let y = forward(&self.layer, tape.param(self.x));
        assert_eq!(&y.shape()[..], shape);
        let loss = (y * tape.constant(&Draw::new(3).array(shape))).sum();
        loss.backward(&mut grads);
        check_graph(loss, &self.params, &grads, 11).unwrap_or_else(|mismatch| panic!("{mismatch}\n{tape}"));
    }
}

/// A pass of x (B, T, C) whose positions see those of `intervals`.
fn context<'t>(x: Var<'t>, intervals: &Arc<Intervals>) -> Context<'t, 'static> {
    Context::new(x.tape(), [x.shape()[0], x.shape()[1]], intervals.clone())
}

#[test]
fn linear() {
    for bias in [false, true] {
        let bench = Bench::new(&[2, 3, 5], |b| Linear::new(b, 5, 4, bias, Init::GPT2));
        let expected: &[&str] =
            if bias { &["layer.weight [4, 5]", "layer.bias [4]"] } else { &["layer.weight [4, 5]"] };
        assert_eq!(bench.names(), expected);
        bench.check(&[2, 3, 4], |layer, x| layer.forward(x));
    }
}

#[test]
fn norms() {
    for bias in [false, true] {
        let bench = Bench::new(&[3, 8], |b| LayerNorm::new(b, 8, bias));
        let expected: &[&str] =
            if bias { &["layer.weight [8]", "layer.bias [8]"] } else { &["layer.weight [8]"] };
        assert_eq!(bench.names(), expected);
        bench.check(&[3, 8], |layer, x| layer.forward(x));
    }
    let bench = Bench::new(&[3, 8], |b| RmsNorm::new(b, 8));
    assert_eq!(bench.names(), ["layer.weight [8]"]);
    bench.check(&[3, 8], |layer, x| layer.forward(x));
}

#[test]
fn either_norm_is_the_one_asked_for() {
    let bench = Bench::new(&[3, 8], |b| Norm::new(b, NormKind::LayerNorm, 8, true));
    assert_eq!(bench.names(), ["layer.weight [8]", "layer.bias [8]"]);
    bench.check(&[3, 8], |layer, x| layer.forward(x));
    let bench = Bench::new(&[3, 8], |b| Norm::new(b, NormKind::RmsNorm, 8, true));
    assert_eq!(bench.names(), ["layer.weight [8]"]);
    bench.check(&[3, 8], |layer, x| layer.forward(x));
}

fn attention_config(dropout: f32, bias: bool) -> SelfAttentionConfig {
    SelfAttentionConfig {
        bias,
        dropout,
        attn_dropout: dropout,
        proj_init: Init::residual(4),
        ..SelfAttentionConfig::new(8, 2)
    }
}

#[test]
fn self_attention() {
    let bench = Bench::new(&[2, 5, 8], |b| SelfAttention::new(b, &attention_config(0.0, false)));
    assert_eq!(bench.names(), ["layer.c_attn.weight [24, 8]", "layer.c_proj.weight [8, 8]"]);
    let causal = Arc::new(Intervals::causal(5));
    bench.check(&[2, 5, 8], |layer, x| layer.forward(x, &mut context(x, &causal)));

    let bench = Bench::new(&[2, 5, 8], |b| SelfAttention::new(b, &attention_config(0.25, true)));
    let names = [
        "layer.c_attn.weight [24, 8]",
        "layer.c_attn.bias [24]",
        "layer.c_proj.weight [8, 8]",
        "layer.c_proj.bias [8]",
    ];
    assert_eq!(bench.names(), names);
    bench.check(&[2, 5, 8], |layer, x| layer.forward(x, &mut context(x, &causal)));
}

#[test]
fn a_position_does_not_see_what_is_outside_its_interval() {
    let mut bench = Bench::new(&[1, 6, 8], |b| SelfAttention::new(b, &attention_config(0.0, true)));
    bench.shake();
    let run = |params: &Params, intervals: Intervals| {
        let workspace = Workspace::new();
        let tape = Tape::no_grad(params, &workspace);
        let x = tape.param(bench.x);
        let y = bench.layer.forward(x, &mut context(x, &Arc::new(intervals)));
        y.read(|y| y.data.chunks(8).map(<[f32]>::to_vec).collect::<Vec<_>>())
    };
    let mut changed = bench.params.clone();
    changed.data_mut(bench.x)[4 * 8] += 1.0; // position 4
    let differ = |intervals: fn() -> Intervals| {
        let (a, b) = (run(&bench.params, intervals()), run(&changed, intervals()));
        a.iter().zip(&b).map(|(a, b)| a != b).collect::<Vec<_>>()
    };
    assert_eq!(differ(|| Intervals::causal(6)), [false, false, false, false, true, true]);
    assert_eq!(differ(|| Intervals::bidirectional(6, 6)), [true; 6]);
}

fn feed_forward_config(activation: Activation, bias: bool, dropout: f32) -> FeedForwardConfig {
    FeedForwardConfig { n_embd: 6, hidden: 10, activation, bias, dropout, proj_init: Init::residual(4) }
}

#[test]
fn feed_forward() {
    for activation in ACTIVATIONS {
        for (bias, dropout) in [(false, 0.0), (true, 0.25)] {
            let bench = Bench::new(&[2, 3, 6], |b| {
                FeedForward::new(b, &feed_forward_config(activation, bias, dropout))
            });
            let up = if activation == Activation::SwiGlu { 20 } else { 10 };
            let mut names =
                vec![format!("layer.c_fc.weight [{up}, 6]"), "layer.c_proj.weight [6, 10]".to_string()];
            if bias {
                names.insert(1, format!("layer.c_fc.bias [{up}]"));
                names.push("layer.c_proj.bias [6]".to_string());
            }
            assert_eq!(bench.names(), names);
            bench.check(&[2, 3, 6], |layer, x| layer.forward(x));
        }
    }
}

/// SwiGLU with the usual width has as many parameters as GELU with its own, within 5 %.
#[test]
fn hidden_widths_cost_the_same() {
    for n_embd in [64, 128, 384, 768, 1024] {
        let (gelu, swiglu) =
            (hidden_width(Activation::Gelu, n_embd), hidden_width(Activation::SwiGlu, n_embd));
        assert_eq!(gelu, 4 * n_embd);
        assert!(swiglu.is_multiple_of(16));
        let ratio = (3 * swiglu) as f64 / (2 * gelu) as f64;
        assert!((0.95..=1.05).contains(&ratio), "{n_embd}: {ratio}");
    }
    assert_eq!(hidden_width(Activation::SwiGlu, 1), 16);
}

/// wte and wpe, and the head that is wte again: the gradient of wte is the sum of both uses.
#[test]
fn embedding_with_tied_head() {
    let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
    let mut builder = ParamBuilder::new(&mut params, &mut rng);
    let wte = Embedding::new(builder.pp("wte"), 7, 4);
    let wpe = Embedding::new(builder.pp("wpe"), 3, 4);
    params.all_mut().for_each(|(_, p)| p.iter_mut().for_each(|p| *p *= 20.0));
    assert_eq!(params.name(wte.weight), "wte.weight");
    assert_eq!(&params.shape(wpe.weight)[..], [3, 4]);

    let ids = [1, 0, 6, 6, 6, 2];
    let workspace = Workspace::poisoned();
    let mut grads = Grads::new(&params);
    let tape = Tape::new(&params, &workspace);
    let x = wte.forward_with_positions(tape.param(wpe.weight), &ids, &[2, 3]);
    let apart = wte.forward(&tape, &ids, &[2, 3]) + wpe.forward(&tape, &[0, 1, 2], &[3]);
    assert_eq!(x.value(), apart.value());
    let logits = wte.as_linear().forward(x);
    assert_eq!(&logits.shape()[..], [2, 3, 7]);
    let loss = (logits * tape.constant(&Draw::new(3).array(&[2, 3, 7]))).sum();
    loss.backward(&mut grads);
    check_graph(loss, &params, &grads, 11).unwrap_or_else(|mismatch| panic!("{mismatch}"));
}

#[test]
fn residual_projections_begin_smaller() {
    let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
    let mut builder = ParamBuilder::new(&mut params, &mut rng);
    let proj_init = Init::residual(8); // 0.02 / sqrt(16)
    let config = SelfAttentionConfig { bias: true, proj_init, ..SelfAttentionConfig::new(128, 4) };
    let attn = SelfAttention::new(builder.pp("attn"), &config);
    let config =
        FeedForwardConfig { n_embd: 128, hidden: 512, ..feed_forward_config(Activation::Gelu, true, 0.0) };
    let mlp = FeedForward::new(builder.pp("mlp"), &FeedForwardConfig { proj_init, ..config });
    let std = |id: ParamId| {
        let data = params.data(id);
        (data.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / data.len() as f64).sqrt()
    };
    for (first, projection) in [(attn.c_attn, attn.c_proj), (mlp.c_fc, mlp.c_proj)] {
        assert!((std(first.weight) / 0.02 - 1.0).abs() < 0.02);
        assert!((std(projection.weight) / 0.005 - 1.0).abs() < 0.03);
        assert_eq!(std(projection.bias.expect("bias")), 0.0);
    }
}

/// Where the layers drop out. The mask on the output leaves zeros, and what remains is the undropped
/// output over 1 - p; except in attention, whose weights were dropped out before.
#[test]
fn dropout_is_where_it_should_be() {
    const P: f32 = 0.25;
    let mut attn = Bench::new(&[8, 5, 8], |b| SelfAttention::new(b, &attention_config(P, true)));
    attn.shake();
    let causal = Arc::new(Intervals::causal(5));
    let mut mlp =
        Bench::new(&[8, 5, 6], |b| FeedForward::new(b, &feed_forward_config(Activation::Gelu, true, P)));
    mlp.shake();
    let forward_attn = |seeds| {
        let workspace = Workspace::new();
        let tape = tape(&attn.params, &workspace, seeds);
        let x = tape.param(attn.x);
        attn.layer.forward(x, &mut context(x, &causal)).read(|y| y.data.to_vec())
    };
    let forward_mlp = |seeds| {
        let workspace = Workspace::new();
        let tape = tape(&mlp.params, &workspace, seeds);
        mlp.layer.forward(tape.param(mlp.x)).read(|y| y.data.to_vec())
    };
    let zeros_and_others_that_changed = |forward: &dyn Fn(Option<DropoutSeeds>) -> Vec<f32>| {
        let (plain, dropped) = (forward(None), forward(Some(DropoutSeeds::new(1337, 0))));
        let zeros = dropped.iter().filter(|&&y| y == 0.0).count() as f32 / plain.len() as f32;
        let changed =
            plain.iter().zip(&dropped).filter(|&(a, b)| *b != 0.0 && (b * (1.0 - P) - a).abs() > 1e-5);
        (zeros, changed.count())
    };
    let (zeros, changed) = zeros_and_others_that_changed(&forward_attn);
    assert!((0.15..0.35).contains(&zeros) && changed > 100, "{zeros}, {changed}");
    let (zeros, changed) = zeros_and_others_that_changed(&forward_mlp);
    assert!((0.15..0.35).contains(&zeros) && changed == 0, "{zeros}, {changed}");
}

/// A tape that records, with these seeds for dropout.
fn tape<'p>(params: &'p Params, workspace: &'p Workspace, seeds: Option<DropoutSeeds>) -> Tape<'p> {
    let tape = Tape::new(params, workspace);
    if let Some(seeds) = seeds { tape.with_dropout(seeds) } else { tape }
}

/// Dropout of ones: the values that it gives.
fn dropped(p: f32, tape: &Tape<'_>) -> Vec<f32> {
    let x = tape.constant(&ndarray::ArrayD::ones(vec![100, 100]));
    Dropout::new(p).forward(x).read(|y| y.data.to_vec())
}

#[test]
fn dropout_drops_in_training_only() {
    let (params, workspace) = (Params::new(), Workspace::new());
    let seeds = || Some(DropoutSeeds::new(1337, 0));
    let y = dropped(0.25, &tape(&params, &workspace, seeds()));
    assert!(y.iter().all(|&y| y == 0.0 || y == 1.0 / 0.75));
    let zeros = y.iter().filter(|&&y| y == 0.0).count();
    assert!((2300..=2700).contains(&zeros), "{zeros} of 10000"); // 2500 +- 4.6 standard deviations
    for identity in [
        dropped(0.25, &Tape::no_grad(&params, &workspace).with_dropout(DropoutSeeds::new(1337, 0))),
        dropped(0.0, &tape(&params, &workspace, seeds())),
        dropped(0.25, &tape(&params, &workspace, None)),
    ] {
        assert!(identity.iter().all(|&y| y == 1.0));
    }
}

#[test]
fn masks_differ_by_site_and_pass_and_repeat_with_both() {
    let (params, workspace) = (Params::new(), Workspace::new());
    let pass = |seed, pass| tape(&params, &workspace, Some(DropoutSeeds::new(seed, pass)));
    let one = pass(1337, 5);
    let (first, second) = (dropped(0.5, &one), dropped(0.5, &one));
    assert_ne!(first, second);
    assert_ne!(first, dropped(0.5, &pass(1337, 6)));
    assert_ne!(first, dropped(0.5, &pass(1338, 5)));
    assert_eq!(first, dropped(0.5, &pass(1337, 5)));
}

#[test]
#[should_panic(expected = "expected a probability 0 <= p < 1; found 1")]
fn dropping_everything_is_refused() {
    let _ = Dropout::new(1.0);
}

#[test]
#[should_panic(expected = "expected n_head to divide n_embd; found n_head 3, n_embd 8")]
fn heads_that_do_not_fit_are_refused() {
    let config = SelfAttentionConfig { heads: 3.into(), ..attention_config(0.0, true) };
    let _ = Bench::new(&[1], |b| SelfAttention::new(b, &config));
}

#[test]
#[should_panic(expected = "there is a parameter named \"fc.weight\" already")]
fn two_layers_of_one_name_are_refused() {
    let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
    let mut builder = ParamBuilder::new(&mut params, &mut rng);
    for _ in 0..2 {
        let _ = Linear::new(builder.pp("fc"), 2, 2, false, Init::Zeros);
    }
}

/// Two layers trained to agree with a teacher of the same form: forward, backward, clip and step together,
/// with the same bits under any number of threads.
#[test]
fn a_small_network_learns_and_threads_do_not_matter() {
    let runs = [1, 2, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(learn)
    });
    let (first, last, _) = runs[0];
    assert!(last < 0.1 * first, "the loss went from {first} to {last}");
    assert!(runs.iter().all(|run| *run == runs[0]));
}

/// First and last loss, and a fingerprint of the weights.
fn learn() -> (f32, f32, u64) {
    use nn::optim::{AdamW, AdamWConfig, Optimizer, clip_grad_norm};
    let (mut params, mut rng) = (Params::new(), Rng::new(1337, Stream::Init));
    let mut builder = ParamBuilder::new(&mut params, &mut rng);
    let config =
        FeedForwardConfig { n_embd: 16, hidden: 64, ..feed_forward_config(Activation::Gelu, true, 0.0) };
    let ln = LayerNorm::new(builder.pp("ln"), 16, true);
    let mlp = FeedForward::new(builder.pp("mlp"), &config);

    let mut draw = Draw::new(5);
    let x = draw.array(&[256, 16]);
    let target = x.mapv(|x| -(x.abs())); // minus the target |x|: `+` below subtracts it
    let (workspace, mut grads) = (Workspace::new(), Grads::new(&params));
    let mut optimizer = AdamW::new(&params, AdamWConfig::default());
    let mut losses = Vec::new();
    for _ in 0..200 {
        let tape = Tape::new(&params, &workspace);
        let error = mlp.forward(ln.forward(tape.constant(&x))) + tape.constant(&target);
        let loss = (error * error).sum();
        losses.push(loss.item());
        grads.clear();
        loss.backward(&mut grads);
        drop(tape);
        clip_grad_norm(&mut grads, 1.0);
        optimizer.step(&mut params, &grads, 0.01).expect("gradients");
    }
    let bits = params.ids().flat_map(|id| params.data(id).iter().map(|p| u64::from(p.to_bits())));
    let fingerprint =
        bits.collect::<Vec<_>>().iter().fold(0u64, |h, b| (h ^ b).wrapping_mul(0x100_0000_01b3));
    (losses[0], losses[199], fingerprint)
}

/// Over many masks the mean is the input, element by element.
#[test]
fn the_expectation_of_dropout_is_its_input() {
    const MASKS: u64 = 400;
    let (params, workspace) = (Params::new(), Workspace::new());
    let x = ndarray::ArrayD::from_shape_fn(vec![40, 25], |i| (i[0] as f32 - 20.0) / 8.0 + i[1] as f32);
    let mut mean = vec![0.0; x.len()];
    for pass in 0..MASKS {
        let tape = tape(&params, &workspace, Some(DropoutSeeds::new(1, pass)));
        let y = Dropout::new(0.2).forward(tape.constant(&x));
        y.read(|y| mean.iter_mut().zip(y.data).for_each(|(mean, y)| *mean += f64::from(*y) / MASKS as f64));
    }
    // The deviation of one mean is |x| sqrt(p / (1 - p) / MASKS) = |x| / 40; of a thousand the farthest is at 4 of them.
    for (mean, &x) in mean.iter().zip(&x) {
        assert!((mean - f64::from(x)).abs() <= 5.0 / 40.0 * f64::from(x.abs()), "{mean} {x}");
    }
}
