//! The page: a verdict, samples, pictures, figures, settings.

use super::compare::{Facts, all_settings, differences, from_preset, origins};
use super::figures::Figure;
use super::record::Record;
use super::summary::rows;
use super::verdict;
use super::words::{MARKER, grouped, letter};
use crate::screen::page;
use chart::escaped;
use gpt::run_dir::Sample;
use std::fmt::Write;

/// Characters of a sample that are shown.
const SAMPLE_CHARS: usize = 1200;

/// The whole of it.
pub(super) fn page(records: &[Record], figures: &[Figure], floor: Option<f64>) -> String {
    let title = match records {
        [record] => format!("Training run {}", record.name()),
        _ => format!("{} training runs", records.len()),
    };
    let mut body = format!("<h1>{}</h1>\n", escaped(&title));
    for (i, paragraph) in verdict::of(records, floor).iter().enumerate() {
        let class = if i == 0 { " class=\"lead\"" } else { "" };
        let _ = writeln!(body, "<p{class}>{}</p>", with_flags(paragraph));
    }
    samples(&mut body, records);
    let [losses, others @ ..] = figures else { return page::page(MARKER, &title, &body) };
    body.push_str("<h2>How the training went</h2>\n");
    picture(&mut body, losses);
    summary(&mut body, records, floor);
    if !others.is_empty() {
        body.push_str("<details>\n<summary>Learning rate, gradient, speed</summary>\n");
        others.iter().for_each(|figure| picture(&mut body, figure));
        body.push_str("</details>\n");
    }
    glossary(&mut body);
    about(&mut body, records);
    page::page(MARKER, &title, &body)
}

/// A paragraph whose flags are not broken at the end of a line.
pub(super) fn with_flags(text: &str) -> String {
    let word =
        |word: &str| if word.starts_with("--") { format!("<code>{word}</code>") } else { word.to_string() };
    escaped(text).split(' ').map(word).collect::<Vec<_>>().join(" ")
}

pub(super) fn picture(body: &mut String, figure: &Figure) {
    let _ = write!(body, "<figure>\n{}", figure.picture().inline());
    if !figure.caption.is_empty() {
        let _ = writeln!(body, "<figcaption>{}</figcaption>", escaped(&figure.caption));
    }
    body.push_str("</figure>\n");
}

/// The words of the page.
const GLOSSARY: &[(&str, &str)] = &[
    ("token", "What the model reads and predicts one at a time: a character, or a piece of a word."),
    ("update", "One step of learning: the model reads a batch of text, and its parameters move a little."),
    ("training loss", "The loss on the text that the model learns from. It can learn this text by heart."),
    (
        "validation loss",
        "The loss on a part of the text that is kept back: how good the model is on what is new to it.",
    ),
    ("nats", "The unit of the loss, with natural logarithms. Divided by 0.693 it is in bits."),
    (
        "bits per character",
        "The loss in bits, for each character and not for each token: with it, models with different tokenizers can be compared.",
    ),
    (
        "n-gram baseline",
        "What can be predicted without a neural network, by counting which token followed the last few ones in the training text \
         (Kneser-Ney). A model that is not better than that has not learned much yet.",
    ),
    (
        "overfitting",
        "The training loss falls and the validation loss rises: the model learns its text by heart and gets worse on new text.",
    ),
    ("learning rate", "How far the parameters move in one update. It usually rises at first and then falls."),
    (
        "norm of the gradient",
        "How strongly a batch pulls at the parameters. A norm that keeps growing is the first sign of a training that falls apart.",
    ),
];

fn glossary(body: &mut String) {
    body.push_str("<details>\n<summary>What the words mean</summary>\n<dl>\n");
    for (word, meaning) in GLOSSARY {
        let _ = writeln!(body, "<dt>{}</dt><dd>{}</dd>", escaped(word), escaped(meaning));
    }
    body.push_str("</dl>\n</details>\n");
}

/// The final figures side by side, and how to read them.
fn summary(body: &mut String, records: &[Record], floor: Option<f64>) {
    let table: Facts = rows(records, floor)
        .into_iter()
        .map(|(name, of)| (name, records.iter().map(|record| of(record).unwrap_or_default()).collect()))
        .filter(|(_, values): &(String, Vec<String>)| values.iter().any(|value| !value.is_empty()))
        .collect();
    facts(body, &heads(records), &table);
    note(
        body,
        "Losses are in nats per token. Along the way the validation loss is measured on eval_iters batches (0: all), at the end \
         on the whole validation part: the last point may stand a little apart. The time includes evaluations, samples and checkpoints; tokens per second are those of single updates.",
    );
}

