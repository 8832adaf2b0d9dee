//! What pretraining is worth where labels are few.
//!
//! On real reviews: in those of the generator `sentiment` nothing but the labels says which words are praise, so that a model
//! which has read a million of them knows no more of it than one that has read none.

use super::waimai::{BASE, reviews};
use super::{ACCURACY, Claim, MACRO_F1, Recipe, Result, Runs, SECONDS, Setup, TRAINED, Values, Verdict};
use gpt::tune::Pool;

pub(super) const CLAIM: Claim = Claim {
    name: "few-labels",
    says: "With 64 labels of meal deliveries, a model that has read reviews without labels is 10 points better than the same \
           architecture from scratch",
    settings,
    file: Some("--waimai"),
    seeds: &[1, 2, 3, 4, 5],
    cases: &["naive Bayes", "logistic regression", "from scratch", "pretrained", "pretrained, lora:r=8"],
    measure,
    columns: &[ACCURACY, MACRO_F1, TRAINED, SECONDS],
    verdict,
};

/// Of each of the two labels, to learn from; as many others choose the weights.
const K: usize = 32;

pub(super) const RECIPE: Recipe = Recipe {
    both_sides: true,
    pool: Pool::Mean,
    dropout: 0.0,
    epochs: 20,
    batch_size: 16,
    evaluations: 1,
    rate: 1.0,
};

fn settings() -> String {
    format!(
        "characters as tokens; the base of `waimai` with seed 1, preset `shakespeare` with `{}`; {K} texts of each label to \
         learn from and as many to choose by, which the seed draws from the parts of `newleaf baseline`, whose whole test \
         part is told; {RECIPE}",
        BASE.settings
    )
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    let reviews = reviews(setup)?.few(K, setup.seed)?;
    // One base for all seeds: what they draw is the labels.
    let base = || BASE.get(&Setup { seed: 1, ..setup.clone() });
    Ok(match case {
        "naive Bayes" => reviews.naive_bayes(),
        "logistic regression" => reviews.logistic_regression(),
        "from scratch" => RECIPE.tune(&BASE.untrained(setup)?, &reviews, "full", setup.seed)?,
        "pretrained" => RECIPE.tune(&base()?, &reviews, "full", setup.seed)?,
        _ => RECIPE.tune(&base()?, &reviews, "lora:r=8", setup.seed)?,
    })
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let show = |case| Some(runs.summary(case, "accuracy")?.shown(ACCURACY.show));
    let gain = runs.difference("pretrained", "from scratch", "accuracy")?;
    Some(Verdict {
        measured: format!("{} points: {}", gain.shown(|x| format!("{:.1}", 100.0 * x)), show("pretrained")?),
        baseline: format!(
            "{} from scratch, {} logistic regression",
            show("from scratch")?,
            show("logistic regression")?
        ),
        target: "10 points".into(),
        reached: gain.mean >= 0.1,
    })
}
