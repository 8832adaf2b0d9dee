//! The memory of a training, measured: in a process of its own, since it is the process that is measured.

use gpt::ModelCard;
use gpt::config::Preset;
use gpt::formats::{NEWLEAF, Parts};
use gpt::machine::Machine;
use gpt::train::History;
use gpt::train::Trainer;

/// Updates, a checkpoint and a model that is saved take together what is calculated: nothing is copied to be written.
#[cfg(target_os = "linux")]
#[test]
fn a_training_with_a_checkpoint_takes_what_is_calculated() {
    let mut config = Preset::NanoCpu.config(65);
    let settings =
        [("n_layer", "6"), ("n_head", "8"), ("n_embd", "384"), ("batch_size", "4"), ("ema", "0.9")];
    settings.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    let text: Vec<u32> = (0..5000).map(|i| i * i % 65).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open(folder.path(), 2).unwrap();
    let before = Machine::resident_bytes().unwrap();
    Machine::forget_peak_memory();

    let mut trainer = Trainer::new(&config, &text[..]).unwrap();
    (0..2).for_each(|_| _ = trainer.step(&text).unwrap());
    let taken = || (Machine::peak_memory_bytes().unwrap() - before) as f64;
    let in_updates = taken();
    history.save(&trainer.checkpoint("{}")).unwrap();
    let model = Parts { config: &config.model, params: trainer.averaged(), tokenizer: "{}" };
    NEWLEAF.save(&folder.path().join("best"), model, &ModelCard::default(), &[]).unwrap();
    let (with_checkpoint, calculated) = (taken(), config.training_bytes() as f64);
    let weights = 4.0 * trainer.params.count() as f64;
    assert!(weights > 40e6, "large enough to be seen: {weights}");
    let told =
        format!("{in_updates} in updates, {with_checkpoint} with a checkpoint, {calculated} calculated");
    assert!(with_checkpoint <= 1.05 * calculated, "{told}");
    assert!(in_updates >= 0.85 * calculated, "{told}");
    assert!(with_checkpoint <= in_updates + 0.2 * weights, "{told}");
}
