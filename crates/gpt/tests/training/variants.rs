//! Models of every kind: their parameters, gradients, bits, and writing with them.

use super::*;
use std::sync::Arc;
use tensor::kernels::attention::Intervals;

/// Every switch of the architecture on its own, then all together.
const SWITCHES: &[&[(&str, &str)]] = &[
    &[("position", "rope")],
    &[("position", "sinusoidal")],
    &[("position", "none")],
    &[("qk_norm", "true")],
    &[("n_kv_head", "1")],
    &[("value_residual", "true")],
    &[("embedding_skip", "true")],
    &[("soft_cap", "2")],
    &[("zero_init", "true"), ("tied", "false")],
    &[("ngram", "4"), ("ngram_rows", "200")],
    &[("window", "5")],
    &[
        ("position", "rope"),
        ("qk_norm", "true"),
        ("n_kv_head", "1"),
        ("value_residual", "true"),
        ("embedding_skip", "true"),
        ("soft_cap", "2"),
        ("zero_init", "true"),
        ("ngram", "3"),
        ("ngram_rows", "20"),
        ("window", "4"),
        ("activation", "relu2"),
        ("norm", "rms_norm"),
    ],
];

/// Every combination of norm, activation, bias and tied head, and every switch.
pub(crate) fn variants() -> Vec<Config> {
    let activations = [Activation::Gelu, Activation::GeluTanh, Activation::Relu2, Activation::Swiglu];
    let mut all = Vec::new();
    for (n, activation) in activations.into_iter().enumerate() {
        for norm in [Norm::LayerNorm, Norm::RmsNorm] {
            let mut config = tiny();
            config.model.activation = activation;
            config.model.norm = norm;
            config.model.bias = n % 2 == 0;
            config.model.tied = norm == Norm::LayerNorm;
            config.model.dropout = 0.0;
            all.push(config);
        }
    }
    let switched = SWITCHES.iter().map(|switches| {
        let mut config = tiny();
        config.model.dropout = 0.0;
        switches.iter().for_each(|(name, value)| config.set(name, value).expect("a setting"));
        config.validate().expect("settings that go together");
        config
    });
    all.extend(switched);
    all
}

/// What tells the variants apart.
fn name(config: &Config) -> String {
    let nano = Preset::NanoCpu.config(VOCAB).model;
    let (all, usual) = (serde_json::to_value(&config.model).unwrap(), serde_json::to_value(nano).unwrap());
    let changed = all.as_object().unwrap().iter().filter(|(name, value)| usual[name] != **value);
    changed.map(|(name, value)| format!("{name}={value} ")).collect()
}

#[test]
fn parameters_are_those_that_the_config_lists() {
    for config in variants() {
        let (_, params) = model(&config);
        let made: Vec<_> =
            params.ids().map(|id| (params.name(id).to_string(), params.shape(id).to_vec())).collect();
        assert_eq!(made, config.model.parameter_shapes(), "{}", name(&config));
        assert_eq!(params.count() as u64, config.model.count_parameters(), "{}", name(&config));
    }
}

/// Of every switch: the same bits whether activations are kept or computed again, and whether a training was interrupted
/// or not.
#[test]
fn every_switch_trains_with_the_same_bits_recomputed_and_resumed() {
    for mut config in variants() {
        config.model.dropout = 0.1;
        config.model.ngram_dropout = 0.1;
        let digests = ["false", "true"].map(|recompute| {
            config.set("recompute", recompute).unwrap();
            let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
            advance(&mut trainer, 2);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("checkpoint");
            trainer.checkpoint("{}").write(&path).unwrap();
            let checkpoint = Checkpoint::read(&path).unwrap();
            let mut resumed = Trainer::from_checkpoint(&checkpoint, text().len()).unwrap();
            [&mut trainer, &mut resumed].map(|trainer| {
                advance(trainer, 4);
                digest(trainer)
            })
        });
        let [[whole, resumed], [again, _]] = &digests;
        assert_eq!(whole, resumed, "resumed: {}", name(&config));
        assert_eq!(whole, again, "computed again: {}", name(&config));
    }
}

/// A model whose weights are larger than at the start of training, so that nothing is nearly linear.
pub(crate) fn model(config: &Config) -> (Gpt, Params) {
    let mut params = Params::new();
    let mut rng = Rng::new(3, Stream::Init);
    let model = Gpt::new(&config.model, &mut params, &mut rng);
    for (_, data) in params.all_mut() {
        data.iter_mut().for_each(|w| *w += 0.2 * rng.normal());
    }
    (model, params)
}

fn logits(model: &Gpt, params: &Params, ids: &[u32]) -> Vec<f32> {
    logits_with(model, params, ids, &model.visibility().causal(ids.len()))
}

fn logits_with(model: &Gpt, params: &Params, ids: &[u32], intervals: &Arc<Intervals>) -> Vec<f32> {
    let workspace = Workspace::poisoned();
    let tape = Tape::no_grad(params, &workspace);
    let mut cx = Context::new(&tape, [1, ids.len()], intervals.clone());
    model.logits(ids, &mut cx).read(|x| x.data.to_vec())
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    let scale = expected.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let close = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= 1e-5 * scale);
    assert!(close && found.len() == expected.len(), "{what}: {found:?}\n{expected:?}");
}

