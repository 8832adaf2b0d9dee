//! The pairs that people wrote for this project: far too few to learn a language from, and reported as they come out.

use super::answers::{Lesson, Pairs, scores};
use super::translation::{BLEU, CHRF, EXACT};
use super::{Base, Claim, Column, Result, Runs, SECONDS, Setup, Values, Verdict};
use data::extract::first_sentence;
use data::read::{Documents, Options};
use data::{CharTokenizer, Tokenizer};
use random::{Rng, Stream};
use serde_json::Value;
use std::path::Path;

pub(super) const CLAIM: Claim = Claim {
    name: "hand-written",
    says: "A few hundred sentence pairs, or reports, that people wrote are too few to learn from",
    settings,
    file: None,
    seeds: &[1, 2, 3],
    cases: &["pairs: the source itself", "pairs: model", "reports: first sentence", "reports: model"],
    measure,
    columns: &[BLEU, CHRF, ROUGE, EXACT, SECONDS],
    verdict,
};

const ROUGE: Column = Column { quantity: "rouge_l", heading: "ROUGE-L", show: |x| format!("{x:.2}") };

/// A file, and the names of its two fields.
const PAIRS: (&str, &str, &str) = ("parallel-zh-en.tsv", "zh", "en");
const REPORTS: (&str, &str, &str) = ("reports-sum.jsonl", "text", "summary");

/// Trained on the text of the training pairs.
const BASE: Base = Base {
    name: "hand-written",
    settings: "n_layer=3 n_head=3 n_embd=96 block_size=384 batch_size=8 dropout=0.2 max_iters=200 ngram=0",
    text: |_| {
        let all: String = [PAIRS, REPORTS]
            .into_iter()
            .map(|file| Ok(read(file)?.into_iter().map(|(a, b)| a + "\n" + &b + "\n").collect::<String>()))
            .collect::<Result<_>>()?;
        Ok((Tokenizer::Char(CharTokenizer::from_text(&all)?), all))
    },
};
const LESSON: Lesson = Lesson { epochs: 10, batch_size: 8, learning_rate: 1e-3 };

fn settings() -> String {
    format!(
        "`datasets/{}` and `datasets/{}`, every tenth pair to test (by the seed), every tenth of the others to choose by; \
         preset `shakespeare` with `{}`, from scratch; {LESSON}; beam of 4, length penalty 0.6",
        PAIRS.0, REPORTS.0, BASE.settings
    )
}

fn read((name, source, target): (&str, &str, &str)) -> Result<Pairs> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets").join(name);
    let options = Options { text_column: Some(source.into()), ..Options::default() };
    let pair = |document: std::result::Result<data::read::Document, data::DataError>| {
        let document = document?;
        match document.fields.get(target) {
            Some(Value::String(target)) => Ok((document.text, target.clone())),
            _ => Err(format!("{name}, line {}: expected a field {target}", document.line).into()),
        }
    };
    Documents::open(&path, &options)?.map(pair).collect()
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    let (what, how) = case.split_once(": ").ok_or("a case of two parts")?;
    let mut pairs = read(if what == "pairs" { PAIRS } else { REPORTS })?;
    Rng::new(setup.seed, Stream::Data).shuffle(&mut pairs);
    let test = pairs.split_off(pairs.len() - pairs.len() / 10);
    match how {
        "the source itself" => Ok(scores(&test.iter().map(|(source, _)| source).collect::<Vec<_>>(), &test)),
        "first sentence" => {
            Ok(scores(&test.iter().map(|(source, _)| first_sentence(source)).collect::<Vec<_>>(), &test))
        }
        _ => {
            let dev = pairs.split_off(pairs.len() - pairs.len() / 10);
            let (model, values) = LESSON.learn(BASE.untrained(setup)?, &pairs, &dev, setup.seed)?;
            Ok([values, model.score(&test)?].concat())
        }
    }
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let show = |case, quantity| Some(runs.summary(case, quantity)?.shown(|x| format!("{x:.2}")));
    Some(Verdict {
        measured: format!(
            "translation: chrF {}; summaries: ROUGE-L {}",
            show("pairs: model", "chrf")?,
            show("reports: model", "rouge_l")?
        ),
        baseline: format!(
            "copying: chrF {}; first sentence: ROUGE-L {}",
            show("pairs: the source itself", "chrf")?,
            show("reports: first sentence", "rouge_l")?
        ),
        target: "none".into(),
        reached: true,
    })
}
