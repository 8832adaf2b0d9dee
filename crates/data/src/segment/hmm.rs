//! Words that no dictionary has, by their shape: a hidden Markov model over the places in a word.
//!
//! Every character is at the **B**eginning, in the **M**iddle or at the **E**nd of a word, or a **S**ingle
//! word; 图书馆|很|远 is BME S S. The states are hidden, the characters visible, and the best states
//! maximise (Viterbi 1967)
//!
//! ```text
//! ln p(s_1) + Σ ln p(s_t | s_{t-1}) + Σ ln p(c_t | s_t)        legal:  B→M,E  M→M,E  E→B,S  S→B,S
//! ```
//!
//! Little gold text makes p(c|s) unreliable, and most so for the characters that matter, those of unknown
//! words. By Bayes p(c|s) = p(s|c) p(c) / p(s), where p(c) is the same for all paths and drops out. What
//! stays is estimated with one pseudo-count, so that a rare character leans on a prior h and a frequent
//! one speaks for itself:
//!
//! ```text
//! p(s|c) = (n(c,s) + h(s)) / (n(c) + 1),    h = the states of characters that were seen exactly once
//! ```
//!
//! An unseen character thus behaves like those seen once: the idea of Good and Turing.

use super::{Dict, Gold};
use crate::han::is_han;
use std::collections::HashMap;

const STATES: usize = 4;
const B: usize = 0;
const M: usize = 1;
const E: usize = 2;
const S: usize = 3;

/// The states that may come before each state.
const BEFORE: [[usize; 2]; STATES] = [[E, S], [B, M], [B, M], [E, S]];

/// A BMES hidden Markov model: scores in nats.
#[derive(Clone, Debug)]
pub struct Hmm {
    start: [f64; STATES],
    transition: [[f64; STATES]; STATES],    // from, to
    emission: HashMap<char, [f64; STATES]>, // ln p(s|c) - ln p(s)
    unseen: [f64; STATES],
    frequency: HashMap<char, f64>, // ln p(c)
    begins: f64,                   // ln of the share of words that have several characters
}

impl Hmm {
    /// Learns from segmented text.
    pub fn from_gold(gold: &Gold) -> Hmm {
        let mut counts = Counts::default();
        for sentence in &gold.sentences {
            let mut before = None; // the state before; None at the start of a run of Chinese characters
            for word in sentence {
                let chars: Vec<char> = word.chars().collect();
                if !chars.iter().all(|&c| is_han(c)) {
                    before = None;
                    continue;
                }
                counts.add_word(&chars, 1.0);
                let first = if chars.len() == 1 { S } else { B };
                counts.add_step(before, first, 1.0);
                before = Some(if chars.len() == 1 { S } else { E });
            }
        }
        counts.into_hmm()
    }

    /// Learns from a dictionary: as from a text in which the words stand in random order.
    pub fn from_dict(dict: &Dict) -> Hmm {
        let mut counts = Counts::default();
        let words = dict.words().into_iter().map(|(word, n)| (word.chars().collect::<Vec<_>>(), n as f64));
        let words: Vec<_> = words.filter(|(word, _)| word.iter().all(|&c| is_han(c))).collect();
        let share = |single: bool| -> f64 {
            let chosen = words.iter().filter(|(word, _)| (word.len() == 1) == single);
            chosen.map(|(_, n)| n).sum::<f64>() / dict.total().max(1) as f64
        };
        let (singles, longer) = (share(true), share(false));
        for (word, n) in &words {
            counts.add_word(word, *n);
            let last = if word.len() == 1 { S } else { E };
            for before in [None, Some(last)] {
                counts.add_step(before, S, n * singles);
                counts.add_step(before, B, n * longer);
            }
        }
        counts.into_hmm()
    }

    /// Divides characters into words: their lengths.
    pub fn divide(&self, chars: &[char]) -> Vec<usize> {
        let mut lengths = Vec::new();
        let mut length = 0;
        for state in self.viterbi(chars) {
            length += 1;
            if state == E || state == S {
                lengths.push(length);
                length = 0;
            }
        }
        lengths
    }

