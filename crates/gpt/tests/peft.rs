//! Fine-tuning with few parameters: how many are trained, that nothing changes at the beginning and nothing old ever, that
//! gradients are right, and that merging changes nothing.

use data::Batch;
use gpt::config::{Activation, Config, GptConfig, Norm, Position, Preset};
use gpt::peft::Method;
use gpt::{Decoder, Gpt};
use nn::optim::{AdamW, AdamWConfig, Optimizer};
use random::{Rng, Stream};
use tensor::{Grads, Params, Tape, Workspace, gradcheck};

const VOCAB: usize = 13;

/// All methods; those of the first list begin without any change.
const EXACT: &[&str] = &[
    "full",
    "head",
    "lora:r=3,alpha=5,targets=qv",
    "lora:targets=all",
    "lora:r=2,targets=kof",
    "ia3",
    "bitfit",
    "adapter:width=5",
];
const OTHERS: &[&str] = &["prefix:tokens=3", "prompt:tokens=2"];

pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    EXACT.iter().chain(OTHERS).copied()
}

/// Small models that differ in everything that a method meets.
pub(crate) fn configs() -> Vec<GptConfig> {
    let small = GptConfig {
        n_layer: 2,
        n_head: 2,
        n_embd: 8,
        block_size: 10,
        vocab_size: VOCAB,
        ..Preset::NanoCpu.config(VOCAB).model
    };
    vec![
        GptConfig { bias: true, ..small.clone() },
        GptConfig {
            activation: Activation::Swiglu,
            norm: Norm::RmsNorm,
            position: Position::Rope,
            n_head: 4,
            n_kv_head: Some(2),
            qk_norm: true,
            value_residual: true,
            embedding_skip: true,
            soft_cap: 15.0,
            tied: false,
            ngram: 2,
            ngram_rows: 9,
            ..small
        },
    ]
}

fn ids() -> Vec<u32> {
    let mut rng = Rng::new(5, Stream::Other(0));
    (0..12).map(|_| rng.below(VOCAB as u64) as u32).collect()
}

/// Two texts of six tokens.
fn batch() -> Batch {
    let ids = ids();
    let labels = ids.iter().map(|id| (id + 1) % VOCAB as u32).collect();
    let weights = (0..12).map(|i| 0.25 * (i % 4) as f32).collect();
    Batch { ids, labels, weights, batch_size: 2, block_size: 6, intervals: None }
}

/// A model whose parameters are all somewhere: nothing is zero that could hide a mistake.
fn base(config: &GptConfig) -> (Gpt, Params) {
    let (mut params, mut rng) = (Params::new(), Rng::new(7, Stream::Init));
    let model = Gpt::new(config, &mut params, &mut rng);
    scatter(&mut params, &mut rng, |_| true);
    (model, params)
}

/// Adds random numbers to trainable parameters that are so.
pub(crate) fn scatter(params: &mut Params, rng: &mut Rng, which: impl Fn(&str) -> bool) {
    for id in params.ids().collect::<Vec<_>>() {
        if params.is_trainable(id) && which(params.name(id)) {
            params.data_mut(id).iter_mut().for_each(|x| *x += 0.2 * rng.normal());
        }
    }
}

pub(crate) fn tuned(config: &GptConfig, method: &str) -> (Gpt, Params) {
    let (mut model, mut params) = base(config);
    let method: Method = method.parse().unwrap();
    model.tune(&method, &mut params, &mut Rng::new(8, Stream::Init)).unwrap();
    (model, params)
}

