//! A report of sales and its summary: the most, the least, and the sum, which has to be calculated.

use super::answers::{Lesson, Pairs, scores};
use super::translation::EXACT;
use super::{Base, Claim, Column, MEMORY, Result, Runs, SECONDS, Setup, Text, Values, Verdict};
use data::generate::{Document, Field, find};
use data::metrics::first_sentence;
use data::{CharTokenizer, Tokenizer};
use random::{Rng, Stream};

pub(super) const CLAIM: Claim = Claim {
    name: "summaries",
    says: "summaries of reports reach a ROUGE-L of 95, far above the first sentence",
    settings,
    file: None,
    seeds: &[1, 2],
    cases: &["first sentence", "model"],
    measure,
    columns: &[ROUGE, EXACT, SECONDS, MEMORY],
    verdict,
};

/// ROUGE-L, of 100.
const ROUGE: Column = Column { quantity: "rouge_l", heading: "ROUGE-L", show: |x| format!("{x:.2}") };

/// Not trained before: the pairs are all that it sees.
const BASE: Base = Base {
    name: "summaries",
    settings: "n_layer=3 n_head=3 n_embd=96 block_size=256 dropout=0 ngram=0",
    text,
};
/// Reports to learn from, to choose the weights by, and to test.
const REPORTS: [usize; 3] = [9000, 100, 300];
const LESSON: Lesson = Lesson { epochs: 4, batch_size: 16, learning_rate: 2e-3 };

fn settings() -> String {
    format!(
        "generator `report-summary`, {REPORTS:?} reports to train, to validate and to test; preset `shakespeare` with `{}`, \
         from scratch; {LESSON}; beam of 4, length penalty 0.6",
        BASE.settings
    )
}

/// Reports and their summaries.
fn pairs(seed: u64, count: usize) -> Result<Pairs> {
    let entry = find("report-summary")?;
    let mut generator = (entry.build)(&entry.defaults())?;
    let alphabet = generator.alphabet().to_vec();
    let (mut rng, mut document) = (Rng::new(seed, Stream::Data), Document::default());
    let mut pairs = Pairs::new();
    while pairs.len() < count {
        document.clear();
        generator.append(&mut rng, &mut document);
        let fields = document.field_texts(&alphabet);
        let text = |wanted| fields.iter().find(|(field, _)| *field == wanted).map(|(_, text)| text.trim());
        let (report, summary) =
            text(Field::Prompt).zip(text(Field::Answer)).ok_or("a report and its summary")?;
        pairs.push((report.to_string(), summary.to_string()));
    }
    Ok(pairs)
}

fn text(setup: &Setup) -> Result<Text> {
    let text: String = pairs(setup.seed, REPORTS[0])?
        .into_iter()
        .map(|(report, summary)| report + "\n" + &summary + "\n")
        .collect();
    Ok((Tokenizer::Char(CharTokenizer::from_text(&text)?), text))
}

fn measure(setup: &Setup, case: &str) -> Result<Values> {
    let [train, dev, test] =
        [0, 1, 2].map(|part| pairs(1_000_000 * part + setup.seed, REPORTS[part as usize]));
    let test = test?;
    if case == "first sentence" {
        return Ok(scores(&test.iter().map(|(report, _)| first_sentence(report)).collect::<Vec<_>>(), &test));
    }
    let (model, values) = LESSON.learn(BASE.untrained(setup)?, &train?, &dev?, setup.seed)?;
    Ok([values, model.score(&test)?].concat())
}

fn verdict(runs: &Runs) -> Option<Verdict> {
    let rouge = |case| runs.summary(case, "rouge_l");
    Some(Verdict {
        measured: format!(
            "{}, {} exact",
            rouge("model")?.shown(ROUGE.show),
            runs.summary("model", "exact")?.shown(EXACT.show)
        ),
        baseline: format!("{} first sentence", rouge("first sentence")?.shown(ROUGE.show)),
        target: "95".into(),
        reached: rouge("model")?.mean >= 95.0,
    })
}