    /// ln p(chars) as one word of several characters; `None` if one of them was never seen.
    ///
    /// # Panics
    /// If there are fewer than two.
    pub fn ln_word(&self, chars: &[char]) -> Option<f64> {
        assert!(chars.len() >= 2, "Hmm::ln_word: expected several characters, found {}", chars.len());
        let last = chars.len() - 1;
        let mut sum = self.begins;
        let mut before = B;
        for (i, c) in chars.iter().enumerate() {
            let state = if i == 0 {
                B
            } else if i == last {
                E
            } else {
                M
            };
            if i > 0 {
                sum += self.transition[before][state];
            }
            sum += self.frequency.get(c)? + self.emission_of(*c)[state];
            before = state;
        }
        Some(sum)
    }

    /// The best states of the characters; the last one is E or S.
    fn viterbi(&self, chars: &[char]) -> Vec<usize> {
        let Some(&first) = chars.first() else { return Vec::new() };
        let emission = self.emission_of(first);
        let mut score: [f64; STATES] = std::array::from_fn(|s| self.start[s] + emission[s]);
        let mut came_from = Vec::with_capacity(chars.len()); // [t][s]: the state at t before s at t+1
        for &c in &chars[1..] {
            let emission = self.emission_of(c);
            let through = |from: usize, to: usize| score[from] + self.transition[from][to];
            let best: [usize; STATES] = std::array::from_fn(|to| {
                let [a, b] = BEFORE[to];
                if through(b, to) > through(a, to) { b } else { a }
            });
            score = std::array::from_fn(|to| through(best[to], to) + emission[to]);
            came_from.push(best);
        }
        let mut state = if score[S] > score[E] { S } else { E };
        let mut states = vec![state];
        for best in came_from.iter().rev() {
            state = best[state];
            states.push(state);
        }
        states.reverse();
        states
    }

    fn emission_of(&self, c: char) -> &[f64; STATES] {
        self.emission.get(&c).unwrap_or(&self.unseen)
    }
}

/// What is counted in text; fractions come from dictionaries.
#[derive(Default)]
struct Counts {
    start: [f64; STATES],
    transition: [[f64; STATES]; STATES],
    of_char: HashMap<char, [f64; STATES]>,
}

impl Counts {
    /// The inside of a word that was seen n times.
    fn add_word(&mut self, word: &[char], n: f64) {
        let last = word.len() - 1;
        let state = |i: usize| match (i == 0, i == last) {
            (true, true) => S,
            (true, false) => B,
            (false, true) => E,
            (false, false) => M,
        };
        for (i, &c) in word.iter().enumerate() {
            self.of_char.entry(c).or_default()[state(i)] += n;
            if i > 0 {
                self.transition[state(i - 1)][state(i)] += n;
            }
        }
    }

    /// The step to a word, from the state before it or from nothing.
    fn add_step(&mut self, before: Option<usize>, first: usize, n: f64) {
        match before {
            Some(state) => self.transition[state][first] += n,
            None => self.start[first] += n,
        }
    }

