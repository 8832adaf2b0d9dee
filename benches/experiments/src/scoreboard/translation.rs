//! Chinese to English: sentences that were never seen, every one of which can be right.

use super::answers::{Lesson, Pairs, scores};
use super::{Base, Claim, Column, MEMORY, Result, Runs, SECONDS, Setup, Text, Values, Verdict, share};
use data::{CharTokenizer, Tokenizer};
use std::collections::HashSet;
use synth::sample;

pub(super) const CLAIM: Claim = Claim {
    name: "translation",
    says: "98 of 100 sentences that are new combinations of known words are translated without a mistake",
    settings,
    file: None,
    seeds: &[1, 2, 3],
    cases: &["the source itself", "model"],
    measure,
    columns: &[EXACT, BLEU, CHRF, SECONDS, MEMORY],
    verdict,
};

/// Answers that are right to the letter.
pub(super) const EXACT: Column = share("exact", "exact");
/// BLEU, of 100.
pub(super) const BLEU: Column = Column { quantity: "bleu", heading: "BLEU", show: |x| format!("{x:.2}") };
/// chrF, of 100.
pub(super) const CHRF: Column = Column { quantity: "chrf", heading: "chrF", show: |x| format!("{x:.2}") };

/// Not trained before: the pairs are all that it sees.
const BASE: Base = Base {
    name: "translation",
    settings: "n_layer=3 n_head=3 n_embd=96 block_size=160 dropout=0 ngram=0",
    text,
};
/// Characters of the training pairs, and of those that the test pairs are taken from.
const CHARACTERS: [u64; 2] = [500_000, 60_000];
/// Pairs that choose the weights, and that test.
const DEV: usize = 100;
const TEST: usize = 500;
const LESSON: Lesson = Lesson { epochs: 7, batch_size: 16, learning_rate: 3e-3 };

fn settings() -> String {
    format!(
        "generator `scfg-zh-en`, {} characters of pairs, {DEV} of which choose the weights, {TEST} new sentences to test; \
         preset `shakespeare` with `{}`, from scratch; {LESSON}; beam of 4, length penalty 0.6",
        CHARACTERS[0], BASE.settings
    )
}

/// Pairs of the grammar, no source twice.
fn pairs(seed: u64, characters: u64, seen: &mut HashSet<String>) -> Result<Pairs> {
    let text = sample("scfg-zh-en", &[], seed, characters)?.text();
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let new = lines.filter(|(source, _)| seen.insert(source.to_string()));
    Ok(new.map(|(source, target)| (source.to_string(), target.to_string())).collect())
}

fn text(setup: &Setup) -> Result<Text> {
    let text = sample("scfg-zh-en", &[], setup.seed, CHARACTERS[0])?.text();
    Ok((Tokenizer::Char(CharTokenizer::from_text(&text)?), text))
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    let mut seen = HashSet::new();
    let mut train = pairs(setup.seed, CHARACTERS[0], &mut seen)?;
    let mut test = pairs(1_000_000 + setup.seed, CHARACTERS[1], &mut seen)?;
    test.truncate(TEST);
    if case == "the source itself" {
        return Ok(scores(&test.iter().map(|(source, _)| source).collect::<Vec<_>>(), &test));
    }
    let dev = train.split_off(train.len() - DEV);
    let (model, values) = LESSON.learn(BASE.untrained(setup)?, &train, &dev, setup.seed)?;
    Ok([values, model.score(&test)?].concat())
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let exact = runs.summary("model", "exact")?;
    Some(Verdict {
        measured: format!(
            "{} exact, BLEU {}",
            exact.shown(EXACT.show),
            runs.summary("model", "bleu")?.shown(BLEU.show)
        ),
        baseline: format!("{} exact, copying", runs.summary("the source itself", "exact")?.shown(EXACT.show)),
        target: "0.98".into(),
        reached: exact.mean >= 0.98,
    })
}
