//! What an update is made of: regularizers, Muon, the average, the guard, short windows, dropout.

use super::variants::model;
use super::*;

/// Label smoothing and z-loss change what is trained, but not how a model is measured.
#[test]
fn regularizers_are_for_training_only() {
    let first_loss = |settings: [(&str, &str); 2]| {
        let mut config = tiny();
        settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
        let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
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
        let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
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
        Trainer::new(&config, &text()[..]).unwrap()
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
    let mut whole = Trainer::new(&config, &usual[..]).unwrap();
    let mut at = std::collections::BTreeMap::new();
    for iter in 1..=100 {
        let (before, tokens) = (digest(&whole), whole.tokens);
        let report = step(&mut whole);
        assert_eq!(report.skipped.is_some(), iter == 81, "{report:?}");
        assert_eq!(digest(&whole) == before, iter == 81);
        assert!(report.skipped.is_none_or(|limit| limit < report.loss));
        assert_eq!((report.iter, report.tokens), (iter, tokens + 96), "time goes on");
        if [30, 79, 80, 81, 90].contains(&iter) {
            at.insert(iter, whole.checkpoint("{}").copied());
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
    let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
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
    let mut trainer = Trainer::new(&config, &text()[..]).unwrap();
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
    let expected = trainer.model.loss(&tape, &batch).item();
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
        // Row r counts at r + 1 of its places, with weights of its own, and the last at none.
        weights: (0..96)
            .map(|i| if i < 80 && i % 16 <= i / 16 { 0.3 + (i % 5) as f32 } else { 0.0 })
            .collect(),
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
            let part = model.loss_of_part(&tape, &part, total, plain);
            part.backward(&mut grads);
            loss += f64::from(part.item());
        }
        let all: Vec<f32> = params.ids().flat_map(|id| grads.get(id).expect("reached").to_vec()).collect();
        (loss, all)
    };
    let (loss, whole) = gradient(&[0, 6]);
    let largest = whole.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
    // The last row counts nowhere: a part of nothing adds nothing.
    for cuts in [&[0, 1, 2, 3, 4, 5, 6][..], &[0, 1, 6], &[0, 5, 6], &[0, 2, 4, 6]] {
        let (parts_loss, parts) = gradient(cuts);
        assert!((parts_loss - loss).abs() <= 1e-6 * loss, "{cuts:?}: {parts_loss} {loss}");
        let error = parts.iter().zip(&whole).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(error <= 1e-6 * largest, "{cuts:?}: {error:e} of {largest:e}");
    }
    // Where nothing counts no logits are computed: the same as with all of them.
    let (workspace, mut grads) = (Workspace::poisoned(), Grads::new(&params));
    let tape = Tape::new(&params, &workspace);
    let logits = model.logits(&batch.ids, &mut model.causal(&tape, [6, 16])).reshape([96, VOCAB]);
    let direct = logits.cross_entropy(&batch.labels, &batch.weights, total);
    assert!((f64::from(direct.item()) - loss).abs() <= 1e-6 * loss, "{} {loss}", direct.item());
    direct.backward(&mut grads);
    let all = params.ids().flat_map(|id| grads.get(id).expect("reached").to_vec());
    let error = all.zip(&whole).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(error <= 1e-6 * largest, "{error:e} of {largest:e}");
}

/// One mask for the embedding, and in each block one for the attention's weights and one for each way back to the
/// residual stream. The same seeds give the same loss; without recording, or without seeds, nothing is dropped.
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
    let tape = |pass| Tape::new(&params, &workspace).with_dropout(DropoutSeeds::new(1337, pass));
    let loss = |tape: &Tape<'_>| model.loss(tape, &batch).item();
    let drawing = tape(3);
    let dropped = loss(&drawing);
    let next = DropoutSeeds::new(1337, 3);
    (0..1 + 3 * config.model.n_layer).for_each(|_| _ = next.next());
    assert_eq!(drawing.next_dropout_seed(), Some(next.next()));
    assert_eq!(loss(&tape(3)), dropped);
    assert_ne!(loss(&tape(4)), dropped);
    let plain = loss(&Tape::new(&params, &workspace));
    let evaluated = Tape::no_grad(&params, &workspace).with_dropout(DropoutSeeds::new(1337, 3));
    let evaluated = loss(&evaluated);
    assert!(plain != dropped && evaluated == plain, "{plain} {dropped} {evaluated}");
}