    fn into_hmm(self) -> Hmm {
        let mut transition = [[f64::NEG_INFINITY; STATES]; STATES];
        for from in 0..STATES {
            let legal: Vec<usize> = (0..STATES).filter(|&to| BEFORE[to].contains(&from)).collect();
            let total: f64 = legal.iter().map(|&to| self.transition[from][to] + 0.5).sum();
            legal.iter().for_each(|&to| {
                transition[from][to] = random::ln((self.transition[from][to] + 0.5) / total);
            });
        }
        let mut start = [f64::NEG_INFINITY; STATES];
        let total = self.start[B] + self.start[S] + 1.0;
        [B, S].iter().for_each(|&s| start[s] = random::ln((self.start[s] + 0.5) / total));

        // Sums of counts that are whole numbers are exact, whatever the order in the map.
        let mut of_state = [1.0; STATES];
        let mut once = [1.0; STATES];
        for counts in self.of_char.values() {
            let seen_once = counts.iter().sum::<f64>() == 1.0;
            for s in 0..STATES {
                of_state[s] += counts[s];
                once[s] += if seen_once { counts[s] } else { 0.0 };
            }
        }
        let (all, all_once): (f64, f64) = (of_state.iter().sum(), once.iter().sum());
        let score = |counts: [f64; STATES]| -> [f64; STATES] {
            let n: f64 = counts.iter().sum();
            std::array::from_fn(|s| {
                let given_char = (counts[s] + once[s] / all_once) / (n + 1.0);
                random::ln(given_char) - random::ln(of_state[s] / all)
            })
        };
        let unseen = score([0.0; STATES]);
        let chars: f64 = all - STATES as f64; // without the pseudo-counts
        let frequency =
            |counts: &[f64; STATES]| random::ln(counts.iter().sum::<f64>().max(1.0) / chars.max(1.0));
        let frequency = self.of_char.iter().map(|(&c, counts)| (c, frequency(counts))).collect();
        let emission = self.of_char.into_iter().map(|(c, counts)| (c, score(counts))).collect();
        let begins = random::ln(of_state[B] / (of_state[B] + of_state[S]));
        Hmm { start, transition, emission, unseen, frequency, begins }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hmm() -> Hmm {
        Hmm::from_gold(
            &Gold::parse("甲乙 丙 甲乙丙 。 丁\n乙 甲丁 丙甲 甲\n乙丙丁甲 丁 丁\n", "test").unwrap(),
        )
    }

    fn score(hmm: &Hmm, chars: &[char], states: &[usize]) -> f64 {
        let mut sum = hmm.start[states[0]];
        sum += states.windows(2).map(|pair| hmm.transition[pair[0]][pair[1]]).sum::<f64>();
        sum + chars.iter().zip(states).map(|(&c, &s)| hmm.emission_of(c)[s]).sum::<f64>()
    }

    proptest! {
        /// Viterbi against all 4^n sequences of states; 戊 is a character never seen.
        #[test]
        fn viterbi_finds_the_best_states(text in "[甲乙丙丁戊]{1,6}") {
            let (hmm, chars) = (hmm(), text.chars().collect::<Vec<_>>());
            let sequences = (0..1_usize << (2 * chars.len()))
                .map(|code| (0..chars.len()).map(|t| code >> (2 * t) & 3).collect::<Vec<_>>());
            let complete = sequences.filter(|states| [E, S].contains(states.last().unwrap()));
            let best = complete.map(|states| score(&hmm, &chars, &states)).fold(f64::NEG_INFINITY, f64::max);
            let found = score(&hmm, &chars, &hmm.viterbi(&chars));
            prop_assert!(found.is_finite() && (found - best).abs() <= 1e-9, "found {found}, best {best}");
            prop_assert_eq!(hmm.divide(&chars).iter().sum::<usize>(), chars.len());
        }
    }

    #[test]
    fn probabilities_sum_to_one() {
        let hmm = hmm();
        let sum = |row: &[f64]| row.iter().map(|x| x.exp()).sum::<f64>();
        hmm.transition.iter().chain([&hmm.start]).for_each(|row| {
            assert!((sum(row) - 1.0).abs() <= 1e-12, "{row:?}");
        });
        // Words at a beginning, after which nothing or a mark stood: 甲乙, 丁, 乙, 乙丙丁甲. Two of the four have several
        // characters: (2 + .5) / (4 + 1).
        assert!((hmm.start[B].exp() - 2.5 / 5.0).abs() <= 1e-12);
    }

    #[test]
    fn a_dictionary_teaches_the_same_as_its_words() {
        let hmm = Hmm::from_dict(&Dict::parse("甲乙 6\n丙 2\n", "test").unwrap());
        // After any word the next is 甲乙 with 3/4: counts 6*.75 + .5 = 5 of 6 + 1.
        assert!((hmm.transition[E][B].exp() - 5.0 / 7.0).abs() <= 1e-12);
        assert_eq!(hmm.divide(&['甲', '乙', '丙', '甲', '乙']), [2, 1, 2]);
    }
}
