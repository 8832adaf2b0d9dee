//! To generate and to classify, in the three ways that make sense: texts for a label, the label as the text, and more examples
//! for a classifier.

use super::answers::{Answering, Lesson, Pairs};
use super::sentiment::{BASE, UNLABELLED};
use super::verdicts::{self, LAYER};
use super::{
    ACCURACY, Base, Claim, Model, Result, Reviews, SECONDS, Setup, Values, Verdict, share, words_of,
};
use super::{Column, unlabelled};
use data::baseline::{Labelled, likeliest};
use gpt::generate::Sampler;
use random::{Rng, Stream};
use synth::kinds::sentiment::true_label;

/// The generator's labels, 0 and 1, in words that its reviews have; a word has the space before it.
const LABELS: [&str; 2] = [" bad", " good"];
/// Labelled reviews to train, to validate and to test.
const LABELLED: [usize; 3] = [5000, 500, 2000];

/// A model that goes on with reviews.
const WRITER: Base = Base {
    name: "writer",
    settings: "n_layer=2 n_head=2 n_embd=64 block_size=64 batch_size=16 ngram=2 dropout=0 max_iters=300",
    text: |setup| {
        let text = unlabelled(UNLABELLED, setup.seed)?;
        Ok((words_of(&text)?, text))
    },
};

/// The pairs of labelled texts: label and text, or the other way round.
fn pairs(part: &Labelled, label_first: bool) -> Pairs {
    let pair = |(text, &label): (&String, &usize)| {
        let label = if part.names()[label] == "0" { LABELS[0] } else { LABELS[1] }.to_string();
        if label_first { (label, text.clone()) } else { (text.clone(), label) }
    };
    part.texts().iter().zip(part.labels()).map(pair).collect()
}

// ---- texts for a label

pub(super) const CONTROL: Claim = Claim {
    name: "control",
    says: "Reviews generated for a label have that label as often as the training reviews, less two points",
    settings: || {
        format!(
            "generator `sentiment`, words as tokens; preset `shakespeare` with `{}`, from scratch (pretrained on reviews \
             without labels it took no notice of the label in 12 epochs); {TO_WRITE} labelled reviews, the label as source and the review as target; {WRITING}; {WRITTEN} drawn for each \
             label at temperature 1, judged by the generator's own reader",
            WRITER.settings
        )
    },
    file: None,
    seeds: &[1, 2, 3],
    cases: &["training reviews", "model"],
    measure: control,
    columns: &[ACCURACY, READABLE, SECONDS],
    verdict: |runs| {
        let accuracy = |case| runs.summary(case, "accuracy");
        let real = accuracy("training reviews")?;
        Some(Verdict {
            measured: accuracy("model")?.shown(ACCURACY.show),
            baseline: format!("{} of the training reviews, 0.5 by chance", real.shown(ACCURACY.show)),
            target: format!("{:.4}", real.mean - 0.02),
            reached: accuracy("model")?.mean >= real.mean - 0.02,
        })
    },
};

const READABLE: Column = share("readable", "reviews of the grammar");
const WRITING: Lesson = Lesson { epochs: 14, batch_size: 8, learning_rate: 4e-3 };
/// Labelled reviews to learn from.
const TO_WRITE: usize = 20_000;
/// Reviews for each label.
const WRITTEN: usize = 500;

fn control(setup: &Setup, case: &str) -> Result<Values> {
    let reviews = Reviews::generated([TO_WRITE, 500, 10], setup.seed)?;
    let (texts, values) = match case {
        "model" => {
            let (train, dev) = (pairs(&reviews.train, true), pairs(&reviews.validation, true));
            let (model, values) = WRITING.learn(WRITER.untrained(setup)?, &train, &dev, setup.seed)?;
            (written(&model, WRITTEN, setup.seed)?, values)
        }
        _ => (pairs(&reviews.train, true), Values::new()),
    };
    let truths: Vec<(&String, u8)> =
        texts.iter().filter_map(|(label, text)| Some((label, true_label(text)?))).collect();
    let right = truths.iter().filter(|(label, truth)| *label == LABELS[usize::from(*truth)]).count();
    let scores = vec![
        ("accuracy", right as f64 / truths.len() as f64),
        ("readable", truths.len() as f64 / texts.len() as f64),
    ];
    Ok([values, scores].concat())
}

/// So many texts for each label.
fn written(model: &Answering, count: usize, seed: u64) -> Result<Pairs> {
    let mut rng = Rng::new(seed, Stream::Sampling);
    let labels = LABELS.iter().flat_map(|label| std::iter::repeat_n(label, count));
    labels
        .map(|label| {
            let rng = Rng::new(rng.next_u64(), Stream::Sampling);
            Ok(((*label).to_string(), model.draw(label, Sampler::default(), rng)?))
        })
        .collect()
}

// ---- the label as the text

