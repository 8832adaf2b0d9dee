//! What a training promises: the same bits when it is resumed and on any number of threads, no allocation
//! after the first steps, no update from a number that is not finite, and gradients that are right.

use gpt::checkpoint::Checkpoint;
use gpt::config::{Activation, Config, Norm, Preset};
use gpt::train::{TrainError, Trainer, evaluate};
use gpt::{Decoder, Gpt, Int8Weights};
use nn::DropoutSeeds;
use random::{Rng, Stream};
use sha2::{Digest, Sha256};
use tensor::kernels::int8::Int8Matrix;
use tensor::{Grads, Params, Tape, Workspace, gradcheck};

const VOCAB: usize = 13;

fn tiny() -> Config {
    let mut config = Preset::NanoCpu.config(VOCAB);
    let settings = [
        ("n_layer", "2"),
        ("n_head", "2"),
        ("n_embd", "24"),
        ("block_size", "16"),
        ("batch_size", "6"),
        ("micro_batch", "4"),
        ("dropout", "0.1"),
        ("bias", "true"),
        ("max_iters", "40"),
        ("warmup_iters", "5"),
    ];
    settings.iter().for_each(|(name, value)| config.set(name, value).expect("a setting"));
    config
}

fn text() -> Vec<u32> {
    let mut rng = Rng::new(5, Stream::Other(0));
    (0..2000).map(|i| if i % 3 == 0 { (i % 7) as u32 } else { rng.below(VOCAB as u64) as u32 }).collect()
}

/// The weights, the optimizer's memory, and the average of the weights.
fn digest(trainer: &Trainer) -> String {
    let checkpoint = trainer.checkpoint("");
    let mut hash = Sha256::new();
    for (name, tensor) in checkpoint.model.iter().chain(&checkpoint.optimizer).chain(&checkpoint.ema) {
        hash.update(name);
        tensor.data.iter().for_each(|x| hash.update(x.to_bits().to_le_bytes()));
    }
    hash.update(checkpoint.optimizer_steps.to_le_bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn advance(trainer: &mut Trainer, to: u64) {
    let text = text();
    while trainer.iter < to {
        trainer.step(&text).expect("a finite step");
    }
}

#[test]
fn resuming_anywhere_gives_the_same_bits() {
    for (sampler, optimizer, ema, seq_len_warmup) in
        [("crop", "adamw", "0", "20"), ("epoch", "adamw", "0.9", "0"), ("epoch", "muon", "0", "0")]
    {
        let mut config = tiny();
        config.set("seq_len_start", "4").unwrap();
        config.set("seq_len_warmup", seq_len_warmup).unwrap();
        config.set("ema", ema).unwrap();
        config.set("sampler", sampler).unwrap();
        config.set("optimizer", optimizer).unwrap();
        let mut whole = Trainer::new(&config, text().len()).unwrap();
        advance(&mut whole, 40);
        let expected = digest(&whole);

        let mut rng = Rng::new(1, Stream::Other(1));
        for _ in 0..20 {
            let at = 1 + rng.below(39);
            let mut before = Trainer::new(&config, text().len()).unwrap();
            advance(&mut before, at);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("checkpoint");
            before.checkpoint("{}").write(&path).unwrap();
            drop(before);
            let checkpoint = Checkpoint::read(&path).unwrap();
            let mut after = Trainer::from_checkpoint(&checkpoint, text().len()).unwrap();
            assert_eq!(after.iter, at);
            advance(&mut after, 40);
            assert_eq!(digest(&after), expected, "resumed at step {at}, {sampler}, {optimizer}, ema {ema}");
        }
    }
}

/// The embedding does not move for 15 updates, then it does, and an interruption before, at or after that place
/// changes no bit.
#[test]
fn a_frozen_embedding_thaws_on_time_and_resumes_exactly() {
    for tied in ["true", "false"] {
        let mut config = tiny();
        config.set("freeze_emb", "15").unwrap();
        config.set("tied", tied).unwrap();
        let begin = || {
            let mut trainer = Trainer::new(&config, text().len()).unwrap();
            let wte = trainer.model.wte.weight;
            trainer.params.data_mut(wte).iter_mut().for_each(|x| *x *= 2.0); // as if loaded
            trainer
        };
        let wte = |trainer: &Trainer| trainer.params.data(trainer.model.wte.weight).to_vec();
        let mut whole = begin();
        let first = wte(&whole);
        let position = whole.model.wpe.expect("learned positions").weight;
        let wpe = whole.params.data(position).to_vec();
        advance(&mut whole, 15);
        assert_eq!(wte(&whole), first);
        assert_ne!(whole.params.data(position), wpe, "the rest trains");
        advance(&mut whole, 16);
        assert_ne!(wte(&whole), first);
        advance(&mut whole, 30);
        for at in [1, 14, 15, 16, 22] {
            let mut before = begin();
            advance(&mut before, at);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("checkpoint");
            before.checkpoint("{}").write(&path).unwrap();
            let mut after =
                Trainer::from_checkpoint(&Checkpoint::read(&path).unwrap(), text().len()).unwrap();
            advance(&mut after, 30);
            assert_eq!(digest(&after), digest(&whole), "resumed at {at}, tied {tied}");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    // Large enough for products, norms and attention to be split.
    let mut config = tiny();
    for (name, value) in [("n_embd", "96"), ("n_head", "3"), ("block_size", "64"), ("batch_size", "8")] {
        config.set(name, value).unwrap();
    }
    for optimizer in ["adamw", "muon"] {
        config.set("optimizer", optimizer).unwrap();
        let digests = [1, 2, 3, 4].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut trainer = Trainer::new(&config, text().len()).unwrap();
                advance(&mut trainer, 5);
                digest(&trainer)
            })
        });
        assert!(digests.iter().all(|d| *d == digests[0]), "{optimizer}: {digests:?}");
    }
}

