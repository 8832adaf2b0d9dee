use super::*;
use crate::config::Preset;
use crate::files::faults::damage_everywhere;
use crate::files::store::{self, MANIFEST, names_in};
use crate::files::tensors::Tensor;
use crate::peft::Method;
use random::{Rng, Stream};
use std::fs;
use tempfile::tempdir;

/// The smallest GPT there is, with numbers in everything.
pub(crate) fn small_checkpoint(iter: u64) -> Checkpoint {
    let mut config = Preset::NanoCpu.config(2);
    (config.model.n_layer, config.model.n_head, config.model.n_embd, config.model.block_size) = (1, 1, 2, 2);
    let mut rng = Rng::new(iter, Stream::Init);
    let mut random = |shape: Vec<usize>| {
        let data = (0..shape.iter().product()).map(|_| rng.normal()).collect();
        Tensor { shape, data }
    };
    let model: Tensors =
        config.model.parameter_shapes().into_iter().map(|(n, shape)| (n, random(shape))).collect();
    let moment = |name: &str| (format!("m.{name}"), random(model[name].shape.clone()));
    Checkpoint {
        iter,
        optimizer: ["wte.weight", "ln_f.weight"].map(moment).into(),
        model,
        ema: Tensors::new(),
        optimizer_steps: iter,
        rng: [("data", Stream::Data), ("dropout", Stream::Dropout)]
            .map(|(purpose, stream)| (purpose.to_string(), Rng::new(u64::MAX, stream).state()))
            .into(),
        sampler: serde_json::json!({"cursor": 7, "epoch": u64::MAX, "share": 0.1 + 0.2}),
        best_val_loss: Some(1.0 / 3.0),
        evals_without_improvement: 2,
        losses: LossStatistics { count: iter, mean: 1.0 / 7.0, variance: 0.1 + 0.7 },
        config,
        method: Method::Full,
        tokenizer: "{\"chars\": \"ä\"}".into(),
        elapsed_s: 12.345_678_901_234_567,
        tokens: 768 * iter,
    }
}

#[test]
fn a_checkpoint_survives_to_the_last_bit() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("step-5");
    let mut checkpoint = small_checkpoint(5);
    // The numbers that text formats lose: the smallest, the largest, -0.
    checkpoint.model.get_mut("ln_f.weight").unwrap().data = vec![f32::from_bits(1), f32::MAX];
    checkpoint.optimizer.get_mut("m.ln_f.weight").unwrap().data = vec![-0.0, f32::MIN_POSITIVE];
    for best in [Some(0.1 + 0.2), None] {
        checkpoint.best_val_loss = best;
        checkpoint.write(&path).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read, checkpoint);
        assert!(read.optimizer["m.ln_f.weight"].data[0].is_sign_negative());
    }
    let names = names_in(&path).unwrap();
    assert_eq!(names, [CONFIG, MANIFEST, MODEL, OPTIMIZER, STATE, TOKENIZER]);
    let first = fs::read(path.join(MANIFEST)).unwrap();
    checkpoint.write(&path).unwrap();
    assert_eq!(fs::read(path.join(MANIFEST)).unwrap(), first, "the same checkpoint must give the same bytes");
}

/// With an average there is one more file, which must be there, and may not be there without.
#[test]
fn an_average_is_saved_where_there_is_one() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("c");
    let mut checkpoint = small_checkpoint(3);
    checkpoint.config.train.ema = 0.9;
    checkpoint.ema = small_checkpoint(4).model;
    checkpoint.write(&path).unwrap();
    assert_eq!(names_in(&path).unwrap(), [CONFIG, EMA, MANIFEST, MODEL, OPTIMIZER, STATE, TOKENIZER]);
    assert_eq!(Checkpoint::read(&path).unwrap(), checkpoint);
    for (ema, average) in [(0.9, Tensors::new()), (0.0, checkpoint.ema.clone())] {
        checkpoint.config.train.ema = ema;
        let wrong = Checkpoint { ema: average, ..checkpoint.clone() };
        wrong.write(&path).unwrap();
        let message = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(message.contains(EMA), "{message}");
    }
    // Written over, the file goes.
    small_checkpoint(3).write(&path).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap(), small_checkpoint(3));
}

#[test]
fn an_optimizer_without_state_is_saved_too() {
    let dir = tempdir().unwrap();
    let checkpoint = Checkpoint { optimizer: Tensors::new(), ..small_checkpoint(0) };
    checkpoint.write(&dir.path().join("c")).unwrap();
    assert_eq!(Checkpoint::read(&dir.path().join("c")).unwrap(), checkpoint);
}

