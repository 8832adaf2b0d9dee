use super::*;
use proptest::prelude::*;
use random::{Rng, Stream};
use std::collections::{HashMap, HashSet};

/// Tokens of a small alphabet with some structure, so that all kinds of counts occur.
fn text(n: usize, vocab: u64, seed: u64) -> Vec<u32> {
    let mut rng = Rng::new(seed, Stream::Other(0));
    let mut tokens: Vec<u32> = Vec::new();
    while tokens.len() < n {
        let again = tokens.len() > 8 && rng.below(3) > 0;
        match again {
            true => {
                let from = rng.below(tokens.len() as u64 - 4) as usize;
                tokens.extend_from_within(from..from + 4);
            }
            false => tokens.push((rng.below(vocab) * rng.below(vocab) / vocab) as u32),
        }
    }
    tokens.truncate(n);
    tokens
}

/// The definition, word for word, from sets of whole n-grams.
fn definition(tokens: &[u32], order: usize, vocab: usize, context: &[u32], token: u32) -> f64 {
    let mut text = vec![u32::MAX; order - 1];
    text.extend(tokens);
    // Of the longest n-grams the occurrences are counted, of shorter ones the different tokens before.
    let mut counts: HashMap<Vec<u32>, u32> = HashMap::new();
    text.windows(order).for_each(|gram| *counts.entry(gram.to_vec()).or_default() += 1);
    let mut p = 1.0 / vocab as f64;
    let mut tables = vec![counts];
    for _ in 1..order {
        let grams: HashSet<&Vec<u32>> = tables[0].keys().collect();
        let mut shorter: HashMap<Vec<u32>, u32> = HashMap::new();
        grams.into_iter().for_each(|gram| *shorter.entry(gram[1..].to_vec()).or_default() += 1);
        tables.insert(0, shorter);
    }
    for (length, counts) in tables.iter().enumerate() {
        let n = [1, 2, 3, 4].map(|i| counts.values().filter(|&&c| c == i).count() as u64);
        let d = Discounts::from_counts_of_counts(n).values();
        let discount = |c: u32| d[c.min(3) as usize - 1];
        let Some(h) = context.len().checked_sub(length).map(|i| &context[i..]) else { break };
        let after: Vec<(u32, u32)> = counts
            .iter()
            .filter(|(gram, _)| gram[..length] == *h)
            .map(|(gram, &c)| (gram[length], c))
            .collect();
        let total: u32 = after.iter().map(|(_, c)| c).sum();
        if total == 0 {
            break;
        }
        let taken: f64 = after.iter().map(|&(_, c)| discount(c)).sum();
        let own = after.iter().find(|(w, _)| *w == token).map_or(0.0, |&(_, c)| f64::from(c) - discount(c));
        p = (own + taken * p) / f64::from(total);
    }
    p
}

#[test]
fn equals_the_definition() {
    let tokens = text(400, 9, 1);
    for order in 1..=5 {
        let model = KneserNey::fit(&tokens, order, 10).unwrap();
        let contexts =
            [&[][..], &[3], &[1, 0], &tokens[7..12], &tokens[200..208], &[9, 9, 9, 9], &[0, 9, 0, 1]];
        for context in contexts {
            for token in 0..10 {
                let (p, expected) =
                    (model.probability(context, token), definition(&tokens, order, 10, context, token));
                assert!((p - expected).abs() < 1e-14, "order {order}, {context:?} {token}: {p} {expected}");
            }
        }
    }
}