#[test]
fn after_the_first_step_nothing_is_allocated() {
    let mut trainer = Trainer::new(&tiny(), text().len()).unwrap();
    advance(&mut trainer, 1);
    let before = trainer.workspace().stats();
    advance(&mut trainer, 1001);
    let after = trainer.workspace().stats();
    assert_eq!((after.misses, after.live_bytes), (before.misses, 0));
    assert_eq!((after.peak_bytes, after.pooled_bytes), (before.peak_bytes, before.pooled_bytes));
}

#[test]
fn a_number_that_is_not_finite_stops_before_the_update() {
    // (parameter, poison, what the message names)
    let cases = [
        ("wte.weight", f32::NAN, "wte.weight"),
        ("h.1.mlp.c_fc.weight", f32::INFINITY, "h.1.mlp.c_fc.weight"),
        ("h.0.attn.c_attn.weight", f32::NAN, "h.0.attn.c_attn.weight"),
        ("h.0.ln_2.weight", f32::NEG_INFINITY, "h.0.ln_2.weight"),
        ("h.1.mlp.c_proj.weight", 3e38, "layer_norm"), // finite, but its squares overflow
    ];
    for (name, poison, named) in cases {
        let mut trainer = Trainer::new(&tiny(), text().len()).unwrap();
        advance(&mut trainer, 3);
        let id = trainer.params.id(name).unwrap();
        trainer.params.data_mut(id).fill(poison);
        let before = digest(&trainer);
        let error = trainer.step(&text()).expect_err("not finite");
        assert!(matches!(error, TrainError::NonFinite { iter: 3, .. }), "{error}");
        assert!(error.to_string().contains(named), "{name}: {error}");
        assert_eq!(digest(&trainer), before, "{name}: an update was made");
        assert_eq!(trainer.iter, 3);
    }
}

