//! Seven ways to train a part of a model, beside training all of it.

use super::{
    ACCURACY, Base, Claim, Column, Model, Recipe, Result, Reviews, Runs, Setup, TRAINED, Values, Verdict,
    unlabelled, words_of,
};
use benches::alternate::median;
use gpt::peft::Method;
use gpt::tune::{Classify, Event, Noise, Pool, Targets, fit};
use std::ops::ControlFlow;
use std::time::Instant;

pub(super) const CLAIM: Claim = Claim {
    name: "peft",
    says: "LoRA with 18,432 parameters comes within a point of full fine-tuning of a 2.7M model at as \
           many updates",
    settings,
    file: None,
    seeds: &[1],
    cases: CASES,
    measure,
    columns: &[TRAINED, OPTIMIZER, STEP, RATIO, ACCURACY],
    verdict,
};

/// The base and the methods.
const CASES: &[&str] = &[
    "base",
    "full",
    "head",
    "lora:r=4,targets=qv",
    "ia3",
    "prefix:tokens=16",
    "prompt:tokens=16",
    "adapter:width=16",
    "bitfit",
];
const LORA: &str = "lora:r=4,targets=qv";

const OPTIMIZER: Column =
    Column { quantity: "optimizer_bytes", heading: "optimizer kB", show: |x| format!("{:.1}", x / 1e3) };
const STEP: Column = Column { quantity: "step_ms", heading: "ms a step", show: |x| format!("{x:.1}") };
const RATIO: Column = Column { quantity: "step_ratio", heading: "over full", show: |x| format!("{x:.2}") };

/// The model of the table in docs/finetuning.md.
const BASE: Base = Base {
    name: "peft",
    settings: "n_layer=6 n_head=6 n_embd=192 block_size=48 batch_size=24 activation=swiglu ngram=0 dropout=0 \
               max_iters=160 objective=mlm",
    text: |setup| {
        let text = unlabelled(UNLABELLED, setup.seed)?;
        Ok((words_of(&text)?, text))
    },
};
/// Reviews to pretrain on, without labels.
const UNLABELLED: usize = 20_000;
/// Labelled reviews to train, to validate and to test.
const LABELLED: [usize; 3] = [2500, 300, 2000];
/// Turns of five steps of each method; the first step of a turn does not count.
const TURNS: usize = 5;

const RECIPE: Recipe = Recipe {
    both_sides: true,
    pool: Pool::Mean,
    dropout: 0.0,
    epochs: 2,
    batch_size: 16,
    evaluations: 1,
    rate: 1.0,
    words: None,
};

fn settings() -> String {
    format!(
        "generator `sentiment`, words as tokens; base: preset `shakespeare` with `{}` on {UNLABELLED} reviews without \
         labels; then {LABELLED:?} labelled ones to train, validate and test; {RECIPE}; times are medians of steps taken \
         in turn with those of full tuning",
        BASE.settings
    )
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    if case == "base" {
        return Ok(BASE.pretrain(setup)?.1);
    }
    let (base, reviews) = (BASE.get(setup)?, Reviews::generated(LABELLED, setup.seed)?);
    let mut values = RECIPE.tune(&base, &reviews, case, setup.seed)?;
    let (mut ours, mut full) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.extend(steps(&base, &reviews, case)?);
        full.extend(steps(&base, &reviews, "full")?);
    }
    values.push(("step_ms", 1e3 * median(&ours)));
    values.push(("step_ratio", median(&ours) / median(&full)));
    Ok(values)
}

/// Seconds of some updates by a method, from the base on.
fn steps(base: &Model, reviews: &Reviews, method: &str) -> Result<Vec<f64>> {
    const STEPS: usize = 5;
    let method: Method = method.parse()?;
    let (classifier, mut params) = RECIPE.classifier(base, reviews.train.names(), &method, 1)?;
    let count = STEPS * RECIPE.batch_size;
    let texts: Vec<Vec<u32>> =
        reviews.train.texts()[..count].iter().map(|text| base.encode_known(text).0).collect();
    let targets = Targets::labels(reviews.train.labels()[..count].to_vec(), &[1.0; 2]);
    let task = Classify {
        classifier: &classifier,
        dev_texts: &texts[..1], // something has to be measured, before the first step and after the last
        dev_targets: &Targets::labels(vec![0], &[1.0; 2]),
        texts: &texts,
        targets: &targets,
        metric: gpt::tune::Metric::Loss,
        noise: Noise::default(),
    };
    let mut times = Vec::new();
    let tell = |event| {
        if let Event::Update { .. } = event {
            times.push(Instant::now());
        }
        ControlFlow::Continue(())
    };
    let n_embd = classifier.gpt.config.n_embd;
    let settings = gpt::tune::TuneConfig { epochs: 1, ..RECIPE.loop_config(&method, n_embd, 1) };
    fit(&mut params, &task, &settings, tell)?;
    Ok(times.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect())
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let accuracy = |case| Some(runs.summary(case, "accuracy")?.mean);
    let number = |case, column: Column| Some((column.show)(runs.summary(case, column.quantity)?.mean));
    let (lora, full, kilobytes) = (accuracy(LORA)?, accuracy("full")?, number(LORA, OPTIMIZER)?);
    Some(Verdict {
        measured: format!("{lora:.4}, {kilobytes} kB of optimizer, {} of a step", number(LORA, RATIO)?),
        baseline: format!("{full:.4} full, {} kB", number("full", OPTIMIZER)?),
        target: format!("{:.4}", full - 0.01),
        reached: lora >= full - 0.01,
    })
}
