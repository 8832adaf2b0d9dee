//! The sentences of a document that say most of what it is about: SumBasic (Nenkova and Vanderwende 2005), which needs nothing
//! but the document.
//!
//! ```text
//! p(w)     = n(w) / N                      of the N words of the document, stop words apart
//! score(s) = the mean of p(w) over the words w of sentence s
//! ```
//!
//! The sentence with the largest score is taken; then p of each of its words is squared, because what was said once need not
//! be said again, and the next is looked for. Chinese is counted in pairs of characters, which are words more often than not.

use crate::StopWords;
use crate::baseline::words;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::ops::Range;

/// The sentences of a text, each with its end and what space follows.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut start, mut ended) = (Vec::new(), 0, false);
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, c)| *c);
        // A full stop within a number or an abbreviation is followed by a letter or a digit.
        ended |= c == '\n' || "!?。！？".contains(c) || (c == '.' && next.is_none_or(char::is_whitespace));
        let closes = |next: char| !c.is_whitespace() && ".!?。！？\"'”’)）」』".contains(next);
        let goes_on = next.is_some_and(|next| next.is_whitespace() || closes(next));
        if ended && !goes_on {
            let end = at + c.len_utf8();
            found.push(start..end);
            (start, ended) = (end, false);
        }
    }
    if start < text.len() {
        found.push(start..text.len());
    }
    found.retain(|range| !text[range.clone()].trim().is_empty());
    found
}

/// What is counted of a sentence: its words in lower case, of Chinese the pairs of characters.
fn units(sentence: &str, stop: &[StopWords; 2]) -> Vec<String> {
    let is_han = |word: &str| word.chars().all(crate::han::stands_alone);
    let all: Vec<&str> = words(sentence).collect();
    let single = all.iter().filter(|word| !is_han(word)).map(|word| word.to_lowercase());
    let pairs = all.windows(2).filter(|two| is_han(two[0]) && is_han(two[1])).map(|two| two.concat());
    single.chain(pairs).filter(|unit| stop.iter().all(|stop| !stop.contains(unit))).collect()
}

/// The sentences of a text, those that say most of it first.
///
/// ```
/// let text = "Rain fell. The mill burnt down. Nobody knows why the mill of the town burnt.";
/// assert_eq!(data::extract::most_telling(text)[0], "The mill burnt down.");
/// ```
#[must_use]
pub fn most_telling(text: &str) -> Vec<&str> {
    order(text).into_iter().map(|range| text[range].trim()).collect()
}

/// The most telling sentences of a text, as many as fit, in the order of the text; nothing if none does.
///
/// ```
/// let text = "Rain fell. The mill burnt down. Nobody knows why the mill of the town burnt.";
/// assert_eq!(data::extract::extract(text, |part| part.len() < 35), "Rain fell. The mill burnt down.");
/// ```
#[must_use]
pub fn extract(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let joined = |ranges: &[Range<usize>]| {
        let parts: String = ranges.iter().map(|range| &text[range.clone()]).collect();
        parts.trim().to_string()
    };
    let mut chosen: Vec<Range<usize>> = Vec::new();
    for range in order(text) {
        let mut with = chosen.clone();
        with.insert(with.partition_point(|other| other.start < range.start), range);
        if fits(&joined(&with)) {
            chosen = with;
        }
    }
    joined(&chosen)
}

/// The first sentence: the oldest summary, lead-1. The whole text if it has no end of one.
///
/// ```
/// assert_eq!(data::extract::first_sentence("It rained. It stopped."), "It rained.");
/// assert_eq!(data::extract::first_sentence("下雨了。停了。"), "下雨了。");
/// ```
#[must_use]
pub fn first_sentence(text: &str) -> &str {
    sentences(text).into_iter().next().map_or(text, |range| text[range].trim())
}

