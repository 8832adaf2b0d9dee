//! The worst errors of a classifier, and what led to them.
//!
//! What a word does in the model is found by leaving it out: the score of the label that was predicted, over that of the right
//! one, falls by what the word contributed (occlusion: Zeiler and Fergus 2014; Li et al. 2016, arXiv 1612.08220). What it does in the
//! logistic regressions stands in their weights.

use super::record::Labelled;
use crate::commands::report::page::note;
use crate::work::model::encode_text;
use chart::escaped;
use data::baseline::words;
use gpt::files::CheckpointError;
use gpt::tune::SavedClassifier;
use std::fmt::Write;
use std::ops::Range;

/// Errors that are shown.
const SHOWN: usize = 12;
/// Words of a text that are left out one by one: each takes a pass of the model.
const WORDS: usize = 150;
/// Characters of a text that are shown.
const CHARS: usize = 800;
/// Runs of words that are named for a label.
const REASONS: usize = 5;
/// What says less is not named.
const LEAST: f64 = 0.005;

/// The texts whose wrong label was the likeliest over the right one.
fn worst(texts: &[Labelled]) -> Vec<&Labelled> {
    let apart = |text: &Labelled| text.p[text.predicted] - text.p[text.label];
    let mut wrong: Vec<&Labelled> = texts.iter().filter(|text| !text.is_right()).collect();
    wrong.sort_by(|a, b| apart(b).total_cmp(&apart(a)));
    wrong.truncate(SHOWN);
    wrong
}

/// The worst errors, each with its text, and what led to them if the classifier can be loaded.
pub(super) fn section(
    body: &mut String,
    saved: &Result<SavedClassifier, CheckpointError>,
    names: &[String],
    texts: &[Labelled],
) {
    let wrong = worst(texts);
    if wrong.is_empty() {
        return;
    }
    body.push_str("<h2>The worst errors</h2>\n");
    match saved {
        Ok(_) => note(
            body,
            &format!(
                "Orange: words that led the model to its label; blue: words that spoke for the right one. A text is read again without \
                 each of its first {WORDS} words."
            ),
        ),
        Err(error) => note(body, &format!("What led to them is not shown: {error}")),
    }
    body.push_str("<ol>\n");
    for text in wrong {
        let look = saved.as_ref().ok().map(|saved| look(saved, text));
        item(body, names, text, look.as_ref());
    }
    body.push_str("</ol>\n");
}

/// What led to an error.
struct Look {
    /// The words, and by how much each speaks for the predicted label over the right one, in nats.
    words: Vec<(Range<usize>, f64)>,
    /// P(predicted) by the model alone.
    p: f64,
    /// What speaks for the predicted and for the right label in the regressions, if they are mixed in.
    reasons: Option<[Vec<String>; 2]>,
}

fn look(saved: &SavedClassifier, text: &Labelled) -> Look {
    let (told, right) = (text.predicted, text.label);
    let places = places(&text.text);
    let without = |word: &Range<usize>| format!("{}{}", &text.text[..word.start], &text.text[word.end..]);
    let variants: Vec<String> =
        std::iter::once(text.text.clone()).chain(places.iter().map(without)).collect();
    let pattern = saved.classifier.config.head.pattern();
    let ids: Vec<Vec<u32>> =
        variants.iter().map(|text| encode_text(&saved.tokenizer, pattern, text).0).collect();
    let p = saved.classifier.probabilities(&saved.params, &ids);
    let odds = |p: &[f64]| random::ln(p[told].max(1e-12)) - random::ln(p[right].max(1e-12));
    let whole = odds(&p[0]);
    let words = places.into_iter().zip(&p[1..]).map(|(word, p)| (word, whole - odds(p))).collect();
    let reasons = saved.wide.as_ref().map(|wide| {
        [told, right].map(|label| {
            let runs = wide.reasons(&text.text, label).into_iter().filter(|(_, weight)| *weight >= LEAST);
            runs.take(REASONS).map(|(run, weight)| format!("{run} {weight:+.2}")).collect()
        })
    });
    Look { words, p: p[0][told], reasons }
}