#[test]
fn computing_again_gives_the_same_bits_in_less_memory() {
    let mut config = tiny();
    config.set("n_layer", "8").unwrap();
    let [(digest_kept, bytes_kept), (digest_again, bytes_again)] = ["false", "true"].map(|recompute| {
        config.set("recompute", recompute).unwrap();
        let mut trainer = Trainer::new(&config, 2000).unwrap();
        advance(&mut trainer, 6);
        (digest(&trainer), trainer.workspace().stats().peak_bytes)
    });
    assert_eq!(digest_again, digest_kept);
    assert!(bytes_again < bytes_kept / 2, "{bytes_again} {bytes_kept}");
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let mut config = tiny();
    config.set("dropout", "0").unwrap();
    let weights = ["6", "4", "1"].map(|micro_batch| {
        config.set("micro_batch", micro_batch).unwrap();
        let mut trainer = Trainer::new(&config, text().len()).unwrap();
        let losses: Vec<f64> = (0..5).map(|_| trainer.step(&text()).unwrap().loss).collect();
        losses
    });
    for other in &weights[1..] {
        let close = weights[0].iter().zip(other).all(|(a, b)| (a - b).abs() <= 1e-6 * a);
        assert!(close, "{weights:?}");
    }
}

/// 0 is "no limit": the same as a limit that is never reached, and not a mistake.
#[test]
fn a_grad_clip_of_zero_is_no_limit() {
    let digests = ["0", "1e9"].map(|limit| {
        let mut config = tiny();
        config.set("grad_clip", limit).unwrap();
        config.validate().unwrap();
        let mut trainer = Trainer::new(&config, text().len()).unwrap();
        advance(&mut trainer, 3);
        digest(&trainer)
    });
    assert_eq!(digests[0], digests[1]);
}

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
fn variants() -> Vec<Config> {
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
            let mut trainer = Trainer::new(&config, text().len()).unwrap();
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
fn model(config: &Config) -> (Gpt, Params) {
    let mut params = Params::new();
    let mut rng = Rng::new(3, Stream::Init);
    let model = Gpt::new(&config.model, &mut params, &mut rng);
    for (_, data) in params.all_mut() {
        data.iter_mut().for_each(|w| *w += 0.2 * rng.normal());
    }
    (model, params)
}

fn logits(model: &Gpt, params: &Params, ids: &[u32]) -> Vec<f32> {
    let workspace = Workspace::poisoned();
    let tape = Tape::no_grad(params, &workspace);
    let intervals = model.intervals(ids.len());
    model.logits(&tape, ids, [1, ids.len()], &intervals, &DropoutSeeds::off()).read(|x| x.data.to_vec())
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
        let int8 = Int8Weights::new(&model, &params);
        let found = Decoder::new(&model, &params).with_int8(&int8).loss(tokens);
        assert_ne!(found, expected);
        for block in &model.h {
            for layer in [&block.attn.c_attn, &block.attn.c_proj, &block.mlp.c_fc, &block.mlp.c_proj] {
                round(&mut params, layer.weight);
            }
        }
        round(&mut params, model.lm_head.weight);
        close(found, evaluate(&model, &params, tokens, 0).unwrap(), 1e-5);
        close(found, expected, 0.01);
        assert!(int8.bytes() < 4 * config.model.count_parameters() as usize);
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
        let loss = model.loss(&tape, &batch, &DropoutSeeds::off());
        loss.backward(&mut grads);
        assert!(grads.unreached(&params).is_empty());
        if let Err(mismatch) = gradcheck::check_graph(loss, &params, &grads, 1) {
            panic!("{}: {mismatch}", name(&config));
        }
    }
}

#[test]
fn a_model_of_nothing_but_noise_knows_nothing() {
    let config = tiny();
    let mut params = Params::new();
    let model = Gpt::new(&config.model, &mut params, &mut Rng::new(1, Stream::Init));
    let loss = gpt::train::evaluate(&model, &params, &text(), 0).unwrap();
    assert!((loss - (VOCAB as f64).ln()).abs() < 0.02, "{loss}");
}