/// The counts of a three-letter text by hand: a b a b a c, order 2.
#[test]
fn counts_by_hand() {
    let model = KneserNey::fit(&[0, 1, 0, 1, 0, 2], 2, 3).unwrap();
    // Pairs: ^a, ab ab, ba ba, ac. Different tokens before a: ^ and b; before b: a; before c: a.
    assert_eq!(model.entries(), [3, 4]);
    let [root, pairs] = &model.levels[..] else { panic!("two levels") };
    assert_eq!(root.followers(0).collect::<Vec<_>>(), [(0, 2), (1, 1), (2, 1)]);
    assert_eq!(pairs.followers(0).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
    assert_eq!(model.discounts(), [Discounts::FALLBACK; 2]);
    // P(c) = (1 - .5 + (.5 + .5 + 1) / 3) / 4; P(c | a) = (1 - .5 + (.5 + 1) P(c)) / 3
    let c = (0.5 + 2.0 / 3.0) / 4.0;
    assert!((model.probability(&[], 2) - c).abs() < 1e-15);
    assert!((model.probability(&[0], 2) - (0.5 + 1.5 * c) / 3.0).abs() < 1e-15);
}

/// Leaving one out is fitting again without that one event, at the same discounts.
#[test]
fn leave_one_out_is_a_fit_without_it() {
    for (n, order) in [(60, 1), (120, 3), (90, 4)] {
        let tokens = text(n, 5, 3);
        let model = KneserNey::fit(&tokens, order, 6).unwrap();
        let padded = level::padded(&tokens, order, 6);
        let losses = model.leave_one_out(&tokens).unwrap();
        for (i, loss) in losses.iter().enumerate() {
            let others = (0..n as u32).filter(|&event| event != i as u32).collect();
            let mut without = KneserNey { levels: Level::all(&padded, others, order, 6), ..model.clone() };
            for (level, of_all) in without.levels.iter_mut().zip(&model.levels) {
                level.discounts = of_all.discounts;
            }
            let expected = -without.probability(&padded[i..i + order - 1], tokens[i]).ln();
            assert!((loss - expected).abs() < 1e-12, "order {order}, event {i}: {loss} {expected}");
        }
    }
}

/// Trap T12: the training text seems easy to a model that counted it; left out, it is as hard as new text.
#[test]
fn leave_one_out_does_not_leak() {
    let all = text(6000, 40, 5);
    let (train, new) = all.split_at(4000);
    let mut rng = Rng::new(9, Stream::Other(1));
    let train: Vec<u32> =
        train.iter().map(|&t| if rng.below(4) == 0 { rng.below(40) as u32 } else { t }).collect();
    let new: Vec<u32> =
        new.iter().map(|&t| if rng.below(4) == 0 { rng.below(40) as u32 } else { t }).collect();
    let model = KneserNey::fit(&train, 4, 40).unwrap();
    let leaked = model.evaluate(&train, 0).unwrap().mean();
    let held_out = model.evaluate(&new, 0).unwrap().mean();
    let left_out = model.leave_one_out(&train).unwrap().iter().sum::<f64>() / train.len() as f64;
    assert!(leaked < 0.6 * held_out, "{leaked} {held_out}");
    assert!(left_out > 0.9 * held_out, "{left_out} {held_out}");
    assert!(model.leave_one_out(&new).is_err());
    assert!(model.leave_one_out(&[vec![39; 3], train[3..].to_vec()].concat()).is_err());
}

#[test]
fn samples_follow_the_distribution() {
    let tokens = text(300, 6, 2);
    let model = KneserNey::fit(&tokens, 3, 8).unwrap();
    let mut rng = Rng::new(4, Stream::Sampling);
    for context in [&[][..], &[0], &[0, 1], &[7, 7]] {
        let p = model.distribution(context);
        let draws = 40_000;
        let mut seen = [0_u32; 8];
        (0..draws).for_each(|_| seen[model.sample(context, &mut rng) as usize] += 1);
        let chi2: f64 = seen
            .iter()
            .zip(&p)
            .map(|(&seen, p)| (f64::from(seen) - p * f64::from(draws)).powi(2) / (p * f64::from(draws)))
            .sum();
        assert!(chi2 < 24.3, "{context:?}: chi2 {chi2}, beyond p = .001 for 7 degrees of freedom");
    }
}

#[test]
fn refuses_what_it_cannot_count() {
    let fit = |tokens: &[u32], order, vocab| KneserNey::fit(tokens, order, vocab).unwrap_err().to_string();
    assert!(fit(&[0, 1], 0, 2).contains("order is 0"));
    assert!(fit(&[0, 1], 65, 2).contains("order is 65"));
    assert!(fit(&[], 3, 2).contains("number of tokens is 0"));
    assert!(fit(&[0, 5], 3, 5).contains("token id 5 at position 1"));
    assert!(fit(&[0], 3, 0).contains("vocab_size is 0"));
    let model = KneserNey::fit(&[0, 1, 0], 2, 2).unwrap();
    assert!(model.evaluate(&[0, 2], 0).is_err());
    assert!(model.evaluate(&[0], 1).is_err());
    assert_eq!(model.evaluate(&[0, 1, 1], 1).unwrap().targets, 2);
}

proptest! {
    /// Whatever the text, order and context: no probability is 0, and they sum to 1.
    #[test]
    fn sums_to_one(
        tokens in prop::collection::vec(0_u32..7, 1..120),
        context in prop::collection::vec(0_u32..9, 0..6),
        order in 1_usize..8,
    ) {
        let model = KneserNey::fit(&tokens, order, 9).unwrap();
        let p = model.distribution(&context);
        prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (token, p) in p.iter().enumerate() {
            prop_assert!(*p > 0.0);
            prop_assert!((model.probability(&context, token as u32) - p).abs() < 1e-15);
        }
    }

    /// Left out or not, every training token keeps a probability in (0, 1].
    #[test]
    fn leave_one_out_is_a_probability(tokens in prop::collection::vec(0_u32..4, 1..80), order in 1_usize..6) {
        let model = KneserNey::fit(&tokens, order, 5).unwrap();
        for (loss, seen) in model.leave_one_out(&tokens).unwrap().iter().zip(model.losses(&tokens).unwrap()) {
            prop_assert!(loss.is_finite() && *loss >= -1e-12);
            prop_assert!(seen.is_finite() && seen >= -1e-12);
        }
    }
}
