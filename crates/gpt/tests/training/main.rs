//! What a training promises: the same bits when it is resumed and on any number of threads, no allocation
//! after the first steps, no update from a number that is not finite, and gradients that are right.

use gpt::config::{Activation, Config, Norm, Preset};
use gpt::train::Checkpoint;
use gpt::train::{TrainError, Trainer, evaluate};
use gpt::{Decoder, Gpt, Int8Weights};
use nn::DropoutSeeds;
use random::{Rng, Stream};
use sha2::{Digest, Sha256};
use tensor::kernels::int8::Int8Matrix;
use tensor::{Grads, Params, Tape, Workspace, gradcheck};

mod going_on;
mod stopping;
mod updates;
mod variants;

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
        let mut whole = Trainer::new(&config, &text()[..]).unwrap();
        advance(&mut whole, 40);
        let expected = digest(&whole);

        let mut rng = Rng::new(1, Stream::Other(1));
        for _ in 0..20 {
            let at = 1 + rng.below(39);
            let mut before = Trainer::new(&config, &text()[..]).unwrap();
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
            let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
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
    let mut seen = Vec::new();
    for (optimizer, lanes) in [("adamw", "2"), ("muon", "2"), ("adamw", "1"), ("adamw", "3")] {
        config.set("optimizer", optimizer).unwrap();
        config.set("lanes", lanes).unwrap();
        config.set("micro_batch", "2").unwrap(); // four of them
        let digests = [1, 2, 3, 4].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
                advance(&mut trainer, 5);
                digest(&trainer)
            })
        });
        assert!(digests.iter().all(|d| *d == digests[0]), "{optimizer}, {lanes} lanes: {digests:?}");
        assert!(!seen.contains(&digests[0]), "lanes are an order of additions");
        seen.push(digests[0].clone());
    }
}

#[test]
fn after_the_first_step_nothing_is_allocated() {
    let mut trainer = Trainer::new(&tiny(), &text()[..]).unwrap();
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
        let mut trainer = Trainer::new(&tiny(), &text()[..]).unwrap();
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
        let mut trainer = Trainer::new(&config, &text()[..2000]).unwrap();
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
        let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
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
        let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
        advance(&mut trainer, 3);
        digest(&trainer)
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_model_of_nothing_but_noise_knows_nothing() {
    let config = tiny();
    let mut params = Params::new();
    let model = Gpt::new(&config.model, &mut params, &mut Rng::new(1, Stream::Init));
    let loss = gpt::train::evaluate(&model, &params, &text(), 0).unwrap();
    assert!((loss - (VOCAB as f64).ln()).abs() < 0.02, "{loss}");
}
