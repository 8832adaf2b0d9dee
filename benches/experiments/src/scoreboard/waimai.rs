//! Real reviews: a small GPT against word counts.

use super::{
    ACCURACY, Base, Claim, MACRO_F1, MEMORY, Recipe, Result, Reviews, Runs, SECONDS, Setup, TRAINED, Values,
    Verdict,
};
use data::{CharTokenizer, Tokenizer};
use gpt::tune::Pool;

pub(super) const CLAIM: Claim = Claim {
    name: "waimai",
    says: "A small GPT, pretrained on nothing but the 9,606 training texts of a Chinese set of meal \
           delivery reviews, classifies sentiment better than logistic regression",
    settings,
    file: Some("--waimai"),
    seeds: &[1, 2, 3],
    cases: &["naive Bayes", "logistic regression", "base", "full", LORA],
    measure,
    columns: &[ACCURACY, MACRO_F1, TRAINED, SECONDS, MEMORY],
    verdict,
};

/// Of what it has seen nothing but the training part.
pub(super) const BASE: Base = Base {
    name: "waimai",
    settings: "n_layer=4 n_head=4 n_embd=128 block_size=128 batch_size=32 max_iters=300 objective=mlm",
    text: |setup| {
        let text = reviews(setup)?.training_text();
        Ok((Tokenizer::Char(CharTokenizer::from_text(&text)?), text))
    },
};

/// The usual rate, where all of the model takes half of its.
const LORA: &str = "lora:r=8,alpha=16,targets=qkvofp";
const LORA_RATE: f64 = 1.0;

const RECIPE: Recipe = Recipe {
    both_sides: true,
    pool: Pool::Mean,
    dropout: 0.1,
    epochs: 3,
    batch_size: 32,
    evaluations: 2,
    rate: 0.5,
    words: None,
};

fn settings() -> String {
    format!(
        "characters as tokens; base: preset `shakespeare` with `{}` on the texts of the training part; the parts of \
         `newleaf baseline`; {RECIPE}; LoRA with {LORA_RATE}",
        BASE.settings
    )
}

/// The reviews of the file, in the parts of `newleaf baseline`.
pub(super) fn reviews(setup: &Setup) -> Result<Reviews> {
    Reviews::of_file(setup.file.as_deref().ok_or("waimai: expected --waimai FILE")?)
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    Ok(match case {
        "naive Bayes" => reviews(setup)?.naive_bayes(),
        "logistic regression" => reviews(setup)?.logistic_regression(),
        "base" => BASE.pretrain(setup)?.1,
        method => {
            let recipe = if method == LORA { Recipe { rate: LORA_RATE, ..RECIPE } } else { RECIPE };
            recipe.tune(&BASE.get(setup)?, &reviews(setup)?, method, setup.seed)?
        }
    })
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let accuracy = |case| runs.summary(case, "accuracy");
    let show = |case| {
        let f1 = runs.summary(case, "macro_f1")?;
        Some(format!("{} (F1 {})", accuracy(case)?.shown(ACCURACY.show), f1.shown(MACRO_F1.show)))
    };
    let best = accuracy("logistic regression")?.mean.max(accuracy("naive Bayes")?.mean);
    Some(Verdict {
        measured: format!("{} full, {} LoRA", show("full")?, show(LORA)?),
        baseline: format!(
            "{} logistic regression, {} naive Bayes",
            show("logistic regression")?,
            show("naive Bayes")?
        ),
        target: format!("above {best:.4}"),
        reached: accuracy("full")?.mean.max(accuracy(LORA)?.mean) > best,
    })
}
