//! An interrupted fine-tuning goes on to the same bits.

use super::*;

/// What each setting costs. (tests/tune_memory.rs has what is calculated against what is taken.)
#[test]
fn the_bytes_of_a_fine_tuning() {
    let (classifier, params) = classifier("full", Pool::Mean, false, yes_or_no());
    let (texts, targets) = texts(64, 1);
    let task = on_itself(&classifier, &texts, &targets);
    let bytes = |config: TuneConfig| config.bytes(&classifier.gpt.config, &params, &task);
    let usual = bytes(settings());
    let floats = 4 * params.count() as u64;
    // An average costs as much as the weights; a second lane a gradient more, and no more tokens at a time.
    assert_eq!(bytes(TuneConfig { ema: 0.9, ..settings() }), usual + floats);
    assert_eq!(bytes(TuneConfig { micro_batch: Some(8), ..settings() }), usual + floats);
    let parts = |lanes| bytes(TuneConfig { micro_batch: Some(2), lanes, ..settings() });
    assert!(
        parts(1) < usual && parts(2) - parts(1) > floats && parts(8) == parts(100),
        "{usual} {}",
        parts(1)
    );
    assert_eq!(parts(3) - parts(2), parts(2) - parts(1));
    assert!(bytes(TuneConfig { recompute: true, ..settings() }) < usual);
}

/// However a fine-tuning is interrupted, by whoever watches it or by the death of its process, and wherever, it goes on to
/// the same bits, and says the same on the way.
#[test]
fn an_interrupted_fine_tuning_goes_on_to_the_same_bits() {
    for (method, more) in [
        ("full", TuneConfig { unfreeze: true, evaluations: 2, patience: Some(1), ..settings() }),
        (
            "lora:r=2",
            TuneConfig { ema: 0.9, spike_guard: 6.0, micro_batch: Some(5), patience: None, ..settings() },
        ),
    ] {
        let settings = TuneConfig { epochs: 4, batch_size: 16, ..more };
        let early = settings.patience.is_some();
        let ((texts, targets), (dev, dev_targets)) = (texts(88, 1), texts(40, 2));
        // Stops before update `until`, if not at the end; a state is written after every update.
        let run = |dir: &std::path::Path, resume: bool, until: usize, kill: bool| {
            let (classifier, mut params) = classifier(method, Pool::Mean, false, yes_or_no());
            let task = Classify {
                classifier: &classifier,
                texts: &texts,
                targets: &targets,
                dev_texts: &dev,
                dev_targets: &dev_targets,
                metric: Metric::Loss,
                noise: Noise::default(),
            };
            let keep = Keep { dir, every: Duration::ZERO, of: "this", resume, at_end: early };
            let events = RefCell::new(Vec::new());
            let tell = |event: Event| {
                let Event::Update { update, .. } = event else {
                    events.borrow_mut().push(event);
                    return ControlFlow::Continue(());
                };
                events.borrow_mut().push(event);
                match update == until {
                    true if kill => panic!("killed"), // what was kept is that of the update before
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let attempt = std::panic::AssertUnwindSafe(|| {
                fit_keeping(&mut params, &task, &settings, Some(&keep), tell)
            });
            let result = std::panic::catch_unwind(attempt);
            let bits: Vec<u32> =
                params.ids().flat_map(|id| params.data(id).to_vec()).map(f32::to_bits).collect();
            (result, bits, events.into_inner())
        };
        let folder = tempfile::tempdir().unwrap();
        let (whole, bits, events) = run(&folder.path().join("whole"), false, 0, false);
        let whole = whole.unwrap().unwrap();
        assert_eq!((whole.updates, whole.stopped_early), (if early { 18 } else { 24 }, early), "{method}");
        for (i, at) in [1, 5, 6, 7, 13, 17, whole.updates].into_iter().enumerate() {
            let (kill, dir) = (i % 2 == 1, folder.path().join(format!("at-{at}")));
            let (result, ..) = run(&dir, false, at, kill);
            assert_eq!(result.is_err(), kill, "{method} {at}");
            assert!(kill || result.unwrap() == Err(TuneError::Stopped), "{method} {at}");
            let (result, resumed, after) = run(&dir, true, 0, false);
            let outcome = Outcome { seconds: whole.seconds, ..result.unwrap().unwrap() };
            assert_eq!(outcome, whole, "{method} {at}");
            assert!(resumed == bits, "{method}: other bits after an interruption at {at}");
            // The state is that after this update; what was said before is not said again.
            let last = at - usize::from(kill);
            let is_last = |event: &Event| matches!(event, Event::Update { update, .. } if *update == last);
            let said = 1 + events.iter().position(is_last).unwrap();
            assert_eq!(format!("{after:?}"), format!("{:?}", &events[said..]), "{method} {at}");
        }
    }
}

/// The state of something else is refused by name, and a damaged one.
#[test]
fn a_state_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let (texts, targets) = texts(64, 1);
    let run = |method: &str, settings: TuneConfig, count: usize, of: &str, resume: bool| {
        let (classifier, mut params) = classifier(method, Pool::Mean, false, yes_or_no());
        let task = on_itself(&classifier, &texts[..count], &targets);
        let keep = Keep { dir: &dir, every: Duration::ZERO, of, resume, at_end: false };
        let tell = |event: Event| match event {
            Event::Update { update: 3, .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        fit_keeping(&mut params, &task, &settings, Some(&keep), tell)
    };
    let refused = |result: Result<Outcome, TuneError>, words: &[&str]| {
        let Err(TuneError::Resume(message)) = result else { panic!("{result:?}") };
        assert!(words.iter().all(|word| message.contains(word)), "{words:?}: {message}");
    };
    refused(run("full", settings(), 64, "this", true), &["state"]);
    assert_eq!(run("full", settings(), 64, "this", false), Err(TuneError::Stopped));
    refused(run("full", settings(), 64, "that", true), &["another model", "remove the directory"]);
    refused(run("full", settings(), 63, "this", true), &["other examples"]);
    refused(run("full", TuneConfig { seed: 2, ..settings() }, 64, "this", true), &["other settings"]);
    refused(
        run("lora", settings(), 64, "this", true),
        &["weights.safetensors", "lora_A.weight", "is missing"],
    );
    let file = dir.join("best.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    refused(run("full", settings(), 64, "this", true), &["best.safetensors", "sha256"]);
    // A state that cannot be written stops nothing.
    let file = folder.path().join("file");
    std::fs::write(&file, "of somebody").unwrap();
    let (classifier, mut params) = classifier("head", Pool::Mean, false, yes_or_no());
    let task = on_itself(&classifier, &texts, &targets);
    let keep =
        Keep { dir: &file.join("state"), every: Duration::ZERO, of: "this", resume: false, at_end: false };
    let told = RefCell::new(0);
    let settings = TuneConfig { epochs: 1, ..settings() };
    let tell = |event: Event| {
        *told.borrow_mut() += usize::from(matches!(&event, Event::NotKept(error) if error.contains("file")));
        ControlFlow::Continue(())
    };
    fit_keeping(&mut params, &task, &settings, Some(&keep), tell).unwrap();
    assert_eq!(told.into_inner(), 4);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let bits = |seed: u64| -> Vec<u32> {
        let settings = TuneConfig { epochs: 2, seed, ..settings() };
        let (_, params, _) = trained("lora", Pool::Mean, false, &settings);
        params.ids().flat_map(|id| params.data(id).to_vec()).map(f32::to_bits).collect()
    };
    assert_eq!(bits(1), bits(1));
    assert_ne!(bits(1), bits(2));
}
