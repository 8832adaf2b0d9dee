//! Directories of a GPT-2 that are not quite what [`super::gpt2_dir`] reads: weights of 16 bits, the head of a classifier, more
//! rows than tokens, and adapters that hold more than changes of a language model.

use crate::gpt2_dir::{IDS, copied, fixture, logits_of, tokenizer};
use data::Tokenizer;
use gpt::config::GptConfig;
use gpt::files::tensors::from_params;
use gpt::formats::{FORMATS, GPT2};
use gpt::generate::{Beam, Never, Sampler, Temperature};
use gpt::peft::load_adapter;
use gpt::tune::grown;
use gpt::{Generator, Model, ModelCard, spare_tokens};
use random::{Rng, Stream};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A tensor in the bytes of its file.
type Raw = (Dtype, Vec<usize>, Vec<u8>);

/// Changes `config.json`.
fn configure(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("config.json");
    let mut config = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

/// Writes the weights again, each tensor as `change` says, and more of them.
fn rewrite(
    folder: &Path,
    mut change: impl FnMut(&str, Vec<usize>, &[u8]) -> Raw,
    more: &[(&str, Vec<usize>)],
) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<(String, Raw)> = Vec::new();
    for (name, view) in file.tensors() {
        let tensor = match view.dtype() {
            Dtype::F32 => change(&name, view.shape().to_vec(), view.data()),
            other => (other, view.shape().to_vec(), view.data().to_vec()),
        };
        all.push((name, tensor));
    }
    for (name, shape) in more {
        all.push((
            name.to_string(),
            (Dtype::F32, shape.clone(), vec![0; 4 * shape.iter().product::<usize>()]),
        ));
    }
    let views = all.iter().map(|(name, (dtype, shape, data))| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    fs::write(path, serialize(views, None).unwrap()).unwrap();
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))
}

/// Weights of 16 bits are those numbers as f32, to the bit, and it is said that they were widened (rust-bert
/// 392).
#[test]
fn weights_of_16_bits_are_widened() {
    let bf16 = |x: f32| (x.to_bits() >> 16) as u16;
    for (dtype, name) in [(Dtype::BF16, "BF16"), (Dtype::F16, "F16")] {
        // Numbers that both types have: with 8 bits of mantissa, and neither small nor large.
        let short = |x: f32| f32::from_bits(u32::from(bf16(x)) << 16);
        let of_16 = |x: f32| match dtype {
            Dtype::BF16 => bf16(x),
            _ if x == 0.0 => 0,
            _ => {
                let (sign, exponent) = (x.to_bits() >> 31, (x.to_bits() >> 23 & 0xFF) as i32 - 127 + 15);
                assert!((1..31).contains(&exponent), "{x}");
                (sign << 15 | (exponent as u32) << 10 | (x.to_bits() >> 13 & 0x3FF)) as u16
            }
        };
        let rounded = |x: f32| if x.abs() < 1e-3 { 0.0 } else { short(x) };
        let [wide, narrow] = [copied("tied"), copied("tied")];
        let keep = |data: &[u8]| floats(data).flat_map(|x| rounded(x).to_le_bytes()).collect();
        rewrite(wide.path(), |_, shape, data| (Dtype::F32, shape, keep(data)), &[]);
        let halve = |data: &[u8]| floats(data).flat_map(|x| of_16(rounded(x)).to_le_bytes()).collect();
        rewrite(narrow.path(), |_, shape, data| (dtype, shape, halve(data)), &[]);
        let [wide, narrow] = [wide, narrow].map(|folder| Model::load(folder.path()).unwrap());
        assert_eq!(from_params(&narrow.params), from_params(&wide.params), "{name}");
        assert_eq!((wide.notes.len(), narrow.notes.len()), (0, 1), "{:?}", narrow.notes);
        assert!(narrow.notes[0].contains(&format!("of the type {name}: widened")), "{:?}", narrow.notes);
        let numbers = from_params(&narrow.params);
        assert!(numbers["h.0.attn.c_attn.weight"].data.iter().filter(|x| **x != 0.0).count() > 100);
    }
    // What is not exact is not done; what is not finite is found.
    let folder = copied("tied");
    let doubled = |data: &[u8]| floats(data).flat_map(|x| f64::from(x).to_le_bytes()).collect();
    rewrite(folder.path(), |_, shape, data| (Dtype::F64, shape, doubled(data)), &[]);
    let error = Model::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has type F64: expected F32") && error.contains("model.float()"), "{error}");
    let folder = copied("tied");
    let infinite = |data: &[u8]| vec![0x7C00_u16.to_le_bytes(); data.len() / 4].concat();
    rewrite(folder.path(), |_, shape, data| (Dtype::F16, shape, infinite(data)), &[]);
    assert!(Model::load(folder.path()).unwrap_err().to_string().contains("has the value inf"));
}

