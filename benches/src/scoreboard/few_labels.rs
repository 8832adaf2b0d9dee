//! What pretraining is worth where labels are few.

use super::sentiment::{BASE, UNLABELLED};
use super::{ACCURACY, Claim, Recipe, Result, Reviews, Runs, SECONDS, Setup, Values, Verdict};
use gpt::tune::Pool;

pub(super) const CLAIM: Claim = Claim {
    name: "few-labels",
    says: "with 64 labels, a pretrained model is 10 points better than the same architecture from scratch",
    settings,
    file: None,
    seeds: &[1, 2, 3, 4, 5],
    cases: &["naive Bayes", "logistic regression", "from scratch", "pretrained"],
    measure,
    columns: &[ACCURACY, SECONDS],
    verdict,
};

/// Labelled reviews from which the few are drawn, and to test on.
const LABELLED: [usize; 3] = [1000, 1000, 2000];
/// Of each of the two labels, to learn from; as many others choose the weights.
const K: usize = 32;

pub(super) const RECIPE: Recipe = Recipe {
    both_sides: true,
    pool: Pool::Mean,
    dropout: 0.0,
    epochs: 40,
    batch_size: 16,
    evaluations: 1,
    rate: 1.0,
};

fn settings() -> String {
    format!(
        "generator `sentiment`, words as tokens; base: preset `shakespeare` with `{}` on {UNLABELLED} reviews without \
         labels; {K} texts of each label to learn from, as many to choose by, {} to test; {RECIPE}",
        BASE.settings, LABELLED[2]
    )
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    let reviews = Reviews::generated(LABELLED, setup.seed)?.few(K, setup.seed)?;
    Ok(match case {
        "naive Bayes" => reviews.naive_bayes(),
        "logistic regression" => reviews.logistic_regression(),
        "from scratch" => RECIPE.tune(&BASE.untrained(setup)?, &reviews, "full", setup.seed)?,
        _ => RECIPE.tune(&BASE.get(setup)?, &reviews, "full", setup.seed)?,
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