#[test]
fn the_cache_of_keys_and_values_changes_nothing() {
    for config in variants() {
        let (model, params) = model(&config);
        let ids = &text()[..16];
        let expected = logits(&model, &params, ids);
        let mut decoder = Decoder::new(&model, &params);
        for (t, &id) in ids.iter().enumerate() {
            let what = format!("{}, position {t}", name(&config));
            assert_close(&what, decoder.push(id), &expected[t * VOCAB..(t + 1) * VOCAB]);
        }
        // Full: the older half is forgotten, and what remains is a text of its own.
        let next = decoder.push(1).to_vec();
        let window: Vec<u32> = ids[8..].iter().copied().chain([1]).collect();
        assert_eq!(decoder.len(), window.len());
        let expected = logits(&model, &params, &window);
        assert_close("after the window moved", &next, &expected[8 * VOCAB..]);
        // A prompt at once, also one that is too long.
        let mut at_once = Decoder::new(&model, &params);
        assert_close("a prompt", at_once.push_all(&window), &next);
        let long = &text()[..40];
        let mut at_once = Decoder::new(&model, &params);
        let expected = logits(&model, &params, &long[24..]);
        assert_close("a long prompt", at_once.push_all(long), &expected[15 * VOCAB..]);
    }
}

/// A beginning of which each position sees all: the logits of the model with the same intervals, then and afterwards.
#[test]
fn a_prefix_sees_itself_from_both_sides() {
    for config in variants() {
        let (model, params) = model(&config);
        let (ids, prefix) = (&text()[..12], 7);
        let mask = data::MaskSpec::Prefix { len: prefix as u32 };
        let intervals = model.visibility().cut(ids.len(), mask.intervals(ids.len()));
        let expected = logits_with(&model, &params, ids, &intervals);
        let row = |t: usize| &expected[t * VOCAB..(t + 1) * VOCAB];
        let mut decoder = Decoder::new(&model, &params);
        assert_close(&name(&config), decoder.push_prefix(&ids[..prefix]), row(prefix - 1));
        let mut fork = decoder.clone();
        for (t, &id) in ids.iter().enumerate().skip(prefix) {
            assert_close(&name(&config), decoder.push(id), row(t));
            decoder.push(id);
            decoder.truncate(t + 1); // back to before the second push
            assert_close("a fork", fork.push(id), row(t));
        }
    }
}

/// The loss of a text, token by token, is that of whole windows; with eight-bit weights it is that of a model whose
/// weights were rounded, but for the rounding of the vectors.
#[test]
fn the_loss_while_decoding_is_the_loss() {
    for mut config in variants() {
        config.model.tied = false; // the embedding is not rounded, so a tied model could not be rounded outside
        let (model, mut params) = model(&config);
        let tokens = &text()[..100];
        let close = |a: f64, b: f64, bound: f64| assert!((a - b).abs() <= bound * b, "{a} {b}");
        let expected = evaluate(&model, &params, tokens, 0).unwrap();
        close(Decoder::new(&model, &params).loss(tokens), expected, 1e-5);
        let mut rounded = params.clone();
        let bytes = model.round_to_int8(&mut rounded);
        let found = Decoder::new(&model, &rounded).loss(tokens);
        assert_ne!(found, expected);
        for block in &model.h {
            for layer in [&block.attn.c_attn, &block.attn.c_proj, &block.mlp.c_fc, &block.mlp.c_proj] {
                round(&mut params, layer.weight);
            }
        }
        round(&mut params, model.lm_head.weight);
        close(found, evaluate(&model, &params, tokens, 0).unwrap(), 1e-5);
        close(found, expected, 0.01);
        assert!(bytes < 4 * config.model.count_parameters() as usize);
    }
}

fn round(params: &mut Params, weight: tensor::ParamId) {
    let rounded = Int8Matrix::new(params.data(weight), params.shape(weight)[1]).to_f32();
    params.data_mut(weight).copy_from_slice(&rounded);
}

#[test]
fn the_gradient_of_the_whole_model_is_right() {
    for mut config in variants() {
        for (name, value) in [("n_embd", "8"), ("block_size", "6"), ("batch_size", "2")] {
            config.set(name, value).unwrap();
        }
        let (model, params) = model(&config);
        let batch = data::Batch {
            ids: text()[..12].to_vec(),
            labels: text()[1..13].to_vec(),
            weights: (0..12).map(|i| 0.25 * (i % 4) as f32).collect(),
            batch_size: 2,
            block_size: 6,
            intervals: None,
        };
        let (workspace, mut grads) = (Workspace::poisoned(), Grads::new(&params));
        let tape = Tape::new(&params, &workspace);
        let loss = model.loss(&tape, &batch);
        loss.backward(&mut grads);
        assert!(grads.unreached(&params).is_empty());
        if let Err(mismatch) = gradcheck::check_graph(loss, &params, &grads, 1) {
            panic!("{}: {mismatch}", name(&config));
        }
    }
}