/// Where the first words of a text are.
fn places(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let place = |word: &str| {
        let start = at + text[at..].find(word).unwrap_or(0);
        at = start + word.len();
        start..at
    };
    words(text).take(WORDS).map(place).collect()
}

fn item(body: &mut String, names: &[String], text: &Labelled, look: Option<&Look>) {
    let (told, right) = (escaped(&names[text.predicted]), escaped(&names[text.label]));
    let mut line =
        format!("<b>{told}</b> with probability {:.2}, it is <b>{right}</b>", text.p[text.predicted]);
    if let Some(Look { p, reasons: Some(_), .. }) = look {
        let _ = write!(line, " (the model alone says {p:.2})");
    }
    let _ = writeln!(
        body,
        "<li>{line}\n<pre dir=\"auto\">{}</pre>",
        coloured(&text.text, look.map_or(&[], |look| &look.words))
    );
    if let Some(Look { reasons: Some([told_for, right_for]), .. }) = look {
        let listed =
            |runs: &[String]| if runs.is_empty() { "none".into() } else { escaped(&runs.join(", ")) };
        let _ = writeln!(
            body,
            "<p class=\"note\">Runs of words or \"characters\" for {told}: {}. For {right}: {}.</p>",
            listed(told_for),
            listed(right_for)
        );
    }
    body.push_str("</li>\n");
}

/// The text with its words coloured: the strongest of them as much as can be read.
fn coloured(text: &str, words: &[(Range<usize>, f64)]) -> String {
    let end = text.char_indices().nth(CHARS).map_or(text.len(), |(at, _)| at);
    let most = words.iter().map(|(_, weight)| weight.abs()).fold(0.0, f64::max);
    let (mut html, mut at) = (String::new(), 0);
    for (word, weight) in words.iter().filter(|(word, _)| word.end <= end) {
        let colour = if *weight > 0.0 { "230,120,0" } else { "0,114,178" };
        let strength = 0.7 * weight.abs() / most.max(f64::MIN_POSITIVE);
        html += &escaped(&text[at..word.start]);
        let shown = escaped(&text[word.clone()]);
        match strength < 0.05 {
            true => html += &shown,
            false => {
                let _ = write!(
                    html,
                    "<span style=\"background:rgba({colour},{strength:.2})\" title=\"{weight:+.2}\">{shown}</span>"
                );
            }
        }
        at = word.end;
    }
    html += &escaped(&text[at..end]);
    if end < text.len() {
        html += " \u{2026}";
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_where_they_are() {
        let text = "the cat, 送 the 餐";
        let found: Vec<&str> = places(text).into_iter().map(|place| &text[place]).collect();
        assert_eq!(found, words(text).collect::<Vec<_>>());
        assert_eq!(places(text)[3].start, text.rfind("the").unwrap());
    }

    #[test]
    fn a_coloured_text_is_the_text() {
        let html = coloured("a <b> & c", &[(0..1, 2.0), (3..4, -1.0), (8..9, 0.01)]);
        let plain = without_tags(&html);
        assert_eq!(plain, "a &lt;b> &amp; c", "a bare > is no markup");
        assert!(html.starts_with("<span style=\"background:rgba(230,120,0,0.70)\" title=\"+2.00\">a</span>"));
        assert!(html.contains("rgba(0,114,178,0.35)") && html.matches("<span").count() == 2, "{html}");
    }

    /// Without tags.
    fn without_tags(html: &str) -> String {
        let mut inside = false;
        html.chars()
            .filter(|&c| {
                let was = inside || c == '<';
                inside = (inside || c == '<') && c != '>';
                !was
            })
            .collect()
    }

    #[test]
    fn the_surest_errors_come_first() {
        let text = |text: &str, label: usize, predicted: usize, p: f64| Labelled {
            text: text.into(),
            label,
            predicted,
            p: if predicted == 0 { vec![p, 1.0 - p] } else { vec![1.0 - p, p] },
        };
        let texts = [text("1", 0, 1, 0.6), text("2", 0, 0, 0.99), text("3", 1, 0, 0.9)];
        let found: Vec<&str> = worst(&texts).iter().map(|text| &text.text[..]).collect();
        assert_eq!(found, ["3", "1"]);
    }
}