/// A classifier of transformers is a language model without its head (autotrain-advanced 302).
#[test]
fn the_head_of_a_classifier_is_left_out() {
    let whole = Model::load(copied("tied").path()).unwrap();
    for (class, head) in [
        ("GPT2ForSequenceClassification", vec![("score.weight", vec![2, 12])]),
        (
            "GPT2ForTokenClassification",
            vec![("classifier.weight", vec![3, 12]), ("classifier.bias", vec![3])],
        ),
        ("GPT2ForQuestionAnswering", vec![("qa_outputs.weight", vec![2, 12]), ("qa_outputs.bias", vec![2])]),
    ] {
        let folder = copied("tied");
        rewrite(folder.path(), |_, shape, data| (Dtype::F32, shape, data.to_vec()), &head);
        let error = Model::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("{} {:?} is not expected", head[0].0, head[0].1)), "{error}");
        configure(folder.path(), |config| config["architectures"] = json!([class]));
        let model = Model::load(folder.path()).unwrap();
        assert_eq!(from_params(&model.params), from_params(&whole.params), "{class}");
        assert_eq!(model.notes.len(), 1, "{:?}", model.notes);
        assert!(model.notes[0].contains(class) && model.notes[0].contains(head[0].0), "{:?}", model.notes);
    }
    // Nothing else is left out.
    let folder = copied("tied");
    configure(folder.path(), |config| config["architectures"] = json!(["GPT2ForSequenceClassification"]));
    rewrite(folder.path(), |_, shape, data| (Dtype::F32, shape, data.to_vec()), &[("more.weight", vec![1])]);
    let error = Model::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("more.weight [1] is not expected"), "{error}");
}

/// The vectors of tokens that the tokenizer lacks (gpt-j-6b 3, nanoGPT 121): those of a model padded to a multiple of 16, made as large as makes them
/// the likeliest of all.
fn padded() -> Model {
    let folder = copied("tied");
    configure(folder.path(), |config| config["vocab_size"] = 16.into());
    let longer = |name: &str, mut shape: Vec<usize>, data: &[u8]| {
        let mut data = data.to_vec();
        if name == "wte.weight" || name == "lm_head.weight" {
            let first: Vec<f32> = floats(data.get(..48).unwrap()).collect();
            (shape[0]..16).for_each(|_| data.extend(first.iter().flat_map(|x| (40.0 * x).to_le_bytes())));
            shape[0] = 16;
        }
        (Dtype::F32, shape, data)
    };
    rewrite(folder.path(), longer, &[]);
    Model::load(folder.path()).unwrap()
}

#[test]
fn spare_rows_are_loaded_and_never_generated() {
    let (plain, model) = (Model::load(copied("tied").path()).unwrap(), padded());
    assert_eq!((model.gpt.config.vocab_size, model.tokenizer.vocab_size()), (16, 11));
    assert_eq!(model.notes.len(), 1);
    assert!(model.notes[0].contains("16 rows for the 11 tokens"), "{:?}", model.notes);
    assert_eq!(spare_tokens(&model.gpt.config, &model.tokenizer), 11..16);
    assert_eq!(model.never_generated(), [11, 12, 13, 14, 15]);
    assert!(plain.never_generated().is_empty());

    // They are part of the logits, as where the model was made; the logits of the others are the same.
    let (ours, theirs) = (logits_of(&model), logits_of(&plain));
    for (row, expected) in ours.chunks(16).zip(theirs.chunks(11)) {
        assert_eq!(&row[..11], expected);
    }
    let first = |never: Vec<u32>, seed: u64| -> Vec<u32> {
        let sampler = Sampler::default().with(Temperature(2.0)).with(Never(never));
        let rng = Rng::new(seed, Stream::Sampling);
        Generator::new(&model.gpt, &model.params, &IDS[..3], sampler, rng).take(20).collect()
    };
    assert!((0..20).any(|seed| first(vec![], seed).iter().any(|&id| id >= 11)), "they would be likely");
    for seed in 0..20 {
        model.tokenizer.decode(&first(model.never_generated(), seed)).unwrap();
    }

    // Each format writes what it reads again.
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let out = folder.path().join(format.name);
        model.save(&out, format, &ModelCard::default()).unwrap();
        let again = Model::load(&out).unwrap();
        assert_eq!((&again.gpt.config, &again.tokenizer), (&model.gpt.config, &model.tokenizer));
        assert_eq!(from_params(&again.params), from_params(&model.params));
    }
    // New special tokens take spare rows first.
    let rng = || Rng::new(1, Stream::Init);
    let (same, params) = grown(&model.gpt, &model.params, 13, &mut rng());
    assert_eq!((same.config.vocab_size, from_params(&params)), (16, from_params(&model.params)));
    assert_eq!(grown(&model.gpt, &model.params, 17, &mut rng()).0.config.vocab_size, 17);
}