/// The heads of a table's columns; of one run there is nothing to tell apart.
fn heads(records: &[Record]) -> Vec<String> {
    match records {
        [_] => Vec::new(),
        _ => records.iter().enumerate().map(|(i, r)| format!("{} {}", letter(i), r.name())).collect(),
    }
}

/// A table with a row for each fact.
pub(super) fn facts(body: &mut String, heads: &[String], facts: &Facts) {
    body.push_str("<div class=\"table\">\n<table>\n");
    if !heads.is_empty() {
        let cells: String = heads.iter().map(|head| format!("<th>{}</th>", escaped(head))).collect();
        let _ = writeln!(body, "<tr><td></td>{cells}</tr>");
    }
    for (name, values) in facts {
        let cells: String = values.iter().map(|value| format!("<td>{}</td>", escaped(value))).collect();
        let _ = writeln!(body, "<tr><th>{}</th>{cells}</tr>", escaped(name));
    }
    body.push_str("</table>\n</div>\n");
}

pub(super) fn note(body: &mut String, text: &str) {
    let _ = writeln!(body, "<p class=\"note\">{}</p>", escaped(text));
}

/// What the models wrote, from the first to the last.
fn samples(body: &mut String, records: &[Record]) {
    if records.iter().all(|record| record.samples.is_empty()) {
        return;
    }
    body.push_str("<h2>What the model writes</h2>\n");
    let most = if records.len() == 1 { 8 } else { 3 };
    for (i, record) in records.iter().enumerate() {
        if records.len() > 1 {
            let _ = writeln!(body, "<h3>{}</h3>", escaped(&format!("{} {}", letter(i), record.name())));
        }
        let mut shown = spread(&record.samples, most);
        let count = shown.len();
        if let Some(last) = shown.pop() {
            text_of(body, last);
        }
        if !shown.is_empty() {
            body.push_str("<details>\n<summary>Earlier samples</summary>\n");
            shown.iter().for_each(|sample| text_of(body, sample));
            body.push_str("</details>\n");
        }
        if count < record.samples.len() {
            let all = record.samples.len();
            note(body, &format!("{count} of {all} samples; the others are in samples.txt."));
        }
    }
}

fn text_of(body: &mut String, sample: &Sample) {
    let text: String = sample.text.trim_matches('\n').chars().take(SAMPLE_CHARS).collect();
    let _ = writeln!(
        body,
        "<p class=\"note\">after {} updates</p>\n<pre dir=\"auto\">{}</pre>",
        grouped(sample.iter),
        escaped(&text)
    );
}

/// At most `most` samples: the first, the last, and some evenly between.
fn spread(samples: &[Sample], most: usize) -> Vec<&Sample> {
    let n = samples.len().min(most);
    (0..n).map(|i| &samples[if n > 1 { i * (samples.len() - 1) / (n - 1) } else { 0 }]).collect()
}

/// Settings, first those that tell something; data, machine and command.
fn about(body: &mut String, records: &[Record]) {
    if let [record] = records {
        let differing = from_preset(record);
        let preset = record.preset().name();
        let _ = writeln!(body, "<h2>Settings other than the preset's ({preset})</h2>");
        match differing.is_empty() {
            true => note(body, "None."),
            false => facts(body, &["this run".to_string(), preset.to_string()], &differing),
        }
    } else {
        body.push_str("<h2>What differs between the runs</h2>\n");
        match differences(records) {
            none if none.is_empty() => note(body, "Neither settings nor data nor machine."),
            some => facts(body, &heads(records), &some),
        }
    }
    body.push_str("<h2>Data, command, machine</h2>\n");
    facts(body, &heads(records), &origins(records));
    body.push_str("<details>\n<summary>All settings</summary>\n");
    facts(body, &heads(records), &all_settings(records));
    body.push_str("</details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_the_training() {
        let samples: Vec<Sample> = (0..30).map(|iter| Sample { iter, text: String::new() }).collect();
        let iters = |n: usize, most| spread(&samples[..n], most).iter().map(|s| s.iter).collect::<Vec<u64>>();
        assert_eq!(iters(30, 3), [0, 14, 29]);
        assert_eq!(iters(2, 8), [0, 1]);
        assert_eq!(iters(30, 1), [0]);
        assert_eq!(iters(0, 8), [0; 0]);
    }
}
