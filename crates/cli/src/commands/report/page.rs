//! The page: figures, pictures, samples, settings.

use super::compare::{Facts, all_settings, differences, from_preset, incomparable, origins};
use super::figures::Figure;
use super::record::Record;
use super::summary::rows;
use super::words::{grouped, letter};
use crate::screen::chart::{self, escaped};
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
    summary(&mut body, records, floor);
    for figure in figures {
        let _ = write!(body, "<figure>\n{}", figure.chart.draw().inline());
        if !figure.caption.is_empty() {
            let _ = writeln!(body, "<figcaption>{}</figcaption>", escaped(figure.caption.trim_end()));
        }
        body += "</figure>\n";
    }
    samples(&mut body, records);
    about(&mut body, records);
    chart::page(super::MARKER, &title, &body)
}

/// The final figures side by side, and how to read them.
fn summary(body: &mut String, records: &[Record], floor: Option<f64>) {
    let table: Facts = rows(records, floor)
        .into_iter()
        .map(|(name, of)| (name, records.iter().map(|record| of(record).unwrap_or_default()).collect()))
        .filter(|(_, values): &(String, Vec<String>)| values.iter().any(|value| !value.is_empty()))
        .collect();
    facts(body, &heads(records), &table);
    if let Some(reason) = incomparable(records) {
        note(body, &reason);
    }
    note(
        body,
        "Losses are in nats per token. Along the way the validation loss is measured on eval_iters batches (0: all), at the end \
         on the whole validation part: the last point may stand a little apart. Dropout, if there is any, raises the training \
         loss alone. The time includes evaluations, samples and checkpoints; tokens per second are those of single updates.",
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
fn facts(body: &mut String, heads: &[String], facts: &Facts) {
    body.push_str("<table>\n");
    if !heads.is_empty() {
        let cells: String = heads.iter().map(|head| format!("<th>{}</th>", escaped(head))).collect();
        let _ = writeln!(body, "<tr><td></td>{cells}</tr>");
    }
    for (name, values) in facts {
        let cells: String = values.iter().map(|value| format!("<td>{}</td>", escaped(value))).collect();
        let _ = writeln!(body, "<tr><th>{}</th>{cells}</tr>", escaped(name));
    }
    body.push_str("</table>\n");
}

fn note(body: &mut String, text: &str) {
    let _ = writeln!(body, "<p class=\"note\">{}</p>", escaped(text));
}

/// What the models wrote, from the first to the last.
fn samples(body: &mut String, records: &[Record]) {
    if records.iter().all(|record| record.samples.is_empty()) {
        return;
    }
    body.push_str("<h2>Samples over time</h2>\n");
    note(body, "At the end of a training its best model writes a longer one.");
    let most = if records.len() == 1 { 8 } else { 3 };
    for (i, record) in records.iter().enumerate() {
        if records.len() > 1 {
            let _ = writeln!(body, "<h3>{}</h3>", escaped(&format!("{} {}", letter(i), record.name())));
        }
        let shown = spread(&record.samples, most);
        for sample in &shown {
            let text: String = sample.text.trim_matches('\n').chars().take(SAMPLE_CHARS).collect();
            let _ = writeln!(
                body,
                "<p class=\"note\">after {} updates</p>\n<pre dir=\"auto\">{}</pre>",
                grouped(sample.iter),
                escaped(&text)
            );
        }
        if shown.len() < record.samples.len() {
            let (shown, all) = (shown.len(), record.samples.len());
            note(body, &format!("{shown} of {all} samples; the others are in samples.txt."));
        }
    }
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
        let _ = writeln!(body, "<h2>Settings that are not those of the preset {preset}</h2>");
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