/// A dialogue and an answer do not hold them either.
#[test]
fn spare_rows_are_in_no_answer() {
    use data::chat::{ChatTemplate, Message, Role};
    use data::seq2seq::PairTemplate;
    use gpt::generate::Session;
    use gpt::tune::{Answerer, Room};
    let model = padded();
    let chat = tokenizer().with_specials(&ChatTemplate::specials()).unwrap();
    assert!(chat.vocab_size() < 16, "{}", chat.vocab_size());
    let (sampler, rng) = (Sampler::default().with(Temperature(2.0)), Rng::new(1, Stream::Sampling));
    let gpt = (&model.gpt, &model.params);
    let mut session = Session::new(gpt, &chat, 4, sampler.clone(), rng).unwrap();
    for _ in 0..8 {
        session.messages = vec![Message { role: Role::User, content: "a".into() }];
        session.reply::<data::DataError>(|_| Ok(())).unwrap();
    }
    let pairs = tokenizer().with_specials(&PairTemplate::specials()).unwrap();
    let template = PairTemplate::new(&pairs).unwrap();
    let answerer = Answerer::new(gpt, &pairs, template, Room { reserved: 4, max: 4 });
    for seed in 0..8 {
        let ids = answerer.draw(&[1, 2], sampler.clone(), Rng::new(seed, Stream::Sampling));
        assert!(ids.iter().all(|&id| (id as usize) < pairs.vocab_size()), "{ids:?}");
    }
    let ids = answerer.best(&[1, 2], &Beam::default());
    assert!(ids.iter().all(|&id| (id as usize) < pairs.vocab_size()), "{ids:?}");
}

/// More tokens than rows are refused, with the true reason.
#[test]
fn tokens_without_weights_are_refused() {
    let folder = copied("tied");
    let larger: Tokenizer = tokenizer().with_specials(&["<pad>"]).unwrap();
    fs::write(folder.path().join("tokenizer.json"), larger.to_json()).unwrap();
    let error = Model::load(folder.path()).unwrap_err().to_string();
    for words in ["12 tokens", "weights for 11", "the last 1 have none", "resize_token_embeddings"] {
        assert!(error.contains(words), "{error}");
    }
}

/// What is wrong with a tokenizer of another family is said as it is.
#[test]
fn a_tokenizer_of_another_family_is_named() {
    let folder = copied("tied");
    let path = folder.path().join("tokenizer.json");
    let file = fs::read_to_string(&path).unwrap().replace("\"WordLevel\"", "\"WordPiece\"");
    fs::write(&path, file).unwrap();
    let error = Model::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("its model is \"WordPiece\", not GPT-2's BPE; newleaf reads models"), "{error}");
    assert!(!error.contains("copy") && !error.contains("saved with"), "{error}");
}

/// peft 2422.
#[test]
fn adapters_of_other_tasks_are_refused_by_name() {
    let refusal = |change: &dyn Fn(&mut Value)| {
        let folder = tempfile::tempdir().unwrap();
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            fs::copy(fixture("lora-names").join(file), folder.path().join(file)).unwrap();
        }
        let path = folder.path().join("adapter_config.json");
        let mut config = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut config);
        fs::write(path, config.to_string()).unwrap();
        load_adapter(folder.path()).map(|adapter| adapter.method).unwrap_err().to_string()
    };
    let classifier = refusal(&|config| {
        config["task_type"] = "SEQ_CLS".into();
        config["modules_to_save"] = json!(["classifier", "score"]);
    });
    assert!(
        classifier.contains("task_type SEQ_CLS: an adapter of another task with classifier, score"),
        "{classifier}"
    );
    let head = refusal(&|config| config["modules_to_save"] = json!(["lm_head"]));
    assert!(head.contains("modules_to_save: lm_head"), "{head}");
    let uneven = refusal(&|config| {
        config["target_modules"] = json!(["transformer.h.0.mlp.c_fc", "transformer.h.1.attn.c_attn"]);
    });
    assert!(uneven.contains("the layers 0 and 1 have others"), "{uneven}");
    let unknown = refusal(&|config| config["target_modules"] = json!(["transformer.h.0.ln_1"]));
    assert!(unknown.contains("\"ln_1\" is no linear layer"), "{unknown}");
}

/// (IA)^3 with factors of queries is that of keys where nothing comes between a query and a key.
#[test]
fn factors_of_queries_need_a_gpt2() {
    let adapter = load_adapter(&fixture("ia3-queries")).unwrap();
    let config =
        GptConfig { qk_norm: true, bias: true, ..Model::load(copied("tied").path()).unwrap().gpt.config };
    let mut params = tensor::Params::new();
    let mut model = gpt::Gpt::new(&config, &mut params, &mut Rng::new(1, Stream::Init));
    let error = adapter.put_on(&mut model, &mut params).unwrap_err().to_string();
    assert!(error.contains("scales queries, which is known here for a GPT-2 alone"), "{error}");
    assert!(GPT2.obstacles(&config).iter().any(|(name, _)| *name == "qk_norm"));
}
