//! A pattern and words for labels, where nobody gives them.
//!
//! Of some usual patterns, those that the tokenizer knows are tried. Where the labels are words, they stand for themselves;
//! where they are numbers, the words are looked for among all tokens, by how much more the model expects one in that place
//! after texts of this label than after others (Schick, Schmid and Schütze 2020, arXiv 2010.13641, who take the ratio
//! alone). The pattern is the one that tells other texts apart best, before anything is trained.

use super::rows::in_batches;
use super::words::Words;
use super::{Rows, Targets};
use crate::Gpt;
use data::pattern::{Cloze, Pattern};
use data::{DataError, Tokenizer};
use tensor::Params;

/// The text comes first in all of them, so that it is encoded as it is without a pattern, and the model has read it.
const PATTERNS: [&str; 9] = [
    "{text} It was {mask}.",
    "{text} All in all, it was {mask}.",
    "{text} This is about {mask}.",
    "{text} {mask}.",
    "{text}总之，{mask}。",
    "{text}真{mask}。",
    "{text}这是{mask}。",
    "{text}，{mask}。",
    "{text}{mask}。",
];

/// Texts in tokens, and the numbers of their labels.
pub type LabelledTexts<'a> = (&'a [Vec<u32>], &'a [usize]);

/// The best pattern for these labels. `words` stand for them, if they are given; `train` is what other words are found by, and
/// `validation` what the pattern is chosen by.
///
/// # Errors
/// If the tokenizer knows none of the patterns with the words.
pub fn find_cloze(
    (gpt, params): (&Gpt, &Params),
    tokenizer: &Tokenizer,
    (names, words): (&[String], Option<&[String]>),
    train: LabelledTexts<'_>,
    validation: LabelledTexts<'_>,
) -> Result<Cloze, DataError> {
    let model = (gpt, params);
    let are_words = names.iter().all(|name| name.chars().any(char::is_alphabetic));
    let words = words.or(are_words.then_some(names));
    let mut best: Option<(f64, Cloze)> = None;
    for pattern in PATTERNS {
        let pattern: Pattern = pattern.parse().expect("a pattern");
        let found = match words {
            Some(words) => Some(words.to_vec()),
            None => find_words(model, tokenizer, &pattern, names.len(), train),
        };
        let Some(words) = found else { continue };
        let cloze = Cloze { pattern, words };
        let Ok(words) = Words::new(cloze.clone(), tokenizer, gpt.max_tokens(params)) else { continue };
        let loss = calibrated_loss(model, &words, validation);
        if best.as_ref().is_none_or(|(least, _)| loss < *least) {
            best = Some((loss, cloze));
        }
    }
    best.map(|(_, cloze)| cloze).ok_or_else(|| DataError::InvalidSetting {
        name: "pattern",
        found: "auto".into(),
        expected: "a model whose tokenizer knows the labels and one of the usual patterns: write a pattern of your own, and \
                   --verbalizer, with the characters of its texts",
    })
}

/// The mean loss of texts by the scores of words, less the mean score of each: what a model thinks of a word whatever the
/// text says nothing of the text.
fn calibrated_loss((gpt, params): (&Gpt, &Params), words: &Words, (texts, labels): LabelledTexts<'_>) -> f64 {
    let texts: Vec<&[u32]> = texts.iter().map(|text| &text[..]).collect();
    let mut scores =
        in_batches(params, &texts, |_| words.labels(), |tape, texts| words.scores(gpt, tape, texts));
    for label in 0..words.labels() {
        let mean = scores.iter().map(|row| row[label]).sum::<f32>() / scores.len() as f32;
        scores.iter_mut().for_each(|row| row[label] -= mean);
    }
    let targets = Targets::labels(labels.to_vec(), &vec![1.0; words.labels()]);
    -targets.score(&scores, super::Metric::Loss)
}

/// A token for each label, as a word; `None` if the tokenizer does not know the pattern, or there are too few tokens.
fn find_words(
    (gpt, params): (&Gpt, &Params),
    tokenizer: &Tokenizer,
    pattern: &Pattern,
    count: usize,
    (texts, labels): LabelledTexts<'_>,
) -> Option<Vec<String>> {
    let word = |id: u32| tokenizer.decode(&[id]).unwrap_or_default().trim().to_string();
    let is_word = |id: u32| word(id).chars().all(char::is_alphabetic) && !word(id).is_empty();
    let ids: Vec<u32> = (0..tokenizer.vocab_size() as u32).filter(|&id| is_word(id)).collect();
    // What stands before the word is the same for any word.
    let frame = pattern.frame(tokenizer, &word(*ids.first()?)).ok()?;
    let room = (gpt.max_tokens(params) + 1).checked_sub(frame.len()).filter(|room| *room > 0)?;
    let rows: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| {
            let (row, first) = frame.around(&text[..text.len().min(room)]);
            row[..first].to_vec()
        })
        .collect();
    let rows: Vec<&[u32]> = rows.iter().map(|row| &row[..]).collect();
    let logits = in_batches(
        params,
        &rows,
        |_| 1,
        |tape, rows| {
            let rows = Rows::new(rows);
            let x = gpt.hidden(&rows.ids, &mut gpt.causal(tape, rows.shape())); // (B, T, C)
            let [b, t] = rows.shape();
            let lasts: Vec<u32> =
                rows.lens.iter().enumerate().map(|(i, len)| (i * t + len - 1) as u32).collect();
            gpt.unembed(x.reshape([b * t, gpt.config.n_embd]).embedding(&lasts, &[b])) // (B, V)
        },
    );
    // p of each candidate, the mean over the texts of each label.
    let mut p = vec![vec![0.0; ids.len()]; count];
    for (row, &label) in logits.iter().zip(labels) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|x| random::exp(f64::from(x - largest))).sum();
        let texts = labels.iter().filter(|other| **other == label).count() as f64;
        for (p, &id) in p[label].iter_mut().zip(&ids) {
            *p += random::exp(f64::from(row[id as usize] - largest)) / sum / texts;
        }
    }
    let mut words: Vec<String> = Vec::with_capacity(count);
    for of_label in &p {
        // What the word would say of this label: p ln (p / its mean over the labels). A ratio alone is largest for words that
        // the model never expects.
        let mean = |i: usize| p.iter().map(|of_label| of_label[i]).sum::<f64>() / count as f64;
        let says = |i: usize| of_label[i] * random::ln(of_label[i].max(1e-300) / mean(i).max(1e-300));
        let free = (0..ids.len()).filter(|&i| !words.contains(&word(ids[i])));
        let best = free.max_by(|&a, &b| says(a).total_cmp(&says(b)))?;
        words.push(word(ids[best]));
    }
    Some(words)
}
