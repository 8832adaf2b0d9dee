//! Which labels are told apart, as tables.

use crate::commands::report::page::{facts, note};
use chart::{escaped, shortened};
use data::metrics::{Confusion, OfLabel};
use std::fmt::Write;

/// More labels than this make no table that can be read.
const MOST: usize = 20;

/// How often each label was predicted for each right one; of many labels, the pairs that are mixed up most often.
pub(super) fn confusion(body: &mut String, names: &[String], confusion: &Confusion) {
    let counts = confusion.counts();
    body.push_str("<h2>Which labels it mixes up</h2>\n");
    if names.len() > MOST {
        return pairs(body, names, counts);
    }
    let heads: String = names.iter().map(|name| format!("<th>{}</th>", escaped(&shortened(name)))).collect();
    let _ =
        writeln!(body, "<div class=\"table\">\n<table>\n<tr><td>label \u{2192} predicted</td>{heads}</tr>");
    for (right, (name, row)) in names.iter().zip(counts).enumerate() {
        let all: u64 = row.iter().sum();
        let cells: String = row
            .iter()
            .enumerate()
            .map(|(told, &count)| {
                let share = count as f64 / all.max(1) as f64;
                // Blue on the diagonal, orange beside it.
                let colour = if told == right { "0,114,178" } else { "230,159,0" };
                format!(
                    "<td style=\"padding-left:.4rem;background:rgba({colour},{:.2})\">{count}</td>",
                    0.6 * share
                )
            })
            .collect();
        let _ = writeln!(body, "<tr><th>{}</th>{cells}</tr>", escaped(&shortened(name)));
    }
    body.push_str("</table>\n</div>\n");
    note(
        body,
        "A row has the texts of a label, a column those that were predicted to have it. The colour is the share of the row.",
    );
}

/// The pairs of labels that are mixed up, the most frequent first.
fn pairs(body: &mut String, names: &[String], counts: &[Vec<u64>]) {
    let cell =
        |right: usize| counts[right].iter().enumerate().map(move |(told, &count)| (count, (right, told)));
    let mut pairs: Vec<(u64, (usize, usize))> = (0..names.len())
        .flat_map(cell)
        .filter(|&(count, (right, told))| count > 0 && right != told)
        .collect();
    pairs.sort_by_key(|&(count, place)| (std::cmp::Reverse(count), place));
    let all = pairs.len();
    pairs.truncate(MOST);
    let row = |&(count, (right, told)): &(u64, (usize, usize))| {
        let of: u64 = counts[right].iter().sum();
        (
            format!("{} \u{2192} {}", shortened(&names[right]), shortened(&names[told])),
            vec![format!("{count} of {of}")],
        )
    };
    facts(body, &["texts".to_string()], &pairs.iter().map(row).collect());
    note(
        body,
        &format!(
            "The label of a text \u{2192} the one that was predicted. {} of {all} pairs that occur.",
            pairs.len()
        ),
    );
}

/// Precision, recall and F1 of each label; of many, those of the worst.
pub(super) fn scores(body: &mut String, names: &[String], confusion: &Confusion) {
    let mut labels: Vec<(&String, OfLabel)> =
        names.iter().enumerate().map(|(i, name)| (name, confusion.of_label(i))).collect();
    labels.retain(|(_, of)| of.f1().is_some());
    if names.len() > MOST {
        labels.sort_by(|a, b| a.1.f1().unwrap_or(0.0).total_cmp(&b.1.f1().unwrap_or(0.0)));
        labels.truncate(MOST);
    }
    let share = |share: Option<f64>| share.map_or("none".to_string(), |share| format!("{share:.3}"));
    let row = |(name, of): &(&String, OfLabel)| {
        let values = vec![
            share(of.f1()),
            share(of.precision()),
            share(of.recall()),
            of.having.to_string(),
            of.told.to_string(),
        ];
        (shortened(name), values)
    };
    body.push_str("<h2>The scores of each label</h2>\n");
    let heads = ["F1", "precision", "recall", "texts", "predicted"].map(String::from);
    facts(body, &heads, &labels.iter().map(row).collect());
    if names.len() > MOST {
        note(body, &format!("The {MOST} labels with the least F1, of {}.", names.len()));
    }
}
