//! What pretraining is worth, and what it is worth to ask for what it has taught.
//!
//! In the reviews of the generator `sentiment` nothing but the label says which words are praise: who has read a million of them
//! knows no more of it than who has read none. So those that a model is pretrained on here end in a sentence that tells, as
//! people's do, two in three: "It was great.", "I will complain."; one such sentence in ten is wrong.

use super::{ACCURACY, Base, Claim, Recipe, Result, Reviews, Runs, SECONDS, Setup, Text, Verdict, words_of};
use gpt::tune::Pool;
use synth::sample;

const BASE: Base = Base {
    name: "verdicts",
    settings: "n_layer=3 n_head=3 n_embd=96 block_size=64 batch_size=32 learning_rate=3e-3 max_iters=1500",
    text,
};
/// Characters of reviews to pretrain on, before the sentences are added.
const CHARACTERS: u64 = 1_200_000;

fn text(setup: &Setup) -> Result<Text> {
    let reviews = sample("sentiment", &[("eta", "0.1")], 4_000_000 + setup.seed, CHARACTERS)?.text();
    let mut text = String::new();
    for (i, line) in reviews.lines().enumerate() {
        let (review, label) = line.split_once('\t').ok_or("a review and its label")?;
        let good = label == "1";
        text += review;
        text += match i % 3 {
            0 => "",
            1 if good => " It was great.",
            1 => " It was terrible.",
            _ if good => " I will return.",
            _ => " I will complain.",
        };
        text.push('\n');
    }
    Ok((words_of(&text)?, text))
}

/// Labelled reviews from which the few are drawn, and to test on.
const LABELLED: [usize; 3] = [1000, 1000, 2000];

/// One base for all seeds: what they draw is the labels.
pub(super) fn base(setup: &Setup) -> Result<super::Model> {
    BASE.get(&Setup { seed: 1, ..setup.clone() })
}

pub(super) const LAYER: Recipe = Recipe {
    both_sides: false,
    pool: Pool::Last,
    dropout: 0.0,
    epochs: 40,
    batch_size: 8,
    evaluations: 1,
    rate: 3.0,
    words: None,
};
const WORDS: Recipe =
    Recipe { rate: 0.1, words: Some(("{text} It was {mask}.", "1=great,0=terrible")), ..LAYER };

fn settings(k: usize) -> String {
    format!(
        "generator `sentiment`, words as tokens; base: preset `shakespeare` with `{}` on {CHARACTERS} characters of reviews, two \
         in three with a sentence that tells; {k} texts of each label to learn from, as many to choose by, {} to test; {LAYER}",
        BASE.settings, LABELLED[2]
    )
}

// ---- pretrained, or from scratch

pub(super) const PRETRAINED: Claim = Claim {
    name: "pretrained",
    says: "With 64 labels, a pretrained model is 10 points better than the same architecture from scratch",
    settings: || settings(32),
    file: None,
    seeds: &[1, 2, 3, 4, 5],
    cases: &["naive Bayes", "logistic regression", "from scratch", "pretrained"],
    measure: |setup, case| {
        let reviews = Reviews::generated(LABELLED, setup.seed)?.few(32, setup.seed)?;
        Ok(match case {
            "naive Bayes" => reviews.naive_bayes(),
            "logistic regression" => reviews.logistic_regression(),
            "from scratch" => LAYER.tune(&BASE.untrained(setup)?, &reviews, "full", setup.seed)?,
            _ => LAYER.tune(&base(setup)?, &reviews, "full", setup.seed)?,
        })
    },
    columns: &[ACCURACY, SECONDS],
    verdict: |runs| {
        let baseline = format!(
            "{} from scratch, {} naive Bayes",
            show(runs, "from scratch")?,
            show(runs, "naive Bayes")?
        );
        gain(runs, ("pretrained", "from scratch"), 0.10, baseline)
    },
};

// ---- words, or a layer

pub(super) const PROMPT: Claim = Claim {
    name: "prompt",
    says: "With 16 labels per class, a prompt pattern with verbalizers is 5 points better than a new \
           classification layer",
    settings: || format!("{}, or the words of the pattern with a tenth of the learning rate", settings(16)),
    file: None,
    seeds: &[13, 21, 42, 87, 100],
    cases: &["layer", "words"],
    measure: |setup, case| {
        let reviews = Reviews::generated(LABELLED, setup.seed)?.few(16, setup.seed)?;
        let recipe = if case == "words" { WORDS } else { LAYER };
        recipe.tune(&base(setup)?, &reviews, "full", setup.seed)
    },
    columns: &[ACCURACY, SECONDS],
    verdict: |runs| gain(runs, ("words", "layer"), 0.05, format!("{} layer", show(runs, "layer")?)),
};

fn show(runs: &Runs, case: &str) -> Option<String> {
    Some(runs.summary(case, "accuracy")?.shown(ACCURACY.show))
}

/// Whether a case is better than another by so much.
fn gain(runs: &Runs, (case, other): (&str, &str), target: f64, baseline: String) -> Option<Verdict> {
    let gain = runs.difference(case, other, "accuracy")?;
    Some(Verdict {
        measured: format!("{} points: {}", gain.shown(|x| format!("{:.1}", 100.0 * x)), show(runs, case)?),
        baseline,
        target: format!("{:.0} points", 100.0 * target),
        reached: gain.mean >= target,
    })
}