/// Label smoothing and z-loss change what is trained, but not how a model is measured.
#[test]
fn regularizers_are_for_training_only() {
    let first_loss = |settings: [(&str, &str); 2]| {
        let mut config = tiny();
        settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
        let mut trainer = Trainer::new(&config, text().len()).unwrap();
        let measured = evaluate(&trainer.model, &trainer.params, &text()[..], 0).unwrap();
        let trained = trainer.step(&text()).unwrap().loss;
        (trained, measured, digest(&trainer))
    };
    let plain = first_loss([("label_smoothing", "0"), ("z_loss", "0")]);
    let smoothed = first_loss([("label_smoothing", "0.1"), ("z_loss", "0")]);
    let drawn = first_loss([("label_smoothing", "0"), ("z_loss", "0.01")]);
    assert_eq!((smoothed.1, drawn.1), (plain.1, plain.1));
    assert!(smoothed.2 != plain.2 && drawn.2 != plain.2 && smoothed.0 != plain.0);
    // At the start the logits are near 0 and the log-sum-exp near ln V, whose square the z-loss adds.
    let (added, expected) = (drawn.0 - plain.0, 0.01 * (VOCAB as f64).ln().powi(2));
    assert!((added / expected - 1.0).abs() < 0.05, "{added} {expected}");
}

/// Muon's are the matrices of the blocks, each by itself; it learns, and its learning rate is the schedule's.
#[test]
fn muon_has_the_matrices_of_the_blocks() {
    for activation in ["gelu", "swiglu"] {
        let mut config = tiny();
        let settings =
            [("optimizer", "muon"), ("activation", activation), ("tied", "false"), ("dropout", "0")];
        settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
        let mut trainer = Trainer::new(&config, text().len()).unwrap();
        let text: Vec<u32> = (0..2000).map(|i| i % 7).collect();
        let losses: Vec<f64> = (0..40).map(|_| trainer.step(&text).unwrap().loss).collect();
        assert!(losses[39] < 0.65 * losses[0], "{activation}: {losses:?}");
        let gates = if activation == "swiglu" { 2 } else { 1 };
        let rows = |name: &str| {
            trainer.model.stacked_rows(&trainer.params, trainer.params.id(name).expect("a parameter"))
        };
        assert_eq!(rows("h.1.attn.c_attn.weight"), [24; 3]);
        assert_eq!(rows("h.0.mlp.c_fc.weight").len(), gates);
        assert_eq!((rows("h.0.attn.c_proj.weight"), rows("h.1.mlp.c_proj.weight")), (vec![24], vec![24]));
        for name in ["wte.weight", "wpe.weight", "lm_head.weight", "ln_f.weight", "h.0.attn.c_attn.bias"] {
            assert!(rows(name).is_empty(), "{name}");
        }
    }
}

/// The average is what its formula says, changes nothing in the training, and is what gets measured.
#[test]
fn the_average_of_the_weights() {
    const DECAY: f64 = 0.8;
    let begin = |ema: &str| {
        let mut config = tiny();
        config.set("ema", ema).unwrap();
        Trainer::new(&config, text().len()).unwrap()
    };
    let (mut plain, mut averaging) = (begin("0"), begin("0.8"));
    let wte = plain.model.wte.weight;
    let (mut sum, mut weight) = (vec![0.0; plain.params.data(wte).len()], 0.0);
    assert!(std::ptr::eq(averaging.averaged(), &averaging.params), "no update yet");
    for step in 1..=12 {
        advance(&mut plain, step);
        advance(&mut averaging, step);
        assert_eq!(plain.params.data(wte), averaging.params.data(wte));
        assert!(std::ptr::eq(plain.averaged(), &plain.params));
        weight = DECAY * weight + (1.0 - DECAY);
        for (sum, &w) in sum.iter_mut().zip(plain.params.data(wte)) {
            *sum = DECAY * *sum + (1.0 - DECAY) * f64::from(w);
        }
        for (sum, &found) in sum.iter().zip(averaging.averaged().data(wte)) {
            assert!((sum / weight - f64::from(found)).abs() <= 1e-7, "step {step}: {sum} {weight} {found}");
        }
    }
    assert_ne!(averaging.averaged().data(wte), averaging.params.data(wte));
}