pub(super) const LABEL_AS_TEXT: Claim = Claim {
    name: "label-as-text",
    says: "A model that generates the label as text is as accurate as one with a classification layer",
    settings: || {
        format!(
            "as `sentiment`, with {LABELLED:?} reviews; the review as source and the label as target, {TELLING}; beside it \
             a classifier on the same base, {CLASSIFIER}",
        )
    },
    file: None,
    seeds: &[1, 2, 3],
    cases: &["classifier", "model"],
    measure: label_as_text,
    columns: &[ACCURACY, share("invalid", "no label at all"), SECONDS],
    verdict: |runs| {
        let accuracy = |case| Some(runs.summary(case, "accuracy")?.shown(ACCURACY.show));
        let gap = runs.difference("model", "classifier", "accuracy")?;
        let invalid = runs.summary("model", "invalid")?;
        Some(Verdict {
            measured: format!(
                "{}, {} are no label",
                accuracy("model")?,
                invalid.shown(|x| format!("{x:.4}"))
            ),
            baseline: format!("{} classifier", accuracy("classifier")?),
            target: "a point, 0.001 invalid".into(),
            reached: gap.mean.abs() <= 0.01 && invalid.mean < 0.001,
        })
    },
};

const TELLING: Lesson = Lesson { epochs: 12, batch_size: 16, learning_rate: 3e-3 };
const CLASSIFIER: super::Recipe = super::sentiment::RECIPE;

fn label_as_text(setup: &Setup, case: &str) -> Result<Values> {
    let reviews = Reviews::generated(LABELLED, setup.seed)?;
    if case == "classifier" {
        return CLASSIFIER.tune(&BASE.get(setup)?, &reviews, "full", setup.seed);
    }
    let (train, dev) = (pairs(&reviews.train, false), pairs(&reviews.validation, false));
    let (model, values) = TELLING.learn(BASE.get(setup)?, &train, &dev, setup.seed)?;
    let test = pairs(&reviews.test, false);
    let answers: Vec<String> = test.iter().map(|(text, _)| model.answer(text)).collect::<Result<_>>()?;
    let share = |count: usize| count as f64 / test.len() as f64;
    let right = answers.iter().zip(&test).filter(|(answer, (_, label))| *answer == label).count();
    let invalid = answers.iter().filter(|answer| !LABELS.contains(&answer.as_str())).count();
    Ok([values, vec![("accuracy", share(right)), ("invalid", share(invalid))]].concat())
}

// ---- more examples

pub(super) const MORE_EXAMPLES: Claim = Claim {
    name: "more-examples",
    says: "With 16 labelled reviews per class, generated reviews as further training data improve the \
           classifier",
    settings: || {
        format!(
            "as `prompt`, with the layer; the same base learns to write from the {K} of each label ({FEW}), {MORE} are drawn for \
             each label, those that the classifier of the real ones calls otherwise are left out, and the classifier learns \
             anew from all",
        )
    },
    file: None,
    seeds: &[1, 2, 3, 4, 5],
    cases: &["real", "real and written"],
    measure: more_examples,
    columns: &[
        ACCURACY,
        share("right", "written ones that the reader understands, with the right label"),
        SECONDS,
    ],
    verdict: |runs| {
        let accuracy = |case| Some(runs.summary(case, "accuracy")?.shown(ACCURACY.show));
        let gain = runs.difference("real and written", "real", "accuracy")?;
        Some(Verdict {
            measured: format!(
                "{} points: {}",
                gain.shown(|x| format!("{:.1}", 100.0 * x)),
                accuracy("real and written")?
            ),
            baseline: format!("{} without them", accuracy("real")?),
            target: "above 0".into(),
            reached: gain.mean > 0.0,
        })
    },
};

const K: usize = 16;
const MORE: usize = 100;
const FEW: Lesson = Lesson { epochs: 20, batch_size: 8, learning_rate: 1e-3 };

fn more_examples(setup: &Setup, case: &str) -> Result<Values> {
    let reviews = Reviews::generated([1000, 1000, 2000], setup.seed)?.few(K, setup.seed)?;
    let base = verdicts::base(setup)?;
    if case == "real" {
        return LAYER.tune(&base, &reviews, "full", setup.seed);
    }
    let (train, dev) = (pairs(&reviews.train, true), pairs(&reviews.validation, true));
    let (writer, _) = FEW.learn(base.clone(), &train, &dev, setup.seed)?;
    let texts = written(&writer, MORE, setup.seed)?;
    let kept = agreed(&base, &reviews, texts, setup.seed)?;
    let is_right =
        |(text, label): &&(String, String)| true_label(text).is_some_and(|t| t.to_string() == *label);
    let right = kept.iter().filter(is_right).count();
    let share = right as f64 / kept.len().max(1) as f64;
    let values = LAYER.tune(&base, &reviews.and(kept)?, "full", setup.seed)?;
    Ok([values, vec![("right", share)]].concat())
}

/// Of texts and the words that they were written for, those whose label a classifier of the real examples tells likewise; as
/// texts and labels.
fn agreed(base: &Model, reviews: &Reviews, texts: Pairs, seed: u64) -> Result<Pairs> {
    let (classifier, params, _) = LAYER.tuned(base, reviews, "full", seed)?;
    let written: Vec<String> = texts.iter().map(|(_, text)| text.clone()).collect();
    let p = classifier.probabilities(&params, &LAYER.encode(base, &written)?);
    let names = reviews.train.names();
    let agree = texts.into_iter().zip(p).filter_map(|((label, text), p)| {
        let told = likeliest(&p);
        (LABELS[usize::from(names[told] != "0")] == label).then(|| (text, names[told].clone()))
    });
    Ok(agree.collect())
}