fn logits(model: &Gpt, params: &Params) -> Vec<f32> {
    let workspace = Workspace::new();
    let tape = Tape::no_grad(params, &workspace);
    let logits = model.logits(&ids(), &mut model.causal(&tape, [2, 6]));
    logits.value().iter().copied().collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Every parameter of the base, by name.
fn base_bits(config: &GptConfig, params: &Params) -> Vec<(String, Vec<u32>)> {
    let shapes = config.parameter_shapes().into_iter();
    shapes.map(|(name, _)| (name.clone(), bits(params.data(params.id(&name).unwrap())))).collect()
}

/// The published counts, for 6 layers of width 192 with 512 hidden features and no biases.
#[test]
fn as_many_are_trained_as_the_papers_say() {
    let config = GptConfig {
        n_layer: 6,
        n_head: 6,
        n_embd: 192,
        block_size: 64,
        vocab_size: 65,
        activation: Activation::Swiglu,
        ..Preset::NanoCpu.config(65).model
    };
    let counts = [
        ("lora:r=4,targets=qv", 18_432),
        ("ia3", 5_376),
        ("prefix:tokens=16", 36_864),
        ("prompt:tokens=16", 3_072),
        ("adapter:width=16", 76_224),
        ("bitfit", 11_904),
        ("head", 0),
        ("full", config.count_parameters() as usize),
    ];
    for (method, expected) in counts {
        let (_, params) = tuned(&config, method);
        let trained = params.ids().filter(|&id| params.is_trainable(id));
        let found: usize = trained.map(|id| params.shape(id).elements()).sum();
        assert_eq!(found, expected, "{method}");
    }
}

#[test]
fn nothing_changes_at_the_beginning() {
    for config in configs() {
        let (model, params) = base(&config);
        let expected = logits(&model, &params);
        for method in EXACT {
            let (model, params) = tuned(&config, method);
            assert_eq!(logits(&model, &params), expected, "{method}");
        }
        // These add something to see, even if it says little.
        for method in OTHERS {
            let (model, params) = tuned(&config, method);
            assert_ne!(logits(&model, &params), expected, "{method}");
        }
    }
}

/// After some updates the base has the same bits, and all that is trained has moved.
#[test]
fn what_is_frozen_stays() {
    for config in configs() {
        for method in all().filter(|method| !matches!(*method, "full" | "head")) {
            let (model, mut params) = tuned(&config, method);
            let frozen = |params: &Params| -> Vec<Vec<u32>> {
                params.ids().filter(|&id| !params.is_trainable(id)).map(|id| bits(params.data(id))).collect()
            };
            let before = frozen(&params);
            let trained: Vec<_> = params.ids().filter(|&id| params.is_trainable(id)).collect();
            let start: Vec<Vec<f32>> = trained.iter().map(|&id| params.data(id).to_vec()).collect();
            let (workspace, mut grads) = (Workspace::new(), Grads::new(&params));
            let mut optimizer = AdamW::new(&params, AdamWConfig::default());
            let mut losses = Vec::new();
            for _ in 0..30 {
                let tape = Tape::new(&params, &workspace);
                let loss = model.loss(&tape, &batch());
                losses.push(loss.item());
                grads.clear();
                loss.backward(&mut grads);
                drop(tape);
                optimizer.step(&mut params, &grads, 0.02).unwrap();
            }
            assert_eq!(frozen(&params), before, "{method}");
            assert!(losses[29] < losses[0], "{method}: {losses:?}");
            for (id, start) in trained.iter().zip(&start) {
                assert_ne!(params.data(*id), start, "{method}: {}", params.name(*id));
            }
        }
    }
}

#[test]
fn gradients_are_right() {
    for config in configs() {
        for method in all().filter(|method| *method != "head") {
            let (model, mut params) = tuned(&config, method);
            scatter(&mut params, &mut Rng::new(9, Stream::Init), |_| true);
            let (workspace, mut grads) = (Workspace::poisoned(), Grads::new(&params));
            let tape = Tape::new(&params, &workspace);
            let loss = model.loss(&tape, &batch());
            loss.backward(&mut grads);
            assert!(grads.unreached(&params).is_empty(), "{method}");
            if let Err(mismatch) = gradcheck::check_graph(loss, &params, &grads, 1) {
                panic!("{method}: {mismatch}");
            }
        }
    }
}

/// A merged model computes the same bits, is plain, and writes.
#[test]
fn merging_changes_nothing() {
    for config in configs() {
        for method in EXACT.iter().filter(|method| !method.starts_with("adapter")) {
            let (mut model, mut params) = tuned(&config, method);
            scatter(&mut params, &mut Rng::new(9, Stream::Init), |_| true);
            let expected = logits(&model, &params);
            model.merge(&mut params);
            assert!(model.is_plain());
            assert_eq!(bits(&logits(&model, &params)), bits(&expected), "{method}");
            let mut decoder = Decoder::new(&model, &params);
            let last = ids()[..6].iter().fold(Vec::new(), |_, &id| decoder.push(id).to_vec());
            for (ours, theirs) in last.iter().zip(&expected[5 * VOCAB..6 * VOCAB]) {
                assert!((ours - theirs).abs() <= 1e-4 * theirs.abs().max(1.0), "{method}: {ours} {theirs}");
            }
        }
        for method in OTHERS.iter().chain(&["adapter"]) {
            assert!(!tuned(&config, method).0.is_mergeable(), "{method}");
        }
    }
}

/// The base comes back when what was trained is taken away.
#[test]
fn the_base_has_its_own_names() {
    for config in configs() {
        let (_, params) = base(&config);
        let expected = base_bits(&config, &params);
        for method in all() {
            let (_, params) = tuned(&config, method);
            assert_eq!(base_bits(&config, &params), expected, "{method}");
        }
    }
}

#[test]
fn methods_are_read_and_refused() {
    for text in ["full", "head", "lora:r=8,alpha=16,targets=qv", "ia3", "prefix:tokens=16", "adapter:width=4"]
    {
        assert_eq!(text.parse::<Method>().unwrap().to_string(), text);
    }
    assert_eq!("lora".parse::<Method>().unwrap().to_string(), "lora:r=8,alpha=16,targets=qv");
    let message = |text: &str| text.parse::<Method>().unwrap_err().to_string();
    for (text, words) in [
        ("lara", "there is no method \"lara\": full, head, lora"),
        ("lora:r=0", "lora r: expected a number from 1 to 4096, found \"0\""),
        ("lora:r", "NAME=VALUE"),
        ("lora:alpha=-1", "above 0"),
        ("lora:alpha=nan", "above 0"),
        ("lora:targets=x", "letters of qkvofp"),
        ("lora:targets=", "letters of qkvofp"),
        ("lora:r=4,r=5", "once"),
        ("ia3:r=4", "a setting that it has"),
    ] {
        assert!(message(text).contains(words), "{text}: {}", message(text));
    }
    let mut windowed: Config = Preset::NanoCpu.config(VOCAB);
    windowed.model.window = Some(8);
    let (mut model, mut params) = base(&windowed.model);
    let count = params.len();
    for method in OTHERS {
        let method: Method = method.parse().unwrap();
        let error = model.tune(&method, &mut params, &mut Rng::new(1, Stream::Init)).unwrap_err().to_string();
        assert!(error.contains("window") && error.contains("lora"), "{error}");
        assert!(params.len() == count && model.is_plain());
    }
}