/// A batch that the model cannot know is left out, as if it had not been, and the training that resumes after or before
/// it goes the same way.
#[test]
fn a_spike_is_skipped() {
    let mut config = tiny();
    let settings = [("spike_guard", "5"), ("max_iters", "100"), ("ema", "0.9"), ("learning_rate", "1e-2")];
    settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    let usual: Vec<u32> = (0..2000).map(|i| i % 7).collect();
    let odd: Vec<u32> = (0..2000).map(|i| 6 - (i * i) % 7).collect();
    let step = |trainer: &mut Trainer| {
        let text = if trainer.iter == 80 { &odd } else { &usual };
        trainer.step(text).expect("a finite step")
    };
    let mut whole = Trainer::new(&config, usual.len()).unwrap();
    let mut at = std::collections::BTreeMap::new();
    for iter in 1..=100 {
        let (before, tokens) = (digest(&whole), whole.tokens);
        let report = step(&mut whole);
        assert_eq!(report.skipped.is_some(), iter == 81, "{report:?}");
        assert_eq!(digest(&whole) == before, iter == 81);
        assert!(report.skipped.is_none_or(|limit| limit < report.loss));
        assert_eq!((report.iter, report.tokens), (iter, tokens + 96), "time goes on");
        if [30, 79, 80, 81, 90].contains(&iter) {
            at.insert(iter, whole.checkpoint("{}"));
        }
    }
    for (iter, checkpoint) in at {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        checkpoint.write(&path).unwrap();
        let mut after = Trainer::from_checkpoint(&Checkpoint::read(&path).unwrap(), usual.len()).unwrap();
        while after.iter < 100 {
            step(&mut after);
        }
        let (after, whole) = (after.checkpoint(""), whole.checkpoint(""));
        assert!(after == whole, "resumed at {iter}");
    }
}

/// With the guard on, a loss that is not a number still stops the training.
#[test]
fn what_is_not_finite_is_no_spike_to_be_skipped() {
    let mut config = tiny();
    config.set("spike_guard", "5").unwrap();
    config.set("max_iters", "80").unwrap();
    let mut trainer = Trainer::new(&config, text().len()).unwrap();
    advance(&mut trainer, 60);
    let id = trainer.params.id("h.0.ln_1.weight").unwrap();
    trainer.params.data_mut(id)[3] = f32::NAN;
    assert!(matches!(trainer.step(&text()), Err(TrainError::NonFinite { iter: 60, .. })));
}

/// Short windows are the same tokens: the loss of the first update is that of the windows cut by hand, and all updates see
/// as many tokens as without.
#[test]
fn short_windows_are_the_long_ones_cut() {
    let mut config = tiny();
    let settings =
        [("seq_len_warmup", "10"), ("seq_len_start", "4"), ("dropout", "0"), ("micro_batch", "none")];
    settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config.validate().unwrap();
    let mut trainer = Trainer::new(&config, text().len()).unwrap();
    let rng = Rng::new(config.train.seed, Stream::Data);
    let mut sampler = data::WindowSampler::new(text().len(), 16, 6, data::SamplingMode::Crop, rng).unwrap();
    let whole = sampler.next_batch(&text());
    let windows = whole.ids.chunks(4).zip(whole.labels.chunks(4));
    let examples: Vec<data::Example> =
        windows.map(|(ids, labels)| data::Example::next_token(&[ids, &labels[3..]].concat())).collect();
    let batch = data::Batch::from_examples(&examples, 4);
    assert_eq!(batch.batch_size, 24);
    let tape = Workspace::new();
    let tape = Tape::no_grad(&trainer.params, &tape);
    let expected = trainer.model.loss(&tape, &batch, &DropoutSeeds::off()).item();
    drop(tape);
    let report = trainer.step(&text()).unwrap();
    assert!((report.loss - f64::from(expected)).abs() < 1e-6, "{} {expected}", report.loss);
    for iter in 2..=15 {
        assert_eq!(trainer.step(&text()).unwrap().tokens, 96 * iter);
    }
}