/// The places of the sentences, the most telling first; of equals, the first.
fn order(text: &str) -> Vec<Range<usize>> {
    let stop = [StopWords::english(), StopWords::chinese()];
    let sentences = sentences(text);
    let units: Vec<Vec<String>> = sentences.iter().map(|range| units(&text[range.clone()], &stop)).collect();
    let count: usize = units.iter().map(Vec::len).sum();
    let mut p: HashMap<&str, f64> = HashMap::new();
    for unit in units.iter().flatten() {
        *p.entry(unit).or_default() += 1.0 / count as f64;
    }
    // A score is 0 or more, and the bits of such numbers are in their order.
    let score = |i: usize, p: &HashMap<&str, f64>| {
        let sum: f64 = units[i].iter().map(|unit| p[&unit[..]]).sum();
        (sum / units[i].len().max(1) as f64).to_bits()
    };
    let mut left: BinaryHeap<(u64, Reverse<usize>)> =
        (0..units.len()).map(|i| (score(i, &p), Reverse(i))).collect();
    let mut order = Vec::with_capacity(units.len());
    while let Some((before, Reverse(i))) = left.pop() {
        // Scores only fall: one that is as it was is still the largest, and a long document takes no quadratic time.
        let now = score(i, &p);
        if now < before {
            left.push((now, Reverse(i)));
            continue;
        }
        for unit in units[i].iter().collect::<HashSet<_>>() {
            p.entry(unit).and_modify(|p| *p *= *p);
        }
        order.push(sentences[i].clone());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sentences_end_where_people_end_them() {
        let split = |text: &'static str| {
            sentences(text).into_iter().map(|range| text[range].trim()).collect::<Vec<_>>()
        };
        assert_eq!(
            split("It is 3.5 m. \"Stop!\" he said.Then\nno more"),
            ["It is 3.5 m.", "\"Stop!\"", "he said.Then", "no more"]
        );
        assert_eq!(split("下雨了。“停了！”他说？？好"), ["下雨了。", "“停了！”", "他说？？", "好"]);
        assert_eq!(split(" \n\n "), [""; 0]);
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let text = "The mill burnt. The mill burnt. A dog slept.";
        assert_eq!(most_telling(text), ["The mill burnt.", "A dog slept.", "The mill burnt."]);
        let text = "今天下雨。磨坊着火了。没人知道磨坊为什么着火。";
        assert_eq!(most_telling(text)[0], "磨坊着火了。");
    }

    /// As the definition has it: every score anew before each choice.
    fn order_by_definition(text: &str) -> Vec<Range<usize>> {
        let stop = [StopWords::english(), StopWords::chinese()];
        let mut left: Vec<(Range<usize>, Vec<String>)> =
            sentences(text).into_iter().map(|range| (range.clone(), units(&text[range], &stop))).collect();
        let all: Vec<String> = left.iter().flat_map(|(_, units)| units.clone()).collect();
        let mut p: HashMap<String, f64> = HashMap::new();
        all.iter().for_each(|unit| *p.entry(unit.clone()).or_default() += 1.0 / all.len() as f64);
        let mut order = Vec::new();
        while !left.is_empty() {
            let score =
                |i: usize| left[i].1.iter().map(|unit| p[unit]).sum::<f64>() / left[i].1.len().max(1) as f64;
            let best = (1..left.len()).fold(0, |best, i| if score(i) > score(best) { i } else { best });
            let (range, units) = left.remove(best);
            for unit in units.into_iter().collect::<HashSet<_>>() {
                p.entry(unit).and_modify(|p| *p *= *p);
            }
            order.push(range);
        }
        order
    }

    #[test]
    fn a_long_document_costs_what_its_length_deserves() {
        let text: String = (0..60_000).map(|i| format!("w{} w{} w{}. ", i % 7, i % 1009, i)).collect();
        assert_eq!(order(&text).len(), 60_000);
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_definition(words in prop::collection::vec("[a-e]{3}[a-b]?", 0..60), every in 1..6_usize) {
            let text: String = words.chunks(every).map(|words| format!("{}. ", words.join(" "))).collect();
            prop_assert_eq!(order(&text), order_by_definition(&text));
        }

        /// Every sentence is there once; an extract fits, keeps the order, and is the whole if that fits.
        #[test]
        fn an_extract_is_part_of_the_text(parts in prop::collection::vec("[a-c ]{0,4}[.。!]", 0..9), most in 0..40_usize) {
            let text = parts.concat();
            let mut ranges = order(&text);
            ranges.sort_by_key(|range| range.start);
            prop_assert_eq!(ranges, sentences(&text));
            let found = extract(&text, |part| part.len() <= most);
            prop_assert!(found.len() <= most);
            let mut rest = text.chars();
            prop_assert!(found.chars().all(|c| rest.any(|other| other == c)), "{} of {}", found, text);
            let whole = extract(&text, |_| true);
            prop_assert_eq!(whole.split_whitespace().collect::<String>(), text.split_whitespace().collect::<String>());
        }
    }
}