#[test]
fn what_is_not_finite_is_never_written() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("step-1");
    let good = small_checkpoint(1);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut checkpoint = good.clone();
        checkpoint.model.get_mut("wpe.weight").unwrap().data[3] = bad;
        let message = checkpoint.write(&path).unwrap_err().to_string();
        assert!(message.contains("model.safetensors") && message.contains("\"wpe.weight\""), "{message}");
        assert!(message.contains("index 3"), "{message}");
        let mut checkpoint = good.clone();
        checkpoint.optimizer.get_mut("m.wte.weight").unwrap().data[0] = bad;
        assert!(checkpoint.write(&path).unwrap_err().to_string().contains("optimizer.safetensors"));
        let checkpoint = Checkpoint { best_val_loss: Some(f64::from(bad)), ..good.clone() };
        assert!(checkpoint.write(&path).unwrap_err().to_string().contains("best_val_loss"));
    }
    assert!(names_in(dir.path()).unwrap().is_empty(), "nothing may be written");
}

#[test]
fn every_truncation_and_every_flipped_bit_is_found_and_named() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("step-1");
    small_checkpoint(1).write(&path).unwrap();
    let mut changes = 0;
    for name in names_in(&path).unwrap() {
        damage_everywhere(&path.join(&name), |what| {
            let message = Checkpoint::read(&path).expect_err(what).to_string();
            assert!(name == MANIFEST || message.contains(&name), "{name} {what}: {message}");
            changes += 1;
        });
    }
    Checkpoint::read(&path).unwrap();
    assert!(changes > 20_000, "only {changes} changes");
}

/// Rewrites files of a checkpoint, with a manifest that is right: what a hostile author could do.
fn forge(path: &Path, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> String {
    let mut files = store::read_dir(path).unwrap();
    let original = files.clone();
    change(&mut files);
    let write = |files: &BTreeMap<String, Vec<u8>>| {
        let _ = fs::remove_dir_all(path);
        let all: Vec<(&str, &[u8])> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        store::write_dir(path, &all).unwrap();
    };
    write(&files);
    let message = Checkpoint::read(path).unwrap_err().to_string();
    write(&original);
    message
}

#[test]
fn forged_checkpoints_are_refused() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("step-1");
    small_checkpoint(1).write(&path).unwrap();
    let text = |files: &mut BTreeMap<String, Vec<u8>>, name: &str, from: &str, to: &str| {
        let old = String::from_utf8(files[name].clone()).unwrap();
        assert!(old.contains(from), "{old}");
        files.insert(name.into(), old.replacen(from, to, 1).into_bytes());
    };
    for (name, from, to, expected) in [
        (CONFIG, "\"n_layer\": 1", "\"n_layer\": 2", "h.1.ln_1.weight [2] is missing"),
        (CONFIG, "\"n_layer\": 1", "\"n_layer\": 4000000000", "n_layer is 4000000000"),
        (CONFIG, "\"n_embd\": 2", "\"n_embd\": 4", "wte.weight is [2, 2], expected [2, 4]"),
        (CONFIG, "\"n_layer\"", "\"n_layer\": 1, \"n_layer\"", "occurs twice"),
        (CONFIG, "\"dropout\": 0.0", "\"dropout\": 2.0", "dropout is 2"),
        (STATE, "\"version\": 1", "\"version\": 9", "expected version 1, found 9"),
        (STATE, "\"iter\": 1", "\"iter\": -1", "state.json"),
        (STATE, "\"iter\": 1", "\"iter\": 1, \"more\": 2", "unknown field `more`"),
        (STATE, "\"data\"", "\"dropout\"", "occurs twice"),
        (STATE, "\"elapsed_s\": 12", "\"elapsed_s\": 1e999, \"x\": 12", "out of range"),
    ] {
        let message = forge(&path, |files| text(files, name, from, to));
        assert!(message.contains(name) || message.contains(MODEL), "{message}");
        assert!(message.contains(expected), "{to}: {message}");
    }
    for name in [CONFIG, STATE, MODEL, OPTIMIZER, TOKENIZER] {
        let message = forge(&path, |files| drop(files.remove(name)));
        assert!(message.contains(name) && message.contains("not a checkpoint"), "{message}");
    }
    let message = forge(&path, |files| drop(files.insert("run.sh".into(), vec![])));
    assert!(message.contains("run.sh"), "{message}");
    let message = forge(&path, |files| drop(files.insert(TOKENIZER.into(), vec![0xff])));
    assert!(message.contains("not UTF-8"), "{message}");
    let message = forge(&path, |files| drop(files.insert(STATE.into(), vec![b'['; 100_000])));
    assert!(message.contains("state.json"), "{message}");
    Checkpoint::read(&path).unwrap();
}