/// Parts with unequal numbers of tokens that count: their losses and gradients add up to those of the whole batch.
#[test]
fn unequal_parts_add_up_to_the_whole() {
    let (model, params) = model(&tiny());
    let batch = data::Batch {
        ids: text()[..96].to_vec(),
        labels: text()[1..97].to_vec(),
        // Row r counts at r + 1 of its places, with weights of its own.
        weights: (0..96).map(|i| if i % 16 <= i / 16 { 0.3 + (i % 5) as f32 } else { 0.0 }).collect(),
        batch_size: 6,
        block_size: 16,
        intervals: None,
    };
    let total = batch.total_weight() as f32;
    let gradient = |cuts: &[usize]| {
        let (workspace, mut grads, mut loss) = (Workspace::poisoned(), Grads::new(&params), 0.0);
        for rows in cuts.windows(2) {
            let tape = Tape::new(&params, &workspace);
            let part = batch.shard(rows[0]..rows[1]);
            let plain = tensor::kernels::cross_entropy::Regularizer::NONE;
            let part = model.loss_of_part(&tape, &part, total, &DropoutSeeds::off(), plain);
            part.backward(&mut grads);
            loss += f64::from(part.item());
        }
        let all: Vec<f32> = params.ids().flat_map(|id| grads.get(id).expect("reached").to_vec()).collect();
        (loss, all)
    };
    let (loss, whole) = gradient(&[0, 6]);
    let largest = whole.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
    for cuts in [&[0, 1, 2, 3, 4, 5, 6][..], &[0, 1, 6], &[0, 5, 6], &[0, 2, 4, 6]] {
        let (parts_loss, parts) = gradient(cuts);
        assert!((parts_loss - loss).abs() <= 1e-6 * loss, "{cuts:?}: {parts_loss} {loss}");
        let error = parts.iter().zip(&whole).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(error <= 1e-6 * largest, "{cuts:?}: {error:e} of {largest:e}");
    }
}

/// One mask for the embedding, and in each block one for the attention's weights and one for each way back to the
/// residual stream. The same seeds give the same loss; without recording, or with the seeds off, nothing is dropped.
#[test]
fn dropout_has_its_usual_places() {
    let mut config = tiny();
    config.model.dropout = 0.3;
    let (model, params) = model(&config);
    let batch = data::Batch {
        ids: text()[..96].to_vec(),
        labels: text()[1..97].to_vec(),
        weights: vec![1.0; 96],
        batch_size: 6,
        block_size: 16,
        intervals: None,
    };
    let workspace = Workspace::new();
    let loss = |seeds: &DropoutSeeds| model.loss(&Tape::new(&params, &workspace), &batch, seeds).item();
    let seeds = DropoutSeeds::new(1337, 3);
    let dropped = loss(&seeds);
    let next = DropoutSeeds::new(1337, 3);
    let drawn = (0..1 + 3 * config.model.n_layer).filter_map(|_| next.next()).count();
    assert_eq!((seeds.next(), drawn), (next.next(), 7));
    assert_eq!(loss(&DropoutSeeds::new(1337, 3)), dropped);
    assert_ne!(loss(&DropoutSeeds::new(1337, 4)), dropped);
    let plain = loss(&DropoutSeeds::off());
    let evaluated =
        model.loss(&Tape::no_grad(&params, &workspace), &batch, &DropoutSeeds::new(1337, 3)).item();
    assert!(plain != dropped && evaluated == plain, "{plain} {dropped} {evaluated}");
}
