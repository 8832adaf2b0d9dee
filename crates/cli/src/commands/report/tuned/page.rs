//! The page: what it reaches, how it went, where it errs.

use super::figures::{name_of, shown};
use super::record::{Answered, Numbered, Predictions, Record};
use super::{classes, errors};
use crate::commands::finetune::changes;
use crate::commands::report::compare::Facts;
use crate::commands::report::figures::Figure;
use crate::commands::report::page::{facts, note, picture};
use crate::commands::report::words::{MARKER, duration, grouped, loss, plain};
use crate::screen::page;
use chart::escaped;
use data::baseline::Classifier as _;
use data::metrics::{Chrf, Confusion, TextMetric, paired_bootstrap};
use gpt::tune::{SavedClassifier, load_classifier};
use serde_json::Value;
use std::fmt::Write;

/// Texts with numbers, or answers, that are shown.
const SHOWN: usize = 8;
/// Test sets that are drawn to say whether a difference could be chance.
const DRAWS: usize = 1000;

/// The whole of it.
pub(super) fn page(record: &Record, figures: &[Figure]) -> String {
    // Of a classifier alone there is more to say. The base of an adapter may have been moved: then it is not said.
    let saved = load_classifier(&record.path, None);
    let title = format!("Fine-tuning {}", record.path.display());
    let mut body =
        format!("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escaped(&title), escaped(&verdict(record)));
    if let Some(why) = record.result["diverged"].as_str() {
        let _ = writeln!(body, "<p>It did not end as it should: {}</p>", escaped(why));
    }
    beside(&mut body, record);
    if let Some(chance) = saved.as_ref().ok().and_then(|saved| by_chance(record, saved)) {
        note(&mut body, &chance);
    }
    body.push_str("<h2>How the fine-tuning went</h2>\n");
    let of_course = |figure: &&Figure| ["validation", "training-loss"].contains(&figure.name);
    figures.iter().filter(of_course).for_each(|figure| picture(&mut body, figure));
    facts(&mut body, &[], &course(record));
    tried(&mut body, record);
    let others = || figures.iter().filter(|figure| !of_course(figure));
    match &record.predictions {
        Predictions::Labels { names, texts } => {
            let told: Vec<usize> = texts.iter().map(|text| text.predicted).collect();
            let right: Vec<usize> = texts.iter().map(|text| text.label).collect();
            let confusion = Confusion::new(names.len(), &told, &right);
            classes::confusion(&mut body, names, &confusion);
            classes::scores(&mut body, names, &confusion);
            body.push_str("<h2>Whether its probabilities can be believed</h2>\n");
            others().for_each(|figure| picture(&mut body, figure));
            errors::section(&mut body, &saved, names, texts);
        }
        Predictions::Numbers(texts) => {
            body.push_str("<h2>What it predicts</h2>\n");
            others().for_each(|figure| picture(&mut body, figure));
            numbers(&mut body, texts);
        }
        Predictions::Answers(answers) => examples(&mut body, answers),
        Predictions::None => {}
    }
    about(&mut body, record);
    page::page(MARKER, &title, &body)
}

/// What it comes to, in a sentence or two.
pub(super) fn verdict(record: &Record) -> String {
    match &record.predictions {
        Predictions::Labels { texts, .. } => {
            let right = texts.iter().filter(|text| text.is_right()).count();
            let all = texts.len();
            let (accuracy, f1) = (record.test("accuracy"), record.test("macro_f1"));
            let mut text = format!(
                "It predicts the label of {right} of {all} test texts ({:.1} %); macro F1 {f1:.3}.",
                100.0 * accuracy
            );
            let best = others(record).into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((name, other)) = best {
                let _ = write!(text, " The best simple method, {name}, reaches {other:.3}.");
            }
            text
        }
        Predictions::Numbers(texts) => format!(
            "Its numbers correlate with those of {} test texts by {:.3}; they are off by {:.3} on average, the mean of the training texts \
             by {:.3}.",
            texts.len(),
            record.test("pearson"),
            record.test("mean_absolute_error"),
            record.test("mean_absolute_error_of_the_mean")
        ),
        Predictions::Answers(answers) => format!(
            "Its answers to {} test sources reach BLEU {:.1} and chrF {:.1}; {:.1} % are the target to the letter.",
            answers.len(),
            record.test("bleu"),
            record.test("chrf"),
            100.0 * record.test("exact_match")
        ),
        Predictions::None => {
            let number =
                |name: &str| record.result["validation"][name].as_f64().map_or("unknown".into(), loss);
            format!(
                "Validation loss of the answers: {}, {} before the fine-tuning.",
                number("loss"),
                number("loss_before")
            )
        }
    }
}

/// The methods without this model, and their macro F1.
fn others(record: &Record) -> Vec<(String, f64)> {
    let Some(beside) = record.result["beside"].as_object() else { return Vec::new() };
    let of = |(name, scores): (&String, &Value)| Some((name.clone(), scores["macro_f1"].as_f64()?));
    beside.iter().filter(|(name, _)| *name != "the model alone").filter_map(of).collect()
}

/// The settings that were tried, if they were several.
fn tried(body: &mut String, record: &Record) {
    let Some(trials @ [first, ..]) = record.result["trials"].as_array().map(Vec::as_slice) else { return };
    let row = |trial: &Value| {
        let score =
            trial["score"].as_f64().map_or("not finite".into(), |score| loss(shown(record.metric, score)));
        let time = trial["seconds"].as_f64().map_or("unknown".into(), duration);
        (changes(&first["settings"], &trial["settings"]), vec![score, time])
    };
    body.push_str("<h3>What was tried</h3>\n");
    facts(body, &["validation".into(), "time".into()], &trials.iter().map(row).collect());
}

/// The scores beside those of others.
fn beside(body: &mut String, record: &Record) {
    let test = &record.result["test"];
    // The name of a number in the record, its head, and how it is written.
    type Column = (&'static str, &'static str, fn(f64) -> String);
    let share: fn(f64) -> String = |x| format!("{x:.4}");
    let points: fn(f64) -> String = |x| format!("{x:.2}");
    let (columns, rows): (Vec<Column>, Vec<(&str, &Value)>) = match &record.predictions {
        Predictions::Labels { .. } => {
            let beside = record.result["beside"].as_object().into_iter().flatten();
            let beside = beside.map(|(name, scores)| (&name[..], scores));
            (
                vec![("accuracy", "accuracy", share), ("macro_f1", "macro F1", share)],
                [("this classifier", test)].into_iter().chain(beside).collect(),
            )
        }
        Predictions::Answers(_) => (
            vec![
                ("exact_match", "exact", share),
                ("bleu", "BLEU", points),
                ("chrf", "chrF", points),
                ("rouge_l", "ROUGE-L", points),
            ],
            vec![
                ("the model", test),
                ("the source itself", &test["source_itself"]),
                ("its first sentence", &test["first_sentence"]),
                ("its most telling sentence", &test["most_telling_sentence"]),
            ],
        ),
        Predictions::Numbers(_) | Predictions::None => return,
    };
    let heads: Vec<String> = columns.iter().map(|(_, head, _)| head.to_string()).collect();
    let row = |(name, scores): (&str, &Value)| {
        let of = |(name, _, written): &Column| scores[*name].as_f64().map_or("none".into(), written);
        (name.to_string(), columns.iter().map(of).collect())
    };
    body.push_str("<h2>On the test part</h2>\n");
    facts(body, &heads, &rows.into_iter().map(row).collect());
}

/// Whether the difference to the words alone could be one of this test set.
fn by_chance(record: &Record, saved: &SavedClassifier) -> Option<String> {
    let Predictions::Labels { texts, .. } = &record.predictions else { return None };
    let words = saved.wide.as_ref()?.regressions.first()?;
    // 1 if it is right, and 1 for the text.
    let hit = |right: bool| vec![f64::from(u8::from(right)), 1.0];
    let ours: Vec<Vec<f64>> = texts.iter().map(|text| hit(text.is_right())).collect();
    let words: Vec<Vec<f64>> =
        texts.iter().map(|text| hit(words.predict(&text.text) == text.label)).collect();
    let share = |sums: &[f64]| 100.0 * sums[0] / sums[1];
    let compared = paired_bootstrap(&ours, &words, share, DRAWS, 1);
    let (from, to) = compared.interval;
    Some(format!(
        "It is right {:+.1} points more often than the words alone. Of {DRAWS} test sets that are drawn from this one, 95 % say {from:+.1} \
         to {to:+.1} points{}",
        compared.difference,
        if from <= 0.0 && to >= 0.0 { ": the difference could be chance." } else { "." }
    ))
}

/// How long it took, and what was chosen.
fn course(record: &Record) -> Facts {
    let result = &record.result;
    let count = |name: &str| result[name].as_u64().map_or("unknown".into(), grouped);
    let mut facts: Facts = Vec::new();
    let mut row = |name: &str, value: String| facts.push((name.to_string(), vec![value]));
    if let Some(best) = record.best() {
        let name = format!("validation {} of the weights", name_of(record.metric));
        row(&name, loss(shown(record.metric, best.score)));
    }
    let early = if result["stopped_early"] == Value::Bool(true) { ", ended early" } else { "" };
    row("updates", format!("{} made{early}, those of {} kept", count("updates"), count("best_update")));
    row("time of the updates", result["seconds"].as_f64().map_or("unknown".into(), duration));
    row("parameters trained", count("trainable_parameters"));
    row("method", plain(&result["method"]));
    if let Some(mixture) = result["wide"]["mixture"].as_array() {
        let weights: Vec<String> =
            mixture.iter().filter_map(Value::as_f64).map(|weight| format!("{weight:.2}")).collect();
        row("weight of the model, of words, of characters", weights.join(", "));
    }
    facts
}

/// The texts whose number is the farthest from the one predicted.
fn numbers(body: &mut String, texts: &[Numbered]) {
    let mut order: Vec<&Numbered> = texts.iter().collect();
    let off = |text: &Numbered| (text.predicted - text.number).abs();
    order.sort_by(|a, b| off(b).total_cmp(&off(a)));
    body.push_str("<h2>The worst errors</h2>\n<ol>\n");
    for text in order.into_iter().take(SHOWN) {
        let _ = writeln!(
            body,
            "<li>{:.3} predicted, it is {}\n<pre dir=\"auto\">{}</pre></li>",
            text.predicted,
            text.number,
            escaped(&text.text)
        );
    }
    body.push_str("</ol>\n");
}

/// Answers, the worst and some from all.
fn examples(body: &mut String, answers: &[Answered]) {
    let chrf = Chrf { references: 1 };
    let score = |of: &Answered| chrf.corpus(&[(&of.answer, vec![&of.target[..]])]);
    let mut scored: Vec<(f64, &Answered)> = answers.iter().map(|of| (score(of), of)).collect();
    let step = answers.len().div_ceil(SHOWN).max(1);
    body.push_str("<h2>What it answers</h2>\n");
    list(body, scored.iter().step_by(step));
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    body.push_str("<h2>The worst answers</h2>\n");
    list(body, scored.iter().take(SHOWN));
}

fn list<'a>(body: &mut String, of: impl Iterator<Item = &'a (f64, &'a Answered)>) {
    body.push_str("<ol>\n");
    for (score, Answered { source, target, answer }) in of {
        let _ = writeln!(
            body,
            "<li>chrF {score:.1}\n<dl><dt>source</dt><dd dir=\"auto\">{}</dd><dt>target</dt><dd dir=\"auto\">{}</dd><dt>answer</dt><dd \
             dir=\"auto\">{}</dd></dl></li>",
            escaped(source),
            escaped(target),
            escaped(answer)
        );
    }
    body.push_str("</ol>\n");
}

/// Data, settings, command.
fn about(body: &mut String, record: &Record) {
    let result = &record.result;
    body.push_str("<h2>Data, settings, command</h2>\n");
    let mut rows: Facts = Vec::new();
    for (name, value) in result["data"].as_object().into_iter().flatten() {
        if !value.is_null() {
            rows.push((format!("{name} file"), vec![plain(value)]));
        }
    }
    for (name, key) in [
        ("texts to train", "train_texts"),
        ("pairs to train", "train_pairs"),
        ("dialogues to train", "train_dialogues"),
        ("left out, there before", "dropped"),
    ] {
        rows.extend(result[key].as_u64().map(|count| (name.to_string(), vec![grouped(count)])));
    }
    rows.push(("base".into(), vec![plain(&result["base"]["path"])]));
    let words = result["command"].as_array().into_iter().flatten().map(plain);
    rows.push(("command".into(), vec![words.collect::<Vec<_>>().join(" ")]));
    rows.push(("newleaf".into(), vec![plain(&result["version"])]));
    facts(body, &[], &rows);
    body.push_str("<details>\n<summary>All settings</summary>\n");
    let settings = result["settings"].as_object().into_iter().flatten();
    facts(body, &[], &settings.map(|(name, value)| (name.clone(), vec![plain(value)])).collect());
    body.push_str("</details>\n");
}
