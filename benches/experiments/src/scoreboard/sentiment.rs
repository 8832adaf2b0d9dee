//! A small GPT learns the labels of generated reviews as well as can be.

use super::{
    ACCURACY, Base, Claim, Column, Recipe, Result, Reviews, Runs, SECONDS, Setup, TRAINED, Values, Verdict,
    share, unlabelled, words_of,
};
use gpt::tune::Pool;

pub(super) const CLAIM: Claim = Claim {
    name: "sentiment",
    says: "A small GPT, pretrained on unlabelled reviews and fine-tuned with labels, classifies new \
           reviews within a point of the best possible accuracy",
    settings,
    file: None,
    seeds: &[1, 2, 3, 4, 5],
    cases: &["best possible", "naive Bayes", "logistic regression", "base", "full", "lora:r=8"],
    measure,
    columns: &[ACCURACY, LOSS, TRAINED, SECONDS],
    verdict,
};

/// The loss of pretraining.
const LOSS: Column = share("loss", "loss of pretraining");

/// A model that fills in words: it has to know at each word which one it is. One that only goes on with the text may forget
/// whether it was praise, for the generator goes on in the same way after either.
pub(super) const BASE: Base = Base {
    name: "sentiment",
    settings: "n_layer=2 n_head=2 n_embd=64 block_size=32 batch_size=32 ngram=2 dropout=0 max_iters=300 objective=mlm",
    text: |setup| {
        let text = unlabelled(UNLABELLED, setup.seed)?;
        Ok((words_of(&text)?, text))
    },
};
/// Reviews to pretrain on, without labels.
pub(super) const UNLABELLED: usize = 20_000;
/// Labelled reviews to train, to validate and to test.
const LABELLED: [usize; 3] = [5000, 500, 4000];

pub(super) const RECIPE: Recipe = Recipe {
    both_sides: true,
    pool: Pool::Mean,
    dropout: 0.0,
    epochs: 5,
    batch_size: 32,
    evaluations: 1,
    rate: 2.0,
    words: None,
};

fn settings() -> String {
    format!(
        "generator `sentiment`, words as tokens; base: preset `shakespeare` with `{}` on {UNLABELLED} reviews without \
         labels; then {LABELLED:?} labelled ones to train, validate and test; {RECIPE}",
        BASE.settings
    )
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    let reviews = Reviews::generated(LABELLED, setup.seed)?;
    Ok(match case {
        "best possible" => vec![("accuracy", reviews.right_labels())],
        "naive Bayes" => reviews.naive_bayes(),
        "logistic regression" => reviews.logistic_regression(),
        "base" => BASE.pretrain(setup)?.1,
        method => RECIPE.tune(&BASE.get(setup)?, &reviews, method, setup.seed)?,
    })
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let accuracy = |case| runs.summary(case, "accuracy");
    let show = |case| Some(accuracy(case)?.shown(ACCURACY.show));
    let best = accuracy("best possible")?.mean;
    Some(Verdict {
        measured: format!("{} full, {} LoRA", show("full")?, show("lora:r=8")?),
        baseline: format!(
            "{} logistic regression, {} naive Bayes",
            show("logistic regression")?,
            show("naive Bayes")?
        ),
        target: format!("{:.4}, a point below the {best:.4} of the right labels", best - 0.01),
        reached: accuracy("full")?.mean.min(accuracy("lora:r=8")?.mean) >= best - 0.01,
    })
}
